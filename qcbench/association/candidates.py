"""Finding the calibrations of an AB.

Certified masters (MCAL) come before virtual ones (VCAL), and calibrations within the calibration plan before those
within the extended validity; then the closest in time counts, and the name where times are equal.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.2 and 5.5.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from qcbench.oca import Action, Association, matches, preferred
from qcbench.store import ABState, AssociationBlock, Product
from qcbench.store.models import NO_RECIPE

MASTERS = frozenset({"calib", "archive"})
PENDING = frozenset({"virtual", "product"})
DEAD_STATES = frozenset({ABState.FAILED, ABState.REJECTED})


@dataclass(frozen=True)
class Choice:
    """A calibration that was chosen: which rule asked for it, and how far it is (days, calibration minus AB)."""

    association: Association
    product: Product
    dt_days: float
    in_plan: bool

    @property
    def flag(self) -> str:
        """REAL for a certified master, VIRTUAL for one that its AB has yet to make or to get certified."""
        return "REAL" if self.product.location in MASTERS else "VIRTUAL"


@dataclass(frozen=True)
class Associated:
    """What was found for an AB, and which rules found nothing."""

    choices: tuple[Choice, ...]
    missing: tuple[Association, ...]

    @property
    def is_complete(self) -> bool:
        """Every required calibration was found."""
        return not any(association.min_ret > 0 for association in self.missing)


def pool(session: Session, instrument: str) -> Sequence[Product]:
    """Return the products of an instrument that may serve as calibrations: certified ones and virtual ones.

    Virtual ones that nobody is going to make are left out: their AB failed, was rejected, has too few raw frames,
    or has no recipe.
    """
    query = (
        select(Product)
        .join(Product.ab)
        .where(
            Product.instrument == instrument,
            Product.location.in_(MASTERS | PENDING),
            AssociationBlock.state.not_in(DEAD_STATES),
        )
        .options(selectinload(Product.ab))
        .order_by(Product.pipefile)
    )
    return [
        product
        for product in session.scalars(query)
        if product.location in MASTERS or may_be_made(product.ab)
    ]


def may_be_made(ab: AssociationBlock) -> bool:
    """Tell whether an AB may still make, or has made, its products."""
    too_few = any(item["tag"] == "RAWFILE" for item in ab.missing)
    return ab.state not in DEAD_STATES and ab.recipe != NO_RECIPE and not too_few


def associate(ab: AssociationBlock, action: Action, products: Iterable[Product]) -> Associated:
    """Choose the calibrations of an AB from a pool of products."""
    usable = [product for product in products if product.ab_id != ab.id]
    choices: list[Choice] = []
    missing = []
    for association in action.associations:
        if association.max_ret == 0:
            continue
        found = sorted(_fitting(ab, association, usable), key=_rank)[: association.max_ret]
        choices += found
        if not found or len(found) < association.min_ret:
            missing.append(association)
    return Associated(tuple(choices), tuple(missing))


def _fitting(ab: AssociationBlock, association: Association, products: Iterable[Product]) -> Iterable[Choice]:
    # times are compared at mid-exposure of the whole group
    own = {**ab.keys, "MJD-OBS": ab.mjd_obs_mod}
    for product in products:
        middle = product.ab.mjd_obs_mod
        keys = {**product.keys, "MJD-OBS": middle}
        if matches(association.condition, keys, own):
            in_plan = preferred(association.condition, keys, own)
            yield Choice(association, product, middle - ab.mjd_obs_mod, in_plan)


def _rank(choice: Choice) -> tuple[bool, bool, float, str]:
    return (
        not choice.in_plan,
        choice.product.location not in MASTERS,
        abs(choice.dt_days),
        choice.product.pipefile,
    )
