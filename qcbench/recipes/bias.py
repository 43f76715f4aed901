"""Recipe ``bias``: master bias from one or more biases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qcbench.recipes.job import Run
from qcbench.recipes.masters import COMBINATION, HOT, make_product, measured
from qcbench.recipes.products import QC, Product, Unit
from qcbench.recipes.recipe import Input, Measurement, Parameter, Recipe


def make(run: Run) -> list[Product]:
    """Combine biases; see `masters.make_product`. Readout noise needs two frames."""
    product = make_product(run, None, "BIAS")
    return [replace(product, units=[_with_ron(unit) for unit in product.units])]


def _with_ron(unit: Unit) -> Unit:
    """Add the one readout noise of the detector: the median of its pair estimates."""
    pairs = [qc.value for qc in unit.qc if qc.name.removeprefix("RON").isdigit()]
    if not pairs:
        return unit
    return replace(unit, qc=[*unit.qc, QC("RON", float(np.median(pairs)), "[adu] Read-out noise")])


RECIPE = Recipe(
    name="bias",
    version="1.0",
    summary="Combine biases into a master bias",
    inputs=(Input("raw_tags", required=True, minimum=1, description="Raw biases"),),
    parameters=(
        Parameter("raw_tags", "BIAS", "Tags of the raw frames, comma-separated"),
        Parameter("product_category", "MASTER_BIAS", "PRO CATG of the product"),
        *COMBINATION,
        HOT,
    ),
    products=("product_category",),
    function=make,
    qc=(*measured("BIAS"), Measurement("RON", "adu", "Read-out noise")),
)
