"""The local cascade: tasks that wait for the tasks they depend on, on the cores of this host.

Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.2 and 5.8 (WAITFOR).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field

from qcbench.core.progress import Advance, silent


@dataclass(frozen=True)
class Task:
    """A task, and the names of those that must have ended well before it starts."""

    name: str
    parents: frozenset[str] = frozenset()


@dataclass
class Cascade:
    """How a cascade ended: what was done, what failed, and what waits for whom."""

    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    waiting: dict[str, list[str]] = field(default_factory=dict)


def run_cascade(
    tasks: Mapping[str, Task],
    run: Callable[[str], bool],
    follow_up: Callable[[str], object],
    *,
    workers: int = 0,
    advance: Advance = silent,
) -> Cascade:
    """Run tasks in the order of their dependencies, as many at a time as there are workers.

    Parameters
    ----------
    tasks : Mapping[str, Task]
        By name. A parent that is not among them is taken as not done.
    run : callable
        Runs a task by its name and returns whether it ended well.
    follow_up : callable
        Called with the name of each task that ended well; nothing waits for it.
    workers : int
        0: one for each core.

    Returns
    -------
    Cascade
        A task whose parent failed is not run, it waits.
    """
    outcome = Cascade()
    open_tasks = dict(tasks)
    running: dict[Future[object], tuple[str, bool]] = {}
    with _pool(workers or os.cpu_count() or 1) as pool:
        while True:
            for task in _ready(open_tasks, outcome):
                del open_tasks[task.name]
                running[pool.submit(run, task.name)] = task.name, True
            if not running:
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                name, is_task = running.pop(future)
                ended_well = bool(future.result())
                if not is_task:
                    advance(name)
                elif ended_well:
                    outcome.done.append(name)
                    running[pool.submit(follow_up, name)] = name, False
                else:
                    outcome.failed.append(name)
                    advance(name)
    done = set(outcome.done)
    outcome.waiting = {name: sorted(task.parents - done) for name, task in sorted(open_tasks.items())}
    return outcome


@contextmanager
def _pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Give a pool that, when it is left early, drops what has not begun."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="cascade")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _ready(tasks: Mapping[str, Task], outcome: Cascade) -> list[Task]:
    done = set(outcome.done)
    return [task for task in tasks.values() if task.parents <= done]
