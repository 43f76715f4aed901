"""The report of a date, piece by piece, as its notebook displays it: what there is, what waits, what failed."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bokeh.io import output_notebook
from bokeh.resources import INLINE
from markupsafe import Markup
from sqlalchemy import func, select

from qcbench.core.addresses import relative_url
from qcbench.core.dates import parse_date
from qcbench.look.marks import TagKind, score_mark, state_tag
from qcbench.look.pages import Cell, Column, Link, table
from qcbench.reports.sections import Head, Section, anchor, card, facts
from qcbench.store import ABState, ArchiveFile, Frame
from qcbench.store.queries import ABSummary, problem_files, summaries
from qcbench.store.states import DISTRIBUTED, OPEN_STATES
from qcbench.workbench import Workbench, open_workbench

_WAITS = {
    ABState.CREATED: "for the cascade: create-job and run it",
    ABState.QUEUED: "in the queue of the cascade",
    ABState.PROCESSING: "for its recipe to end",
    ABState.PROCESSED: "to be measured: process-qc",
    ABState.MEASURED: "to be scored: process-qc",
    ABState.SCORED: "for review: certify-products",
    ABState.FAILED: "for a decision: run again or reject",
    ABState.CERTIFIED: "to be moved: move-products",
    ABState.MOVED: "to be renamed: rename-products",
    ABState.RENAMED: "to be ingested: ingest-products",
}


@dataclass(frozen=True)
class DateReport:
    """The pieces of the report of one date; each method makes one."""

    bench: Workbench
    instrument: str
    date: dt.date
    abs: tuple[ABSummary, ...]
    files: tuple[ArchiveFile, ...]
    n_frames: int

    @property
    def folder(self) -> Path:
        """Where the report is written."""
        return self.bench.data(self.instrument).plots(self.date)

    def head(self) -> Head:
        """Say what needs somebody, or that nothing does."""
        title = f"{self.bench.pack(self.instrument).instrument.title} · {self.date}"
        failed = [ab for ab in self.abs if ab.state == ABState.FAILED]
        red = [ab for ab in self.abs if ab.state == ABState.SCORED and ab.n_red]
        waiting = [ab for ab in self.abs if ab.state in OPEN_STATES]
        if not self.abs:
            return Head(title, f"{_count(self.n_frames, 'frame')}, and no AB yet.", "none")
        parts = [
            _said(failed, "failed"),
            _said(red, "red and undecided", verb=True),
            _said(waiting, "not processed yet", verb=True),
            f"{_count(len(self.files), 'file')} can't be used" if self.files else "",
        ]
        text = ", ".join(part for part in parts if part)
        if failed or red:
            return Head(title, f"{text}.", "nok")
        return Head(
            title, f"{text}." if text else f"All {len(self.abs)} ABs are well.", "warn" if text else "ok"
        )

    def counts(self) -> Section:
        """Show how many frames, ABs, scores and decisions there are."""
        n_scored, n_red = sum(ab.n_scored for ab in self.abs), sum(ab.n_red for ab in self.abs)
        types = Counter(ab.raw_type for ab in self.abs)
        certified = sum(ab.state in DISTRIBUTED | {ABState.CERTIFIED} for ab in self.abs)
        return card(
            "Counts",
            facts(
                (
                    ("Raw frames", f"{self.n_frames}, and {len(self.files)} that can't be used"),
                    ("ABs", " · ".join(f"{name} {n}" for name, n in sorted(types.items())) or "none"),
                    ("Scores", score_mark(n_red, n_scored)),
                    ("Certified", f"{certified} of {len(self.abs)}"),
                    ("Rejected", str(sum(ab.state == ABState.REJECTED for ab in self.abs))),
                )
            ),
            narrow=True,
        )

    def waiting(self) -> Section:
        """Show what waits, and for what."""
        states = Counter(ab.state for ab in self.abs)
        rows = [
            (state_tag(state, _kind(state)), states[state], _WAITS[state])
            for state in _WAITS
            if states[state]
        ]
        columns = (Column("State"), Column("ABs", numeric=True), Column("Waits"))
        return card("What waits", table(columns, rows, empty="Nothing waits."), narrow=True)

    def blocks(self) -> Section:
        """Show all ABs with their scores."""
        columns = (
            Column("AB"),
            Column("Raw type"),
            Column("Setup"),
            Column("State"),
            Column("Score"),
            Column("Review"),
            Column("Decision"),
        )
        rows = [
            (
                self._link(ab),
                ab.raw_type,
                ab.setup,
                state_tag(ab.state, _kind(ab.state)),
                score_mark(ab.n_red, ab.n_scored, failed=ab.state == ABState.FAILED),
                ab.review,
                ab.decision,
            )
            for ab in self.abs
        ]
        return card(
            "ABs", table(columns, rows, empty="No AB was created for this date."), note=str(len(rows))
        )

    def failures(self) -> Section:
        """Show the ABs that failed, with the reason; nothing where none did."""
        rows = [
            (
                self._link(ab),
                ab.raw_type,
                ab.reason,
                anchor("log", self._log(ab), self.folder) if ab.log_path else "",
            )
            for ab in self.abs
            if ab.state == ABState.FAILED
        ]
        return _if_any("Failures", ("AB", "Raw type", "Reason", "Log"), rows)

    def incomplete(self) -> Section:
        """Show the ABs that miss calibrations, with what is missing; nothing where none does."""
        rows = [
            (ab.name, ab.raw_type, ab.setup, ", ".join(_missing(ab)) or ab.completeness.lower())
            for ab in self.abs
            if ab.completeness != "COMPLETE"
        ]
        return _if_any("Incomplete ABs", ("AB", "Raw type", "Setup", "Missing"), rows)

    def problem_files(self) -> Section:
        """Show the files of the archive that can't be used; nothing where all can."""
        rows = [(file.uri, file.problem or "", file.size) for file in self.files]
        return _if_any("Files that can't be used", ("File", "Problem", "Bytes"), rows)

    def _link(self, ab: ABSummary) -> Cell:
        report = self.bench.settings.root / ab.report_path if ab.report_path else None
        if report is None or not report.is_file():
            return ab.root_name
        return Link(ab.root_name, relative_url(report, self.folder))

    def _log(self, ab: ABSummary) -> Path:
        return self.bench.settings.root / (ab.log_path or "")


def open_report(workbench: str, instrument: str, date: str, *, interactive: bool = False) -> DateReport:
    """Open the report of a date.

    Parameters
    ----------
    workbench : str
        Folder of the workbench.
    date : str
        DFO date, YYYY-MM-DD.
    interactive : bool
        Load Bokeh into the notebook, so that figures added to it show there.
    """
    if interactive:
        output_notebook(INLINE, hide_banner=True)
    bench, day = open_workbench(Path(workbench), os.environ), parse_date(date)
    bench.pack(instrument)
    with bench.store.read() as session:
        blocks = summaries(session, instrument, day)
        files = problem_files(session, instrument, day, bench.settings.site.start_hour)
        query = select(func.count(Frame.id)).where(Frame.instrument == instrument, Frame.dfo_date == day)
        n_frames = session.scalars(query).one()
    return DateReport(bench, instrument, day, tuple(blocks), tuple(files), n_frames)


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _said(abs_: Sequence[ABSummary], what: str, *, verb: bool = False) -> str:
    if not abs_:
        return ""
    be = ("is " if len(abs_) == 1 else "are ") if verb else ""
    return f"{_count(len(abs_), 'AB')} {be}{what}"


def _kind(state: ABState) -> TagKind:
    kinds: dict[ABState, TagKind] = {
        ABState.FAILED: "failed",
        ABState.REJECTED: "nok",
        ABState.SCORED: "warn",
    }
    if state in OPEN_STATES:
        return "none"
    return kinds.get(state, "ok")


def _missing(ab: ABSummary) -> Iterable[str]:
    for item in ab.missing:
        yield f"{item.get('tag', '?')}" + ("" if item.get("required") else " (not required)")


def _if_any(title: str, names: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Section:
    if not rows:
        return Section(Markup(""))
    columns = [Column(name, numeric=name == "Bytes") for name in names]
    return card(title, table(columns, rows), note=str(len(rows)))
