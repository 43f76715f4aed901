"""The local cascade: tasks that wait for the tasks they depend on, on the cores of this host.

Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.2 and 5.8 (WAITFOR).
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush

from qcbench.core.logs import get_logger, words_of
from qcbench.core.progress import Advance, silent

# (-urgency, -seconds of the longest chain, name): the smallest runs first
Place = tuple[int, float, str]


@dataclass(frozen=True)
class Task:
    """A task, and the names of those that must have ended well before it starts.

    Attributes
    ----------
    priority : int
        The higher, the earlier; what a task waits for is as urgent as the task.
    seconds : float
        How long it is expected to run. Of what is equally urgent, the longest chain begins first.
    """

    name: str
    parents: frozenset[str] = frozenset()
    priority: int = 0
    seconds: float = 1.0


@dataclass
class Cascade:
    """How a cascade ended: what was done, what failed, and what waits for whom."""

    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    waiting: dict[str, list[str]] = field(default_factory=dict)

    def roots(self) -> dict[str, list[str]]:
        """Return what waits, each with what has to be mended: those behind it that wait for nobody themselves.

        They failed, or are not of this cascade. Tasks that wait for each other alone have none.
        """
        children: dict[str, list[str]] = {}
        for name, parents in self.waiting.items():
            for parent in parents:
                children.setdefault(parent, []).append(name)
        roots: dict[str, list[str]] = {name: [] for name in self.waiting}
        for root in sorted(children.keys() - self.waiting.keys()):
            behind, seen = [root], {root}
            while behind:
                new = set(children.get(behind.pop(), ())) - seen
                seen |= new
                behind += new
            for name in seen - {root}:
                roots[name].append(root)
        return roots


def run_cascade(
    tasks: Mapping[str, Task],
    run: Callable[[str], bool],
    follow_up: Callable[[str], object],
    *,
    workers: int = 0,
    advance: Advance = silent,
    stop: threading.Event | None = None,
    has_room: Callable[[str], bool] = lambda name: True,
) -> Cascade:
    """Run tasks in the order of their dependencies, as many at a time as there are workers.

    Parameters
    ----------
    tasks : Mapping[str, Task]
        By name. A parent that is not among them is taken as not done.
    run : callable
        Runs a task by its name and returns whether it ended well; an exception is logged and counts as a failure.
    follow_up : callable
        Called with the name of each task that ended well; nothing waits for it.
    workers : int
        0: one for each core.
    stop : Event, optional
        Set when the cascade is left early, by Ctrl-C or an error, for `run` to end what it is at: it is waited for.
    has_room : callable
        Tells whether there is room for a task by the side of those that run. The next one waits until there is, or
        until nothing runs and no follow-up is left that could make some: then it is run, and says what it lacks.

    Returns
    -------
    Cascade
        A task whose parent failed is not run, it waits.
    """
    outcome = Cascade()
    running: dict[Future[bool], tuple[str, bool]] = {}
    n_workers = workers or os.cpu_count() or 1
    plan = _Plan(tasks, n_workers)
    with _pool(n_workers, stop or threading.Event()) as pool:
        while True:
            while len(running) < n_workers and (chosen := plan.take(has_room, at_any_rate=not running)):
                name, is_follow_up = chosen
                call = _follow(follow_up) if is_follow_up else run
                running[pool.submit(_guarded, call, name)] = chosen
            if not running:
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                name, is_follow_up = running.pop(future)
                ended_well = future.result()
                if not is_follow_up and ended_well:
                    outcome.done.append(name)
                    plan.release(name)
                    continue
                if not is_follow_up:
                    outcome.failed.append(name)
                advance(name)
    outcome.waiting = plan.waiting()
    return outcome


def places(tasks: Mapping[str, Task]) -> dict[str, Place]:
    """Return where each task stands: what is urgent first, then the longest chains."""
    return _Plan(tasks, 1).places


class _Plan:
    """What can run now, best first, and what waits for whom."""

    def __init__(self, tasks: Mapping[str, Task], workers: int):
        self._tasks = tasks
        self._workers = workers
        self._children: dict[str, list[str]] = {name: [] for name in tasks}
        for task in tasks.values():
            for parent in task.parents & tasks.keys():
                self._children[parent].append(task.name)
        self._open = {task.name: set(task.parents) for task in tasks.values()}
        self._seconds_left = sum(task.seconds for task in tasks.values())
        self.places = self._placed()
        self._ready: list[Place] = []
        self._follow_ups: list[Place] = []
        # how many are ready that others wait for, by their urgency
        self._waited_for: Counter[int] = Counter()
        for name in [name for name, parents in self._open.items() if not parents]:
            self._begin(name)

    def _placed(self) -> dict[str, Place]:
        """Return where each task stands: children before their parents, which inherit from them."""
        urgency = {name: task.priority for name, task in self._tasks.items()}
        chain = {name: task.seconds for name, task in self._tasks.items()}
        left = {name: len(children) for name, children in self._children.items()}
        ends = [name for name, number in left.items() if not number]
        while ends:
            name = ends.pop()
            for parent in self._tasks[name].parents & self._tasks.keys():
                urgency[parent] = max(urgency[parent], urgency[name])
                chain[parent] = max(chain[parent], self._tasks[parent].seconds + chain[name])
                left[parent] -= 1
                if not left[parent]:
                    ends.append(parent)
        return {name: (-urgency[name], -chain[name], name) for name in self._tasks}

    def _begin(self, name: str) -> None:
        del self._open[name]
        place = self.places[name]
        heappush(self._ready, place)
        self._waited_for[place[0]] += bool(self._children[name])

    def take(self, has_room: Callable[[str], bool], *, at_any_rate: bool) -> tuple[str, bool] | None:
        """Take what is to run next, and whether it is the follow-up of that task; None if nothing can run now.

        `at_any_rate`: a task for which there is no room is taken all the same, if there is no follow-up.
        """
        if self._is_follow_up_next():
            return heappop(self._follow_ups)[-1], True
        if not self._ready:
            return None
        if not has_room(self._ready[0][-1]):
            if self._follow_ups:
                return heappop(self._follow_ups)[-1], True
            if not at_any_rate:
                return None
        urgency, _, name = heappop(self._ready)
        self._waited_for[urgency] -= bool(self._children[name])
        self._seconds_left -= self._tasks[name].seconds
        return name, False

    def _is_follow_up_next(self) -> bool:
        if not (self._ready and self._follow_ups):
            return bool(self._follow_ups)
        (urgency, chain, _), of_follow_up = self._ready[0], self._follow_ups[0][0]
        if urgency != of_follow_up:
            return of_follow_up < urgency
        # what others wait for, and what takes longer than a worker's share of the rest, sets the end; QC fills gaps
        return not self._waited_for[urgency] and -chain * self._workers <= self._seconds_left

    def release(self, name: str) -> None:
        """Let run what waited for a task, and its follow-up."""
        heappush(self._follow_ups, self.places[name])
        for child in self._children[name]:
            self._open[child].discard(name)
            if not self._open[child]:
                self._begin(child)

    def waiting(self) -> dict[str, list[str]]:
        """Return what was not run, each with those of its parents that were not done."""
        return {name: sorted(parents) for name, parents in sorted(self._open.items())}


def _guarded(call: Callable[[str], bool], name: str) -> bool:
    """Call, and take an exception as a failure: whatever one task brings about, the others go on."""
    try:
        return bool(call(name))
    except Exception as err:  # noqa: BLE001 (it is logged with its traceback; the night goes on)
        get_logger().error(f"{name}: {words_of(err, 'cascade')}")
        return False


def _follow(follow_up: Callable[[str], object]) -> Callable[[str], bool]:
    def call(name: str) -> bool:
        follow_up(name)
        return True

    return call


@contextmanager
def _pool(workers: int, stop: threading.Event) -> Iterator[ThreadPoolExecutor]:
    """Give a pool that, when it is left early, drops what has not begun, and tells what has."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="cascade")
    try:
        yield pool
    finally:
        # where it ended well, nothing is there to hear it
        stop.set()
        pool.shutdown(cancel_futures=True)
