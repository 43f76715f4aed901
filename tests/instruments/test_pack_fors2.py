"""FORS2: each CCD has its own files and ABs; flats and arcs of a slit go together."""

from __future__ import annotations

import pytest

from qcbench.instruments import InstrumentPack, find_pack
from qcbench.oca import classify
from tests import pack_nights
from tests.pack_nights import Header

BASE: Header = {
    "INSTRUME": "FORS2",
    "DPR.CATG": "CALIB",
    "DPR.TECH": "IMAGE",
    "DET.READ.CLOCK": "200Kps/2ports/low_gain",
    "DET.WIN1.BINX": 2,
    "DET.WIN1.BINY": 2,
}
SCIENCE: Header = {"DPR.CATG": "SCIENCE"}
TECHNIQUES = {"LSS": "SPECTRUM", "MOS": "MOS", "MXU": "MXU"}
# DPR.TYPE, other keys, raw type, tag
TYPES: list[tuple[str, Header, str, str]] = [
    ("BIAS", {}, "BIAS", "BIAS"),
    ("DARK", {}, "DARK", "DARK"),
    ("FLAT,SKY", {}, "FLAT_SKY", "SKY_FLAT_IMG"),
    ("FLAT,LAMP", {}, "FLAT_SCREEN", "SCREEN_FLAT_IMG"),
    ("STD", {}, "STD_IMA", "STANDARD_IMG"),
    ("OBJECT", SCIENCE, "SCI_IMG_2x2_low", "SCIENCE_IMG"),
    ("OBJECT", SCIENCE | {"DET.WIN1.BINX": 1}, "SCI_IMG_other", "SCIENCE_IMG"),
    (
        "OBJECT",
        SCIENCE | {"DET.READ.CLOCK": "100Kps/2ports/high_gain"},
        "SCI_IMG_other",
        "SCIENCE_IMG",
    ),
    ("OBJECT", {"DPR.CATG": "ACQUISITION"}, "ACQ", "ACQUISITION"),
    *(
        ("FLAT,LAMP", {"DPR.TECH": tech}, f"LAMP_{mode}", f"SCREEN_FLAT_{mode}")
        for mode, tech in TECHNIQUES.items()
    ),
    *(("WAVE,LAMP", {"DPR.TECH": tech}, f"LAMP_{mode}", f"LAMP_{mode}") for mode, tech in TECHNIQUES.items()),
    *(("STD", {"DPR.TECH": tech}, f"STD_{mode}", f"STANDARD_{mode}") for mode, tech in TECHNIQUES.items()),
    *(
        ("OBJECT", SCIENCE | {"DPR.TECH": tech}, f"SCI_{mode}", f"SCIENCE_{mode}")
        for mode, tech in TECHNIQUES.items()
    ),
]


@pytest.fixture(scope="module")
def pack() -> InstrumentPack:
    return find_pack("fors2")


@pytest.fixture(scope="module")
def night(pack: InstrumentPack, tmp_path_factory: pytest.TempPathFactory) -> list[Header]:
    return pack_nights.headers(pack, pack_nights.observe(pack, tmp_path_factory.mktemp("fors2"), window=32))


@pytest.mark.parametrize(("kind", "keys", "raw_type", "tag"), TYPES)
def test_a_frame_gets_its_raw_type_and_its_tag(
    pack: InstrumentPack, kind: str, keys: Header, raw_type: str, tag: str
) -> None:
    assert classify(pack.rules, BASE | {"DPR.TYPE": kind} | keys).assigned == {
        "RAW.TYPE": raw_type,
        "DO.CATG": tag,
    }


def test_every_raw_type_is_tried_here_and_has_an_action(pack: InstrumentPack) -> None:
    assert pack_nights.raw_types(pack) == {raw_type for _, _, raw_type, _ in TYPES}
    assert pack_nights.raw_types(pack) == {action.name for action in pack.rules.actions}
    assert {action.name for action in pack.rules.actions if action.recipe is None} == {"ACQ"}


def test_only_general_calibrations_have_no_limit_in_time(pack: InstrumentPack) -> None:
    assert pack_nights.open_ended(pack) == set()
    assert pack_nights.without_source(pack) == set()


def test_every_group_is_of_one_ccd_and_exposures_on_the_sky_stand_alone(
    pack: InstrumentPack, night: list[Header]
) -> None:
    for action, found in pack_nights.groups_by_action(pack, night).items():
        for made in found:
            assert len({night[index]["DET.CHIP1.ID"] for index in made.members}) == 1
            if action.startswith(("STD_", "SCI_")):
                assert len(made.members) == 1


def test_flats_and_arcs_of_a_slit_are_one_group(pack: InstrumentPack, night: list[Header]) -> None:
    groups = pack_nights.groups_by_action(pack, night)
    for mode in TECHNIQUES:
        tags = [
            sorted(str(night[index]["DO.CATG"]) for index in made.members) for made in groups[f"LAMP_{mode}"]
        ]
        assert tags == [[f"LAMP_{mode}", *[f"SCREEN_FLAT_{mode}"] * 3]] * 2


def test_a_night_calibrates_itself(pack: InstrumentPack, night: list[Header]) -> None:
    assert pack_nights.unmet_needs(pack, night) == []


def test_a_ccd_is_not_calibrated_by_the_other(pack: InstrumentPack, night: list[Header]) -> None:
    half = [keys for keys in night if keys["RAW.TYPE"] != "BIAS" or keys["EXTNAME"] == "CHIP2"]
    unmet = pack_nights.unmet_needs(pack, half)
    assert {tag for _, tag in unmet} == {"MASTER_BIAS"}
    # each of these has a group of the first CCD: two standard stars and two science frames of imaging, and the others
    assert len(unmet) == 16
