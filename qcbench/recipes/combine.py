"""Combination of frames of the same kind: median or mean by `ccdproc.Combiner`, without particle hits.

Only the mask of the hits is our own: the clipping of the Combiner takes the noise from the samples of one
pixel, and of five values none can ever be 5 standard deviations from their own mean. Here the noise comes
from the whole frame. A single frame stays as it is: of 50 hot pixels in a dark `ccdproc.cosmicray_lacosmic`
takes 50 for hits, and of a real arc all samples of its brightest lines.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from qcbench.recipes.frames import Image
from qcbench.recipes.noise import pair_noise

if TYPE_CHECKING:
    from ccdproc import Combiner

# The Combiner works on copies in double precision: of some rows at a time, these stay small.
_ROWS = 64


@dataclass(frozen=True)
class Combined:
    """A combined image, and how many samples were left out as hits; None where none could be told."""

    image: Image
    n_hits: int | None


@dataclass(frozen=True)
class Expected:
    """Level and noise that a sample of a frame has, adu, and the rejection threshold, in that noise."""

    level: float
    sigma: float
    threshold: float


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
    # ccdproc takes half a second to import: a refused job and the list of recipes do without it.
    from astropy.nddata import CCDData
    from ccdproc import Combiner

    image = np.empty(stack.shape[1:], dtype=np.float32)
    expected = _expect(stack, threshold) if len(stack) >= 3 else None
    n_hits = 0
    for start in range(0, len(image), _ROWS):
        rows = slice(start, start + _ROWS)
        combiner = Combiner(CCDData(plane[rows], unit="adu") for plane in stack)
        if expected and expected.sigma > 0.0:
            n_hits += _mask_hits(combiner, expected)
        image[rows] = _average(combiner, method)
    return Combined(image, n_hits if expected else None)


def _expect(stack: Image, threshold: float) -> Expected:
    return Expected(float(np.nanmedian(stack[0])), pair_noise(stack[0], stack[1]), threshold)


def _mask_hits(combiner: Combiner, expected: Expected) -> int:
    """Mask the hits in a Combiner and return how many there are."""
    level, limit = expected.level, expected.threshold * expected.sigma
    centre = _average(combiner, "median")
    # Photon noise grows with the pixel's own level; without it the bright pixels of a flat are all "hits".
    growth = np.sqrt(np.maximum(centre / level, 1.0)) if level > 0.0 else np.ones_like(centre)
    hits = combiner.data_arr.data - centre > limit * growth
    combiner.data_arr.mask |= hits
    # An unstable hot pixel jumps in many frames: what it does is no hit.
    return int((hits & (centre <= level + limit)).sum())


def _average(combiner: Combiner, method: str) -> Any:
    make = combiner.median_combine if method == "median" else combiner.average_combine
    with warnings.catch_warnings():
        # A pixel without any sample is NaN, as it is meant to be.
        warnings.simplefilter("ignore", RuntimeWarning)
        return make(uncertainty_func=_no_uncertainty).data


def _no_uncertainty(samples: Any, axis: int) -> Any:
    """Return zeros: the Combiner's own estimate, which no product holds, takes twice as long as the median."""
    return np.zeros_like(samples[0])
