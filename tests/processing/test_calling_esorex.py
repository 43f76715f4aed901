"""EsoRex is called so that nothing counts but what qcbench gives it: neither files at home nor variables for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from astropy.io import fits

from qcbench.processing.engines import RecipeJob
from qcbench.processing.esorex import EsorexEngine
from qcbench.processing.esorexhelp import recipe_help
from qcbench.processing.running import Limits
from tests.nights import NIGHT, simulated_archive

RECIPE = "hawki_dark_combine"


def job(folder: Path, frames: list[Path]) -> RecipeJob:
    work = folder / "work"
    (work / "products").mkdir(parents=True)
    return RecipeJob(
        ab_name="x.ab",
        recipe=RECIPE,
        instrument_recipe=RECIPE,
        sof=tuple((path, "DARK") for path in frames),
        parameters={},
        work_dir=work,
        output_dir=work / "products",
        log=work / "recipe.log",
        limits=Limits(60.0),
    )


def stand_in(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a script of the shell into the place of EsoRex."""
    esorex = folder / "esorex"
    folder.mkdir()
    esorex.write_text(f"#!/bin/sh\n{script}\n")
    esorex.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator who has settings for EsoRex, in files and in variables."""
    home = tmp_path / "home"
    (home / ".esorex").mkdir(parents=True)
    (home / ".esorex" / f"{RECIPE}.rc").write_text("hawki.hawki_dark_combine.thresh=7.0\n")
    (home / ".esorex" / "esorex.rc").write_text("esorex.caller.suppress-prefix=FALSE\n")
    (home / "given.rc").write_text("hawki.hawki_dark_combine.ncells=2\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ESOREX_RECIPE_CONFIG", str(home / "given.rc"))
    monkeypatch.setenv("ESOREX_OUTPUT_PREFIX", "mine")


@pytest.mark.usefixtures("settings")
def test_a_recipe_meets_no_settings_of_the_operator(tmp_path, monkeypatch):
    stand_in(tmp_path / "bin", "env", monkeypatch)
    called = job(tmp_path, [])
    EsorexEngine().run(called)
    met = called.log.read_text().splitlines()
    assert [line for line in met if line.startswith(("ESOREX_", "HOME="))] == [f"HOME={called.work_dir}"]
    assert f"PATH={os.environ['PATH']}" in met


@pytest.mark.esorex
@pytest.mark.usefixtures("settings")
def test_the_parameters_of_a_recipe_are_its_own_whatever_the_operator_has_set(tmp_path):
    raw = simulated_archive(tmp_path / "archive") / "raw" / NIGHT.isoformat()
    darks = [path for path in sorted(raw.iterdir()) if fits.getheader(path)["ESO DPR TYPE"] == "DARK"]
    result = EsorexEngine().run(job(tmp_path, darks[:3]))
    assert result.reason is None
    ((product, category),) = result.products
    assert (product.name, category) == ("darkcomb.fits", "MASTER_DARK")
    header = fits.getheader(product)
    used = {
        header[f"ESO PRO REC1 PARAM{n} NAME"]: header[f"ESO PRO REC1 PARAM{n} VALUE"] for n in range(1, 6)
    }
    assert (used["thresh"], used["ncells"]) == ("5", "8")


@pytest.mark.esorex
@pytest.mark.usefixtures("settings")
def test_what_a_recipe_says_of_itself_is_asked_without_a_trace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    asked = recipe_help.__wrapped__(RECIPE)
    assert {"thresh", "ncells"} <= asked.parameters
    assert sorted(tmp_path.rglob("*")) == before


def test_a_list_of_products_that_can_not_be_read_is_a_failure_of_the_call(tmp_path, monkeypatch):
    stand_in(tmp_path / "bin", "echo '{{' > products.json", monkeypatch)
    result = EsorexEngine().run(job(tmp_path, []))
    assert (result.exit_code, result.products) == (0, ())
    assert "its list of products can't be read" in result.reason
