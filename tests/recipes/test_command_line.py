"""The process that the engine starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from qcbench.recipes import registry
from qcbench.recipes.recipe import Recipe


def call(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "qcbench.recipes", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=60)


def test_a_job_file_is_run_and_its_products_are_listed_and_logged(detector, tmp_path):
    sof = [{"path": str(path), "tag": tag} for path, tag in detector.frames("DARK", 3)]
    job = {"recipe": "dark", "sof": sof, "output_dir": str(tmp_path / "out"), "instrument_recipe": "cam_dark"}
    (tmp_path / "job.json").write_text(json.dumps(job))
    done = call("run", "job.json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "out" / "products.json").read_text()) == [
        {"name": "master_dark.fits", "category": "MASTER_DARK"}
    ]
    assert "Recipe dark 1.0 for cam_dark; qcbench" in done.stdout
    assert "Created product master_dark.fits (MASTER_DARK)" in done.stdout


def test_a_job_file_that_is_missing_or_broken_is_told(tmp_path):
    (tmp_path / "broken.json").write_text('{"recipe": "dark"')
    (tmp_path / "short.json").write_text('{"recipe": "dark"}')
    assert call("run", "missing.json", cwd=tmp_path).returncode == 9
    assert call("run", "broken.json", cwd=tmp_path).returncode == 14
    assert "has no 'sof'" in call("run", "short.json", cwd=tmp_path).stderr


def test_the_list_says_what_each_recipe_takes_and_makes(tmp_path):
    recipes = {recipe["name"]: recipe for recipe in json.loads(call("list", cwd=tmp_path).stdout)}
    assert sorted(recipes) == [
        "arc", "bias", "dark", "dark_maps", "detector_noise", "extract", "flat", "lamp_flat", "slit_flat",
    ]  # fmt: skip
    flat = recipes["flat"]
    assert flat["products"] == [
        {"parameter": "product_category", "category": "MASTER_FLAT"},
        {"parameter": "bpm_category", "category": "MASTER_BPM"},
        {"parameter": "conf_category", "category": "MASTER_CONF"},
    ]
    assert [tag["parameter"] for tag in flat["tags"] if tag["required"]] == ["raw_tags"]
    lthr = next(parameter for parameter in flat["parameters"] if parameter["name"] == "lthr")
    assert (lthr["default"], lthr["type"]) == (4000.0, "float")
    assert all(parameter["description"] for recipe in recipes.values() for parameter in recipe["parameters"])


def test_values_of_parameters_are_checked_without_frames(tmp_path):
    asked = [
        {
            "recipe": "arc",
            "parameters": {"line_thresh": 0.1, "dispersion_axis": 7, "extract_width": "wide", "other": 1},
        },
        {"recipe": "flat", "parameters": {"bpm": False, "lthr": "1e3"}},
    ]
    command = [sys.executable, "-m", "qcbench.recipes", "check"]
    done = subprocess.run(
        command, cwd=tmp_path, input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [
        {
            "dispersion_axis": "Parameter dispersion_axis is 7: give one of auto, x, y",
            "extract_width": "Parameter extract_width is 'wide': give a number",
            "line_thresh": "Parameter line_thresh is 0.1: give 1 or more",
        },
        {},
    ]


def test_every_built_in_recipe_has_a_parameter_for_each_input_and_product():
    for name in registry.names():
        recipe = registry.get(name)
        assert isinstance(recipe, Recipe)
        known = {parameter.name for parameter in recipe.parameters}
        assert {item.parameter for item in recipe.inputs} | set(recipe.products) <= known


def loaded(code: str, *names: str, cwd: Path) -> list[str]:
    """Run code in a fresh process and return which of some modules it has loaded."""
    code += "; import sys; print(*[name for name in sys.argv[1:] if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code, *names], cwd=cwd, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1].split()


def test_the_list_and_a_refused_job_do_not_wait_for_the_libraries_of_the_work(detector, tmp_path):
    sof = [{"path": str(path), "tag": "OTHER"} for path, _ in detector.frames("DARK", 1)]
    (tmp_path / "job.json").write_text(json.dumps({"recipe": "dark", "sof": sof, "output_dir": "out"}))
    start = "from pathlib import Path; from qcbench.recipes.running import list_recipes, run_job"
    heavy = ["ccdproc", "photutils", "astropy.nddata", "scipy", "pandas"]
    assert loaded(f"{start}; list_recipes()", *heavy, cwd=tmp_path) == []
    assert loaded(f"{start}; print(run_job(Path('job.json')))", *heavy, cwd=tmp_path) == []


def test_a_dark_does_not_load_what_only_other_recipes_need(detector, tmp_path):
    sof = [{"path": str(path), "tag": tag} for path, tag in detector.frames("DARK", 3)]
    (tmp_path / "job.json").write_text(json.dumps({"recipe": "dark", "sof": sof, "output_dir": "out"}))
    code = "from pathlib import Path; from qcbench.recipes.running import run_job; run_job(Path('job.json'))"
    names = ["ccdproc", "photutils", "pandas", "qcbench.recipes.arc"]
    assert loaded(code, *names, cwd=tmp_path) == ["ccdproc"]
