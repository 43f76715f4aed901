"""A database that another program keeps to itself: waited for, or said; either way the next call ends well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.befall import befall
from tests.faults.disturbances import Locked
from tests.faults.rig import Rig

FEW = 400
_MANY = pytest.param(5, 15, marks=pytest.mark.long)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("first", "step"), [(195, FEW), _MANY])
def test_a_lock_for_less_time_than_it_waits_goes_unnoticed(
    rig: Rig, tmp_path: Path, judge: Callable[..., None], first: int, step: int
) -> None:
    for moment in range(first, rig.operations + 1, step):
        outcome = befall(rig, tmp_path / str(moment), Locked(moment, seconds=1.0, patience=30.0))
        assert outcome.first.code == 0
        assert not outcome.recorded
        assert outcome.is_equal, f"moment {moment}: {outcome.differed}"
        judge("database: locked for a while", outcome, moment)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("first", "step"), [(195, FEW), _MANY])
def test_a_lock_for_more_time_than_it_waits_is_said(
    rig: Rig, tmp_path: Path, judge: Callable[..., None], first: int, step: int
) -> None:
    for moment in range(first, rig.operations + 1, step):
        outcome = befall(rig, tmp_path / str(moment), Locked(moment, seconds=4.0, patience=0.3))
        judge("database: locked for too long", outcome, moment)
