"""Noise of a detector: robust moments, readout noise from pairs, gain from photon transfer.

Clipping is that of `astropy.stats`, and statistics in boxes are those of `photutils.background`; what pairs
of frames say of noise, gain and covariance is in neither of them, nor in ccdproc. The estimates work in boxes
of the difference of two frames: the pattern of the detector goes away in the difference, what is left of a
drift is constant in a box, and the median over boxes doesn't see a bad region.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qcbench.recipes.failures import unusable
from qcbench.recipes.frames import Image

if TYPE_CHECKING:
    from photutils.background import Background2D

_CLIP = 5.0
_HOT = 10.0


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

    Five sigma keeps the standard deviation of a normal distribution to 1e-5. The limits come from the median
    absolute deviation, which a region of dead pixels leaves alone; where noise is below the step of whole
    numbers that is 0, and they come from the standard deviation.
    """
    from astropy.stats import sigma_clipped_stats

    good = values[np.isfinite(values)]
    if good.size == 0:
        return Moments(np.nan, np.nan, np.nan)
    found = sigma_clipped_stats(good, sigma=_CLIP, stdfunc="mad_std", maxiters=1)
    if not found[2] > 0.0:
        found = sigma_clipped_stats(good, sigma=_CLIP, maxiters=None)
    return Moments(*(float(value) for value in found))


def hot_pixels(image: Image, moments: Moments, threshold: float) -> NDArray[np.bool_]:
    """Return where an image is more than some sigma above its median; nowhere in one without noise.

    Pixels count one by one here, where `photutils.segmentation` would join neighbours to one source.
    """
    if not moments.std > 0.0:
        return np.zeros(image.shape, dtype=bool)
    return np.asarray(image > moments.median + threshold * moments.std)


def boxes(image: Image, side: int, filter_size: int = 1) -> Background2D:
    """Return median and clipped noise of an image in square boxes, without its undefined pixels.

    Parameters
    ----------
    image : (n_row, n_col) array
    side : int
        Side of a box, pixels; the boxes at the upper edges are what is left.
    filter_size : int
        Boxes across which the medians are filtered; 1 for none.

    Raises
    ------
    RecipeRunError
        The image has no finite pixel.
    """
    from astropy.stats import SigmaClip
    from photutils.background import Background2D, MedianBackground, StdBackgroundRMS

    if not np.isfinite(image).any():
        raise unusable("No pixel has a usable sample in each frame of a pair: no noise can be measured")
    return Background2D(
        image,
        tuple(min(side, n) for n in image.shape),
        mask=~np.isfinite(image),
        exclude_percentile=100.0,
        filter_size=filter_size,
        sigma_clip=SigmaClip(_CLIP),
        bkg_estimator=MedianBackground(sigma_clip=None),
        bkg_rms_estimator=StdBackgroundRMS(sigma_clip=None),
    )


def pair_noise(first: Image, second: Image) -> float:
    """Return the noise of one frame (ADU) from the difference of two."""
    return clipped(second - first).std / float(np.sqrt(2.0))


def photon_transfer(darks: tuple[Image, Image], flats: tuple[Image, Image], side: int) -> Transfer:
    """Measure readout noise and gain from two darks and two flats.

    The second flat is scaled to the first by the ratio k of their levels (above the dark); then the variance
    of the difference is a (1 + k) / g + ron^2 (1 + k^2) for a level a (Janesick 2001, photon transfer, for
    unequal levels). The gain is the median over boxes.

    Parameters
    ----------
    darks, flats : pair of (n_row, n_col) arrays, adu
    side : int
        Side of a box, pixels.

    Raises
    ------
    RecipeRunError
        No box has usable pixels, or the flats have no more light or noise than the darks.
    """
    # Hot pixels flicker: clipping leaves those in that flicker by less than the photon noise of the flats.
    dark = without_hot(0.5 * (darks[0] + darks[1]))
    dark_difference = np.where(np.isfinite(dark), darks[1] - darks[0], np.float32(np.nan))
    readnoise = float(np.median(boxes(dark_difference, side).background_rms_mesh) / np.sqrt(2.0))
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
    signal = boxes(light[0], side).background_mesh
    variance = boxes(difference, side).background_rms_mesh ** 2
    photon = variance - readnoise**2 * (1.0 + ratio**2) - dark_share
    usable = (signal > 0.0) & (photon > 0.0)
    if not usable.any():
        raise unusable("The flats have no photon noise above that of the darks: no gain can be measured")
    gain = float(np.median(signal[usable] * (1.0 + ratio) / photon[usable]))
    return Transfer(readnoise, gain, covariance(difference))


def without_hot(dark: Image) -> Image:
    """Return a dark with NaN in its hot pixels: those more than 10 sigma above the median."""
    moments = clipped(dark)
    return np.where(hot_pixels(dark, moments, _HOT), np.float32(np.nan), dark)


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
