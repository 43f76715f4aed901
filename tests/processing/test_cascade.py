"""The cascade: a task runs after its parents, waits for a parent that failed, and holds up nothing else."""

from __future__ import annotations

import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from qcbench.processing import Task, run_cascade


def tasks(**parents: str) -> dict[str, Task]:
    return {name: Task(name, frozenset(text.split())) for name, text in parents.items()}


def test_a_task_runs_after_its_parents():
    order: list[str] = []
    outcome = run_cascade(
        tasks(flat="dark bias", dark="bias", bias=""),
        lambda name: order.append(name) is None,
        lambda name: True,
    )
    assert order == ["bias", "dark", "flat"]
    assert sorted(outcome.done) == ["bias", "dark", "flat"]


def test_a_child_of_a_failed_task_waits_and_says_for_whom():
    outcome = run_cascade(
        tasks(flat="dark", dark="", noise="", science="flat"), lambda name: name != "dark", lambda name: True
    )
    assert outcome.done == ["noise"]
    assert outcome.failed == ["dark"]
    assert outcome.waiting == {"flat": ["dark"], "science": ["flat"]}


def test_a_parent_that_is_not_in_the_job_is_waited_for():
    outcome = run_cascade(tasks(flat="dark_of_yesterday"), lambda name: True, lambda name: True)
    assert outcome.waiting == {"flat": ["dark_of_yesterday"]}


def test_each_task_that_ended_well_has_its_follow_up_and_a_failed_one_has_none():
    followed: list[str] = []
    run_cascade(
        tasks(a="", b="a", c=""), lambda name: name != "c", lambda name: followed.append(name) is None
    )
    assert sorted(followed) == ["a", "b"]


def test_no_more_tasks_run_at_a_time_than_there_are_workers():
    lock, running, most = threading.Lock(), [0], [0]

    def run(_name: str) -> bool:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.02)
        with lock:
            running[0] -= 1
        return True

    run_cascade(tasks(**{f"t{index}": "" for index in range(12)}), run, lambda name: True, workers=3)
    assert 1 < most[0] <= 3


def test_the_bar_advances_once_for_each_task():
    seen: list[str] = []
    run_cascade(tasks(a="", b="a", c=""), lambda name: name != "c", lambda name: True, advance=seen.append)
    assert sorted(seen) == ["a", "b", "c"]


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=14), st.sets(st.integers(0, 8)))
def test_every_task_is_done_failed_or_waiting_and_never_before_its_parents(edges, failing):
    graph = {
        str(child): Task(str(child), frozenset(str(a) for a, b in edges if b == child and a < b))
        for child in range(9)
    }
    order: list[str] = []

    def run(name: str) -> bool:
        order.append(name)
        return int(name) not in failing

    outcome = run_cascade(graph, run, lambda name: True, workers=3)
    assert sorted([*outcome.done, *outcome.failed, *outcome.waiting]) == sorted(graph)
    done = set(outcome.done)
    assert all(graph[name].parents <= done for name in [*outcome.done, *outcome.failed])
    assert all(not graph[name].parents <= done for name in outcome.waiting)
    assert len(order) == len(set(order)), "nothing runs twice"


def test_what_is_urgent_runs_first_and_so_does_what_it_waits_for():
    order: list[str] = []
    graph = {
        "bulk": Task("bulk", seconds=100.0),
        "dark": Task("dark"),
        "health": Task("health", frozenset({"dark"}), priority=1),
        "noise": Task("noise", priority=1),
    }
    run_cascade(graph, lambda name: order.append(name) is None, lambda name: True, workers=1)
    assert order == ["dark", "health", "noise", "bulk"]


def test_of_what_is_equally_urgent_the_longest_chain_begins():
    order: list[str] = []
    graph = {
        "a": Task("a", seconds=3.0),
        "b": Task("b", seconds=1.0),
        "c": Task("c", frozenset({"b"}), seconds=9.0),
        "d": Task("d", seconds=2.0),
        "e": Task("e", frozenset({"d"}), seconds=1.0),
    }
    run_cascade(graph, lambda name: order.append(name) is None, lambda name: True, workers=1)
    assert order == ["b", "d", "c", "a", "e"]


def test_qc_waits_for_what_others_wait_for_and_not_for_the_rest():
    order: list[str] = []
    run_cascade(
        tasks(bias="", dark="", flat="dark", noise=""),
        lambda name: order.append(name) is None,
        lambda name: order.append(f"QC of {name}"),
        workers=1,
    )
    assert order == [
        "dark", "QC of dark", "bias", "QC of bias", "flat", "QC of flat", "noise", "QC of noise",
    ]  # fmt: skip


def test_an_exception_is_the_failure_of_one_task(caplog):
    def run(name: str) -> bool:
        if name == "b":
            raise RuntimeError("out of the blue")
        return True

    outcome = run_cascade(tasks(a="", b="", c="b", d="a"), run, lambda name: 1 / 0, workers=2)
    assert sorted(outcome.done) == ["a", "d"]
    assert outcome.failed == ["b"]
    assert outcome.waiting == {"c": ["b"]}


def test_tasks_that_wait_for_each_other_are_not_run():
    outcome = run_cascade(tasks(a="b", b="a", c=""), lambda name: True, lambda name: True)
    assert (outcome.done, outcome.waiting) == (["c"], {"a": ["b"], "b": ["a"]})


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20),
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), min_size=10, max_size=10),
)
def test_with_one_worker_nothing_ready_is_more_urgent_than_what_runs(edges, ranks):
    graph = {
        str(child): Task(
            str(child), frozenset(str(a) for a, b in edges if b == child and a < b), ranks[child][0]
        )
        for child in range(10)
    }
    urgency = {name: task.priority for name, task in graph.items()}
    for child in sorted(graph, key=int, reverse=True):
        for parent in graph[child].parents:
            urgency[parent] = max(urgency[parent], urgency[child])
    order: list[str] = []
    run_cascade(graph, lambda name: order.append(name) is None, lambda name: True, workers=1)
    assert sorted(order) == sorted(graph)
    for position, name in enumerate(order):
        ready = [later for later in order[position:] if graph[later].parents <= set(order[:position])]
        assert urgency[name] == max(urgency[other] for other in ready)
