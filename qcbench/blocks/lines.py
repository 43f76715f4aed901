"""Lines and columns of the text forms: what is common to reading an AB, an association log and a list."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from qcbench.blocks.escapes import UNKNOWN
from qcbench.blocks.model import BlockError
from qcbench.core.errors import QcbenchError
from qcbench.core.paths import safe_name

MAX_LINE = 1 << 20
MAX_FILE = 1 << 25

_LINE_END = re.compile(r"\r\n|\n|\r")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BLANKS = re.compile(r"[ \t]+")
_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#.*")


def read_form(path: Path) -> str:
    """Return the text of a file.

    Raises
    ------
    BlockError
        It can't be read, is larger than any such file, or is not UTF-8 text.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE:
            problem = f"expected a text of a few KiB, found {size} bytes: this is another kind of file"
            raise BlockError(path, None, problem)
        content = path.read_bytes()
    except OSError as err:
        raise BlockError(path, None, f"can't be read: {err.strerror}. Check path and permissions") from err
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = content.count(b"\n", 0, err.start) + 1
        problem = f"expected UTF-8 text, found byte 0x{content[err.start]:02x}. Convert it, e.g. with iconv"
        raise BlockError(path, line, problem) from err


def numbered(text: str, source: str) -> Iterator[tuple[int, str]]:
    """Give the lines that are not blank, each with its number.

    Raises
    ------
    BlockError
        A line is too long, or holds control characters.
    """
    for number, line in enumerate(_LINE_END.split(text), 1):
        if len(line) > MAX_LINE:
            problem = f"expected at most {MAX_LINE} characters, found {len(line)}: get the file anew from its source"
            raise BlockError(source, number, problem)
        if found := _CONTROL.search(line):
            problem = (
                f"expected text, found the control character {found[0]!r}: get the file anew from its source"
            )
            raise BlockError(source, number, problem)
        if content := line.strip(" \t"):
            yield number, content


def without_comment(line: str) -> str:
    """Return a line without its comment: ``#`` at its start or after a blank, and all that follows."""
    return _COMMENT.sub("", line).rstrip(" \t")


def words_of(content: str) -> list[str]:
    """Return the columns of a line, still escaped."""
    return [word for word in _BLANKS.split(content) if word]


def quoted(text: str, length: int = 60) -> str:
    """Return a piece of a file for a message, not too long."""
    return repr(text if len(text) <= length else f"{text[:length]}…")


def days_of(word: str, source: str, line: int) -> float | None:
    """Read a time difference in days; None for ``-``.

    Raises
    ------
    BlockError
        It is no number, or not a finite one.
    """
    if word == UNKNOWN:
        return None
    value = number_of(word)
    if value is None:
        raise BlockError(
            source, line, f"expected DT in days, such as -1.462, or -, found {quoted(word)}. Correct the line"
        )
    return value


def number_of(word: str) -> float | None:
    """Return the finite number that a text spells; None if it spells none."""
    # float() would also take 61_360 and the digits of other scripts
    if not _NUMBER.fullmatch(word):
        return None
    value = float(word)
    return value if math.isfinite(value) else None


def choice_of(word: str, allowed: tuple[str, ...], what: str, source: str, line: int) -> str:
    """Return a word that has to be one of a few.

    Raises
    ------
    BlockError
        It is another one.
    """
    if word not in allowed:
        wanted = " or ".join(allowed)
        raise BlockError(source, line, f"expected {what} {wanted}, found {quoted(word)}. Correct the line")
    return word


def file_of(text: str, source: str, line: int | None) -> tuple[str, str]:
    """Return a file's name, and the folder in front of it, empty if there is none.

    Raises
    ------
    BlockError
        It is not a plain name, or its folder goes upwards.
    """
    path = PurePosixPath(text)
    folder = "" if str(path.parent) == "." else str(path.parent)
    if ".." in path.parts:
        problem = f"expected the name of a file, found {quoted(text)}. Write it without .."
        raise BlockError(source, line, problem)
    try:
        return safe_name(path.name), folder
    except QcbenchError as err:
        problem = f"expected the name of a file: {quoted(text)} can't be one. Correct the line"
        raise BlockError(source, line, problem) from err
