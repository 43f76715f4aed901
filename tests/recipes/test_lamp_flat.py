"""Flats with the lamp on and off: the response of the pixels, the gain and the fixed pattern."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

LEVEL, SPREAD, BACKGROUND = 5000.0, 0.01, 300.0


@pytest.fixture
def response(ccd):
    return 1.0 + SPREAD * ccd.rng.standard_normal((ccd.side, ccd.side))


def flats(ccd, response, n_pair=3, level=LEVEL, last=None):
    paths = []
    for number in range(2 * n_pair):
        on = number % 2 == 0
        adu = ccd.rng.poisson(((level if on else 0.0) * response + BACKGROUND) * ccd.gain) / ccd.gain
        image = (ccd.bias + adu + ccd.rng.normal(0.0, ccd.ron, response.shape)).astype(np.float32)
        keys = {"ESO INS LAMP2 SET": 4 if on else 0, "ESO DET DIT": 2.0}
        paths.append((ccd.write(f"lamp{number}", image, **keys), "FLAT_LAMP"))
    return paths[:last]


def test_the_flat_is_the_response_of_the_pixels(ccd, run_recipe, response):
    flat = fits.getdata(run_recipe("lamp_flat", flats(ccd, response)).product("MASTER_LAMP_FLAT"))
    noise = np.sqrt((LEVEL + 2 * BACKGROUND) / ccd.gain + 2 * ccd.ron**2) / LEVEL / np.sqrt(3)
    assert np.std(flat - response / np.median(response)) < 1.3 * noise
    assert np.median(flat) == pytest.approx(1.0, abs=1e-6)


def test_gain_lamp_and_fixed_pattern_are_the_true_ones(ccd, run_recipe, response):
    qc = run_recipe("lamp_flat", flats(ccd, response)).qc("MASTER_LAMP_FLAT")
    assert qc["GAIN"] == pytest.approx(ccd.gain, rel=0.03)
    assert qc["LAMPFLUX"] == pytest.approx(LEVEL / 2.0, rel=0.01)
    assert qc["FPNOISE"] == pytest.approx(SPREAD * LEVEL, rel=0.1)


def test_one_pair_has_a_flat_and_no_gain(ccd, run_recipe, response):
    qc = run_recipe("lamp_flat", flats(ccd, response, n_pair=1)).qc("MASTER_LAMP_FLAT")
    assert set(qc) == {"LAMPFLUX"}


def test_a_frame_without_a_partner_is_refused(ccd, run_recipe, response):
    result = run_recipe("lamp_flat", flats(ccd, response, last=5))
    assert result.code == 1
    assert "3 frames with the lamp on and 2 with the lamp off (ESO INS LAMP2 SET)" in result.stderr


def test_a_lamp_that_gave_no_light_is_refused(ccd, run_recipe, response):
    result = run_recipe("lamp_flat", flats(ccd, response, level=-10.0))
    assert result.code == 1
    assert "the lamp gives no light" in result.stderr
    assert "lamp0.fits -10 adu" in result.stderr


def test_a_header_that_does_not_say_whether_the_lamp_was_on_is_told(ccd, run_recipe, response):
    sof = flats(ccd, response)
    fits.delval(sof[2][0], "ESO INS LAMP2 SET")
    result = run_recipe("lamp_flat", sof)
    assert result.code == 10
    assert "lamp2.fits: ESO INS LAMP2 SET is None" in result.stderr
