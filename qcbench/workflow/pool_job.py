"""What a job of a pool does: ABs of its bundle are processed, measured, scored and reported one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from qcbench.core.errors import TransitionError
from qcbench.core.logs import get_logger, words_of
from qcbench.processing import Engine, load_engines, process_ab, remove_raw_of, resume_job, waits_for
from qcbench.reports import process_qc
from qcbench.store import ABState, AssociationBlock
from qcbench.workbench import Workbench
from qcbench.workflow.job import TO_MEASURE

TOOL = "process-job"


def run_pool_job(
    bench: Workbench, names: Sequence[str], *, with_recipe: bool = True, with_qc: bool = True
) -> list[str]:
    """Process and measure ABs; what an earlier start of the job has done is kept.

    An AB that fails has its reason, one whose parent failed stays in the queue: that is no fault of the job.

    Returns
    -------
    list of str
        What went wrong by a fault of the machine. The same job, started again, may do better.
    """
    engines = load_engines()
    problems = []
    for name in _interrupted_last(bench, names):
        try:
            if with_recipe:
                _process(bench, name, engines)
            if with_qc and _state(bench, name) in TO_MEASURE:
                process_qc(bench, name)
            remove_raw_of(bench, name)
        except Exception as err:  # noqa: BLE001 (also what nobody foresaw: the other ABs have their turn)
            problem = words_of(err, TOOL)
            get_logger().error(problem, tool=TOOL, ab=name)
            problems.append(f"{name}: {problem}")
    return problems


def _interrupted_last(bench: Workbench, names: Sequence[str]) -> list[str]:
    """Sort ABs: what an earlier start ended with may end this one, too, and the others shall not suffer from it."""
    return sorted(names, key=lambda name: _state(bench, name) == ABState.PROCESSING)


def _process(bench: Workbench, name: str, engines: Mapping[str, Engine]) -> None:
    if resume_job(bench, name) is not None or waits_for(bench, name):
        return
    try:
        process_ab(bench, name, engines=engines, write_texts=False)
    except TransitionError:
        # an earlier start of this job, which the pool has given up, still runs and was faster
        resume_job(bench, name)


def _state(bench: Workbench, name: str) -> ABState:
    with bench.store.read() as session:
        query = select(AssociationBlock.state).where(AssociationBlock.name == name)
        return ABState(session.scalars(query).one())
