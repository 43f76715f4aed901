"""Settings of a workbench: one TOML file, overridden by the environment, validated, frozen.

A key ``[section] name`` is overridden by the variable ``QCBENCH_SECTION_NAME``.
"""

from __future__ import annotations

import secrets
import tomllib
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from qcbench.core.errors import SettingsError
from qcbench.core.files import write_text

FILE_NAME = "qcbench.toml"
_SQLITE = "sqlite:///"
Through = Literal["scored", "certified", "ingested"]


class WrongSettingError(SettingsError):
    """Keys or variables are wrong.

    Attributes
    ----------
    places : tuple of str
        Names each of them, such as ``key site.start_hour in <file>``.
    """

    def __init__(self, message: str, *places: str):
        self.places = places
        super().__init__(message)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_as_number(cls, value: Any, info: ValidationInfo) -> Any:
        # pydantic takes true for 1
        kind = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and kind in (int, float):
            raise ValueError("a number is needed, not true or false")
        return value


class WorkbenchSection(_Section):
    """Which instruments this workbench looks after."""

    instruments: tuple[str, ...] = Field(min_length=1)


class DatabaseSection(_Section):
    """Where the state is kept: an SQLAlchemy URL, or nothing for SQLite inside the workbench."""

    url: str = ""


class ArchiveSection(_Section):
    """Where raw frames come from and where certified products go."""

    kind: str = "local"
    path: Path = Path("archive")
    streams: int = Field(default=4, ge=1, le=64, description="files that are fetched at a time")


class SiteSection(_Section):
    """The hour (UT) at which a DFO date starts."""

    start_hour: int = Field(default=21, ge=0, le=23)


class ProcessingSection(_Section):
    """How recipes are run."""

    cascade: Literal["local", "htcondor"] = "local"
    engine: Literal["auto", "esorex", "python"] = "auto"
    workers: int = Field(default=0, ge=0, description="0: one for each core")
    timeout_s: float = Field(default=1800.0, gt=0)
    memory_mb: float = Field(default=4096.0, ge=0, description="of one recipe; 0: no limit")
    disk_mb: float = Field(default=20_000.0, ge=0, description="of one recipe; 0: no limit")
    min_free_mb: float = Field(default=500.0, ge=0)
    template_timeout_min: float = Field(default=60.0, ge=0)
    keep_raw: bool = True
    masters_days: int = Field(default=0, ge=0, description="0: archived masters are all kept")
    disk_budget_mb: float = Field(default=0.0, ge=0, description="0: no budget")


class HTCondorSection(_Section):
    """How the cascade runs on an HTCondor pool."""

    poll_s: float = Field(default=2.0, gt=0)
    patience_s: float = Field(default=120.0, ge=0, description="how long the pool may be silent")
    idle_s: float = Field(default=900.0, gt=0, description="how long no job may run before that is said")
    retries: int = Field(default=2, ge=0, description="of a job that ends by a fault of its machine")
    bundle_s: float = Field(default=30.0, ge=0, description="how long a job of short ABs is to run")
    submit: str = Field(default="", description="more lines for the description of each job")


class CertificationSection(_Section):
    """What is certified without a person, and what is offered for review."""

    auto: bool = True
    sample_fraction: float = Field(default=0.2, ge=0, le=1)
    sample_seed: str = "qcbench"


class AutoDailySection(_Section):
    """How far the automatic part goes."""

    through: Through = "scored"


class Settings(_Section):
    """All settings of a workbench; `root` is the folder of the settings file."""

    root: Path
    workbench: WorkbenchSection
    database: DatabaseSection = DatabaseSection()
    archive: ArchiveSection = ArchiveSection()
    site: SiteSection = SiteSection()
    processing: ProcessingSection = ProcessingSection()
    htcondor: HTCondorSection = HTCondorSection()
    certification: CertificationSection = CertificationSection()
    auto_daily: AutoDailySection = AutoDailySection()

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the database; a relative path of SQLite is taken from the workbench folder."""
        url = self.database.url
        file = url.removeprefix(_SQLITE) if url else "qcbench.db"
        if url and (not url.startswith(_SQLITE) or file.startswith(("/", ":memory:", "file:"))):
            return url
        # behind a question mark a URL has its options, and a percent sign starts an escape
        folder = str(self.root).replace("%", "%25").replace("?", "%3F")
        return f"{_SQLITE}{folder}/{file}"

    @property
    def archive_path(self) -> Path:
        """The folder of a local archive, absolute."""
        return self.root / self.archive.path


def load_settings(root: Path, environ: Mapping[str, str]) -> Settings:
    """Read, override and validate the settings of the workbench in a folder.

    Raises
    ------
    SettingsError
        There is no settings file, or it is not TOML.
    WrongSettingError
        A key or override is wrong; file and key are named.
    """
    path = root / FILE_NAME
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as err:
        raise SettingsError(
            f"{root}: not a workbench (no {FILE_NAME}). Make one: qcbench init {root}"
        ) from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise SettingsError(f"{path}: not valid TOML: {err}. Mend the line and call again") from err
    except OSError as err:
        raise SettingsError(
            f"{path}: can't be read: {err.strerror}. Make it readable and call again"
        ) from err
    _check_sections(path, content)
    origins = _override(content, environ)
    try:
        return Settings.model_validate({**content, "root": root.resolve()})
    except ValidationError as err:
        raise _wrong(path, err, origins) from err


def find_workbench(start: Path, environ: Mapping[str, str]) -> Path:
    """Return the workbench folder: QCBENCH_WORKBENCH, else the nearest parent with a settings file."""
    if named := environ.get("QCBENCH_WORKBENCH"):
        return Path(named)
    for folder in (start, *start.absolute().parents):
        if (folder / FILE_NAME).is_file():
            return folder
    return start


def write_default_settings(root: Path, instruments: tuple[str, ...]) -> Path:
    """Write a commented settings file with the defaults; return its path."""
    path = root / FILE_NAME
    names = ", ".join(f'"{name}"' for name in instruments)
    return write_text(path, _TEMPLATE.format(names=names, seed=secrets.token_hex(8)))


def _check_sections(path: Path, content: Mapping[str, Any]) -> None:
    """Refuse what stands outside a section: it would be taken for a whole section, or for the folder."""
    for name, value in content.items():
        if not isinstance(value, dict):
            raise WrongSettingError(
                f"{path}: key {name}: keys stand in sections, such as [site] (it is {value!r}). Move it there",
                f"key {name} in {path}",
            )


def _override(content: dict[str, Any], environ: Mapping[str, str]) -> dict[tuple[str, str], str]:
    origins, known = {}, set[str]()
    for section, keys in _sections().items():
        for key in keys:
            name = f"QCBENCH_{section}_{key}".upper()
            known.add(name)
            if name in environ:
                value: Any = environ[name]
                if key == "instruments":
                    value = tuple(part for part in value.replace(",", " ").split() if part)
                content.setdefault(section, {})[key] = value
                origins[section, key] = name
    prefixes = tuple(f"QCBENCH_{section}_".upper() for section in _sections())
    for name in sorted(set(environ) - known):
        if name.startswith(prefixes):
            place = f"environment variable {name}"
            hint = _nearest(name, known) or "names are QCBENCH_<SECTION>_<KEY>."
            raise WrongSettingError(f"{place} overrides no key; {hint} Rename or unset it", place)
    return origins


def _sections() -> dict[str, tuple[str, ...]]:
    """Return the keys of each section."""
    kinds = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {
        name: tuple(kind.model_fields)
        for name, kind in kinds.items()
        if isinstance(kind, type) and issubclass(kind, _Section)
    }


def _wrong(path: Path, err: ValidationError, origins: Mapping[tuple[str, str], str]) -> WrongSettingError:
    lines, places = [], []
    for item in err.errors():
        loc = tuple(str(part) for part in item["loc"])
        origin = origins.get((loc[0], loc[1])) if len(loc) > 1 else None
        where = f"environment variable {origin}" if origin else f"key {'.'.join(loc)}"
        problem = f"{item['msg']} (it is {item['input']!r}). Mend it and call again"
        if item["type"] == "extra_forbidden":
            problem = _no_such(loc)
        lines.append(f"{path}: {where}: {problem}")
        places.append(where if origin else f"{where} in {path}")
    return WrongSettingError("\n".join(lines), *places)


def _no_such(loc: tuple[str, ...]) -> str:
    """Say that there is no such section or key, and which one may be meant."""
    section, *keys = loc
    what, names = ("key", _sections()[section]) if keys else ("section", tuple(_sections()))
    hint = _nearest(loc[-1], names) or f"there is {', '.join(names)}."
    return f"there is no such {what}; {hint} Rename or remove it"


def _nearest(name: str, names: Collection[str]) -> str:
    close = get_close_matches(name, sorted(names), n=1)
    return f"did you mean {close[0]}?" if close else ""


_TEMPLATE = """\
# Settings of this workbench. Every key can be overridden by a variable QCBENCH_<SECTION>_<KEY>.

[workbench]
instruments = [{names}]

[database]
# An SQLAlchemy URL; empty: SQLite in this folder.
url = ""

[archive]
kind = "local"
# Raw frames come from <path>/raw, certified products go to <path>/products.
path = "archive"
# Files that are fetched at a time.
streams = 4

[site]
# Hour (UT) at which a DFO date starts.
start_hour = 21

[processing]
# local: on this host; htcondor: on the pool that CONDOR_CONFIG names.
cascade = "local"
# auto: esorex where it is installed and the recipe can run there, else the built-in Python recipes.
engine = "auto"
# 0: one worker for each core.
workers = 0
# What one recipe may take before it is ended: seconds, and MiB of memory and of disk (0: no limit).
timeout_s = 1800
memory_mb = 4096
disk_mb = 20000
min_free_mb = 500
# A template that is not complete after this time is not waited for any longer.
template_timeout_min = 60
# false: raw frames are removed as soon as no AB needs them; they can be fetched again.
keep_raw = true
# Days around the open dates for which archived masters stay in the calib folders; 0: they all stay.
masters_days = 0
# MiB that raw frames, reduced data and working folders may take: an AB waits until it has room (0: no budget).
disk_budget_mb = 0

[htcondor]
# Seconds between two looks at the queue, and how long the pool may be silent before a call gives up.
poll_s = 2
patience_s = 120
# How often a job is tried again that was ended by a fault of its machine, not of its AB.
retries = 2
# Short ABs share a job that runs about so many seconds; 0: each AB has a job of its own.
bundle_s = 30
# More lines for the description of each job, such as "accounting_group = qc".
submit = ""

[certification]
# ABs whose scores are all green are certified without a person, but for a random sample.
auto = true
sample_fraction = 0.2
sample_seed = "{seed}"

[auto_daily]
# scored: stop before certification; certified: certify what is green; ingested: also move, rename and ingest.
through = "scored"
"""
