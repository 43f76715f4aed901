"""Validity in time, as the condition of an association says it, and its legend on the calibration map."""

from __future__ import annotations

import math

import pytest

from qcbench.oca import Window, parse_expression, validity_of


def legend(text: str, *, static: bool = False) -> str:
    return validity_of(parse_expression(text, "test")).legend(static=static)


BETWEEN = "MJD-OBS between inputFile.MJD-OBS - 7 and inputFile.MJD-OBS + 7"
TRY = "MJD-OBS tryBetween inputFile.MJD-OBS - 1.5 and inputFile.MJD-OBS + 1.5"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('DO.CATG == "X"', "T"),
        (f'DO.CATG == "X" and {BETWEEN} and {TRY}', "|-1.5/+1.5|-7/+7"),
        (BETWEEN, "(-7/+7)"),
        (TRY, "[-1.5/+1.5]"),
        (f"{TRY} and {TRY.replace('1.5', '3')} and {BETWEEN}", "|-1.5/+1.5|-3/+3|-7/+7"),
        ("MJD-OBS < inputFile.MJD-OBS", "<"),
        (f"MJD-OBS <= inputFile.MJD-OBS and {TRY}", "<[-1.5/+1.5]"),
        ("inputFile.MJD-OBS > MJD-OBS", "<"),
        ("(inputFile.MJD-OBS - MJD-OBS) < 0.30 and (inputFile.MJD-OBS - MJD-OBS) > 0.0", "(-0.3/+0)"),
        ("(MJD-OBS - inputFile.MJD-OBS) <= 2 and -2 <= MJD-OBS - inputFile.MJD-OBS", "(-2/+2)"),
        ("MJD-OBS between inputFile.MJD-OBS - 2 * 7 and inputFile.MJD-OBS + 1 / 2", "(-14/+0.5)"),
        (
            "MJD-OBS between inputFile.MJD-OBS - 7 and inputFile.MJD-OBS + 7 and MJD-OBS > inputFile.MJD-OBS",
            "(+0/+7)",
        ),
        (
            "MJD-OBS - inputFile.MJD-OBS between -7 and 7 and MJD-OBS - inputFile.MJD-OBS tryBetween -0.4 and 0.4",
            "|-0.4/+0.4|-7/+7",
        ),
        ("inputFile.MJD-OBS between MJD-OBS and MJD-OBS + 7", "(-7/+0)"),
        ("inputFile.MJD-OBS - MJD-OBS between -1 and 7", "(-7/+1)"),
        ("(MJD-OBS - inputFile.MJD-OBS) * 24 <= 12", "(/+0.5)"),
        ("MJD-OBS + 3 > inputFile.MJD-OBS and 0.5 > MJD-OBS - inputFile.MJD-OBS", "(-3/+0.5)"),
        ("MJD-OBS between 57000 and inputFile.MJD-OBS + 1", "(/+1)"),
        ("MJD-OBS + inputFile.MJD-OBS > 100000", "T"),
        ("MJD-OBS - inputFile.MJD-OBS between inputFile.X and 7 / 0", "T"),
        # no limit against the input: an epoch, either way, nothing that time limits
        ("MJD-OBS > 57823.", "T"),
        ("(MJD-OBS < inputFile.MJD-OBS or MJD-OBS >= inputFile.MJD-OBS)", "T"),
        ("MJD-OBS between inputFile.X - 7 and inputFile.X + 7", "T"),
        ("DET.DIT between inputFile.DET.DIT - 1 and inputFile.DET.DIT + 1", "T"),
    ],
)
def test_the_legend_says_what_the_condition_says(text: str, shown: str) -> None:
    assert legend(text) == shown


def test_a_general_calibration_without_limit_has_a_sign_of_its_own() -> None:
    assert legend('PRO.CATG == "LINE_CATALOG"', static=True) == "GT"
    assert legend(BETWEEN, static=True) == "(-7/+7)"


def test_a_window_includes_its_limits() -> None:
    window = Window(-2.0, 3.0)
    assert -2.0 in window
    assert 3.0 in window
    assert 3.001 not in window
    assert window.reach == 3.0
    assert math.isinf(Window().reach)
