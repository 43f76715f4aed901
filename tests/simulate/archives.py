"""What the tests ask of a simulated archive."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.table import Table

from qcbench.simulate import SimulationResult

START = dt.date(2026, 11, 17)

Run = Callable[..., SimulationResult]


def frames(result: SimulationResult) -> list[Path]:
    archive = result.truth.with_name(result.truth.name.removesuffix(".truth.ecsv"))
    return sorted((archive / "raw").glob("*/*"))


def truth(result: SimulationResult) -> Table:
    table = Table.read(result.truth, format="ascii.ecsv")
    table["anomaly"] = np.ma.filled(table["anomaly"], "")
    return table


def file_of(result: SimulationResult, name: str) -> Path:
    return next(path for path in frames(result) if path.name == name)
