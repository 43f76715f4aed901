"""autoDaily may be killed at any moment and called again: it ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qcbench.workbench import open_workbench
from tests.nights import PYTHON_ENGINE, simulated_workbench
from tests.workflow.state import age_leftovers, archived_pixels, files, rows

ANOMALIES = ("rotten-pixels", "not-fits", "noise-jump")
SCRIPT = """
import os, sys
from pathlib import Path
import pytest

from qcbench.workbench import open_workbench
from qcbench.workflow import auto_daily
print("ready", flush=True)
auto_daily(open_workbench(Path(sys.argv[1]), os.environ), through="ingested", show=False)
"""


def start(root: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **PYTHON_ENGINE},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen[str], after_s: float) -> bool:
    """Kill a process after a time; tell whether it was still at work."""
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    assert process.returncode == 0
    return False


@pytest.mark.timeout(900)
@pytest.mark.parametrize("n_kills", [2, pytest.param(20, marks=pytest.mark.long)])
def test_kills_change_nothing_in_how_it_ends(tmp_path, n_kills):
    moments = random.Random(20261120)
    whole = simulated_workbench(tmp_path / "whole", anomalies=ANOMALIES)
    begin = time.monotonic()
    assert not end(start(tmp_path / "whole"), 300)
    duration = time.monotonic() - begin

    kills, run = 0, 0
    while kills < n_kills:
        run += 1
        root = tmp_path / f"killed{run}"
        simulated_workbench(root, anomalies=ANOMALIES)
        while kills < n_kills and end(start(root), moments.uniform(0.0, duration / 5)):
            kills += 1
        age_leftovers(root)
        end(start(root), 300)
        killed = open_workbench(root, PYTHON_ENGINE)
        assert rows(killed) == rows(whole)
        assert files(root) == files(tmp_path / "whole")
        assert archived_pixels(killed) == archived_pixels(whole)
