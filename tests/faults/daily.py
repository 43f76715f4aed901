"""auto-daily, as the command that it is, in a process of its own, which something may disturb.

The process is a fork of one that has loaded everything already.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from qcbench.cli.main import cli
from tests.faults import rig as rigs
from tests.faults.operations import note_of
from tests.nights import PYTHON_ENGINE

# given the folder of the workbench, something that lasts as long as the command
Disturbance = Callable[[Path], AbstractContextManager[object]]
_context = get_context("forkserver")
_context.set_forkserver_preload([__name__])


def undisturbed(_root: Path) -> AbstractContextManager[object]:
    """Nothing happens."""
    return nullcontext()


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, negative for a signal, what it printed, whether its fault has struck it."""

    code: int
    said: str
    is_struck: bool


@dataclass(frozen=True)
class Running:
    """A command that runs."""

    process: ForkServerProcess
    output: Path
    root: Path

    def end(self) -> Ended:
        """Wait until it has ended."""
        self.process.join(120)
        code = self.process.exitcode
        if code is None:
            self.process.kill()
            raise AssertionError(f"it hangs: {self.output.read_text()}")
        return Ended(code, self.output.read_text(), note_of(self.root).exists())


def start(
    rig: rigs.Rig,
    root: Path,
    disturbance: Disturbance = undisturbed,
    *,
    output: Path | None = None,
    environ: Mapping[str, str] = {},
    command: tuple[str, ...] = ("auto-daily", "--through", "scored"),
) -> Running:
    """Start a command of qcbench on a workbench, with the recipes of the rig."""
    output = output or root.with_name(f"{root.name}.out")
    process = _context.Process(
        target=_command, args=(rig, root, output, disturbance, {**PYTHON_ENGINE, **environ}, command)
    )
    note_of(root).unlink(missing_ok=True)
    process.start()
    return Running(process, output, root)


def run(rig: rigs.Rig, root: Path, disturbance: Disturbance = undisturbed, **options: object) -> Ended:
    """Run auto-daily to its end."""
    return start(rig, root, disturbance, **options).end()  # type: ignore[arg-type]


def _command(
    rig: rigs.Rig,
    root: Path,
    output: Path,
    disturbance: Disturbance,
    environ: Mapping[str, str],
    command: tuple[str, ...],
) -> None:
    # a group of its own: what is sent to it is not sent to the tests
    os.setsid()
    with output.open("wb", buffering=0) as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    # the stream of the parent may be a file that can't be written any more
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    os.environ.update(environ)
    with rigs.recipes(rig), disturbance(root):
        cli([*command, "-w", str(root)], prog_name="qcbench")
