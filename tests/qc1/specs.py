"""QC1 tables to measure into."""

from __future__ import annotations

from typing import Literal

from qcbench.instruments import Column, TableSpec
from qcbench.instruments.models import Detectors

Kind = Literal["KPI", "FILTER"]


def column(
    name: str, key: str, type_: Literal["float", "integer", "text"] = "float", kind: Kind = "KPI"
) -> Column:
    return Column(name=name, key=key, unit="adu", description=name, kind=kind, type=type_)


RON = column("ron", "QC.RON")
HOT = column("n_hot", "QC.NHOT", "integer")
FILTER = column("filter", "INS.FILT1.NAME", "text", "FILTER")


def spec(
    *columns: Column,
    detectors: tuple[str, ...] = ("CHIP1", "CHIP2"),
    found_in: Literal["extension", "file"] = "extension",
) -> TableSpec:
    return TableSpec(
        raw_types=("DARK",), product="MASTER_DARK", description="x",
        detectors=Detectors(names=detectors, found_in=found_in), columns=columns or (FILTER, RON, HOT),
    )  # fmt: skip
