"""NACO: flats need darks, and its recipes take the simulated frames and find what is in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qcbench.instruments import find_pack
from qcbench.oca import cascade_of
from tests.instruments.pipelines import Night, category, measured, run_recipe, unknown_to_the_recipe


@pytest.fixture(scope="module")
def night(night_of: Callable[[str], Night]) -> Night:
    return night_of("naco")


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


def test_darks_come_before_flats_and_flats_before_what_they_flatten() -> None:
    cascade = cascade_of(find_pack("naco").rules)
    assert not cascade.cycles
    order = ("DARK", "TWILIGHT_FLAT", "ZEROPOINT", "SCI_JITTER")
    assert [cascade.depth(action) for action in order] == [0, 1, 2, 3]


@pytest.mark.esorex
@pytest.mark.parametrize(
    ("raw_type", "tag"), [("TECH_SLIT", "SLIT_IMG"), ("TECH_PSF", "TECH_PSF"), ("TECH_FOCUS", "TECH_FOCUS")]
)
def test_the_recipes_of_technical_frames_know_their_tags(raw_type: str, tag: str) -> None:
    assert unknown_to_the_recipe(find_pack("naco").rules.action(raw_type), [tag]) == set()


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
