"""Recipe ``arc``: extracted lamp spectrum and its lines from one or more arc frames."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from qcbench.recipes.calibrate import Masters
from qcbench.recipes.combine import combine
from qcbench.recipes.failures import unusable
from qcbench.recipes.frames import PRIMARY, Detector, Frame, Image, check_alike, load_stack
from qcbench.recipes.job import Run
from qcbench.recipes.masters import COMBINATION
from qcbench.recipes.products import QC, Product, Unit, without_wcs
from qcbench.recipes.recipe import Input, Measurement, Parameter, Recipe
from qcbench.recipes.spectrum import Lines, Profile, dispersion_axis, extract, find_lines

log = logging.getLogger(__name__)
_COLUMNS = [
    ("PIXEL", ">f8"), ("PEAK", ">f4"), ("FLUX", ">f4"), ("FWHM", ">f4"), ("SATURATED", "u1"),
]  # fmt: skip
_UNITS = ("pix", "adu", "adu", "pix", "")


@dataclass(frozen=True)
class Arc:
    """One detector's extracted spectrum."""

    axis: str
    spectrum: Profile
    lines: Lines
    saturated_fraction: float


def make(run: Run) -> list[Product]:
    """Combine the arcs, extract the middle of the slit, and list the lines.

    Saturated samples stay in the spectrum, so that a saturated line is seen as one; its row says so, and the
    median line width leaves it out.
    """
    frames = run.frames("raw_tags")
    check_alike(frames)
    masters = Masters(run.calibration("bias_tag"))
    units: list[Unit] = []
    for detector in frames[0].detectors:
        units += _units(detector, _reduce(run, frames, detector, masters))
    return [Product(run.text("product_category"), frames, units, masters.used)]


def _reduce(run: Run, frames: list[Frame], detector: Detector, masters: Masters) -> Arc:
    stack = load_stack(frames, detector.name)
    saturated = np.asarray((stack >= run.number("saturation")).any(axis=0))
    masters.subtract(stack, frames, detector)
    image = combine(stack, run.text("combtype"), run.number("thresh")).image
    given = run.text("dispersion_axis")
    axis = dispersion_axis(image) if given == "auto" else given
    spectrum, part = extract(image, axis, run.number("extract_width"))
    if not np.isfinite(spectrum).any():
        raise unusable(f"{detector.name}: no finite pixel in the middle of the slit")
    lines = find_lines(spectrum, _along(saturated, axis, part), run.number("line_thresh"))
    log.info("%s: dispersion along %s, %d lines", detector.name, axis, len(lines))
    return Arc(axis, spectrum, lines, float(saturated.mean()))


def _along(saturated: NDArray[np.bool_], axis: str, part: slice) -> NDArray[np.bool_]:
    """Return where half of the extracted samples or more are saturated, so that their median is."""
    cut: Image = (saturated[part] if axis == "x" else saturated[:, part].T).astype(np.float32)
    return np.asarray(cut.mean(axis=0) >= 0.5)


def _units(detector: Detector, arc: Arc) -> list[Unit]:
    # The header of a primary image stays in the primary of the product, with what it says of the exposure.
    header = fits.Header() if detector.name == PRIMARY else without_wcs(detector.header)
    header["CTYPE1"], header["CRPIX1"], header["CRVAL1"], header["CDELT1"] = "PIXEL", 1.0, 1.0, 1.0
    name = "SPECTRUM" if detector.name == PRIMARY else detector.name
    rows = np.empty(len(arc.lines), dtype=_COLUMNS)
    lines = arc.lines
    for column, values in zip(
        rows.dtype.names or (),
        (lines.position, lines.peak, lines.flux, lines.fwhm, lines.saturated),
        strict=True,
    ):
        rows[column] = values
    spectrum = Unit(name, arc.spectrum.astype(np.float32), header, _qc(arc), "adu")
    return [spectrum, Unit(f"{name}.LINES" if detector.name != PRIMARY else "LINES", rows, units=_UNITS)]


def _qc(arc: Arc) -> list[QC]:
    clean = arc.lines.fwhm[~arc.lines.saturated]
    good = arc.spectrum[np.isfinite(arc.spectrum)]
    return [
        QC("ARC NLINES", len(arc.lines), "[] Number of lines found"),
        QC("ARC NSAT", int(arc.lines.saturated.sum()), "[] Number of saturated lines"),
        QC("ARC FWHM MED", float(np.median(clean)) if clean.size else np.nan, "[pix] Median FWHM of lines"),
        QC("ARC SATFRAC", arc.saturated_fraction, "[] Fraction of saturated pixels"),
        QC("ARC MED", float(np.median(good)), "[adu] Median level of the spectrum"),
        QC("ARC MAX", float(good.max()), "[adu] Highest level of the spectrum"),
        QC("ARC DISPAXIS", 1 if arc.axis == "x" else 2, "[] FITS axis of the dispersion"),
    ]


RECIPE = Recipe(
    name="arc",
    version="1.0",
    summary="Extract a lamp spectrum and list its lines",
    inputs=(
        Input("raw_tags", required=True, minimum=1, description="Raw arc frames"),
        Input("bias_tag", required=False, minimum=0, description="Master bias or dark to subtract"),
    ),
    parameters=(
        Parameter("raw_tags", "WAVE,ARC", "Tags of the raw frames, comma-separated"),
        Parameter("bias_tag", "MASTER_BIAS,MASTER_DARK", "Tags of a master bias or dark"),
        Parameter("product_category", "ARC_SPECTRUM", "PRO CATG of the product"),
        Parameter("dispersion_axis", "auto", "Axis of the dispersion", choices=("auto", "x", "y")),
        Parameter("extract_width", 0.1, "Fraction of the slit length to extract", minimum=0.0),
        Parameter("line_thresh", 10.0, "Detection threshold of lines, in noise of the spectrum", minimum=1.0),
        Parameter("saturation", 60000.0, "Samples of this level (adu) or more are saturated", minimum=1.0),
        *COMBINATION,
    ),
    products=("product_category",),
    function=make,
    qc=(
        Measurement("ARC NLINES", "", "Number of lines found"),
        Measurement("ARC NSAT", "", "Number of saturated lines"),
        Measurement("ARC FWHM MED", "pix", "Median FWHM of lines"),
        Measurement("ARC SATFRAC", "", "Fraction of saturated pixels"),
        Measurement("ARC MED", "adu", "Median level of the spectrum"),
        Measurement("ARC MAX", "adu", "Highest level of the spectrum"),
        Measurement("ARC DISPAXIS", "", "FITS axis of the dispersion"),
    ),
)
