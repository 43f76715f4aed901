"""The cascade on an HTCondor pool: the queued ABs of a date as one DAGMan job.

Jobs process ABs, and measure those for which nothing waits; what others wait for is measured by a job of its own.
Results and failures are in the database, where the jobs write them. The files of a DAG are there before it is
submitted, and it carries the name of their folder: a call that was killed is followed by one that finds the DAG,
watches it and submits no second one.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.2, 5.5.3 and 5.8 (CONDOR).
"""

from __future__ import annotations

import datetime as dt
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
from sqlalchemy import select

from qcbench.blocks import Mode
from qcbench.core.errors import PoolError
from qcbench.core.files import make_folder, write_bytes
from qcbench.core.locks import exclusive, is_alive, is_elsewhere
from qcbench.core.logs import get_logger
from qcbench.core.progress import Advance, silent
from qcbench.processing.bundles import Bundle, bundled
from qcbench.processing.cascade import Cascade, Task
from qcbench.processing.claims import recover_interrupted
from qcbench.processing.dag import PoolJob, write_dag
from qcbench.processing.jobs import queued_cascade
from qcbench.processing.pool import Pool, last_line
from qcbench.processing.process_ab import ProcessResult
from qcbench.store import ABState, AssociationBlock, record_event, record_lasting
from qcbench.workbench import Workbench

TOOL = "htcondor"
_NOT_DONE = frozenset({ABState.CREATED, ABState.QUEUED, ABState.PROCESSING, ABState.FAILED})
_TASKS = "tasks.json"
# what measuring an AB and drawing its report takes (MiB)
_QC_MB = 1024.0
# what a recipe without a limit asks for
_NO_LIMIT_MB = 4096.0


@dataclass(frozen=True)
class _Submitted:
    """A DAG whose files are there: the ABs that each AB waits for, and the job that processes it."""

    folder: Path
    parents: Mapping[str, list[str]]
    jobs: Mapping[str, str]

    @property
    def token(self) -> str:
        return self.folder.name


@dataclass(frozen=True)
class _Date:
    """A date of an instrument in a mode, and the folder of its DAGs."""

    bench: Workbench
    instrument: str
    date: dt.date
    mode: Mode

    @property
    def folder(self) -> Path:
        return self.bench.tree.jobs / TOOL / f"{self.instrument}_{self.mode}_{self.date}"

    @property
    def lost_folder(self) -> Path:
        """Where the files of the last DAG stay that the pool did not carry out."""
        return self.bench.tree.jobs / TOOL / "lost" / self.folder.name

    def say(self, text: str) -> None:
        """Log what happens to a DAG, and add the event."""
        get_logger().info(text, tool=TOOL)
        with self.bench.store.write() as session:
            record_event(session, TOOL, "pool_job", text, instrument=self.instrument, date=self.date)


def run_on_pool(
    bench: Workbench,
    instrument: str,
    date: dt.date,
    mode: Mode = "CALIB",
    *,
    advance: Advance = silent,
    between: Callable[[], object] = lambda: None,
) -> Cascade:
    """Run the queued ABs of a date on the pool, each followed by its QC; a DAG that runs already is waited for first.

    Parameters
    ----------
    between : callable
        Called now and then while the DAG runs.

    Raises
    ------
    BusyError
        Another process watches a DAG of this date.
    PoolError
        The pool does not answer, takes no jobs, or has not carried out all. No AB is lost: the next call goes on.
    SettingsError
        The bindings are not installed.
    """
    pool = Pool(bench.settings.htcondor)
    own = _Date(bench, instrument, date, mode)
    make_folder(own.folder)
    asked: dict[str, list[str]] = {}
    with exclusive(bench.tree.locks, f"{TOOL}_{own.folder.name}"):
        for folder in sorted(own.folder.iterdir()):
            earlier = _read(folder)
            asked |= earlier.parents
            if number := pool.number(earlier.token):
                own.say(f"HTCondor still has job {number} of an earlier call: it is waited for")
            _finish(own, pool, earlier, advance, between)
        tasks = queued_cascade(bench, instrument, date, mode)
        asked |= {name: sorted(task.parents) for name, task in tasks.items()}
        capacity = pool.capacity()
        if runnable := _runnable(_fitting(own, tasks, capacity.memory_mb)):
            submitted = _write(own, runnable, capacity.cores)
            number = pool.submit(submitted.folder, submitted.token)
            n_jobs = len(set(submitted.jobs.values()))
            own.say(f"{len(runnable)} ABs, in {n_jobs} jobs and those of QC, are job {number} of HTCondor")
            if problem := _finish(own, pool, submitted, advance, between):
                raise PoolError(problem)
    return _outcome(bench, asked)


def resume_job(bench: Workbench, ab_name: str) -> ProcessResult | None:
    """Take up an AB whose job the pool starts once more; return how it ended if an earlier start has ended it.

    A recipe that outlived its daemons on this host is waited for. Elsewhere nothing of it is left: a pool starts
    a job again when it has given up the earlier start.
    """
    while True:
        with bench.store.read() as session:
            ab = session.scalars(select(AssociationBlock).where(AssociationBlock.name == ab_name)).one()
        if ab.state in (ABState.CREATED, ABState.QUEUED):
            return None
        if ab.state != ABState.PROCESSING:
            ok = ab.state not in _NOT_DONE
            return ProcessResult(ab.name, ok, ab.reason, ab.engine, ab.exec_seconds or 0.0)
        if ab.claim is None or is_elsewhere(ab.claim) or not is_alive(ab.claim):
            recover_interrupted(bench, lost=(ab_name,))
            return None
        time.sleep(1.0)


def _runnable(tasks: Mapping[str, Task]) -> dict[str, Task]:
    """Return the tasks that can run when those before them have: none that waits for what is not among them."""
    found: dict[str, Task] = {}
    while new := {
        name: task for name, task in tasks.items() if name not in found and task.parents <= found.keys()
    }:
        found |= new
    return found


def _fitting(own: _Date, tasks: Mapping[str, Task], memory_mb: float) -> dict[str, Task]:
    """Return the tasks that some host has the memory for; of the others say that none has."""
    wanted = _memory(own)
    too_large = [name for name in tasks if wanted[name] > memory_mb]
    if too_large:
        with own.bench.store.write() as session:
            for ab in session.scalars(select(AssociationBlock).where(AssociationBlock.name.in_(too_large))):
                text = (
                    f"{ab.name} stays in the queue: {ab.recipe} may take {wanted[ab.name]:.0f} MiB of memory, "
                    f"and the largest host of the pool has {memory_mb:.0f}. Lower memory_mb of the recipe in the "
                    f"pack if it takes less, or add a host"
                )
                record_lasting(session, TOOL, "ab_problem", text, ab=ab)
    return {name: task for name, task in tasks.items() if name not in too_large}


def _write(own: _Date, tasks: Mapping[str, Task], cores: int) -> _Submitted:
    """Write the files of a DAG; the list of its ABs first, so that it is never missing."""
    folder = make_folder(own.folder / f"{own.instrument}_{secrets.token_hex(8)}")
    settings = own.bench.settings.htcondor
    bundles = bundled(tasks, settings.bundle_s, cores)
    content = {
        name: {"job": _name(number), "parents": sorted(tasks[name].parents)}
        for number, bundle in enumerate(bundles)
        for name in bundle.names
    }
    write_bytes(folder / _TASKS, orjson.dumps(content))
    write_dag(folder, _jobs(own, bundles), settings, executable=sys.executable)
    return _read(folder)


def _name(number: int) -> str:
    return f"process{number}"


def _jobs(own: _Date, bundles: Sequence[Bundle]) -> list[PoolJob]:
    """Return the jobs of bundles; of what is equally urgent, QC stands behind what others wait for."""
    call = ("-m", "qcbench", "-w", str(own.bench.settings.root), "process-job")
    memory = _memory(own)
    jobs = []
    for number, bundle in enumerate(bundles):
        names = tuple(word for name in bundle.names for word in ("-a", name))
        after = frozenset(_name(other) for other in bundle.after)
        needed = max(memory[name] for name in bundle.names)
        place = (bundle.place[0], False, bundle.place)
        if bundle.is_waited_for:
            jobs.append((place, PoolJob(_name(number), (*call, "--no-qc", *names), after, memory_mb=needed)))
            after, call_qc = frozenset({_name(number)}), (*call, "--no-recipe", *names)
            behind = (bundle.place[0], True, bundle.place)
            jobs.append((behind, PoolJob(f"qc{number}", call_qc, after, memory_mb=_QC_MB)))
        else:
            jobs.append(
                (place, PoolJob(_name(number), (*call, *names), after, memory_mb=max(needed, _QC_MB)))
            )
    jobs.sort(key=lambda item: item[0])
    return [replace(job, priority=len(jobs) - index) for index, (_, job) in enumerate(jobs)]


def _memory(own: _Date) -> dict[str, float]:
    """Return what the recipe of each AB of a date asks for (MiB)."""
    recipes = own.bench.pack(own.instrument).instrument.recipes
    with own.bench.store.read() as session:
        query = select(AssociationBlock.name, AssociationBlock.recipe).where(
            AssociationBlock.instrument == own.instrument, AssociationBlock.dfo_date == own.date
        )
        rows = session.execute(query).all()
    usual = own.bench.settings.processing.memory_mb
    found = {}
    for name, recipe in rows:
        limit = recipes[recipe].memory_mb if recipe in recipes else None
        found[name] = (usual if limit is None else limit) or _NO_LIMIT_MB
    return found


def _read(folder: Path) -> _Submitted:
    """Read what an earlier call wrote; a call that was killed before it had written the list submitted nothing."""
    file = folder / _TASKS
    content = orjson.loads(file.read_bytes()) if file.is_file() else {}
    parents = {name: item["parents"] for name, item in content.items()}
    return _Submitted(folder, parents, {name: item["job"] for name, item in content.items()})


def _finish(
    own: _Date, pool: Pool, submitted: _Submitted, advance: Advance, between: Callable[[], object]
) -> str:
    """Watch a DAG to its end, put back to the queue what was lost with it, and say what that was and why."""
    told: set[str] = set()

    def tick() -> None:
        for name in sorted(_ended(own.bench, submitted.parents.keys() - told)):
            told.add(name)
            advance(name)
        between()

    def stands_still(number: int) -> None:
        own.say(
            f"none of the jobs of job {number} of HTCondor has run for {own.bench.settings.htcondor.idle_s:.0f} s: "
            f"condor_q -better-analyze -dag {number} says what they wait for"
        )

    try:
        pool.watch(submitted.token, tick, stands_still)
    except KeyboardInterrupt:
        # nobody is there to see a progress bar
        own.say("this call ends, but its job stays with HTCondor (condor_q); the next call waits for it")
        raise
    except PoolError:
        # a job on this host that was killed with its pool is known to be; the others may still run
        recover_interrupted(own.bench)
        raise
    tick()
    recover_interrupted(own.bench, lost=submitted.parents)
    problem = _tell_lost(own, pool, submitted)
    if problem:
        shutil.rmtree(own.lost_folder, ignore_errors=True)
        make_folder(own.lost_folder.parent)
        submitted.folder.replace(own.lost_folder)
    else:
        shutil.rmtree(submitted.folder, ignore_errors=True)
    return problem


def _states(bench: Workbench, names: Collection[str]) -> dict[str, ABState]:
    with bench.store.read() as session:
        query = select(AssociationBlock.name, AssociationBlock.state).where(AssociationBlock.name.in_(names))
        return {name: ABState(state) for name, state in session.execute(query)}


def _ended(bench: Workbench, names: Collection[str]) -> set[str]:
    states = _states(bench, names)
    return {name for name, state in states.items() if state not in _NOT_DONE or state == ABState.FAILED}


def _outcome(bench: Workbench, asked: Mapping[str, list[str]]) -> Cascade:
    """Return how the ABs ended, as the database has it; what the pool lost counts as failed, and is in the queue."""
    states = _states(bench, {*asked, *(parent for parents in asked.values() for parent in parents)})
    outcome = Cascade()
    for name, parents in asked.items():
        state = states.get(name, ABState.FAILED)
        open_parents = [parent for parent in parents if states.get(parent, ABState.FAILED) in _NOT_DONE]
        if state not in _NOT_DONE:
            outcome.done.append(name)
        elif open_parents and state != ABState.FAILED:
            outcome.waiting[name] = open_parents
        else:
            outcome.failed.append(name)
    return outcome


def _tell_lost(own: _Date, pool: Pool, submitted: _Submitted) -> str:
    """Add an event for each AB that could have run and did not: the pool lost it. Return that in one text."""
    failed = _outcome(own.bench, submitted.parents).failed
    states = _states(own.bench, failed)
    if not (lost := [name for name in failed if states.get(name) != ABState.FAILED]):
        return ""
    reasons = pool.reasons(submitted.folder)
    of_dag = pool.says(submitted.folder) or "HTCondor has not started it; was its job removed?"
    why: dict[str, str] = {}
    for name in lost:
        job = submitted.jobs[name]
        said = last_line(submitted.folder / f"{job}.err")
        why[name] = f"{reasons[job]}{f' ({said})' if said else ''}" if job in reasons else of_dag
    with own.bench.store.write() as session:
        for ab in session.scalars(select(AssociationBlock).where(AssociationBlock.name.in_(lost))):
            text = f"{ab.name}: lost by the pool, and in the queue again: {why[ab.name]}"
            record_event(session, TOOL, "ab_problem", text, ab=ab, level="error")
    return (
        f"the pool lost {len(lost)} of {len(submitted.parents)} ABs, which are in the queue again: {why[lost[0]]}. "
        f"The logs of the job are in {own.lost_folder}. Mend that, then call again"
    )
