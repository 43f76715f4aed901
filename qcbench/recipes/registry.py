"""Which recipes there are: the built-in ones, and those that other packages bring by entry point."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points

from qcbench.recipes.failures import Code, RecipeRunError
from qcbench.recipes.recipe import Recipe

GROUP = "qcbench.recipes"

# Modules by name, not the recipes themselves: a run imports one recipe, since start-up counts once for each
# AB.
_BUILT_IN = {
    "arc": "qcbench.recipes.arc",
    "bias": "qcbench.recipes.bias",
    "dark": "qcbench.recipes.dark",
    "dark_maps": "qcbench.recipes.dark_maps",
    "detector_noise": "qcbench.recipes.detector_noise",
    "extract": "qcbench.recipes.extract",
    "flat": "qcbench.recipes.flat",
    "lamp_flat": "qcbench.recipes.lamp_flat",
    "slit_flat": "qcbench.recipes.slit_flat",
}


def names() -> list[str]:
    """Return the names of all recipes, sorted."""
    return sorted({*_BUILT_IN, *(point.name for point in entry_points(group=GROUP))})


def get(name: str) -> Recipe:
    """Return a recipe; a site's own one (entry point group ``qcbench.recipes``) wins over a built-in one.

    Raises
    ------
    RecipeRunError
        There is no recipe of this name, or its package can't be loaded.
    """
    for point in entry_points(group=GROUP, name=name):
        try:
            found = point.load()
        except (ImportError, AttributeError) as err:
            raise RecipeRunError(Code.UNKNOWN_RECIPE, f"Recipe {name} ({point.value}): {err}") from err
        if not isinstance(found, Recipe):
            raise RecipeRunError(Code.UNKNOWN_RECIPE, f"Recipe {name}: {point.value} is not a Recipe")
        return found
    if name not in _BUILT_IN:
        raise RecipeRunError(Code.UNKNOWN_RECIPE, f"Unknown recipe {name!r}; there are {', '.join(names())}")
    recipe: Recipe = importlib.import_module(_BUILT_IN[name]).RECIPE
    return recipe
