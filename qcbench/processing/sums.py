"""Sums of the content of files, each made once as long as the file stays as it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from qcbench.core.files import sha256

# how it is summed; volume, number on it, size and time of the last change of the file
_Key = tuple[Callable[[Path], str], int, int, int, int]


@dataclass
class _Sum:
    lock: threading.Lock = field(default_factory=threading.Lock)
    value: str | None = None


class Sums:
    """Remembers sums, under all names that a file has: of several threads that ask for one, one reads the file."""

    def __init__(self) -> None:
        self._known: dict[_Key, _Sum] = {}
        self._lock = threading.Lock()

    def of(self, path: Path, how: Callable[[Path], str] = sha256) -> str:
        """Return the sum of a file, its SHA-256 if nothing else is asked for."""
        status = path.stat()
        key = how, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
        with self._lock:
            found = self._known.setdefault(key, _Sum())
        with found.lock:
            if found.value is None:
                found.value = how(path)
            return found.value
