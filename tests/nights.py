"""Simulated nights for tests of the stages: small frames, real headers, a workbench of their own."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from qcbench.instruments import available_packs
from qcbench.simulate import simulate
from qcbench.workbench import Workbench, make_workbench

NIGHT = dt.date(2026, 11, 16)
# the sample of green ABs is the same in every workbench of the tests
PYTHON_ENGINE = {"QCBENCH_PROCESSING_ENGINE": "python", "QCBENCH_CERTIFICATION_SAMPLE_SEED": "tests"}


@cache
def _night_store() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="qcbench-nights-")


@cache
def _made_once(instrument: str, nights: int, window: int, anomalies: tuple[str, ...]) -> Path:
    archive = Path(tempfile.mkdtemp(dir=_night_store().name)) / "archive"
    description = available_packs()[instrument] / "simulate.yaml"
    simulate(description, archive, nights=nights, start=NIGHT, seed=7, window=window, anomalies=anomalies)
    return archive


def simulated_archive(
    archive: Path,
    *,
    instrument: str = "hawki",
    nights: int = 1,
    window: int = 64,
    anomalies: Sequence[str] = (),
) -> Path:
    """An archive of simulated nights: a copy of its own, made once in a run of the tests."""
    made = _made_once(instrument, nights, window, tuple(anomalies))
    shutil.copytree(made, archive, dirs_exist_ok=True)
    shutil.copy(f"{made}.truth.ecsv", f"{archive}.truth.ecsv")
    return archive


def simulated_workbench(
    root: Path,
    *,
    instrument: str = "hawki",
    nights: int = 1,
    window: int = 64,
    anomalies: Sequence[str] = (),
    environ: dict[str, str] | None = None,
) -> Workbench:
    """A workbench whose archive holds simulated nights; recipes run on the python engine."""
    bench = make_workbench(root, (instrument,), PYTHON_ENGINE if environ is None else environ)
    simulated_archive(
        root / "archive", instrument=instrument, nights=nights, window=window, anomalies=anomalies
    )
    return bench


def real_efosc2_workbench(root: Path, real_data: Path) -> Workbench:
    """A workbench whose archive holds the eight real EFOSC2 frames."""
    bench = make_workbench(root, ("efosc2",), {})
    folder = root / "archive" / "raw"
    for path in sorted((real_data / "efosc2-pessto").glob("*.fits")):
        shutil.copy(path, folder / path.name)
    return bench
