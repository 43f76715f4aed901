"""NACO: frames are classified as the pipeline wants them, and its recipes take the simulated ones."""

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

# DPR.CATG, DPR.TYPE and DPR.TECH of frames of every raw type.
FRAMES = {
    ("CALIB", "DARK", "IMAGE"): "DARK",
    ("CALIB", "FLAT,SKY", "IMAGE"): "TWILIGHT_FLAT",
    ("CALIB", "SKY,FLAT", "IMAGE"): "TWILIGHT_FLAT",
    ("CALIB", "FLAT,LAMP", "IMAGE"): "LAMP_FLAT",
    ("CALIB", "LAMP,LINEARITY", "IMAGE"): "DETECTOR_LINEARITY",
    ("CALIB", "OTHER,LINEARITY", "IMAGE"): "DETECTOR_LINEARITY",
    ("CALIB", "FLAT,LAMP,DETCHECK", "IMAGE"): "DETECTOR_MONITOR",
    ("CALIB", "DARK,DETCHECK", "IMAGE"): "DETECTOR_MONITOR",
    ("CALIB", "STD", "IMAGE,JITTER"): "ZEROPOINT",
    ("CALIB", "STD", "IMAGE,CHOPPING"): "ZEROPOINT_CHOPPING",
    ("CALIB", "PSF-CALIBRATOR", "IMAGE"): "PSF",
    ("CALIB", "FLAT,LAMP", "SPECTRUM"): "SPC_LAMP_FLAT",
    ("CALIB", "WAVE,LAMP", "SPECTRUM"): "SPC_ARC",
    ("CALIB", "STD", "SPECTRUM,NODDING"): "SPC_STD",
    ("CALIB", "FLAT,LAMP", "POLARIMETRY,WOLLASTON"): "POL_LAMP_FLAT",
    ("CALIB", "FLAT,LAMP", "POLARIMETRY,WIRE_GRID"): "POL_LAMP_FLAT",
    ("CALIB", "STD", "POLARIMETRY,WOLLASTON,JITTER"): "POL_STD",
    ("CALIB", "STD", "POLARIMETRY,WIRE_GRID,JITTER"): "POL_STD",
    ("CALIB", "STD", "POLARIMETRY,WOLLASTON,CHOPPING"): "POL_STD",
    ("CALIB", "STD", "POLARIMETRY,WIRE_GRID,CHOPPING"): "POL_STD",
    ("CALIB", "FLAT,LAMP", "CORONOGRAPHY"): "CORO_LAMP_FLAT",
    ("CALIB", "STD", "CORONOGRAPHY,JITTER"): "CORO_STD",
    ("CALIB", "FLAT,SKY", "IMAGE,DIFFERENTIAL"): "SDI_FLAT",
    ("CALIB", "FLAT,LAMP", "IMAGE,DIFFERENTIAL"): "SDI_FLAT",
    ("CALIB", "WAVE,LAMP", "IMAGE,FABRY-PEROT"): "FPI_ARC",
    ("CALIB", "FLAT,LAMP", "IMAGE,FABRY-PEROT"): "FPI_FLAT",
    ("SCIENCE", "OBJECT", "IMAGE,JITTER"): "SCI_JITTER",
    ("SCIENCE", "SKY", "IMAGE,JITTER"): "SCI_JITTER",
    ("SCIENCE", "OBJECT", "IMAGE,CHOPPING"): "SCI_CHOPPING",
    ("SCIENCE", "OBJECT", "POLARIMETRY,WIRE_GRID,CHOPPING"): "SCI_CHOPPING",
    ("SCIENCE", "OBJECT", "POLARIMETRY,WIRE_GRID,JITTER"): "SCI_POL_JITTER",
    ("SCIENCE", "SKY", "POLARIMETRY,WIRE_GRID,JITTER"): "SCI_POL_JITTER",
    ("SCIENCE", "OBJECT", "POLARIMETRY,WOLLASTON,JITTER"): "SCI_POL_WOLLASTON",
    ("SCIENCE", "SKY", "POLARIMETRY,WOLLASTON,JITTER"): "SCI_POL_WOLLASTON",
    ("SCIENCE", "OBJECT", "POLARIMETRY,WOLLASTON,CHOPPING"): "SCI_POL_WOLLASTON",
    ("SCIENCE", "OBJECT", "SPECTRUM,NODDING"): "SCI_SPC_NODDING",
    ("SCIENCE", "OBJECT", "SPECTRUM,JITTER"): "SCI_SPC_JITTER",
    ("SCIENCE", "SKY", "SPECTRUM,JITTER"): "SCI_SPC_JITTER",
    ("SCIENCE", "OBJECT", "CORONOGRAPHY,JITTER"): "SCI_CORO",
    ("SCIENCE", "SKY", "CORONOGRAPHY,JITTER"): "SCI_CORO",
    ("SCIENCE", "OBJECT", "CORONOGRAPHY,CHOPPING"): "SCI_CORO",
    ("SCIENCE", "OBJECT", "IMAGE,DIFFERENTIAL,JITTER"): "SCI_SDI",
    ("SCIENCE", "SKY", "IMAGE,FABRY-PEROT,JITTER"): "SCI_FPI",
    ("ACQUISITION", "SKY", "IMAGE"): "ACQUISITION",
    ("ACQUISITION", "OBJECT", "IMAGE"): "ACQUISITION",
    ("TECHNICAL", "SLIT", "IMAGE"): "TECH_SLIT",
    ("TECHNICAL", "PSF-CALIBRATOR", "IMAGE"): "TECH_PSF",
    ("TECHNICAL", "FOCUS", "IMAGE"): "TECH_FOCUS",
    ("TEST", "OTHER", "IMAGE"): "TEST",
}
# Where the installed rules give another tag, and why ours differ.
DIFFERENCES = {
    (
        "ACQUISITION",
        "OBJECT",
        "IMAGE",
    ): "they know acquisitions on the sky only; no frame shall be unclassified"
}


def keys_of(frame: tuple[str, str, str]) -> dict[str, str]:
    return dict(zip(("DPR.CATG", "DPR.TYPE", "DPR.TECH"), frame, strict=True), INSTRUME="NAOS+CONICA")


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    return observe(find_pack("naco"), tmp_path_factory.mktemp("naco"), 512)


@pytest.fixture(scope="module")
def dark(night: Night, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The products of the darks that fit the twilight flats."""
    folder = tmp_path_factory.mktemp("naco_dark")
    run_recipe("naco_img_dark", ((path, "CAL_DARK") for path in night.files("DARK")), folder)
    return folder


@pytest.fixture(scope="module")
def flat(night: Night, dark: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The products of the twilight flats."""
    folder = tmp_path_factory.mktemp("naco_flat")
    frames = [(path, "CAL_FLAT_TW") for path in night.files("TWILIGHT_FLAT")]
    master = (dark / "naco_img_dark_set01_avg.fits", "CAL_DARK")
    run_recipe("naco_img_twflat", [*frames, master], folder, "--bpm=TRUE")
    return folder


@pytest.mark.parametrize("frame", FRAMES)
def test_every_kind_of_frame_has_its_raw_type(frame: tuple[str, str, str]) -> None:
    assert classified(find_pack("naco").rules, keys_of(frame))["RAW.TYPE"] == FRAMES[frame]


def test_no_raw_type_is_left_out_here() -> None:
    assert set(FRAMES.values()) == {rule.action for rule in find_pack("naco").rules.organizers}


@pytest.mark.esorex
@pytest.mark.parametrize("frame", FRAMES)
def test_frames_get_the_tags_of_the_installed_rules(frame: tuple[str, str, str]) -> None:
    ours = classified(find_pack("naco").rules, keys_of(frame)).get("DO.CATG")
    theirs = classified(installed_rules("naco"), keys_of(frame)).get("DO.CATG")
    assert (ours != theirs) == (frame in DIFFERENCES)


def test_simulated_frames_are_what_the_night_says(night: Night) -> None:
    truth = dict(zip(night.truth["arcfile"], night.truth["raw_type"], strict=True))
    rules = find_pack("naco").rules
    found = {str(keys["ARCFILE"]): classified(rules, keys)["RAW.TYPE"] for keys in headers(night)}
    assert found == truth


@pytest.mark.esorex
def test_the_groups_are_those_of_the_installed_rules(night: Night) -> None:
    frames = headers(night)
    assert set(groups(find_pack("naco").rules, frames)) == set(groups(installed_rules("naco"), frames))


def test_darks_come_before_flats_and_flats_before_what_they_flatten() -> None:
    cascade = cascade_of(find_pack("naco").rules)
    assert not cascade.cycles
    order = ("DARK", "TWILIGHT_FLAT", "ZEROPOINT", "SCI_JITTER")
    assert [cascade.depth(action) for action in order] == [0, 1, 2, 3]


@pytest.mark.esorex
def test_the_dark_recipe_finds_the_readout_noise_and_the_hot_pixels(night: Night, dark: Path) -> None:
    found = measured("naco", "naco_dark", dark / "naco_img_dark_set01_avg.fits")
    assert found["ron"] == pytest.approx(night.ron("DARK", "CONICA"), rel=0.05)
    assert found["n_hot"] == night.of("DARK")["n_hot"][0]
    assert None not in found.values()


@pytest.mark.esorex
def test_the_flat_recipe_makes_a_flat_and_a_map_of_bad_pixels_with_the_master_dark(flat: Path) -> None:
    made = {category(path): path for path in flat.glob("*.fits")}
    assert set(made) == {"MASTER_IMG_FLAT", "MASTER_IMG_FLAT_BADPIX"}
    found = measured("naco", "naco_twilight_flat", made["MASTER_IMG_FLAT"])
    assert (found["filter"], found["camera"], found["n_raw"]) == ("Ks", "S27", 5)


@pytest.mark.esorex
def test_the_lamp_flat_recipe_takes_pairs_of_lamp_on_and_off(night: Night, tmp_path: Path) -> None:
    run_recipe("naco_img_lampflat", ((path, "CAL_FLAT_LAMP") for path in night.files("LAMP_FLAT")), tmp_path)
    found = measured("naco", "naco_lamp_flat", tmp_path / "naco_img_lampflat_set01.fits")
    rows = night.of("LAMP_FLAT")
    assert found["lamp_flux"] == pytest.approx(max(rows["level"]) / 2.0, rel=0.05)
    assert None not in found.values()


@pytest.mark.esorex
@pytest.mark.long
def test_the_zero_point_is_that_of_the_star(night: Night, flat: Path, tmp_path: Path) -> None:
    (tmp_path / "stars.txt").write_text("S294-D 5.63767 -43.15892 A0 10 10 10 10 10 10 10 10\n")
    run_recipe("naco_util_img_std_cat", [(tmp_path / "stars.txt", "IMG_STD_ASCII")], tmp_path)
    frames = [(path, "CAL_STD_JITTER") for path in night.files("ZEROPOINT")]
    masters = [
        (tmp_path / "naco_util_img_std_cat.fits", "IMG_STD_CATALOG"),
        (flat / "naco_img_twflat_set01.fits", "MASTER_IMG_FLAT"),
    ]
    run_recipe("naco_img_zpoint", [*frames, *masters], tmp_path)
    found = measured("naco", "naco_zeropoint", tmp_path / "naco_img_zpoint.fits")
    # 10 mag + 2.5 log10(300000 adu / 2 s)
    assert found["zeropoint"] == pytest.approx(22.94, abs=0.08)
    assert None not in found.values()
