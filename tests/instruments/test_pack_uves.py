"""UVES: the cascade of both arms, and what its recipes find in the simulated frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qcbench.instruments import find_pack
from qcbench.oca import cascade_of
from tests.instruments.pipelines import Night, category, measured, run_recipe

CHIPS = {"BLUE": "CCDB", "REDU": "WIN1.CHIP1.OUT1", "REDL": "WIN1.CHIP2.OUT1"}
ARM_OF = {"BLUE": "BLUE", "REDL": "RED", "REDU": "RED"}


@pytest.fixture(scope="module")
def night(night_of: Callable[[str], Night]) -> Night:
    return night_of("uves")


@pytest.fixture(scope="module")
def biases(night: Night, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The master biases of both arms."""
    folder = tmp_path_factory.mktemp("uves_bias")
    for arm in ("BLUE", "RED"):
        frames = [(path, f"BIAS_{arm}") for path in night.files(f"BIAS_{arm}")]
        run_recipe("uves_cal_mbias", frames, folder)
    return folder


def test_the_fibre_mode_is_listed_without_recipes() -> None:
    recipes = {action.recipe for action in find_pack("uves").rules.actions if "_MOS_" in action.name}
    assert recipes == {None}


def test_the_cascade_is_that_of_an_echelle_spectrograph() -> None:
    cascade = cascade_of(find_pack("uves").rules)
    assert not cascade.cycles
    order = (
        "BIAS",
        "FMTCHK_ECH",
        "DARK",
        "ORDERDEF_ECH",
        "EFLAT_ECH",
        "WAVE_ECH",
        "TFLAT_ECH",
        "STD_ECH",
        "SCI_POINT_ECH",
    )
    for arm in ("BLUE", "RED"):
        assert [cascade.depth(f"{action}_{arm}") for action in order] == [0, 0, 1, 1, 2, 2, 3, 3, 4]


@pytest.mark.parametrize("arm", ["BLUE", "RED"])
def test_a_star_without_known_fluxes_is_reduced_as_science(arm: str) -> None:
    action = find_pack("uves").rules.action(f"STD_TELL_{arm}")
    assert action.recipe == "uves_obs_scired"
    assert "FLUX_STD_TABLE" not in {association.tag for association in action.associations}


@pytest.mark.esorex
@pytest.mark.parametrize("chip", CHIPS)
def test_the_bias_recipe_finds_the_readout_noise_of_each_chip(night: Night, biases: Path, chip: str) -> None:
    found = measured("uves", f"uves_bias_{chip.lower()}", biases / f"masterbias_{chip.lower()}.fits")
    assert found["ron_raw"] == pytest.approx(night.ron(f"BIAS_{ARM_OF[chip]}", CHIPS[chip]), rel=0.05)
    assert None not in found.values()


@pytest.mark.esorex
@pytest.mark.parametrize("arm", ["BLUE", "RED"])
def test_the_dark_recipe_finds_the_dark_current_with_the_master_biases(
    night: Night, biases: Path, tmp_path: Path, arm: str
) -> None:
    chips = [chip for chip in CHIPS if ARM_OF[chip] == arm]
    frames = [(path, f"DARK_{arm}") for path in night.files(f"DARK_{arm}")]
    masters = [(biases / f"masterbias_{chip.lower()}.fits", f"MASTER_BIAS_{chip}") for chip in chips]
    run_recipe("uves_cal_mdark", [*frames, *masters], tmp_path)
    products = {category(path): path for path in tmp_path.glob("*.fits")}
    assert set(products) == {f"MASTER_DARK_{chip}" for chip in chips}
    for chip in chips:
        rows = night.of(f"DARK_{arm}")
        current = rows["dark_current"][rows["detector"] == CHIPS[chip]][0]
        found = measured("uves", f"uves_dark_{chip.lower()}", products[f"MASTER_DARK_{chip}"])
        # one of many thousand pixels is hot and adds a little to the means of the regions
        assert found["dark_level"] == pytest.approx(3600.0 * current, abs=0.15)
        assert None not in found.values()
