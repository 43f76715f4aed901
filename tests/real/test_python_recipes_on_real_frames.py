"""The built-in recipes on real sky flats and real arc spectra: one frame each, trimmed by their authors."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from qcbench.instruments import find_pack

pytestmark = pytest.mark.real

ARCS = {
    "arc_20120808_Gr13_OG530_slit1.0": 1.0,
    "arc_20120809_Gr13_OG530_slit1.5": 1.5,
    "arc_20120825_Gr13_GG495_slit1.0_56442_1": 1.0,
    "arc_20120906_Gr13_GG495_slit1.5_56442_1": 1.5,
}
FLATS = ["flat_20120411_B639", "flat_20120411_V641", "flat_20120411_R642", "flat_20120411_i705"]


def run(folder: Path, recipe: str, frame: Path, tag: str, **given: Any) -> subprocess.CompletedProcess[str]:
    job = {
        "recipe": recipe,
        "sof": [{"path": str(frame), "tag": tag}],
        "parameters": given,
        "output_dir": str(folder),
        "instrument_recipe": f"real_{recipe}",
    }
    (folder / "job.json").write_text(json.dumps(job))
    command = [sys.executable, "-m", "qcbench.recipes", "run", "job.json"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def qc(path: Path, extension: int = 0) -> dict[str, Any]:
    return {k[7:]: v for k, v in fits.getheader(path, extension).items() if k.startswith("ESO QC ")}


@pytest.fixture
def frames(real_data: Path) -> Path:
    return real_data / "efosc2-pessto"


@pytest.mark.parametrize("name", FLATS)
def test_a_single_sky_flat_makes_a_normalised_master_without_its_saturated_pixels(frames, tmp_path, name):
    done = run(tmp_path, "flat", frames / f"{name}.fits", "SKY_FLAT", raw_tags="SKY_FLAT", hthr=60000)
    assert (done.returncode, done.stderr) == (0, "")
    raw = fits.getdata(frames / f"{name}.fits")
    flat = fits.getdata(tmp_path / "master_flat.fits")
    np.testing.assert_allclose(flat, np.where(raw < 65000, raw / np.median(raw), np.nan), rtol=1e-5)
    measured = qc(tmp_path / "master_flat.fits")
    assert measured["FLAT NORM"] == pytest.approx(np.median(raw), rel=1e-6)
    # Pixel response of this CCD is even to a few percent; its frame edges are dark.
    assert 0.005 < measured["FLATRMS"] < 0.03
    assert 0.001 < measured["BADFRAC"] < 0.01


def test_the_header_of_a_real_frame_is_inherited_and_the_product_is_valid_fits(frames, tmp_path):
    run(tmp_path, "flat", frames / f"{FLATS[0]}.fits", "SKY_FLAT", raw_tags="SKY_FLAT", hthr=60000)
    with fits.open(tmp_path / "master_flat.fits", checksum=True) as hdus:
        hdus.verify("exception")
        header = hdus[0].header
        assert hdus[0].verify_checksum() == 1
    raw = fits.getheader(frames / f"{FLATS[0]}.fits")
    kept = [key for key in raw if key.startswith("ESO ")]
    assert len(kept) > 100
    assert [key for key in kept if header[key] != raw[key]] == []
    assert header["ESO PRO ANCESTOR"] == raw["ARCFILE"]


def test_a_bright_sky_flat_is_rejected_by_the_default_limits(frames, tmp_path):
    done = run(tmp_path, "flat", frames / "flat_20120411_i705.fits", "SKY_FLAT", raw_tags="SKY_FLAT")
    assert done.returncode == 1
    assert "levels are flat_20120411_i705.fits 437" in done.stderr


@pytest.fixture(scope="module")
def arc(real_data, tmp_path_factory):
    """The product of the arc recipe from a frame, each made once."""

    @cache
    def extract(name: str) -> Path:
        return _arc(tmp_path_factory.mktemp("arc"), real_data, name, "WAVE")

    return extract


def _arc(folder: Path, real_data: Path, name: str, tag: str, **given: Any) -> Path:
    done = run(folder, "arc", real_data / "efosc2-pessto" / f"{name}.fits", tag, **given)
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "arc_spectrum.fits"


@pytest.mark.parametrize("name", ARCS)
def test_a_real_arc_has_its_lamp_lines_along_y(arc, frames, name):
    product = arc(name)
    measured = qc(product, 1)
    assert measured["ARC DISPAXIS"] == 2
    assert fits.getdata(product, 1).shape == (fits.getheader(frames / f"{name}.fits")["NAXIS2"],)
    assert 18 <= measured["ARC NLINES"] <= 26
    assert measured["ARC NSAT"] == 1
    assert 0.001 < measured["ARC SATFRAC"] < 0.01


def test_a_slit_half_as_wide_again_makes_lines_half_as_wide_again(arc):
    narrow, wide = (qc(arc(name), 1)["ARC FWHM MED"] for name in list(ARCS)[:2])
    assert wide / narrow == pytest.approx(1.5, rel=0.1)


def test_two_arcs_of_one_set_up_have_the_same_lines_up_to_a_shift(arc):
    first, second = ([row["PIXEL"] for row in fits.getdata(arc(name), "LINES")] for name in list(ARCS)[:2])
    assert len(first) == len(second)
    shifts = np.array(first) - np.array(second)
    assert np.abs(shifts - np.median(shifts)).max() < 1.5


@pytest.fixture(scope="module")
def solved(real_data, tmp_path_factory):
    """The same with the parameters of the pack."""
    (engine,) = find_pack("efosc2").instrument.recipes["efosc2_arc"].engines

    @cache
    def solve(name: str) -> Path:
        return _arc(tmp_path_factory.mktemp("solved"), real_data, name, "ARC", **engine.parameters)

    return solve


@pytest.mark.parametrize("name", ARCS)
def test_the_lines_of_a_real_arc_are_identified_and_fit_within_a_tenth_of_a_pixel(solved, name):
    product = solved(name)
    measured = qc(product, 1)
    lines = fits.getdata(product, "LINES")
    named = lines[np.isfinite(lines["WAVELENGTH"])]
    assert measured["ARC NIDENT"] == len(named) == 12
    assert measured["ARC RMS"] < 0.1 * measured["ARC DISP"]
    # The two brightest lines that are not saturated are He 6678 and He 7065.
    brightest = sorted(named[np.argsort(named["PEAK"])[-2:]]["WAVELENGTH"])
    assert brightest == pytest.approx([6678.151, 7065.190])


@pytest.mark.parametrize("name", ARCS)
def test_dispersion_and_resolution_are_those_of_the_grism_and_its_slits(solved, name):
    measured = qc(solved(name), 1)
    assert measured["ARC DISP"] == pytest.approx(5.707, abs=0.005)
    # The user's manual has 21 Angstrom for a slit of 1.0 arcsec.
    assert measured["ARC WLEN CEN"] / measured["ARC RESOL"] == pytest.approx(20.0 * ARCS[name], rel=0.1)
