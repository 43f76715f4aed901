"""Jobs (the handbook's createJob): ABs queued in the order of the calibration cascade.

Source: QC handbook (VLT-SPE-ESO-19600-3986), section 5.5.3.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from qcbench.blocks import Mode
from qcbench.core.files import write_text
from qcbench.processing.cascade import Task
from qcbench.store import (
    ABCalibration,
    ABState,
    AssociationBlock,
    Product,
    advance,
    flag_of,
    record_event,
)
from qcbench.store.models import NO_RECIPE
from qcbench.workbench import Workbench

TOOL = "create-job"
# a recipe of which nothing is known yet; and how far back times tell
_SECONDS, _LATELY = 10.0, dt.timedelta(days=30)
_NOT_MADE = frozenset({ABState.CREATED, ABState.QUEUED, ABState.PROCESSING, ABState.FAILED})
_CALIBRATIONS = (
    selectinload(AssociationBlock.calibrations).selectinload(ABCalibration.product).selectinload(Product.ab)
)


@dataclass(frozen=True)
class JobResult:
    """The job of a date: its file, and its ABs in an order in which they can be run one by one."""

    date: dt.date
    file: Path
    queued: tuple[str, ...]


def create_job(bench: Workbench, instrument: str, date: dt.date, mode: Mode = "CALIB") -> JobResult:
    """Queue the complete ABs of a date and write the job file; calling it again queues what is new."""
    with bench.store.write() as session:
        abs_ = _abs(session, instrument, date, mode, ABState.CREATED)
        new = [ab for ab in abs_ if ab.completeness == "COMPLETE" and ab.recipe != NO_RECIPE]
        for ab in new:
            advance(session, ab, ABState.QUEUED, TOOL)
        if new:
            text = f"{len(new)} ABs queued"
            record_event(session, TOOL, flag_of(mode, "Queued"), text, instrument=instrument, date=date)
    tasks = queued_cascade(bench, instrument, date, mode)
    ordered = _in_order(tasks)
    file = bench.tree.jobs / f"execAB_{instrument}_{mode}_{date}"
    write_text(file, _script(bench, ordered))
    file.chmod(0o755)
    return JobResult(date, file, tuple(ordered))


def queued_cascade(bench: Workbench, instrument: str, date: dt.date, mode: Mode = "CALIB") -> dict[str, Task]:
    """Return the queued ABs of a date, each with the ABs that still have to make its virtual calibrations."""
    pack = bench.pack(instrument)
    with bench.store.read() as session:
        queued = _abs(session, instrument, date, mode, ABState.QUEUED)
        seconds = _expected_seconds(session, instrument, date) if queued else {}
    return {
        ab.name: Task(
            ab.name,
            frozenset(parent.name for parent in lacking_parents(ab)),
            priority=int(mode == "CALIB" and pack.is_health_check(ab.raw_type)),
            seconds=seconds.get((ab.recipe, ab.setup), _SECONDS),
        )
        for ab in queued
    }


def waits_for(bench: Workbench, ab_name: str) -> list[str]:
    """Return the ABs that still have to make the virtual calibrations of an AB."""
    with bench.store.read() as session:
        query = select(AssociationBlock).where(AssociationBlock.name == ab_name).options(_CALIBRATIONS)
        return [parent.name for parent in lacking_parents(session.scalars(query).one())]


def lacking_parents(ab: AssociationBlock) -> list[AssociationBlock]:
    """Return the ABs that still have to make what the recipe of an AB is to get, by name."""
    owners = {item.product.ab for item in ab.calibrations if item.role == "MCALIB"}
    return sorted((owner for owner in owners if owner and is_to_make(owner)), key=lambda owner: owner.name)


def is_to_make(owner: AssociationBlock) -> bool:
    """Tell whether the products of an AB may not be used: they are not made yet, or it has failed since."""
    return owner.state in _NOT_MADE


def _expected_seconds(session: Session, instrument: str, date: dt.date) -> dict[tuple[str, str], float]:
    """Return how long each recipe ran for each setup lately: the median, which one slow night does not change."""
    rows = session.execute(
        select(AssociationBlock.recipe, AssociationBlock.setup, AssociationBlock.exec_seconds).where(
            AssociationBlock.instrument == instrument,
            AssociationBlock.dfo_date.between(date - _LATELY, date + _LATELY),
            AssociationBlock.exec_seconds > 0,
            AssociationBlock.reason.is_(None),
        )
    )
    found: dict[tuple[str, str], list[float]] = {}
    for recipe, setup, seconds in rows:
        found.setdefault((recipe, setup), []).append(seconds or 0.0)
    return {key: median(seconds) for key, seconds in found.items()}


def _abs(
    session: Session, instrument: str, date: dt.date, mode: Mode, state: ABState
) -> Sequence[AssociationBlock]:
    query = (
        select(AssociationBlock)
        .where(
            AssociationBlock.instrument == instrument,
            AssociationBlock.dfo_date == date,
            AssociationBlock.mode == mode,
            AssociationBlock.state == state,
        )
        .options(_CALIBRATIONS)
        .order_by(AssociationBlock.mjd_obs, AssociationBlock.name)
    )
    return session.scalars(query).all()


def _in_order(tasks: dict[str, Task]) -> list[str]:
    """Sort tasks so that each stands behind those it waits for; the order is otherwise kept."""
    ordered: list[str] = []
    left = dict(tasks)
    while left:
        ready = [name for name, task in left.items() if not task.parents & left.keys()]
        # what is left now waits for each other or for something outside: keep it, at the end
        ordered += ready or list(left)
        left = {name: task for name, task in left.items() if ready and name not in set(ready)}
    return ordered


def _script(bench: Workbench, names: Sequence[str]) -> str:
    lines = ["#!/bin/sh", f"export QCBENCH_WORKBENCH={quote(str(bench.settings.root))}"]
    for name in map(quote, names):
        lines.append(f"qcbench process-ab -a {name} && qcbench process-qc -a {name}")
    return "\n".join(lines) + "\n"
