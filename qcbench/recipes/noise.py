"""Noise of a detector: robust moments, readout noise from pairs, gain from photon transfer.

All estimates work in cells of the difference of two frames: the pattern of the detector goes away in the
difference, what is left of a drift is constant in a cell, and the median over cells doesn't see a bad region.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from qcbench.recipes.failures import unusable
from qcbench.recipes.frames import Image

_CLIP = 5.0
_HOT = 10.0
_MAX_CLIPS = 10
_SEED_SIZE = 200_000
_MAD_TO_SIGMA = 1.482602218505602
Cells = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Mean, median and standard deviation without outliers; NaN where nothing is finite."""

    mean: float
    median: float
    std: float


@dataclass(frozen=True)
class Transfer:
    """Result of one pair of flats and one pair of darks: noise (ADU), gain (e-/ADU), covariance factor."""

    readnoise: float
    gain: float
    covariance: float


def clipped(values: Image) -> Moments:
    """Return the moments of all finite values within 5 sigma of the median.

    Five sigma keeps the standard deviation of a normal distribution to 1e-5, and the clipped standard
    deviation is not quantised as the median absolute deviation of integer frames is.
    """
    good = values[np.isfinite(values)]
    if good.size == 0:
        return Moments(np.nan, np.nan, np.nan)
    median = float(np.median(good))
    deviation = np.abs(good - np.float32(median))
    sigma = _MAD_TO_SIGMA * float(np.median(deviation[:: max(1, deviation.size // _SEED_SIZE)]))
    sigma = sigma or float(deviation.std())
    kept = good
    for _ in range(_MAX_CLIPS):
        kept = good[deviation <= _CLIP * sigma]
        new = float(kept.std(dtype=np.float64))
        if new == 0.0 or abs(new - sigma) < 1e-4 * sigma:
            sigma = new
            break
        sigma = new
    return Moments(float(kept.mean(dtype=np.float64)), median, sigma)


def cells(image: Image, side: int) -> Cells:
    """Cut an image into square cells; the rest at the upper edges is left out.

    Returns
    -------
    (n_cell, n_pixel) array
    """
    side = min(side, *image.shape)
    n_row, n_col = image.shape[0] // side, image.shape[1] // side
    cut = image[: n_row * side, : n_col * side].reshape(n_row, side, n_col, side)
    return cast("Cells", cut.swapaxes(1, 2).reshape(n_row * n_col, side * side).astype(np.float64))


def cell_moments(cut: Cells) -> tuple[Cells, Cells]:
    """Return median and clipped variance of each cell; NaN where a cell has no finite pixel."""
    from astropy.stats import sigma_clip
    from astropy.utils.exceptions import AstropyUserWarning

    with warnings.catch_warnings():
        # That NaN is left out is what is wanted here, and nothing to warn of.
        warnings.simplefilter("ignore", AstropyUserWarning)
        kept = np.asarray(sigma_clip(np.where(np.isfinite(cut), cut, np.nan), _CLIP, axis=1, masked=False))
    live = np.isfinite(kept).any(axis=1)
    median, variance = np.full(len(cut), np.nan), np.full(len(cut), np.nan)
    median[live], variance[live] = np.nanmedian(kept[live], axis=1), np.nanvar(kept[live], axis=1)
    return median, variance


def pair_noise(first: Image, second: Image) -> float:
    """Return the noise of one frame (ADU) from the difference of two."""
    return clipped(second - first).std / float(np.sqrt(2.0))


def photon_transfer(darks: tuple[Image, Image], flats: tuple[Image, Image], side: int) -> Transfer:
    """Measure readout noise and gain from two darks and two flats.

    The second flat is scaled to the first by the ratio k of their levels (above the dark); then the variance
    of the difference is a (1 + k) / g + ron^2 (1 + k^2) for a level a (Janesick 2001, photon transfer, for
    unequal levels). The gain is the median over cells.

    Parameters
    ----------
    darks, flats : pair of (n_row, n_col) arrays, adu
    side : int
        Side of a cell, pixels.

    Raises
    ------
    RecipeRunError
        No cell has usable pixels, or the flats have no more light or noise than the darks.
    """
    # Hot pixels flicker: clipping leaves those in that flicker by less than the photon noise of the flats.
    dark = without_hot(0.5 * (darks[0] + darks[1]))
    dark_noise = cells(np.where(np.isfinite(dark), darks[1] - darks[0], np.nan), side)
    readnoise = float(np.sqrt(np.nanmedian(cell_moments(dark_noise)[1]) / 2.0))
    light = [flat - dark for flat in flats]
    levels = [float(np.nanmedian(image)) for image in light]
    if not min(levels) > 0.0:
        raise unusable(
            f"The flats are not brighter than the darks (levels {levels[0]:.1f}, {levels[1]:.1f} adu)"
        )
    ratio = levels[0] / levels[1]
    # The dark has gone from the level, but not from the difference: its noise is the same in both flats.
    difference = (flats[0] - dark) - np.float32(ratio) * (flats[1] - dark)
    dark_share = (1.0 - ratio) ** 2 * 0.5 * readnoise**2
    signal, _ = cell_moments(cells(light[0], side))
    noise_cells = cells(difference, side)
    _, variance = cell_moments(noise_cells)
    photon = variance - readnoise**2 * (1.0 + ratio**2) - dark_share
    usable = (signal > 0.0) & (photon > 0.0)
    if not usable.any():
        raise unusable("The flats have no photon noise above that of the darks: no gain can be measured")
    gain = float(np.median(signal[usable] * (1.0 + ratio) / photon[usable]))
    return Transfer(readnoise, gain, covariance(difference))


def without_hot(dark: Image) -> Image:
    """Return a dark with NaN in its hot pixels: those more than 10 sigma above the median."""
    moments = clipped(dark)
    hot = dark > moments.median + _HOT * moments.std if moments.std > 0.0 else np.zeros(dark.shape, bool)
    return np.where(hot, np.float32(np.nan), dark)


def covariance(difference: Image) -> float:
    """Return by how much the noise of neighbours adds up: 1 for pixels that know nothing of each other.

    It is 1 + 2 (r_x + r_y) with the correlations r of direct neighbours; interpixel capacitance makes it
    larger than 1, and a gain from photon transfer is too large by this factor.
    """
    moments = clipped(difference)
    noise = difference - moments.mean
    noise = np.where(np.abs(noise) <= _CLIP * moments.std, noise, np.nan)
    variance = float(np.nanmean(noise**2))
    if not variance > 0.0:
        return 1.0
    along = float(np.nanmean(noise[:, 1:] * noise[:, :-1])) if noise.shape[1] > 1 else 0.0
    across = float(np.nanmean(noise[1:] * noise[:-1])) if noise.shape[0] > 1 else 0.0
    return 1.0 + 2.0 * (along + across) / variance
