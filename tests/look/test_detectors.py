"""What is drawn of a detector is what the detector holds: means, medians and cuts with care for NaN."""

import numpy as np
import pytest

from qcbench.core.errors import ReportError
from qcbench.look.detectors import (
    GRID_PIXELS,
    DetectorImage,
    block_mean,
    comparison,
    finite_sample,
    grid_side,
    median,
    profile,
    saturated_fraction,
    zscale_cuts,
)


def image(data, **options):
    return DetectorImage("chip 1", np.asarray(data, dtype=float), "adu", **options)


def test_blocks_are_means_that_leave_nan_out():
    data = np.array([[1.0, 3.0, np.nan, np.nan], [5.0, np.nan, np.nan, np.nan]])
    mean, step = block_mean(data, 2)
    assert step == 2
    np.testing.assert_array_equal(mean, np.array([[3.0, np.nan]], dtype=np.float32))


def test_the_last_block_may_be_a_part():
    mean, step = block_mean(np.arange(25.0).reshape(5, 5), 2)
    assert step == 3
    assert mean.shape == (2, 2)
    assert mean[1, 1] == np.mean([18, 19, 23, 24])


def test_small_images_stay_as_they_are():
    data = np.arange(6).reshape(2, 3)
    mean, step = block_mean(data, 8)
    assert step == 1
    np.testing.assert_array_equal(mean, data)


@pytest.mark.parametrize("n_images", [1, 4, 32])
def test_a_grid_stays_light_however_many_detectors_share_it(n_images):
    assert grid_side(n_images, 512) ** 2 * n_images <= GRID_PIXELS
    assert grid_side(1, 512) == 512


def test_a_sample_meets_every_column():
    data = np.tile(np.arange(64.0), (512, 1))
    sample = finite_sample(data, 1024)
    assert sample.size <= 1024
    assert set(sample) == set(range(64))


def test_nan_and_infinity_are_no_part_of_sample_and_median():
    data = np.array([[1.0, np.nan], [3.0, np.inf]])
    assert sorted(finite_sample(data)) == [1, 3]
    assert median(data) == 2
    assert np.isnan(median(np.full((2, 2), np.nan)))


def test_saturation_counts_only_where_its_level_is_known():
    assert saturated_fraction(image([[1, 9], [9, 10]], saturation=9)) == 0.75
    assert saturated_fraction(image([[1, 9], [9, 10]])) == 0


def test_cuts_follow_the_sky_not_the_outliers():
    data = np.random.default_rng(1).normal(100, 3, (200, 200))
    data[5, 5] = 1e9
    low, high = zscale_cuts([image(data)])
    assert 80 < low < 100 < high < 120


@pytest.mark.parametrize("value", [np.nan, 0.0, 7.0])
def test_cuts_are_never_empty(value):
    low, high = zscale_cuts([image(np.full((20, 20), value))])
    assert low < high


def test_a_median_cut_ignores_nan_like_numpy():
    data = np.random.default_rng(2).normal(size=(30, 21))
    data[data > 1] = np.nan
    data[:, 4] = np.nan
    x, y = profile(image(data), "row", central=False)
    assert x[0] == 1
    expected = np.nanmedian(np.delete(data, 4, axis=1), axis=0)
    np.testing.assert_allclose(np.delete(y, 4), expected)
    assert np.isnan(y[4])


def test_a_central_cut_is_the_central_line():
    data = np.arange(15).reshape(3, 5)
    np.testing.assert_array_equal(profile(image(data), "row", central=True)[1], data[1])
    np.testing.assert_array_equal(profile(image(data), "column", central=True)[1], data[:, 2])
    with pytest.raises(ReportError, match="no cut along 'diagonal'"):
        profile(image(data), "diagonal", central=True)


def test_a_comparison_is_robust():
    data = np.random.default_rng(3).normal(5, 2, (100, 100))
    data[:2] = 1000
    found = comparison(data)
    assert found.median == pytest.approx(5, abs=0.2)
    assert found.scatter == pytest.approx(2, rel=0.1)
    assert found.beyond == pytest.approx(0.02, abs=0.001)


def test_what_is_no_image_is_refused_by_name():
    with pytest.raises(ReportError, match=r"image 'chip 1': has the shape \(3,\)"):
        image([1, 2, 3])
