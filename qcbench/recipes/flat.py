"""Recipe ``flat``: master flat, bad-pixel map and confidence map from one or more flats."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from qcbench.recipes.calibrate import Masters, find_masters
from qcbench.recipes.combine import combine
from qcbench.recipes.failures import bad_parameter, unusable
from qcbench.recipes.frames import Detector, Frame, Image, check_alike, load_stack
from qcbench.recipes.job import Run
from qcbench.recipes.masters import COMBINATION
from qcbench.recipes.noise import boxes, clipped
from qcbench.recipes.products import QC, Product, Unit, image_unit
from qcbench.recipes.recipe import Input, Measurement, Parameter, Recipe

log = logging.getLogger(__name__)
_CELL = 64


@dataclass(frozen=True)
class Flat:
    """The normalised flat of one detector, its mask and its QC parameters."""

    detector: Detector
    image: Image
    bad: NDArray[np.uint8]
    qc: list[QC]
    mask_qc: list[QC]

    @property
    def confidence(self) -> NDArray[np.int16]:
        """How much a pixel counts (percent of a typical one): as much as its response, and a bad one not at all."""
        percent = np.where(self.bad, 0.0, np.clip(100.0 * self.image, 0.0, np.iinfo(np.int16).max))
        return np.rint(percent).astype(np.int16)


def make(run: Run) -> list[Product]:
    """Combine flats within the level limits, each scaled to the mean level, and normalise to median 1.

    Saturated samples are left out; a pixel without any sample is NaN in the flat and 1 in the mask.
    """
    if not run.number("lthr") < run.number("hthr"):
        raise bad_parameter(f"lthr ({run.number('lthr'):g}) is not below hthr ({run.number('hthr'):g})")
    everything = run.frames("raw_tags")
    check_alike(everything)
    frames = _within_levels(everything, run.number("lthr"), run.number("hthr"))
    masters = find_masters(run, frames)
    flats = [_flat(run, frames, detector, masters) for detector in frames[0].detectors]
    units = [image_unit(flat.detector, flat.image, flat.qc, "") for flat in flats]
    products = [Product(run.text("product_category"), frames, units, masters.used)]
    if run.flag("bpm"):
        masks: list[Unit] = [image_unit(flat.detector, flat.bad, flat.mask_qc, "") for flat in flats]
        products.append(Product(run.text("bpm_category"), frames, masks, masters.used))
    if run.flag("conf"):
        maps: list[Unit] = [image_unit(flat.detector, flat.confidence, [], "") for flat in flats]
        products.append(Product(run.text("conf_category"), frames, maps, masters.used))
    return products


def _within_levels(frames: list[Frame], low: float, high: float) -> list[Frame]:
    kept, told = [], []
    for frame in frames:
        medians = [np.nanmedian(frame.image(detector.name)) for detector in frame.detectors]
        level = float(np.mean(medians))
        told.append(f"{frame.path.name} {level:.0f}")
        if low <= level <= high:
            kept.append(frame)
        else:
            log.warning(
                "%s: level %.0f adu is outside of %g to %g: rejected", frame.path.name, level, low, high
            )
    if not kept:
        raise unusable(
            f"No images within thresholds {low:g} and {high:g} adu (lthr, hthr): levels are {', '.join(told)}"
        )
    return kept


def _flat(run: Run, frames: list[Frame], detector: Detector, masters: Masters) -> Flat:
    stack = load_stack(frames, detector.name)
    raw_levels = np.array([float(np.nanmedian(image)) for image in stack])
    stack[stack >= run.number("saturation")] = np.nan
    masters.subtract(stack, frames, detector)
    levels = np.array([float(np.nanmedian(image)) for image in stack])
    if not (levels > 0.0).all():
        raise unusable(f"{detector.name}: a flat has no light above the dark, or is saturated all over")
    stack *= (levels.mean() / levels).astype(np.float32)[:, None, None]
    combined = combine(stack, run.text("combtype"), run.number("thresh")).image
    noise = _photon_noise(stack, levels)
    norm = float(np.nanmedian(combined))
    image = combined / np.float32(norm)
    bad = _bad_pixels(image, run.number("bad_dev"))
    log.info("%s: %d frames, level %.1f adu, %d bad pixels", detector.name, len(frames), norm, bad.sum())
    norm_qc = QC("FLAT NORM", norm, "[adu] Median value before normalisation")
    mask_qc = [
        norm_qc,
        QC("FLAT NBADPIX", int(bad.sum()), "[pix] Number of bad pixels detected"),
        QC("BADFRAC", float(bad.mean()), "[] Fraction of bad pixels detected"),
    ]
    qc = [norm_qc, QC("FLATRMS", clipped(image).std, "[] RMS of output flat"), *_level_qc(raw_levels)]
    return Flat(detector, image, bad, qc + _noise_qc(levels, noise) + mask_qc[1:], mask_qc)


def _bad_pixels(image: Image, deviation: float) -> NDArray[np.uint8]:
    """Flag what is undefined or differs from the local level by more than a fraction of it.

    Not by `ccdproc.ccdmask`: of a dead region of 30 x 30 pixels it finds 20 pixels of 900, and it takes a
    minute for a detector of 2048 x 2048.
    """
    level = boxes(image, _CELL, filter_size=3).background
    good = np.abs(image - level) <= deviation * np.abs(level)
    return np.asarray(~good, dtype=np.uint8)


def _photon_noise(scaled: Image, levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the noise of each frame (ADU, at its own level) from differences of neighbours; NaN for one
    frame.

    Scaled to a common level A, a frame of level L has the variance A^2 / (g L); so a difference gives 1 / g.
    """
    mean = float(levels.mean())
    inverse_gain = [
        clipped(second - first).std ** 2 / (mean**2 * (1.0 / a + 1.0 / b))
        for first, second, a, b in zip(scaled[:-1], scaled[1:], levels[:-1], levels[1:], strict=True)
    ]
    if not inverse_gain:
        return np.full(len(levels), np.nan)
    return cast("NDArray[np.float64]", np.sqrt(np.median(inverse_gain) * levels))


def _level_qc(levels: NDArray[np.float64]) -> list[QC]:
    low, high = float(levels.min()), float(levels.max())
    return [
        QC("FLAT MEDMIN", low, "[adu] Ensemble minimum of the raw medians"),
        QC("FLAT MEDMAX", high, "[adu] Ensemble maximum of the raw medians"),
        QC("FLAT MEDMEAN", float(levels.mean()), "[adu] Ensemble average of the raw medians"),
        QC("FLAT MEDMED", float(np.median(levels)), "[adu] Ensemble median of the raw medians"),
        QC("FLAT MEDSTDEV", _deviation(levels), "[adu] Ensemble sigma of the raw medians"),
        QC("FLUX RATIO", high / low if low > 0.0 else np.nan, "[] Ratio of highest and lowest raw median"),
        QC("FLATRNG", high - low, "[adu] Ensemble range of the raw medians"),
    ]


def _deviation(levels: NDArray[np.float64]) -> float:
    return float(levels.std(ddof=1)) if len(levels) > 1 else 0.0


def _noise_qc(levels: NDArray[np.float64], noise: NDArray[np.float64]) -> list[QC]:
    ratio = float(np.sqrt(np.sum((levels / noise) ** 2)))
    return [
        QC("TWIPHOT", float(np.median(noise)), "[adu] Estimated photon noise of a frame"),
        QC("TWISNRATIO", ratio, "[] Estimated S/N ratio of the sum of all frames"),
    ]


RECIPE = Recipe(
    name="flat",
    version="1.0",
    summary="Combine flats into a normalised master flat, a bad-pixel map and a confidence map",
    inputs=(
        Input("raw_tags", required=True, minimum=1, description="Raw flats"),
        Input("dark_tag", required=False, minimum=0, description="Master dark to subtract"),
        Input(
            "bias_tag", required=False, minimum=0, description="Master bias to subtract, if no dark holds it"
        ),
    ),
    parameters=(
        Parameter("raw_tags", "FLAT", "Tags of the raw frames, comma-separated"),
        Parameter("dark_tag", "MASTER_DARK", "Tags of a master dark"),
        Parameter("bias_tag", "MASTER_BIAS", "Tags of a master bias"),
        Parameter("product_category", "MASTER_FLAT", "PRO CATG of the flat"),
        Parameter("bpm_category", "MASTER_BPM", "PRO CATG of the bad-pixel map"),
        Parameter("bpm", True, "Write the bad-pixel map"),
        Parameter("conf_category", "MASTER_CONF", "PRO CATG of the confidence map"),
        Parameter(
            "conf", False, "Write the confidence map: percent of the response of a typical pixel, 0 if bad"
        ),
        Parameter("lthr", 4000.0, "Low rejection threshold for underexposed images (adu)"),
        Parameter("hthr", 30000.0, "High rejection threshold for overexposed images (adu)"),
        Parameter("saturation", 65000.0, "Samples of this level (adu) or more are left out", minimum=1.0),
        Parameter(
            "bad_dev",
            0.3,
            "Pixels that deviate by this fraction from their surroundings are bad",
            minimum=0.0,
        ),
        *COMBINATION,
    ),
    products=("product_category", "bpm_category", "conf_category"),
    function=make,
    qc=(
        Measurement("FLAT NORM", "adu", "Median value before normalisation"),
        Measurement("FLATRMS", "", "RMS of output flat"),
        Measurement("FLAT MEDMIN", "adu", "Ensemble minimum of the raw medians"),
        Measurement("FLAT MEDMAX", "adu", "Ensemble maximum of the raw medians"),
        Measurement("FLAT MEDMEAN", "adu", "Ensemble average of the raw medians"),
        Measurement("FLAT MEDMED", "adu", "Ensemble median of the raw medians"),
        Measurement("FLAT MEDSTDEV", "adu", "Ensemble sigma of the raw medians"),
        Measurement("FLUX RATIO", "", "Ratio of highest and lowest raw median"),
        Measurement("FLATRNG", "adu", "Ensemble range of the raw medians"),
        Measurement("TWIPHOT", "adu", "Estimated photon noise of a frame"),
        Measurement("TWISNRATIO", "", "Estimated S/N ratio of the sum of all frames"),
        Measurement("FLAT NBADPIX", "pix", "Number of bad pixels detected"),
        Measurement("BADFRAC", "", "Fraction of bad pixels detected"),
    ),
)
