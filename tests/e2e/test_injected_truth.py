"""What is measured meets what the simulated observatory put in, on either engine.

Readout noise within 5 %, gain within 3 %: through the whole way from raw frames to the QC1 tables.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.table import Table
from sqlalchemy import select

from qcbench.association import create_abs, load_headers, scan_archive
from qcbench.processing import process_ab
from qcbench.qc1 import read_ab
from qcbench.reports import measure_ab
from qcbench.store import ABInput, AssociationBlock, Frame
from qcbench.workbench import Workbench
from tests.nights import NIGHT, simulated_workbench

RON_TOLERANCE, GAIN_TOLERANCE = 0.05, 0.03
# the gain of one detector from one pair of flats scatters by 1 % with this many pixels
WINDOW = 512
ENGINES = ["python", pytest.param("esorex", marks=pytest.mark.esorex)]


@pytest.fixture(scope="module", params=ENGINES)
def measured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    environ = {"QCBENCH_PROCESSING_ENGINE": request.param}
    root = tmp_path_factory.mktemp(request.param)
    bench = simulated_workbench(root, window=WINDOW, environ=environ)
    scan_archive(bench)
    load_headers(bench, "hawki", NIGHT)
    create_abs(bench, "hawki", NIGHT)
    for name in names(bench, "DARK") + names(bench, "DETECTOR_NOISE"):
        result = process_ab(bench, name)
        assert result.ok, result.reason
        assert result.engine == request.param
        measure_ab(bench, name)
    return bench


def names(bench: Workbench, raw_type: str) -> list[str]:
    with bench.store.read() as session:
        return list(
            session.scalars(select(AssociationBlock.name).where(AssociationBlock.raw_type == raw_type))
        )


def truth(bench: Workbench, ab_name: str) -> dict[str, dict[str, float]]:
    """The truth of the frames of an AB, by detector."""
    with bench.store.read() as session:
        arcfiles = set(
            session.scalars(
                select(Frame.arcfile)
                .join(ABInput)
                .join(AssociationBlock)
                .where(AssociationBlock.name == ab_name)
            )
        )
    table = Table.read(Path(f"{bench.settings.archive_path}.truth.ecsv"))
    own = [row for row in table if row["arcfile"] in arcfiles]
    assert {row["arcfile"] for row in own} == arcfiles
    return {row["detector"]: {"ron": float(row["ron"]), "gain": float(row["gain"])} for row in own}


def rows(bench: Workbench, table: str, ab_name: str) -> list[dict[str, object]]:
    with bench.store.connect() as connection:
        return read_ab(connection, table, bench.pack("hawki").tables[table], ab_name)


def test_the_readout_noise_of_each_dark_is_the_injected_one(measured):
    compared = 0
    for name in names(measured, "DARK"):
        injected = truth(measured, name)
        for row in rows(measured, "hawki_dark", name):
            assert row["ron"] == pytest.approx(injected[row["detector"]]["ron"], rel=RON_TOLERANCE)
            compared += 1
    assert compared == 3 * 4, "three darks, four detectors"


def test_readout_noise_and_gain_of_the_detector_noise_set_are_the_injected_ones(measured):
    (name,) = names(measured, "DETECTOR_NOISE")
    injected = truth(measured, name)
    found = rows(measured, "hawki_detector_noise", name)
    assert len(found) == 4
    for row in found:
        assert row["ron"] == pytest.approx(injected[row["detector"]]["ron"], rel=RON_TOLERANCE)
        assert row["gain"] == pytest.approx(injected[row["detector"]]["gain"], rel=GAIN_TOLERANCE)
