"""The automatic part of the daily workflow (the handbook's autoDaily), for all open dates.

It may be killed at any instruction and called again: each stage goes on from what the database and the folders
say. A second call that finds nothing new changes nothing.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 2.5.1, 4.1.2, 5.5.8 and 5.10.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from sqlalchemy import func, select

from qcbench.association import Standing, create_abs, load_headers, scan_archive
from qcbench.certification import certify_products
from qcbench.core.errors import BusyError
from qcbench.core.files import remove_leftovers
from qcbench.core.locks import exclusive
from qcbench.core.logs import log_context, words_of
from qcbench.core.progress import progress_bar
from qcbench.core.settings import Through
from qcbench.distribution import audit, ingest_products, move_products, rename_products, update_abs
from qcbench.monitors.ab_monitor import ab_monitor
from qcbench.processing import Cascade, create_job, keep_window, recover_interrupted, tidy_raw
from qcbench.reports import data_report, date_report
from qcbench.store import ArchiveFile, AssociationBlock, Event, record_event
from qcbench.workbench import Workbench, prepare_tables
from qcbench.workflow.job import catch_up, run_job
from qcbench.workflow.problems import TOOL, say
from qcbench.workflow.summary import DateSummary, summarize

MAX_PASSES = 5
_CASCADE = "cascade"
_T = TypeVar("_T")


@dataclass(frozen=True)
class DateResult:
    """What was done for a date, where it stands now, and which stages could not be carried out.

    `waiting` names the parents that each waiting AB lacks, `waits_for` what has to be mended for it.
    """

    summary: DateSummary
    processed: tuple[str, ...]
    failed: tuple[str, ...]
    waiting: dict[str, list[str]]
    problems: tuple[str, ...]
    audit: tuple[str, ...] = ()
    waits_for: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_cascade_broken(self) -> bool:
        """Whether the cascade could not be carried out to its end."""
        return any(problem.startswith(f"{_CASCADE}: ") for problem in self.problems)


@dataclass
class DailyResult:
    """What a call of auto-daily did; `passes` counts how often it went through the open dates.

    `audit` holds the differences that were found between database and archive after an ingestion.
    """

    dates: list[DateResult] = field(default_factory=list)
    unusable_files: tuple[str, ...] = ()
    audit: list[str] = field(default_factory=list)
    passes: int = 0


def auto_daily(
    bench: Workbench,
    *,
    instruments: Sequence[str] | None = None,
    dates: Sequence[dt.date] | None = None,
    through: Through | None = None,
    now: dt.datetime | None = None,
    show: bool | None = None,
) -> DailyResult:
    """Run the automatic part for all open dates, or those that are named.

    Parameters
    ----------
    through : {"scored", "certified", "ingested"}, optional
        How far to go; by default as the settings say.
    now : datetime, optional
        The time against which a template counts as still being taken.
    show : bool, optional
        Show progress bars; by default on a terminal only.

    Raises
    ------
    BusyError
        Another one is running: the younger one gives way.
    ArchiveError
        The archive can't be read.
    """
    result = DailyResult()
    limit = through or bench.settings.auto_daily.through
    with _alone(bench):
        undated = (folder for instrument in bench.instruments for folder in bench.data(instrument).undated)
        for folder in (bench.tree.work, bench.tree.jobs, bench.tree.monitor, *undated):
            remove_leftovers(folder)
        prepare_tables(bench)
        recover_interrupted(bench)
        for instrument in bench.instruments:
            tidy_raw(bench, instrument)
        with progress_bar(0, "archive", show=show) as advance:
            scan = scan_archive(bench, advance, wanted=lambda date: dates is None or date in dates)
            result.unusable_files = scan.problems
        settled: dict[str, Standing] = {}
        # what one date certifies may complete an AB of another one: go on until no AB changes
        for result.passes in range(1, MAX_PASSES + 1):
            before = _ab_changes(bench)
            result.dates = [
                run_date(bench, instrument, date, through=limit, now=now, settled=settled, show=show)
                for instrument in instruments or bench.instruments
                for date in (dates if dates is not None else open_dates(bench, instrument))
            ]
            result.audit += [problem for one in result.dates for problem in one.audit]
            # what kept a cascade from being run would do so in the next pass
            if _ab_changes(bench) == before or any(one.is_cascade_broken for one in result.dates):
                break
        for instrument in bench.instruments:
            keep_window(bench, instrument, open_dates(bench, instrument))
    return result


@contextmanager
def _alone(bench: Workbench) -> Iterator[None]:
    """Hold the lock of auto-daily; where another one runs, note it and give way."""
    try:
        with exclusive(bench.tree.locks, TOOL, remedy="It goes on by itself; this call has done nothing"):
            yield
    except BusyError as err:
        say(bench, "busy", str(err), level="info")
        raise


def open_dates(bench: Workbench, instrument: str) -> list[dt.date]:
    """Return the dates of an instrument that have data and are not finished, oldest first.

    A finished date for which a file came later is open again.
    """
    with bench.store.read() as session:
        with_data = select(ArchiveFile.dfo_date).where(
            ArchiveFile.instrument == instrument, ArchiveFile.problem.is_(None)
        )
        with_abs = select(AssociationBlock.dfo_date).where(AssociationBlock.instrument == instrument)
        finished = (
            select(Event.dfo_date, func.max(Event.at))
            .where(Event.instrument == instrument, Event.flag == "finished")
            .group_by(Event.dfo_date)
        )
        newest = (
            select(ArchiveFile.dfo_date, func.max(ArchiveFile.seen_at))
            .where(ArchiveFile.instrument == instrument, ArchiveFile.problem.is_(None))
            .group_by(ArchiveFile.dfo_date)
        )
        found = {date for query in (with_data, with_abs) for date in session.scalars(query.distinct())}
        seen = {date: at for date, at in session.execute(newest)}  # noqa: C416 (rows, not pairs)
        closed = {date for date, at in session.execute(finished) if date not in seen or seen[date] < at}
        return sorted(date for date in found - closed if date is not None)


def run_date(
    bench: Workbench,
    instrument: str,
    date: dt.date,
    *,
    through: Through,
    now: dt.datetime | None = None,
    settled: dict[str, Standing] | None = None,
    show: bool | None = None,
) -> DateResult:
    """Run the automatic part for one date. A stage that can't be carried out is said, and the others go on.

    `settled` is that of `create_abs`.
    """
    stages = _Stages(bench, instrument, date)
    cascade = Cascade()
    differences: list[str] = []
    _tidy(bench, instrument, date)
    with log_context(instrument=instrument, date=date):
        stages.run("data-loader", lambda: load_headers(bench, instrument, date))
        stages.run("create-report", lambda: data_report(bench, instrument, date))
        stages.run("create-ab", lambda: create_abs(bench, instrument, date, now=now, settled=settled))
        stages.run("create-job", lambda: create_job(bench, instrument, date))
        cascade = stages.run(_CASCADE, lambda: run_job(bench, instrument, date, show=show)) or cascade
        stages.run("process-qc", lambda: catch_up(bench, instrument, date))
        stages.run("AB texts", bench.write_texts)
        if through != "scored":
            stages.run("certify-products", lambda: certify_products(bench, instrument, date))
        if through == "ingested":
            before = _last_event(bench)
            for tool, stage in _DISTRIBUTION:
                stages.run(tool, partial(stage, bench, instrument, date))
            if _last_event(bench) != before:
                differences = stages.run("audit", lambda: audit(bench, instrument, date)) or []
        if _changed_since_report(bench, instrument, date):
            pages = (
                stages.run("get-status-ab", lambda: ab_monitor(bench, instrument, date)),
                stages.run("date-report", lambda: date_report(bench, instrument, date)),
            )
            if None not in pages:
                _flag_reports(bench, instrument, date)
    return DateResult(
        summary=summarize(bench, instrument, date),
        processed=tuple(cascade.done),
        failed=tuple(cascade.failed),
        waiting=cascade.waiting,
        problems=tuple(stages.problems),
        audit=tuple(differences),
        waits_for=cascade.roots(),
    )


def _tidy(bench: Workbench, instrument: str, date: dt.date) -> None:
    """Remove what killed processes left in the folders of a date."""
    for folder in bench.data(instrument).folders_of(date):
        remove_leftovers(folder)


_DISTRIBUTION: tuple[tuple[str, Callable[[Workbench, str, dt.date], object]], ...] = (
    ("move-products", move_products),
    ("rename-products", rename_products),
    ("ingest-products", ingest_products),
    ("update-ab", update_abs),
)


class _Stages:
    """Runs the stages of a date one by one and keeps what went wrong."""

    def __init__(self, bench: Workbench, instrument: str, date: dt.date):
        self._bench, self._instrument, self._date = bench, instrument, date
        self.problems: list[str] = []

    def run(self, tool: str, stage: Callable[[], _T]) -> _T | None:
        try:
            return stage()
        except Exception as err:  # noqa: BLE001 (also what nobody foresaw: the other dates have their turn)
            problem = f"{tool}: {words_of(err, TOOL)}"
            self.problems.append(problem)
            say(self._bench, "stage_problem", problem, self._instrument, self._date)
            return None


def _flag_reports(bench: Workbench, instrument: str, date: dt.date) -> None:
    with bench.store.write() as session:
        record_event(session, TOOL, "date_report", "date report written", instrument=instrument, date=date)


def _changed_since_report(bench: Workbench, instrument: str, date: dt.date) -> bool:
    """Tell whether anything happened to a date since its report was written."""
    own = (Event.instrument == instrument, Event.dfo_date == date)
    with bench.store.read() as session:
        last = session.scalar(select(func.max(Event.id)).where(*own))
        reported = session.scalar(select(func.max(Event.id)).where(*own, Event.flag == "date_report"))
    return last is not None and last != reported


def _ab_changes(bench: Workbench) -> tuple[int, int, dt.datetime | None]:
    """Return what differs when an AB was added or changed, or has got its report, which makes room on disk."""
    query = select(
        func.count(AssociationBlock.id),
        func.count(AssociationBlock.report_path),
        func.max(AssociationBlock.updated_at),
    )
    with bench.store.read() as session:
        count, reported, last = session.execute(query).one()
        return count, reported, last


def _last_event(bench: Workbench) -> int:
    with bench.store.read() as session:
        return session.scalar(select(func.max(Event.id))) or 0
