"""The built-in recipes and the pipeline of NACO fill the same columns with the same values from the same frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from sqlalchemy import select

from qcbench.association import create_abs, load_headers, scan_archive
from qcbench.processing import process_ab
from qcbench.qc1 import read_ab
from qcbench.reports import measure_ab
from qcbench.store import AssociationBlock
from qcbench.workbench import Workbench
from tests.nights import NIGHT, simulated_workbench

pytestmark = pytest.mark.esorex

# the smallest frames that the pipeline takes
WINDOW = 512
TABLES = {"DARK": "naco_dark", "TWILIGHT_FLAT": "naco_twilight_flat", "LAMP_FLAT": "naco_lamp_flat"}


@dataclass(frozen=True)
class Made:
    """What one engine made of the night: rows of the QC1 tables and the products, by raw type and category."""

    bench: Workbench
    rows: Mapping[str, dict[str, object]]
    products: Mapping[str, Path]


def make(root: Path, engine: str) -> Made:
    environ = {"QCBENCH_PROCESSING_ENGINE": engine}
    bench = simulated_workbench(root, instrument="naco", window=WINDOW, environ=environ)
    scan_archive(bench)
    load_headers(bench, "naco", NIGHT)
    create_abs(bench, "naco", NIGHT)
    rows: dict[str, dict[str, object]] = {}
    products: dict[str, Path] = {}
    for raw_type, table in TABLES.items():
        for name in names(bench, raw_type):
            result = process_ab(bench, name)
            assert result.ok, result.reason
            assert result.engine == engine
            measure_ab(bench, name)
            with bench.store.connect() as connection:
                (found,) = read_ab(connection, table, bench.pack("naco").tables[table], name)
            rows.setdefault(raw_type, found)
            with bench.store.read() as session:
                ab = session.scalars(select(AssociationBlock).where(AssociationBlock.name == name)).one()
                for product in ab.products:
                    products.setdefault(product.pro_catg, Path(product.path))
    return Made(bench, rows, products)


def names(bench: Workbench, raw_type: str) -> list[str]:
    wanted = select(AssociationBlock.name).where(AssociationBlock.raw_type == raw_type)
    with bench.store.read() as session:
        return list(session.scalars(wanted.order_by(AssociationBlock.mjd_obs)))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("naco_esorex"), "esorex")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("naco_python"), "python")


@pytest.fixture(scope="module")
def truth(ours: Made) -> Table:
    return Table.read(Path(f"{ours.bench.settings.archive_path}.truth.ecsv"))


def test_both_make_the_same_products_and_fill_the_same_columns(theirs, ours):
    assert set(ours.products) == set(theirs.products)
    for raw_type in TABLES:
        filled = {key for key, value in theirs.rows[raw_type].items() if value is not None}
        assert {key for key, value in ours.rows[raw_type].items() if value is not None} == filled


def test_darks_agree_with_the_pipeline_and_with_the_truth(theirs, ours, truth):
    reference, measured = theirs.rows["DARK"], ours.rows["DARK"]
    injected = truth[truth["raw_type"] == "DARK"][0]
    for key in ("ron", "ron2"):
        assert measured[key] == pytest.approx(injected["ron"], rel=0.03)
        assert measured[key] == pytest.approx(reference[key], rel=0.05)
    assert measured["dark_med"] == pytest.approx(reference["dark_med"], abs=0.1)
    assert measured["n_hot"] == injected["n_hot"] == reference["n_hot"]
    assert (measured["n_cold"], measured["n_deviant"]) == (reference["n_cold"], reference["n_deviant"])
    dark = [fits.getdata(made.products["NACO_IMG_DARK_AVG"]) for made in (theirs, ours)]
    # The pipeline takes the mean of the darks, the built-in recipe their median.
    assert np.std(dark[1] - dark[0]) < 0.6 * injected["ron"]
    hot = [fits.getdata(made.products["NACO_IMG_DARK_HOT"]) != 0 for made in (theirs, ours)]
    assert (hot[0] == hot[1]).all()


def test_the_lamp_agrees_with_the_pipeline_and_the_gain_with_the_truth(theirs, ours, truth):
    reference, measured = theirs.rows["LAMP_FLAT"], ours.rows["LAMP_FLAT"]
    assert measured["lamp_flux"] == pytest.approx(reference["lamp_flux"], rel=0.02)
    injected = truth[(truth["raw_type"] == "LAMP_FLAT") & (truth["level"] > 0)][0]
    assert measured["lamp_flux"] == pytest.approx(injected["level"] / 2.0, rel=0.02)
    assert measured["gain"] == pytest.approx(injected["gain"], rel=0.03)
    # the sensitivity of single pixels in the simulated frames
    assert measured["fixed_pattern"] == pytest.approx(0.005 * injected["level"], rel=0.15)
    flats = [fits.getdata(made.products["MASTER_LAMP_FLAT"]) for made in (theirs, ours)]
    good = fits.getdata(ours.products["NACO_IMG_DARK_HOT"]) == 0
    ratio = flats[1][good] / flats[0][good]
    assert np.std(ratio / np.median(ratio)) < 0.005


def test_twilight_flats_agree_with_the_pipeline(theirs, ours):
    assert ours.rows["TWILIGHT_FLAT"]["n_raw"] == theirs.rows["TWILIGHT_FLAT"]["n_raw"] == 5
    flats = [fits.getdata(made.products["MASTER_IMG_FLAT"]) for made in (theirs, ours)]
    ratio = flats[1] / flats[0]
    good = np.isfinite(ratio) & (fits.getdata(ours.products["NACO_IMG_DARK_HOT"]) == 0)
    # The pipeline fits a line through the levels of each pixel, which is noisier than the median of five flats.
    assert np.std(ratio[good] / np.median(ratio[good])) < 0.012
