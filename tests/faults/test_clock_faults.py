"""A clock that is set back, before a call or in the middle of one: nothing is lost, and no delay is negative."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from qcbench.store.delays import delays_of
from tests.faults import daily
from tests.faults import rig as rigs
from tests.faults.befall import befall
from tests.faults.disturbances import ClockSet, KilledAtWork
from tests.faults.rig import INSTRUMENT, Rig
from tests.nights import NIGHT

HOUR_S, DAY_S = 3600.0, 86400.0


def not_negative(root: Path) -> bool:
    bench = rigs.opened(root)
    with bench.store.read() as session:
        found = [vars(item.delays) for item in delays_of(session, INSTRUMENT, NIGHT)]
    bench.close()
    assert found
    return all(seconds is None or seconds >= 0 for parts in found for seconds in parts.values())


@pytest.mark.timeout(900)
@pytest.mark.parametrize("back_s", [HOUR_S, DAY_S])
@pytest.mark.parametrize(("first", "step"), [(200, 500), pytest.param(1, 25, marks=pytest.mark.long)])
def test_a_clock_that_is_set_back_in_the_middle_changes_nothing(
    rig: Rig, tmp_path: Path, judge: Callable[..., None], back_s: float, first: int, step: int
) -> None:
    for moment in range(first, rig.operations + 1, step):
        outcome = befall(rig, tmp_path / str(moment), ClockSet(moment, -back_s))
        assert outcome.first.code == 0
        assert outcome.is_equal, f"moment {moment}: {outcome.differed}"
        assert not_negative(tmp_path / str(moment))
        judge(f"clock: back by {back_s / HOUR_S:g} h in a call", outcome, moment)


def test_a_clock_that_was_set_back_since_a_call_was_killed_changes_nothing(
    rig: Rig, tmp_path: Path, tell: Callable[..., None]
) -> None:
    root = tmp_path / "bench"
    bench = rig.fresh(root)
    assert daily.run(rig, root, KilledAtWork(2)).code == -signal.SIGKILL
    assert "processing" in rigs.states(bench).values()
    assert daily.run(rig, root, ClockSet(1, -DAY_S)).code == 0
    # what was not finished when it was killed may have left a file that is old enough only later
    assert daily.run(rig, root, ClockSet(1, DAY_S)).code == 0
    assert rigs.differences(rig, bench) == []
    assert not_negative(root)
    bench.close()
    tell("clock: back by 24 h between calls", "same end")
