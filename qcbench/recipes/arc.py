"""Recipe ``arc``: extracted lamp spectrum, its lines and its dispersion relation from one or more arc frames."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from qcbench.recipes.calibrate import Masters
from qcbench.recipes.combine import combine
from qcbench.recipes.dispersion import (
    TABLE_UNITS,
    Dispersion,
    first_wavelengths,
    identify,
    measure_bend,
    parse_dispersions,
    parse_wavelengths,
    unit_of,
)
from qcbench.recipes.failures import RecipeRunError, unusable
from qcbench.recipes.frames import PRIMARY, Detector, Frame, Image, check_alike, load_stack
from qcbench.recipes.job import Run
from qcbench.recipes.masters import COMBINATION
from qcbench.recipes.products import QC, Product, Unit, without_wcs
from qcbench.recipes.recipe import Input, Measurement, Parameter, Recipe
from qcbench.recipes.spectrum import Lines, Profile, dispersion_axis, extract, find_lines

log = logging.getLogger(__name__)
_COLUMNS = [
    ("PIXEL", ">f8"), ("PEAK", ">f4"), ("FLUX", ">f4"), ("FWHM", ">f4"), ("SATURATED", "u1"),
    ("WAVELENGTH", ">f8"),
]  # fmt: skip
_UNITS = ("pix", "adu", "adu", "pix", "", "Angstrom")


@dataclass(frozen=True)
class Arc:
    """One detector's extracted spectrum; `names` has the wavelength of each line in the lamp, NaN for none."""

    axis: str
    spectrum: Profile
    lines: Lines
    saturated_fraction: float
    names: Profile
    dispersion: Dispersion | None = None


def make(run: Run) -> list[Product]:
    """Combine the arcs, extract the middle of the slit, list the lines, and fit the dispersion relation.

    Without wavelengths of the lamp, or for a setup whose dispersion is not given, there is no relation.
    Saturated samples stay in the spectrum, so that a saturated line is seen as one; its row says so, and the
    median line width and the relation leave it out.
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
    if axis == "y":
        image, saturated = image.T, saturated.T
    spectrum, part = extract(image, "x", run.number("extract_width"))
    if not np.isfinite(spectrum).any():
        raise unusable(f"{detector.name}: no finite pixel in the middle of the slit")
    # Where half of the extracted samples or more are saturated, their median is.
    lines = find_lines(spectrum, saturated[part].mean(axis=0) >= 0.5, run.number("line_thresh"))
    log.info("%s: dispersion along %s, %d lines", detector.name, axis, len(lines))
    arc = Arc(axis, spectrum, lines, float(saturated.mean()), np.full(len(lines), np.nan))
    return _calibrated(run, frames[0], detector, arc, (image, saturated, 0.5 * (part.start + part.stop + 1)))


def _calibrated(
    run: Run, frame: Frame, detector: Detector, arc: Arc, slit: tuple[Image, NDArray[np.bool_], float]
) -> Arc:
    """Add the dispersion relation; `slit` is the image, what is saturated, and the reference across (from 1)."""
    lamp = parse_wavelengths(run.text("wavelengths"))
    setup = str(frame.header.get(run.text("setup_key"), ""))
    guess = parse_dispersions(run.text("dispersions")).get(setup)
    if not lamp.size or guess is None:
        if lamp.size:
            log.warning("No dispersion relation: dispersions has no entry for the setup %r", setup)
        return arc
    image, saturated, reference = slit
    first = first_wavelengths(guess, detector.header, arc.axis, arc.spectrum.size)
    try:
        relation, names = identify(arc.lines, lamp, first, run.number("search"))
    except RecipeRunError as err:
        raise unusable(f"{frame.path.name}[{detector.name}], {setup}: {err}") from err
    used = np.isfinite(names)
    rms = float(np.std(relation(arc.lines.position[used]) - names[used], ddof=relation.degree() + 1))
    bend = measure_bend(image, saturated, reference, arc.lines)
    dispersion = Dispersion(relation, bend, reference, arc.axis, arc.spectrum.size, rms)
    log.info("%s: %d lines identified, rms %.3f Angstrom", detector.name, int(used.sum()), rms)
    return replace(arc, names=names, dispersion=dispersion)


def _units(detector: Detector, arc: Arc) -> list[Unit]:
    # The header of a primary image stays in the primary of the product, with what it says of the exposure.
    header = fits.Header() if detector.name == PRIMARY else without_wcs(detector.header)
    header["CTYPE1"], header["CRPIX1"], header["CRVAL1"], header["CDELT1"] = "PIXEL", 1.0, 1.0, 1.0
    name = "SPECTRUM" if detector.name == PRIMARY else detector.name
    rows = np.empty(len(arc.lines), dtype=_COLUMNS)
    lines = arc.lines
    for column, values in zip(
        rows.dtype.names or (),
        (lines.position, lines.peak, lines.flux, lines.fwhm, lines.saturated, arc.names),
        strict=True,
    ):
        rows[column] = values
    prefix = "" if detector.name == PRIMARY else f"{name}."
    spectrum = Unit(name, arc.spectrum.astype(np.float32), header, _qc(arc) + _dispersion_qc(arc), "adu")
    units = [spectrum, Unit(f"{prefix}LINES", rows, units=_UNITS)]
    if arc.dispersion:
        units.append(Unit(unit_of(detector.name), *arc.dispersion.table(), units=TABLE_UNITS))
    return units


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


def _dispersion_qc(arc: Arc) -> list[QC]:
    found = arc.dispersion
    if found is None:
        return []
    used = np.isfinite(arc.names)
    widths = arc.lines.fwhm[used] * np.abs(found.relation.deriv()(arc.lines.position[used]))
    resolution = float(np.median(arc.names[used] / widths))
    return [
        QC("ARC NIDENT", int(used.sum()), "[] Number of lines in the dispersion relation"),
        QC("ARC RMS", found.rms, "[Angstrom] Rms of the lines around the relation"),
        QC("ARC DISP", found.step, "[Angstrom/pix] Dispersion in the middle"),
        QC("ARC WLEN CEN", found.centre, "[Angstrom] Wavelength in the middle"),
        QC("ARC RESOL", resolution, "[] Median resolution of the lines"),
        QC("ARC BEND", float(found.bend.deriv()(0.0)), "[pix/pix] Slope of the lines across the dispersion"),
    ]


RECIPE = Recipe(
    name="arc",
    version="1.1",
    summary="Extract a lamp spectrum, list its lines and fit the dispersion relation",
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
        Parameter("wavelengths", "", "Lines of the lamp, Angstrom, comma-separated; without it no relation"),
        Parameter("setup_key", "ESO INS GRIS1 NAME", "Header key whose value names the setup"),
        Parameter(
            "dispersions",
            "",
            "SETUP=START/STEP, comma-separated: Angstrom at pixel 0 and in an unbinned pixel",
        ),
        Parameter("search", 60.0, "How far START may be off, pixels", minimum=0.0),
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
        Measurement("ARC NIDENT", "", "Number of lines in the dispersion relation"),
        Measurement("ARC RMS", "Angstrom", "Rms of the lines around the relation"),
        Measurement("ARC DISP", "Angstrom/pix", "Dispersion in the middle"),
        Measurement("ARC WLEN CEN", "Angstrom", "Wavelength in the middle"),
        Measurement("ARC RESOL", "", "Median resolution of the lines"),
        Measurement("ARC BEND", "pix/pix", "Slope of the lines across the dispersion"),
    ),
)
