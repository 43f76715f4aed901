"""The files of an instrument pack as validated, frozen models."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from qcbench.fits import Expected
from qcbench.instruments.emptiness import EmptyLists
from qcbench.instruments.exceptions import Breakpoint, FilterRule
from qcbench.instruments.keys import KeyDictionary
from qcbench.instruments.qc0 import Qc0
from qcbench.oca import RuleSet

SqlName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Scalar = str | int | float | bool
# What every QC1 table has got by itself.
FIXED_COLUMNS = ("ab_name", "product", "detector", "dfo_date", "mjd_obs")


class _Model(EmptyLists):
    # a limit that is not a number would never be crossed
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class EngineChoice(_Model):
    """How one engine runs a recipe; `min_naxis` (pixels) is the smallest image that the recipe can take."""

    engine: Literal["esorex", "python"]
    """Who runs the recipe: a pipeline of ESO through EsoRex, or qcbench itself."""
    recipe: str
    """Name of the recipe at the engine."""
    parameters: dict[str, Scalar] = Field(default_factory=dict)
    """Parameters of the recipe, by their names at the engine; others have the values of the recipe."""
    min_naxis: int = 0
    """Smallest side of an image that the recipe can take, pixels; smaller frames pass the engine over."""
    why: str = ""
    """Why there is such a limit."""


class RecipeConfig(_Model):
    """The engines that can run a recipe, in the order of preference, and what it may take.

    A recipe of science alone (`science`) is named in science ABs, which the daily workflow does not process.
    """

    engines: tuple[EngineChoice, ...] = Field(min_length=1)
    """Who can run the recipe, best first: the first one that is installed and can take the frames does."""
    timeout_s: float | None = Field(default=None, gt=0)
    """Seconds after which the recipe is ended; without it that of the settings."""
    memory_mb: float | None = Field(default=None, ge=0)
    """MiB of memory, with all its children, above which the recipe is ended; without it that of the settings."""
    disk_mb: float | None = Field(default=None, ge=0)
    """MiB in its working folder above which the recipe is ended; without it that of the settings."""
    science: bool = False
    """A recipe of science alone: named in science ABs, which the daily workflow does not process."""


class SetupKey(_Model):
    """A key that tells one setup from another, and how its value is shown."""

    key: str
    """Header key, by its short name."""
    prefix: str = ""
    """What stands before the value."""
    decimals: int | None = Field(default=None, ge=0)
    """To how many decimals a number is rounded; without it the number as it is."""


class InstrumentFile(_Model):
    """``instrument.yaml``.

    `static` says which PRO.CATG are general calibrations, which no recipe makes, and what they are.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """Name of the pack, of its folder, and of the instrument in commands."""
    title: str
    """Name of the instrument as people read it."""
    instrume: tuple[str, ...] = Field(min_length=1)
    """Values of INSTRUME in its frames."""
    code: str = Field(pattern=r"^[A-Z][A-Z0-9]$")
    """Two letters with which the names of its products begin."""
    archive_prefix: str = Field(pattern=r"^[A-Z0-9]+$")
    """First word of the names of its raw frames in the archive."""
    required_keys: tuple[str, ...] = ()
    """Header keys without which a frame is not given to a recipe."""
    report_keys: tuple[str, ...] = ()
    """Header keys that are columns of the data report."""
    setups: dict[str, tuple[SetupKey, ...]] = Field(default_factory=dict)
    """For each raw type the keys that tell its setups apart."""
    recipes: dict[str, RecipeConfig] = Field(default_factory=dict)
    """Who runs each recipe that rules.oca names."""
    static: dict[str, str] = Field(default_factory=dict)
    """General calibrations, which no recipe makes: their PRO.CATG, and what they are."""
    saturation_adu: float | None = None
    """Pixels of this value or more are saturated, adu: that of one readout, which a mean of NDIT has as well."""
    qc0: Qc0 = Field(default_factory=Qc0)
    """What raw frames are like; process-ab gives no recipe one that is otherwise."""

    @field_validator("qc0", mode="before")
    @classmethod
    def _nothing_asked(cls, given: object) -> object:
        return {} if given is None else given

    def expected(self, raw_type: str) -> Expected:
        """Return what a frame in an AB of a raw type is held against."""
        return self.qc0.expected(raw_type, self.saturation_adu)


class NameRule(_Model):
    """How products of a PRO.CATG are named, and whether they are kept and archived.

    `unit` is that of the pixels where the product itself has no BUNIT.
    """

    code: str = Field(pattern=r"^[A-Z][A-Z0-9_]{1,7}$")
    """Code of the product in its name, such as MBIA; each code for one product."""
    parameters: tuple[SetupKey, ...] = ()
    """Header keys whose values follow in the name."""
    unit: str = ""
    """Unit of the pixels where the product has no BUNIT."""
    keep: bool = True
    """False: removed after certification."""
    ingest: bool = True
    """False: kept, but not archived."""


class NamesFile(_Model):
    """``names.yaml``."""

    products: dict[str, NameRule] = Field(default_factory=dict)
    """For each PRO.CATG how its products are named."""


class Column(_Model):
    """A QC1 column: a QC parameter, or a key that filters.

    `key` may hold ``{detector}``, the detector's name with dots as hyphens.
    """

    name: SqlName
    """Name of the column: small letters, digits and _."""
    key: str
    """Header key that has the value; {detector} stands for the name of the detector, dots as hyphens."""
    unit: str
    """Unit, as astropy.units writes it; empty for texts, counts and pure numbers."""
    description: str
    """What it is and how it is measured."""
    label: str = ""
    """What people read on plots; without it the name."""
    kind: Literal["KPI", "HC", "CAL", "ENG", "FILTER"]
    """Key figure of performance, health check, quality of the calibration, engineering, or a filter."""
    type: Literal["float", "integer", "text"] = "float"
    """What the column holds."""

    @property
    def title(self) -> str:
        """What people read."""
        return self.label or self.name


class Detectors(_Model):
    """Where the values of each detector are: in its extension, or anywhere in the file under its name."""

    names: tuple[str, ...] = Field(min_length=1)
    """Names of the detectors."""
    found_in: Literal["extension", "file"] = "extension"
    """Where the values of a detector are: in the extension of its name, or anywhere in the file."""


class TableSpec(_Model):
    """A QC1 table: a flat table, about one for each raw type."""

    raw_types: tuple[str, ...] = Field(min_length=1)
    """Raw types whose ABs feed the table."""
    product: str
    """PRO.CATG of the product whose header has the values."""
    description: str
    """What is measured."""
    detectors: Detectors
    """Detectors, each of which gets a row."""
    columns: tuple[Column, ...] = Field(min_length=1)
    """What is in a row."""

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [column.name for column in self.columns]
        if double := _twice(names):
            raise ValueError(f"columns are named twice: {double}")
        if double := _twice(self.detectors.names):
            raise ValueError(f"detectors are named twice: {double}")
        if taken := sorted({"id", *FIXED_COLUMNS} & set(names)):
            raise ValueError(f"every table has a column {', '.join(taken)} already: choose another name")
        return self


class Qc1File(_Model):
    """``qc1.yaml``."""

    tables: dict[SqlName, TableSpec] = Field(default_factory=dict)
    """Tables by their names."""


class Threshold(_Model):
    """Limits that are in force from a date on, until the next one."""

    valid_from: dt.date
    """First date (DFO) on which the limits are in force."""
    low: float | None = None
    """Lowest value that is green; without it there is no lower limit."""
    high: float | None = None
    """Highest value that is green; without it there is no upper limit."""
    why: str
    """Where the limits come from."""

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("a threshold needs low, high, or both")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low ({self.low}) is above high ({self.high})")
        return self


class ParameterScore(_Model):
    """Which limits a QC parameter is scored against, where, and what to do when it is red."""

    table: str
    """Table in qc1.yaml."""
    parameter: str
    """Column that is scored."""
    detectors: tuple[str, ...] = ()
    """Only these detectors; without it all."""
    where: dict[str, Scalar] = Field(default_factory=dict)
    """Only rows that have these values, such as filter: J."""
    thresholds: tuple[Threshold, ...] = Field(min_length=1)
    """Limits, each in force until the next one."""
    remedy: str
    """What to do when the score is red."""

    @model_validator(mode="after")
    def _one_at_a_time(self) -> Self:
        if double := _twice([str(threshold.valid_from) for threshold in self.thresholds]):
            raise ValueError(f"two thresholds are valid from {double}: it is open which one counts")
        return self

    def in_force(self, date: dt.date) -> Threshold | None:
        """Return the threshold that is in force on a date; None before the first one."""
        valid = [threshold for threshold in self.thresholds if threshold.valid_from <= date]
        return max(valid, key=lambda threshold: threshold.valid_from) if valid else None


class ScoresFile(_Model):
    """``scores.yaml``."""

    scores: tuple[ParameterScore, ...] = ()
    """Scores, in any order."""


@dataclass(frozen=True)
class InstrumentPack:
    """A pack: all its files, read and checked against each other."""

    folder: Path
    instrument: InstrumentFile
    names: Mapping[str, NameRule]
    tables: Mapping[str, TableSpec]
    scores: tuple[ParameterScore, ...]
    rules: RuleSet
    keys: KeyDictionary
    breakpoints: tuple[Breakpoint, ...] = ()
    filters: tuple[FilterRule, ...] = ()

    @property
    def name(self) -> str:
        """Name of the instrument in qcbench."""
        return self.instrument.name

    @property
    def unannounced(self) -> frozenset[str]:
        """PRO.CATG that may be there though no rule makes them: general ones, and what recipes write besides."""
        return frozenset({*self.instrument.static, *self.names})

    def tables_of(self, raw_type: str) -> dict[str, TableSpec]:
        """Return the QC1 tables that a raw type feeds."""
        return {name: spec for name, spec in self.tables.items() if raw_type in spec.raw_types}

    def is_health_check(self, raw_type: str) -> bool:
        """Tell whether QC parameters of a raw type show the health of the instrument (kind HC)."""
        tables = self.tables_of(raw_type).values()
        return any(column.kind == "HC" for table in tables for column in table.columns)

    def setup_text(self, raw_type: str, keys: Mapping[str, object]) -> str:
        """Return the setup of a raw type as people read it, such as ``DIT10 NDIT1``."""
        parts = (setup_part(item, keys) for item in self.instrument.setups.get(raw_type, ()))
        return " ".join(part for part in parts if part)


def setup_part(item: SetupKey, keys: Mapping[str, object]) -> str:
    """Return a setup key's value with its prefix; nothing where the key is missing."""
    value = keys.get(item.key)
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool) and item.decimals is not None:
        text = f"{value:.{item.decimals}f}"
    elif isinstance(value, float):
        text = f"{value:g}"
    else:
        text = str(value)
    return f"{item.prefix}{text}"


def _twice(names: Sequence[str]) -> str:
    return ", ".join(sorted({name for name in names if names.count(name) > 1}))
