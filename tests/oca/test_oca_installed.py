"""The rule files that the installed pipelines bring along are read, printed and obeyed."""

import time
from pathlib import Path

import pytest

from qcbench.oca import RuleSet, classify, group, load_rules, matches, parse_rules, print_rules

PLUGINS = Path("/usr/share/cpl-plugins")
FILES = sorted(PLUGINS.glob("*/gasgano/config/*.oca"))

pytestmark = pytest.mark.esorex


def installed(name: str) -> RuleSet:
    return load_rules(next(path for path in FILES if path.stem == name))


def test_the_six_pipelines_have_rules():
    assert {"giraf", "hawki", "muse", "naco", "uves", "vimos"} <= {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_installed_file_is_read_whole_and_printed_back(path):
    rules, text = load_rules(path), path.read_text()
    assert len(rules.classifiers) == sum(line.lstrip().startswith("if ") for line in text.splitlines())
    assert parse_rules(print_rules(rules), "printed") == rules
    for organizer in rules.organizers:
        assert rules.action(organizer.action).recipe


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
        header | {"DET.DIT": dit, "DET.NDIT": 1, "DET.NCORRS.NAME": "Double", "MJD-OBS": 58000.0 + number}
        for number, dit in enumerate([10.0, 2.0, 10.0, 2.0])
    ]
    classified = [frame | classify(rules, frame).assigned for frame in frames]
    found = group(rules, classified)
    assert [(made.action, made.members) for made in found.groups] == [("DARKS", (0, 2)), ("DARKS", (1, 3))]
    (reference,) = rules.action("DARKS").associations
    candidate = classified[0] | {"DO.CATG": "REFERENCE_DARK"}
    assert matches(reference.condition, candidate, classified[2])
    assert not matches(reference.condition, candidate, classified[1])


def test_a_night_of_frames_is_classified_in_no_time():
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
    start = time.perf_counter()
    assigned = [classify(rules, frame).assigned.get("DO.CATG") for frame in frames]
    assert time.perf_counter() - start < 1.0
    assert assigned[:2] == ["BIAS_BLUE", "DARK_RED"]
