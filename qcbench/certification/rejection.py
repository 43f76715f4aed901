"""What a rejection does to other ABs, and what it would do.

A rejected product is never used again: ABs that wait lose it and are associated anew, ABs that used it say so and,
until their own products are moved, wait for a person.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased, joinedload, selectinload

from qcbench.core.errors import NotFoundError
from qcbench.provenance import uses
from qcbench.store import (
    ABCalibration,
    ABState,
    AssociationBlock,
    Event,
    Product,
    RecipeRun,
    RunFile,
    advance,
    record_event,
)
from qcbench.store.states import WAITING_STATES
from qcbench.workbench import Workbench

TOOL = "certify-products"
USED_REJECTED = "used_rejected"
_NO_GOOD = {ABState.REJECTED: "was rejected", ABState.FAILED: "has failed"}


def impact(bench: Workbench, ab_name: str) -> list[str]:
    """Name the ABs that use the products of an AB, virtual or real, directly or through others.

    Raises
    ------
    NotFoundError
        There is no such AB.
    """
    with bench.store.read() as session:
        start = session.scalar(
            select(AssociationBlock)
            .where(AssociationBlock.name == ab_name)
            .options(selectinload(AssociationBlock.products))
        )
        if start is None:
            raise unknown_ab(ab_name)
        users = [use.ab for use in uses(session, start.products)]
    return [ab.name for ab in sorted(users, key=lambda ab: (ab.mjd_obs, ab.name))]


def unknown_ab(ab_name: str) -> NotFoundError:
    """Return the error for an AB that is not there."""
    return NotFoundError(f"there is no AB '{ab_name}'. See the AB monitor for the names of a date")


def withdraw(session: Session, rejected: AssociationBlock) -> None:
    """Take the products of a rejected AB from the ABs that wait; those that used them are warned of and reviewed."""
    used = session.scalars(
        select(ABCalibration)
        .join(ABCalibration.product)
        .where(Product.ab_id == rejected.id)
        .options(
            joinedload(ABCalibration.ab, innerjoin=True), joinedload(ABCalibration.product, innerjoin=True)
        )
        .order_by(ABCalibration.ab_id, ABCalibration.position)
        .with_for_update()
    ).all()
    for _, group in groupby(used, key=lambda use: use.ab_id):
        own = list(group)
        if ABState(own[0].ab.state) in WAITING_STATES:
            _take_away(session, own, rejected)
        elif any(use.role == "MCALIB" for use in own) and own[0].ab.state != ABState.REJECTED:
            _warn(session, next(use for use in own if use.role == "MCALIB"), rejected)


def doubtful_calibrations(session: Session, ab_ids: Collection[int]) -> dict[int, str]:
    """Say for each of some ABs that was processed with a calibration which is no good which one it was, and why.

    It was rejected, or its AB failed after it had been made, or it was made anew since: the last two count as long as
    the AB that used it was not processed again.
    """
    return (
        _rejected_meanwhile(session, ab_ids)
        | _made_anew(session, ab_ids)
        | _rejected_or_failed_now(session, ab_ids)
    )


def _rejected_or_failed_now(session: Session, ab_ids: Collection[int]) -> dict[int, str]:
    owner = aliased(AssociationBlock)
    rows = session.execute(
        select(ABCalibration.ab_id, Product.pipefile, owner.name, owner.state)
        .join(Product, ABCalibration.product_id == Product.id)
        .join(owner, Product.ab_id == owner.id)
        .where(
            ABCalibration.ab_id.in_(ab_ids),
            ABCalibration.role == "MCALIB",
            owner.state.in_(_NO_GOOD),
        )
        .order_by(ABCalibration.position.desc())
    )
    return {
        ab_id: f"It used {file} of {name}, which {_NO_GOOD[ABState(state)]}"
        for ab_id, file, name, state in rows
    }


def _made_anew(session: Session, ab_ids: Collection[int]) -> dict[int, str]:
    """Find what the last runs of ABs were given with other data than it has now."""
    last_runs = select(func.max(RecipeRun.id)).where(RecipeRun.ab_id.in_(ab_ids)).group_by(RecipeRun.ab_id)
    rows = session.execute(
        select(RecipeRun.ab_id, RunFile.name, AssociationBlock.name)
        .join(RunFile, RunFile.run_id == RecipeRun.id)
        .join(Product, Product.id == RunFile.product_id)
        .join(AssociationBlock, AssociationBlock.id == Product.ab_id)
        .where(
            RecipeRun.id.in_(last_runs),
            RunFile.is_output.is_(False),
            RunFile.data_hash != Product.data_hash,
        )
        .order_by(RunFile.position.desc())
    )
    return {
        ab_id: f"It used {file} of {name} as it was before it was made anew" for ab_id, file, name in rows
    }


def _rejected_meanwhile(session: Session, ab_ids: Collection[int]) -> dict[int, str]:
    run = aliased(Event)
    last_run = (
        select(func.coalesce(func.max(run.id), 0))
        .where(run.ab_name == AssociationBlock.name, run.flag == f"ab_{ABState.PROCESSING}")
        .correlate(AssociationBlock)
        .scalar_subquery()
    )
    rows = session.execute(
        select(AssociationBlock.id, Event.message)
        .join(Event, Event.ab_name == AssociationBlock.name)
        .where(AssociationBlock.id.in_(ab_ids), Event.flag == USED_REJECTED, Event.id > last_run)
        .order_by(Event.id)
    )
    return {ab_id: message for ab_id, message in rows}  # noqa: C416 (a row is not a pair to the type checker)


def _warn(session: Session, use: ABCalibration, rejected: AssociationBlock) -> None:
    """Say that an AB used a product that is rejected now; a certification of it is withdrawn."""
    user = use.ab
    what = f"{use.product.file_name} ({use.tag}) of {rejected.name} was rejected after it had been used"
    record_event(session, TOOL, USED_REJECTED, what, ab=user, level="warning")
    if user.state == ABState.CERTIFIED:
        user.review = "manual"
        advance(session, user, ABState.SCORED, TOOL, f"to be reviewed again: {what}", level="warning")


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
