"""Master flats and bad-pixel maps."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

LEVELS = (6000.0, 9000.0, 12000.0)


@pytest.fixture
def flats(detector):
    return [(detector.frame(f"FLAT_{i}", level), "FLAT") for i, level in enumerate(LEVELS)]


@pytest.fixture
def master_bias(detector, run_recipe):
    return run_recipe("bias", detector.frames("BIAS", 5), out="bias").product("MASTER_BIAS"), "MASTER_BIAS"


def test_the_flat_has_median_1_and_the_pattern_of_the_detector(flats, master_bias, run_recipe):
    result = run_recipe("flat", [*flats, master_bias])
    flat = fits.getdata(result.product("MASTER_FLAT"), 1)
    y, x = np.mgrid[:256, :256] / 256
    truth = 1.0 + 0.1 * np.sin(6.0 * x) * np.cos(5.0 * y)
    assert np.median(flat) == pytest.approx(1.0, abs=1e-6)
    ratio = flat / (truth / np.median(truth))
    assert np.median(ratio) == pytest.approx(1.0, abs=1e-3)
    assert np.std(ratio[truth > 0]) < 0.03


def test_qc_tells_levels_noise_and_signal_to_noise(flats, master_bias, run_recipe):
    qc = run_recipe("flat", [*flats, master_bias]).qc("MASTER_FLAT", 1)
    assert qc["FLAT MEDMIN"] == pytest.approx(6200.0, rel=0.03)
    assert qc["FLAT MEDMAX"] - qc["FLAT MEDMIN"] == pytest.approx(qc["FLATRNG"])
    assert qc["FLAT NORM"] == pytest.approx(9000.0, rel=0.03)
    assert qc["TWIPHOT"] == pytest.approx(np.sqrt(9000.0 / 2.0), rel=0.05)
    assert qc["TWISNRATIO"] == pytest.approx(np.sqrt(2.0 * sum(LEVELS)), rel=0.05)


def test_a_frame_outside_of_the_level_limits_is_left_out(detector, flats, run_recipe):
    dim = (detector.frame("FLAT_DIM", 500.0), "FLAT")
    header = fits.getheader(run_recipe("flat", [dim, *flats]).product("MASTER_FLAT"))
    assert header["ESO PRO DATANCOM"] == 3
    assert header["ESO PRO REC1 RAW1 NAME"] == "FLAT_0.fits"


def test_when_all_are_rejected_the_reason_has_the_limits_and_the_levels(flats, run_recipe):
    result = run_recipe("flat", flats, lthr=20000, hthr=30000)
    assert result.code == 1
    assert "No images within thresholds 20000 and 30000 adu" in result.stderr
    assert "FLAT_0.fits 61" in result.stderr
    assert list(result.folder.iterdir()) == []


def test_dead_and_undefined_pixels_are_in_the_map_and_counted(ccd, run_recipe):
    images = [ccd.pixels(level, hot=False) for level in LEVELS]
    for image in images:
        image[50, 60], image[51, 61], image[52, 62] = 0.0, np.nan, 65535.0
    result = run_recipe("flat", [(ccd.write(f"f{i}", im), "FLAT") for i, im in enumerate(images)])
    mask = fits.getdata(result.product("MASTER_BPM"))
    assert [tuple(place) for place in np.argwhere(mask)] == [(50, 60), (51, 61), (52, 62)]
    assert result.qc("MASTER_BPM")["FLAT NBADPIX"] == 3
    assert result.qc("MASTER_FLAT")["BADFRAC"] == pytest.approx(3 / 256**2)


def test_the_confidence_map_counts_each_pixel_by_its_response_and_bad_ones_not_at_all(ccd, run_recipe):
    images = [ccd.pixels(level, hot=False) for level in LEVELS]
    for image in images:
        image[50, 60], image[51, 61] = 0.0, np.nan
    result = run_recipe(
        "flat", [(ccd.write(f"f{i}", im), "FLAT") for i, im in enumerate(images)], conf="true"
    )
    confidence = fits.getdata(result.product("MASTER_CONF"))
    flat, bad = fits.getdata(result.product("MASTER_FLAT")), fits.getdata(result.product("MASTER_BPM"))
    assert confidence[50, 60] == confidence[51, 61] == 0
    assert bad.sum() == 2
    good = bad == 0
    np.testing.assert_allclose(confidence[good], 100 * flat[good], atol=0.5)
    assert np.median(confidence) == 100


def test_one_frame_makes_a_flat_without_an_estimate_of_noise(flats, run_recipe):
    result = run_recipe("flat", flats[:1], bpm="false")
    qc = result.qc("MASTER_FLAT", 1)
    assert not {"TWIPHOT", "TWISNRATIO"} & set(qc)
    assert qc["FLUX RATIO"] == 1.0
    assert [path.name for path in sorted(result.folder.iterdir())] == ["master_flat.fits", "products.json"]


def test_a_dark_of_another_window_is_refused(ccd, flats, detector, run_recipe):
    small = (detector.write("dark", *[np.zeros((64, 64), np.float32)] * 2), "MASTER_DARK")
    result = run_recipe("flat", [*flats, small])
    assert result.code == 1
    assert "64 x 64 pixels, but the raw frames have 256 x 256" in result.stderr


def test_a_dead_region_as_large_as_the_boxes_of_the_local_level_is_in_the_map(ccd, run_recipe):
    image = ccd.pixels(9000.0, hot=False)
    image[64:128, 64:128] = 0.0
    result = run_recipe("flat", [(ccd.write("flat", image), "FLAT")])
    mask = fits.getdata(result.product("MASTER_BPM"))
    assert mask[64:128, 64:128].all()
    assert mask.sum() == 64 * 64


def test_a_dark_without_its_bias_is_scaled_to_the_exposure_time_of_the_flats(
    detector, master_bias, run_recipe
):
    darks = [(detector.frame(f"DARK_{i}", 300.0, EXPTIME=10.0), "DARK") for i in range(5)]
    dark = run_recipe("dark", [*darks, master_bias], out="dark").product("MASTER_DARK"), "MASTER_DARK"
    flats = [(detector.frame(f"LONG_{i}", 9000.0, EXPTIME=20.0), "FLAT") for i in range(3)]
    result = run_recipe("flat", [*flats, dark, master_bias])
    assert result.qc("MASTER_FLAT", 1)["FLAT NORM"] == pytest.approx(9000.0 - 2 * 300.0, rel=0.003)
    header = fits.getheader(result.product("MASTER_FLAT"))
    assert [header[f"ESO PRO REC1 CAL{i} CATG"] for i in (1, 2)] == ["MASTER_BIAS", "MASTER_DARK"]


def test_a_dark_that_holds_the_bias_is_subtracted_alone_and_as_it_is(
    detector, master_bias, run_recipe, caplog
):
    darks = [(detector.frame(f"DARK_{i}", 300.0, EXPTIME=10.0), "DARK") for i in range(5)]
    dark = run_recipe("dark", darks, out="dark").product("MASTER_DARK"), "MASTER_DARK"
    flats = [(detector.frame(f"LONG_{i}", 9000.0, EXPTIME=20.0), "FLAT") for i in range(3)]
    result = run_recipe("flat", [*flats, dark, master_bias])
    assert result.qc("MASTER_FLAT", 1)["FLAT NORM"] == pytest.approx(9000.0 - 300.0, rel=0.003)
    assert "ESO PRO REC1 CAL2 CATG" not in fits.getheader(result.product("MASTER_FLAT"))
    assert "holds the bias and is not scaled to 20 s" in caplog.text
