"""The cascade: a task runs after its parents, waits for a parent that failed, and holds up nothing else."""

from __future__ import annotations

import threading

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
    assert outcome.roots() == {"flat": ["dark"], "science": ["dark"]}


def test_a_parent_that_is_not_in_the_job_is_waited_for():
    outcome = run_cascade(tasks(flat="dark_of_yesterday"), lambda name: True, lambda name: True)
    assert outcome.waiting == outcome.roots() == {"flat": ["dark_of_yesterday"]}


def test_each_task_that_ended_well_has_its_follow_up_and_a_failed_one_has_none():
    followed: list[str] = []
    run_cascade(
        tasks(a="", b="a", c=""), lambda name: name != "c", lambda name: followed.append(name) is None
    )
    assert sorted(followed) == ["a", "b"]


def test_as_many_tasks_run_at_a_time_as_there_are_workers():
    together = threading.Barrier(3)

    def run(_name: str) -> bool:
        together.wait(timeout=60)
        return True

    outcome = run_cascade(tasks(**{f"t{index}": "" for index in range(6)}), run, lambda name: True, workers=3)
    assert len(outcome.done) == 6


def test_the_bar_advances_once_for_each_task():
    seen: list[str] = []
    run_cascade(tasks(a="", b="a", c=""), lambda name: name != "c", lambda name: True, advance=seen.append)
    assert sorted(seen) == ["a", "b", "c"]


@st.composite
def cascades(draw: st.DrawFn) -> dict[str, Task]:
    """Tasks in any order, each of which may wait for any of those that were drawn before it."""
    graph: dict[str, Task] = {}
    for number in range(draw(st.integers(0, 12))):
        parents = draw(st.sets(st.sampled_from(sorted(graph)), max_size=3)) if graph else set()
        priority, seconds = draw(st.integers(0, 2)), draw(st.integers(0, 9))
        graph[f"t{number}"] = Task(f"t{number}", frozenset(parents), priority, float(seconds))
    return {name: graph[name] for name in draw(st.permutations(sorted(graph)))}


def ancestors(graph: dict[str, Task], name: str) -> set[str]:
    found, behind = set(), [name]
    while behind:
        new = graph[behind.pop()].parents - found
        found |= new
        behind += new
    return found


class Watched:
    """Runs tasks, some of which fail in one way or the other, and notes what it sees."""

    def __init__(self, failing: set[str] = frozenset(), raising: set[str] = frozenset()):
        self.failing, self.raising = failing, raising
        self.began: list[str] = []
        self.ended_well: set[str] = set()
        self.done_before: dict[str, set[str]] = {}
        self.followed: list[str] = []
        self.most = self._running = 0
        self._lock = threading.Lock()

    def _begin(self) -> None:
        self._running += 1
        self.most = max(self.most, self._running)

    def run(self, name: str) -> bool:
        with self._lock:
            self._begin()
            self.began.append(name)
            self.done_before[name] = set(self.ended_well)
        with self._lock:
            self._running -= 1
            if name in self.raising:
                raise RuntimeError("out of the blue")
            if name not in self.failing:
                self.ended_well.add(name)
            return name not in self.failing

    def follow_up(self, name: str) -> None:
        with self._lock:
            self._begin()
            self.followed.append(name)
        with self._lock:
            self._running -= 1


@given(cascades(), st.data(), st.integers(1, 4))
def test_every_task_is_done_failed_or_waiting_and_never_before_its_parents(graph, data, workers):
    names = st.sets(st.sampled_from(sorted(graph))) if graph else st.just(set())
    seen = Watched(data.draw(names, "failing"), data.draw(names, "raising"))
    outcome = run_cascade(graph, seen.run, seen.follow_up, workers=workers)
    bad = seen.failing | seen.raising
    assert sorted([*outcome.done, *outcome.failed, *outcome.waiting]) == sorted(graph)
    assert sorted(seen.began) == sorted([*outcome.done, *outcome.failed]), "nothing runs twice"
    assert sorted(seen.followed) == sorted(outcome.done)
    assert all(graph[name].parents <= seen.done_before[name] for name in seen.began)
    assert set(outcome.waiting) == {name for name in graph if ancestors(graph, name) & bad}
    assert set(outcome.failed) == bad - set(outcome.waiting)
    assert outcome.waiting == {
        name: sorted(graph[name].parents - set(outcome.done)) for name in outcome.waiting
    }
    assert outcome.roots() == {
        name: sorted(ancestors(graph, name) & set(outcome.failed)) for name in outcome.waiting
    }
    assert seen.most <= workers


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
    assert order == ["b", "c", "a", "d", "e"]


def order_with_qc(graph: dict[str, Task], workers: int = 1) -> list[str]:
    order: list[str] = []
    run_cascade(
        graph,
        lambda name: order.append(name) is None,
        lambda name: order.append(f"QC of {name}"),
        workers=workers,
    )
    return order


def test_qc_waits_for_what_others_wait_for_and_not_for_the_rest():
    order = order_with_qc(tasks(bias="", dark="", dome="dark", flat="bias", noise=""))
    assert order == [
        "bias", "dark", "QC of bias", "QC of dark", "dome", "QC of dome", "flat", "QC of flat", "noise",
        "QC of noise",
    ]  # fmt: skip


def test_qc_of_what_is_urgent_comes_before_what_is_not():
    graph = {"health": Task("health", priority=1), **tasks(bias="", flat="bias")}
    assert order_with_qc(graph) == ["health", "QC of health", "bias", "QC of bias", "flat", "QC of flat"]


def test_qc_waits_for_what_takes_longer_than_all_the_rest_on_another_worker():
    started, order = threading.Event(), []

    def run(name: str) -> bool:
        if name == "other":
            started.wait(timeout=60)
        order.append(name)
        if name == "long":
            started.set()
        return True

    graph = {
        "bias": Task("bias", seconds=5.0),
        "long": Task("long", frozenset({"bias"}), seconds=100.0),
        "other": Task("other", seconds=20.0),
        "short": Task("short", seconds=1.0),
    }
    run_cascade(graph, run, lambda name: order.append(f"QC of {name}"), workers=2)
    assert order[:2] == ["bias", "long"]


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
    assert outcome.roots() == {"a": [], "b": []}


@given(cascades(), st.randoms(use_true_random=False))
def test_with_one_worker_what_is_ready_runs_in_the_order_of_urgency_chain_and_name(graph, chance):
    def descend(name: str) -> list[str]:
        return [name, *(child for child in graph if name in ancestors(graph, child))]

    def chain(name: str) -> float:
        children = (child for child, task in graph.items() if name in task.parents)
        return graph[name].seconds + max((chain(child) for child in children), default=0.0)

    def place(name: str) -> tuple[int, float, str]:
        return -max(graph[other].priority for other in descend(name)), -chain(name), name

    order = Watched()
    run_cascade(graph, order.run, order.follow_up, workers=1)
    assert sorted(order.began) == sorted(graph)
    left = set(graph)
    for name in order.began:
        ready = [one for one in left if not graph[one].parents & left]
        assert name == min(ready, key=place)
        left.remove(name)
    names = list(graph)
    chance.shuffle(names)
    again = Watched()
    run_cascade({name: graph[name] for name in names}, again.run, again.follow_up, workers=1)
    assert (again.began, again.followed) == (order.began, order.followed)
