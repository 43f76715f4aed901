"""What a rejection does to other ABs, and what it would do.

A rejected product is never used again: ABs that wait lose it and are associated anew, ABs that used it say so.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased, joinedload

from qcbench.core.errors import NotFoundError
from qcbench.store import ABCalibration, ABState, AssociationBlock, Product, advance, record_event
from qcbench.workbench import Workbench

TOOL = "certify-products"
_WAITING = (ABState.CREATED, ABState.QUEUED)


def impact(bench: Workbench, ab_name: str) -> list[str]:
    """Name the ABs that use the products of an AB, virtual or real, directly or through others.

    Raises
    ------
    NotFoundError
        There is no such AB.
    """
    with bench.store.read() as session:
        start = session.scalar(select(AssociationBlock.id).where(AssociationBlock.name == ab_name))
        if start is None:
            raise unknown_ab(ab_name)
        found: dict[int, tuple[float, str]] = {}
        level = {start}
        while level:
            users = _users_of(session, level)
            level = users.keys() - found.keys() - {start}
            found |= {key: users[key] for key in level}
    return [name for _, name in sorted(found.values())]


def unknown_ab(ab_name: str) -> NotFoundError:
    """Return the error for an AB that is not there."""
    return NotFoundError(f"there is no AB '{ab_name}'. See the AB monitor for the names of a date")


def withdraw(session: Session, rejected: AssociationBlock) -> None:
    """Take the products of a rejected AB from the ABs that wait, and warn on those that used them."""
    uses = session.scalars(
        select(ABCalibration)
        .join(ABCalibration.product)
        .where(Product.ab_id == rejected.id)
        .options(
            joinedload(ABCalibration.ab, innerjoin=True), joinedload(ABCalibration.product, innerjoin=True)
        )
        .order_by(ABCalibration.ab_id, ABCalibration.position)
        .with_for_update()
    ).all()
    for _, group in groupby(uses, key=lambda use: use.ab_id):
        own = list(group)
        if ABState(own[0].ab.state) in _WAITING:
            _take_away(session, own, rejected)
        elif any(use.role == "MCALIB" for use in own) and own[0].ab.state != ABState.REJECTED:
            record_event(
                session,
                TOOL,
                "used_rejected",
                f"{own[0].product.file_name} ({own[0].tag}) of {rejected.name} was rejected after it had been used",
                ab=own[0].ab,
                level="warning",
            )


def rejected_calibrations(session: Session, ab_ids: Collection[int]) -> dict[int, str]:
    """Say for each of some ABs that was processed with a rejected calibration which one it was."""
    owner = aliased(AssociationBlock)
    rows = session.execute(
        select(ABCalibration.ab_id, Product.pipefile, owner.name)
        .join(Product, ABCalibration.product_id == Product.id)
        .join(owner, Product.ab_id == owner.id)
        .where(
            ABCalibration.ab_id.in_(ab_ids),
            ABCalibration.role == "MCALIB",
            owner.state == ABState.REJECTED,
        )
        .order_by(ABCalibration.position.desc())
    )
    return {ab_id: f"It used {file} of {name}, which was rejected" for ab_id, file, name in rows}


def _users_of(session: Session, level: Collection[int]) -> dict[int, tuple[float, str]]:
    """Return, for ABs that use products of some ABs, time and name by id."""
    rows = session.execute(
        select(AssociationBlock.id, AssociationBlock.mjd_obs, AssociationBlock.name)
        .join(ABCalibration, ABCalibration.ab_id == AssociationBlock.id)
        .join(Product, ABCalibration.product_id == Product.id)
        .where(Product.ab_id.in_(level), ABCalibration.role == "MCALIB")
    )
    return {key: (mjd, name) for key, mjd, name in rows}


def _take_away(session: Session, uses: list[ABCalibration], rejected: AssociationBlock) -> None:
    user = uses[0].ab
    for use in uses:
        user.calibrations.remove(use)
        why = f"{use.product.file_name} of {rejected.name} was rejected"
        if use.role == "MCALIB":
            user.completeness = "INCOMPLETE"
            user.missing = [*user.missing, {"tag": use.tag, "required": True, "line": 0, "why": why}]
        record_event(session, TOOL, "calibration_withdrawn", why, ab=user, level="warning")
    if user.state == ABState.QUEUED:
        advance(session, user, ABState.CREATED, TOOL, f"to be associated anew: {rejected.name} was rejected")
