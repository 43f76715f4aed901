"""Who works on an AB: claimed by one process, released when it can't go on, recovered when that was killed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session, defer, joinedload, selectinload

from qcbench.core.errors import DecisionError, NotFoundError, RecipeError, WaitingError
from qcbench.core.files import make_folder
from qcbench.core.locks import is_alive, is_elsewhere, process_identity
from qcbench.instruments import Scalar
from qcbench.processing.inputs import TOOL
from qcbench.processing.jobs import lacking_parents
from qcbench.processing.room import Room
from qcbench.processing.running import end_abandoned
from qcbench.store import (
    ABCalibration,
    ABInput,
    ABState,
    AssociationBlock,
    Frame,
    Product,
    advance,
    record_event,
)
from qcbench.store.models import NO_RECIPE
from qcbench.workbench import Workbench

_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_LOADED = (
    # without the keys: a header has hundreds, and the frames themselves have them
    selectinload(AssociationBlock.inputs).options(joinedload(ABInput.frame).defer(Frame.keys)),
    # with what makes them, in one query
    selectinload(AssociationBlock.calibrations)
    .joinedload(ABCalibration.product, innerjoin=True)
    .options(defer(Product.keys), joinedload(Product.ab).defer(AssociationBlock.keys)),
    selectinload(AssociationBlock.products).defer(Product.keys),
)


def claim(
    bench: Workbench, ab_name: str, *, again: bool, parameters: Mapping[str, Scalar | None]
) -> AssociationBlock:
    """Take an AB for this process; return it with what its processing needs, detached.

    Raises
    ------
    NotFoundError
        There is no such AB.
    RecipeError
        It has no recipe, or has failed and nobody asks for it `again`; a parameter has an impossible name.
    DecisionError
        It is asked for `again`, and its raw frames were rejected.
    WaitingError
        It is incomplete, or an AB that makes what it needs has failed or is not processed yet.
    TransitionError
        It is not in a state from which it can be processed.
    """
    with bench.store.write() as session:
        ab = session.scalar(
            select(AssociationBlock).where(AssociationBlock.name == ab_name).options(*_LOADED)
        )
        if ab is None:
            raise NotFoundError(
                f"{ab_name}: there is no such AB. qcbench get-status-ab lists those of a date"
            )
        _check_ready(ab)
        if again:
            _requeue(session, ab)
        elif ab.state == ABState.FAILED:
            raise RecipeError(
                f"{ab.name} has failed ({ab.reason}). Once that is mended: qcbench process-ab -a {ab.name} --again"
            )
        _set_parameters(session, ab, parameters)
        advance(session, ab, ABState.PROCESSING, TOOL)
        ab.claim = process_identity()
        ab.attempts += 1
        ab.reason = None
        return ab


def _check_ready(ab: AssociationBlock) -> None:
    if ab.recipe == NO_RECIPE:
        raise RecipeError(
            f"{ab.name} ({ab.raw_type}) has no recipe in the rules: it is listed with its calibrations, not processed"
        )
    if ab.completeness != "COMPLETE":
        missing = "; ".join(item["why"] for item in ab.missing if item["required"])
        raise WaitingError(
            f"{ab.name} is incomplete: {missing}. When it is there: qcbench create-ab -d {ab.dfo_date} -m {ab.mode}"
        )
    if parents := lacking_parents(ab):
        named = ", ".join(f"{parent.name} ({parent.state})" for parent in parents)
        raise WaitingError(
            f"{ab.name} waits for what it needs of {named}. First: {'; '.join(map(_how_to_process, parents))}"
        )


def _how_to_process(ab: AssociationBlock) -> str:
    again = " --again" if ab.state == ABState.FAILED else ""
    return f"qcbench process-ab -a {ab.name}{again}"


def _set_parameters(session: Session, ab: AssociationBlock, parameters: Mapping[str, Scalar | None]) -> None:
    if wrong := [name for name in parameters if not _PARAMETER.fullmatch(name)]:
        raise RecipeError(
            f"{wrong[0]!r} can't be the name of a parameter. Name it as the recipe does, as in stacking=median"
        )
    own = {**ab.parameters, **parameters}
    ab.parameters = {name: value for name, value in own.items() if value is not None}
    if parameters:
        now = ", ".join(f"{name}={value}" for name, value in ab.parameters.items()) or "none"
        record_event(session, TOOL, "ab_parameters", f"parameters of its own: {now}", ab=ab)


def _requeue(session: Session, ab: AssociationBlock) -> None:
    """Put an AB that failed, or whose products were rejected, back to the queue because somebody asks for it."""
    last = ab.decisions[-1] if ab.decisions else None
    if ab.state == ABState.REJECTED and last is not None and last.scope == "raw":
        raise DecisionError(
            f"{ab.name}: its raw frames were rejected by {last.by}; they are not processed again"
        )
    if ab.state in (ABState.FAILED, ABState.REJECTED):
        advance(session, ab, ABState.QUEUED, TOOL, "somebody asked to process it again")
        ab.review = ab.report_path = None


def release(bench: Workbench, ab_name: str, why: str) -> None:
    """Put an AB that this process has claimed back to the queue; the attempt does not count."""
    with bench.store.write() as session:
        ab = session.scalars(select(AssociationBlock).where(AssociationBlock.name == ab_name)).one()
        if ab.state != ABState.PROCESSING:
            # the interruption came when all was done
            return
        advance(session, ab, ABState.QUEUED, TOOL, why, level="error")
        ab.claim = None
        ab.attempts -= 1


def recover_interrupted(bench: Workbench, lost: Collection[str] = ()) -> list[str]:
    """Put ABs back to the queue whose process was killed; return their names.

    Of a process on another host nothing is known: its AB is left alone, unless it is among the `lost`.
    """
    names = []
    with bench.store.write() as session:
        query = select(AssociationBlock).where(AssociationBlock.state == ABState.PROCESSING)
        for ab in session.scalars(query):
            gone = ab.claim is None or not is_alive(ab.claim) or (ab.name in lost and is_elsewhere(ab.claim))
            if gone:
                advance(
                    session,
                    ab,
                    ABState.QUEUED,
                    TOOL,
                    "the process that worked on it was killed",
                    level="warning",
                )
                ab.claim = None
                ab.attempts -= 1
                names.append(ab.name)
    if lost:
        Room(bench).forget(lost)
    _clear_work(bench)
    return names


def _clear_work(bench: Workbench) -> None:
    """End recipes whose owner was killed, and remove the working folders that nobody uses."""
    with bench.store.read() as session:
        processing = select(AssociationBlock.name).where(AssociationBlock.state == ABState.PROCESSING)
        used = {name.removesuffix(".ab") for name in session.scalars(processing)}
    for folder in make_folder(bench.tree.work).iterdir():
        if folder.name.rpartition("-")[0] not in used:
            end_abandoned(folder)
            shutil.rmtree(folder, ignore_errors=True)
