"""EFOSC2: spectra are told from images, and each link of the spectroscopic chain needs the ones before it."""

from __future__ import annotations

import pytest

from qcbench.instruments import find_pack
from qcbench.oca import cascade_of, classify

RULES = find_pack("efosc2").rules


def test_biases_come_before_flats_and_arcs_and_those_before_stars() -> None:
    cascade = cascade_of(RULES)
    assert not cascade.cycles
    order = ("BIAS", "SPEC_FLAT", "ARC", "SPEC_STD", "SPEC_SCIENCE")
    assert [cascade.depth(action) for action in order] == [0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("catg", "dpr_type", "tech", "raw_type"),
    [
        ("CALIB", "DOME", "SPECTRUM", "SPEC_FLAT"),
        ("CALIB", "FLAT", "SPECTRUM", "SPEC_FLAT"),
        ("CALIB", "WAVE", "SPECTRUM", "ARC"),
        ("CALIB", "STD", "SPECTRUM", "SPEC_STD"),
        ("CALIB", "STD,FLUX", "SPECTRUM", "SPEC_STD"),
        ("CALIB", "STD", "IMAGE", "STD"),
        ("SCIENCE", "OBJECT", "SPECTRUM", "SPEC_SCIENCE"),
        ("SCIENCE", "OBJECT", "IMAGE", "SCIENCE"),
    ],
)
def test_spectra_are_told_from_images(catg: str, dpr_type: str, tech: str, raw_type: str) -> None:
    keys = {"INSTRUME": "EFOSC", "DPR.CATG": catg, "DPR.TYPE": dpr_type, "DPR.TECH": tech}
    assert classify(RULES, keys).assigned["RAW.TYPE"] == raw_type


@pytest.mark.parametrize("action", ["SPEC_STD", "SPEC_SCIENCE"])
def test_a_star_needs_bias_flat_and_arc(action: str) -> None:
    needed = [rule.tag for rule in RULES.action(action).associations if rule.min_ret]
    assert needed == ["MASTER_BIAS", "MASTER_SPEC_FLAT", "ARC_SPECTRUM"]
