"""moveProducts: certified products leave the certification area, rejected ones are deleted.

Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.4 and 5.5.5.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from qcbench.core.errors import QcbenchError
from qcbench.core.files import move_file, write_error
from qcbench.core.paths import safe_name
from qcbench.distribution.nights import Mode, Night
from qcbench.store import ABState, AssociationBlock, Product, advance
from qcbench.store.states import DISTRIBUTED
from qcbench.workbench import Workbench

TOOL = "move-products"
_CHANGES = ("ab_moved", "ab_rejected")


@dataclass(frozen=True)
class MoveResult:
    """What this call did: ABs that were moved, products whose files were deleted, ABs that failed and why."""

    moved: tuple[str, ...]
    purged: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]


def move_products(bench: Workbench, instrument: str, date: dt.date, mode: Mode = "CALIB") -> MoveResult:
    """Move the certified products of a date to its calibration folder, and delete the rejected ones.

    The QC parameters of rejected products stay. After a rejection of products alone their virtual calibrations
    stay too; after one of the raw frames they go.
    """
    night = Night(bench, instrument, date, mode)
    moved, problems = [], []
    for name in night.names({ABState.CERTIFIED, ABState.REJECTED}):
        try:
            _bring(night, name)
            with bench.store.write() as session:
                if _settle(night, session, name):
                    moved.append(name)
                night.flag_when_complete(session, TOOL, "cal_Finished", ABState.MOVED, _CHANGES)
        except QcbenchError as err:
            problems.append((name, str(err)))
            night.record_failure(TOOL, "move_failed", name, err)
    purged = delete_purged(night)
    bench.write_texts()
    return MoveResult(tuple(moved), purged, tuple(problems))


def delete_purged(night: Night) -> tuple[str, ...]:
    """Delete the files of products that the database says are gone; return their names.

    The database says so first, so that a kill in between leaves a file too many, never one too few.
    """
    deleted = []
    with night.bench.store.write() as session:
        for product in _gone(night, session):
            # the others: a move or a renaming that was killed, and then its AB was rejected
            names = {product.pipefile, product.file_name}
            for path in (night.path_of(product), *(night.calib / safe_name(name) for name in names)):
                _unlink(path)
            product.path = None
            deleted.append(product.pipefile)
    return tuple(deleted)


def _bring(night: Night, name: str) -> None:
    """Move the files of a certified AB before the database says so: the copy of large ones locks out nobody.

    Who rejects the AB meanwhile has the files deleted at their new place.
    """
    with night.bench.store.read() as session:
        ab = night.whole_block(session, name)
        to_move = [item for item in ab.products if item.location == "product"]
    if ab.state == ABState.CERTIFIED:
        for product in to_move:
            if night.rule(product).keep:
                night.relocate(product, _place(night, product))


def _place(night: Night, product: Product) -> Path:
    return night.calib / safe_name(product.pipefile)


def _settle(night: Night, session: Session, name: str) -> bool:
    """Handle one AB; tell whether it was moved. Its state is read again, for somebody may have decided anew."""
    ab = night.whole_block(session, name, lock=True)
    if ab.state == ABState.CERTIFIED:
        for product in ab.products:
            if product.location == "product":
                _move(night, product)
        _move_log(night, ab)
        advance(session, ab, ABState.MOVED, TOOL)
    elif ab.state == ABState.REJECTED:
        _mark_rejected(ab)
        _move_log(night, ab)
    else:
        return False
    return ab.state == ABState.MOVED


def _move(night: Night, product: Product) -> None:
    if not night.rule(product).keep:
        product.location = "purged"
        return
    target = _place(night, product)
    night.relocate(product, target)
    product.path, product.location = str(target), "calib"


def _mark_rejected(ab: AssociationBlock) -> None:
    raw_is_bad = bool(ab.decisions) and ab.decisions[-1].scope == "raw"
    for product in ab.products:
        if product.location != "purged":
            product.location = "purged" if raw_is_bad else "virtual"


def _move_log(night: Night, ab: AssociationBlock) -> None:
    if not ab.log_path:
        return
    source = night.bench.tree.root / ab.log_path
    target = night.logs / safe_name(Path(ab.log_path).name)
    if source != target and (source.exists() or target.exists()):
        move_file(source, target)
        ab.log_path = str(target)


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as err:
        raise write_error(path, err) from err


def _gone(night: Night, session: Session) -> list[Product]:
    return list(
        session.scalars(
            select(Product)
            .join(Product.ab)
            .where(
                AssociationBlock.instrument == night.instrument,
                AssociationBlock.dfo_date == night.date,
                AssociationBlock.mode == night.mode,
                AssociationBlock.state.in_((*DISTRIBUTED, ABState.REJECTED)),
                Product.location.in_(("purged", "virtual")),
                Product.path.is_not(None),
            )
            .order_by(Product.pipefile)
            .with_for_update()
        )
    )
