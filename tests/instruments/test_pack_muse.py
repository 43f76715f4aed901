"""MUSE: raw types, groups, cascade, and the tables of what muse_bias measures."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.io import fits
from astropy.table import Table

from qcbench.instruments import InstrumentPack, find_pack
from qcbench.oca import classify
from tests import pack_nights
from tests.pack_nights import Header

BASE: Header = {"INSTRUME": "MUSE", "DPR.CATG": "CALIB", "DPR.TECH": "IFU", "INS.MODE": "WFM-NOAO-N"}
# DPR.TYPE, other keys, raw type, tag
TYPES: list[tuple[str, Header, str, str]] = [
    ("BIAS", {}, "BIAS", "BIAS"),
    ("DARK", {}, "DARK", "DARK"),
    ("BIAS,DETCHECK", {}, "LINEARITY", "DETMON_LAMP_OFF"),
    ("FLAT,LAMP,LINEARITY,DETCHAR", {}, "LINEARITY", "DETMON_LAMP_ON"),
    ("FLAT,LAMP", {"TPL.ID": "MUSE_wfm_cal_specflat"}, "FLAT", "FLAT"),
    ("FLAT,LAMP,ILLUM", {"TPL.ID": "MUSE_wfm_cal_illum"}, "ILLUM", "ILLUM"),
    ("WAVE", {}, "WAVE", "ARC"),
    ("WAVE,LSF", {}, "LSF", "ARC_LSF"),
    ("WAVE,MASK", {}, "GEOMETRY", "MASK"),
    ("FLAT,SKY", {}, "TWILIGHT", "SKYFLAT"),
    ("STD", {}, "STD", "STD"),
    ("ASTROMETRY", {}, "ASTROMETRY", "ASTROMETRY"),
    ("FLAT,LAMP,THRUPUT", {"DPR.CATG": "TECHNICAL"}, "THRUPUT", "AMPL"),
    ("SKY", {"DPR.CATG": "SCIENCE"}, "SKY", "SKY"),
    ("OBJECT", {"DPR.CATG": "SCIENCE"}, "SCIENCE", "OBJECT"),
    ("OBJECT", {"DPR.CATG": "ACQUISITION", "DPR.TECH": "IMAGE"}, "ACQ", "ACQUISITION"),
]
# On the mountain a recipe of its own (muse_illum) makes ILLUM of the raw frame; the offline recipes take the raw one.
INTENDED = {"ILLUM": "ILLUMFLAT"}


@pytest.fixture(scope="module")
def pack() -> InstrumentPack:
    return find_pack("muse")


@pytest.fixture(scope="module")
def night(pack: InstrumentPack, tmp_path_factory: pytest.TempPathFactory) -> list[Header]:
    return pack_nights.headers(pack, pack_nights.observe(pack, tmp_path_factory.mktemp("muse"), window=32))


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
    assert pack_nights.raw_types(pack) <= {action.name for action in pack.rules.actions}
    assert {action.name for action in pack.rules.actions if action.recipe is None} == {
        "LINEARITY",
        "ILLUM",
        "THRUPUT",
        "ACQ",
    }


@pytest.mark.esorex
@pytest.mark.parametrize(("kind", "keys", "raw_type", "tag"), TYPES)
def test_the_installed_rules_give_the_same_tag(kind: str, keys: Header, raw_type: str, tag: str) -> None:
    header = BASE | {"DPR.TYPE": kind} | keys
    assert pack_nights.installed_category("muse", header) == INTENDED.get(tag, tag)


@pytest.mark.esorex
def test_simulated_frames_get_the_tag_of_the_installed_rules(night: list[Header]) -> None:
    for keys in night:
        bare = {key: value for key, value in keys.items() if key not in ("RAW.TYPE", "DO.CATG")}
        tag = str(keys["DO.CATG"])
        assert pack_nights.installed_category("muse", bare) == INTENDED.get(tag, tag)


@pytest.mark.esorex
def test_recipes_know_the_tags_that_they_are_given(pack: InstrumentPack) -> None:
    made_of = {
        "LSF": ["ARC", "ARC_LSF"],
        # these recipes take pixel tables, which are products
        "STD_FLUX": [],
        "ASTROMETRY_FIT": [],
        "SKY_MODEL": [],
        "SCIENCE_CUBE": [],
    }
    for action in pack.rules.actions:
        if action.recipe:
            tags = made_of.get(action.name, [tag for _, _, raw_type, tag in TYPES if raw_type == action.name])
            assert pack_nights.unknown_to_the_recipe(action, tags) == set(), action.name


def test_only_general_calibrations_have_no_limit_in_time(pack: InstrumentPack) -> None:
    assert pack_nights.open_ended(pack) == set()
    assert pack_nights.without_source(pack) == set()


def test_a_night_is_grouped_by_template_and_calibrates_itself(
    pack: InstrumentPack, night: list[Header]
) -> None:
    groups = pack_nights.groups_by_action(pack, night)
    assert {action: [len(made.members) for made in found] for action, found in groups.items()} == {
        "BIAS": [11],
        "DARK": [3],
        "FLAT": [11],
        "ILLUM": [1, 1],
        "WAVE": [15],
        "LSF": [15],
        "TWILIGHT": [4],
        "STD": [1],
        "STD_FLUX": [1],
        "ASTROMETRY": [1],
        "ASTROMETRY_FIT": [1],
        "SKY": [1],
        "SKY_MODEL": [1],
        "SCIENCE": [2],
        "SCIENCE_CUBE": [2],
    }
    assert pack_nights.unmet_needs(pack, night) == []


def test_arcs_of_a_wide_field_serve_a_mode_with_adaptive_optics_but_not_another_range(
    pack: InstrumentPack, night: list[Header]
) -> None:
    def mode(name: str) -> list[Header]:
        return [
            keys | {"INS.MODE": name} if keys["RAW.TYPE"] == "TWILIGHT" else keys
            for keys in night
            if keys["RAW.TYPE"] in ("BIAS", "FLAT", "WAVE", "TWILIGHT")
        ]

    assert pack_nights.unmet_needs(pack, mode("WFM-AO-N")) == [("TWILIGHT", "MASTER_FLAT")]
    assert pack_nights.unmet_needs(pack, mode("WFM-NOAO-E")) == [
        ("TWILIGHT", "MASTER_FLAT"),
        ("TWILIGHT", "TRACE_TABLE"),
        ("TWILIGHT", "WAVECAL_TABLE"),
    ]


@pytest.mark.long
@pytest.mark.esorex
def test_muse_bias_finds_the_readout_noise_of_an_ifu(pack: InstrumentPack, tmp_path: Path) -> None:
    files = pack_nights.observe(pack, tmp_path, None, ["BIAS"], nexp=3)
    pack_nights.run_recipe("muse_bias", ((path, "BIAS") for path in files), tmp_path / "run", "--nifu=6")
    truth = Table.read(tmp_path / "archive.truth.ecsv", format="ascii.ecsv")
    with fits.open(tmp_path / "run" / "MASTER_BIAS-06.fits") as product:
        header = product[0].header
    for quadrant in range(1, 5):
        assert header[f"ESO QC BIAS MASTER{quadrant} RON"] == pytest.approx(truth["ron"][0], rel=0.1)
    for column in pack.tables["muse_bias"].columns:
        assert f"ESO {column.key.replace('.', ' ')}" in header, column.name
