"""Move, rename, ingest: the distribution of one date, step by step, told in words as it goes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from qcbench.core.errors import QcbenchError
from qcbench.core.locks import exclusive
from qcbench.distribution import audit, ingest_products, move_products, rename_products, update_abs
from qcbench.workbench import Workbench

StepState = Literal["waiting", "running", "done", "failed", "skipped"]
Work = Callable[[Workbench, str, dt.date], Any]


@dataclass(frozen=True)
class Step:
    """One step, as the page shows it."""

    name: str
    state: StepState = "waiting"
    text: str = ""


@dataclass(frozen=True)
class _Task:
    name: str
    work: Work
    done: Callable[[Any], str]
    problems: Callable[[Any], list[str]]


def run_distribution(bench: Workbench, instrument: str, date: dt.date) -> Iterator[tuple[Step, ...]]:
    """Run the steps one after the other and give the state of all of them at each change.

    A step that fails ends the run, so that nothing is ingested under a name that it should not have; the audit is
    always made, since it only looks.
    """
    steps = [Step(task.name) for task in _TASKS]
    broken = False
    for index, task in enumerate(_TASKS):
        if broken and task.work is not audit:
            steps[index] = replace(steps[index], state="skipped", text="not begun")
            continue
        steps[index] = replace(steps[index], state="running", text="…")
        yield tuple(steps)
        steps[index] = _run(task, bench, instrument, date)
        broken = broken or steps[index].state == "failed"
        yield tuple(steps)


def waiting_steps() -> tuple[Step, ...]:
    """Return the steps before anything has begun."""
    return tuple(Step(task.name) for task in _TASKS)


def _run(task: _Task, bench: Workbench, instrument: str, date: dt.date) -> Step:
    try:
        with exclusive(bench.tree.locks, f"distribution-{instrument}-{date}"):
            result = task.work(bench, instrument, date)
    except QcbenchError as err:
        return Step(task.name, "failed", str(err))
    problems = task.problems(result)
    if problems:
        return Step(task.name, "failed", "; ".join(problems))
    return Step(task.name, "done", task.done(result))


def _listed(result: Any) -> list[str]:
    return [f"{name}: {problem}" for name, problem in result.problems]


def _nothing(_result: Any) -> list[str]:
    return []


def _number(count: int, one: str) -> str:
    return f"{count} {one}" if count == 1 else f"{count} {one}s"


_TASKS = (
    _Task("move", move_products, lambda result: _number(len(result.moved), "AB"), _listed),
    _Task("rename", rename_products, lambda result: _number(len(result.renamed), "AB"), _listed),
    _Task("ingest", ingest_products, lambda result: _number(len(result.products), "product"), _listed),
    _Task("update ABs", update_abs, lambda result: _number(len(result.updated), "AB"), _nothing),
    _Task("audit", audit, lambda result: "archive and database agree", list),
)
