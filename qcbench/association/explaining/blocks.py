"""Why an AB has the calibrations that it has: each association with what was chosen, what came next, what failed.

What the database has is explained; where the rules would choose otherwise by now, that is said, too. Nothing is
written.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.2 and 5.5.2.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from qcbench.association.associating import MASSOC_TAG, RAWFILE, Associator
from qcbench.association.candidates import Span, read_frames, read_products
from qcbench.association.explaining.candidates import Asking, CandidateExplanation
from qcbench.association.explaining.making import how_it_is_made
from qcbench.association.explaining.terms import limits_words, place_of
from qcbench.core.dates import time_of_mjd
from qcbench.instruments import InstrumentPack
from qcbench.oca import Association, Cascade, Need, Validity, Value, cascade_of
from qcbench.store import ABCalibration, ABInput, ABState, AssociationBlock
from qcbench.store.queries import find_ab
from qcbench.store.states import WAITING_STATES
from qcbench.workbench import Workbench


@dataclass(frozen=True)
class AssociationExplanation:
    """One rule of an AB's action, and what came of it.

    Attributes
    ----------
    role : str
        MCALIB, MASSOC, RCALIB or RASSOC.
    legend, limits : str
        Its validity: after the calibration map, and in words.
    has_plan : bool
        It sets a calibration plan (`tryBetween`).
    categories, wanted : tuple of str, str
        The categories that fit; and what it asks for in words, which may be a pattern.
    chosen : tuple of CandidateExplanation
        What the AB has.
    runner_up, decided_by
        What would have been taken next, and what put it behind the last one that was chosen.
    nearest : tuple of CandidateExplanation
        Where something is missing: the candidates that came closest.
    making : str
        Where something is missing: what makes such a file, and whether frames for it are there.
    today : tuple of str
        What would be chosen now, where that is something else.
    """

    tag: str
    role: str
    source: str
    place: str
    min_ret: int
    max_ret: int
    categories: tuple[str, ...]
    wanted: str
    legend: str
    limits: str
    has_plan: bool
    chosen: tuple[CandidateExplanation, ...]
    runner_up: CandidateExplanation | None = None
    decided_by: str = ""
    nearest: tuple[CandidateExplanation, ...] = ()
    making: str = ""
    today: tuple[str, ...] | None = None

    @property
    def is_missing(self) -> bool:
        """Fewer files were found than the rule requires."""
        return len(self.chosen) < self.min_ret


@dataclass(frozen=True)
class ABExplanation:
    """An AB and why it is as it is.

    Attributes
    ----------
    answer, next : str
        Whether it has all that it needs, in a sentence; and what can be done.
    group : tuple of (key, value)
        The keys of `group by` with their values.
    middle : datetime
        Mid-exposure time (UT), from which distances in time count.
    frames : tuple of str
        ARCFILE of its raw frames.
    others : tuple of str
        Files that it has, and that no rule of today asks for.
    """

    name: str
    answer: str
    next: str
    instrument: str
    date: dt.date
    mode: str
    raw_type: str
    setup: str
    action: str
    place: str
    rules: str
    recipe: str
    state: str
    completeness: str
    group: tuple[tuple[str, Value], ...]
    middle: dt.datetime
    frames: tuple[str, ...]
    associations: tuple[AssociationExplanation, ...]
    others: tuple[str, ...] = ()


_Stored = ABCalibration | ABInput


def explain_ab(bench: Workbench, name: str) -> ABExplanation:
    """Say what decided each association of an AB, and of what is missing which candidates came closest.

    Parameters
    ----------
    name : str
        Name of the AB, with or without ``.ab``.

    Raises
    ------
    NotFoundError
        There is no such AB.
    """
    with bench.store.read() as session:
        ab = find_ab(session, name, whole=True)
        pack = bench.pack(ab.instrument)
        known = {action.name: action for action in pack.rules.actions}
        action = known.get(ab.action)
        asking = Asking.of(ab, _associator(session, pack, ab))
        left = _stored(ab)
        found = []
        for association in action.associations if action else ():
            own = _of_rule(asking, association, left)
            left = [row for row in left if row not in own]
            found.append(_explain(session, asking, association, own))
        told = ABExplanation(
            name=ab.name,
            answer="",
            next="",
            instrument=ab.instrument,
            date=ab.dfo_date,
            mode=ab.mode,
            raw_type=ab.raw_type,
            setup=ab.setup,
            action=ab.action,
            place=place_of(action, pack.rules.source) if action else "",
            rules=pack.rules.source,
            recipe=ab.recipe,
            state=ab.state,
            completeness=ab.completeness,
            group=tuple(ab.match_keys.items()),
            middle=time_of_mjd(ab.mjd_obs_mod),
            frames=tuple(item.frame.arcfile for item in ab.inputs if item.role == RAWFILE),
            associations=tuple(found),
            others=tuple(_name(row) for row in left),
        )
        answer, todo = _answer(ab, told)
        return replace(told, answer=answer, next=todo)


def _associator(session: Session, pack: InstrumentPack, ab: AssociationBlock) -> Associator:
    """Return the rules at work; candidates of named categories are there at any distance in time."""
    cascade = cascade_of(pack.rules, pack.instrument.static)
    needs = cascade.needs_of(ab.action)
    span = Span(ab.mjd_obs_mod, ab.mjd_obs_mod)
    # to say of a candidate that it is too old, it has to be looked at
    always = Cascade(tuple(_at_any_time(pack, need) for need in needs), cascade.actions)
    idle = select(AssociationBlock.id).where(
        AssociationBlock.instrument == pack.name,
        AssociationBlock.state.in_(WAITING_STATES),
        AssociationBlock.completeness != "COMPLETE",
    )
    products = read_products(session, pack, always, span)
    return Associator(
        pack,
        cascade,
        products.alive,
        products.failed,
        read_frames(session, pack, Cascade(needs, cascade.actions), span),
        set(session.scalars(idle)),
    )


def _at_any_time(pack: InstrumentPack, need: Need) -> Need:
    """Lift the limits in time of a need, where that does not let in every product there is."""
    named = pack.unannounced
    return replace(need, validity=Validity()) if need.categories and need.categories <= named else need


def _stored(ab: AssociationBlock) -> list[_Stored]:
    return [*ab.calibrations, *(item for item in ab.inputs if item.role != RAWFILE)]


def _of_rule(asking: Asking, association: Association, rows: Sequence[_Stored]) -> list[_Stored]:
    """Return the rows that a rule has brought: where two rules give the same tag, its condition tells."""
    tagged = [row for row in rows if row.tag == association.tag]
    rules = asking.pack.rules.action(asking.ab.action).associations
    if sum(rule.tag == association.tag for rule in rules) == 1:
        return tagged
    return [row for row in tagged if not _tell(asking, association, row).failing]


def _tell(asking: Asking, association: Association, row: _Stored) -> CandidateExplanation:
    """Explain a file that an AB has; distance and level are those that it was chosen with."""
    if isinstance(row, ABCalibration):
        told = asking.tell_product(association, row.product)
    else:
        told = asking.tell_frame(association, row.frame)
    return replace(told, dt_days=row.dt_days, level=row.level)


def _name(row: _Stored) -> str:
    file = row.product.pipefile if isinstance(row, ABCalibration) else row.frame.arcfile
    return f"{file} ({row.tag})"


def _explain(
    session: Session, asking: Asking, association: Association, rows: Sequence[_Stored]
) -> AssociationExplanation:
    need = next((need for need in _needs(asking) if need.association is association), None)
    validity, categories = (need.validity, need.categories) if need else (Validity(), frozenset())
    chosen = tuple(_tell(asking, association, row) for row in rows)
    told = AssociationExplanation(
        tag=association.tag,
        role=_role(association, rows, need),
        source=association.source,
        place=place_of(association, asking.pack.rules.source),
        min_ret=association.min_ret,
        max_ret=association.max_ret,
        categories=tuple(sorted(categories)),
        wanted=need.wanted if need else association.tag,
        legend=validity.legend(static=not categories.isdisjoint(asking.pack.instrument.static)),
        limits=limits_words(validity),
        has_plan=bool(validity.plan),
        chosen=chosen,
    )
    if need is None:
        return told
    candidates, found = asking.matches(association, association.max_ret + 1)
    now = [asking.tell(association, candidates, match.position) for match in found]
    best = tuple(item.name for item in now[: association.max_ret])
    names = {item.name for item in chosen}
    after = next((item for item in now if item.name not in names), None)
    if len(chosen) < association.min_ret or not (chosen or best):
        told = replace(
            told,
            nearest=tuple(asking.nearest(session, association)),
            making=how_it_is_made(session, asking, need),
        )
    elif chosen and after:
        told = replace(told, runner_up=after, decided_by=_decision(chosen[-1], after))
    return told if set(best) == names else replace(told, today=best)


def _needs(asking: Asking) -> tuple[Need, ...]:
    return asking.associator.cascade.needs_of(asking.ab.action)


def _role(association: Association, rows: Sequence[_Stored], need: Need | None) -> str:
    if rows:
        return rows[0].role
    if association.source == "rawFiles":
        return "RASSOC"
    if association.source == "inputFiles" and need and not need.makers:
        return "RCALIB"
    return "MASSOC" if association.tag.endswith(MASSOC_TAG) else "MCALIB"


def _decision(chosen: CandidateExplanation, after: CandidateExplanation) -> str:
    """Say what put a candidate behind the last one that was chosen; the order is that of the choice."""
    if chosen.level != after.level:
        return (
            "what is within the calibration plan goes before what is not"
            if chosen.level == 0
            else "what fulfils more preferences goes first"
        )
    if chosen.tier != after.tier:
        return f"what is {chosen.kind} goes before what is {after.kind}"
    if None in (chosen.dt_days, after.dt_days) or abs(chosen.dt_days or 0.0) != abs(after.dt_days or 0.0):
        return "the closest in time is taken"
    return "both are equally close, and the first in the order of names is taken"


def _answer(ab: AssociationBlock, told: ABExplanation) -> tuple[str, str]:
    """Say whether an AB has all that it needs, and what can be done."""
    few = [str(item["why"]) for item in ab.missing if item["tag"] == RAWFILE]
    lacking = [item for item in told.associations if item.is_missing]
    changed = [item.tag for item in told.associations if item.today is not None]
    create = f"qcbench create-ab -d {ab.dfo_date} -m {ab.mode}"
    if not told.place:
        text = f"{ab.completeness}, and the rules of today have no action {ab.action}"
        return f"{text}.", create if ab.state in WAITING_STATES else ""
    if few:
        text = f"INCOMPLETE: {few[0]}, so that no calibration is looked for"
        return f"{text}.", "When more frames come, the next create-ab takes them"
    if lacking:
        text = f"INCOMPLETE: {_listed(item.tag for item in lacking)} {'is' if len(lacking) == 1 else 'are'} missing"
        found = [item for item in lacking if item.today]
        if found:
            return f"{text}; by now {_listed(item.tag for item in found)} can be had.", create
        return f"{text}.", "It is tried again with each create-ab"
    outside = [item for item in told.associations if any(file.level for file in item.chosen)]
    text = "COMPLETE: every file that the rules require is there"
    if outside:
        text = f"{text}, but {_listed(item.tag for item in outside)} only outside the calibration plan"
    if changed and ab.state in WAITING_STATES:
        return f"{text}; by now another choice would be made for {_listed(changed)}.", create
    if ab.state == ABState.FAILED:
        again = f"Once that is mended: qcbench process-ab -a {ab.name} --again"
        return f"{text}. Its processing failed: {ab.reason}.", again
    if changed:
        text = f"{text}; today's choice would differ for {_listed(changed)}, but it is {ab.state} already"
    return f"{text}.", ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
