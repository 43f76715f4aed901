"""Arc lamp frames: the spectrum and its lines."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

LINES = {40.3: 3000.0, 81.0: 900.0, 120.7: 20000.0, 163.2: 400.0, 201.5: 7000.0}
SIGMA = 1.6


def lamp(rng: np.random.Generator, scale: float = 1.0) -> np.ndarray:
    """A lamp along x, with a slit of soft ends across it; positions count from 0."""
    x = np.arange(240.0)
    spectrum = 50.0 + 0.3 * x
    for position, peak in LINES.items():
        spectrum = spectrum + scale * peak * np.exp(-0.5 * ((x - position) / SIGMA) ** 2)
    slit = 1.0 / (1.0 + np.exp(-(np.arange(180.0) - 15) / 3)) / (1.0 + np.exp((np.arange(180.0) - 160) / 3))
    return (slit[:, None] * spectrum + rng.normal(0.0, 4.0, (180, 240))).astype(np.float32)


@pytest.fixture
def image(ccd):
    return lamp(ccd.rng)


def test_the_lines_are_found_at_their_place_with_their_width(ccd, image, run_recipe):
    result = run_recipe("arc", [(ccd.write("arc", image), "WAVE")])
    lines = fits.getdata(result.product("ARC_SPECTRUM"), "LINES")
    assert lines["PIXEL"] == pytest.approx([position + 1.0 for position in LINES], abs=0.3)
    assert lines["FWHM"] == pytest.approx([2.3548 * SIGMA] * 5, rel=0.1)
    assert lines["PEAK"] == pytest.approx(list(LINES.values()), rel=0.1)
    qc = result.qc("ARC_SPECTRUM", "SPECTRUM")
    assert qc["ARC NLINES"] == 5
    assert qc["ARC FWHM MED"] == pytest.approx(2.3548 * SIGMA, rel=0.05)
    assert qc["ARC SATFRAC"] == 0.0


@pytest.mark.parametrize(("turned", "axis", "size"), [(False, 1, 240), (True, 2, 240)])
def test_the_dispersion_axis_is_found(ccd, image, run_recipe, turned, axis, size):
    result = run_recipe("arc", [(ccd.write("arc", image.T if turned else image), "WAVE")])
    assert result.qc("ARC_SPECTRUM", "SPECTRUM")["ARC DISPAXIS"] == axis
    assert fits.getdata(result.product("ARC_SPECTRUM"), "SPECTRUM").shape == (size,)


def test_an_axis_that_is_given_is_obeyed(ccd, image, run_recipe):
    result = run_recipe("arc", [(ccd.write("arc", image), "WAVE")], dispersion_axis="y")
    assert fits.getdata(result.product("ARC_SPECTRUM"), "SPECTRUM").shape == (180,)


def test_a_saturated_line_is_marked_and_does_not_count_for_the_width(ccd, run_recipe):
    image = np.minimum(lamp(ccd.rng, scale=5.0), 60000.0)
    result = run_recipe("arc", [(ccd.write("arc", image), "WAVE")])
    lines = fits.getdata(result.product("ARC_SPECTRUM"), "LINES")
    assert list(lines["SATURATED"]) == [0, 0, 1, 0, 0]
    qc = result.qc("ARC_SPECTRUM", "SPECTRUM")
    assert qc["ARC NSAT"] == 1
    assert 0.0 < qc["ARC SATFRAC"] < 0.05
    assert qc["ARC FWHM MED"] == pytest.approx(2.3548 * SIGMA, rel=0.05)


def test_a_frame_without_light_has_no_lines_and_no_width(ccd, run_recipe):
    dark = ccd.rng.normal(0.0, 4.0, (100, 120)).astype(np.float32)
    result = run_recipe("arc", [(ccd.write("arc", dark), "WAVE")])
    qc = result.qc("ARC_SPECTRUM", "SPECTRUM")
    assert result.code == 0
    assert qc["ARC NLINES"] == 0
    assert "ARC FWHM MED" not in qc


def test_each_extension_has_its_spectrum_and_its_lines(detector, run_recipe):
    images = [lamp(detector.rng), lamp(detector.rng)]
    result = run_recipe("arc", [(detector.write("arc", *images), "ARC")])
    with fits.open(result.product("ARC_SPECTRUM")) as hdus:
        names = [hdu.header.get("EXTNAME") for hdu in hdus[1:]]
    assert names == ["CHIP1.INT1", "CHIP1.INT1.LINES", "CHIP2.INT1", "CHIP2.INT1.LINES"]


def test_the_coordinates_of_the_image_do_not_stay_with_the_spectrum(ccd, image, run_recipe):
    sky = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL2": -24.0, "CD2_2": 1e-4}
    result = run_recipe("arc", [(ccd.write("arc", image, **sky), "WAVE")])
    with fits.open(result.product("ARC_SPECTRUM")) as hdus:
        assert not set(sky) & set(hdus[0].header)
        assert hdus[1].header["CTYPE1"] == "PIXEL"
