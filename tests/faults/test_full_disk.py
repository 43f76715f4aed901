"""A full disk, met at whatever write of auto-daily: nothing is lost, no AB is blamed, and the next call mends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.befall import befall
from tests.faults.disturbances import Refused
from tests.faults.full_disk import run_on_small_disk
from tests.faults.rig import Rig
from tests.faults.table import EQUAL, LATER

# a few of all moments, far from each other; or one part of many of all of them
FEW, SHARES = 150, 12
_ALL = [pytest.param(share, SHARES, marks=pytest.mark.long) for share in range(1, SHARES + 1)]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("first", "step"), [(9, FEW), *_ALL])
def test_a_write_that_fails_for_want_of_space_is_made_good(
    rig: Rig, tmp_path: Path, judge: Callable[..., None], first: int, step: int
) -> None:
    for moment in range(first, rig.operations + 1, step):
        outcome = befall(rig, tmp_path / str(moment), Refused(moment))
        judge("disk: one write fails", outcome, moment)


@pytest.mark.tmpfs
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("first", "step"), [(191, 400), *_ALL])
def test_a_disk_that_is_full_from_one_moment_on_is_said(
    rig: Rig, tmp_path: Path, tell: Callable[..., None], first: int, step: int
) -> None:
    for outcome in run_on_small_disk(rig, tmp_path, range(first, rig.operations + 1, step)):
        assert outcome["problems"] == [], f"moment {outcome['moment']}"
        if not outcome["is_beyond"]:
            tell("disk: full from then on", EQUAL if outcome["is_equal"] else LATER)
