"""The rule files that the installed pipelines bring along are read, printed and obeyed."""

from functools import cache
from pathlib import Path

import pytest

from qcbench.oca import RuleSet, check_rules, classify, group, load_rules, matches, parse_rules, print_rules

PLUGINS = Path("/usr/share/cpl-plugins")
FILES = sorted(PLUGINS.glob("*/gasgano/config/*.oca"))

pytestmark = pytest.mark.esorex


@cache
def installed(name: str) -> RuleSet:
    return load_rules(next(path for path in FILES if path.stem == name))


def test_the_eight_pipelines_have_rules():
    names = {"amber", "giraf", "hawki", "muse", "naco", "uves", "vimos", "visir"}
    assert {path.stem for path in FILES} == names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_installed_file_is_read_whole_and_printed_back(path):
    rules, text = load_rules(path), path.read_text()
    assert len(rules.classifiers) == sum(line.lstrip().startswith("if ") for line in text.splitlines())
    assert parse_rules(print_rules(rules), "printed") == rules
    for organizer in rules.organizers:
        assert rules.action(organizer.action).recipe


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_preprocessor_changes_neither_the_rules_nor_their_lines(path, tmp_path):
    copy = tmp_path / path.name
    copy.write_text("#define NOT_USED 1\n" + path.read_text())
    rules, plain = load_rules(copy), load_rules(path)
    assert rules == plain
    parts = ("classifiers", "organizers", "actions")
    lines, lines_of_plain = (
        [rule.line for part in parts for rule in getattr(found, part)] for found in (rules, plain)
    )
    assert lines == [line + 1 for line in lines_of_plain]


@pytest.mark.parametrize(
    ("catg", "kind", "tech", "expected"),
    [
        ("CALIB", "DARK", "IMAGE", "DARK"),
        ("CALIB", "FLAT,SKY", "IMAGE", "FLAT_TWILIGHT"),
        ("CALIB", "STD,ZPOINT", "IMAGE,JITTER", "STD"),
        ("SCIENCE", "OBJECT", "IMAGE", "OBJECT"),
        ("SCIENCE", "OBJECT", "IMAGE,JITTER", "JITTER_OBS"),
        ("ACQUISITION", "OBJECT", "IMAGE", "ACQ_IMAGE"),
    ],
)
def test_hawki_frames_get_their_type(catg, kind, tech, expected):
    keys = {"INSTRUME": "HAWKI", "DPR.CATG": catg, "DPR.TYPE": kind, "DPR.TECH": tech}
    assert classify(installed("hawki"), keys).assigned == {"DO.CATG": expected}


@pytest.mark.parametrize(
    ("kind", "tech", "chips", "expected"),
    [
        ("BIAS", "IMAGE", 1, "BIAS_BLUE"),
        ("BIAS", "IMAGE", 2, "BIAS_RED"),
        ("LAMP,WAVE", "ECHELLE", 2, "ARC_LAMP_RED"),
        ("LAMP,FLAT", "ECHELLE", 1, "FLAT_BLUE"),
    ],
)
def test_uves_frames_get_type_and_arm(kind, tech, chips, expected):
    keys = {
        "INSTRUME": "UVES", "DPR.CATG": "CALIB", "DPR.TYPE": kind, "DPR.TECH": tech, "DET.CHIPS": chips,
        "INS.SLIT1.NAME": "FREE",
    }  # fmt: skip
    assert classify(installed("uves"), keys).assigned["DO.CATG"] == expected


def test_a_switched_off_association_keeps_its_zero():
    action = installed("giraf").action("gimasterbias")
    assert [(rule.tag, rule.max_ret) for rule in action.associations] == [("BAD_PIXEL_MAP", 0)]


def test_hawki_darks_of_two_setups_are_two_groups_and_find_their_reference():
    rules = installed("hawki")
    header = {"INSTRUME": "HAWKI", "DPR.CATG": "CALIB", "DPR.TYPE": "DARK", "DPR.TECH": "IMAGE"}
    frames = [
        header
        | {"DET.DIT": dit, "DET.NDIT": 1, "DET.NCORRS.NAME": "Double"}
        | {"MJD-OBS": 58000.0 + number, "TPL.START": "2020-01-10T10:00:00"}
        for number, dit in enumerate([10.0, 2.0, 10.0, 2.0])
    ]
    classified = [frame | classify(rules, frame).assigned for frame in frames]
    found = group(rules, classified)
    assert [(made.action, made.members) for made in found.groups] == [("DARKS", (0, 2)), ("DARKS", (1, 3))]
    (reference,) = rules.action("DARKS").associations
    candidate = classified[0] | {"DO.CATG": "REFERENCE_DARK"}
    assert matches(reference.condition, candidate, classified[2])
    assert not matches(reference.condition, candidate, classified[1])


def test_a_night_of_frames_is_classified_frame_by_frame():
    rules = installed("uves")
    types = ["BIAS", "DARK", "LAMP,FLAT", "LAMP,WAVE", "OBJECT,POINT"]
    frames = [
        {
            "DPR.CATG": "CALIB",
            "DPR.TECH": "ECHELLE",
            "DPR.TYPE": types[number % 5],
            "DET.CHIPS": 1 + number % 2,
        }
        for number in range(10_000)
    ]
    assigned = [classify(rules, frame).assigned.get("DO.CATG") for frame in frames]
    assert assigned[:2] == ["BIAS_BLUE", "DARK_RED"]


# What is wrong with the files, line by line: each was looked at, and is so. None is an error.
FINDINGS = {
    "amber": set(),
    "giraf": set(),
    "hawki": {
        # no classifier assigns REFERENCE_DARK or REFERENCE_TWILIGHT_FLAT: the optional reference is never found
        (396, "no-category"),
        (410, "no-category"),
    },
    "muse": {
        (
            601,
            "unused-action",
        ),  # muse_lingain, 724 muse_lsf, 774 muse_geometry, 960 muse_create_sky: what would
        (724, "unused-action"),  # execute them is commented out as too heavy, or of no use, for on-line work
        (774, "unused-action"),
        (960, "unused-action"),
        (
            947,
            "nothing-produces",
        ),  # TELLURIC_REGIONS, optional: has no classifier, as the other static tables have
    },
    "naco": set(),
    "uves": {
        (279, "overwritten"),  # FLAT,SKY,EXTENDED with a free slit: "%EXTENDED%" below makes it science
        (283, "overwritten"),  # the same of the red arm
        (464, "overwritten"),  # the same classifier stands again in line 504
        (468, "overwritten"),  # … 512
        (472, "overwritten"),  # … 524
        (1662, "no-category"),  # SCREEN_FLAT_DETCHAR_BLUE: such frames are ON_RAW of LINEARITY_BLUE_DETCHAR
        (1663, "no-category"),  # the same of the red arm
        (1669, "no-category"),  # FIB_FF_ANY_RED: fibre flats are ODD, EVEN or ALL
        (2308, "no-category"),  # ACQ_ECH: no classifier assigns such a RAW.TYPE
        (2354, "no-category"),
        (2451, "unused-action"),  # FLAMES_OBS_SCIRED_R: FLAMES_OBS_SCIRED_CUBES is executed instead
    },
    "vimos": {
        (198, "overwritten"),  # the classifier of IFU_TABLE stands again in line 334
        (600, "unused-action"),  # vmSpFlat
        (620, "unused-action"),  # vmMosObsJitter
    },
    "visir": set(),
}


@pytest.mark.parametrize("name", sorted(FINDINGS))
def test_every_finding_in_an_installed_file_is_real(name):
    findings = check_rules(installed(name))
    assert {(item.line, item.code) for item in findings} == FINDINGS[name]
    assert len(findings) == len(FINDINGS[name])
    assert {item.level for item in findings} <= {"warning"}


def test_a_hundred_thousand_frames_are_grouped():
    rules = installed("uves")
    types = ["BIAS", "DARK", "LAMP,FLAT", "LAMP,WAVE", "LAMP,ORDERDEF", "OBJECT,POINT", "STD"]
    frames = [
        {
            "DPR.CATG": "CALIB",
            "DPR.TECH": "ECHELLE",
            "DPR.TYPE": types[number // 7 % 7],
            "DET.CHIPS": 1 + number % 2,
            "MJD-OBS": 58000 + number / 1e4,
            "ARCFILE": f"UVES.{number}.fits",
            "TPL.START": f"t{number // 7}",
        }
        for number in range(100_000)
    ]
    classified = [frame | classify(rules, frame).assigned for frame in frames]
    found = group(rules, classified)
    assert len(found.groups) > 10_000
