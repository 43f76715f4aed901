"""The extracted spectrum of a star against the star that was put in."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from tests.recipes.slits import (
    GAIN,
    KEYS,
    LINE,
    LINE_DEPTH,
    N_ACROSS,
    N_ALONG,
    RON,
    SETUP,
    STAR,
    TRACE,
    arc,
    masters,
    pixel_of,
    sensitivity,
    star,
)


@pytest.fixture
def calibrations(ccd, run_recipe):
    return masters(ccd, run_recipe)


@pytest.fixture
def observe(ccd, run_recipe, calibrations):
    def run(*images, more=(), **given):
        sof = [(ccd.write(f"star{i}", image, **KEYS), "SPEC_STD") for i, image in enumerate(images)]
        return run_recipe("extract", [*sof, *calibrations, *more], **given)

    return run


def spectrum(result):
    return fits.getdata(result.product("STD_SPECTRUM"), "SPECTRUM")


@pytest.mark.parametrize("method", ["horne", "boxcar"])
def test_the_flux_is_that_of_the_star_within_a_percent_and_its_errors_are_those_of_the_photons(
    ccd, observe, method
):
    found = spectrum(observe(star(ccd), method=method))
    clean = np.abs(np.arange(1, N_ALONG + 1) - pixel_of(LINE)) > 10
    ratio = found["FLUX"][clean] / STAR["flux"]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.01)
    # what scatters, scatters as the error says
    pull = (found["FLUX"][clean] - np.median(found["FLUX"][clean])) / found["ERR"][clean]
    assert 0.8 < np.std(pull) < 1.3
    assert np.median(found["SKY"]) == pytest.approx(STAR["sky"], rel=0.05)


def test_a_line_of_the_star_is_at_its_wavelength_within_a_fifth_of_a_pixel(ccd, observe):
    found = spectrum(observe(star(ccd)))
    near = np.abs(found["WAVE"] - LINE) < 30.0
    depth = 1.0 - found["FLUX"][near] / STAR["flux"]
    assert np.average(found["WAVE"][near], weights=depth) == pytest.approx(LINE, abs=0.2 * 5.8)
    assert depth.max() == pytest.approx(LINE_DEPTH, abs=0.05)


def test_place_width_and_signal_to_noise_are_those_of_the_star(ccd, observe):
    result = observe(star(ccd))
    qc = result.qc("STD_SPECTRUM", "SPECTRUM")
    assert qc["SPEC FWHM"] == pytest.approx(2.3548 * STAR["width"], rel=0.03)
    assert qc["SPEC TRACE POS"] == pytest.approx(TRACE(0.5 * (N_ALONG + 1)), abs=0.1)
    assert qc["SPEC TRACE RUN"] == pytest.approx(TRACE(N_ALONG) - TRACE(1), abs=0.2)
    assert qc["SPEC TRACE RMS"] < 0.1
    assert qc["SPEC FLUX"] == pytest.approx(STAR["flux"] / 10.0, rel=0.02)
    y = np.arange(-15.0, 16.0)
    profile = np.exp(-0.5 * (y / STAR["width"]) ** 2) / (STAR["width"] * np.sqrt(2.0 * np.pi))
    variance = (STAR["flux"] * profile + STAR["sky"]) / GAIN + RON**2
    assert qc["SPEC SNR"] == pytest.approx(STAR["flux"] * np.sqrt(np.sum(profile**2 / variance)), rel=0.05)
    found = spectrum(result)
    assert found["TRACE"] == pytest.approx(TRACE(np.arange(1.0, N_ALONG + 1)), abs=0.2)


def test_the_flat_takes_the_response_of_the_pixels_away(ccd, observe):
    response = sensitivity(ccd)
    master = (ccd.write("master_flat", response.astype(np.float32)), "MASTER_SPEC_FLAT")
    image = star(ccd, response)
    clean = np.abs(np.arange(1, N_ALONG + 1) - pixel_of(LINE)) > 10
    flat, raw = (spectrum(observe(image, more=more))["FLUX"][clean] for more in ([master], []))
    assert np.median(flat) == pytest.approx(STAR["flux"], rel=0.01)
    assert np.std(flat) < 0.7 * np.std(raw)


def test_particle_hits_on_the_star_and_the_sky_leave_nothing(ccd, observe):
    image = star(ccd)
    rng = np.random.default_rng(3)
    clean = spectrum(observe(image))["FLUX"]
    rows, columns = rng.integers(30, 90, 60), rng.integers(5, N_ALONG - 5, 60)
    image[rows, columns] += 15_000.0
    on_star = np.rint(TRACE(100.0) - 1.0).astype(int)
    image[on_star, 99] += 20_000.0
    result = observe(image)
    assert result.qc("STD_SPECTRUM", "SPECTRUM")["SPEC NHITS"] >= 55
    found = spectrum(result)
    assert np.abs(found["FLUX"] - clean).max() < 8 * np.median(found["ERR"])


def test_three_exposures_have_a_signal_to_noise_ratio_that_is_higher_by_the_root_of_three(ccd, observe):
    one = observe(star(ccd)).qc("STD_SPECTRUM", "SPECTRUM")["SPEC SNR"]
    three = observe(star(ccd), star(ccd), star(ccd)).qc("STD_SPECTRUM", "SPECTRUM")["SPEC SNR"]
    assert three / one == pytest.approx(np.sqrt(3.0), rel=0.05)


def test_a_slit_without_a_star_is_refused(ccd, observe):
    result = observe(star(ccd, flux=0.0))
    assert result.code == 1
    assert "no star in the slit" in result.stderr
    assert "object_thresh" in result.stderr


def test_hits_alone_are_no_star(ccd, observe):
    image = star(ccd, flux=0.0)
    rng = np.random.default_rng(4)
    image[rng.integers(0, N_ACROSS, 200), rng.integers(0, N_ALONG, 200)] += 20_000.0
    result = observe(image)
    assert result.code == 1
    assert "no star in the slit" in result.stderr


def test_a_star_at_the_end_of_the_slit_is_refused_with_its_place(ccd, observe):
    result = observe(star(ccd, shift=-52.0))
    assert result.code == 1
    assert "of 120 across the slit" in result.stderr
    assert "put the star on the slit" in result.stderr


def test_an_exposure_that_is_saturated_all_over_is_refused(ccd, observe):
    result = observe(np.full((N_ACROSS, N_ALONG), 65_535.0, dtype=np.float32))
    assert result.code == 1
    assert "every pixel is saturated" in result.stderr


def test_without_an_arc_there_is_no_spectrum(ccd, run_recipe, calibrations):
    frame = (ccd.write("star", star(ccd), **KEYS), "SPEC_STD")
    result = run_recipe("extract", [frame, calibrations[0]])
    assert result.code == 10
    assert "no arc (ARC_SPECTRUM) of the same grism and slit" in result.stderr


def test_an_arc_without_a_dispersion_relation_is_refused(ccd, run_recipe, calibrations):
    plain = run_recipe("arc", [(ccd.write("plain", arc(ccd), **SETUP), "ARC")], out="plain")
    frame = (ccd.write("star", star(ccd), **KEYS), "SPEC_STD")
    result = run_recipe("extract", [frame, (plain.product("ARC_SPECTRUM"), "ARC_SPECTRUM")])
    assert result.code == 10
    assert "no dispersion relation" in result.stderr


def test_an_arc_of_another_window_is_refused(ccd, run_recipe, calibrations):
    frame = (ccd.write("star", star(ccd)[:, :300], **KEYS), "SPEC_STD")
    result = run_recipe("extract", [frame, calibrations[1]])
    assert result.code == 1
    assert "400 pixels along the dispersion, but the raw frames have 300" in result.stderr


def test_a_header_without_the_gain_is_told(ccd, run_recipe, calibrations):
    frame = (ccd.write("star", star(ccd), **SETUP), "SPEC_STD")
    result = run_recipe("extract", [frame, *calibrations])
    assert result.code == 10
    assert "ESO DET OUT1 CONAD is None" in result.stderr
    assert "gain_key can name another key" in result.stderr


def test_the_product_names_its_calibrations(observe, ccd):
    header = fits.getheader(observe(star(ccd)).product("STD_SPECTRUM"))
    assert header["ESO PRO REC1 CAL1 CATG"] == "MASTER_BIAS"
    assert header["ESO PRO REC1 CAL2 CATG"] == "ARC_SPECTRUM"
    assert header["ESO PRO CATG"] == "STD_SPECTRUM"
