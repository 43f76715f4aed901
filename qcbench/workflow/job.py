"""The job of a date: its queued ABs in the order of the cascade, each followed by its QC.

Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.2 and 5.8.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from sqlalchemy import func, select

from qcbench.blocks import MODES, Mode
from qcbench.core.errors import QcbenchError, StoppedError
from qcbench.core.logs import words_of
from qcbench.core.progress import Advance, progress_bar
from qcbench.processing import (
    Cascade,
    Supply,
    Task,
    load_engines,
    process_ab,
    queued_cascade,
    remove_raw_of,
    run_cascade,
    run_on_pool,
)
from qcbench.reports import process_qc
from qcbench.store import ABState, AssociationBlock, Event, flag_of, record_event
from qcbench.store.needs import lacks_report
from qcbench.workbench import Workbench
from qcbench.workflow.problems import TOOL, say

TO_MEASURE = (ABState.PROCESSED, ABState.MEASURED)
# between two writings of the texts of ABs while a job runs
_TEXTS_S = 10.0


def run_job(
    bench: Workbench, instrument: str, date: dt.date, mode: Mode = "CALIB", *, show: bool | None = None
) -> Cascade:
    """Process the queued ABs of a date in the order of the cascade, each followed by its QC.

    The texts of the ABs are written now and then while it runs; those of the last ones are left to the caller.
    """
    tasks = queued_cascade(bench, instrument, date, mode)
    with progress_bar(len(tasks), f"{instrument} {date}", show=show) as advance:
        write_texts = _now_and_then(bench.write_texts)

        def step(name: str) -> None:
            advance(name)
            write_texts()

        if bench.settings.processing.cascade == "htcondor":
            cascade = run_on_pool(bench, instrument, date, mode, advance=advance, between=write_texts)
        else:
            cascade = _run_here(bench, tasks, step)
    _flag_qc(bench, instrument, date, mode)
    return cascade


def _run_here(bench: Workbench, tasks: Mapping[str, Task], advance: Advance) -> Cascade:
    """Run a job on this host."""
    engines = load_engines()
    workers = bench.settings.processing.workers or os.cpu_count() or 1
    with Supply(bench, tasks, number=workers) as supply:

        def process(name: str) -> bool:
            return process_ab(bench, name, engines=engines, write_texts=False, supply=supply).ok

        def run(name: str) -> bool:
            if _guarded(bench, name, partial(process, name)):
                return True
            _guarded(bench, name, partial(_drop_raw, bench, name))
            return False

        return run_cascade(
            tasks,
            run,
            lambda name: _guarded(bench, name, partial(_qc, bench, name)),
            workers=workers,
            advance=advance,
            has_room=supply.has_room,
            stop=supply.stop,
        )


def catch_up(bench: Workbench, instrument: str, date: dt.date) -> None:
    """Measure, score and report what a killed call left processed, and try reports again that failed a few times."""
    with bench.store.read() as session:
        names = session.scalars(
            select(AssociationBlock.name)
            .where(
                AssociationBlock.instrument == instrument,
                AssociationBlock.dfo_date == date,
                AssociationBlock.state.in_(TO_MEASURE) | lacks_report(),
            )
            .order_by(AssociationBlock.name)
        ).all()
    for name in names:
        _guarded(bench, name, partial(_qc, bench, name))
    for mode in MODES:
        _flag_qc(bench, instrument, date, mode)


def _flag_qc(bench: Workbench, instrument: str, date: dt.date, mode: Mode) -> None:
    """Write the flag cal_QC or sci_QC when the last AB of a mode that could be measured and scored has been."""
    flag = flag_of(mode, "QC")
    of_date = (
        AssociationBlock.instrument == instrument,
        AssociationBlock.dfo_date == date,
        AssociationBlock.mode == mode,
    )
    with bench.store.read() as session:
        scored = session.scalar(
            select(func.max(Event.id))
            .join(AssociationBlock, AssociationBlock.name == Event.ab_name)
            .where(*of_date, Event.flag == "ab_scored")
        )
        flagged = session.scalar(
            select(func.max(Event.id)).where(
                Event.instrument == instrument, Event.dfo_date == date, Event.flag == flag
            )
        )
        pending = select(func.count()).where(
            *of_date, AssociationBlock.state.in_((ABState.QUEUED, ABState.PROCESSING, *TO_MEASURE))
        )
        is_due = scored and scored > (flagged or 0) and not session.scalar(pending)
    if is_due:
        with bench.store.write() as session:
            record_event(session, "process-qc", flag, "ABs scored", instrument=instrument, date=date)


def _now_and_then(write: Callable[[], None]) -> Callable[[], None]:
    """Return a call that writes if that was long ago; what it can't write is left to a later one, which says so."""
    last = time.monotonic()

    def call() -> None:
        nonlocal last
        if time.monotonic() - last > _TEXTS_S:
            with suppress(QcbenchError):
                write()
            last = time.monotonic()

    return call


def _qc(bench: Workbench, ab_name: str) -> bool:
    process_qc(bench, ab_name)
    return _drop_raw(bench, ab_name)


def _drop_raw(bench: Workbench, ab_name: str) -> bool:
    remove_raw_of(bench, ab_name)
    return True


def _guarded(bench: Workbench, ab_name: str, work: Callable[[], bool]) -> bool:
    """Do the work on one AB; what goes wrong is an event, and the rest of the night goes on."""
    try:
        return work()
    except StoppedError:
        return False
    except Exception as err:  # noqa: BLE001 (also what nobody foresaw, which is logged with its traceback)
        say(bench, "ab_problem", f"{ab_name}: {words_of(err, TOOL)}")
        return False
