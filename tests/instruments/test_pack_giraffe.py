"""GIRAFFE: frames are classified as the pipeline wants them, and its recipes take the simulated ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from qcbench.instruments import find_pack
from qcbench.oca import cascade_of
from tests.instruments.pipelines import (
    Night,
    classified,
    groups,
    headers,
    installed_rules,
    measured,
    observe,
    run_recipe,
)

# DPR.CATG, DPR.TYPE and DPR.TECH of frames of every raw type.
FRAMES = {
    ("CALIB", "BIAS", "IMAGE"): "BIAS",
    ("CALIB", "DARK", "IMAGE"): "DARK",
    ("CALIB", "LAMP,FLAT", "IMAGE"): "IMAGE_FLAT",
    ("CALIB", "BIAS,DETCHECK", "IMAGE"): "DETECTOR_MONITOR",
    ("CALIB", "LAMP,FLAT,DETCHECK", "IMAGE"): "DETECTOR_MONITOR",
    ("CALIB", "LAMP,FLAT", "MOS"): "FLAT",
    ("CALIB", "LAMP,FLAT", "IFU"): "FLAT",
    ("CALIB", "LAMP,FLAT,NASMYTH", "MOS"): "NASMYTH_FLAT",
    ("CALIB", "LAMP,FLAT,NASMYTH", "IFU"): "NASMYTH_FLAT",
    ("CALIB", "FLAT,SKY", "MOS"): "SKY_FLAT",
    ("CALIB", "LAMP,WAVE", "MOS"): "ARC",
    ("CALIB", "LAMP,WAVE", "IFU"): "ARC",
    ("CALIB", "STD", "IFU"): "STD",
    ("CALIB", "SIMLAMP,HAL", "MOS"): "SIMCAL",
    ("CALIB", "SIMLAMP,TAL", "MOS"): "SIMCAL",
    ("CALIB", "SLITLAMP", "ECHELLE"): "SLITLAMP",
    ("SCIENCE", "OBJECT,OzPoz", "MOS"): "SCIENCE",
    ("SCIENCE", "OBJECT,SimCal", "IFU"): "SCIENCE",
    ("ACQUISITION", "OBJECT", "IMAGE"): "ACQUISITION",
    ("TEST", "OTHER", "MOS"): "TEST",
}
_NASMYTH = "the flat recipe refuses their tag, NASMYTH_FLAT: it knows FIBER_FLAT alone"
# Where the installed rules give another tag, and why ours differ.
DIFFERENCES = {
    ("CALIB", "LAMP,FLAT,NASMYTH", "MOS"): _NASMYTH,
    ("CALIB", "LAMP,FLAT,NASMYTH", "IFU"): _NASMYTH,
}


def keys_of(frame: tuple[str, str, str]) -> dict[str, str]:
    return dict(zip(("DPR.CATG", "DPR.TYPE", "DPR.TECH"), frame, strict=True), INSTRUME="GIRAFFE")


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    return observe(find_pack("giraffe"), tmp_path_factory.mktemp("giraffe"), 64)


@pytest.mark.parametrize("frame", FRAMES)
def test_every_kind_of_frame_has_its_raw_type(frame: tuple[str, str, str]) -> None:
    assert classified(find_pack("giraffe").rules, keys_of(frame))["RAW.TYPE"] == FRAMES[frame]


def test_no_raw_type_is_left_out_here() -> None:
    assert set(FRAMES.values()) == {rule.action for rule in find_pack("giraffe").rules.organizers}


@pytest.mark.esorex
@pytest.mark.parametrize("frame", FRAMES)
def test_frames_get_the_tags_of_the_installed_rules(frame: tuple[str, str, str]) -> None:
    ours = classified(find_pack("giraffe").rules, keys_of(frame)).get("DO.CATG")
    theirs = classified(installed_rules("giraf"), keys_of(frame)).get("DO.CATG")
    assert (ours != theirs) == (frame in DIFFERENCES)


def test_simulated_frames_are_what_the_night_says(night: Night) -> None:
    truth = dict(zip(night.truth["arcfile"], night.truth["raw_type"], strict=True))
    rules = find_pack("giraffe").rules
    found = {str(keys["ARCFILE"]): classified(rules, keys)["RAW.TYPE"] for keys in headers(night)}
    assert found == truth


@pytest.mark.esorex
def test_the_groups_are_those_of_the_installed_rules(night: Night) -> None:
    frames = headers(night)
    assert set(groups(find_pack("giraffe").rules, frames)) == set(groups(installed_rules("giraf"), frames))


def test_bias_flat_arc_and_science_follow_each_other() -> None:
    cascade = cascade_of(find_pack("giraffe").rules)
    assert not cascade.cycles
    order = ("BIAS", "DARK", "FLAT", "NASMYTH_FLAT", "ARC", "STD", "SCIENCE")
    assert [cascade.depth(action) for action in order] == [0, 1, 1, 1, 2, 3, 4]


@pytest.mark.esorex
@pytest.mark.long
def test_the_recipes_find_the_readout_noise_and_the_dark_current(tmp_path: Path) -> None:
    # the recipes want the whole detector
    night = observe(find_pack("giraffe"), tmp_path, None)
    run_recipe("gimasterbias", ((path, "BIAS") for path in night.files("BIAS")), tmp_path / "bias")
    bias = measured("giraffe", "giraffe_bias", tmp_path / "bias" / "master_bias.fits")
    assert bias["ron_raw"] == pytest.approx(night.ron("BIAS", "CCD"), rel=0.05)
    assert None not in bias.values()

    frames = [(path, "DARK") for path in night.files("DARK")]
    masters = [
        (tmp_path / "bias" / "master_bias.fits", "MASTER_BIAS"),
        (tmp_path / "bias" / "bad_pixel_map.fits", "BAD_PIXEL_MAP"),
    ]
    run_recipe("gimasterdark", [*frames, *masters], tmp_path / "dark")
    dark = measured("giraffe", "giraffe_dark", tmp_path / "dark" / "master_dark.fits")
    assert dark["dark_current"] == pytest.approx(3600.0 * night.of("DARK")["dark_current"][0], abs=0.1)
    assert None not in dark.values()
