"""Wavelength calibration of a lamp spectrum: which line is which, the dispersion relation, the bend of the lines.

The lines are identified and fitted here, not by `specreduce.wavecal1d`: its search draws random numbers without a
seed, so that one arc gives two relations, and it takes longer to import than an arc takes to reduce.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from qcbench.recipes.failures import bad_parameter, missing, unreadable, unusable
from qcbench.recipes.frames import PRIMARY, Frame, Image
from qcbench.recipes.spectrum import Lines, Profile, find_lines

UNIT = "DISPERSION"
DEGREE = 3
# A cubic goes through any four lines; only what is left of more of them says that it is right.
_FEWEST = DEGREE + 3
_SCALES = np.linspace(0.97, 1.03, 61)
_CLOSE = 2.0  # pixels within which a line of the lamp counts for a first guess
_FITTED = 1.0  # pixels from the fit beyond which a line is taken for another one


@dataclass(frozen=True)
class Guess:
    """Wavelength (Angstrom) at pixel 0 of the detector, and Angstrom in a pixel of it, both before binning."""

    start: float
    step: float


@dataclass(frozen=True)
class Dispersion:
    """The dispersion relation of a detector.

    Attributes
    ----------
    relation : Polynomial
        Wavelength (Angstrom) of a pixel; the first one is 1.
    bend : Polynomial
        Pixels by which a line is further on, at a distance from the reference across the dispersion.
    reference : float
        Pixel across the dispersion at which the relation holds.
    axis : {"x", "y"}
        Axis of the dispersion.
    n_pixel : int
        Pixels along the dispersion.
    rms : float
        Of the lines around the relation, Angstrom.
    """

    relation: Polynomial
    bend: Polynomial
    reference: float
    axis: str
    n_pixel: int
    rms: float

    @property
    def step(self) -> float:
        """Angstrom in a pixel, in the middle."""
        return float(self.relation.deriv()(0.5 * (self.n_pixel + 1)))

    @property
    def centre(self) -> float:
        """Wavelength (Angstrom) in the middle."""
        return float(self.relation(0.5 * (self.n_pixel + 1)))

    def wavelengths(self, across: Profile) -> Profile:
        """Return the wavelength (Angstrom) of each pixel, at the places across the dispersion where it is taken."""
        pixels = np.arange(1.0, self.n_pixel + 1.0)
        return np.asarray(self.relation(pixels - self.bend(across - self.reference)), dtype=np.float64)

    def table(self) -> tuple[NDArray[np.void], fits.Header]:
        """Return the relation as the table and the header of an extension."""
        rows = np.zeros(DEGREE + 1, dtype=[("ORDER", ">i4"), ("COEFF", ">f8"), ("BEND", ">f8")])
        rows["ORDER"] = np.arange(DEGREE + 1)
        rows["COEFF"][: self.relation.coef.size] = self.relation.convert().coef
        bend = self.bend.convert().coef
        rows["BEND"][: bend.size] = bend
        header = fits.Header()
        header["DISPREF"] = (self.reference, "[pix] Where the relation holds, across")
        header["DISPAXIS"] = (1 if self.axis == "x" else 2, "FITS axis of the dispersion")
        header["DISPNPIX"] = (self.n_pixel, "[pix] Pixels along the dispersion")
        header["DISPRMS"] = (self.rms, "[Angstrom] Rms of the lines around the relation")
        return rows, header


TABLE_UNITS = ("", "Angstrom/pix**ORDER", "pix/pix**ORDER")


def unit_of(detector: str) -> str:
    """Return the name of the extension that holds the dispersion relation of a detector."""
    return UNIT if detector == PRIMARY else f"{detector}.{UNIT}"


def read_dispersion(frame: Frame, detector: str) -> Dispersion:
    """Read the dispersion relation of a detector from an arc product.

    Raises
    ------
    RecipeRunError
        The product has none, or it can't be read.
    """
    unit = unit_of(detector)
    try:
        with fits.open(frame.path, memmap=False) as hdus:
            if unit not in hdus:
                raise missing(
                    f"{frame.path}[{unit}]: no dispersion relation; give the arc recipe the wavelengths of "
                    "the lamp and the dispersion of this setup (wavelengths, dispersions), and process it again"
                )
            rows, header = hdus[unit].data, hdus[unit].header
            relation, bend = (Polynomial(np.asarray(rows[name], dtype=float)) for name in ("COEFF", "BEND"))
            axis = "x" if header["DISPAXIS"] == 1 else "y"
            size, rms = int(header["DISPNPIX"]), float(header["DISPRMS"])
            return Dispersion(relation, bend, float(header["DISPREF"]), axis, size, rms)
    except (OSError, KeyError, TypeError, ValueError) as err:
        raise unreadable(f"{frame.path}[{unit}]: error reading from FITS file: {err}") from err


def parse_wavelengths(text: str) -> Profile:
    """Return the wavelengths of a lamp, Angstrom, from their list with commas."""
    try:
        return np.sort(np.array([float(word) for word in text.split(",") if word.strip()]))
    except ValueError as err:
        raise bad_parameter(f"Parameter wavelengths: {err}; give numbers (Angstrom) with commas") from err


def parse_dispersions(text: str) -> dict[str, Guess]:
    """Return the first guess for each setup, from ``SETUP=START/STEP`` with commas."""
    guesses = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        setup, _, numbers = word.rpartition("=")
        try:
            start, step = (float(number) for number in numbers.split("/"))
        except ValueError as err:
            raise bad_parameter(
                f"Parameter dispersions: {word!r}; give SETUP=START/STEP with commas, such as Gr#13=3447/2.85"
            ) from err
        guesses[setup.strip()] = Guess(start, step)
    return guesses


def first_wavelengths(guess: Guess, header: fits.Header, axis: str, n_pixel: int) -> Profile:
    """Return the expected wavelength of each pixel, Angstrom.

    Binning and window are taken from the pixel coordinates of the header (CTYPE ``PIXEL``), where it has them.
    """
    number = 1 if axis == "x" else 2
    pixels = np.arange(1.0, n_pixel + 1.0)
    if str(header.get(f"CTYPE{number}", "")).strip() == "PIXEL":
        start, step = (float(header.get(f"{key}{number}", 1.0)) for key in ("CRVAL", "CDELT"))
        pixels = start + step * (pixels - float(header.get(f"CRPIX{number}", 1.0)))
    return guess.start + guess.step * pixels


def identify(lines: Lines, lamp: Profile, first: Profile, reach: float) -> tuple[Polynomial, Profile]:
    """Identify lines by the shift and stretch of the first guess that brings most of them onto lines of the lamp.

    Parameters
    ----------
    lamp : (n_wavelength,) array, Angstrom
        Lines of the lamp, sorted.
    first : (n_pixel,) array, Angstrom
        Expected wavelength of each pixel.
    reach : float
        How far the guess may be off, pixels.

    Returns
    -------
    The relation, and for each line the wavelength that it has in the lamp (Angstrom; NaN for one that is saturated
    or not identified).

    Raises
    ------
    RecipeRunError
        Too few lines are identified for a relation.
    """
    usable = ~lines.saturated
    step = abs(first[-1] - first[0]) / (first.size - 1)
    guess = np.interp(lines.position, np.arange(1.0, first.size + 1.0), first)
    found = _align(guess[usable], lamp, float(first.mean()), step, reach)
    names = np.full(len(lines), np.nan)
    limit, relation = _CLOSE, Polynomial([0.0])
    guess = float(first.mean()) + (guess - first.mean()) * found[0] + found[1]
    for _ in range(6):
        nearest = lamp[np.abs(guess[:, None] - lamp).argmin(axis=1)]
        used = usable & (np.abs(guess - nearest) < limit * step)
        if used.sum() < _FEWEST:
            raise unusable(
                f"{int(used.sum())} of {len(lines)} lines ({int(lines.saturated.sum())} saturated) are lines of the "
                f"lamp, and a dispersion relation needs {_FEWEST}: check that the lamps were on, and that the "
                "exposure time, the grism and its entry in dispersions are right"
            )
        relation = Polynomial.fit(lines.position[used], nearest[used], DEGREE)
        guess, limit = np.asarray(relation(lines.position)), _FITTED
        names = np.where(used, nearest, np.nan)
    return relation, names


def _align(guess: Profile, lamp: Profile, middle: float, step: float, reach: float) -> tuple[float, float]:
    """Return stretch and shift (Angstrom) of the guess with the best agreement; ties go to the least change."""
    shifts = np.arange(-reach, reach + 0.25, 0.5) * step
    best, chosen = -1.0, (1.0, 0.0)
    for scale in sorted(_SCALES, key=lambda scale: abs(scale - 1.0)):
        there = middle + (guess - middle) * scale
        away = np.abs(there[:, None, None] + shifts[:, None] - lamp).min(axis=2)
        scores = np.clip(1.0 - away / (_CLOSE * step), 0.0, None).sum(axis=0)
        if scores.max() > best + 1e-9:
            best, chosen = float(scores.max()), (float(scale), float(shifts[scores.argmax()]))
    return chosen


def measure_bend(image: Image, saturated: NDArray[np.bool_], reference: float, lines: Lines) -> Polynomial:
    """Return by how much lines are further on away from the reference: a parabola through strips of the image.

    Parameters
    ----------
    image, saturated : (n_across, n_along) arrays
        The arc, dispersion along the second axis.
    reference : float
        Pixel across the dispersion (from 1) where the lines were measured.
    """
    edges = np.linspace(0.1, 0.9, 10) * image.shape[0]
    places, shifts = [0.0], [0.0]
    for low, high in zip(edges[:-1].astype(int), edges[1:].astype(int), strict=True):
        if high - low < 4:
            continue
        strip = np.nanmedian(image[low:high], axis=0).astype(np.float64)
        if not np.isfinite(strip).any():
            continue
        there = find_lines(strip, saturated[low:high].mean(axis=0) >= 0.5, 10.0)
        shift = _shift(lines, there)
        if np.isfinite(shift):
            places.append(0.5 * (low + high + 1) - reference)
            shifts.append(shift)
    if len(places) < 4:
        return Polynomial([0.0])
    fitted = Polynomial.fit(places, shifts, 2).convert()
    return Polynomial([0.0, *fitted.coef[1:]])


def _shift(lines: Lines, others: Lines) -> float:
    """Return the median shift of lines, pixels; NaN where too few are there again."""
    clean, known = others.position[~others.saturated], lines.position[~lines.saturated]
    if clean.size < 3 or known.size < 3:
        return float("nan")
    away = clean[:, None] - known
    nearest = away[np.arange(clean.size), np.abs(away).argmin(axis=1)]
    near = nearest[np.abs(nearest) < 5.0]
    return float(np.median(near)) if near.size >= 3 else float("nan")
