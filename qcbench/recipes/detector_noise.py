"""Recipe ``detector_noise``: readout noise and gain of each detector from darks and flats."""

from __future__ import annotations

import logging
import re

import numpy as np

from qcbench.recipes.failures import unusable
from qcbench.recipes.frames import PRIMARY, Frame, Image, check_alike, load_stack
from qcbench.recipes.job import Run
from qcbench.recipes.noise import Transfer, photon_transfer
from qcbench.recipes.products import QC, Product, Unit
from qcbench.recipes.recipe import Input, Measurement, Parameter, Recipe

log = logging.getLogger(__name__)
_KEY_LENGTH = 32
_COLUMNS = [("EXTNAME", "S68"), ("READNOISE", ">f4"), ("GAIN", ">f4"), ("COVAR", ">f4")]


def make(run: Run) -> list[Product]:
    """Measure each detector with every pair of neighbouring frames; the median over pairs is the result."""
    darks, flats = run.frames("dark_tags"), run.frames("raw_tags")
    for kind, frames in (("darks", darks), ("flats", flats)):
        if len(frames) < 2:
            raise unusable(f"Too few {kind}: {len(frames)}; the noise needs 2 or more")
    check_alike([*darks, *flats])
    rows, qc = [], []
    for detector in darks[0].detectors:
        result = _measure(run, darks, flats, detector.name)
        log.info("%s: noise %.3f adu, gain %.4f e-/adu", detector.name, result.readnoise, result.gain)
        rows.append((detector.name.encode("ascii"), result.readnoise, result.gain, result.covariance))
        key = _key(detector.name)
        qc.append(QC(f"RON{key}", result.readnoise, "[adu] Read-out noise"))
        qc.append(QC(f"GAIN{key}", result.gain, "[e-/adu] Gain"))
    # Also beside the table, where the pipeline of the same name has them: a pack then fits both engines.
    table = Unit("READGAIN", np.array(rows, dtype=_COLUMNS), qc=qc, units=("", "adu", "e-/adu", ""))
    return [Product(run.text("product_category"), [*darks, *flats], [table], primary_qc=qc)]


def _key(name: str) -> str:
    """Return the chip as a part of a QC key: EXTNAME with a hyphen for what a FITS key can't hold."""
    return "" if name == PRIMARY else " " + re.sub(r"[^A-Z0-9_-]", "-", name.upper())[:_KEY_LENGTH]


def _measure(run: Run, darks: list[Frame], flats: list[Frame], name: str) -> Transfer:
    dark, flat = load_stack(darks, name), load_stack(flats, name)
    flat[flat >= run.number("saturation")] = np.nan
    side = int(run.number("cell"))
    n_pair = max(len(dark), len(flat)) - 1
    results = [photon_transfer(_pair(dark, i), _pair(flat, i), side) for i in range(n_pair)]
    return Transfer(
        float(np.median([result.readnoise for result in results])),
        float(np.median([result.gain for result in results])),
        float(np.median([result.covariance for result in results])),
    )


def _pair(stack: Image, number: int) -> tuple[Image, Image]:
    start = number % (len(stack) - 1)
    return stack[start], stack[start + 1]


RECIPE = Recipe(
    name="detector_noise",
    version="1.0",
    summary="Measure readout noise and gain from pairs of darks (or biases) and flats",
    inputs=(
        Input("dark_tags", required=True, minimum=2, description="Raw darks or biases"),
        Input("raw_tags", required=True, minimum=2, description="Raw flats"),
    ),
    parameters=(
        Parameter("dark_tags", "DARK,BIAS", "Tags of the darks or biases, comma-separated"),
        Parameter("raw_tags", "FLAT,FLAT_TWILIGHT,FLAT_LAMP", "Tags of the raw flats, comma-separated"),
        Parameter("product_category", "MASTER_READGAIN", "PRO CATG of the product"),
        Parameter("cell", 32, "Side of the boxes in which the noise is measured (pixels)", minimum=4.0),
        Parameter("saturation", 65000.0, "Samples of this level (adu) or more are left out", minimum=1.0),
    ),
    products=("product_category",),
    function=make,
    qc=(
        Measurement("RON", "adu", "Read-out noise"),
        Measurement("GAIN", "e-/adu", "Gain"),
        Measurement("RON {detector}", "adu", "Read-out noise"),
        Measurement("GAIN {detector}", "e-/adu", "Gain"),
    ),
)
