"""FORS2: each CCD has its own files and ABs; flats and arcs of a slit go together."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.instruments.pipelines import Night, unmet_needs

TECHNIQUES = ("LSS", "MOS", "MXU")


@pytest.fixture(scope="module")
def night(night_of: Callable[[str], Night]) -> Night:
    return night_of("fors2")


def test_every_group_is_of_one_ccd_and_exposures_on_the_sky_stand_alone(night: Night) -> None:
    for action, found in night.groups_by_action().items():
        for made in found:
            assert len({night.frames[index]["DET.CHIP1.ID"] for index in made.members}) == 1
            if action.startswith(("STD_", "SCI_")):
                assert len(made.members) == 1


def test_flats_and_arcs_of_a_slit_are_one_group(night: Night) -> None:
    groups = night.groups_by_action()
    for mode in TECHNIQUES:
        tags = [
            sorted(str(night.frames[index]["DO.CATG"]) for index in made.members)
            for made in groups[f"LAMP_{mode}"]
        ]
        assert tags == [[f"LAMP_{mode}", *[f"SCREEN_FLAT_{mode}"] * 3]] * 2


def test_a_ccd_is_not_calibrated_by_the_other(night: Night) -> None:
    half = [keys for keys in night.frames if keys["RAW.TYPE"] != "BIAS" or keys["EXTNAME"] == "CHIP2"]
    unmet = unmet_needs(night.pack, half)
    assert {tag for _, tag in unmet} == {"MASTER_BIAS"}
    # each of these has a group of the first CCD: two standard stars and two science frames of imaging, and the others
    assert len(unmet) == 16
