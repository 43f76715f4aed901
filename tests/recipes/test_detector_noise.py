"""Readout noise and gain of a detector, by photon transfer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits


def frames(detector, levels=(12000.0, 12000.0), n_dark=2):
    return [
        *detector.frames("DARK", n_dark),
        *((detector.frame(f"FLAT_{i}", level), "FLAT") for i, level in enumerate(levels)),
    ]


@pytest.mark.parametrize(("ron", "gain"), [(6.0, 2.0), (3.0, 0.6), (12.0, 4.5)])
def test_noise_is_within_5_percent_and_gain_within_3_percent_of_the_truth(detector, run_recipe, ron, gain):
    qc = run_recipe("detector_noise", frames(replace(detector, ron=ron, gain=gain))).qc("MASTER_READGAIN")
    assert [qc["RON CHIP1-INT1"], qc["RON CHIP2-INT1"]] == pytest.approx([ron, ron], rel=0.05)
    assert [qc["GAIN CHIP1-INT1"], qc["GAIN CHIP2-INT1"]] == pytest.approx([gain, gain], rel=0.03)


def test_flats_of_unequal_levels_give_the_same_gain(detector, run_recipe):
    qc = run_recipe("detector_noise", frames(detector, levels=(8000.0, 20000.0))).qc("MASTER_READGAIN")
    assert qc["GAIN CHIP1-INT1"] == pytest.approx(2.0, rel=0.03)


def test_one_pixel_in_a_hundred_being_hot_changes_nothing(detector, run_recipe):
    places = np.random.default_rng(3).integers(0, 256, size=(655, 2))
    noisy = replace(detector, hot=tuple((int(row), int(column)) for row, column in places))
    qc = run_recipe("detector_noise", frames(noisy)).qc("MASTER_READGAIN")
    assert qc["RON CHIP1-INT1"] == pytest.approx(6.0, rel=0.05)
    assert qc["GAIN CHIP1-INT1"] == pytest.approx(2.0, rel=0.03)


def test_all_neighbouring_pairs_of_more_frames_are_used(detector, run_recipe):
    sof = frames(detector, levels=(9000.0, 12000.0, 15000.0), n_dark=4)
    result = run_recipe("detector_noise", sof)
    assert result.qc("MASTER_READGAIN")["GAIN CHIP1-INT1"] == pytest.approx(2.0, rel=0.02)
    assert fits.getheader(result.product("MASTER_READGAIN"))["ESO PRO DATANCOM"] == 7


def test_the_table_has_a_row_for_each_detector(detector, run_recipe):
    result = run_recipe("detector_noise", frames(detector))
    table = fits.getdata(result.product("MASTER_READGAIN"), "READGAIN")
    assert table.dtype.names == ("EXTNAME", "READNOISE", "GAIN", "COVAR")
    assert list(table["EXTNAME"]) == ["CHIP1.INT1", "CHIP2.INT1"]
    assert table["GAIN"] == pytest.approx([2.0, 2.0], rel=0.03)
    assert table["COVAR"] == pytest.approx([1.0, 1.0], abs=0.05)


def test_noise_that_neighbours_share_shows_as_covariance(ccd, run_recipe):
    def blurred(image: np.ndarray) -> np.ndarray:
        return (0.8 * image + 0.1 * np.roll(image, 1, 0) + 0.1 * np.roll(image, 1, 1)).astype(np.float32)

    sof = [(ccd.write(f"d{i}", ccd.pixels(0.0)), "DARK") for i in range(2)]
    sof += [(ccd.write(f"f{i}", blurred(ccd.pixels(12000.0))), "FLAT") for i in range(2)]
    result = run_recipe("detector_noise", sof)
    covariance = fits.getdata(result.product("MASTER_READGAIN"), 1)["COVAR"][0]
    # r_x = r_y = 0.8 * 0.1 / (0.8^2 + 2 * 0.1^2)
    assert covariance == pytest.approx(1.0 + 4.0 * 0.08 / 0.66, abs=0.03)


def test_with_the_image_in_the_primary_the_keys_have_no_chip(ccd, run_recipe):
    qc = run_recipe("detector_noise", frames(ccd)).qc("MASTER_READGAIN")
    assert set(qc) == {"RON", "GAIN"}


@pytest.mark.parametrize(
    ("n_dark", "levels", "reason"),
    [
        (1, (12000.0, 12000.0), "Too few darks: 1"),
        (2, (12000.0,), "Too few flats: 1"),
        (2, (0.0, 0.0), "not brighter than the darks"),
    ],
)
def test_frames_that_can_not_give_a_gain_are_refused_with_the_reason(
    detector, run_recipe, n_dark, levels, reason
):
    if levels == (0.0, 0.0):
        detector = replace(detector, bias=0.0, ron=0.001)
    result = run_recipe("detector_noise", frames(detector, levels, n_dark))
    assert result.code == 1
    assert reason in result.stderr


def test_any_name_of_an_extension_makes_a_qc_key(detector, run_recipe):
    odd = replace(detector, chips=("win 1/chip*2", "x" * 60))
    result = run_recipe("detector_noise", frames(odd))
    assert "GAIN WIN-1-CHIP-2" in result.qc("MASTER_READGAIN")
    assert list(fits.getdata(result.product("MASTER_READGAIN"), 1)["EXTNAME"]) == ["win 1/chip*2", "x" * 60]
