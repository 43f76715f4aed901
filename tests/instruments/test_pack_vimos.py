"""VIMOS: four quadrants together for imaging, one by one for spectroscopy; and what its recipes measure."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.table import Table

from qcbench.fits import read_header
from qcbench.instruments import InstrumentPack, find_pack
from qcbench.oca import classify
from qcbench.qc1 import measure
from tests import pack_nights
from tests.pack_nights import Header

BASE: Header = {"INSTRUME": "VIMOS", "DPR.CATG": "CALIB", "DPR.TECH": "IMAGE", "TPL.ID": "VIMOS_img_cal"}
SPEC: Header = {"TPL.ID": "VIMOS_spec_cal_Dark"}
MOS: Header = {"DPR.TECH": "MOS", "TPL.ID": "VIMOS_mos_cal_NightCalib"}
IFU: Header = {"DPR.TECH": "IFU", "TPL.ID": "VIMOS_ifu_cal_NightCalib"}
SCIENCE: Header = {"DPR.CATG": "SCIENCE"}
# DPR.TYPE, other keys, raw type, tag
TYPES: list[tuple[str, Header, str, str]] = [
    ("BIAS", {}, "BIAS_IMG", "BIAS"),
    ("BIAS", SPEC, "BIAS_SPEC", "BIAS"),
    ("DARK", {}, "DARK_IMG", "DARK"),
    ("DARK", SPEC, "DARK_SPEC", "DARK"),
    ("BIAS,DETCHECK", {}, "DETNOISE", "BIAS"),
    ("FLAT,LAMP,DETCHECK", {}, "DETNOISE", "FLAT_TWILIGHT"),
    ("FLAT,SKY", {}, "SKYFLAT", "FLAT_TWILIGHT"),
    ("FLAT,LAMP", {"TPL.ID": "VIMOS_img_cal_ScreenFlat"}, "SCREEN_FLAT", "IMG_SCREEN_FLAT"),
    ("FLAT,LAMP", {"TPL.ID": "VIMOS_img_tec_DetLin"}, "LINEARITY", "DETECTOR_PROPERTIES"),
    ("STD", {}, "STD_IMG", "STD"),
    ("ASTROMETRY", {}, "ASTROMETRY", "IMG_ASTROMETRY"),
    ("OBJECT", SCIENCE, "SCI_IMG", "OBJECT"),
    ("OBJECT", SCIENCE | {"DPR.TECH": "IMAGE,PRE"}, "SCI_PRE", "OBJECT"),
    ("FLAT,LAMP", MOS, "MOS_CAL", "MOS_SCREEN_FLAT"),
    ("WAVE,LAMP", MOS, "MOS_CAL", "MOS_ARC_SPECTRUM"),
    ("STD", MOS, "STD_MOS", "MOS_STANDARD"),
    ("OBJECT", MOS | SCIENCE, "SCI_MOS", "MOS_SCIENCE"),
    ("FLAT,LAMP", IFU, "IFU_CAL", "IFU_SCREEN_FLAT"),
    ("WAVE,LAMP", IFU, "IFU_CAL", "IFU_ARC_SPECTRUM"),
    ("STD", IFU, "STD_IFU", "IFU_STANDARD"),
    ("OBJECT", IFU | SCIENCE, "SCI_IFU", "IFU_SCIENCE"),
    ("OBJECT", {"DPR.CATG": "ACQUISITION"}, "ACQ", "ACQUISITION"),
]
# The installed rules are for older imaging recipes (vmim...), which are no longer installed; ours have the tags
# of the recipes that took their place (vimos_ima_...). They know no acquisition but the one through slits.
INTENDED: dict[str, str | None] = {
    "SKYFLAT FLAT_TWILIGHT": "IMG_SKY_FLAT",
    "DETNOISE BIAS": "DETMON_LAMP_OFF",
    "DETNOISE FLAT_TWILIGHT": "DETMON_LAMP_ON",
    "STD_IMG STD": "IMG_STANDARD",
    "SCI_IMG OBJECT": "IMG_SCIENCE",
    "SCI_PRE OBJECT": "IMG_PREIMAGING",
    "ACQ ACQUISITION": None,
}


@pytest.fixture(scope="module")
def pack() -> InstrumentPack:
    return find_pack("vimos")


@pytest.fixture(scope="module")
def night(pack: InstrumentPack, tmp_path_factory: pytest.TempPathFactory) -> list[Header]:
    return pack_nights.headers(pack, pack_nights.observe(pack, tmp_path_factory.mktemp("vimos"), window=32))


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
    assert {action.name for action in pack.rules.actions if action.recipe is None} == {
        "ACQ",
        "SCREEN_FLAT",
        "LINEARITY",
        "ASTROMETRY",
    }


@pytest.mark.esorex
@pytest.mark.parametrize(("kind", "keys", "raw_type", "tag"), TYPES)
def test_the_installed_rules_give_the_same_tag(kind: str, keys: Header, raw_type: str, tag: str) -> None:
    header = BASE | {"DPR.TYPE": kind} | keys
    assert pack_nights.installed_category("vimos", header) == INTENDED.get(f"{raw_type} {tag}", tag)


@pytest.mark.esorex
def test_simulated_frames_get_the_tag_of_the_installed_rules(night: list[Header]) -> None:
    for keys in night:
        bare = {key: value for key, value in keys.items() if key not in ("RAW.TYPE", "DO.CATG")}
        tag = str(keys["DO.CATG"])
        expected = INTENDED.get(f"{keys['RAW.TYPE']} {tag}", tag)
        assert pack_nights.installed_category("vimos", bare) == expected


@pytest.mark.esorex
def test_recipes_know_the_tags_that_they_are_given(pack: InstrumentPack) -> None:
    for action in pack.rules.actions:
        if action.recipe:
            tags = [tag for _, _, raw_type, tag in TYPES if raw_type == action.name]
            assert pack_nights.unknown_to_the_recipe(action, tags) == set(), action.name


def test_only_general_calibrations_have_no_limit_in_time(pack: InstrumentPack) -> None:
    assert pack_nights.open_ended(pack) == set()
    assert pack_nights.without_source(pack) == set()


def test_imaging_takes_all_quadrants_together_and_spectroscopy_each_by_itself(
    pack: InstrumentPack, night: list[Header]
) -> None:
    for action, found in pack_nights.groups_by_action(pack, night).items():
        quadrants = [{night[index]["OCS.CON.QUAD"] for index in made.members} for made in found]
        together = action.endswith("_IMG") or action in ("SKYFLAT", "DETNOISE")
        assert quadrants == ([{1, 2, 3, 4}] if together else [{1}, {2}]), action


def test_a_night_calibrates_itself(pack: InstrumentPack, night: list[Header]) -> None:
    assert pack_nights.unmet_needs(pack, night) == []


def test_a_flat_of_another_filter_does_not_serve_whatever_quadrant_comes_first(
    pack: InstrumentPack, night: list[Header]
) -> None:
    def own_keys_only(keys: Header, name: str) -> Header:
        """As the real instrument writes it: a quadrant knows its own filter alone."""
        bare = {key: value for key, value in keys.items() if not key.startswith("INS.FILT")}
        bare |= {f"INS.FILT{keys['OCS.CON.QUAD']}.NAME": name}
        return bare | classify(pack.rules, bare).assigned

    imaging = [keys for keys in night if str(keys["RAW.TYPE"]) in ("SKYFLAT", "STD_IMG", "DARK_IMG")]
    imaging += [keys for keys in night if str(keys["RAW.TYPE"]) in ("BIAS_IMG", "DETNOISE")]
    # the standard star starts with the second quadrant, the flat with the first
    shifted = [
        keys | {"MJD-OBS": float(str(keys["MJD-OBS"])) - 0.0001}
        if keys["RAW.TYPE"] == "STD_IMG" and keys["OCS.CON.QUAD"] == 2
        else keys
        for keys in imaging
    ]
    same = [own_keys_only(keys, "R") for keys in shifted]
    other = [own_keys_only(keys, "V" if keys["RAW.TYPE"] == "STD_IMG" else "R") for keys in shifted]
    assert pack_nights.unmet_needs(pack, same) == []
    assert pack_nights.unmet_needs(pack, other) == [
        ("STD_IMG", "MASTER_TWILIGHT_FLAT"),
        ("STD_IMG", "MASTER_CONF"),
    ]


def truth_of(folder: Path, raw_type: str, detector: str) -> float:
    truth = Table.read(folder / "archive.truth.ecsv", format="ascii.ecsv")
    rows = truth[(truth["raw_type"] == raw_type) & (truth["detector"] == detector)]
    return float(rows["ron"][0])


@pytest.mark.long
@pytest.mark.esorex
def test_imaging_recipes_take_simulated_frames_and_measure_what_the_tables_ask(
    pack: InstrumentPack, tmp_path: Path
) -> None:
    files = pack_nights.observe(pack, tmp_path, None, ["BIAS_IMG", "DARK_IMG"], nexp=3)
    raw = {str(path): keys for path, keys in zip(files, pack_nights.headers(pack, files), strict=True)}
    frames = {
        kind: [(Path(name), str(keys["DO.CATG"])) for name, keys in raw.items() if keys["RAW.TYPE"] == kind]
        for kind in ("BIAS_IMG", "DARK_IMG")
    }
    pack_nights.run_recipe("vimos_ima_bias", frames["BIAS_IMG"], tmp_path / "bias")
    bias = tmp_path / "bias" / "biascomb.fits"
    pack_nights.run_recipe("vimos_ima_dark", [*frames["DARK_IMG"], (bias, "MASTER_BIAS")], tmp_path / "dark")
    for table, product in (("vimos_bias_img", bias), ("vimos_dark_img", tmp_path / "dark" / "darkcomb.fits")):
        rows = measure(read_header(product), pack.tables[table])
        assert [row.detector for row in rows] == ["CCD-59B", "CCD-59A", "CCD-60A", "CCD-60B"]
        asked = {column.name for column in pack.tables[table].columns if column.kind != "FILTER"}
        for row in rows:
            assert all(row.values[name] is not None for name in asked), table


@pytest.mark.long
@pytest.mark.esorex
def test_vmbias_finds_the_readout_noise_of_a_quadrant(pack: InstrumentPack, tmp_path: Path) -> None:
    files = pack_nights.observe(pack, tmp_path, None, ["BIAS_SPEC"], nexp=3)
    frames = [
        (path, "BIAS")
        for path, keys in zip(files, pack_nights.headers(pack, files), strict=True)
        if keys["OCS.CON.QUAD"] == 2
    ]
    pack_nights.run_recipe("vmbias", frames, tmp_path / "run")
    (row,) = measure(read_header(tmp_path / "run" / "master_bias.fits"), pack.tables["vimos_bias_spec"])
    assert row.values["quadrant"] == 2
    assert row.values["ron"] == pytest.approx(truth_of(tmp_path, "BIAS_SPEC", "CCD-59A/spec"), rel=0.05)
    assert all(value is not None for value in row.values.values())
