"""What a command prints: aligned tables for people, or one JSON document for programs.

Texts from headers, comments and file names can hold anything; control characters never reach the terminal.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from shlex import quote
from unicodedata import category

import click

from qcbench.core.dates import iso_ut
from qcbench.look.marks import age, score_mark, value_text

Row = Mapping[str, object]
GAP = "  "
PROGRAM = "qcbench"


@dataclass(frozen=True)
class Table:
    """Rows under a name.

    Attributes
    ----------
    name : str
        Key of the rows in the JSON document.
    columns : tuple of str
        Keys of a row that people see, in this order; JSON has all keys.
    empty : str
        What is said where there are no rows.
    """

    name: str
    rows: Sequence[Row]
    columns: tuple[str, ...]
    empty: str = ""


@dataclass(frozen=True)
class Answer:
    """What came of a command: sentences, tables, and what to do next."""

    next: str
    said: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)


def show(answer: Answer, *, as_json: bool) -> None:
    """Print an answer to the standard output."""
    if as_json:
        content = {**answer.facts, **{table.name: table.rows for table in answer.tables}, "next": answer.next}
        click.echo(json.dumps(content, indent=1, default=_json_value, ensure_ascii=False))
        return
    pieces = ["\n".join(map(plain, answer.said)), *("\n".join(table_lines(table)) for table in answer.tables)]
    click.echo("\n\n".join(piece for piece in (*pieces, plain(answer.next)) if piece))


def table_lines(table: Table) -> list[str]:
    """Return a table as aligned lines: numbers to the right, all else to the left."""
    if not table.rows:
        return [table.empty] if table.empty else []
    columns = [_column(key, [row.get(key) for row in table.rows]) for key in table.columns]
    return [GAP.join(cells).rstrip() for cells in zip(*columns, strict=True)]


def program() -> str:
    """Return what to type for this qcbench: its path where a shell would not find it by its name."""
    here = Path(sys.executable).with_name(PROGRAM)
    return PROGRAM if shutil.which(PROGRAM) or not here.exists() else quote(str(here))


def plain(text: str) -> str:
    """Return a text with its control characters made visible, so that it can't command a terminal."""
    return "".join(c if c == "\n" or category(c) not in ("Cc", "Cf") else repr(c)[1:-1] for c in text)


def score_text(n_red: int, n_scored: int, *, failed: bool = False) -> str:
    """Return the score mark of pages and apps as text, such as ``✕ 2/56``."""
    return score_mark(n_red, n_scored, failed=failed).striptags()


def count(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 AB``, ``27 ABs``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _column(key: str, values: Sequence[object]) -> list[str]:
    cells = [key.replace("_", " "), *(plain(_text(value)).replace("\n", " ") for value in values)]
    width = max(map(len, cells))
    numeric = all(isinstance(value, int | float | dt.timedelta | None) for value in values)
    return [cell.rjust(width) if numeric else cell.ljust(width) for cell in cells]


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return value_text(value)
    if isinstance(value, dt.datetime):
        return iso_ut(value)
    if isinstance(value, dt.timedelta):
        return age(value)
    return str(value)


def _json_value(value: object) -> object:
    if isinstance(value, dt.datetime):
        return iso_ut(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
