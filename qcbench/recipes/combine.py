"""Combination of frames of the same kind: median or mean with rejection of particle hits.

The noise that decides what is a hit comes from the whole frame, not from the few samples of one pixel: of
five values none can ever be 5 standard deviations from their own mean. That is why this is not the sigma
clipping of a library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from qcbench.recipes.frames import Image
from qcbench.recipes.noise import clipped

_ROWS = 64


@dataclass(frozen=True)
class Combined:
    """A combined image, and how many samples of each frame were rejected as hits."""

    image: Image
    n_rejected: NDArray[np.int64]


def combine(stack: Image, method: str, threshold: float) -> Combined:
    """Combine frames pixel by pixel.

    Parameters
    ----------
    stack : (n_frame, n_row, n_col) array, adu
        Frames on a common level. Non-finite samples are left out.
    method : {"median", "mean"}
        How the samples that are left make a pixel.
    threshold : float
        Samples more than this many sigma above the pixel's median are hits. With fewer than three frames
        nothing is rejected, since no majority says which sample is the hit.

    Returns
    -------
    Combined
        Pixels without any finite sample are NaN.
    """
    n_frame, n_row, _ = stack.shape
    image = np.empty(stack.shape[1:], dtype=np.float32)
    n_rejected = np.zeros(n_frame, dtype=np.int64)
    level, sigma = _expected_noise(stack)
    for start in range(0, n_row, _ROWS):
        rows = stack[:, start : start + _ROWS].copy()
        if n_frame >= 3 and sigma > 0.0:
            n_rejected += _reject(rows, threshold, level, sigma)
        image[start : start + _ROWS] = _average(rows, method)
    return Combined(image, n_rejected)


def _expected_noise(stack: Image) -> tuple[float, float]:
    """Return level and noise of one sample, from the difference of the first two frames."""
    level = float(np.nanmedian(stack[0]))
    if len(stack) < 2:
        return level, 0.0
    return level, clipped(stack[1] - stack[0]).std / np.sqrt(2.0)


def _reject(rows: Image, threshold: float, level: float, sigma: float) -> NDArray[np.int64]:
    centre = _average(rows, "median")
    # Photon noise grows with the pixel's own level; without it the bright pixels of a flat are all "hits".
    growth = np.sqrt(np.maximum(centre / level, 1.0)) if level > 0.0 else np.ones_like(centre)
    hits = rows - centre > threshold * sigma * growth
    rows[hits] = np.nan
    # An unstable hot pixel jumps in many frames: what it does is no hit.
    hits &= centre <= level + threshold * sigma
    return cast("NDArray[np.int64]", hits.sum(axis=(1, 2)))


def _average(rows: Image, method: str) -> Image:
    """Average over the first axis, without NaN; sorting puts these at the end."""
    ordered = np.sort(np.where(np.isfinite(rows), rows, np.nan), axis=0)
    n_good = np.isfinite(ordered).sum(axis=0)
    if method == "mean":
        total = np.nansum(ordered, axis=0, dtype=np.float64)
        mean = np.divide(total, n_good, out=np.full(total.shape, np.nan), where=n_good > 0)
        return cast("Image", mean.astype(np.float32))
    low = np.take_along_axis(ordered, np.maximum(n_good - 1, 0)[None] // 2, axis=0)[0]
    high = np.take_along_axis(ordered, n_good[None] // 2, axis=0)[0]
    return cast("Image", np.float32(0.5) * (low + high))
