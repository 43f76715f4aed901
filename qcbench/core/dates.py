"""DFO dates: the 24 hours that start at 21:00 UT, named by the civil date of the start.

Source: QC handbook (VLT-SPE-ESO-19600-3986), section 2.4.1 and Table 3. The hour is a setting of the site.
"""

from __future__ import annotations

import datetime as dt
import math
import re

MJD_EPOCH = dt.datetime(1858, 11, 17, tzinfo=dt.UTC)
DEFAULT_START_HOUR = 21

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def utc_now() -> dt.datetime:
    """Return the present time, aware, in UT."""
    return dt.datetime.now(dt.UTC)


def mjd_of(when: dt.datetime) -> float:
    """Return the Modified Julian Date (days, UTC) of an aware time."""
    return (when - MJD_EPOCH) / dt.timedelta(days=1)


def time_of_mjd(mjd: float) -> dt.datetime:
    """Return the aware time, rounded to 1 microsecond, of a Modified Julian Date (days, UTC)."""
    days = math.floor(mjd)
    micros = round((mjd - days) * 86_400_000_000)
    return MJD_EPOCH + dt.timedelta(days=days, microseconds=micros)


def dfo_date(mjd: float, start_hour: int = DEFAULT_START_HOUR) -> dt.date:
    """Return the DFO date of a Modified Julian Date.

    Parameters
    ----------
    mjd : float
        Modified Julian Date, days, UTC.
    start_hour : int
        Hour (UT) at which a date starts. An hour after noon belongs to the civil date on which it falls; an
        hour up to noon starts the date of that same civil day, too.
    """
    date = (time_of_mjd(mjd) - dt.timedelta(hours=start_hour)).date()
    # a time less than half a microsecond before the boundary was rounded up to it
    return date - dt.timedelta(days=1) if mjd < dfo_bounds(date, start_hour)[0] else date


def dfo_bounds(date: dt.date, start_hour: int = DEFAULT_START_HOUR) -> tuple[float, float]:
    """Return the first MJD of a DFO date and the first MJD of the next one (days, UTC)."""
    start = dt.datetime.combine(date, dt.time(start_hour), tzinfo=dt.UTC)
    return mjd_of(start), mjd_of(start + dt.timedelta(days=1))


def parse_date(text: str) -> dt.date:
    """Read a date of the form ``YYYY-MM-DD``.

    Raises
    ------
    ValueError
        The text has another form, or there is no such day.
    """
    if not _DATE.fullmatch(text):
        raise ValueError(f"'{text}' is not a date of the form YYYY-MM-DD")
    try:
        return dt.date.fromisoformat(text)
    except ValueError as err:
        raise ValueError(f"'{text}' is not a day of the calendar") from err


def iso_ut(when: dt.datetime, *, digits: int = 0) -> str:
    """Return a UT time as ``YYYY-MM-DDTHH:MM:SS`` with up to 6 digits of a second."""
    when = when.astimezone(dt.UTC)
    text = when.strftime("%Y-%m-%dT%H:%M:%S")
    return text if digits == 0 else f"{text}.{when.microsecond:06d}"[: len(text) + 1 + digits]
