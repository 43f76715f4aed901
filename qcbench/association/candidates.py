"""What may be associated: products (MCAL, VCAL), general calibrations, and raw frames, as the database has them.

Certified masters (MCAL) come before virtual ones (VCAL), and both before general calibrations; but what is within the
calibration plan comes before what is not.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.2 and 5.5.2; decision 0003.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from qcbench.instruments import InstrumentPack
from qcbench.oca import TYPE_KEYS, Candidate, CandidatePool, Cascade, Keys, Need, RuleSet, Value, classify
from qcbench.store import ABState, AssociationBlock, Frame, Product
from qcbench.store.models import NO_RECIPE

MASTERS = frozenset({"calib", "archive"})
PENDING = frozenset({"virtual", "product"})
GENERAL = "general"
DEAD_STATES = frozenset({ABState.FAILED, ABState.REJECTED})
SECONDS_PER_DAY = 86400.0
# how far raw frames are looked for where the rule sets no limit in time
RAW_REACH_DAYS = 1.0
_TIERS = {location: tier for tier, group in enumerate((MASTERS, PENDING, {GENERAL})) for location in group}
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Known:
    """What decides, beside the rules, whether a candidate may be taken.

    `maker` is the id of the AB that makes a product, `action` what that AB does, and `is_made` says that it has
    been done.
    """

    row_id: int
    category: str
    location: str
    maker: int | None
    action: str
    is_made: bool

    @property
    def flag(self) -> str:
        """VIRTUAL for what its AB has yet to make or to get certified, else REAL."""
        return "VIRTUAL" if self.location in PENDING else "REAL"


@dataclass(frozen=True)
class Candidates:
    """A pool, and what is known of each candidate in it."""

    pool: CandidatePool
    known: tuple[Known, ...]


_Listed = list[tuple[Candidate, Known]]


@dataclass(frozen=True)
class Span:
    """The times (MJD, days) of the ABs for which candidates are wanted."""

    first: float
    last: float

    def limits(self, reach: float) -> tuple[float, float]:
        """Return the times between which candidates can lie."""
        return self.first - reach, self.last + reach


def may_be_made(state: str, recipe: str, missing: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether an AB may still make, or has made, its products."""
    too_few = any(item["tag"] == "RAWFILE" for item in missing)
    return state not in DEAD_STATES and recipe != NO_RECIPE and not too_few


@dataclass(frozen=True)
class Products:
    """The products that may serve as calibrations, and those that would if their ABs had not failed."""

    alive: Candidates
    failed: Candidates


def read_products(session: Session, pack: InstrumentPack, cascade: Cascade, span: Span) -> Products:
    """Return the products that may serve as calibrations around a time.

    Virtual ones that nobody is going to make are left out: their AB was rejected, has too few raw frames, or has no
    recipe; those of ABs that failed are given apart.
    """
    wanted = pack.rules.keys()
    query = (
        select(
            Product.id,
            Product.pipefile,
            Product.pro_catg,
            Product.location,
            Product.mjd_obs,
            Product.keys,
            AssociationBlock.id,
            AssociationBlock.action,
            AssociationBlock.state,
            AssociationBlock.recipe,
            AssociationBlock.missing,
            AssociationBlock.mjd_obs_mod,
        )
        .outerjoin(AssociationBlock, Product.ab_id == AssociationBlock.id)
        .where(Product.instrument == pack.name, Product.location.in_([*MASTERS, *PENDING, GENERAL]))
        .where(_within_reach(pack, [need for need in cascade.needs if not need.is_raw], span))
        .order_by(Product.pipefile)
        .execution_options(yield_per=_BATCH)
    )
    alive: _Listed = []
    failed: _Listed = []
    for row in session.execute(query):
        row_id, name, category, location, mjd, header, maker, action, state, recipe, missing, middle = row
        is_lost = location in PENDING and not may_be_made(state, recipe, missing)
        if is_lost and state != ABState.FAILED:
            continue
        if location in MASTERS and state == ABState.REJECTED:
            continue
        keys = keys_of_product(pack.rules, header, {"PRO.CATG": category, "MJD-OBS": mjd})
        time = None if location == GENERAL else middle
        known = Known(row_id, category, location, maker, action or "", is_made=location != "virtual")
        (failed if is_lost else alive).append((Candidate(name, keys, time, _TIERS[location]), known))
    return Products(_candidates(alive, wanted), _candidates(failed, wanted))


def _candidates(listed: _Listed, wanted: Iterable[str]) -> Candidates:
    pool = CandidatePool([candidate for candidate, _ in listed], wanted)
    return Candidates(pool, tuple(known for _, known in listed))


def read_frames(session: Session, pack: InstrumentPack, cascade: Cascade, span: Span) -> Candidates:
    """Return the raw frames that may be associated around a time."""
    wanted = pack.rules.keys()
    needs = [need for need in cascade.needs if need.association.source != "calibFiles"]
    reaches = [need.validity.extended.reach for need in needs]
    reach = max((RAW_REACH_DAYS if math.isinf(days) else days for days in reaches), default=None)
    frames: _Listed = []
    if reach is not None:
        low, high = span.limits(reach)
        query = (
            select(Frame.id, Frame.arcfile, Frame.mjd_obs, Frame.exptime, Frame.keys)
            .where(
                Frame.instrument == pack.name,
                Frame.mjd_obs.between(low - 1.0, high),
                Frame.filtered.is_(None),
                Frame.problem.is_(None),
            )
            .order_by(Frame.arcfile)
            .execution_options(yield_per=_BATCH)
        )
        for row_id, name, mjd, exptime, header in session.execute(query):
            assigned = classify(pack.rules, header).assigned
            keys = {key: header[key] for key in wanted if key in header} | assigned
            known = Known(row_id, str(assigned.get("RAW.TYPE", "")), "raw", None, "", is_made=True)
            frames.append((Candidate(name, keys, mjd + exptime / (2 * SECONDS_PER_DAY)), known))
    return _candidates(frames, wanted)


def keys_of_product(rules: RuleSet, header: Keys, given: Keys) -> dict[str, Value]:
    """Return the keys of a product that rules read; its tags are its own, not those of the frames it is made from.

    Parameters
    ----------
    given : Mapping
        What is known of the product whatever its header says, PRO.CATG at least.
    """
    wanted = rules.keys()
    own = {key: value for key, value in header.items() if not key.startswith("DPR.") and key not in TYPE_KEYS}
    own |= given
    keys: dict[str, Value] = {key: header[key] for key in wanted if key in header and key != "DO.CATG"}
    keys |= {key: own[key] for key in wanted if key in own}
    return keys | classify(rules, own).assigned | {"PRO.CATG": own["PRO.CATG"]}


def _within_reach(pack: InstrumentPack, needs: Iterable[Need], span: Span) -> ColumnElement[bool]:
    """Return the condition that keeps a long history out: what no rule can reach is not read."""
    reach = 0.0
    always: set[str] = set()
    for need in needs:
        if not math.isinf(need.validity.extended.reach):
            reach = max(reach, need.validity.extended.reach)
        elif need.categories and need.categories <= pack.unannounced:
            always |= need.categories
        else:
            return Product.id.is_not(None)
    low, high = span.limits(reach)
    # the time of a product is that of its first frame; a group may take a while
    near = and_(Product.mjd_obs >= low - 1.0, Product.mjd_obs <= high)
    return or_(near, Product.location == GENERAL, Product.pro_catg.in_(sorted(always)))
