"""Recipe ``slit_flat``: master flat of a long-slit spectrograph from one or more lamp flats.

The spectrum of the lamp is divided out; what is left is the sensitivity of each pixel and the light along the slit.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from qcbench.recipes.calibrate import Masters
from qcbench.recipes.combine import combine
from qcbench.recipes.failures import unusable
from qcbench.recipes.frames import Detector, Frame, Image, check_alike, load_stack
from qcbench.recipes.job import Run
from qcbench.recipes.masters import COMBINATION, exposure, median
from qcbench.recipes.noise import boxes, clipped
from qcbench.recipes.products import QC, Product, image_unit
from qcbench.recipes.recipe import Input, Measurement, Parameter, Recipe
from qcbench.recipes.spectrum import Profile

log = logging.getLogger(__name__)
_SLIT_EDGE = 0.05
_BESIDE = 0.1  # of the median: what has less light is not in the slit
_CELL = 32


@dataclass(frozen=True)
class Lamp:
    """The lamp on one detector: combined light (adu, dispersion along the second axis) and its smooth spectrum."""

    light: Image
    spectrum: Profile
    saturated_fraction: float
    axis: str

    @property
    def level(self) -> float:
        """Median light, adu."""
        return float(np.nanmedian(self.light))


def make(run: Run) -> list[Product]:
    """Combine the flats, each scaled to the mean level, and divide by the smooth spectrum of the lamp.

    Where the lamp has next to no light, the flat is 1: there is nothing to correct with. Beside the slit it is NaN.
    """
    frames = run.frames("raw_tags")
    check_alike(frames)
    masters = Masters(run.calibration("bias_tag"))
    units = []
    for detector in frames[0].detectors:
        lamp = _lamp(run, frames, detector, masters)
        flat = _flat(lamp)
        qc = _qc(lamp, flat, exposure(frames) / len(frames))
        log.info("%s: %d frames, level %.1f adu", detector.name, len(frames), lamp.level)
        units.append(image_unit(detector, flat if lamp.axis == "x" else flat.T, qc, ""))
    return [Product(run.text("product_category"), frames, units, masters.used)]


def _lamp(run: Run, frames: list[Frame], detector: Detector, masters: Masters) -> Lamp:
    stack = load_stack(frames, detector.name)
    saturated = stack >= run.number("saturation")
    stack[saturated] = np.nan
    masters.subtract(stack, frames, detector)
    levels = np.array([median(image) for image in stack])
    if not (levels > run.number("min_level")).all():
        told = ", ".join(f"{f.path.name} {level:.0f}" for f, level in zip(frames, levels, strict=True))
        raise unusable(
            f"{detector.name}: a flat has no light above {run.number('min_level'):g} adu, or is saturated all over "
            f"({told} adu): check the lamp and the exposure time, and take it again"
        )
    stack *= (levels.mean() / levels).astype(np.float32)[:, None, None]
    light = combine(stack, run.text("combtype"), run.number("thresh")).image
    axis = run.text("dispersion_axis")
    light = light if axis == "x" else light.T
    spectrum = np.nanmedian(light, axis=0).astype(np.float64)
    spectrum[~(spectrum > run.number("floor") * np.nanmedian(spectrum))] = np.nan
    return Lamp(light, _smooth(spectrum, int(run.number("pieces"))), float(saturated.mean()), axis)


def _smooth(spectrum: Profile, pieces: int) -> Profile:
    """Return a cubic spline through the spectrum of the lamp; NaN where it has no light."""
    from scipy.interpolate import LSQUnivariateSpline

    lit = np.isfinite(spectrum)
    pixels = np.flatnonzero(lit).astype(float)
    if pixels.size < 4 * pieces:
        raise unusable(
            f"{pixels.size} pixels of the lamp spectrum have light and are not saturated: change the exposure time"
        )
    knots = np.linspace(pixels[0], pixels[-1], pieces + 1)[1:-1]
    smooth = np.full(spectrum.size, np.nan)
    smooth[lit] = LSQUnivariateSpline(pixels, spectrum[lit], knots)(pixels)
    return smooth


def _flat(lamp: Lamp) -> Image:
    spectrum: Image = lamp.spectrum.astype(np.float32)
    flat: Image = lamp.light / spectrum
    flat /= np.float32(np.nanmedian(flat))
    flat[flat < _BESIDE] = np.nan
    flat[:, ~np.isfinite(lamp.spectrum)] = 1.0
    return flat


def _qc(lamp: Lamp, flat: Image, seconds: float) -> list[QC]:
    from scipy.ndimage import uniform_filter1d

    lit_rows = np.isfinite(flat).any(axis=1)
    slit = np.nanmedian(flat[lit_rows], axis=1).astype(np.float64)
    even = flat[lit_rows] / slit.astype(np.float32)[:, None]
    edge = round(_SLIT_EDGE * slit.size)
    inner = uniform_filter1d(slit, max(3, slit.size // 20), mode="nearest")[edge : slit.size - edge]
    along = np.flatnonzero(np.isfinite(lamp.spectrum))
    lit = lamp.spectrum[along]
    change = np.polynomial.Polynomial.fit(along / lamp.spectrum.size, lit, 1).convert().coef[1] / lit.mean()
    own = clipped(even / boxes(even, _CELL).background.astype(np.float32)).std
    return [
        QC("SPFLAT LEVEL", lamp.level, "[adu] Median light of a raw flat"),
        QC("SPFLAT RATE", lamp.level / seconds if seconds > 0.0 else np.nan, "[adu/s] Light of the lamp"),
        QC("SPFLAT SLOPE", float(change), "[] Change of the lamp along the dispersion"),
        QC("SPFLAT SLITVAR", float(np.ptp(inner) / np.median(inner)), "[] Range of light along the slit"),
        QC("SPFLAT RMS", own, "[] RMS of pixel sensitivity"),
        QC("SPFLAT SATFRAC", lamp.saturated_fraction, "[] Fraction of saturated samples"),
    ]


RECIPE = Recipe(
    name="slit_flat",
    version="1.0",
    summary="Combine lamp flats of a long slit into a master flat without the spectrum of the lamp",
    inputs=(
        Input("raw_tags", required=True, minimum=1, description="Raw lamp flats"),
        Input("bias_tag", required=False, minimum=0, description="Master bias or dark to subtract"),
    ),
    parameters=(
        Parameter("raw_tags", "SPEC_FLAT", "Tags of the raw frames, comma-separated"),
        Parameter("bias_tag", "MASTER_BIAS,MASTER_DARK", "Tags of a master bias or dark"),
        Parameter("product_category", "MASTER_SPEC_FLAT", "PRO CATG of the product"),
        Parameter("dispersion_axis", "x", "Axis of the dispersion", choices=("x", "y")),
        Parameter("pieces", 12, "Pieces of the spline through the spectrum of the lamp", minimum=2.0),
        Parameter(
            "floor", 0.02, "Fraction of the lamp's median below which nothing is corrected", minimum=0.0
        ),
        Parameter("min_level", 100.0, "A flat with less light (adu) is refused", minimum=0.0),
        Parameter("saturation", 60000.0, "Samples of this level (adu) or more are left out", minimum=1.0),
        *COMBINATION,
    ),
    products=("product_category",),
    function=make,
    qc=(
        Measurement("SPFLAT LEVEL", "adu", "Median light of a raw flat"),
        Measurement("SPFLAT RATE", "adu/s", "Light of the lamp"),
        Measurement("SPFLAT SLOPE", "", "Change of the lamp along the dispersion, of its mean"),
        Measurement("SPFLAT SLITVAR", "", "Range of light along the slit, of its median"),
        Measurement("SPFLAT RMS", "", "RMS of pixel sensitivity, photon noise included"),
        Measurement("SPFLAT SATFRAC", "", "Fraction of saturated samples"),
    ),
)
