"""The association log (``.alog``) of an Association Block: how well each of its calibrations fits.

The header and the lines of calibrations are those of the dfos documentation (AssocLogs.html). What the AB lacks is
in comment lines, which a reader of the documented form passes over.
"""

from __future__ import annotations

from pathlib import Path

from qcbench.blocks.escapes import (
    escape_setup,
    escape_text,
    escape_word,
    unescape,
    unescape_setup,
    unescape_word,
)
from qcbench.blocks.lines import choice_of, days_of, file_of, numbered, quoted, read_form, words_of
from qcbench.blocks.model import (
    CALIBRATION_ROLES,
    COMPLETENESS,
    EVALUATIONS,
    FLAGS,
    BlockError,
    CalibrationLine,
    LogFile,
    MissingLine,
)
from qcbench.blocks.writing import calibrations_of, dt_text
from qcbench.store import AssociationBlock

# of a day, as in the documented example
DT_DIGITS = 3
_MISSING = "MISSING"
_NEEDS = ("required", "optional")


def log_of(ab: AssociationBlock) -> LogFile:
    """Return the association log's content of an AB as it is now."""
    return LogFile(
        ab_name=ab.name,
        raw_type=ab.raw_type,
        setup=ab.setup,
        completeness=ab.completeness,
        calibrations=calibrations_of(ab, DT_DIGITS),
        missing=tuple(
            MissingLine(str(item["tag"]), bool(item["required"]), str(item.get("why", "")))
            for item in ab.missing
        ),
    )


def log_text(ab: AssociationBlock) -> str:
    """Return the association log of an AB as it is now."""
    return print_log(log_of(ab))


def print_log(log: LogFile) -> str:
    """Return the text of an association log: a line for the AB, then one for each calibration."""
    lines = [
        " ".join(
            (
                escape_word(log.ab_name),
                escape_word(log.raw_type),
                escape_setup(log.setup),
                escape_word(log.completeness),
            )
        )
    ]
    lines += [
        " ".join(
            (
                *map(escape_word, (item.evaluation, item.role, item.flag, item.file, item.tag)),
                dt_text(item.dt_days, DT_DIGITS),
            )
        )
        for item in log.calibrations
    ]
    lines += [
        f"# {_MISSING} {escape_word(item.tag)} {_NEEDS[0 if item.required else 1]} {escape_text(item.why)}".rstrip(
            " "
        )
        for item in log.missing
    ]
    return "\n".join(lines) + "\n"


def read_log(path: Path) -> LogFile:
    """Read an association log from a file.

    Raises
    ------
    BlockError
        It can't be read or is no association log: file, line, what was expected, and the remedy.
    """
    return parse_log(read_form(path), str(path))


def parse_log(text: str, source: str) -> LogFile:
    """Read the text of an association log.

    Raises
    ------
    BlockError
        A line has not the documented columns, or there is none for the AB.
    """
    header: tuple[str, str, str, str] | None = None
    calibrations: list[CalibrationLine] = []
    missing: list[MissingLine] = []
    for number, line in numbered(text, source):
        words = words_of(line)
        if words[0].startswith("#"):
            if words[:2] == ["#", _MISSING]:
                missing.append(_missing(line, source, number))
        elif header is None:
            header = _header(words, source, number)
        else:
            calibrations.append(_calibration(words, source, number))
    if header is None:
        raise BlockError(source, None, "expected a line for the AB, found none: write the log again")
    return LogFile(*header, calibrations=tuple(calibrations), missing=tuple(missing))


def _header(words: list[str], source: str, number: int) -> tuple[str, str, str, str]:
    _count(words, 4, "AB, raw type, setup and completeness", source, number)
    completeness = choice_of(words[3], COMPLETENESS, "completeness", source, number)
    name, folder = file_of(unescape_word(words[0]), source, number)
    if folder:
        raise BlockError(
            source, number, f"expected the name of an AB, found {quoted(words[0])}. Remove the folder"
        )
    return name, unescape_word(words[1]), unescape_setup(words[2]), completeness


def _calibration(words: list[str], source: str, number: int) -> CalibrationLine:
    _count(words, 6, "evaluation, type, flag, file, PRO.CATG and DT", source, number)
    return CalibrationLine(
        evaluation=choice_of(words[0], EVALUATIONS, "evaluation", source, number),
        role=choice_of(words[1], CALIBRATION_ROLES, "type", source, number),
        flag=choice_of(words[2], FLAGS, "flag", source, number),
        file=file_of(unescape_word(words[3]), source, number)[0],
        tag=unescape_word(words[4]),
        dt_days=days_of(words[5], source, number),
    )


def _missing(line: str, source: str, number: int) -> MissingLine:
    words = line.split(" ", 4)
    _count(words[:4], 4, f"# {_MISSING}, category, and required or optional", source, number)
    need = choice_of(words[3], _NEEDS, "need", source, number)
    return MissingLine(
        unescape_word(words[2]), need == _NEEDS[0], unescape(words[4]) if len(words) > 4 else ""
    )


def _count(words: list[str], wanted: int, columns: str, source: str, number: int) -> None:
    if len(words) != wanted:
        problem = f"expected {columns}, found {quoted(' '.join(words))}. Write the log again"
        raise BlockError(source, number, problem)
