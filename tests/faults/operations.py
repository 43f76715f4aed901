"""What a program changes in the file system and commits, operation by operation: counted, and disturbed."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
# what the interpreter tells its audit hooks, and which of the arguments is the path that changes
_CHANGES = {"os.mkdir": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1}
# what the library of the database does for a commit goes past the interpreter
COMMIT = "commit"

# told the number of an operation, from 1, and what it is: its name and the path that it changes
Disturb = Callable[[int, str, str], None]


def note_of(root: Path) -> Path:
    """Return the file that says that a fault has struck a command on a workbench; it is none of its operations."""
    return root.with_name(f"struck-{root.name}")


class Operations:
    """Counts what is changed below a folder, and the commits, and tells somebody of each before it is done."""

    def __init__(self, root: Path, disturb: Disturb):
        self._root = os.fspath(root)
        self._disturb = disturb
        self._lock = threading.Lock()
        self.count = 0

    def see(self, name: str, path: str) -> None:
        """Look at what is about to be done."""
        if name != COMMIT and not path.startswith(self._root):
            return
        with self._lock:
            self.count += 1
            number = self.count
        self._disturb(number, name, path)


def _changed(name: str, arguments: tuple[Any, ...]) -> str | None:
    """Return the path that is to be made or changed; None where nothing is."""
    if name == "open":
        path, _, flags = arguments
        return os.fsdecode(path) if isinstance(path, str | bytes) and (flags or 0) & _WRITING else None
    if name not in _CHANGES:
        return None
    path = os.fsdecode(arguments[_CHANGES[name]])
    # to make a folder that is there changes nothing
    return None if name == "os.mkdir" and os.path.isdir(path) else path  # noqa: PTH112 (as the system has it)


_watching: list[Operations] = []


def _tell(name: str, path: str) -> None:
    for one in _watching:
        one.see(name, path)


@cache
def _hooked() -> None:
    """Add the hooks, once: the interpreter never lets them go."""

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        if _watching and (path := _changed(name, arguments)):
            _tell(name, path)

    sys.addaudithook(hook)
    event.listen(Engine, "commit", lambda _: _tell(COMMIT, ""))


@contextmanager
def operations(root: Path, disturb: Disturb = lambda number, name, path: None) -> Iterator[Operations]:
    """Count the operations of this process below a folder within the block; what `disturb` raises befalls them."""
    _hooked()
    watching = Operations(root, disturb)
    sync = os.fsync

    def told_sync(handle: int) -> None:
        _tell("os.fsync", str(Path(f"/proc/self/fd/{handle}").readlink()))
        sync(handle)

    _watching.append(watching)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", told_sync)
        try:
            yield watching
        finally:
            _watching.remove(watching)
