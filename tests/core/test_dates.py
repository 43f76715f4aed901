"""A DFO date is the 24 hours from 21:00 UT, named by the civil date of their start."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcbench.core.dates import dfo_bounds, dfo_date, iso_ut, mjd_of, parse_date, time_of_mjd

mjds = st.floats(min_value=0.0, max_value=99_999.0)
hours = st.integers(min_value=0, max_value=23)
TWO_HOURS_EAST = dt.timezone(dt.timedelta(hours=2))


def at(text: str) -> float:
    return mjd_of(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC))


@pytest.mark.parametrize(
    ("time", "date"),
    [
        ("2020-01-10T20:59:59.999", dt.date(2020, 1, 9)),
        ("2020-01-10T21:00:00", dt.date(2020, 1, 10)),
        ("2020-01-11T20:59:59.999999", dt.date(2020, 1, 10)),
        ("2020-01-11T21:00:00", dt.date(2020, 1, 11)),
        ("2020-03-01T03:00:00", dt.date(2020, 2, 29)),
        ("2020-01-01T00:00:00", dt.date(2019, 12, 31)),
    ],
)
def test_a_date_changes_at_21_ut(time: str, date: dt.date) -> None:
    assert dfo_date(at(time)) == date


@pytest.mark.parametrize(("hour", "date"), [(0, 10), (12, 10), (16, 9)])
def test_another_site_may_start_its_dates_at_another_hour(hour: int, date: int) -> None:
    assert dfo_date(at("2020-01-10T15:59:59"), hour) == dt.date(2020, 1, date)


@given(mjd=mjds, hour=hours)
def test_every_time_lies_inside_the_bounds_of_its_date(mjd: float, hour: int) -> None:
    first, next_one = dfo_bounds(dfo_date(mjd, hour), hour)
    assert first <= mjd < next_one


@given(day=st.dates(min_value=dt.date(1860, 1, 1), max_value=dt.date(2130, 1, 1)), hour=hours)
def test_dates_follow_each_other_without_gap(day: dt.date, hour: int) -> None:
    first, next_one = dfo_bounds(day, hour)
    assert dfo_date(first, hour) == day
    assert dfo_date(math.nextafter(next_one, 0.0), hour) == day
    assert dfo_bounds(day + dt.timedelta(days=1), hour)[0] == next_one


@given(mjd=st.floats(min_value=40_000.0, max_value=80_000.0))
def test_a_time_of_our_age_survives_the_calendar_to_a_microsecond(mjd: float) -> None:
    assert mjd_of(time_of_mjd(mjd)) == pytest.approx(mjd, rel=0, abs=1e-6 / 86_400)


@pytest.mark.parametrize(
    "text", ["2020-1-10", "20200110", "2020-02-30", "2020-01-10T21:00", " 2020-01-10", ""]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a (date of the form|day of the calendar)"):
        parse_date(text)


def test_a_date_is_read_as_it_is_written() -> None:
    assert parse_date("2020-02-29") == dt.date(2020, 2, 29)


@pytest.mark.parametrize(
    ("digits", "text"),
    [(0, "2020-01-10T21:00:00"), (3, "2020-01-10T21:00:00.123"), (6, "2020-01-10T21:00:00.123956")],
)
def test_a_time_is_shown_in_ut_and_cut_not_rounded(digits: int, text: str) -> None:
    assert iso_ut(dt.datetime(2020, 1, 10, 23, 0, 0, 123_956, TWO_HOURS_EAST), digits=digits) == text
