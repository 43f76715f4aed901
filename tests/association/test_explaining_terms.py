"""What decided a condition, in words: the distance in time where two times are compared, else the values."""

from __future__ import annotations

import pytest

from qcbench.association.explaining.terms import found_words, limits_words
from qcbench.oca import explain, parse_expression, validity_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("MJD-OBS between inputFile.MJD-OBS - 7 and inputFile.MJD-OBS + 7", "Δt +0.48 d"),
        ("MJD-OBS < 57823.", "MJD-OBS is 58000.5"),
        ("inputFile.MJD-OBS >= 57823.", "MJD-OBS of the AB is 58000.02"),
        ("(MJD-OBS < 57823. or MJD-OBS > 58100.)", "MJD-OBS is 58000.5"),
        ("inputFile.DIT == DIT", "AB 2, file 3"),
    ],
)
def test_the_value_that_decides_is_told(text: str, words: str) -> None:
    keys, asking = {"MJD-OBS": 58000.5, "DIT": 3}, {"MJD-OBS": 58000.02, "DIT": 2}
    (term,) = explain(parse_expression(text, "test"), keys, asking)
    assert found_words(term, 0.48) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("MJD-OBS between inputFile.MJD-OBS - 7 and inputFile.MJD-OBS + 7", "not beyond -7/+7 d"),
        ("MJD-OBS < inputFile.MJD-OBS + 0.5", "not later than +0.5 d"),
        ("MJD-OBS - inputFile.MJD-OBS > -7", "not earlier than -7 d"),
        (
            "MJD-OBS - inputFile.MJD-OBS between -7 and 7 and MJD-OBS - inputFile.MJD-OBS tryBetween -0.4 and 0.4",
            "calibration plan -0.4/+0.4 d, not beyond -7/+7 d",
        ),
        ("MJD-OBS tryBetween inputFile.MJD-OBS - 1 and 99999", "calibration plan not earlier than -1 d"),
        ("MJD-OBS > 57823.", "no limit in time"),
    ],
)
def test_limits_in_time_are_told_side_by_side(text: str, words: str) -> None:
    assert limits_words(validity_of(parse_expression(text, "test"))) == words
