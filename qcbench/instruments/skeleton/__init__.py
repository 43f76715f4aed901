"""A first pack of an instrument: from an example, or from what raw frames say."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from qcbench.core.errors import PackError
from qcbench.core.files import write_text
from qcbench.instruments.skeleton.survey import Kind, Survey, survey_frames
from qcbench.instruments.skeleton.writing import EXAMPLE, FILES, skeleton_texts

__all__ = ["EXAMPLE", "FILES", "Kind", "Survey", "free_code", "survey_frames", "write_skeleton"]

_NAME = re.compile("[a-z][a-z0-9_]*")
_CODE = re.compile("[A-Z][A-Z0-9]")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def write_skeleton(folder: Path, code: str, survey: Survey) -> tuple[Path, ...]:
    """Write a pack that passes the check; its name is that of the folder.

    Raises
    ------
    PackError
        The name or the code is none, or a file is there already; then nothing is written.
    """
    if not _NAME.fullmatch(folder.name):
        raise PackError(
            folder, f"{folder.name!r} can't be the name of a pack: it needs small letters, digits and _"
        )
    if not _CODE.fullmatch(code):
        raise PackError(
            folder, f"the code {code!r} is none: it needs a capital letter and another, or a digit"
        )
    there = [folder / name for name in FILES if (folder / name).exists()]
    if there:
        raise PackError(
            there[0], "the file is there already, and is not overwritten; take another name or folder"
        )
    texts = skeleton_texts(folder.name, code, survey)
    return tuple(write_text(folder / name, text) for name, text in texts.items())


def free_code(name: str, taken: Collection[str]) -> str:
    """Return two letters of a name that no other pack has."""
    word = re.sub("[^A-Z0-9]", "", name.upper())
    pairs = [word[:1] + second for second in word[1:] + _LETTERS]
    return next((pair for pair in pairs if pair not in taken), pairs[0])
