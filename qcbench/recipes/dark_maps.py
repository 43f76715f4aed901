"""Recipe ``dark_maps``: master dark with maps of its hot, cold and deviant pixels."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qcbench.recipes.dark import RECIPE as DARK
from qcbench.recipes.frames import Detector, Frame, Image, load_stack
from qcbench.recipes.job import Run
from qcbench.recipes.masters import make_product
from qcbench.recipes.noise import clipped, hot_pixels
from qcbench.recipes.products import QC, Product, Unit, image_unit
from qcbench.recipes.recipe import Measurement, Parameter, Recipe

log = logging.getLogger(__name__)
Map = NDArray[np.uint8]


@dataclass(frozen=True)
class Maps:
    """Maps of one detector, 1 where a pixel is bad, and the QC parameters of all products."""

    hot: Map
    cold: Map
    deviant: Map
    qc: list[QC]


def make(run: Run) -> list[Product]:
    """Combine darks as ``dark`` does, and flag pixels.

    Hot and cold pixels differ from the median of the master, deviant ones from dark to dark. The readout noise is
    that of one readout: a frame is the mean of NDIT of them.
    """
    product = make_product(run, run.calibration("bias_tag"), "DARK")
    frames = list(product.raw)
    units, maps = [], []
    for unit, detector in zip(product.units, frames[0].detectors, strict=True):
        made = _maps(run, frames, detector, unit)
        units.append(replace(unit, qc=made.qc))
        maps.append((detector, made))
    products = [replace(product, units=units)]
    for kind in ("hot", "cold", "deviant"):
        flagged = [image_unit(detector, getattr(made, kind), made.qc, "") for detector, made in maps]
        products.append(replace(product, category=run.text(f"{kind}_category"), units=flagged))
    return products


def _maps(run: Run, frames: list[Frame], detector: Detector, unit: Unit) -> Maps:
    image: Image = unit.data
    moments = clipped(image)
    hot = hot_pixels(image, moments, run.number("hot_thresh")) | ~np.isfinite(image)
    cold = hot_pixels(-image, replace(moments, median=-moments.median), run.number("cold_thresh"))
    stack = load_stack(frames, detector.name)
    pairs = [qc.value for qc in unit.qc if qc.name == "RON MED"]
    spread = np.nan_to_num(np.nanmax(stack, axis=0) - np.nanmin(stack, axis=0))
    deviant = (
        spread > run.number("dev_thresh") * np.sqrt(2.0) * pairs[0]
        if pairs
        else np.zeros_like(hot, dtype=bool)
    )
    readouts = float(np.sqrt(_readouts(run, frames[0], detector)))
    counts = {
        "NBHOTPIX": (hot, "hot or undefined"),
        "NBCOLPIX": (cold, "cold"),
        "NBDEVPIX": (deviant, "deviant"),
    }
    log.info("%s: %s", detector.name, ", ".join(f"{flags.sum()} {word}" for flags, word in counts.values()))
    qc = [
        replace(each, value=each.value * readouts) if each.name.startswith("RON") else each
        for each in unit.qc
    ]
    qc.append(QC("DARKMED", moments.median, "[adu] Median of the master frame"))
    qc += [
        QC(key, int(flags.sum()), f"[pix] Number of {word} pixels") for key, (flags, word) in counts.items()
    ]
    return Maps(hot.astype(np.uint8), cold.astype(np.uint8), deviant.astype(np.uint8), qc)


def _readouts(run: Run, frame: Frame, detector: Detector) -> float:
    value = detector.header.get(run.text("ndit_key"), frame.header.get(run.text("ndit_key"), 1))
    return float(value) if isinstance(value, int | float) and value >= 1 else 1.0


RECIPE = Recipe(
    name="dark_maps",
    version="1.0",
    summary="Combine darks into a master dark, and map its hot, cold and deviant pixels",
    inputs=DARK.inputs,
    parameters=(
        *DARK.parameters,
        Parameter("hot_category", "HOT_PIXELS", "PRO CATG of the map of hot pixels"),
        Parameter("cold_category", "COLD_PIXELS", "PRO CATG of the map of cold pixels"),
        Parameter("deviant_category", "DEVIANT_PIXELS", "PRO CATG of the map of deviant pixels"),
        Parameter("ndit_key", "ESO DET NDIT", "Header key of the number of readouts in a frame"),
        Parameter("cold_thresh", 6.0, "A pixel is cold this many sigma below the median", minimum=1.0),
        Parameter("dev_thresh", 5.0, "A pixel deviates by this many sigma from dark to dark", minimum=1.0),
    ),
    products=("product_category", "hot_category", "cold_category", "deviant_category"),
    function=make,
    qc=(
        *DARK.qc,
        Measurement("DARKMED", "adu", "Median of the master frame"),
        Measurement("NBHOTPIX", "pix", "Number of hot or undefined pixels"),
        Measurement("NBCOLPIX", "pix", "Number of cold pixels"),
        Measurement("NBDEVPIX", "pix", "Number of deviant pixels"),
    ),
)
