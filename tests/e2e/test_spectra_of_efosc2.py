"""A simulated night of a long-slit spectrograph: bias, flat, arc and standard star run as one cascade.

What is measured meets what the simulated observatory put in, from raw frames to the QC1 tables.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from sqlalchemy import select

from qcbench.qc1 import read_ab
from qcbench.store import AssociationBlock
from qcbench.workbench import Workbench
from qcbench.workflow import auto_daily
from tests.nights import simulated_workbench

# seven reports on a busy machine take their time
pytestmark = pytest.mark.timeout(600)
# enough of the dispersion for nine lines of the lamp that can be used
WINDOW = 800
CHAIN = {
    "BIAS": (),
    "SPEC_FLAT": ("MASTER_BIAS",),
    "ARC": ("MASTER_BIAS",),
    "SPEC_STD": ("MASTER_BIAS", "MASTER_SPEC_FLAT", "ARC_SPECTRUM"),
}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    bench = simulated_workbench(tmp_path_factory.mktemp("efosc2"), instrument="efosc2", window=WINDOW)
    auto_daily(bench, through="scored", show=False)
    return bench


def blocks(bench: Workbench, raw_type: str) -> list[AssociationBlock]:
    with bench.store.read() as session:
        wanted = select(AssociationBlock).where(AssociationBlock.raw_type == raw_type)
        found = list(session.scalars(wanted.order_by(AssociationBlock.mjd_obs)))
        for ab in found:
            _ = (ab.products, ab.scores)
        return found


def row(bench: Workbench, table: str, ab: AssociationBlock) -> dict[str, object]:
    with bench.store.connect() as connection:
        (found,) = read_ab(connection, table, bench.pack("efosc2").tables[table], ab.name)
    return found


def truth(bench: Workbench, raw_type: str) -> Table:
    table = Table.read(Path(f"{bench.settings.archive_path}.truth.ecsv"))
    return table[table["raw_type"] == raw_type]


@pytest.mark.parametrize("raw_type", CHAIN)
def test_each_link_of_the_chain_is_processed_and_scored_green(night, raw_type):
    found = blocks(night, raw_type)
    assert len(found) == (2 if raw_type == "ARC" else 1)
    for ab in found:
        assert ab.state == "scored", ab.reason
        assert ab.scores
        assert [score.parameter for score in ab.scores if score.verdict] == []


def test_each_link_is_made_with_the_masters_of_the_links_before_it(night):
    for raw_type, wanted in CHAIN.items():
        for ab in blocks(night, raw_type):
            header = fits.getheader(ab.products[0].path)
            used = {value for key, value in header.items() if key.startswith("ESO PRO REC1 CAL")}
            assert set(wanted) <= used


def test_dispersion_and_resolution_of_the_arc_are_the_injected_ones(night):
    injected = truth(night, "ARC")[0]
    for ab in blocks(night, "ARC"):
        found = row(night, "efosc2_arc", ab)
        assert found["dispersion"] == pytest.approx(injected["dispersion"], rel=0.003)
        assert found["fwhm"] == pytest.approx(injected["line_fwhm"], rel=0.06)
        width = injected["line_fwhm"] * injected["dispersion"]
        assert found["resolution"] == pytest.approx(7384.0 / width, rel=0.08)
        assert found["rms"] < 0.1 * injected["dispersion"]
        assert found["n_identified"] == 9


def test_the_light_of_the_lamp_is_the_injected_one(night):
    (ab,) = blocks(night, "SPEC_FLAT")
    found = row(night, "efosc2_spec_flat", ab)
    # the slit loses a tenth of its light to its ends, a third of that on average over what is read
    assert found["level"] == pytest.approx(truth(night, "SPEC_FLAT")["level"][0], rel=0.04)
    assert found["slope"] == pytest.approx(0.8 * WINDOW / 1030, rel=0.03)
    assert found["flat_rms"] == pytest.approx(0.011, abs=0.002)


def test_place_width_and_signal_of_the_star_are_the_injected_ones(night):
    (ab,) = blocks(night, "SPEC_STD")
    found, injected = row(night, "efosc2_spec_std", ab), truth(night, "SPEC_STD")[0]
    assert found["star"] == "LTT3218"
    assert found["trace_pos"] == pytest.approx(injected["trace"], abs=0.1)
    assert found["fwhm"] == pytest.approx(injected["star_fwhm"], rel=0.02)
    assert found["snr"] == pytest.approx(injected["snr"], rel=0.05)
    # 20,000 adu in 60 s; the flat is 1 where the slit has its median light
    assert found["flux"] == pytest.approx(20_000 / 60.0, rel=0.04)


def test_the_lines_of_the_star_are_at_their_wavelengths(night):
    (ab,) = blocks(night, "SPEC_STD")
    (product,) = ab.products
    spectrum = fits.getdata(product.path, "SPECTRUM")
    for wavelength in (6562.80, 6870.0, 7605.0):
        near = np.abs(spectrum["WAVE"] - wavelength) < 40.0
        level = np.interp(spectrum["WAVE"][near], *_ends(spectrum, wavelength))
        depth = np.clip(1.0 - spectrum["FLUX"][near] / level - 0.05, 0.0, None)
        assert np.average(spectrum["WAVE"][near], weights=depth) == pytest.approx(wavelength, abs=0.3 * 5.7)


def _ends(spectrum: np.ndarray, wavelength: float) -> tuple[list[float], list[float]]:
    places = [wavelength - 50.0, wavelength + 50.0]
    return places, [float(np.median(spectrum["FLUX"][np.abs(spectrum["WAVE"] - at) < 15.0])) for at in places]
