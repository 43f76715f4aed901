"""Reader of ESO's dictionaries of header keys, the text files ``ESO-VLT-DIC.*`` and ``ESO-DFS-DIC.*``.

A record begins with ``Parameter Name:`` and has a field a line; what is indented below belongs to the field above.
Source: Data Interface Control Document (GEN-SPE-ESO-19400-0794), dictionaries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Literal

from qcbench.core.errors import PackError
from qcbench.instruments.keys import KeyDictionary, KeySpec

_FIELD = re.compile(
    r"(parameter name|class|context|type|value format|unit|comment \w+|description)\s*:(.*)", re.I
)
_HEAD = re.compile("^dictionary name *:", re.I | re.M)
_TYPES: dict[str, Literal["text", "integer", "float", "logical"]] = {
    "string": "text",
    "integer": "integer",
    "int": "integer",
    "float": "float",
    "double": "float",
    "logical": "logical",
    "boolean": "logical",
}
_NO_UNIT = frozenset({"none", "unitless", "n/a", "-"})
_INDEXED = re.compile(r"[A-Z0-9_-]*[ij]")


def read_dictionary(path: Path) -> KeyDictionary:
    """Read a dictionary of ESO.

    Raises
    ------
    PackError
        The file can't be read, is no dictionary, or has a record without a name or with a type that there is not.
    """
    try:
        content = path.read_bytes()
    except OSError as err:
        raise PackError(path, f"can't be read: {err.strerror}") from err
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # older dictionaries have a degree or a micro sign in this encoding
    specs: dict[str, KeySpec] = {}
    for line, record in _records(text):
        spec = _spec(path, line, record)
        specs |= dict.fromkeys(_names(record["parameter name"]), spec)
    if not specs and not _HEAD.search(text):
        problem = "no line begins with 'Dictionary Name:' or 'Parameter Name:'; is this a dictionary of header keys?"
        raise PackError(path, problem)
    return KeyDictionary(specs)


def _records(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Give each record, its fields by their names in small letters, and the line (from 1) at which it begins."""
    start, record, field = 0, dict[str, str](), ""
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("#"):
            continue
        found = _FIELD.match(line)
        if found and found[1].lower() == "parameter name":
            if start:
                yield start, record
            start, record = number, {}
        if found and start:  # what stands above the first record is about the dictionary
            field = found[1].lower()
            record[field] = found[2].strip()
        elif field and line[:1].isspace() and line.strip():
            record[field] = f"{record[field]} {line.strip()}".strip()
        else:
            field = ""
    if start:
        yield start, record


def _spec(path: Path, line: int, record: dict[str, str]) -> KeySpec:
    name, kind = record.get("parameter name", ""), record.get("type", "").lower()
    if not name:
        raise PackError(path, "expected the name of a key after 'Parameter Name:'", line=line)
    if kind not in _TYPES:
        found = f"found {kind!r}" if kind else "found none"
        raise PackError(
            path, f"expected a type ({', '.join(_TYPES)}), {found}", line=line, key=_short_name(name)
        )
    unit = record.get("unit", "")
    return KeySpec(
        type=_TYPES[kind],
        unit="" if unit.lower() in _NO_UNIT else unit,
        description=record.get("description")
        or record.get("comment field")
        or record.get("comment format", ""),
    )


def _names(name: str) -> Iterator[str]:
    """Give the short names of a key; an index may be left out in headers where there is only one of its kind."""
    words = _short_name(name).split(".")
    choices = [(f"{word[:-1]}i", word[:-1]) if _INDEXED.fullmatch(word) else (word,) for word in words]
    return (".".join(chosen) for chosen in product(*choices) if all(chosen))


def _short_name(name: str) -> str:
    return ".".join(name.removeprefix("HIERARCH ").removeprefix("ESO ").split())
