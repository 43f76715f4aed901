"""QC that fails after the child has run: the AB fails with a reason, the child stays, and made again all is well."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from qcbench.processing import process_ab
from qcbench.store import ABState, AssociationBlock
from qcbench.workbench import Workbench
from tests.faults import daily
from tests.faults import rig as rigs
from tests.faults.rig import Rig
from tests.faults.table import RECORDED


def test_qc_that_fails_after_the_child_has_run_fails_its_ab_alone(
    rig: Rig, tmp_path: Path, tell: Callable[..., None]
) -> None:
    root, victim = tmp_path / "bench", f"{rig.victim}.ab"
    bench = rig.copy(root)
    engines = {"python": rigs.StandIn()}
    with rigs.recipes(rig):
        assert process_ab(bench, victim, engines=engines).ok
        assert process_ab(bench, rig.child, engines=engines).ok
    with bench.store.read() as session:
        (path,) = [
            product.path
            for product in session.get_one(AssociationBlock, rigs.block(bench, victim).id).products
        ]
    os.truncate(path, 4000)

    ended = daily.run(rig, root)
    assert "Traceback" not in ended.said
    found = rigs.states(bench)
    assert found.pop(victim) == ABState.FAILED
    assert found[rig.child] == "scored"
    late = [name for name, state in found.items() if state == ABState.FAILED]
    assert late, "its other child was to use what was damaged meanwhile"
    for name in late:
        assert f"{path}: it is not what {victim} has made" in (rigs.block(bench, name).reason or "")
    assert {state for name, state in found.items() if name not in late} == {"scored"}
    reason = rigs.block(bench, victim).reason or ""
    assert Path(path).name in reason

    with rigs.recipes(rig):
        for name in (victim, *late):
            assert process_ab(bench, name, engines=engines, again=True).ok
    assert daily.run(rig, root).code == 0
    assert set(rigs.states(bench).values()) == {"scored"}
    bench.close()
    tell("QC: fails after the child has run", RECORDED)


@dataclass(frozen=True)
class _Unforeseen:
    """A call that meets what nobody foresaw: `name` of a module, for an AB or date, whichever `victim` is."""

    module: str
    name: str
    victim: str

    @contextmanager
    def __call__(self, _root: Path) -> Iterator[None]:
        module = import_module(self.module)
        proper = getattr(module, self.name)

        def call(bench: Workbench, about: str, *rest: object, **options: object) -> object:
            if about == self.victim:
                raise LookupError("nobody foresaw this")
            return proper(bench, about, *rest, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, self.name, call)
            yield


def test_qc_that_meets_what_nobody_foresaw_concerns_its_ab_alone(
    rig: Rig, tmp_path: Path, tell: Callable[..., None]
) -> None:
    root, victim = tmp_path / "bench", f"{rig.victim}.ab"
    bench = rig.fresh(root)
    for _ in range(2):
        ended = daily.run(rig, root, _Unforeseen("qcbench.workflow.job", "process_qc", victim))
        assert f"{victim}: an unexpected error: LookupError: nobody foresaw this" in ended.said
        found = rigs.states(bench)
        assert found.pop(victim) == ABState.PROCESSED
        assert set(found.values()) == {"scored"}
    assert daily.run(rig, root).code == 0
    assert set(rigs.states(bench).values()) == {"scored"}
    bench.close()
    tell("QC: meets what nobody foresaw", RECORDED)


def test_a_stage_that_meets_what_nobody_foresaw_does_not_keep_the_others(rig: Rig, tmp_path: Path) -> None:
    root = tmp_path / "bench"
    bench = rig.fresh(root)
    ended = daily.run(rig, root, _Unforeseen("qcbench.workflow.auto_daily", "data_report", rigs.INSTRUMENT))
    assert ended.code != 0
    assert "create-report: an unexpected error: LookupError: nobody foresaw this" in ended.said
    assert set(rigs.states(bench).values()) == {"scored"}
    bench.close()
