"""The AB monitor of a date (the handbook's getStatusAB).

Source: QC handbook (VLT-SPE-ESO-19600-3986), section 5.5.4.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from qcbench.core.addresses import relative_url
from qcbench.core.dates import utc_now
from qcbench.core.files import write_text
from qcbench.look.marks import TagKind, age, score_mark, state_tag
from qcbench.look.pages import Cell, Column, HeadlineKind, render_page, table
from qcbench.monitors.calib_map import map_file
from qcbench.store import ABState
from qcbench.store.queries import ABSummary, summaries
from qcbench.workbench import Workbench

_CREATED = frozenset({ABState.CREATED, ABState.QUEUED, ABState.PROCESSING})
_TAGS: dict[ABState, TagKind] = {
    **dict.fromkeys(_CREATED, "none"),
    ABState.FAILED: "failed",
    ABState.REJECTED: "nok",
    ABState.SCORED: "accent",
    ABState.CERTIFIED: "ok",
    ABState.MOVED: "ok",
    ABState.RENAMED: "ok",
    ABState.INGESTED: "ok",
}
_COLUMNS = (
    Column("AB"),
    Column("Compl."),
    Column("Recipe"),
    Column("RAW_TYPE"),
    Column("Setup"),
    Column("State"),
    Column("Log"),
    Column("T_exec", "s", numeric=True, digits=3),
    Column("Report"),
    Column("Score"),
    Column("Review"),
    Column("Decision"),
)
# The page looks after its own age: it says when it is old, and fetches itself anew.
_REFRESH = Markup(
    """<p class="muted">Refreshed <b id="age">just now</b> · the page reloads itself every 5 minutes.</p>
<script>
(() => {
  const made = Date.parse(document.querySelector(".made time").dateTime);
  const show = () => {
    const minutes = Math.floor((Date.now() - made) / 60000);
    const place = document.getElementById("age");
    place.textContent = minutes < 1 ? "just now" : minutes < 120 ? `${minutes} min ago`
      : minutes < 2880 ? `${Math.floor(minutes / 60)} h ago` : `${Math.floor(minutes / 1440)} d ago`;
    place.className = minutes < 120 ? "ok" : "nok";
  };
  show();
  setInterval(show, 30000);
  setTimeout(() => location.reload(), 300000);
})();
</script>"""
)
_NAME = Markup('<span class="mono" style="white-space:nowrap">{}</span>')
_CARD = Markup('<section class="card">{}</section>')


@dataclass(frozen=True)
class ABRow:
    """One line of the AB monitor.

    Attributes
    ----------
    t_exec : float or None
        Execution time of the recipe (s).
    log, report : str
        Paths, relative to the workbench where they are in it; empty where there is none.
    n_red, n_scored : int
        The score.
    """

    name: str
    completeness: str
    missing: tuple[str, ...]
    recipe: str
    raw_type: str
    setup: str
    state: str
    reason: str
    t_exec: float | None
    log: str
    report: str
    n_red: int
    n_scored: int
    review: str
    decision: str
    comment: str
    updated_at: dt.datetime


def ab_rows(bench: Workbench, instrument: str, date: dt.date) -> list[ABRow]:
    """Return the lines of the AB monitor, in the order of the frames.

    Raises
    ------
    SettingsError
        The workbench does not look after this instrument.
    """
    bench.pack(instrument)
    with bench.store.read() as session:
        found = summaries(session, instrument, date)
    return [_row(bench.settings.root, ab) for ab in found]


def ab_monitor(bench: Workbench, instrument: str, date: dt.date) -> Path:
    """Write the AB monitor of a date; return the page."""
    rows = ab_rows(bench, instrument, date)
    folder = bench.data(instrument).logs(date)
    now = utc_now()
    headline, kind = _headline(rows)
    lines = [_cells(bench.settings.root, folder, row, now) for row in rows]
    empty = "No AB was created for this date. Create them: qcbench create-ab"
    page = render_page(
        f"AB monitor {date}",
        headline=headline,
        headline_kind=kind,
        body=_summary(rows) + _CARD.format(table(_COLUMNS, lines, empty=empty)) + _REFRESH,
        crumbs=[
            (bench.pack(instrument).instrument.title, None),
            (date.isoformat(), None),
            *_map_link(bench, instrument, folder),
        ],
        generated=now,
    )
    return write_text(folder / f"status_{date}.html", page)


def _map_link(bench: Workbench, instrument: str, folder: Path) -> list[tuple[str, str | None]]:
    """Return the way to the calibration map, where there is one."""
    page = map_file(bench.data(instrument))
    return [("calibration map", relative_url(page, folder))] if page.is_file() else []


def _row(root: Path, ab: ABSummary) -> ABRow:
    return ABRow(
        name=ab.name,
        completeness=ab.completeness,
        missing=tuple(str(item.get("tag", "?")) for item in ab.missing if item.get("required", True)),
        recipe=ab.recipe,
        raw_type=ab.raw_type,
        setup=ab.setup,
        state=ab.state,
        reason=ab.reason,
        t_exec=ab.exec_seconds,
        log=_relative(root, ab.log_path),
        report=_relative(root, ab.report_path),
        n_red=ab.n_red,
        n_scored=ab.n_scored,
        review=ab.review,
        decision=ab.decision,
        comment=ab.comment,
        updated_at=ab.updated_at,
    )


def _relative(root: Path, path: str | None) -> str:
    if not path:
        return ""
    whole = root / path
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else str(whole)


def _counts(rows: Sequence[ABRow]) -> tuple[int, int, int, int]:
    """Return the handbook's all, success, failed, created."""
    failed = sum(row.state == ABState.FAILED for row in rows)
    created = sum(row.state in _CREATED for row in rows)
    return len(rows), len(rows) - failed - created, failed, created


def _headline(rows: Sequence[ABRow]) -> tuple[str, HeadlineKind]:
    n_all, _, failed, created = _counts(rows)
    if not n_all:
        return "No ABs.", "none"
    red = sum(row.n_red > 0 for row in rows)
    parts = [
        f"{_n(failed)} failed" if failed else "",
        f"{_n(red)} with red scores" if red else "",
        f"{_n(created)} to process" if created else "",
    ]
    text = ", ".join(part for part in parts if part)
    if failed or red:
        return f"{text}.", "nok"
    return (f"{text}.", "warn") if created else (f"All {n_all} ABs processed, no red score.", "ok")


def _n(count: int) -> str:
    return "1 AB" if count == 1 else f"{count} ABs"


def _summary(rows: Sequence[ABRow]) -> Markup:
    _, success, _, _ = numbers = _counts(rows)
    scored = sum(row.n_scored > 0 for row in rows)
    told = "all" if scored == success else f"{scored} of {success}"
    mark = score_mark(sum(row.n_red for row in rows), sum(row.n_scored for row in rows))
    return Markup(
        '<p class="muted" style="margin:0">number of ABs (all|success|failed|created): <b class="mono">{}</b>'
        " · scored: <b>{}</b> · result: {}</p>"
    ).format("|".join(str(number) for number in numbers), told, mark)


def _cells(root: Path, folder: Path, row: ABRow, now: dt.datetime) -> list[Cell]:
    ok = row.completeness == "COMPLETE"
    state = ABState(row.state)
    return [
        _NAME.format(_link(row.name.removesuffix(".ab"), folder / row.name, folder)),
        state_tag("OK", "ok")
        if ok
        else _with_note(state_tag(row.completeness, "nok"), ", ".join(row.missing)),
        row.recipe,
        row.raw_type,
        row.setup,
        _with_note(_state(state, age(now - row.updated_at)), row.reason if state == ABState.FAILED else ""),
        _link("log", root / row.log, folder) if row.log else "",
        row.t_exec,
        _link("report", root / row.report, folder) if row.report else "",
        score_mark(row.n_red, row.n_scored, failed=state == ABState.FAILED),
        row.review,
        _with_note(Markup.escape(row.decision), row.comment),
    ]


def _state(state: ABState, since: str) -> Markup:
    tag = state_tag(state, _TAGS.get(state, "accent"))
    return tag + Markup(' <span class="muted mono" title="since its last change">{}</span>').format(since)


def _link(text: str, target: Path, folder: Path) -> Markup:
    if not target.is_file():
        return Markup.escape(text)
    return Markup('<a href="{}">{}</a>').format(relative_url(target, folder), text)


def _with_note(content: Markup, note: str) -> Markup:
    if not note:
        return content
    return content + Markup('<br><span class="muted">{}</span>').format(note)
