"""A first pack, from nothing or from raw frames, passes the check and sorts the frames that it came from."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from qcbench.core.errors import FrameError, PackError
from qcbench.fits import read_header
from qcbench.instruments import available_packs, load_pack
from qcbench.instruments.checking import check_pack
from qcbench.instruments.skeleton import EXAMPLE, FILES, Survey, free_code, survey_frames, write_skeleton
from qcbench.instruments.skeleton.survey import folded, name_types, role_of
from qcbench.oca import classify, group
from tests.instruments.mycam import observe_unknown

TODAY = dt.date(2026, 11, 20)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return observe_unknown(tmp_path_factory.mktemp("mycam"))


def frame(path: Path, **changes: object) -> Path:
    """Write a frame of nothing but a header."""
    keys = {
        "INSTRUME": "MYCAM",
        "ARCFILE": f"MYCAM.{path.stem}.fits",
        "EXPTIME": 1.0,
        "HIERARCH ESO DPR CATG": "CALIB",
        "HIERARCH ESO DPR TYPE": "BIAS",
        "HIERARCH ESO DPR TECH": "IMAGE",
        "HIERARCH ESO TPL START": "2026-11-17T10:00:00",
        "HIERARCH ESO TPL EXPNO": 1,
    }
    header = fits.Header()
    for key, value in {**keys, **{key.replace("__", " "): value for key, value in changes.items()}}.items():
        header[key] = value
    fits.PrimaryHDU(header=header).writeto(path)
    return path


def problems(folder: Path) -> list[str]:
    return [item.text for item in check_pack(folder, today=TODAY).findings if item.level != "note"]


def test_an_example_has_all_files_and_nothing_to_correct(tmp_path: Path) -> None:
    written = write_skeleton(tmp_path / "mycam", "MC", EXAMPLE)
    assert [path.name for path in written] == list(FILES)
    assert problems(tmp_path / "mycam") == []
    assert all(path.read_text().startswith(("#", "//")) for path in written)


def test_a_pack_from_frames_has_nothing_to_correct_and_knows_each_of_them(raw: Path, tmp_path: Path) -> None:
    paths = sorted(raw.rglob("*.fits"))
    write_skeleton(tmp_path / "mycam", "MC", survey_frames(paths))
    assert problems(tmp_path / "mycam") == []
    pack = load_pack(tmp_path / "mycam")
    headers = [read_header(path) for path in paths]
    known = [{**item.keys, **classify(pack.rules, item.keys).assigned} for item in headers]
    types = {"BIAS", "SKY_FLAT", "STD", "WAVE", "DOME", "STD_SPECTRUM", "SCIENCE"}
    assert {str(keys.get("RAW.TYPE")) for keys in known} == types
    found = group(pack.rules, known).groups
    assert len(found) == len({keys["TPL.START"] for keys in known})
    assert {key for item in headers for key in item.keys if pack.keys.find(key) is None} == set()


@pytest.mark.parametrize("like", ["fors2", "hawki", "uves"])
def test_frames_of_several_detectors_are_grouped_by_what_they_show(like: str, tmp_path: Path) -> None:
    paths = sorted(observe_unknown(tmp_path / "night", like).rglob("*.fits"))
    survey = survey_frames(paths)
    write_skeleton(tmp_path / "mycam", "MC", survey)
    assert problems(tmp_path / "mycam") == []
    pack = load_pack(tmp_path / "mycam")
    known = [{**keys, **classify(pack.rules, keys).assigned} for keys in (read_header(p).keys for p in paths)]
    for found in group(pack.rules, known).groups:
        assert len({known[number]["TPL.EXPNO"] for number in found.members}) == len(found.members)
    assert bool(survey.extensions) == (like in ("hawki", "uves"))


@pytest.mark.real
def test_a_pack_from_real_frames_has_nothing_to_correct(real_data: Path, tmp_path: Path) -> None:
    survey = survey_frames(sorted((real_data / "efosc2-pessto").glob("*.fits")))
    write_skeleton(tmp_path / "mycam", "MC", survey)
    assert problems(tmp_path / "mycam") == []
    assert survey.instrume == ("EFOSC",)
    assert survey.prefix == "EFOSC"
    assert {(kind.type, kind.n_frames, kind.setup[:1]) for kind in survey.kinds} == {
        ("SKY,FLAT", 4, ("INS.FILT1.NAME",)),
        ("WAVE", 4, ("INS.FILT1.NAME",)),
    }


def test_what_changes_from_template_to_template_is_the_setup(tmp_path: Path) -> None:
    paths = [
        frame(
            tmp_path / f"{number}.fits",
            HIERARCH__ESO__DPR__TYPE="FLAT",
            HIERARCH__ESO__TPL__START=f"2026-11-17T1{number // 2}:00:00",
            HIERARCH__ESO__TPL__EXPNO=number % 2 + 1,
            HIERARCH__ESO__INS__FILT1__NAME="VVR"[number // 2],
            HIERARCH__ESO__INS__FILT1__ID="112"[number // 2],
            HIERARCH__ESO__DET__TEMP=number * 0.1,
            HIERARCH__ESO__INS__LAMP1__NAME="ab"[number % 2],
        )
        for number in range(6)
    ]
    (kind,) = survey_frames(paths).kinds
    assert (kind.setup, kind.also) == (("INS.FILT1.NAME",), ("INS.FILT1.ID",))


def test_keys_have_the_type_and_the_unit_of_their_cards(tmp_path: Path) -> None:
    first = frame(
        tmp_path / "1.fits",
        HIERARCH__ESO__DET__WIN1__DIT1=(1, "[s] actual exposure"),
        HIERARCH__ESO__INS__MODES=(True, "[flag] modes"),
    )
    second = frame(tmp_path / "2.fits", HIERARCH__ESO__DET__WIN2__DIT1=(2.5, "[s] actual exposure"))
    keys = survey_frames([first, second]).keys
    assert keys["DET.WINi.DITi"].model_dump() == {
        "type": "float",
        "unit": "s",
        "description": "actual exposure",
    }
    assert (keys["INS.MODES"].type, keys["INS.MODES"].unit) == ("logical", "")
    assert "[flag]" in keys["INS.MODES"].description


@pytest.mark.parametrize(
    ("key", "name"),
    [("DET.WIN1.BINX", "DET.WINi.BINX"), ("INS.OPTI12.NAME", "INS.OPTIi.NAME"), ("DET.READ.SPEED",) * 2],
)
def test_a_number_in_a_key_stands_for_all_numbers(key: str, name: str) -> None:
    assert folded(key) == name


def test_raw_types_have_names_of_their_own() -> None:
    found = name_types(
        [
            ("CALIB", "FLAT,LAMP", "IMAGE"),
            ("CALIB", "FLAT,LAMP", "MOS"),
            ("CALIB", "FLAT/LAMP", "MOS"),
            ("SCIENCE", "OBJECT", "IMAGE"),
            ("ACQUISITION", "OBJECT", "IMAGE"),
            ("CALIB", "«»", ""),
        ]
    )
    assert list(found.values()) == [
        "FLAT_LAMP",
        "FLAT_LAMP_MOS",
        "FLAT_LAMP_2",
        "SCIENCE",
        "ACQUISITION_OBJECT",
        "UNNAMED",
    ]


def test_the_recipe_is_guessed_for_calibrations_alone() -> None:
    assert [role_of("CALIB", kind) for kind in ("BIAS", "DARK,LONG", "SKY,FLAT", "LAMP,WAVE", "STD")] == [
        "bias",
        "dark",
        "flat",
        "arc",
        "other",
    ]
    assert role_of("SCIENCE", "BIAS") == "other"


def test_hostile_headers_make_no_hostile_rules(tmp_path: Path) -> None:
    path = frame(
        tmp_path / "1.fits",
        HIERARCH__ESO__DPR__TYPE='X" then { RAW.TYPE = "Y"; } //',
        HIERARCH__ESO__INS__EVIL=("x", "a: {b}"),
        INSTRUME="MY$CAM: #1",
    )
    survey = survey_frames([path])
    write_skeleton(tmp_path / "mycam", "MC", survey)
    assert problems(tmp_path / "mycam") == []
    pack = load_pack(tmp_path / "mycam")
    assert classify(pack.rules, read_header(path).keys).assigned["RAW.TYPE"] == survey.kinds[0].raw_type


def test_frames_that_cannot_be_read_are_named_and_left_out(tmp_path: Path) -> None:
    (tmp_path / "bad.fits").write_text("<html>")
    good = frame(tmp_path / "1.fits")
    found = survey_frames([tmp_path / "bad.fits", good, tmp_path / "gone.fits"])
    assert found.n_frames == 1
    assert [err.path.name for err in found.unreadable] == ["bad.fits", "gone.fits"]


def test_frames_without_dpr_keys_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "1.fits"
    fits.PrimaryHDU(header=fits.Header({"INSTRUME": "MYCAM"})).writeto(path)
    found = survey_frames([path])
    assert (found.n_frames, found.unnamed, found.kinds) == (1, 1, ())
    write_skeleton(tmp_path / "mycam", "MC", found)
    assert problems(tmp_path / "mycam") == []


def test_frames_of_several_instruments_are_refused(tmp_path: Path) -> None:
    paths = [frame(tmp_path / "1.fits"), frame(tmp_path / "2.fits", INSTRUME="OTHER")]
    with pytest.raises(FrameError, match=r"several instruments: MYCAM \(1\.fits\), OTHER \(2\.fits\)"):
        survey_frames(paths)


def test_frames_of_no_instrument_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="no INSTRUME"):
        survey_frames([frame(tmp_path / "1.fits", INSTRUME="")])
    with pytest.raises(FrameError, match="no FITS file"):
        survey_frames([])


def test_several_spellings_of_one_instrument_are_one(tmp_path: Path) -> None:
    paths = [frame(tmp_path / "1.fits"), frame(tmp_path / "2.fits", INSTRUME="MYCAM2")]
    write_skeleton(tmp_path / "mycam", "MC", survey_frames(paths))
    assert load_pack(tmp_path / "mycam").instrument.instrume == ("MYCAM", "MYCAM2")


@pytest.mark.parametrize(("kind", "is_known"), [("uint16", True), ("int16", False), ("float32", False)])
def test_saturation_is_a_fact_of_unsigned_pixels_of_16_bits_alone(
    tmp_path: Path, kind: str, is_known: bool
) -> None:
    path = frame(tmp_path / "1.fits")
    fits.writeto(path, np.zeros((4, 4), kind), fits.getheader(path), overwrite=True)
    write_skeleton(tmp_path / "mycam", "MC", survey_frames([path]))
    assert problems(tmp_path / "mycam") == []
    assert load_pack(tmp_path / "mycam").instrument.saturation_adu == (65535 if is_known else None)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_skeleton(tmp_path / "mycam", "MC", EXAMPLE)
    own = tmp_path / "mycam" / "rules.oca"
    own.write_text("// mine\n")
    with pytest.raises(PackError, match=r"instrument\.yaml: the file is there already"):
        write_skeleton(tmp_path / "mycam", "MC", EXAMPLE)
    shutil.copytree(tmp_path / "mycam", tmp_path / "copy")
    for path in (tmp_path / "copy").glob("*.yaml"):
        path.unlink()
    with pytest.raises(PackError, match=r"rules\.oca: the file is there already"):
        write_skeleton(tmp_path / "copy", "MC", EXAMPLE)
    assert own.read_text() == "// mine\n"


@pytest.mark.parametrize("name", ["My-Cam", "1cam", "MYCAM", "my cam"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PackError, match="can't be the name of a pack"):
        write_skeleton(tmp_path / name, "MC", EXAMPLE)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("code", ["", "mc", "M", "MCC", "1M"])
def test_a_code_that_is_none_is_refused(tmp_path: Path, code: str) -> None:
    with pytest.raises(PackError, match="the code"):
        write_skeleton(tmp_path / "mycam", code, EXAMPLE)


def test_the_code_is_one_that_no_pack_has() -> None:
    taken = {load_pack(folder).instrument.code for folder in available_packs().values()}
    assert free_code("hawki", ()) == "HA"
    assert free_code("efosc", {"EF", *taken}) == "EO"
    assert free_code("x", taken) not in taken


def test_an_instrument_of_one_kind_of_frames_is_enough(tmp_path: Path) -> None:
    survey = survey_frames([frame(tmp_path / "1.fits")])
    assert survey == Survey(("MYCAM",), "MYCAM", survey.kinds, {}, (), 1)
    write_skeleton(tmp_path / "mycam", "MC", survey)
    assert problems(tmp_path / "mycam") == []
