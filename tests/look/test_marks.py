"""A score is shape, text and colour; a number has its unit; an age has one unit."""

import math
from datetime import timedelta

import pytest

from qcbench.core.errors import ReportError
from qcbench.look.marks import age, score_mark, state_box, state_tag, value_text


@pytest.mark.parametrize(
    ("n_red", "n_scored", "failed", "text", "kind", "label"),
    [
        (0, 56, False, "✓ 0/56", "ok", "OK: 0 of 56 scores are red"),
        (2, 56, False, "✕ 2/56", "nok", "NOK: 2 of 56 scores are red"),
        (None, None, False, "– –", "none", "not scored"),
        (0, 0, False, "– –", "none", "not scored"),
        (None, None, True, "▲", "nok", "failed"),
    ],
)
def test_a_score_says_itself_by_shape_text_colour_and_label(n_red, n_scored, failed, text, kind, label):
    mark = score_mark(n_red, n_scored, failed=failed)
    assert mark == f'<span class="mark {kind}" role="img" aria-label="{label}">{text}</span>'


def test_a_tag_is_one_of_the_known_kinds():
    assert state_tag("red", "nok") == '<span class="tag nok">red</span>'
    with pytest.raises(ReportError, match="no tag of kind 'loud'"):
        state_tag("red", "loud")


def test_a_state_says_what_it_is_since_when_and_what_to_do():
    box = state_box("stale", "The trend is old.", since="since 20:58 UT", todo="Call trend-plotter.")
    assert all(text in box for text in ("The trend is old.", "since 20:58 UT", "Call trend-plotter."))
    assert 'class="state stale"' in box
    with pytest.raises(ReportError, match="no state of kind 'gone'"):
        state_box("gone", "", since="", todo="")


@pytest.mark.parametrize(
    ("elapsed", "text"),
    [
        (timedelta(seconds=20), "< 1 min"),
        (timedelta(minutes=35), "35 min"),
        (timedelta(hours=11, minutes=59), "11 h"),
        (timedelta(hours=47), "47 h"),
        (timedelta(days=3, hours=5), "3 d"),
        (timedelta(hours=-3), "in 3 h"),
    ],
)
def test_an_age_has_one_unit(elapsed, text):
    assert age(elapsed) == text


@pytest.mark.parametrize(
    ("value", "unit", "digits", "text"),
    [
        (12.9, "adu", 3, "12.9\u00a0adu"),
        (3.8, "", 3, "3.80"),
        (0, "", 4, "0"),
        (0.0, "", 3, "0.00"),
        (41234.56, "e-", 4, "41235\u00a0e-"),
        (1.234e-7, "", 3, "1.23e-07"),
        (None, "adu", 4, "–"),
        (math.nan, "adu", 4, "–"),
        (-math.inf, "", 4, "-∞"),
    ],
)
def test_a_value_shows_its_precision_and_its_unit(value, unit, digits, text):
    assert value_text(value, unit, digits) == text
