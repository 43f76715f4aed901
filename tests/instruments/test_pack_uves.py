"""UVES: frames of both arms are classified as the pipeline wants them, and its recipes take the simulated ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from qcbench.instruments import find_pack
from qcbench.oca import cascade_of
from tests.instruments.pipelines import (
    Night,
    category,
    classified,
    groups,
    headers,
    installed_rules,
    measured,
    observe,
    run_recipe,
)

Frame = tuple[str, str, str, str]

# DPR.CATG, DPR.TYPE, DPR.TECH and INS.SLIT1.NAME of frames that both arms take; the raw type ends with the arm.
BOTH_ARMS = {
    ("CALIB", "BIAS", "IMAGE", "FREE"): "BIAS",
    ("CALIB", "DARK", "IMAGE", "FREE"): "DARK",
    ("CALIB", "PARASITIC", "IMAGE", "FREE"): "PDARK",
    ("CALIB", "LAMP,FLAT", "IMAGE", "FREE"): "SCREEN_FLAT",
    ("CALIB", "BIAS,DETCHAR", "IMAGE", "FREE"): "LINEARITY",
    ("CALIB", "LAMP,FLAT,DETCHAR", "IMAGE", "FREE"): "LINEARITY",
    ("CALIB", "LAMP,FMTCHK", "ECHELLE", "FREE"): "FMTCHK_ECH",
    ("CALIB", "LAMP,ORDERDEF", "ECHELLE", "FREE"): "ORDERDEF_ECH",
    ("CALIB", "LAMP,FLAT", "ECHELLE", "FREE"): "EFLAT_ECH",
    ("CALIB", "LAMP,DFLAT", "ECHELLE", "FREE"): "DFLAT_ECH",
    ("CALIB", "LAMP,TFLAT", "ECHELLE", "FREE"): "TFLAT_ECH",
    ("CALIB", "LAMP,IFLAT", "ECHELLE,ABSORPTION-CELL", "FREE"): "IFLAT_ECH",
    ("CALIB", "LAMP,WAVE", "ECHELLE", "FREE"): "WAVE_ECH",
    ("CALIB", "LAMP,WAVE", "ECHELLE", "SLIC#1"): "WAVE_ECH",
    ("CALIB", "STD", "ECHELLE", "FREE"): "STD_ECH",
    ("CALIB", "OBJECT,EXTENDED", "ECHELLE", "FREE"): "SOLAR_SPEC_ECH",
    ("CALIB", "LAMP,CDALIGN", "SPECTRUM", "FREE"): "CDALIGN",
    ("SCIENCE", "OBJECT", "ECHELLE", "FREE"): "SCI_ECH",
    ("SCIENCE", "OBJECT,POINT", "ECHELLE", "FREE"): "SCI_POINT_ECH",
    ("SCIENCE", "OBJECT,EXTENDED", "ECHELLE", "FREE"): "SCI_EXTENDED_ECH",
    ("SCIENCE", "OBJECT", "ECHELLE", "SLIC#1"): "SCI_SLICER_ECH",
}
RED_ARM = {
    ("CALIB", "LAMP,SFLAT", "ECHELLE", "FREE"): "SFLAT_MOS_RED",
    ("CALIB", "LAMP,FLAT,ODD", "MOS", "FREE"): "FFLAT_MOS_RED",
    ("CALIB", "LAMP,FLAT,EVEN", "MOS", "FREE"): "FFLAT_MOS_RED",
    ("CALIB", "LAMP,FLAT,ALL", "MOS", "FREE"): "FFLAT_MOS_RED",
    ("CALIB", "LAMP,FLAT,NASMYTH", "MOS", "FREE"): "NFLAT_MOS_RED",
    ("CALIB", "LAMP,ORDERDEF", "MOS", "FREE"): "ORDERDEF_MOS_RED",
    ("CALIB", "LAMP,FMTCHK", "MOS", "FREE"): "FMTCHK_MOS_RED",
    ("CALIB", "LAMP,WAVE", "MOS", "FREE"): "WAVE_MOS_RED",
    ("SCIENCE", "OBJECT,OzPoz", "MOS", "FREE"): "SCI_MOS_RED",
    ("SCIENCE", "OBJECT,SimCal", "MOS", "FREE"): "SCI_MOS_RED",
    ("SCIENCE", "OBJECT,COMBINED", "MOS", "FREE"): "SCI_MOS_RED",
}
NEITHER = {
    ("ACQUISITION", "OBJECT", "IMAGE", "FREE"): "ACQUISITION",
    ("ACQUISITION", "SLIT", "IMAGE", "FREE"): "ACQUISITION",
    ("TEST", "OTHER", "ECHELLE", "FREE"): "TEST",
}
FRAMES: dict[tuple[Frame, int], str] = {
    **{(frame, 1): f"{raw_type}_BLUE" for frame, raw_type in BOTH_ARMS.items()},
    **{(frame, 2): f"{raw_type}_RED" for frame, raw_type in BOTH_ARMS.items()},
    **{(frame, 2): raw_type for frame, raw_type in (RED_ARM | NEITHER).items()},
}
CHIPS = {"BLUE": "CCDB", "REDU": "WIN1.CHIP1.OUT1", "REDL": "WIN1.CHIP2.OUT1"}
ARM_OF = {"BLUE": "BLUE", "REDL": "RED", "REDU": "RED"}


def keys_of(frame: Frame, chips: int) -> dict[str, str | int]:
    names = ("DPR.CATG", "DPR.TYPE", "DPR.TECH", "INS.SLIT1.NAME")
    return {**dict(zip(names, frame, strict=True)), "INSTRUME": "UVES", "DET.CHIPS": chips}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    return observe(find_pack("uves"), tmp_path_factory.mktemp("uves"), 512)


@pytest.fixture(scope="module")
def biases(night: Night, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The master biases of both arms."""
    folder = tmp_path_factory.mktemp("uves_bias")
    for arm in ("BLUE", "RED"):
        frames = [(path, f"BIAS_{arm}") for path in night.files(f"BIAS_{arm}")]
        run_recipe("uves_cal_mbias", frames, folder)
    return folder


@pytest.mark.parametrize(("frame", "chips"), FRAMES)
def test_every_kind_of_frame_has_its_raw_type(frame: Frame, chips: int) -> None:
    found = classified(find_pack("uves").rules, keys_of(frame, chips))
    assert found["RAW.TYPE"] == FRAMES[frame, chips]


def test_no_raw_type_is_left_out_here() -> None:
    assert set(FRAMES.values()) == {rule.action for rule in find_pack("uves").rules.organizers}


@pytest.mark.esorex
@pytest.mark.parametrize(("frame", "chips"), FRAMES)
def test_frames_get_the_tags_of_the_installed_rules(frame: Frame, chips: int) -> None:
    ours = classified(find_pack("uves").rules, keys_of(frame, chips)).get("DO.CATG")
    assert ours == classified(installed_rules("uves"), keys_of(frame, chips)).get("DO.CATG")


def test_the_fibre_mode_is_listed_without_recipes() -> None:
    fibres = {name for name in FRAMES.values() if "_MOS_" in name}
    assert fibres
    assert {find_pack("uves").rules.action(name).recipe for name in fibres} == {None}


def test_simulated_frames_are_what_the_night_says(night: Night) -> None:
    truth = dict(zip(night.truth["arcfile"], night.truth["raw_type"], strict=True))
    rules = find_pack("uves").rules
    found = {str(keys["ARCFILE"]): classified(rules, keys)["RAW.TYPE"] for keys in headers(night)}
    assert found == truth


@pytest.mark.esorex
def test_the_groups_are_those_of_the_installed_rules(night: Night) -> None:
    frames = headers(night)
    ours, theirs = groups(find_pack("uves").rules, frames), groups(installed_rules("uves"), frames)
    assert set(ours) == set(theirs)


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
        "STD_ECH",
        "SCI_POINT_ECH",
    )
    for arm in ("BLUE", "RED"):
        assert [cascade.depth(f"{action}_{arm}") for action in order] == [0, 0, 1, 1, 2, 2, 3, 4]


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
