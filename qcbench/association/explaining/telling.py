"""Explanations as lines of text, for a terminal; the dataclasses behind them are for everything else."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from qcbench.association.explaining.blocks import ABExplanation, AssociationExplanation
from qcbench.association.explaining.candidates import CandidateExplanation
from qcbench.association.explaining.classifying import FiredRule, NearRule
from qcbench.association.explaining.frames import FrameExplanation, Membership
from qcbench.association.explaining.grouping import Selection
from qcbench.association.explaining.terms import found_words, value_words
from qcbench.core.dates import iso_ut
from qcbench.oca import ConditionResult

_MOST_FRAMES = 12
_WIDTH = 110
_LABEL = 11
_INDENT = "    "


def frame_lines(told: FrameExplanation) -> list[str]:
    """Write the explanation of a frame: the answer first, then each step with what decided it."""
    lines = [told.arcfile, told.answer]
    lines += _facts(
        ("instrument", told.instrument),
        ("date", told.date),
        ("file", told.uri),
        ("rules", told.rules),
        ("header", ", ".join(f"{key}={value_words(value)}" for key, value in told.header)),
    )
    if told.rules is None:
        return lines
    lines += ["", "Classification", *_classification(told)]
    if told.filtered:
        lines += ["", "Filter", f"  ✕ kept out: {told.filtered}"]
        return lines
    if told.selections or told.near_organizers:
        lines += ["", "Organisation", *_organisation(told)]
    if told.blocks:
        lines += ["", "Association Blocks", *(line for block in told.blocks for line in _membership(block))]
    return lines


def ab_lines(told: ABExplanation) -> list[str]:
    """Write the explanation of an AB: the answer first, then each association in the order of the rules."""
    action = f"{told.action} ({told.place})" if told.place else f"{told.action}, which the rules have no more"
    lines = [told.name, told.answer]
    lines += _facts(
        ("what", f"{told.mode} {told.raw_type} of {told.date}, {told.setup or 'no setup'}; {told.state}"),
        ("rules", told.rules),
        ("action", f"{action}, recipe {told.recipe}"),
        ("group", ", ".join(f"{key}={value_words(value)}" for key, value in told.group)),
        ("middle", f"{iso_ut(told.middle)} UT; Δt is a file's time minus this one"),
        ("frames", _few(told.frames)),
    )
    for number, item in enumerate(told.associations, 1):
        lines += ["", *_association(number, item)]
    if not told.associations:
        lines += ["", "The rules associate nothing with this action."]
    if told.others:
        lines += ["", "Of an earlier form of the rules, which ask for it no more: " + ", ".join(told.others)]
    return lines


def _facts(*pairs: tuple[str, object]) -> list[str]:
    lines = []
    for name, value in pairs:
        if value not in (None, ""):
            lines += _wrapped(f"  {name:<{_LABEL}}", str(value))
    return lines


def _wrapped(start: str, text: str) -> list[str]:
    """Write a long list in lines of one width; what follows stands under its start."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _classification(told: FrameExplanation) -> Iterator[str]:
    for rule in told.fired:
        yield from _fired(rule)
    if told.raw_type or told.do_catg:
        yield f"  → RAW.TYPE {told.raw_type or 'none'}, DO.CATG {told.do_catg or 'none'}"
        return
    yield "  ✕ No classifier gives it a RAW.TYPE or DO.CATG. The nearest:"
    for near in told.nearest:
        yield from _near(near)


def _fired(rule: FiredRule) -> Iterator[str]:
    given = "; ".join(
        f"{item.key} = {value_words(item.value)}"
        + (f" (overwritten by {item.overwritten_by})" if item.overwritten_by else "")
        for item in rule.assignments
    )
    yield f"  ✓ {rule.place} gives {given}"
    yield from _terms(rule.terms)


def _near(rule: NearRule) -> Iterator[str]:
    yield f"  ✕ {rule.place} would give {rule.gives}: {rule.n_met} of {len(rule.terms)} conditions are fulfilled"
    yield from _terms(rule.failing)


def _organisation(told: FrameExplanation) -> Iterator[str]:
    for selection in told.selections:
        yield from _selection(selection)
    if not told.selections:
        yield "  ✕ No organizer selects it. The nearest:"
        for near in told.near_organizers:
            yield from _near(near)
    if told.waiting:
        what = f"template {told.waiting.template}" if told.waiting.template else "the group"
        yield (
            f"  ▲ {what}: {told.waiting.here} of {told.waiting.wanted} frames are there; it is waited for "
            f"until {iso_ut(told.waiting.until)} UT"
        )


def _selection(item: Selection) -> Iterator[str]:
    few = len(item.frames) < item.least
    yield f"  ✓ {item.place} groups it for {item.action}"
    yield from _terms(item.terms)
    keys = ", ".join(f"{key}={value_words(value)}" for key, value in item.key_values)
    yield from _wrapped(f"{_INDENT}group by ", keys)
    sign = f"▲ at least {item.least} are needed, there are " if few else ""
    yield from _wrapped(f"{_INDENT}{sign}{_count(len(item.frames), 'frame')}: ", _few(item.frames))


def _membership(block: Membership) -> Iterator[str]:
    role = "a raw frame of" if block.role == "RAWFILE" else f"associated as {block.tag} ({block.role}) with"
    yield f"  {role} {block.ab}: {block.action}, {block.state}, {block.completeness}"
    yield from (f"{_INDENT}✕ {why}" for why in block.lacks)


def _association(number: int, item: AssociationExplanation) -> Iterator[str]:
    sign = "✕" if item.is_missing else "✓" if item.chosen else "–"
    need = f"{item.min_ret} required" if item.min_ret else "optional"
    yield f"{number:>2} {sign} {item.tag}  {item.role}, {need}, at most {item.max_ret}; {item.place}"
    yield f"{_INDENT}validity {item.legend}: {item.limits}"
    if not item.max_ret:
        yield f"{_INDENT}Switched off: maxRet is 0."
    for file in item.chosen:
        yield f"{_INDENT}{_file(file)}"
        yield f"{_INDENT}  {_level(item, file)}"
        yield from _terms(file.terms, dt_days=file.dt_days)
    if item.is_missing:
        found = f"{len(item.chosen)} of {item.min_ret}" if item.chosen else "None"
        yield f"{_INDENT}{found} found."
    if item.runner_up:
        yield f"{_INDENT}next: {_file(item.runner_up)}"
        yield f"{_INDENT}  {_level(item, item.runner_up)}"
        yield f"{_INDENT}  not taken: {item.decided_by}"
    yield from _nearest(item)
    if item.today is not None:
        yield f"{_INDENT}▲ today's choice would be {', '.join(item.today) or 'nothing'}"


def _nearest(item: AssociationExplanation) -> Iterator[str]:
    if item.nearest:
        yield f"{_INDENT}Nearest of {item.wanted}:"
    elif item.making:
        yield f"{_INDENT}There is no {item.wanted} at all."
    for file in item.nearest:
        yield f"{_INDENT}  {_file(file)}"
        if file.refusal:
            yield f"{_INDENT}    ✕ {'' if file.failing else 'it would fit, but '}{file.refusal}"
        yield from _terms(file.failing, dt_days=file.dt_days, indent=_INDENT + "  ")
    if item.making:
        yield f"{_INDENT}{item.making[:1].upper()}{item.making[1:]}"


def _file(file: CandidateExplanation) -> str:
    far = "general" if file.dt_days is None else f"Δt {file.dt_days:+.2f} d"
    kind = "" if file.kind in ("general", "raw") else f" ({file.kind})"
    return f"{file.name}  {file.flag}{kind}  {far}"


def _level(item: AssociationExplanation, file: CandidateExplanation) -> str:
    if file.level:
        return f"level {file.level}, outside the calibration plan, within the extended validity"
    if item.has_plan:
        return "level 0, within the calibration plan"
    no_limit = item.legend in ("T", "GT")
    return "the rule sets no limit in time" if no_limit else "level 0: the rule sets no calibration plan"


def _terms(
    terms: Iterable[ConditionResult], *, dt_days: float | None = None, indent: str = _INDENT
) -> Iterator[str]:
    shown = [(_sign(term), term.text, found_words(term, dt_days)) for term in terms]
    width = min(max((len(text) for _, text, _ in shown), default=0), 80)
    for sign, text, found in shown:
        yield f"{indent}  {sign} {text:<{width}}  {found}".rstrip()


def _sign(term: ConditionResult) -> str:
    if not term.truth:
        return "✕"
    return "✓" if term.preferred else "▲"


def _few(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_FRAMES
    shown = ", ".join(names[:_MOST_FRAMES])
    return f"{shown} and {rest} more" if rest > 0 else shown


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
