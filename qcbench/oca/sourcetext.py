"""The text of rules and where each piece of it was written: a mistake is shown where a person can mend it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from qcbench.core.errors import RuleError

_DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*[a-z]", re.MULTILINE)


@dataclass(frozen=True)
class Place:
    """Where a person wrote something.

    Attributes
    ----------
    line, column : int
        From 1.
    text : str
        The whole line.
    macro : str
        The macro that it comes out of, and where that is defined; empty where it stands there as it is.
    """

    source: str
    line: int
    column: int
    text: str
    macro: str = ""


class SourceText:
    """A text as it was written, in one file."""

    def __init__(self, text: str, source: str):
        self.text, self.source = text, source

    def place(self, line: int, column: int) -> Place:
        """Return where a person wrote what stands at a line and column (from 1) of the text."""
        return Place(self.source, line, column, self.text.split("\n")[line - 1])

    def origin(self, line: int) -> tuple[str, int]:
        """Return the file and the line in it (from 1) that a line of the text comes from."""
        return self.source, line


@dataclass(frozen=True)
class Origin:
    """What a line of preprocessed text was made of.

    Attributes
    ----------
    source, number : str, int
        The file and the line (from 1) in it.
    text : str
        That line.
    pieces : sequence of (column, column, macro)
        Each piece: where it starts (from 1) in the preprocessed line, where in the file, and its macro.
    """

    source: str
    number: int
    text: str
    pieces: Sequence[tuple[int, int, str]]


class PreprocessedText(SourceText):
    """A text that the preprocessor put together from files and macros."""

    def __init__(self, text: str, source: str, origins: Sequence[Origin]):
        super().__init__(text, source)
        self.origins = origins

    def place(self, line: int, column: int) -> Place:
        """Return where a person wrote what stands at a line and column (from 1) of the text."""
        origin = self.origins[line - 1]
        index = bisect_right([start for start, _, _ in origin.pieces], column) - 1
        start, original, macro = origin.pieces[index] if index >= 0 else (column, 1, "")
        # all that a macro gives stands where the macro is used
        found = original if macro else original + column - start
        return Place(origin.source, origin.number, found, origin.text, macro)

    def origin(self, line: int) -> tuple[str, int]:
        """Return the file and the line in it (from 1) that a line of the text comes from."""
        origin = self.origins[line - 1]
        return origin.source, origin.number


def decode(content: bytes, source: str) -> str:
    """Return the text of a rule file.

    Raises
    ------
    RuleError
        It is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise RuleError(
            source, line, column, "expected UTF-8 text; convert the file, e.g. with iconv"
        ) from error


def needs_preprocessor(text: str) -> bool:
    """Tell whether a line of a text begins as a directive does."""
    return _DIRECTIVE.search(text) is not None
