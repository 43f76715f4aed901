"""Detector images as the figures take them: what is sampled, averaged and measured before it is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.stats import mad_std
from astropy.visualization import ZScaleInterval
from numpy.typing import NDArray

from qcbench.core.errors import ReportError

# About a megabyte in the page for a grid of images, however many detectors it has.
GRID_PIXELS = 1 << 19
_SAMPLE = 1 << 18


@dataclass(frozen=True)
class DetectorImage:
    """The image of one detector.

    Attributes
    ----------
    name : str
        Name of the detector, shown with it.
    data : (ny, nx) array, `unit`
        Pixels; NaN where there is none.
    unit : str
        Unit of the pixels.
    saturation : float or None
        Level from which a pixel is saturated, `unit`; None where it is not known.
    """

    name: str
    data: NDArray[np.floating | np.integer]
    unit: str
    saturation: float | None = None

    def __post_init__(self) -> None:
        if self.data.ndim != 2 or not self.data.size:
            raise ReportError(f"image '{self.name}': has the shape {self.data.shape}, expected (ny, nx)")


def check_images(images: Sequence[DetectorImage]) -> None:
    """Raise ReportError where there is no image to draw."""
    if not images:
        raise ReportError("no detector image to draw: pass one at least, or show the empty state")


def finite_sample(data: NDArray[np.floating | np.integer], limit: int = _SAMPLE) -> NDArray[np.float64]:
    """Return at most about `limit` finite pixels, spread evenly over rows and columns.

    Parameters
    ----------
    data : (ny, nx) array
        Pixels.
    limit : int
        Number of pixels.

    Returns
    -------
    (n,) array
        Finite pixels, same unit.
    """
    flat = data.ravel()
    step = max(1, math.ceil(flat.size / limit))
    # A step that shares a factor with the row length would meet the same columns again and again.
    while step > 1 and math.gcd(step, data.shape[1]) > 1:
        step += 1
    sample = flat[::step].astype(np.float64)
    finite: NDArray[np.float64] = sample[np.isfinite(sample)]
    return finite


def median(data: NDArray[np.floating | np.integer]) -> float:
    """Return the median of the finite pixels, NaN where there is none."""
    finite = data[np.isfinite(data)]
    return float(np.median(finite)) if finite.size else math.nan


def saturated_fraction(image: DetectorImage) -> float:
    """Return the part of all pixels at or above the saturation level, 0 where it is not known."""
    if image.saturation is None:
        return 0.0
    return float(np.count_nonzero(image.data >= image.saturation)) / image.data.size


def block_mean(data: NDArray[np.floating | np.integer], max_side: int) -> tuple[NDArray[np.float32], int]:
    """Average square blocks of pixels until no side is longer than `max_side`.

    Parameters
    ----------
    data : (ny, nx) array
        Pixels; NaN are left out of the means.
    max_side : int
        Longest side, blocks.

    Returns
    -------
    (my, mx) array
        Means; NaN where a block has no finite pixel. The last row and column may stand for part of a block.
    int
        Side of a block, pixels.
    """
    step = max(1, math.ceil(max(data.shape) / max_side))
    if step == 1:
        return data.astype(np.float32), 1
    good = np.isfinite(data)
    total = _block_sums(np.where(good, data, 0.0), step)
    count = _block_sums(good.astype(np.float64), step)
    mean = np.full(total.shape, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean.astype(np.float32), step


def grid_side(n_images: int, max_side: int) -> int:
    """Return the longest side at which `n_images` images together stay a light page, pixels."""
    return max(32, min(max_side, math.isqrt(GRID_PIXELS // n_images)))


def zscale_cuts(images: Sequence[DetectorImage]) -> tuple[float, float]:
    """Return one pair of zscale cuts for all detectors, so that they compare."""
    sample = np.concatenate([finite_sample(image.data, _SAMPLE // len(images)) for image in images])
    if not sample.size:
        return 0.0, 1.0
    low, high = (float(cut) for cut in ZScaleInterval(n_samples=8000).get_limits(sample))
    return widened(low, high)


def widened(low: float, high: float) -> tuple[float, float]:
    """Return a range that is not empty, whatever comes in."""
    if high > low:
        return low, high
    half = abs(low) * 0.01 or 0.5
    return low - half, high + half


def profile(
    image: DetectorImage, axis: str, *, central: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a cut along `axis`: the central row or column, or the median of all of them.

    Parameters
    ----------
    image : DetectorImage
        Image.
    axis : {"row", "column"}
        Along a row (against x) or along a column (against y).
    central : bool
        The central one in place of the median.

    Returns
    -------
    (n,) array, (n,) array
        Pixel number from 1; value, unit of the image.
    """
    if axis not in ("row", "column"):
        raise ReportError(f"image '{image.name}': no cut along '{axis}'; use row or column")
    data = image.data if axis == "row" else image.data.T
    n_lines = data.shape[0]
    # Some 500 lines give the median of a detector to a few percent of its pixel noise.
    lines = data[n_lines // 2 : n_lines // 2 + 1] if central else data[:: math.ceil(n_lines / 500)]
    values = _median_of_lines(lines.astype(np.float64))
    return np.arange(1, values.size + 1, dtype=np.float64), values


@dataclass(frozen=True)
class Comparison:
    """Robust statistics of a difference or ratio: median, scatter (1.4826 MAD), part beyond 5 scatters."""

    median: float
    scatter: float
    beyond: float


def comparison(data: NDArray[np.floating | np.integer]) -> Comparison:
    """Return the robust statistics of the finite pixels, NaN where there is none."""
    sample = finite_sample(data)
    if not sample.size:
        return Comparison(math.nan, math.nan, math.nan)
    middle, scatter = float(np.median(sample)), float(mad_std(sample))
    beyond = float(np.mean(np.abs(sample - middle) > 5 * scatter))
    return Comparison(middle, scatter, beyond)


def _median_of_lines(lines: NDArray[np.float64]) -> NDArray[np.float64]:
    if np.isfinite(lines).all():
        return np.asarray(np.median(lines, axis=0))
    good = np.isfinite(lines)
    ordered = np.sort(np.where(good, lines, np.inf), axis=0)
    count = good.sum(axis=0)
    columns = np.arange(lines.shape[1])
    lower = ordered[np.maximum(count - 1, 0) // 2, columns]
    upper = ordered[np.minimum(count // 2, len(lines) - 1), columns]
    return np.where(count > 0, (lower + upper) / 2, np.nan)


def _block_sums(values: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    rows = np.add.reduceat(values, np.arange(0, values.shape[0], step), axis=0)
    return np.asarray(np.add.reduceat(rows, np.arange(0, values.shape[1], step), axis=1))
