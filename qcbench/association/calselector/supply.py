"""What calSelector may choose from for a frame: virtual data sets, certified masters, general calibrations.

Data sets are read only as far as the rules reach, and only those of actions that the frame needs in the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import starmap

from sqlalchemy import ColumnElement, and_, false, or_, select
from sqlalchemy.orm import Session, selectinload

from qcbench.association.associating import RAWFILE
from qcbench.association.calselector.tree import dp_id_of
from qcbench.association.candidates import GENERAL, MASTERS, Span, keys_of_product
from qcbench.oca import (
    Candidate,
    CandidatePool,
    Cascade,
    Keys,
    RuleSet,
    cascade_of,
    product_keys,
)
from qcbench.oca import Product as RuleProduct
from qcbench.oca.cascade import product_categories
from qcbench.store import ABInput, ABState, AssociationBlock, Frame, Product, VirtualDataset

_TIER_MADE, _TIER_GENERAL = 0, 2
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Dataset:
    """The raw frames (ARCFILE and DO.CATG) of a virtual product; `time` is MJD, days, `keys` those of the first."""

    name: str
    action: str
    raw_type: str
    time: float
    frames: tuple[tuple[str, str], ...]
    keys: Keys


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that fits an association: a file, or the data set that would make it.

    Attributes
    ----------
    name : str
        Name of the file in the archive, or of the data set.
    category : str
        PRO.CATG.
    dataset : Dataset or None
        The data set; None for a file.
    """

    name: str
    category: str
    dataset: Dataset | None = None
    is_general: bool = False


@dataclass(frozen=True)
class Offers:
    """A pool, and what each candidate in it stands for."""

    pool: CandidatePool
    items: tuple[Offer, ...]


_Pair = tuple[Candidate, Offer]


@dataclass(frozen=True)
class Supply:
    """All that may be chosen from around a time.

    Attributes
    ----------
    raw : Offers
        Virtual data sets, then general calibrations.
    masters : Offers
        Certified masters, then general calibrations; nothing where they are not asked for.
    rejected : frozenset of str
        ARCFILE of raw frames whose AB was rejected together with its frames.
    """

    raw: Offers
    masters: Offers
    rejected: frozenset[str]


def read_supply(
    session: Session,
    instrument: str,
    rules: RuleSet,
    rule_set_id: int,
    action: str,
    span: Span,
    *,
    with_masters: bool,
) -> Supply:
    """Read what groups of an action may be answered with.

    Parameters
    ----------
    span : Span
        The times (MJD, days) of these groups.
    """
    cascade, wanted = cascade_of(rules), rules.keys()
    general = list(_files(session, instrument, rules, [GENERAL], None))
    datasets = _datasets(session, rules, cascade, rule_set_id, action, span)
    masters: list[_Pair] = []
    if with_masters:
        reach = max(
            (need.validity.extended.reach for need in cascade.needs_of(action) if need.makers), default=0.0
        )
        masters = [*_files(session, instrument, rules, sorted(MASTERS), span.limits(reach)), *general]
    return Supply(
        _offers([*datasets, *general], wanted),
        _offers(masters, wanted),
        _rejected_frames(session, instrument),
    )


def _offers(pairs: list[_Pair], wanted: Iterable[str]) -> Offers:
    pool = CandidatePool([candidate for candidate, _ in pairs], wanted)
    return Offers(pool, tuple(offer for _, offer in pairs))


def _files(
    session: Session,
    instrument: str,
    rules: RuleSet,
    locations: list[str],
    limits: tuple[float, float] | None,
) -> Iterator[_Pair]:
    """Give products that are there as files; `limits` (MJD) keeps a long history out."""
    query = (
        select(
            Product.pipefile,
            Product.final_name,
            Product.dp_id,
            Product.pro_catg,
            Product.mjd_obs,
            Product.keys,
            AssociationBlock.mjd_obs_mod,
        )
        .outerjoin(AssociationBlock, Product.ab_id == AssociationBlock.id)
        .where(Product.instrument == instrument, Product.location.in_(locations))
        .where(or_(Product.ab_id.is_(None), AssociationBlock.state != ABState.REJECTED))
        .order_by(Product.pipefile)
    )
    if limits is not None and math.isfinite(limits[0]):
        # the time of a product is that of its first frame; a group may take a while
        query = query.where(Product.mjd_obs.between(limits[0] - 1.0, limits[1]))
    for pipefile, final_name, dp_id, category, mjd, header, middle in session.execute(query):
        keys = keys_of_product(rules, header, {"PRO.CATG": category, "MJD-OBS": mjd})
        is_general = middle is None
        name = dp_id_of(dp_id or final_name or pipefile)
        tier = _TIER_GENERAL if is_general else _TIER_MADE
        yield Candidate(pipefile, keys, middle, tier), Offer(name, category, None, is_general)


def _datasets(
    session: Session, rules: RuleSet, cascade: Cascade, rule_set_id: int, action: str, span: Span
) -> Iterator[_Pair]:
    """Give a candidate for each product that a data set would make and that a rule may ask for."""
    windows = {name: span.limits(reach) for name, reach in _reaches(cascade, action).items()}
    products = {name: _asked_products(rules, cascade, name) for name in windows}
    query = (
        select(
            VirtualDataset.name,
            VirtualDataset.action,
            VirtualDataset.raw_type,
            VirtualDataset.mjd_obs_mod,
            VirtualDataset.frames,
            VirtualDataset.keys,
        )
        .where(
            VirtualDataset.rule_set_id == rule_set_id, or_(false(), *starmap(_made_within, windows.items()))
        )
        .order_by(VirtualDataset.name)
        .execution_options(yield_per=_BATCH)
    )
    for name, maker, raw_type, time, frames, header in session.execute(query):
        dataset = Dataset(name, maker, raw_type, time, tuple((file, tag) for file, tag in frames), header)
        for position, product in products[maker]:
            given = product_keys(product, header)
            keys = keys_of_product(rules, header | given, given | {"MJD-OBS": time})
            candidate = Candidate(f"r.{name}_{position:04d}.fits", keys, time, _TIER_MADE)
            yield candidate, Offer(name, str(given["PRO.CATG"]), dataset)


def _reaches(cascade: Cascade, action: str) -> dict[str, float]:
    """Return the actions that make what an action needs, directly or through others, and how far (days) off."""
    found: dict[str, float] = {}
    todo = [(action, 0.0)]
    while todo:
        asking, reach = todo.pop()
        for need in cascade.needs_of(asking):
            further = reach + need.validity.extended.reach
            for maker in need.makers:
                if further > found.get(maker, -1.0) and not cascade.in_cycle_with(asking, maker):
                    found[maker] = further
                    todo.append((maker, further))
    return found


def _made_within(action: str, limits: tuple[float, float]) -> ColumnElement[bool]:
    made = VirtualDataset.action == action
    return and_(made, VirtualDataset.mjd_obs_mod.between(*limits)) if math.isfinite(limits[0]) else made


def _asked_products(rules: RuleSet, cascade: Cascade, action: str) -> list[tuple[int, RuleProduct]]:
    """Return the products of an action that some rule may ask for, with their positions."""
    asked: frozenset[str] = frozenset().union(*(need.categories for need in cascade.needs))
    is_open = any(not need.categories for need in cascade.needs)
    return [
        (position, product)
        for position, product in enumerate(rules.action(action).products)
        if is_open or asked & product_categories(rules, product)
    ]


def _rejected_frames(session: Session, instrument: str) -> frozenset[str]:
    """Return the raw frames of ABs that were rejected together with their frames."""
    query = (
        select(AssociationBlock)
        .where(AssociationBlock.instrument == instrument, AssociationBlock.state == ABState.REJECTED)
        .options(
            selectinload(AssociationBlock.decisions),
            selectinload(AssociationBlock.inputs).selectinload(ABInput.frame).load_only(Frame.arcfile),
        )
    )
    return frozenset(
        item.frame.arcfile
        for ab in session.scalars(query)
        if ab.decisions and ab.decisions[-1].scope == "raw"
        for item in ab.inputs
        if item.role == RAWFILE
    )
