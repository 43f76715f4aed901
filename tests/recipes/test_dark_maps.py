"""Master dark with maps: which pixels are hot, cold or deviant, and the noise of one readout."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

COLD, DEVIANT = [(10, 20), (30, 99)], [(60, 61), (5, 200), (77, 8)]


@pytest.fixture
def sof(ccd):
    images = [ccd.pixels(0.0, hot=False) for _ in range(3)]
    for number, image in enumerate(images):
        for pixel in ccd.hot:
            image[pixel] += 800.0
        for pixel in COLD:
            image[pixel] -= 150.0
        for pixel in DEVIANT:
            image[pixel] += (0.0, 70.0, -70.0)[number]
    return [(ccd.write(f"dark{i}", image), "DARK") for i, image in enumerate(images)]


def flagged(result, category):
    rows, columns = np.nonzero(fits.getdata(result.product(category)))
    return sorted(zip(rows.tolist(), columns.tolist(), strict=True))


def test_each_map_holds_the_pixels_of_its_kind(ccd, sof, run_recipe):
    # without rejection: what deviates upwards once may be a hit
    result = run_recipe("dark_maps", sof, thresh=50.0)
    assert flagged(result, "HOT_PIXELS") == sorted(ccd.hot)
    assert flagged(result, "COLD_PIXELS") == sorted(COLD)
    assert flagged(result, "DEVIANT_PIXELS") == sorted(DEVIANT)
    qc = result.qc("MASTER_DARK")
    assert [qc[key] for key in ("NBHOTPIX", "NBCOLPIX", "NBDEVPIX")] == [5, 2, 3]
    assert qc["DARKMED"] == pytest.approx(ccd.bias, abs=0.1)
    assert result.qc("HOT_PIXELS") == qc


@pytest.mark.parametrize("ndit", [1, 4])
def test_the_readout_noise_is_that_of_one_readout(ccd, sof, run_recipe, ndit):
    for path, _ in sof:
        fits.setval(path, "HIERARCH ESO DET NDIT", value=ndit)
    qc = run_recipe("dark_maps", sof).qc("MASTER_DARK")
    for key in ("RON1", "RON2", "RON MED"):
        assert qc[key] == pytest.approx(ccd.ron * np.sqrt(ndit), rel=0.03)


def test_a_single_dark_has_no_readout_noise_and_no_deviant_pixels(ccd, sof, run_recipe):
    result = run_recipe("dark_maps", sof[:1])
    assert flagged(result, "DEVIANT_PIXELS") == []
    assert "RON1" not in result.qc("MASTER_DARK")
    assert result.qc("MASTER_DARK")["NBHOTPIX"] == 5
