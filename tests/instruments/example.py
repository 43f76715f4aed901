"""The example pack with mistakes in it, and what the check says."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from qcbench.instruments.checking import PackCheck, check_pack
from qcbench.instruments.skeleton import EXAMPLE, write_skeleton

TODAY = dt.date(2026, 11, 20)


def checked(folder: Path, *changes: tuple[str, str, str]) -> PackCheck:
    """Check the example pack, with texts in its files replaced."""
    pack = folder / "mycam"
    write_skeleton(pack, "MC", EXAMPLE)
    for file, old, new in changes:
        text = (pack / file).read_text()
        assert old in text
        (pack / file).write_text(text.replace(old, new, 1))
    return check_pack(pack, today=TODAY)


def told(result: PackCheck) -> set[tuple[str, str, str, str]]:
    return {
        (item.level, item.source.rpartition("/")[2], item.key, item.code)
        for item in result.findings
        if item.level != "note"
    }


def codes(result: PackCheck) -> set[str]:
    return {item.code for item in result.findings}
