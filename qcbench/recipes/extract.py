"""Recipe ``extract``: spectrum of a star from one or more exposures through a long slit."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from qcbench.recipes.calibrate import Masters
from qcbench.recipes.combine import combine
from qcbench.recipes.dispersion import read_dispersion
from qcbench.recipes.failures import missing, unusable
from qcbench.recipes.frames import PRIMARY, Detector, Frame, check_alike, image_like, load_stack
from qcbench.recipes.job import Run
from qcbench.recipes.masters import COMBINATION
from qcbench.recipes.products import QC, Product, Unit, without_wcs
from qcbench.recipes.recipe import Input, Measurement, Parameter, Recipe
from qcbench.recipes.slit import Exposed, Extracted, extract_star, find_star, hits
from qcbench.recipes.spectrum import Profile

log = logging.getLogger(__name__)
_COLUMNS = [("WAVE", ">f8"), ("FLUX", ">f4"), ("ERR", ">f4"), ("SKY", ">f4"), ("TRACE", ">f4")]
_UNITS = ("Angstrom", "adu", "adu", "adu", "pix")


@dataclass(frozen=True)
class Calibrations:
    """What a star is calibrated with: bias, flat (1 where it is good), and dispersion relation of each detector."""

    masters: Masters
    flat: Frame | None
    arc: Frame

    @property
    def used(self) -> list[Frame]:
        """The frames, in their order."""
        return [*self.masters.used, *([self.flat] if self.flat else []), self.arc]


@dataclass(frozen=True)
class Counted:
    """The exposures of one detector made one, and what was left out of it."""

    frame: Exposed
    n_hits: int
    saturated_fraction: float


def make(run: Run) -> list[Product]:
    """Calibrate the exposures, take their mean without hits, find the star, extract it, and give it wavelengths."""
    frames = run.frames("raw_tags")
    check_alike(frames)
    arc = run.spectrum("arc_tag")
    if arc is None:
        raise missing(
            f"no arc ({run.text('arc_tag')}) of the same grism and slit: process one first; without it the spectrum "
            "has no wavelengths"
        )
    used = Calibrations(Masters(run.calibration("bias_tag")), run.calibration("flat_tag"), arc)
    units = [_unit(run, frames, detector, used) for detector in frames[0].detectors]
    return [Product(run.text("product_category"), frames, units, used.used)]


def _unit(run: Run, frames: list[Frame], detector: Detector, used: Calibrations) -> Unit:
    dispersion = read_dispersion(used.arc, detector.name)
    counted = _count(run, frames, detector, used, dispersion.axis)
    light = counted.frame.light
    if light.shape[1] != dispersion.n_pixel:
        raise unusable(
            f"{used.arc.path}: {dispersion.n_pixel} pixels along the dispersion, but the raw frames have "
            f"{light.shape[1]}: take an arc of the same window and binning"
        )
    place = find_star(light, counted.frame.bad, run.number("object_thresh"))
    star = extract_star(
        counted.frame, place, run.text("method"), run.number("aperture"), run.number("sky_gap")
    )
    if not star.trace_rms <= run.number("max_rms"):
        raise unusable(
            f"{detector.name}: the star scatters by {star.trace_rms:.2f} pixels around its trace at pixel "
            f"{place + 1}, more than max_rms ({run.number('max_rms'):g}): it is too faint, or no star but hot "
            "pixels; look at the raw frame, and expose longer"
        )
    waves = dispersion.wavelengths(star.trace + 1.0)
    log.info(
        "%s: star at pixel %.1f, fwhm %.2f pixels", detector.name, np.median(star.trace) + 1.0, star.fwhm
    )
    # The header of a primary image stays in the primary of the product, with what it says of the exposure.
    header = fits.Header() if detector.name == PRIMARY else without_wcs(detector.header)
    name = "SPECTRUM" if detector.name == PRIMARY else detector.name
    return Unit(name, _table(star, waves), header, _qc(star, waves, counted, frames), units=_UNITS)


def _count(run: Run, frames: list[Frame], detector: Detector, used: Calibrations, axis: str) -> Counted:
    """Return the mean of the exposures with its variance: photons and readout."""
    gain, ron = (_of_header(run, frames[0], detector, name) for name in ("gain_key", "ron_key"))
    stack = load_stack(frames, detector.name)
    saturated = stack >= run.number("saturation")
    used.masters.subtract(stack, frames, detector)
    bad = saturated | ~np.isfinite(stack)
    n_hits = 0
    for image, out in zip(stack, bad, strict=True):
        hit = hits(image, out, run.number("hit_thresh"), gain, ron)
        n_hits += int(hit.sum())
        out |= hit
    stack[bad] = np.nan
    n_good = (~bad).sum(axis=0)
    if not (n_good > 0).any():
        raise unusable(f"{detector.name}: every pixel is saturated or undefined: expose for less long")
    mean = combine(stack, run.text("combtype"), run.number("thresh")).image
    variance = (np.maximum(np.nan_to_num(mean), 0.0) / gain + (ron / gain) ** 2) / np.maximum(n_good, 1)
    flat = image_like(used.flat, detector) if used.flat else np.ones_like(mean)
    ok = np.isfinite(mean) & (flat > 0.0)
    safe = np.where(ok, flat, np.float32(1.0))
    light, spread = np.where(ok, mean, 0.0) / safe, variance / safe**2
    frame = Exposed(light.astype(np.float64), spread.astype(np.float64), ~ok)
    return Counted(frame if axis == "x" else frame.turned(), n_hits, float(saturated.mean()))


def _of_header(run: Run, frame: Frame, detector: Detector, parameter: str) -> float:
    key = run.text(parameter)
    value = detector.header.get(key, frame.header.get(key))
    if not isinstance(value, int | float) or not value > 0.0:
        raise missing(
            f"{frame.path}: {key} is {value!r}, and the noise needs a number; {parameter} can name another key"
        )
    return float(value)


def _table(star: Extracted, waves: Profile) -> NDArray[np.void]:
    rows = np.empty(waves.size, dtype=_COLUMNS)
    for column, values in zip(
        rows.dtype.names or (), (waves, star.flux, star.error, star.sky, star.trace + 1.0), strict=True
    ):
        rows[column] = values
    return rows


def _qc(star: Extracted, waves: Profile, counted: Counted, frames: list[Frame]) -> list[QC]:
    seconds = float(np.mean([frame.exposure for frame in frames]))
    good = np.isfinite(star.flux) & (star.error > 0.0)
    flux = float(np.median(star.flux[good])) if good.any() else np.nan
    ratio = float(np.median(star.flux[good] / star.error[good])) if good.any() else np.nan
    middle = star.trace.size // 2
    return [
        QC("SPEC SNR", ratio, "[] Median signal-to-noise ratio in a pixel"),
        QC("SPEC FLUX", flux / seconds if seconds > 0.0 else np.nan, "[adu/s] Median flux in a pixel"),
        QC("SPEC FWHM", star.fwhm, "[pix] Width of the star along the slit"),
        QC("SPEC SKY", float(np.median(star.sky)), "[adu] Median level of the sky"),
        QC("SPEC TRACE POS", float(star.trace[middle] + 1.0), "[pix] Place of the star, in the middle"),
        QC(
            "SPEC TRACE RUN",
            float(star.trace[-1] - star.trace[0]),
            "[pix] From one end of the trace to the other",
        ),
        QC("SPEC TRACE RMS", star.trace_rms, "[pix] Scatter of the star around its trace"),
        QC("SPEC WLEN MIN", float(waves.min()), "[Angstrom] Shortest wavelength"),
        QC("SPEC WLEN MAX", float(waves.max()), "[Angstrom] Longest wavelength"),
        QC("SPEC NHITS", counted.n_hits, "[pix] Number of pixels hit by particles"),
        QC("SPEC SATFRAC", counted.saturated_fraction, "[] Fraction of saturated samples"),
    ]


RECIPE = Recipe(
    name="extract",
    version="1.0",
    summary="Extract the spectrum of a star in a long slit, with specreduce",
    inputs=(
        Input("raw_tags", required=True, minimum=1, description="Raw exposures of one star"),
        Input("bias_tag", required=False, minimum=0, description="Master bias or dark to subtract"),
        Input("flat_tag", required=False, minimum=0, description="Master flat to divide by"),
        Input("arc_tag", required=True, minimum=1, description="Arc with its dispersion relation"),
    ),
    parameters=(
        Parameter("raw_tags", "SPEC_STD", "Tags of the raw frames, comma-separated"),
        Parameter("bias_tag", "MASTER_BIAS,MASTER_DARK", "Tags of a master bias or dark"),
        Parameter("flat_tag", "MASTER_SPEC_FLAT", "Tags of a master flat"),
        Parameter("arc_tag", "ARC_SPECTRUM", "Tags of an arc"),
        Parameter("product_category", "STD_SPECTRUM", "PRO CATG of the product"),
        Parameter("method", "horne", "How the star is summed", choices=("horne", "boxcar")),
        Parameter("aperture", 10.0, "Half of the width that is extracted, pixels", minimum=2.0),
        Parameter("sky_gap", 5.0, "Pixels between the aperture and the sky", minimum=0.0),
        Parameter(
            "object_thresh", 10.0, "A star stands this many times the noise out of the sky", minimum=1.0
        ),
        Parameter("max_rms", 1.0, "Largest scatter of the star around its trace, pixels", minimum=0.0),
        Parameter("hit_thresh", 6.0, "Detection threshold of particle hits, in sigma", minimum=1.0),
        Parameter("gain_key", "ESO DET OUT1 CONAD", "Header key of the conversion factor, e-/adu"),
        Parameter("ron_key", "ESO DET OUT1 RON", "Header key of the readout noise, e-"),
        Parameter("saturation", 60000.0, "Samples of this level (adu) or more are left out", minimum=1.0),
        Parameter("combtype", "mean", "How exposures are combined", choices=("median", "mean")),
        COMBINATION[1],
    ),
    products=("product_category",),
    function=make,
    qc=(
        Measurement("SPEC SNR", "", "Median signal-to-noise ratio in a pixel"),
        Measurement("SPEC FLUX", "adu/s", "Median flux in a pixel"),
        Measurement("SPEC FWHM", "pix", "Width of the star along the slit"),
        Measurement("SPEC SKY", "adu", "Median level of the sky"),
        Measurement("SPEC TRACE POS", "pix", "Place of the star, in the middle"),
        Measurement("SPEC TRACE RUN", "pix", "From one end of the trace to the other"),
        Measurement("SPEC TRACE RMS", "pix", "Scatter of the star around its trace"),
        Measurement("SPEC WLEN MIN", "Angstrom", "Shortest wavelength"),
        Measurement("SPEC WLEN MAX", "Angstrom", "Longest wavelength"),
        Measurement("SPEC NHITS", "pix", "Number of pixels hit by particles"),
        Measurement("SPEC SATFRAC", "", "Fraction of saturated samples"),
    ),
)
