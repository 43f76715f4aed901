"""Associating ABs with the calibrations that they need, in the order of the cascade.

All ABs that nobody has worked on yet are associated anew in each call, so that what they use depends on what is
there and not on the order in which it came.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.2 and 5.5.2.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from qcbench.association.candidates import (
    PENDING,
    RAW_REACH_DAYS,
    Candidates,
    Known,
    Span,
    read_frames,
    read_products,
)
from qcbench.core.dates import utc_now
from qcbench.instruments import InstrumentPack
from qcbench.oca import Action, Association, Cascade, Match, cascade_of
from qcbench.store import (
    ABCalibration,
    ABInput,
    ABState,
    AssociationBlock,
    Event,
    Frame,
    advance,
    record_lasting,
)
from qcbench.store.states import WAITING_STATES

TOOL = "create-ab"
RAWFILE = "RAWFILE"
MASSOC_TAG = "_MASSOC"
_BATCH = 200
_IDLE = "its AB is incomplete"


@dataclass(frozen=True)
class Choice:
    """A file that was chosen for a rule, and its role: MCALIB, MASSOC, RCALIB or RASSOC."""

    association: Association
    role: str
    name: str
    known: Known
    match: Match

    @property
    def is_raw(self) -> bool:
        """It is a raw frame."""
        return self.known.location == "raw"


@dataclass(frozen=True)
class Associated:
    """What was found for an AB, and which rules found too little."""

    choices: tuple[Choice, ...]
    missing: tuple[Association, ...]

    @property
    def is_complete(self) -> bool:
        """Every required file was found."""
        return not any(association.min_ret > 0 for association in self.missing)


@dataclass
class Associator:
    """The rules of a pack at work on the candidates around a time.

    Attributes
    ----------
    failed : Candidates
        The products of ABs that failed: nobody gets them, but they are what an AB may be waiting for.
    idle : set of int
        Ids of ABs that are not going to make their products.
    """

    pack: InstrumentPack
    cascade: Cascade
    products: Candidates
    failed: Candidates
    frames: Candidates
    idle: set[int] = field(default_factory=set)

    @classmethod
    def around(cls, session: Session, pack: InstrumentPack, span: Span) -> Associator:
        """Read the candidates for ABs of a span of time."""
        cascade = cascade_of(pack.rules)
        products = read_products(session, pack, cascade, span)
        frames = read_frames(session, pack, cascade, span)
        return cls(pack, cascade, products.alive, products.failed, frames)

    def associate(self, ab: AssociationBlock) -> Associated:
        """Choose the files that an AB needs."""
        choices: list[Choice] = []
        missing = []
        for association in self._action(ab).associations:
            found = self.choose(ab, association)
            # a raw frame that two rules ask for is one input
            taken = {(choice.role, choice.known.row_id) for choice in choices if choice.is_raw}
            choices += [choice for choice in found if (choice.role, choice.known.row_id) not in taken]
            if association.max_ret > 0 and (not found or len(found) < association.min_ret):
                missing.append(association)
        return Associated(tuple(choices), tuple(missing))

    def choose(self, ab: AssociationBlock, association: Association) -> list[Choice]:
        """Choose the files for one rule of an AB, best first."""
        for candidates in self.sources(association):
            allowed = self.allowed(ab, association, candidates)
            found = candidates.pool.find(association, ab.keys, ab.mjd_obs_mod, allowed)
            if found:
                return [_choice(association, candidates, match) for match in found]
        return []

    def blockers(self, ab: AssociationBlock, association: Association) -> list[int]:
        """Return the ids of the ABs that would make what a rule asks for, if they were complete or had not failed."""
        found: list[int] = []
        for candidates in (self.products, self.failed):
            would_fit = self._would_fit(ab, association, candidates)
            for match in candidates.pool.find(association, ab.keys, ab.mjd_obs_mod, would_fit):
                maker = candidates.known[match.position].maker
                if maker is not None and (maker in self.idle or candidates is self.failed):
                    found.append(maker)
        return found

    def _would_fit(
        self, ab: AssociationBlock, association: Association, candidates: Candidates
    ) -> Callable[[int], bool]:
        return lambda position: self.refusal(ab, association, candidates, position) in (None, _IDLE)

    def sources(self, association: Association) -> tuple[Candidates, ...]:
        """Return where a rule looks: among products, among raw frames, or among these first and then among those."""
        if association.source == "rawFiles":
            return (self.frames,)
        return (self.products,) if association.source == "calibFiles" else (self.frames, self.products)

    def allowed(
        self, ab: AssociationBlock, association: Association, candidates: Candidates
    ) -> Callable[[int], bool]:
        """Return what tells whether a candidate may be taken by an AB at all."""
        return lambda position: self.refusal(ab, association, candidates, position) is None

    @cached_property
    def _raw_reaches(self) -> dict[int, float]:
        """How far (days) each rule for raw files looks, by the identity of the rule; a day where it sets no limit."""
        reaches = ((need.association, need.validity.extended.reach) for need in self.cascade.needs)
        return {id(rule): RAW_REACH_DAYS if math.isinf(days) else days for rule, days in reaches}

    def refusal(
        self, ab: AssociationBlock, association: Association, candidates: Candidates, position: int
    ) -> str | None:
        """Say why a candidate may not be taken by an AB, whatever the conditions of the rule say; None if it may."""
        known = candidates.known[position]
        if known.location in PENDING:
            if known.maker == ab.id:
                return "it is a product of this AB"
            if ab.mode != "CALIB":
                return "it is not certified, and science takes certified masters only"
            if known.maker in self.idle:
                return _IDLE
            if not known.is_made and self.cascade.in_cycle_with(ab.action, known.action):
                return f"it is not made yet, and {known.action} may need what {ab.action} makes"
        time = candidates.pool.candidates[position].time
        if known.location == "raw":
            if any(item.frame_id == known.row_id for item in _group_of(ab)):
                return "it is in the group of this AB"
            # else it would depend on what other ABs are open which frames are looked at
            if abs((time or 0.0) - ab.mjd_obs_mod) > self._raw_reaches.get(id(association), RAW_REACH_DAYS):
                return f"it is more than {RAW_REACH_DAYS:g} d away, and the rule sets no limit"
        if time is not None:
            for point in self.pack.breakpoints:
                if point.holds_for(ab.raw_type, known.category) and point.separates(ab.mjd_obs_mod, time):
                    return f"the instrument changed between, on {point.at:%Y-%m-%d %H:%M} UT: {point.why}"
        return None

    def _action(self, ab: AssociationBlock) -> Action:
        return self.pack.rules.action(ab.action)


def _choice(association: Association, candidates: Candidates, match: Match) -> Choice:
    known = candidates.known[match.position]
    if known.location == "raw":
        role = "RASSOC" if association.source == "rawFiles" else "RCALIB"
    else:
        role = "MASSOC" if association.tag.endswith(MASSOC_TAG) else "MCALIB"
    return Choice(association, role, candidates.pool.candidates[match.position].name, known, match)


def _group_of(ab: AssociationBlock) -> list[ABInput]:
    return [item for item in ab.inputs if item.role == RAWFILE]


@dataclass(frozen=True)
class Standing:
    """Where an instrument stands: what differs as soon as an association may come out otherwise."""

    last_event: int
    n_frames: int
    loaded_at: dt.datetime | None


def standing_of(session: Session, instrument: str) -> Standing:
    """Return where an instrument stands: whatever happens to an AB or a frame that was there adds an event."""
    frames = select(func.count(Frame.id), func.max(Frame.loaded_at)).where(Frame.instrument == instrument)
    n_frames, loaded_at = session.execute(frames).one()
    return Standing(session.scalar(select(func.max(Event.id))) or 0, n_frames, loaded_at)


def associate_open(
    session: Session, pack: InstrumentPack, *, mode: str = "CALIB", dates: Collection[dt.date] | None = None
) -> list[str]:
    """Associate the ABs of an instrument that nobody has worked on, parents before children; return what changed.

    Parameters
    ----------
    dates : collection of date, optional
        Only the ABs of these dates; by default those of all dates.
    """
    changed: list[str] = []
    query = select(AssociationBlock.id, AssociationBlock.action, AssociationBlock.mjd_obs_mod).where(
        AssociationBlock.instrument == pack.name,
        AssociationBlock.mode == mode,
        AssociationBlock.state.in_(WAITING_STATES),
    )
    if dates is not None:
        query = query.where(AssociationBlock.dfo_date.in_(dates))
    rows = session.execute(query).all()
    if not rows:
        return changed
    times = [time for _, _, time in rows]
    associator = Associator.around(session, pack, Span(min(times), max(times)))
    depth = associator.cascade.depth
    ordered = iter(sorted(rows, key=lambda row: (depth(row[1]), row[2], row[0])))
    while batch := [row[0] for row in islice(ordered, _BATCH)]:
        for ab in _blocks(session, batch):
            if _associate(session, associator, ab):
                changed.append(ab.name)
            if ab.completeness != "COMPLETE":
                associator.idle.add(ab.id)
        session.flush()
    return changed


def _blocks(session: Session, ids: Sequence[int]) -> Iterable[AssociationBlock]:
    query = (
        select(AssociationBlock)
        .where(AssociationBlock.id.in_(ids))
        .options(selectinload(AssociationBlock.inputs), selectinload(AssociationBlock.calibrations))
    )
    found = {ab.id: ab for ab in session.scalars(query)}
    return (found[row_id] for row_id in ids)


def _associate(session: Session, associator: Associator, ab: AssociationBlock) -> bool:
    """Associate an AB anew; tell whether anything changed."""
    hopeless = _hopeless(associator.pack, ab)
    found = Associated((), ()) if hopeless else associator.associate(ab)
    missing = hopeless or [_missing(session, associator, ab, item) for item in found.missing]
    completeness = "COMPLETE" if found.is_complete and not hopeless else "INCOMPLETE"
    calibrations = [choice for choice in found.choices if not choice.is_raw]
    raw = [choice for choice in found.choices if choice.is_raw]
    before = ab.completeness, list(ab.missing), _stored(ab)
    if before == (completeness, missing, [_row(choice) for choice in (*calibrations, *raw)]):
        return False
    ab.calibrations = [_calibration(choice, position) for position, choice in enumerate(calibrations)]
    own = _group_of(ab)
    ab.inputs = list(own)
    session.flush()  # a frame that is associated anew must not meet its old row
    ab.inputs += [_input(choice, len(own) + position) for position, choice in enumerate(raw)]
    ab.missing, ab.completeness, ab.updated_at = missing, completeness, utc_now()
    if ab.state == ABState.QUEUED and completeness != "COMPLETE":
        advance(session, ab, ABState.CREATED, TOOL, "a calibration that it counted on will not be made")
    if completeness != "COMPLETE" and not (hopeless and hopeless[0]["tag"] == RAWFILE):
        why = "; ".join(str(item["why"]) for item in missing if item["required"])
        record_lasting(session, TOOL, "ab_incomplete", why, ab=ab, level="warning")
    return True


def _hopeless(pack: InstrumentPack, ab: AssociationBlock) -> list[dict[str, object]]:
    """Return what an AB lacks that no calibration can help: raw frames, or an action in the rules of today."""
    if not pack.rules.has_action(ab.action):
        why = f"the rules have no action {ab.action} any more; create-ab for {ab.dfo_date} groups its frames anew"
        return [{"tag": ab.action, "required": True, "line": 0, "why": why}]
    return [item for item in ab.missing if item["tag"] == RAWFILE]


def _missing(
    session: Session, associator: Associator, ab: AssociationBlock, association: Association
) -> dict[str, object]:
    """Say what a rule has not found, and of which ABs it would be, if there are such."""
    of = ""
    if blockers := associator.blockers(ab, association):
        query = select(AssociationBlock).where(AssociationBlock.id.in_(blockers))
        makers = {maker.id: maker for maker in session.scalars(query)}
        of = ", ".join(f"{makers[key].name} ({_state_of(makers[key])})" for key in dict.fromkeys(blockers))
    would = f"; it would be of {of}" if of else ""
    return {
        "tag": association.tag,
        "required": association.min_ret > 0,
        "line": association.line,
        "why": f"no {association.tag} fits (rules.oca, line {association.line}){would}",
        "of": of,
    }


def _state_of(ab: AssociationBlock) -> str:
    return "failed" if ab.state == ABState.FAILED else "incomplete"


def _row(choice: Choice) -> tuple[object, ...]:
    match = choice.match
    return (
        choice.role,
        choice.known.row_id,
        choice.association.tag,
        choice.known.flag,
        match.level,
        match.dt_days,
    )


def _stored(ab: AssociationBlock) -> list[tuple[object, ...]]:
    used: list[tuple[object, ...]] = [
        (item.role, item.product_id, item.tag, item.flag, item.level, item.dt_days)
        for item in ab.calibrations
    ]
    return used + [
        (item.role, item.frame_id, item.tag, "REAL", item.level, item.dt_days)
        for item in ab.inputs
        if item.role != RAWFILE
    ]


def _calibration(choice: Choice, position: int) -> ABCalibration:
    return ABCalibration(
        product_id=choice.known.row_id,
        role=choice.role,
        flag=choice.known.flag,
        tag=choice.association.tag,
        evaluation="NOK" if choice.match.level else "OK",
        dt_days=choice.match.dt_days,
        level=choice.match.level,
        position=position,
    )


def _input(choice: Choice, position: int) -> ABInput:
    return ABInput(
        frame_id=choice.known.row_id,
        role=choice.role,
        tag=choice.association.tag,
        dt_days=choice.match.dt_days,
        level=choice.match.level,
        position=position,
    )
