"""auto-daily that is told to end: its recipes end with it, at once, and their ABs are in the queue again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from qcbench.workbench import Workbench, open_workbench
from qcbench.workflow import auto_daily
from tests.nights import PYTHON_ENGINE, simulated_workbench
from tests.workflow.test_auto_daily import states

# the command line as it is, but for recipes that do nothing for a long time
SCRIPT = """
import signal, sys
from qcbench.cli.main import cli
# as on a terminal: what a shell starts in the background ignores Ctrl-C
signal.signal(signal.SIGINT, signal.default_int_handler)
from qcbench.processing.running import run_process
from qcbench.workflow import auto_daily

class Slow:
    name = "python"
    def problem(self, recipe): return None
    def version(self, recipe): return "slow"
    def run(self, job):
        run_process(["sleep", "300"], cwd=job.work_dir, log=job.log, limits=job.limits, env={})

sys.modules["qcbench.workflow.job"].load_engines = lambda: {"python": Slow()}
cli(["auto-daily", "-w", sys.argv[1]])
"""


def running_recipes(bench: Workbench, wanted: int) -> list[psutil.Process]:
    for _ in range(600):
        texts = [file.read_text() for file in bench.tree.work.glob("*/recipe.pid")]
        if len(texts) == wanted and all(texts):
            return [psutil.Process(int(text.split(":")[1])) for text in texts]
        time.sleep(0.05)
    raise AssertionError(f"{wanted} recipes are wanted, {texts} run")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_its_recipes_end_with_it_and_their_abs_are_queued_again(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    environ = {**PYTHON_ENGINE, "QCBENCH_PROCESSING_WORKERS": "2"}
    bench = simulated_workbench(tmp_path / "wb", environ=environ)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(bench.settings.root)],
        env={**os.environ, **environ},
        stderr=subprocess.PIPE,
        text=True,
    )
    recipes = running_recipes(bench, 2)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Nothing is lost" in said
    assert not any(recipe.is_running() for recipe in recipes)
    assert "processing" not in states(bench).values()
    assert list(states(bench).values()).count("queued") >= 2
    assert list(bench.tree.work.iterdir()) == []

    bench = open_workbench(bench.settings.root, {**os.environ, **PYTHON_ENGINE})
    auto_daily(bench, through="scored", show=False)
    assert set(states(bench).values()) == {"scored"}
