"""Making reports: the notebook is executed, and its page is written beside it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from qcbench.core.addresses import relative_url
from qcbench.core.dates import utc_now
from qcbench.core.errors import ReportError
from qcbench.core.files import write_text
from qcbench.core.logs import get_logger, log_context
from qcbench.core.paths import safe_name
from qcbench.core.resources import notebook
from qcbench.look.pages import render_page, write_static
from qcbench.reports.execute import run_notebook
from qcbench.reports.measure import SCORED_STATES, TOOL, measure_ab, score_ab
from qcbench.scoring import score_count
from qcbench.store import ABState, record_event
from qcbench.store.delays import REPORTED
from qcbench.store.needs import REPORT_FAILED
from qcbench.store.queries import find_ab
from qcbench.workbench import Workbench


@dataclass(frozen=True)
class QcResult:
    """What `process_qc` came to.

    Attributes
    ----------
    score : str
        Such as ``2/56``; ``–`` where nothing was scored.
    problem : str
        Why the AB failed, or why it has no report; empty if all went well.
    """

    ab: str
    state: ABState
    score: str
    report: Path | None
    problem: str = ""


def report_ab(bench: Workbench, ab_name: str, *, force: bool = False) -> Path:
    """Make the QC report of an AB: the executed notebook and its page; return the page.

    A report that is there already is kept.

    Parameters
    ----------
    force : bool
        Make it again.

    Raises
    ------
    NotFoundError
        There is no such AB.
    ReportError
        The notebook failed; an event says so, and the AB keeps its state.
    """
    with bench.store.read() as session:
        ab = find_ab(session, ab_name)
    present = bench.settings.root / ab.report_path if ab.report_path else None
    if present is not None and present.is_file() and not force:
        return present
    with log_context(instrument=ab.instrument, date=ab.dfo_date, ab=ab.name):
        try:
            page = _write_report(
                bench, ab.instrument, ab.dfo_date, "ab_report", safe_name(ab.root_name), {"ab": ab.name}
            )
        except ReportError as err:
            with bench.store.write() as session:
                owner = find_ab(session, ab.name)
                record_event(session, TOOL, REPORT_FAILED, str(err), ab=owner, level="error")
            get_logger().warning("no report", reason=str(err))
            raise
    with bench.store.write() as session:
        owner = find_ab(session, ab.name)
        owner.report_path = str(page)
        record_event(session, TOOL, REPORTED, "report written", ab=owner)
    return page


def date_report(bench: Workbench, instrument: str, date: dt.date) -> Path:
    """Make the report of a date: what there is, what waits, what failed; return the page.

    Raises
    ------
    ReportError
        The notebook failed.
    """
    code = bench.pack(instrument).instrument.name.upper()
    parameters = {"instrument": instrument, "date": date.isoformat()}
    return _write_report(bench, instrument, date, "date_report", f"date_{code}_{date}", parameters)


def process_qc(bench: Workbench, ab_name: str) -> QcResult:
    """Measure and score an AB and make its report, from where it stands on (the handbook's processQC).

    A report that fails leaves the AB scored.

    Raises
    ------
    NotFoundError
        There is no such AB.
    TransitionError
        The AB is not processed yet.
    """
    problem, page = "", None
    if _bring_to_scores(bench, ab_name):
        try:
            page = report_ab(bench, ab_name)
        except ReportError as err:
            problem = str(err)
    with bench.store.read() as session:
        ab = find_ab(session, ab_name)
        score = score_count(ab).text
    failed = ab.state == ABState.FAILED
    return QcResult(ab.name, ABState(ab.state), score, page, (ab.reason or "") if failed else problem)


def _bring_to_scores(bench: Workbench, ab_name: str) -> bool:
    """Measure and score an AB from where it stands on; tell whether it has scores then."""
    with bench.store.read() as session:
        state = ABState(find_ab(session, ab_name).state)
    if state == ABState.MEASURED:
        score_ab(bench, ab_name)
    elif state not in SCORED_STATES | {ABState.FAILED}:
        return measure_ab(bench, ab_name, score=True)
    return state != ABState.FAILED


def _write_report(
    bench: Workbench, instrument: str, date: dt.date, template: str, name: str, parameters: dict[str, str]
) -> Path:
    tree = bench.data(instrument)
    folder = tree.plots(date)
    given: dict[str, str | bool] = {"workbench": str(bench.settings.root), "interactive": False, **parameters}
    executed = run_notebook(notebook(template), given)
    head, body = executed.head(), executed.body()
    script = tree.static / write_static(tree.static)
    monitor = relative_url(tree.logs(date) / f"status_{date}.html", folder)
    page = render_page(
        head.title,
        headline=head.headline,
        headline_kind=head.kind,
        body=body,
        crumbs=[(bench.pack(instrument).instrument.title, None), (date.isoformat(), monitor), (name, None)],
        generated=utc_now(),
        bokeh=True,
        bokeh_src=relative_url(script, folder),
    )
    write_text(folder / f"{name}.ipynb", executed.text)
    return write_text(folder / f"{name}.html", page)
