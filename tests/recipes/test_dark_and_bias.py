"""Master darks and biases: the frame, its noise and its hot pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits


def test_each_extension_of_the_raw_frames_has_its_extension_in_the_master(detector, run_recipe):
    result = run_recipe("dark", detector.frames("DARK", 3))
    assert result.code == 0
    with fits.open(result.product("MASTER_DARK")) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "CHIP1.INT1", "CHIP2.INT1"]
        assert {hdu.data.dtype.name for hdu in hdus[1:]} == {"float32"}
        assert hdus[1].header["ESO DET CHIP LIVE"] is True


def test_readout_noise_is_within_5_percent_and_not_quantised_by_whole_adu(detector, run_recipe):
    qc = run_recipe("dark", detector.frames("DARK", 5)).qc("MASTER_DARK", 1)
    pairs = [qc[f"RON{i}"] for i in range(1, 6)]
    assert pairs == pytest.approx([6.0] * 5, rel=0.05)
    assert len(set(pairs)) == 5
    assert "RON6" not in qc


def test_hot_pixels_are_counted_each_of_them_and_no_other(detector, run_recipe):
    qc = run_recipe("dark", detector.frames("DARK", 5)).qc("MASTER_DARK", 2)
    assert qc["DARK NBADPIX"] == 5
    assert qc["BADFRAC"] == pytest.approx(5 / 256**2)


def test_the_level_of_the_master_is_that_of_the_frames(detector, run_recipe):
    qc = run_recipe("dark", detector.frames("DARK", 5), combtype="mean").qc("MASTER_DARK", 1)
    assert qc["DARK MED"] == pytest.approx(200.0, abs=0.2)
    assert qc["RAW MEAN MEDIAN"] == pytest.approx(200.0, abs=0.5)
    assert qc["DARK STDEV"] == pytest.approx(6.0 / np.sqrt(5), rel=0.03)
    assert 0.0 < qc["RAW RMS MEAN"] < 0.5


@pytest.mark.parametrize("method", ["median", "mean"])
def test_a_particle_hit_in_one_frame_leaves_no_trace_and_is_counted(detector, run_recipe, method):
    sof = detector.frames("DARK", 5)
    with fits.open(sof[2][0], mode="update") as hdus:
        hdus[1].data[60, 70:90] += 5000
    result = run_recipe("dark", sof, combtype=method)
    master = fits.getdata(result.product("MASTER_DARK"), 1)
    assert np.abs(master[60, 70:90] - 200.0).max() < 5 * 6.0 / np.sqrt(3)
    assert result.qc("MASTER_DARK", 1)["PARTICLE_RATE"] == pytest.approx(20 / 50.0, abs=0.06)


def test_one_frame_makes_a_master_without_a_readout_noise(detector, run_recipe):
    sof = detector.frames("DARK", 1)
    result = run_recipe("dark", sof)
    qc = result.qc("MASTER_DARK", 1)
    assert result.code == 0
    assert not [key for key in qc if key.startswith("RON")]
    assert (fits.getdata(result.product("MASTER_DARK"), 1) == fits.getdata(sof[0][0], 1)).all()


def test_two_frames_make_one_pair(detector, run_recipe):
    qc = run_recipe("dark", detector.frames("DARK", 2)).qc("MASTER_DARK", 1)
    assert qc["RON1"] == pytest.approx(6.0, rel=0.05)
    assert "RON2" not in qc


def test_a_master_bias_in_the_set_of_frames_is_subtracted(detector, run_recipe):
    bias = run_recipe("bias", detector.frames("BIAS", 5), out="bias").product("MASTER_BIAS")
    result = run_recipe("dark", [*detector.frames("DARK", 3), (bias, "MASTER_BIAS")])
    assert result.qc("MASTER_DARK", 1)["DARK MED"] == pytest.approx(0.0, abs=0.5)
    header = fits.getheader(result.product("MASTER_DARK"))
    assert header["ESO PRO REC1 CAL1 CATG"] == "MASTER_BIAS"
    assert header["ESO PRO REC1 CAL1 DATAMD5"] == fits.getheader(bias)["DATAMD5"]


def test_a_frame_with_its_image_in_the_primary_makes_a_product_of_the_same_form(ccd, run_recipe):
    result = run_recipe("bias", ccd.frames("BIAS", 4))
    with fits.open(result.product("MASTER_BIAS")) as hdus:
        assert len(hdus) == 1
        assert hdus[0].data.shape == (256, 256)
    qc = result.qc("MASTER_BIAS")
    assert qc["RON"] == pytest.approx(6.0, rel=0.05)
    assert qc["BIAS MED"] == pytest.approx(200.0, abs=0.2)
    assert {"BIAS MEAN", "BIAS STDEV"} <= set(qc)


def test_a_pixel_that_is_nan_in_some_frames_is_made_of_the_others(ccd, run_recipe):
    images = [ccd.pixels(0.0, hot=False) for _ in range(3)]
    images[0][10, 10] = np.nan
    for image in images:
        image[20, 20] = np.inf
    result = run_recipe("bias", [(ccd.write(f"b{i}", image), "BIAS") for i, image in enumerate(images)])
    master = fits.getdata(result.product("MASTER_BIAS"))
    assert master[10, 10] == pytest.approx((images[1][10, 10] + images[2][10, 10]) / 2)
    assert np.isnan(master[20, 20])
    assert result.qc("MASTER_BIAS")["BIAS NBADPIX"] == 1


def test_frames_that_are_all_equal_have_no_noise_and_no_hot_pixel(ccd, run_recipe):
    sof = [(ccd.write(f"b{i}", np.full((32, 32), 100.0, np.float32)), "BIAS") for i in range(3)]
    result = run_recipe("bias", sof)
    qc = result.qc("MASTER_BIAS")
    assert (qc["RON"], qc["BIAS STDEV"], qc["BIAS NBADPIX"], qc["BIAS MED"]) == (0.0, 0.0, 0, 100.0)


def test_tags_and_the_category_of_the_product_are_the_packs_choice(detector, run_recipe):
    sof = detector.frames("CAL_DARK_IR", 2)
    result = run_recipe("dark", sof, raw_tags="X,CAL_DARK_IR", product_category="IR_DARK_AVG")
    assert result.product("IR_DARK_AVG").name == "ir_dark_avg.fits"
    assert fits.getheader(result.product("IR_DARK_AVG"))["ESO PRO CATG"] == "IR_DARK_AVG"


def test_a_tenth_of_dead_pixels_does_not_change_the_noise(ccd, run_recipe):
    images = [ccd.pixels(0.0) for _ in range(3)]
    for image in images:
        image[:26] = ccd.rng.normal(0.0, 600.0, image[:26].shape)
    sof = [(ccd.write(f"b{i}", image), "BIAS") for i, image in enumerate(images)]
    assert run_recipe("bias", sof).qc("MASTER_BIAS")["RON"] == pytest.approx(6.0, rel=0.05)


def test_noise_below_the_step_of_whole_numbers_is_that_of_the_samples(detector, run_recipe):
    quiet = replace(detector, ron=0.25)
    sof = quiet.frames("DARK", 3)
    first, second = (fits.getdata(path, 1).astype(float) for path, _ in sof[:2])
    cold = first < 300.0
    truth = np.std((second - first)[cold]) / np.sqrt(2.0)
    assert truth > 0.1
    assert run_recipe("dark", sof).qc("MASTER_DARK", 1)["RON1"] == pytest.approx(truth, rel=0.05)
