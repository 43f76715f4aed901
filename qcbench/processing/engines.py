"""What every recipe engine offers, and the registry of engines.

A site adds an engine of its own through the entry-point group ``qcbench.engines``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from qcbench.core.errors import RecipeError
from qcbench.core.locks import identity_of, is_alive
from qcbench.instruments import EngineChoice, InstrumentPack

RUNNING = "recipe.pid"


@dataclass(frozen=True)
class RecipeJob:
    """One call of a recipe: set of frames (SOF) and parameters in, products and a log out.

    Attributes
    ----------
    sof : tuple of (Path, str)
        Files with their tags.
    work_dir : Path
        Private working directory; `output_dir` is a folder inside it.
    timeout_s : float
        Seconds after which the recipe is killed.
    """

    ab_name: str
    recipe: str
    instrument_recipe: str
    sof: tuple[tuple[Path, str], ...]
    parameters: Mapping[str, str | int | float | bool]
    work_dir: Path
    output_dir: Path
    log: Path
    timeout_s: float


@dataclass(frozen=True)
class RecipeResult:
    """What came of a call: products with their PRO.CATG, or the reason why there are none, in words."""

    exit_code: int
    reason: str | None
    products: tuple[tuple[Path, str], ...]
    seconds: float


class Engine(Protocol):
    """What the processing asks of an engine."""

    name: str

    def problem(self, recipe: str) -> str | None:
        """Say why this engine can't run a recipe on this machine; None if it can."""

    def run(self, job: RecipeJob) -> RecipeResult:
        """Run a recipe. A recipe that fails is a result, not an exception."""


def load_engines() -> dict[str, Engine]:
    """Return the engines by name."""
    return {point.name: point.load()() for point in entry_points(group="qcbench.engines")}


def choose_engine(
    pack: InstrumentPack,
    recipe: str,
    engines: Mapping[str, Engine],
    *,
    wanted: str,
    naxis: int,
) -> tuple[Engine, EngineChoice, str]:
    """Choose the engine that runs a recipe: the first of the pack's list that can.

    Parameters
    ----------
    wanted : str
        An engine's name, or ``auto`` for the pack's order.
    naxis : int
        Smallest side of the input images (pixels).

    Returns
    -------
    tuple
        The engine, how it is configured, and why those before it were passed over (empty if none was).

    Raises
    ------
    RecipeError
        No engine can run it; the reason of each is named.
    """
    config = pack.instrument.recipes.get(recipe)
    if config is None:
        raise RecipeError(
            f"{pack.folder / 'instrument.yaml'}: recipe '{recipe}' is not configured. Add it there"
        )
    passed_over: list[str] = []
    for choice in config.engines:
        problem = _problem(choice, engines, wanted=wanted, naxis=naxis)
        if problem is None:
            return engines[choice.engine], choice, "; ".join(passed_over)
        passed_over.append(f"not {choice.engine}: {problem}")
    raise RecipeError(
        f"no engine can run {recipe}: {'; '.join(passed_over)}. qcbench doctor says what is missing"
    )


def _problem(choice: EngineChoice, engines: Mapping[str, Engine], *, wanted: str, naxis: int) -> str | None:
    if wanted not in ("auto", choice.engine):
        return f"the settings ask for {wanted}"
    if choice.engine not in engines:
        return "there is no such engine"
    if naxis < choice.min_naxis:
        return f"the frames have {naxis} pixels a side, {choice.min_naxis} are needed ({choice.why})"
    return engines[choice.engine].problem(choice.recipe)


def run_process(
    command: Sequence[str], *, cwd: Path, log: Path, timeout_s: float, env: Mapping[str, str]
) -> tuple[int | None, float]:
    """Run a command with its output in a log; kill it and its children at the time limit.

    Returns
    -------
    tuple
        Exit code (negative: killed by that signal; None: by the time limit), and seconds.
    """
    start = time.monotonic()
    running = cwd / RUNNING
    with log.open("wb") as stream, subprocess.Popen(
        command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
        env={**os.environ, **env}, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            running.write_text(identity_of(process.pid))
            code: int | None = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _kill_group(process.pid)
    return code, time.monotonic() - start


def end_abandoned(work_dir: Path) -> None:
    """Kill the recipe that still runs in a working directory whose owner was killed, with its children."""
    running = work_dir / RUNNING
    identity = running.read_text() if running.is_file() else ""
    if identity and is_alive(identity):
        _kill_group(int(identity.split(":")[1]))


def _kill_group(pid: int) -> None:
    """Kill what is left of a process group: also children of a recipe that ended."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def describe_exit(code: int | None, timeout_s: float, detail: str) -> str | None:
    """Return the reason of a failure in words; None for exit code 0."""
    if code == 0:
        return None
    if code is None:
        return f"the recipe ran longer than {timeout_s:g} s and was killed"
    if code < 0:
        return f"the recipe crashed ({_signal_name(-code)})"
    return f"the recipe ended with code {code}" + (f": {detail}" if detail else "")
