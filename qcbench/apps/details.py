"""What the certification app shows of one AB: the answer in words, and the evidence tab by tab."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from qcbench.apps.view import Mark, score_of
from qcbench.certification import QueueItem, impact
from qcbench.core.dates import iso_ut, time_of_mjd
from qcbench.look.marks import value_text
from qcbench.look.pages import Cell, Column, table
from qcbench.scoring import Verdict, verdict_of, verdicts_of, worst_first
from qcbench.store import ABState, AssociationBlock, Comment, Event
from qcbench.store.queries import find_ab
from qcbench.workbench import Workbench

LOG_LINES = 300
LOG_BYTES = 200_000
TABS = (
    ("report", "Report"),
    ("scores", "Scores"),
    ("association", "Association"),
    ("raw", "Raw frames"),
    ("log", "Log"),
    ("history", "History"),
)
_MARKS = {None: Markup('<span class="mark none">–</span>'), 0: Markup('<span class="mark ok">✓</span>')}
_RED = Markup('<span class="mark nok">✕</span>')
_MONO = Markup('<span class="mono">{}</span>')
_FILE = Markup('<span class="mono file">{}</span>')
_LOG = Markup('<pre class="log" tabindex="0">{}</pre>')
_PART = Markup("{}{}")


@dataclass(frozen=True)
class Answer:
    """The head of an AB.

    Attributes
    ----------
    headline, kind : str
        What is wrong, in words, and how it is marked: ok, nok, warn or none.
    facts : tuple of str
        Where the limit comes from, what else is red, what to do.
    impact, used_by
        What a rejection would touch, in words and by name.
    """

    name: str
    title: str
    mark: Mark
    headline: str
    kind: str
    facts: tuple[str, ...]
    impact: str
    used_by: tuple[str, ...]


def answer(bench: Workbench, item: QueueItem) -> Answer:
    """Return the head of an AB."""
    with bench.store.read() as session:
        ab = find_ab(session, item.ab_name, whole=True)
    users = impact(bench, item.ab_name)
    failed = ab.state == ABState.FAILED
    kind = "nok" if failed or item.score.n_red else "ok" if item.score.n_scored else "none"
    return Answer(
        name=ab.name,
        title=" · ".join(part for part in (ab.raw_type, ab.setup) if part),
        mark=score_of(item.score, failed=failed, long=True),
        headline=f"{item.why[:1].upper()}{item.why[1:].rstrip('.')}.",
        kind=kind,
        facts=tuple(_facts(ab, item)),
        impact=impact_words(users, item),
        used_by=tuple(users),
    )


def impact_words(users: list[str], item: QueueItem) -> str:
    """Say how many ABs used the products of an AB."""
    if item.state == ABState.REJECTED:
        return "it is rejected already."
    if not users:
        return "no other AB used its products."
    return f"{_count(len(users), 'AB')} used its products."


def tab_body(bench: Workbench, item: QueueItem, tab: str) -> dict[str, Any]:
    """Return what a tab shows: ``report`` (a path), ``html``, or ``notice`` where there is nothing."""
    if tab == "report" and item.state != ABState.FAILED:
        return _report(bench, item)
    with bench.store.read() as session:
        ab = find_ab(session, item.ab_name, whole=True)
        return {"html": str(_BODIES[tab](bench, session, ab))}


def served_path(bench: Workbench, path: str) -> str | None:
    """Return a file's path below the data folder, as the server hands it out; None where it is not there."""
    data = bench.settings.root / "data"
    full = bench.settings.root / path
    return full.relative_to(data).as_posix() if full.is_file() and full.is_relative_to(data) else None


def _facts(ab: AssociationBlock, item: QueueItem) -> Iterable[str]:
    red = worst_first(verdict_of(score) for score in ab.scores if score.verdict)
    if red:
        yield _limit(red[0])
        if len(red) > 1:
            more = "; ".join(verdict.sentence() for verdict in red[1:3])
            rest = f"; and {len(red) - 3} more" if len(red) > 3 else ""
            yield f"Also red: {more}{rest}."
        if red[0].remedy:
            yield f"What to do: {red[0].remedy.rstrip('.')}."
    if ab.state == ABState.FAILED:
        yield "See its log; mend the cause and process it again, or reject it."
    last = item.last_decision
    if last is not None:
        said = f": “{last.comment}”" if last.comment else ""
        yield (
            f"{last.verdict.capitalize()} by {last.by}, {iso_ut(last.at)} UT{said}. "
            f"Until it is moved this can change."
        )


def _limit(verdict: Verdict) -> str:
    unit = f" {verdict.unit}" if verdict.unit else ""
    since = f", in force since {verdict.valid_from}" if verdict.valid_from else ""
    return f"Limits {verdict.limits()}{unit}{since}: {verdict.why}."


def _report(bench: Workbench, item: QueueItem) -> dict[str, Any]:
    path = served_path(bench, item.report_path) if item.report_path else None
    if path is not None:
        return {"report": path}
    return _notice("This AB has no report yet.", f"Make it: qcbench process-qc -a {item.ab_name}")


def _notice(what: str, todo: str) -> dict[str, Any]:
    return {"notice": {"kind": "empty", "what": what, "since": "", "todo": todo}}


def _scores(bench: Workbench, session: Session, ab: AssociationBlock) -> Markup:
    verdicts = worst_first(verdicts_of(ab))
    rows: list[list[Cell]] = [
        [
            verdict.label,
            verdict.detector,
            _MONO.format(value_text(verdict.value, verdict.unit)),
            _MONO.format(verdict.limits() or "–"),
            _MARKS.get(verdict.verdict, _RED),
            verdict.valid_from.isoformat() if verdict.valid_from else "",
            verdict.why,
            verdict.remedy if verdict.verdict else "",
        ]
        for verdict in verdicts
    ]
    names = ("Parameter", "Detector", "Value", "Limits", "Score", "Since", "Why", "What to do")
    return table([Column(name) for name in names], rows, empty="Nothing of this AB was measured.")


def _association(bench: Workbench, session: Session, ab: AssociationBlock) -> Markup:
    columns = [Column(name) for name in ("Calibration", "File", "Role", "Flag", "Result", "State")]
    columns.append(Column("Distance", "d", numeric=True, digits=3))
    rows: list[list[Cell]] = [
        [
            use.tag,
            _FILE.format(use.product.file_name),
            use.role,
            use.flag,
            use.evaluation,
            use.product.ab.state if use.product.ab else "",
            use.dt_days,
        ]
        for use in ab.calibrations
    ]
    rows += [
        [str(missing.get("tag", "")), str(missing.get("why", "")), "MCALIB", "MISSING", "NOK", "", None]
        for missing in ab.missing
    ]
    used = table(columns, rows, empty="This AB needs no calibrations.")
    made: list[list[Cell]] = [
        [product.pro_catg, _FILE.format(product.file_name), product.location] for product in ab.products
    ]
    products = table([Column("Product"), Column("File"), Column("Where")], made, empty="It has no products.")
    return _PART.format(used, products)


def _raw(bench: Workbench, session: Session, ab: AssociationBlock) -> Markup:
    columns = [Column("ARCFILE"), Column("Role"), Column("Tag"), Column("Taken (UT)")]
    columns += [Column("Exposure", "s", numeric=True), Column("Object"), Column("Remark")]
    rows: list[list[Cell]] = [
        [
            _FILE.format(item.frame.arcfile),
            item.role,
            item.tag,
            _MONO.format(iso_ut(time_of_mjd(item.frame.mjd_obs))),
            item.frame.exptime,
            str(item.frame.keys.get("OBJECT", "")),
            item.frame.problem or "",
        ]
        for item in ab.inputs
    ]
    return table(columns, rows, empty="This AB has no raw frames.")


def _log(bench: Workbench, session: Session, ab: AssociationBlock) -> Markup:
    if not ab.log_path:
        return _LOG.format("There is no log: no recipe has run yet.")
    path = bench.settings.root / ab.log_path
    try:
        return _LOG.format(tail(path))
    except OSError as err:
        return _LOG.format(f"{path} can't be read: {err.strerror}.")


def tail(path: Path, lines: int = LOG_LINES) -> str:
    """Return the last lines of a text file, without reading more of it than they can hold."""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        start = stream.seek(max(size - LOG_BYTES, 0))
        kept = stream.read().decode(errors="replace").splitlines()[1 if start else 0 :]
    note = [f"… the last {lines} lines of {path.name}"] if start or len(kept) > lines else []
    return "\n".join(note + kept[-lines:])


def _history(bench: Workbench, session: Session, ab: AssociationBlock) -> Markup:
    events = session.scalars(select(Event).where(Event.ab_name == ab.name))
    frames = [item.frame.arcfile for item in ab.inputs]
    said = session.scalars(
        select(Comment).where(
            or_(
                (Comment.kind == "ab") & (Comment.target == ab.name),
                (Comment.kind == "frame") & Comment.target.in_(frames),
            )
        )
    )
    entries = [(event.at, event.tool, event.flag, event.message, event.user) for event in events]
    entries += [
        (one.at, "decision", one.verdict, f"{one.scope}, as {one.policy}: {one.comment or '–'}", one.by)
        for one in ab.decisions
    ]
    entries += [(note.at, f"comment on {note.kind}", "", note.text, note.by) for note in said]
    entries.sort(key=lambda entry: entry[0], reverse=True)
    rows: list[list[Cell]] = [[_MONO.format(iso_ut(at)), *rest] for at, *rest in entries]
    names = ("When (UT)", "What", "Flag", "Message", "Who")
    return table([Column(name) for name in names], rows, empty="Nothing has happened to it yet.")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


_BODIES: dict[str, Callable[[Workbench, Session, AssociationBlock], Markup]] = {
    # an AB that failed has no report: its log tells what one would
    "report": _log,
    "scores": _scores,
    "association": _association,
    "raw": _raw,
    "log": _log,
    "history": _history,
}
