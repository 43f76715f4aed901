"""ABs that share a job of a pool."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qcbench.processing.bundles import bundled
from qcbench.processing.cascade import Task


def tasks_of(*tasks: Task) -> dict[str, Task]:
    return {task.name: task for task in tasks}


def names(tasks: dict[str, Task], seconds: float, cores: int) -> list[tuple[str, ...]]:
    return [bundle.names for bundle in bundled(tasks, seconds, cores)]


def test_short_abs_share_a_job_and_long_ones_do_not():
    tasks = tasks_of(*(Task(f"s{number}", seconds=1.0) for number in range(6)), Task("long", seconds=300.0))
    assert names(tasks, 3.0, 2) == [("long",), ("s0", "s1", "s2"), ("s3", "s4", "s5")]


def test_with_zero_seconds_each_ab_has_its_own_job():
    tasks = tasks_of(*(Task(f"s{number}", seconds=0.1) for number in range(4)))
    assert names(tasks, 0.0, 2) == [("s0",), ("s1",), ("s2",), ("s3",)]


def test_no_core_of_the_pool_is_left_without_a_job():
    tasks = tasks_of(*(Task(f"s{number}", seconds=1.0) for number in range(8)))
    assert len(names(tasks, 100.0, 8)) == 8
    assert len(names(tasks, 100.0, 4)) == 4


def test_an_urgent_ab_and_what_it_waits_for_share_no_job_with_the_bulk():
    tasks = tasks_of(
        Task("bulk1", seconds=0.1),
        Task("bulk2", seconds=0.1),
        Task("dark", seconds=0.1),
        Task("urgent", frozenset({"dark"}), priority=1, seconds=0.1),
    )
    bundles = bundled(tasks, 100.0, 1)
    assert [bundle.names for bundle in bundles] == [("dark",), ("bulk1", "bulk2"), ("urgent",)]
    dark, bulk, urgent = bundles
    assert max(dark.place, urgent.place) < bulk.place
    assert urgent.after == {0}
    assert [bundle.is_waited_for for bundle in bundles] == [True, False, False]


@st.composite
def cascades(draw: st.DrawFn) -> dict[str, Task]:
    tasks: dict[str, Task] = {}
    for number in range(draw(st.integers(1, 25))):
        parents = draw(st.frozensets(st.sampled_from(sorted(tasks)), max_size=3)) if tasks else frozenset()
        priority, seconds = draw(st.integers(0, 1)), draw(st.floats(0, 50))
        tasks[f"t{number}"] = Task(f"t{number}", parents, priority, seconds)
    return tasks


@given(tasks=cascades(), seconds=st.floats(0, 100), cores=st.integers(1, 30))
def test_each_ab_is_in_one_job_behind_the_jobs_of_its_parents(tasks, seconds, cores):
    bundles = bundled(tasks, seconds, cores)
    where = {name: number for number, bundle in enumerate(bundles) for name in bundle.names}
    assert sorted(where) == sorted(tasks)
    assert sum(len(bundle.names) for bundle in bundles) == len(tasks)
    for number, bundle in enumerate(bundles):
        assert bundle.after == {where[parent] for name in bundle.names for parent in tasks[name].parents}
        assert all(other < number for other in bundle.after)
        waits = any(number in other.after for other in bundles)
        assert bundle.is_waited_for == waits
