"""Recipe ``dark``: master dark from one or more darks."""

from __future__ import annotations

from qcbench.recipes.job import Run
from qcbench.recipes.masters import COMBINATION, HOT, make_product, measured
from qcbench.recipes.products import Product
from qcbench.recipes.recipe import Input, Measurement, Parameter, Recipe


def make(run: Run) -> list[Product]:
    """Combine darks, after subtraction of the master bias if there is one; see `masters.make_product`.

    A saturated pixel of a dark stays what it is and counts as hot. Readout noise needs two frames.
    """
    return [make_product(run, run.calibration("bias_tag"), "DARK")]


RECIPE = Recipe(
    name="dark",
    version="1.0",
    summary="Combine darks into a master dark",
    inputs=(
        Input("raw_tags", required=True, minimum=1, description="Raw darks"),
        Input("bias_tag", required=False, minimum=0, description="Master bias to subtract"),
    ),
    parameters=(
        Parameter("raw_tags", "DARK", "Tags of the raw frames, comma-separated"),
        Parameter("bias_tag", "MASTER_BIAS", "Tags of a master bias"),
        Parameter("product_category", "MASTER_DARK", "PRO CATG of the product"),
        *COMBINATION,
        HOT,
    ),
    products=("product_category",),
    function=make,
    qc=(*measured("DARK"), Measurement("PARTICLE_RATE", "N/(detector*sec)", "Rejected hits, in pixels")),
)
