"""The light of a long-slit spectrograph: lamps and stars dispersed along y, the slit along x.

A grid is the rows ``(n, 1)`` and columns ``(1, n)`` of the full detector, its size (n_x, n_y); places of polynomials
count from its middle row.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.polynomial.polynomial import polyval
from numpy.typing import NDArray

from qcbench.simulate.scenes import Arc, Pair, SlitFlat, SlitStar

Image = NDArray[np.float32]
Grid = tuple[NDArray[np.float64], NDArray[np.float64]]
Size = tuple[int, int]

REACH = 6.0  # sigmas beyond which a line or a star adds nothing
FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))
_ROW_STEP = 0.01


def arc(grid: Grid, size: Size, scene: Arc, strength: float) -> Image:
    """Return the lines of an arc lamp (adu), a little tilted against the rows."""
    y, x = grid
    image = np.full((y.size, x.size), scene.background, dtype=np.float32)
    places = rows_of(scene.dispersion, size, scene.lines) if scene.dispersion else scene.lines
    _add_lines(image, grid, size, places, scene.sigma, scene.tilt, strength)
    return image


def lamp(grid: Grid, size: Size, scene: SlitFlat) -> Image:
    """Return the spectrum of a flat-field lamp, 1 in the middle row."""
    y, x = grid
    return np.broadcast_to(1.0 + scene.slope * (y - size[1] / 2) / size[1], (y.size, x.size)).astype(
        np.float32
    )


def star(grid: Grid, size: Size, scene: SlitStar) -> Image:
    """Return a star and the sky (adu)."""
    y, x = grid
    image = np.full((y.size, x.size), scene.sky, dtype=np.float32)
    lines = rows_of(scene.dispersion, size, scene.sky_lines)
    _add_lines(image, grid, size, lines, scene.line_sigma, scene.tilt, 1.0)
    flux = scene.flux * (1.0 + scene.slope * (y - size[1] / 2) / size[1])
    for row, depth in rows_of(scene.dispersion, size, scene.absorption):
        flux = flux * (1.0 - depth * np.exp(-0.5 * ((y - row) / scene.line_sigma) ** 2))
    centre = polyval(y - size[1] / 2, scene.trace)
    profile = np.exp(-0.5 * ((x - centre) / scene.sigma) ** 2) / (scene.sigma * np.sqrt(2.0 * np.pi))
    return np.asarray(image + flux * profile, dtype=np.float32)


def best_ratio(scene: SlitStar, gain: float, ron: float) -> float:
    """Return the signal-to-noise ratio of a star in the middle row, weighted by its profile.

    Parameters
    ----------
    gain, ron : float
        e-/adu, adu.

    Source: Horne 1986, PASP 98, 609, equation 8: the variance is 1 / sum(P^2 / V).
    """
    x = np.arange(-REACH * scene.sigma, REACH * scene.sigma + 1.0)
    profile = np.exp(-0.5 * (x / scene.sigma) ** 2) / (scene.sigma * np.sqrt(2.0 * np.pi))
    variance = (scene.flux * profile + scene.sky) / gain + ron**2
    return float(scene.flux * np.sqrt(np.sum(profile**2 / variance)))


def illumination(grid: Grid, size: Size, vignetting: float) -> Image:
    """Return the light along the slit: a parabola, 1 in the middle."""
    x = grid[1]
    return np.asarray(1.0 - vignetting * ((x - size[0] / 2) / (size[0] / 2)) ** 2, dtype=np.float32)


def rows_of(dispersion: tuple[float, ...], size: Size, lines: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """Return lines with the row that each wavelength (Angstrom) falls on; those off the detector are left out."""
    rows = np.arange(0.0, size[1], _ROW_STEP)
    waves = polyval(rows - size[1] / 2, dispersion)
    inside = [line for line in lines if waves.min() <= line[0] <= waves.max()]
    return tuple((float(rows[np.abs(waves - wave).argmin()]), height) for wave, height in inside)


def _add_lines(
    image: Image, grid: Grid, size: Size, lines: tuple[Pair, ...], sigma: float, tilt: float, strength: float
) -> None:
    y, x = grid
    lean = tilt * (x - size[0] / 2)
    for row, peak in lines:
        near = np.abs(y[:, 0] - row) < REACH * sigma + abs(tilt) * size[0]
        z = (y[near] - row - lean) / sigma
        image[near] += np.float32(peak * strength) * np.exp(-0.5 * z**2).astype(np.float32)
