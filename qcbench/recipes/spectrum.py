"""One-dimensional lamp spectra: dispersion axis, extraction, emission lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from qcbench.recipes.frames import Image

Profile = NDArray[np.float64]
_BACKGROUND_WINDOW = 101
_LINE_DISTANCE = 3


@dataclass(frozen=True)
class Lines:
    """Emission lines of a spectrum; all arrays have the shape (n_line,).

    Attributes
    ----------
    position, fwhm : array, pixels
        Centroid (first pixel is 1, as FITS counts) and full width at half maximum.
    peak, flux : array, adu
        Height above the background, and sum above it over twice the width.
    saturated : array of bool
        True where a pixel under the line is saturated.
    """

    position: Profile
    peak: Profile
    flux: Profile
    fwhm: Profile
    saturated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.position)


def dispersion_axis(image: Image) -> str:
    """Return "x" or "y": the axis along which the spectrum has its lines.

    Collapsed across the dispersion, lamp lines stay narrow and high; collapsed along it, they become one
    smooth slit profile. The axis with more structure on the scale of a few pixels is that of the dispersion.
    """
    structure = {axis: _structure(np.nanmedian(image, axis=0 if axis == "x" else 1)) for axis in ("x", "y")}
    return max(("x", "y"), key=lambda axis: structure[axis])


def _structure(profile: Profile) -> float:
    good = profile[np.isfinite(profile)]
    return float(np.std(np.diff(good))) if good.size > 1 else 0.0


def extract(image: Image, axis: str, width: float) -> tuple[Profile, slice]:
    """Extract the central part of the slit: its median across the dispersion.

    The part is narrow, so that curved or tilted lines stay narrow as well.

    Parameters
    ----------
    image : (n_row, n_col) array, adu
    axis : {"x", "y"}
        Axis of the dispersion.
    width : float
        Fraction of the slit length that is used.

    Returns
    -------
    (n_pixel,) array, adu, and the slice across the dispersion that was used.
    """
    across = image.shape[0 if axis == "x" else 1]
    half = max(1, round(0.5 * width * across))
    part = slice(max(0, across // 2 - half), min(across, across // 2 + half))
    cut = image[part] if axis == "x" else image[:, part].T
    return np.nanmedian(cut, axis=0).astype(np.float64), part


def find_lines(spectrum: Profile, saturated: NDArray[np.bool_], threshold: float) -> Lines:
    """Find emission lines that stand out of the noise of the spectrum, by `scipy.signal`.

    `photutils.detection` takes images of two axes only, and knows no prominence.

    Parameters
    ----------
    spectrum : (n_pixel,) array, adu
    saturated : (n_pixel,) array of bool
        Spectrum pixels that hold saturated samples.
    threshold : float
        Prominence of a line in units of the noise, which is that of the differences of neighbouring pixels.
    """
    from scipy.ndimage import percentile_filter
    from scipy.signal import find_peaks, peak_widths

    filled = _fill(spectrum)
    window = min(_BACKGROUND_WINDOW, filled.size)
    net = filled - percentile_filter(filled, 20, size=window, mode="nearest")
    steps = np.abs(np.diff(net))
    noise = 1.4826 * float(np.median(steps)) / np.sqrt(2.0) if steps.size else 0.0
    floor = max(threshold * noise, 1e-3 * float(net.max(initial=0.0)))
    if not floor > 0.0:
        return _measure(net, np.array([], dtype=int), np.array([]), saturated)
    peaks, _ = find_peaks(net, height=floor, prominence=floor, distance=_LINE_DISTANCE)
    widths = peak_widths(net, peaks, rel_height=0.5)[0]
    return _measure(net, peaks, widths, saturated)


def _fill(spectrum: Profile) -> Profile:
    """Bridge undefined pixels linearly, since filters and peaks have no answer for them."""
    good = np.isfinite(spectrum)
    if good.all():
        return spectrum
    pixels = np.arange(spectrum.size)
    return cast("Profile", np.interp(pixels, pixels[good], spectrum[good]))


def _measure(net: Profile, peaks: NDArray[np.int_], widths: Profile, saturated: NDArray[np.bool_]) -> Lines:
    position, flux, flags = [], [], []
    for peak, width in zip(peaks, widths, strict=True):
        reach = max(1, round(width))
        part = slice(max(0, peak - reach), peak + reach + 1)
        weight = np.clip(net[part], 0.0, None)
        pixels = np.arange(net.size)[part] + 1.0
        position.append(float((pixels * weight).sum() / weight.sum()))
        flux.append(float(weight.sum()))
        flags.append(bool(saturated[part].any()))
    return Lines(
        np.array(position, float),
        net[peaks],
        np.array(flux, float),
        np.asarray(widths, float),
        np.array(flags, bool),
    )
