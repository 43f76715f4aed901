"""Recipe ``lamp_flat``: master flat, gain and fixed pattern from flats with the lamp on and off."""

from __future__ import annotations

import logging

import numpy as np

from qcbench.recipes.combine import combine
from qcbench.recipes.failures import missing, unusable
from qcbench.recipes.frames import Detector, Frame, Image, check_alike, load_stack
from qcbench.recipes.job import Run
from qcbench.recipes.masters import COMBINATION, median
from qcbench.recipes.noise import boxes, pair_noise, photon_transfer
from qcbench.recipes.products import QC, Product, image_unit
from qcbench.recipes.recipe import Input, Measurement, Parameter, Recipe

log = logging.getLogger(__name__)
Pairs = list[tuple[Frame, Frame]]


def make(run: Run) -> list[Product]:
    """Subtract each frame with the lamp off from its partner with the lamp on, combine, and normalise to median 1.

    Gain and fixed pattern need two pairs.
    """
    frames = run.frames("raw_tags")
    check_alike(frames)
    pairs = _pairs(run, frames)
    units = []
    for detector in frames[0].detectors:
        on, off = (load_stack([pair[i] for pair in pairs], detector.name) for i in (0, 1))
        on[on >= run.number("saturation")] = np.nan
        light = on - off
        levels = np.array([median(image) for image in light])
        if not (levels > 0.0).all():
            raise unusable(
                f"{detector.name}: the lamp gives no light, or saturates the detector ({_told(pairs, levels)}): "
                f"check that {run.text('lamp_key')} says when the lamp was on, and the exposure time"
            )
        qc = _qc(run, frames[0], detector, light, (on, off))
        light *= (levels.mean() / levels).astype(np.float32)[:, None, None]
        flat = combine(light, run.text("combtype"), run.number("thresh")).image
        flat /= np.float32(median(flat))
        log.info("%s: %d pairs, level %.1f adu", detector.name, len(pairs), levels.mean())
        units.append(image_unit(detector, flat, qc, ""))
    return [Product(run.text("product_category"), frames, units)]


def _told(pairs: Pairs, levels: np.ndarray) -> str:
    return ", ".join(f"{on.path.name} {level:.0f} adu" for (on, _), level in zip(pairs, levels, strict=True))


def _pairs(run: Run, frames: list[Frame]) -> Pairs:
    """Return lamp on and lamp off, in the order of the frames."""
    key = run.text("lamp_key")
    on: list[Frame] = []
    off: list[Frame] = []
    for frame in frames:
        value = frame.header.get(key)
        if not isinstance(value, int | float):
            raise missing(f"{frame.path}: {key} is {value!r}, and has to say whether the lamp was on (not 0)")
        (on if value else off).append(frame)
    if not on or len(on) != len(off):
        raise unusable(
            f"{len(on)} frames with the lamp on and {len(off)} with the lamp off ({key}): they have to be pairs; "
            "leave out what has no partner, or take the flats again"
        )
    return list(zip(on, off, strict=True))


def _qc(run: Run, frame: Frame, detector: Detector, light: Image, raw: tuple[Image, Image]) -> list[QC]:
    value = detector.header.get(run.text("dit_key"), frame.header.get(run.text("dit_key"), frame.exposure))
    seconds = float(value) if isinstance(value, int | float) and value > 0.0 else np.nan
    gain = pattern = np.nan
    if len(light) > 1:
        side = int(run.number("cell"))
        on, off = raw
        results = [
            photon_transfer((off[i], off[i + 1]), (on[i], on[i + 1]), side).gain
            for i in range(len(light) - 1)
        ]
        gain = float(np.median(results))
        all_noise = float(np.median(boxes(light[0], side).background_rms_mesh))
        pattern = float(np.sqrt(max(all_noise**2 - pair_noise(light[0], light[1]) ** 2, 0.0)))
    return [
        QC("GAIN", gain, "[e-/adu] Gain"),
        QC("FPNOISE", pattern, "[adu] Fixed pattern noise in a flat"),
        QC("LAMPFLUX", median(light[0]) / seconds, "[adu/s] Median flux of the first pair"),
    ]


RECIPE = Recipe(
    name="lamp_flat",
    version="1.0",
    summary="Combine pairs of flats with lamp on and off, and measure gain and fixed pattern",
    inputs=(Input("raw_tags", required=True, minimum=2, description="Raw flats, lamp on and off"),),
    parameters=(
        Parameter("raw_tags", "FLAT_LAMP", "Tags of the raw frames, comma-separated"),
        Parameter("product_category", "MASTER_LAMP_FLAT", "PRO CATG of the product"),
        Parameter("lamp_key", "ESO INS LAMP2 SET", "Header key that is 0 when the lamp is off"),
        Parameter("dit_key", "ESO DET DIT", "Header key of the integration time, s"),
        Parameter("cell", 16, "Side of the boxes in which the noise is measured (pixels)", minimum=4.0),
        Parameter("saturation", 65000.0, "Samples of this level (adu) or more are left out", minimum=1.0),
        *COMBINATION,
    ),
    products=("product_category",),
    function=make,
    qc=(
        Measurement("GAIN", "e-/adu", "Gain"),
        Measurement("FPNOISE", "adu", "Fixed pattern noise in a flat"),
        Measurement("LAMPFLUX", "adu/s", "Median flux of the first pair"),
    ),
)
