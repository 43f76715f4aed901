"""What the text form of an Association Block and its association log hold.

The qualifiers, their order and the columns of the log are those of the dfos documentation (AB_structure.html,
AssocLogs.html). What no public document says is our reading; docs/reference/ab-format.md tells one from the other.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from qcbench.core.errors import QcbenchError

RAW, ASSOCIATED, MATCH_KEY, PRODUCT = "RAWFILE", "RASSOC", "RAW_MATCH_KEY", "PRODUCTS"
CALIBRATION_ROLES = ("MCALIB", "MASSOC")
SINGLE = (
    "TOOL_VERSION", "CONFIG_VERSION", "INSTRUMENT", "DATE", "DPR_CATG", "RAW_TYPE", "RECIPE", "DRS_TYPE",
    "BATCH_ID", "AB_NAME", "AB_EVENT", "COMPLETENESS", "PROCESS_STATUS", "OBS_PROG_ID", "OBS_MODE", "OBS_ID",
    "MJD-OBS", "MJD-OBS_MOD", "PROD_ROOT_NAME", "LOG_NAME", "PROD_PATH",
)  # fmt: skip
LISTED = (MATCH_KEY, RAW, ASSOCIATED, *CALIBRATION_ROLES, PRODUCT)
OBSOLETE = ("PACK_DIR", "RB_NAME")
FLAGS = ("REAL", "VIRTUAL")
EVALUATIONS = ("OK", "NOK")
Mode = Literal["CALIB", "SCIENCE"]
MODES: tuple[Mode, ...] = ("CALIB", "SCIENCE")
COMPLETENESS = ("COMPLETE", "INCOMPLETE")


class BlockError(QcbenchError):
    """An AB, an association log or a list of ABs is not what its form says: where, what was expected, the remedy."""

    exit_code = 4

    def __init__(self, source: Path | str, line: int | None, problem: str):
        self.source, self.line, self.problem = str(source), line, problem
        super().__init__(f"{source}" + (f", line {line}" if line is not None else "") + f": {problem}")


@dataclass(frozen=True)
class AssociatedLine:
    """A raw file that is associated with an AB; `dt_days` is that file minus AB, None if not known."""

    file: str
    tag: str
    evaluation: str
    dt_days: float | None


@dataclass(frozen=True)
class CalibrationLine:
    """A calibration of an AB; `dt_days` is calibration minus AB, None for a general one or if not known."""

    role: str
    flag: str
    file: str
    tag: str
    evaluation: str
    dt_days: float | None


@dataclass(frozen=True)
class BlockFile:
    """What the text form of an AB holds: single-valued qualifiers in their order, and the lists.

    Attributes
    ----------
    fields : tuple of (qualifier, value)
        Those of `SINGLE`, in that order.
    match_keys : tuple of (key, value)
        Header keys with dots, and the value that the raw files share.
    raw_files, products : tuple of (file, tag)
        DO.CATG is the tag of a raw file, PRO.CATG that of a product.
    calibrations : tuple of CalibrationLine
        Those of role MCALIB before those of role MASSOC.
    updated : datetime or None
        When the AB was last updated, to the second.
    others : tuple of (qualifier, value)
        Obsolete and undocumented qualifiers of a file: kept, not written, no part of its identity.
    warnings : tuple of str
        What was assumed in reading a file, and in which line: no part of its identity either.
    """

    fields: tuple[tuple[str, str], ...]
    match_keys: tuple[tuple[str, str], ...] = ()
    raw_files: tuple[tuple[str, str], ...] = ()
    associated: tuple[AssociatedLine, ...] = ()
    calibrations: tuple[CalibrationLine, ...] = ()
    products: tuple[tuple[str, str], ...] = ()
    updated: dt.datetime | None = None
    others: tuple[tuple[str, str], ...] = dataclasses.field(default=(), compare=False)
    warnings: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    def field(self, qualifier: str) -> str:
        """Return the value of a single-valued qualifier; empty if it is missing."""
        return dict(self.fields).get(qualifier, "")

    def of_role(self, role: str) -> tuple[CalibrationLine, ...]:
        """Return the calibrations of a role, MCALIB or MASSOC."""
        return tuple(item for item in self.calibrations if item.role == role)


@dataclass(frozen=True)
class MissingLine:
    """A calibration that an AB lacks, and why; an AB without a required one is incomplete."""

    tag: str
    required: bool
    why: str


@dataclass(frozen=True)
class LogFile:
    """What an association log holds: the AB, then its calibrations, then those that it lacks."""

    ab_name: str
    raw_type: str
    setup: str
    completeness: str
    calibrations: tuple[CalibrationLine, ...] = ()
    missing: tuple[MissingLine, ...] = ()
