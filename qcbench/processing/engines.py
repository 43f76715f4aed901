"""What every recipe engine offers, and the registry of engines.

A site adds an engine of its own through the entry-point group ``qcbench.engines``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from qcbench.core.errors import RecipeError
from qcbench.instruments import EngineChoice, InstrumentPack
from qcbench.processing.running import Limits


@dataclass(frozen=True)
class RecipeJob:
    """One call of a recipe: set of frames (SOF) and parameters in, products and a log out.

    Attributes
    ----------
    sof : tuple of (Path, str)
        Files with their tags.
    work_dir : Path
        Private working directory; `output_dir` is a folder inside it.
    limits : Limits
        What it may take.
    """

    ab_name: str
    recipe: str
    instrument_recipe: str
    sof: tuple[tuple[Path, str], ...]
    parameters: Mapping[str, str | int | float | bool]
    work_dir: Path
    output_dir: Path
    log: Path
    limits: Limits


@dataclass(frozen=True)
class RecipeResult:
    """What came of a call: products with their PRO.CATG, or the reason why there are none, in words.

    `peak_mb` is the most memory (MiB) that it had.
    """

    exit_code: int
    reason: str | None
    products: tuple[tuple[Path, str], ...]
    seconds: float
    peak_mb: float = 0.0


class Engine(Protocol):
    """What the processing asks of an engine."""

    name: str

    def problem(self, recipe: str) -> str | None:
        """Say why this engine can't run a recipe on this machine; None if it can."""

    def version(self, recipe: str) -> str:
        """Return the name and version of what a recipe belongs to, such as a pipeline."""

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
        f"no engine can run {recipe}: {'; '.join(passed_over)}. qcbench doctor says what is missing; "
        f"once it is there: qcbench process-ab --again"
    )


def _problem(choice: EngineChoice, engines: Mapping[str, Engine], *, wanted: str, naxis: int) -> str | None:
    if wanted not in ("auto", choice.engine):
        return f"the settings ask for {wanted}"
    if choice.engine not in engines:
        return "there is no such engine"
    if naxis < choice.min_naxis:
        return f"the frames have {naxis} pixels a side, {choice.min_naxis} are needed ({choice.why})"
    return engines[choice.engine].problem(choice.recipe)
