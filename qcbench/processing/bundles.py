"""Which ABs share a job of a pool: a job takes seconds to begin, many recipes take no longer.

An AB whose recipe runs long has a job of its own. Short ones that could run beside each other, equally urgent and
equally far down the cascade, share one, but never so many that a core of the pool has nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from qcbench.processing.cascade import Place, Task, places

# names stand in a command line
_MAX_ABS = 100
# times are sums of floats
_ROUNDING_S = 1e-6


@dataclass(frozen=True)
class Bundle:
    """ABs that one job processes, one after the other.

    Attributes
    ----------
    place : Place
        Where the first of them stands among all ABs: the smaller, the earlier.
    after : frozenset of int
        Bundles, by their place in the list, that make what these ABs wait for.
    is_waited_for : bool
        Another bundle waits for this one.
    """

    names: tuple[str, ...]
    place: Place
    after: frozenset[int]
    is_waited_for: bool


def bundled(tasks: Mapping[str, Task], seconds: float, cores: int) -> list[Bundle]:
    """Return the tasks in bundles, each behind those that it waits for.

    Parameters
    ----------
    tasks : Mapping[str, Task]
        By name; each with all its parents.
    seconds : float
        How long the job of a bundle of short ABs is to run (s); 0: each AB has a job of its own.
    cores : int
        How many jobs can run at a time.
    """
    depth = _depths(tasks)
    waited_for = frozenset[str]().union(*(task.parents for task in tasks.values()))
    place = places(tasks)

    def alike(name: str) -> tuple[int, int, bool]:
        return depth[name], place[name][0], name not in waited_for

    ordered = sorted(tasks, key=lambda name: (alike(name), place[name]))
    bundles: list[Bundle] = []
    where: dict[str, int] = {}
    for (_, _, is_last), group in groupby(ordered, alike):
        for names in _split([tasks[name] for name in group], seconds, cores):
            after = frozenset(where[parent] for name in names for parent in tasks[name].parents)
            where |= dict.fromkeys(names, len(bundles))
            bundles.append(Bundle(names, place[names[0]], after, not is_last))
    return bundles


def _depths(tasks: Mapping[str, Task]) -> dict[str, int]:
    """Return how many tasks stand one behind the other before each."""
    depths: dict[str, int] = {}
    while new := [
        name for name, task in tasks.items() if name not in depths and task.parents <= depths.keys()
    ]:
        for name in new:
            depths[name] = 1 + max((depths[parent] for parent in tasks[name].parents), default=-1)
    return depths


def _split(tasks: Sequence[Task], seconds: float, cores: int) -> Iterator[tuple[str, ...]]:
    """Yield the names of tasks that share a job, the order kept."""
    limit = min(seconds, sum(task.seconds for task in tasks) / cores) + _ROUNDING_S
    names: list[str] = []
    used = 0.0
    for task in tasks:
        if names and (used + task.seconds > limit or len(names) >= _MAX_ABS):
            yield tuple(names)
            names, used = [], 0.0
        names.append(task.name)
        used += task.seconds
    yield tuple(names)
