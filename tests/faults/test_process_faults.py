"""Signals at random moments, to auto-daily alone or to all that it started: the next call ends as without them."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.befall import befall, is_beyond
from tests.faults.disturbances import Signalled
from tests.faults.rig import Rig

SEED = 20261128


@pytest.mark.timeout(900)
@pytest.mark.parametrize("times", [1, pytest.param(25, marks=pytest.mark.long)])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("to_all", [False, True], ids=["alone", "all"])
def test_a_signal_at_whatever_moment_changes_nothing_in_how_it_ends(
    rig: Rig, tmp_path: Path, judge: Callable[..., None], number: signal.Signals, to_all: bool, times: int
) -> None:
    moments = random.Random(f"{SEED} {number.name} {to_all} {times}")
    for moment in moments.sample(range(1, rig.operations + 1), times):
        fault = Signalled(moment, number, to_all)
        outcome = befall(rig, tmp_path / str(moment), fault)
        print(f"seed {SEED}, operation {moment}: {fault}, code {outcome.first.code}")  # noqa: T201
        if not is_beyond(rig, moment, outcome.first):
            assert outcome.first.code == (-signal.SIGKILL if number == signal.SIGKILL else 143)
        judge(f"process: {fault}", outcome, moment)
