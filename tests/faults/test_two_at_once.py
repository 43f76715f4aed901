"""Two that work at once: workbenches on one archive, and commands on one workbench."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qcbench.core.errors import BusyError, TransitionError
from qcbench.workbench import Workbench
from tests.faults import daily
from tests.faults import rig as rigs
from tests.faults.rig import Rig
from tests.faults.table import EQUAL
from tests.nights import NIGHT


def test_two_workbenches_on_one_archive_end_as_each_alone(
    rig: Rig, tmp_path: Path, tell: Callable[..., None]
) -> None:
    shared, roots = tmp_path / "archive", [tmp_path / "first", tmp_path / "second"]
    shutil.copytree(rig.root / "fresh" / "archive", shared)
    before = {path: path.stat().st_mtime_ns for path in shared.rglob("*")}
    for root in roots:
        rig.fresh(root).close()
        shutil.rmtree(root / "archive")
        (root / "archive").symlink_to(shared)
    running = [daily.start(rig, root) for root in roots]
    assert [one.end().code for one in running] == [0, 0]
    for root in roots:
        bench = rigs.opened(root)
        # the files of the archive are not below its folder
        assert [name for name in rigs.differences(rig, bench) if not name.startswith("archive/")] == []
        bench.close()
    assert {path: path.stat().st_mtime_ns for path in shared.rglob("*")} == before
    tell("two at once: workbenches on one archive", EQUAL)


def test_of_two_calls_of_auto_daily_one_does_the_work(
    rig: Rig, tmp_path: Path, tell: Callable[..., None]
) -> None:
    root = tmp_path / "bench"
    bench = rig.fresh(root)
    running = [daily.start(rig, root, output=tmp_path / f"{number}") for number in range(3)]
    codes = [one.end().code for one in running]
    assert codes.count(0) >= 1
    assert set(codes) <= {0, BusyError.exit_code}
    assert rigs.differences(rig, bench) == []
    bench.close()
    tell("two at once: calls of auto-daily", EQUAL, times=len(codes) - 1)


def test_commands_beside_auto_daily_change_nothing_in_how_it_ends(
    rig: Rig, tmp_path: Path, tell: Callable[..., None]
) -> None:
    root, date = tmp_path / "bench", ("-d", str(NIGHT))
    # of two that want an AB one is too late
    commands = {
        ("data-loader", "-t", "h", *date): {0}, ("create-ab", "-m", "CALIB", *date): {0},
        ("create-job", "-m", "CALIB", *date): {0}, ("get-status-ab", *date): {0},
        ("process-ab", "-a", f"{rig.victim}.ab"): {0, TransitionError.exit_code},
    }  # fmt: skip
    bench = rig.fresh(root)
    work = daily.start(rig, root)
    beside = {}
    for command in commands:
        if command[0] == "process-ab":
            _wait_for(bench, f"{rig.victim}.ab")
        beside[command] = daily.start(rig, root, command=command, output=tmp_path / command[0])
    for command, running in beside.items():
        ended = running.end()
        assert ended.code in commands[command], f"{command}: {ended.code}, {ended.said}"
        assert "Traceback" not in ended.said
    first = work.end()
    assert first.code == 0, first.said
    assert "Traceback" not in first.said
    assert daily.run(rig, root).code == 0
    assert rigs.differences(rig, bench) == []
    bench.close()
    tell("two at once: a command beside auto-daily", EQUAL, times=len(commands))


def _wait_for(bench: Workbench, ab_name: str) -> None:
    """Wait until there is an AB."""
    for _ in range(6000):
        if ab_name in rigs.states(bench):
            return
        time.sleep(0.01)
    pytest.fail(f"{ab_name} is never made")
