"""Scores in words and in a table: the answer of a report."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from qcbench.look.marks import state_box, value_text
from qcbench.look.pages import Column, table
from qcbench.reports.sections import Head, Section, card, folded
from qcbench.reports.subject import Subject
from qcbench.scoring import Verdict, count_scores
from qcbench.store import ABState

_COLUMNS = (
    Column("Parameter"),
    Column("Detector"),
    Column("Value", numeric=True),
    Column("Limits", numeric=True),
    Column("Score"),
)
_MARKS = {
    0: Markup('<span class="mark ok" role="img" aria-label="OK">✓</span>'),
    1: Markup('<span class="mark nok" role="img" aria-label="NOK">✕</span>'),
    None: Markup('<span class="mark none" role="img" aria-label="not scored">–</span>'),
}
_TODO = Markup('<p class="body"><b>{label}:</b> {remedy}.</p>')
_TWO_LINES = Markup('{first}<br><span class="muted">{second}</span>')


def head(subject: Subject) -> Head:
    """Say what is wrong and where, or that nothing is."""
    ab = subject.ab
    title = " ".join(part for part in (ab.raw_type, ab.setup) if part)
    count = count_scores(verdict.verdict for verdict in subject.verdicts)
    if ab.state == ABState.FAILED:
        return Head(title, _sentence(f"This AB failed: {ab.reason or 'its log says why'}"), "nok")
    if count.n_red:
        more = f" {count.n_red - 1} more of {count.n_scored} scores are red." if count.n_red > 1 else ""
        return Head(title, _sentence(subject.verdicts[0].sentence()) + more, "nok")
    if subject.absent_detectors:
        names = ", ".join(subject.absent_detectors)
        return Head(title, f"The product has no values of {names}; what it has is within its limits.", "warn")
    if not count.n_scored:
        why = "no threshold is in force" if subject.verdicts else f"{ab.raw_type} has no QC1 table"
        return Head(title, f"Nothing was scored: {why}.", "none")
    what = "The one score is" if count.n_scored == 1 else f"All {count.n_scored} scores are"
    return Head(title, f"{what} within the limits.", "ok")


def scores(subject: Subject) -> Section:
    """Return the scores: each red one, what is green together by parameter, and all values in a fold."""
    verdicts = subject.verdicts
    count = count_scores(verdict.verdict for verdict in verdicts)
    if not verdicts:
        box = state_box(
            "empty",
            f"{subject.ab.raw_type} is not measured",
            since="No QC1 table names this raw type.",
            todo="Judge by the images; add a table to qc1.yaml to have it scored.",
        )
        return card("Scores", Markup('<div class="body">{}</div>').format(box))
    body = _what_to_do(verdicts)
    body += table(_COLUMNS, [_row(group, subject.detectors) for group in _groups(verdicts)])
    everything = table(_COLUMNS, [_row([verdict], ()) for verdict in verdicts])
    if len(verdicts) > len(_groups(verdicts)):
        body += folded(f"All {len(verdicts)} values, detector by detector", everything)
    note = f"{count.n_red} of {count.n_scored} red" if count.n_scored else "nothing scored"
    return card("Scores", body, note=note, narrow=True)


def _what_to_do(verdicts: Sequence[Verdict]) -> Markup:
    """Return what to do about each red parameter, once."""
    remedies = {verdict.label: verdict.remedy for verdict in verdicts if verdict.verdict and verdict.remedy}
    items = (_TODO.format(label=label, remedy=remedy) for label, remedy in remedies.items())
    return Markup("").join(items)


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _groups(verdicts: Sequence[Verdict]) -> list[list[Verdict]]:
    """Keep red verdicts apart; put detectors together that have one parameter, verdict and limits."""
    groups: dict[object, list[Verdict]] = {}
    for verdict in verdicts:
        key = (verdict.table, verdict.parameter, verdict.verdict, verdict.low, verdict.high)
        groups.setdefault((*key, verdict.detector) if verdict.verdict else key, []).append(verdict)
    return list(groups.values())


def _row(group: Sequence[Verdict], detectors: Sequence[str]) -> tuple[str | Markup, ...]:
    first = group[0]
    return (
        first.label,
        _detectors(group, detectors),
        _values(group),
        _limits(first),
        _MARKS[first.verdict],
    )


def _detectors(group: Sequence[Verdict], detectors: Sequence[str]) -> str:
    if len(group) == 1:
        return group[0].detector
    if len(group) == len(detectors):
        return f"all {len(group)}"
    names = [verdict.detector for verdict in group]
    ordered = [name for name in detectors if name in names]
    return ", ".join(ordered) if len(ordered) <= 3 else f"{len(ordered)} others"


def _values(group: Sequence[Verdict]) -> str:
    known = sorted(_count_or_value(verdict) for verdict in group if verdict.value is not None)
    unit = group[0].unit
    if not known:
        return "missing"
    if known[0] == known[-1]:
        return value_text(known[0], unit)
    return f"{value_text(known[0])} … {value_text(known[-1], unit)}"


def _count_or_value(verdict: Verdict) -> float:
    """Return a number that only counts (things, or pixels) as an integer, which is written without decimals."""
    value = verdict.value or 0.0
    return int(value) if verdict.unit in ("", "pix") and value.is_integer() else value


def _limits(verdict: Verdict) -> str | Markup:
    if verdict.verdict is None:
        return "–"
    since = f"since {verdict.valid_from}" if verdict.valid_from else ""
    text = Markup('<span title="{why}">{limits}</span>').format(
        why=f"{since}: {verdict.why}", limits=verdict.limits()
    )
    return _TWO_LINES.format(first=text, second=since) if verdict.verdict else text
