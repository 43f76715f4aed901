"""What a site says of single days and files: breakpoints of the instrument, and files that are kept out."""

from __future__ import annotations

import datetime as dt
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from qcbench.core.dates import mjd_of
from qcbench.core.errors import RuleError
from qcbench.instruments.emptiness import EmptyLists
from qcbench.oca import Expression, Keys, matches, parse_expression


class _Model(EmptyLists):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Breakpoint(_Model):
    """A time (UT) at which the instrument changed, so that no calibration associates across it.

    Without `raw_types` and `products` it holds for everything; else for ABs of these raw types and
    for calibrations of these PRO.CATG.
    Source: QC handbook (VLT-SPE-ESO-19600-3986), section 1.3.
    """

    at: dt.datetime
    """Time (UT) of the change."""
    why: str = Field(min_length=1)
    """What changed."""
    raw_types: tuple[str, ...] = ()
    """Only for ABs of these raw types; without it for all."""
    products: tuple[str, ...] = ()
    """Only for calibrations of these PRO.CATG; without it for all."""

    @field_validator("at")
    @classmethod
    def _in_ut(cls, value: dt.datetime) -> dt.datetime:
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)

    @cached_property
    def mjd(self) -> float:
        """The time as MJD, days."""
        return mjd_of(self.at)

    def holds_for(self, raw_type: str, category: str) -> bool:
        """Tell whether it holds between an AB of a raw type and a calibration of a category."""
        return (not self.raw_types or raw_type in self.raw_types) and (
            not self.products or category in self.products
        )

    def separates(self, first: float, second: float) -> bool:
        """Tell whether it lies between two times (MJD, days); the break itself belongs to what comes after."""
        return min(first, second) < self.mjd <= max(first, second)


class BreakpointsFile(_Model):
    """``breakpoints.yaml``."""

    breakpoints: tuple[Breakpoint, ...] = ()
    """Breakpoints, in any order."""


class FilterRule(_Model):
    """Files that are kept out of the system: by name (with * and ?), by a condition on their keys, or both.

    Source: QC handbook (VLT-SPE-ESO-19600-3986), section 4.1.2.
    """

    files: tuple[str, ...] = ()
    """Names in the archive, with * and ?."""
    when: str = ""
    """Condition on header keys, in the language of rules.oca."""
    why: str = Field(min_length=1)
    """Why they are kept out."""

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if not self.files and not self.when:
            raise ValueError("a filter needs files, when, or both")
        if self.when:
            try:
                parse_expression(self.when, "when")
            except RuleError as err:
                raise ValueError(f"when, column {err.column}: {err.problem}") from err
        return self

    @cached_property
    def condition(self) -> Expression | None:
        """The condition of `when`."""
        return parse_expression(self.when, "when") if self.when else None

    def keeps_out(self, arcfile: str, keys: Keys) -> bool:
        """Tell whether a file is kept out."""
        named = not self.files or any(fnmatchcase(arcfile, pattern) for pattern in self.files)
        return named and (self.condition is None or matches(self.condition, keys, keys))


class FiltersFile(_Model):
    """``filters.yaml``."""

    filters: tuple[FilterRule, ...] = ()
    """Filters: what one of them names is kept out."""
