"""The spectrum of a star in a long slit, by specreduce: where it is, its trace, its sky, its extraction.

All images here have the dispersion along the second axis; places across it count from 0.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcbench.recipes.failures import unusable
from qcbench.recipes.frames import Image
from qcbench.recipes.spectrum import Profile

Plane = NDArray[np.float64]
_FWHM = 2.3548
_BINS = 32
_SMOOTH = 3
_LEVEL_WINDOW = 101
_BRIDGE = 3


@dataclass(frozen=True)
class Exposed:
    """A calibrated long-slit frame: light and its variance (adu, adu^2), and pixels of no use."""

    light: Plane
    variance: Plane
    bad: NDArray[np.bool_]

    def turned(self) -> Exposed:
        """Return the frame with its axes exchanged."""
        return Exposed(self.light.T, self.variance.T, self.bad.T)


@dataclass(frozen=True)
class Extracted:
    """A spectrum; all arrays have the shape (n_along,).

    Attributes
    ----------
    flux, error, sky : array, adu
        Sum of the star, its standard deviation, and the level of the sky in a pixel below it.
    trace : array, pixels
        Where the star is, across the dispersion.
    fwhm, trace_rms : float
        Width of the star along the slit, and scatter of its place around the trace, pixels.
    """

    flux: Profile
    error: Profile
    sky: Profile
    trace: Profile
    fwhm: float
    trace_rms: float


def find_star(light: Plane, bad: NDArray[np.bool_], threshold: float) -> int:
    """Return the place of the brightest star in the slit.

    Its profile is a median along the dispersion, in which hits and lines of the sky leave nothing.

    Raises
    ------
    RecipeRunError
        Nothing stands out of the sky.
    """
    from scipy.ndimage import median_filter, uniform_filter1d

    profile = _profile(light, bad)
    window = min(_LEVEL_WINDOW, profile.size // 2 * 2 - 1)
    net = profile - median_filter(profile, size=window, mode="nearest")
    noise = 1.4826 * float(np.median(np.abs(np.diff(net)))) / np.sqrt(2.0)
    smooth = uniform_filter1d(net, _SMOOTH, mode="nearest")
    place = int(smooth.argmax())
    height = smooth[place] * np.sqrt(_SMOOTH) / noise if noise > 0.0 else 0.0
    if height < threshold:
        raise unusable(
            f"no star in the slit: the highest place of its profile is {height:.1f} times the noise, and "
            f"object_thresh is {threshold:g}; look whether the star was on the slit and the exposure long enough"
        )
    return place


def extract_star(frame: Exposed, place: int, method: str, aperture: float, gap: float) -> Extracted:
    """Trace a star, subtract the sky on both sides of it, and extract it.

    Before extraction the star is shifted onto one row: `HorneExtract` moves whole pixels only, and loses up to
    7 % of a star that is as narrow as 1.8 pixels (sigma).

    Parameters
    ----------
    place : int
        About where the star is.
    method : {"horne", "boxcar"}
        Weighted by the profile of the star, or its plain sum.
    aperture : float
        Half of the width that is extracted, pixels.
    gap : float
        Pixels between the aperture and the sky on either side, which is as wide.

    Raises
    ------
    RecipeRunError
        The star has no trace, or it leaves the detector.
    """
    from specreduce.background import Background
    from specreduce.tracing import ArrayTrace

    image = _ndata(frame.light, frame.variance, frame.bad)
    trace = _trace(frame, place, round(aperture))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        below = Background.two_sided(
            image, ArrayTrace(frame.light, trace), gap + 2 * aperture, width=2 * aperture, statistic="median"
        ).bkg_image()
    sky = np.asarray(below.data, dtype=np.float64)
    half = int(np.ceil(aperture))
    light = _straight(_bridged(frame.light - sky, frame.bad), trace, half, order=3)
    variance = _straight(frame.variance, trace, half, order=1)
    bad = _straight(frame.bad.astype(np.float64), trace, half, order=1) > 0.25
    width = _fwhm(light, bad)
    flux, error = _sum(light, variance, bad, method, half, aperture)
    across = np.clip(np.rint(trace).astype(int), 0, len(sky) - 1)
    level = sky[across, np.arange(sky.shape[1])]
    return Extracted(flux, error, level, trace, width, _wander(light, bad))


def _ndata(light: Plane, variance: Plane, bad: NDArray[np.bool_]) -> object:
    from astropy.nddata import NDData, VarianceUncertainty

    return NDData(light, uncertainty=VarianceUncertainty(variance), mask=bad, unit="adu")


def _trace(frame: Exposed, place: int, window: int) -> Profile:
    from astropy.modeling.models import Polynomial1D
    from specreduce.tracing import FitTrace

    n_across, n_along = frame.light.shape
    near = slice(max(0, place - 2 * window), min(n_across, place + 2 * window + 1))
    cut, bad = frame.light[near], frame.bad[near]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = FitTrace(
                np.where(bad, np.nan, cut),
                bins=min(_BINS, n_along // 8),
                trace_model=Polynomial1D(2),
                peak_method="gaussian",
            ).trace
        except (ValueError, np.linalg.LinAlgError) as err:
            raise unusable(f"the star has no trace: {err}") from err
    trace = np.asarray(found.data, dtype=np.float64) + near.start
    if not (np.isfinite(trace).all() and trace.min() >= window and trace.max() < n_across - window):
        raise unusable(
            f"the trace of the star runs from pixel {trace[0] + 1:.0f} to {trace[-1] + 1:.0f} of {n_across} across "
            f"the slit, nearer to its end than the aperture of {window} pixels: put the star on the slit"
        )
    return trace


def _bridged(image: Plane, bad: NDArray[np.bool_]) -> Plane:
    """Return an image whose bad pixels have the median of their good neighbours along the dispersion, or 0.

    A spline through anything else swings beside them.
    """
    rows, columns = np.nonzero(bad)
    near = np.clip(columns[:, None] + np.arange(-_BRIDGE, _BRIDGE + 1), 0, image.shape[1] - 1)
    there = np.where(bad[rows[:, None], near], np.nan, image[rows[:, None], near])
    bridged = image.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        bridged[rows, columns] = np.nan_to_num(np.nanmedian(there, axis=1))
    return bridged


def _straight(image: Plane, trace: Profile, half: int, order: int) -> Plane:
    """Return the rows around a trace, (2 half + 1, n_along), with the trace on the middle one."""
    from scipy.ndimage import map_coordinates

    rows = trace + np.arange(-half, half + 1.0)[:, None]
    columns = np.broadcast_to(np.arange(trace.size), rows.shape)
    return np.asarray(map_coordinates(image, [rows, columns], order=order, mode="nearest"), dtype=np.float64)


def _sum(
    light: Plane, variance: Plane, bad: NDArray[np.bool_], method: str, half: int, aperture: float
) -> tuple[Profile, Profile]:
    from astropy.modeling.models import Const1D
    from specreduce.extract import BoxcarExtract, HorneExtract
    from specreduce.tracing import FlatTrace

    image, middle = _ndata(light, variance, bad), FlatTrace(light, float(half))
    if method == "horne":
        # without a background of its own, which is part of its profile
        none = Const1D(0.0, fixed={"amplitude": True})
        found = HorneExtract(image, middle, bkgrd_prof=none).spectrum
    else:
        found = BoxcarExtract(image, middle, width=2 * aperture).spectrum
    flux, variance = (np.asarray(a, dtype=np.float64) for a in (found.flux.value, found.uncertainty.array))
    return flux, np.sqrt(variance)


def _profile(light: Plane, bad: NDArray[np.bool_]) -> Profile:
    profile: Profile = np.nan_to_num(np.nanmedian(np.where(bad, np.nan, light), axis=1))
    return profile


def _fwhm(light: Plane, bad: NDArray[np.bool_]) -> float:
    from astropy.modeling.fitting import TRFLSQFitter
    from astropy.modeling.models import Gaussian1D

    profile = _profile(light, bad)
    rows = np.arange(float(profile.size))
    fitted = TRFLSQFitter()(Gaussian1D(profile.max(), 0.5 * (profile.size - 1), 2.0), rows, profile)
    return float(_FWHM * abs(fitted.stddev.value))


def _wander(light: Plane, bad: NDArray[np.bool_]) -> float:
    """Return the rms of the star's centroid around the middle row, in bins along the dispersion."""
    rows = np.arange(len(light)) - 0.5 * (len(light) - 1)
    bins = np.array_split(np.arange(light.shape[1]), min(_BINS, light.shape[1] // 8))
    profiles = [np.clip(_profile(light[:, part], bad[:, part]), 0.0, None) for part in bins]
    places = [float((rows * p).sum() / p.sum()) for p in profiles if p.sum() > 0.0]
    return float(np.sqrt(np.mean(np.square(places)))) if places else float("nan")


def hits(
    image: Image, bad: NDArray[np.bool_], threshold: float, gain: float, ron: float
) -> NDArray[np.bool_]:
    """Return the pixels of one exposure that particles hit.

    Parameters
    ----------
    threshold : float
        Contrast of a hit, in sigma.
    gain, ron : float
        e-/adu, e-.
    """
    from astropy.nddata import CCDData
    from ccdproc import cosmicray_lacosmic

    filled = np.where(bad, np.float32(np.nanmedian(image)), image)
    frame = CCDData(filled, unit="adu", mask=bad)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cleaned = cosmicray_lacosmic(frame, sigclip=threshold, gain=gain, readnoise=ron, gain_apply=False)
    return np.asarray(cleaned.mask & ~bad)
