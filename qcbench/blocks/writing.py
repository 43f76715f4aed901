"""Writing an Association Block in its historical text form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import qcbench
from qcbench.blocks.escapes import UNKNOWN, escape_key, escape_text, escape_word
from qcbench.blocks.model import (
    ASSOCIATED,
    CALIBRATION_ROLES,
    MATCH_KEY,
    PRODUCT,
    RAW,
    AssociatedLine,
    BlockFile,
    CalibrationLine,
)
from qcbench.core.dates import iso_ut
from qcbench.store import ABInput, AssociationBlock
from qcbench.store.states import ABState

PROCESS_STATUS = {
    ABState.CREATED: "CREATED",
    ABState.QUEUED: "CREATED",
    ABState.PROCESSING: "CREATED",
    ABState.FAILED: "FAILED",
}
# of a day: a tenth of a second
DT_DIGITS = 6
# raw files that the recipe gets: those of the group, and those of other groups that it needs as well
_GIVEN = (RAW, "RCALIB")
_UPDATED = (ABState.RENAMED, ABState.INGESTED)


def block_of(ab: AssociationBlock) -> BlockFile:
    """Return the text form's content of an AB as it is now.

    The database knows no version of a pack, so that CONFIG_VERSION is empty. PROD_PATH is the certification area,
    below the data folder of the instrument.
    """
    return BlockFile(
        fields=tuple((name, str(value)) for name, value in _fields(ab)),
        match_keys=tuple((key, str(value)) for key, value in ab.match_keys.items()),
        raw_files=tuple((item.frame.arcfile, _category(item)) for item in ab.inputs if item.role in _GIVEN),
        associated=tuple(
            AssociatedLine(
                item.frame.arcfile,
                _category(item),
                "NOK" if item.level else "OK",
                rounded(item.dt_days, DT_DIGITS),
            )
            for item in ab.inputs
            if item.role == ASSOCIATED
        ),
        calibrations=calibrations_of(ab, DT_DIGITS),
        products=tuple((product.file_name, product.pro_catg) for product in ab.products),
        updated=ab.updated_at.replace(microsecond=0) if ab.state in _UPDATED else None,
    )


def calibrations_of(ab: AssociationBlock, digits: int) -> tuple[CalibrationLine, ...]:
    """Return the calibrations of an AB, those that it uses before those that are only associated."""
    lines = [
        CalibrationLine(
            role=item.role,
            flag=item.flag,
            file=item.product.file_name,
            tag=item.product.pro_catg,
            evaluation=item.evaluation,
            dt_days=rounded(item.dt_days, digits),
        )
        for role in CALIBRATION_ROLES
        for item in ab.calibrations
        if item.role == role
    ]
    # one file that two rules ask for is one line
    return tuple(dict.fromkeys(lines))


def _category(item: ABInput) -> str:
    """Return DO.CATG of a raw file; of one without any the tag under which it was asked for."""
    return item.frame.do_catg or item.tag


def _fields(ab: AssociationBlock) -> Iterator[tuple[str, object]]:
    """Give the single-valued qualifiers in the documented order."""
    keys = ab.keys
    yield "TOOL_VERSION", qcbench.__version__
    yield "CONFIG_VERSION", ""
    yield "INSTRUMENT", ab.instrument
    yield "DATE", ab.dfo_date
    yield "DPR_CATG", keys.get("DPR.CATG") or ab.mode
    yield "RAW_TYPE", ab.raw_type
    yield "RECIPE", ab.recipe
    yield "DRS_TYPE", "CPL"
    yield "BATCH_ID", f"{ab.mode}_{ab.dfo_date}"
    yield "AB_NAME", ab.name
    yield "AB_EVENT", ab.event
    yield "COMPLETENESS", ab.completeness
    yield "PROCESS_STATUS", _process_status(ab)
    yield "OBS_PROG_ID", keys.get("OBS.PROG.ID", "")
    yield "OBS_MODE", keys.get("OBS.MODE", "NONE")
    yield "OBS_ID", keys.get("OBS.ID", "")
    yield "MJD-OBS", f"{ab.mjd_obs:.8f}"
    yield "MJD-OBS_MOD", f"{ab.mjd_obs_mod:.8f}"
    yield "PROD_ROOT_NAME", ab.prod_root
    yield "LOG_NAME", f"{ab.prod_root}.log"
    yield "PROD_PATH", f"product/{ab.raw_type}/{ab.dfo_date}"


def _process_status(ab: AssociationBlock) -> str:
    """Return how the processing ended; a decision does not change that."""
    if ab.state == ABState.REJECTED and (ab.reason or not ab.attempts):
        return "FAILED" if ab.reason else "CREATED"
    return PROCESS_STATUS.get(ABState(ab.state), "SUCCESSFUL")


def print_block(block: BlockFile) -> str:
    """Return the text form."""
    paths = [(name, value) for name, value in block.fields if name == "PROD_PATH"]
    lines = [
        *(_line(name, escape_text(value)) for name, value in block.fields if name != "PROD_PATH"),
        "# pipeline product path",
        *(_line(name, escape_text(value)) for name, value in paths),
        "# raw match key",
        *(_line(MATCH_KEY, f"{escape_key(key)}={escape_text(value)}") for key, value in block.match_keys),
        "# raw files",
        *(_line(RAW, *map(escape_word, pair)) for pair in block.raw_files),
        "# associated raw files",
        *(_line(ASSOCIATED, *_columns(item)) for item in block.associated),
        "# calibrations",
        *_calibrations(block.of_role("MCALIB")),
        "# associated calibrations",
        *_calibrations(block.of_role("MASSOC")),
        "# products",
        *(_line(PRODUCT, *map(escape_word, pair)) for pair in block.products),
    ]
    if block.updated is not None:
        lines.append(f"# updated {iso_ut(block.updated)}")
    return "\n".join(lines) + "\n"


def list_text(abs_: Iterable[AssociationBlock]) -> str:
    """Return the list of the ABs of a date (``AB_list_<MODE>_<DATE>``): a name a line, by time and then name."""
    ordered = sorted(abs_, key=lambda ab: (ab.mjd_obs, ab.name))
    return "".join(f"{escape_word(ab.name)}\n" for ab in ordered)


def rounded(dt_days: float | None, digits: int) -> float | None:
    """Return a time difference (days) as its column can hold it."""
    return None if dt_days is None else round(dt_days, digits)


def dt_text(dt_days: float | None, digits: int) -> str:
    """Return a time difference in days for its column; ``-`` where there is none."""
    return UNKNOWN if dt_days is None else f"{dt_days:.{digits}f}"


def _columns(item: AssociatedLine | CalibrationLine) -> Iterator[str]:
    yield from map(escape_word, (item.file, item.tag, item.evaluation))
    yield dt_text(item.dt_days, DT_DIGITS)


def _calibrations(items: Iterable[CalibrationLine]) -> Iterator[str]:
    return (_line(item.role, escape_word(item.flag), *_columns(item)) for item in items)


def _line(qualifier: str, *columns: str) -> str:
    return " ".join((f"{qualifier:<16}", *columns)).rstrip(" ")
