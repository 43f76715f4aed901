"""Units of QC parameters and header keys: which there are, and where a quantity may have none."""

from __future__ import annotations

import re

from astropy import units

from qcbench.instruments.models import Column

# what detectors count and astropy writes otherwise
_ELECTRON = re.compile(r"\be-")
# a quantity without unit says what it is by one of these words
_RATIOS = (
    "fraction",
    "ratio",
    " over ",
    "normalised",
    "relative",
    "slope",
    "resolution",
    "resolving power",
    "throughput",
    "efficiency",
    "transmission",
    "airmass",
    "strehl",
    "signal to noise",
    "number of",
    "index",
    "probability",
    "chi square",
    "correlation",
    "dimensionless",
)
_MEANT = {"ADU": "adu", "ADUs": "adu", "counts": "ct", "sec": "s", "seconds": "s", "pixel": "pix", "e": "e-"}


def _unit(text: str) -> units.UnitBase:
    return units.Unit(_ELECTRON.sub("electron", text))


def unit_problem(text: str) -> str | None:
    """Say what is wrong with the text of a unit; None if it is one."""
    try:
        _unit(text)
    except ValueError:
        meant = _MEANT.get(text)
        return f"{text!r} is no unit" + (f"; was {meant!r} meant?" if meant else "")
    return None


def same_unit(first: str, second: str) -> bool:
    """Tell whether two texts are one unit; what is no unit is not compared."""
    if unit_problem(first) or unit_problem(second):
        return True
    return bool(_unit(first) == _unit(second))


def needs_unit(column: Column) -> bool:
    """Tell whether a column measures a quantity, and its description does not say that it is a pure number."""
    if column.kind == "FILTER" or column.type != "float":
        return False
    described = f"{column.label} {column.description}".lower()
    return not any(word in described for word in _RATIOS)
