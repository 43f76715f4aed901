"""A site adds its own recipe through the entry point group ``qcbench.recipes``."""

from __future__ import annotations

from pathlib import Path

import pytest

from qcbench.recipes import registry
from qcbench.recipes.failures import RecipeRunError

MODULE = """
from qcbench.recipes.recipe import Recipe
RECIPE = Recipe("count", "2.1", "Count frames", (), (), (), lambda run: [])
NUMBER = 3
"""


@pytest.fixture
def site_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site_recipes.py").write_text(MODULE)
    info = tmp_path / "site_recipes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: site_recipes\nVersion: 1.0\n")
    points = "count = site_recipes:RECIPE\nodd = site_recipes:NUMBER\nlost = site_recipes:GONE\n"
    (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{points}")
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("site_package")
def test_a_recipe_of_another_package_is_found_beside_the_built_in_ones():
    assert {"count", "dark"} <= set(registry.names())
    assert registry.get("count").version == "2.1"


@pytest.mark.usefixtures("site_package")
@pytest.mark.parametrize("name", ["odd", "lost"])
def test_an_entry_point_that_is_no_recipe_is_named_in_the_error(name):
    with pytest.raises(RecipeRunError, match="site_recipes") as caught:
        registry.get(name)
    assert caught.value.code == 13
