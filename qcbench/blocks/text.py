"""The AB as a text file, and its association log.

The qualifiers and their order are those of the dfos documentation (AB_structure.html); the columns behind
RAWFILE, MCALIB and PRODUCTS are not documented anywhere and are our reading: file, then tag.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import qcbench
from qcbench.core.errors import QcbenchError
from qcbench.store import AssociationBlock
from qcbench.store.states import ABState

_QUALIFIER = re.compile(r"[A-Z][A-Z0-9_.-]*")
PROCESS_STATUS = {
    ABState.CREATED: "CREATED",
    ABState.QUEUED: "CREATED",
    ABState.PROCESSING: "CREATED",
    ABState.FAILED: "FAILED",
}


@dataclass(frozen=True)
class CalibrationLine:
    """A calibration of an AB; `dt_days` is calibration minus AB, in days."""

    role: str
    flag: str
    file: str
    tag: str
    evaluation: str
    dt_days: float


@dataclass(frozen=True)
class BlockFile:
    """What the text form of an AB holds: single-valued qualifiers in their order, and the lists."""

    fields: tuple[tuple[str, str], ...]
    match_keys: tuple[tuple[str, str], ...]
    raw_files: tuple[tuple[str, str], ...]
    calibrations: tuple[CalibrationLine, ...]
    products: tuple[tuple[str, str], ...]

    def field(self, qualifier: str) -> str:
        """Return the value of a single-valued qualifier; empty if it is missing."""
        return dict(self.fields).get(qualifier, "")


def _process_status(ab: AssociationBlock) -> str:
    """Return how the processing ended; a decision does not change that."""
    if ab.state == ABState.REJECTED and (ab.reason or not ab.attempts):
        return "FAILED" if ab.reason else "CREATED"
    return PROCESS_STATUS.get(ABState(ab.state), "SUCCESSFUL")


def block_of(ab: AssociationBlock) -> BlockFile:
    """Return the text form's content of an AB as it is now."""
    keys = ab.keys
    fields = {
        "TOOL_VERSION": qcbench.__version__,
        "INSTRUMENT": ab.instrument,
        "DATE": ab.dfo_date.isoformat(),
        "DPR_CATG": keys.get("DPR.CATG", ""),
        "RAW_TYPE": ab.raw_type,
        "RECIPE": ab.recipe,
        "DRS_TYPE": "CPL",
        "BATCH_ID": f"{ab.mode}_{ab.dfo_date}",
        "AB_NAME": ab.name,
        "AB_EVENT": ab.event,
        "COMPLETENESS": ab.completeness,
        "PROCESS_STATUS": _process_status(ab),
        "OBS_PROG_ID": keys.get("OBS.PROG.ID", ""),
        "OBS_ID": keys.get("OBS.ID", ""),
        "MJD-OBS": f"{ab.mjd_obs:.8f}",
        "MJD-OBS_MOD": f"{ab.mjd_obs_mod:.8f}",
        "PROD_ROOT_NAME": ab.prod_root,
        "LOG_NAME": f"{ab.prod_root}.log",
    }
    return BlockFile(
        fields=tuple((name, str(value)) for name, value in fields.items()),
        match_keys=tuple((key, str(value)) for key, value in ab.match_keys.items()),
        raw_files=tuple((item.frame.arcfile, item.tag) for item in ab.inputs if item.role == "RAWFILE"),
        calibrations=tuple(
            CalibrationLine(
                item.role, item.flag, item.product.file_name, item.tag, item.evaluation, item.dt_days
            )
            for item in ab.calibrations
        ),
        products=tuple((product.file_name, product.pro_catg) for product in ab.products),
    )


def print_block(block: BlockFile) -> str:
    """Return the text form; line ends and runs of blanks inside a value become one blank."""
    lines = [f"{name:<16} {_flat(value)}".rstrip() for name, value in block.fields]
    lines += [
        "# raw match key",
        *(f"{'RAW_MATCH_KEY':<16} {key}={_flat(value)}" for key, value in block.match_keys),
    ]
    lines += ["# raw files", *(f"{'RAWFILE':<16} {file} {tag}" for file, tag in block.raw_files)]
    lines += [
        "# calibrations",
        *(
            f"{item.role:<16} {item.flag} {item.file} {item.tag} {item.evaluation} {item.dt_days:.6f}"
            for item in block.calibrations
        ),
    ]
    lines += ["# products", *(f"{'PRODUCTS':<16} {file} {tag}" for file, tag in block.products)]
    return "\n".join(lines) + "\n"


def parse_block(text: str, source: str) -> BlockFile:
    """Read the text form.

    Raises
    ------
    QcbenchError
        A line can't be read; source and line are named.
    """
    fields: list[tuple[str, str]] = []
    match: list[tuple[str, str]] = []
    raw: list[tuple[str, str]] = []
    calibrations: list[CalibrationLine] = []
    products: list[tuple[str, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        content = _without_comment(line)
        if not content:
            continue
        name, _, value = content.replace("\t", " ").partition(" ")
        words = value.split(" #", 1)[0].split()
        try:
            if name == "RAW_MATCH_KEY":
                key, _, wanted = value.strip().partition("=")
                match.append((key, wanted))
            elif name == "RAWFILE":
                raw.append((words[0], words[1]))
            elif name == "PRODUCTS":
                products.append((words[0], words[1]))
            elif name in ("MCALIB", "MASSOC"):
                calibrations.append(
                    CalibrationLine(name, words[0], words[1], words[2], words[3], float(words[4]))
                )
            elif _QUALIFIER.fullmatch(name):
                fields.append((name, value.strip()))
            else:
                raise QcbenchError(f"{source}, line {number}: {name!r} is no qualifier of an AB")
        except (IndexError, ValueError) as err:
            problem = f"{source}, line {number}: can't read {line.strip()!r}: {name} needs other columns"
            raise QcbenchError(problem) from err
    return BlockFile(tuple(fields), tuple(match), tuple(raw), tuple(calibrations), tuple(products))


def log_text(ab: AssociationBlock) -> str:
    """Return the association log: a line for the AB, then one for each calibration."""
    lines = [f"{ab.name} {ab.raw_type} {ab.setup.replace(' ', '_') or '-'} {ab.completeness}"]
    lines += [
        f"{item.evaluation} {item.role} {item.flag} {item.product.file_name} {item.tag} {item.dt_days:.3f}"
        for item in ab.calibrations
    ]
    lines += [f"NOK MCALIB MISSING - {missing['tag']} -" for missing in ab.missing if missing["required"]]
    return "\n".join(lines) + "\n"


def _without_comment(line: str) -> str:
    """Drop a line that is a comment; a ``#`` further on may belong to a header value."""
    return "" if line.lstrip().startswith("#") else line.strip()


def _flat(value: str) -> str:
    """Return a header value on one line, so that it can't be taken for further qualifiers."""
    return " ".join(value.split())
