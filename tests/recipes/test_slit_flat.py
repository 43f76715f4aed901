"""Flats through a slit: the spectrum of the lamp goes, response and light along the slit stay."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from tests.recipes.slits import BIAS, GAIN, N_ACROSS, N_ALONG, SETUP, noisy, sensitivity

LAMP = 20_000.0 * (1.0 + 0.8 * (np.arange(N_ALONG) / N_ALONG - 0.5))


@pytest.fixture
def response(ccd):
    return sensitivity(ccd)


def flats(ccd, response, n=3, scale=1.0, turned=False):
    images = [noisy(ccd, scale * response * LAMP) for _ in range(n)]
    paths = [
        ccd.write(f"flat{i}", image.T if turned else image, **SETUP, EXPTIME=10.0)
        for i, image in enumerate(images)
    ]
    bias = np.full((N_ALONG, N_ACROSS) if turned else (N_ACROSS, N_ALONG), BIAS, dtype=np.float32)
    return [*((path, "SPEC_FLAT") for path in paths), (ccd.write("bias", bias), "MASTER_BIAS")]


@pytest.mark.parametrize("turned", [False, True])
def test_the_flat_is_the_response_without_the_spectrum_of_the_lamp(ccd, run_recipe, response, turned):
    sof = flats(ccd, response, turned=turned)
    result = run_recipe("slit_flat", sof, dispersion_axis="y" if turned else "x")
    flat = fits.getdata(result.product("MASTER_SPEC_FLAT"))
    flat = flat.T if turned else flat
    noise = np.sqrt(1.0 / (3 * LAMP.mean() * GAIN)) * 1.3
    assert np.std(flat / (response / np.median(response)) - 1.0) < 1.3 * noise
    qc = result.qc("MASTER_SPEC_FLAT")
    assert qc["SPFLAT LEVEL"] == pytest.approx(np.median(response * LAMP), rel=0.01)
    assert qc["SPFLAT RATE"] == pytest.approx(np.median(response * LAMP) / 10.0, rel=0.01)
    assert qc["SPFLAT SLOPE"] == pytest.approx(0.8, rel=0.02)
    assert qc["SPFLAT SLITVAR"] == pytest.approx(0.2, abs=0.05)
    assert qc["SPFLAT RMS"] == pytest.approx(0.03, rel=0.1)
    assert qc["SPFLAT SATFRAC"] == 0.0


def test_where_the_lamp_has_no_light_nothing_is_corrected_and_beside_the_slit_all_is_undefined(
    ccd, run_recipe, response
):
    response[:5] = 0.0
    response[:, :40] = 0.0
    result = run_recipe("slit_flat", flats(ccd, response))
    flat = fits.getdata(result.product("MASTER_SPEC_FLAT"))
    assert (flat[20:, :40] == 1.0).all()
    assert np.isnan(flat[:5, 50:]).all()
    assert np.isfinite(flat[5:, 50:]).all()


def test_a_lamp_that_was_off_is_refused_with_the_levels(ccd, run_recipe, response):
    result = run_recipe("slit_flat", flats(ccd, response, scale=0.0))
    assert result.code == 1
    assert "no light above 100 adu" in result.stderr
    assert "flat0.fits 0" in result.stderr or "flat0.fits -0" in result.stderr


def test_a_flat_that_is_saturated_all_over_is_refused(ccd, run_recipe, response):
    result = run_recipe("slit_flat", flats(ccd, response, scale=20.0))
    assert result.code == 1
    assert "saturated all over" in result.stderr
