"""Times in the names that an archive gives to files, such as ``GIRAF.2007-10-13T03:29:13.092.fits``."""

from __future__ import annotations

import datetime as dt
import re

_TIME = re.compile(r"\.(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)(?!\d)")


def time_of_name(name: str) -> dt.datetime | None:
    """Return the time (UT) in the archive name of a file; None if it tells none."""
    found = _TIME.search(name)
    if found is None:
        return None
    try:
        return dt.datetime.fromisoformat(found[1]).replace(tzinfo=dt.UTC)
    except ValueError:
        return None
