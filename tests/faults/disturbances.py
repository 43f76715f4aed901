"""What may befall the machine while a command runs: each at one moment, which is the number of an operation."""

from __future__ import annotations

import datetime as dt
import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import psutil
from sqlalchemy.exc import OperationalError

from qcbench.core import dates
from qcbench.store import database
from tests.faults.operations import COMMIT, note_of, operations

_HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


@dataclass(frozen=True)
class _AtOneMoment:
    moment: int

    def __call__(self, root: Path) -> AbstractContextManager[object]:
        """Wait for the moment as long as a command works on a workbench."""
        return operations(root, lambda number, name, path: self._meet(root, number, name, path))

    def _meet(self, root: Path, number: int, name: str, path: str) -> None:
        if number == self.moment:
            note_of(root).write_text(f"{name} {path}\n")
            self._strike(root, name, path)

    def _strike(self, root: Path, name: str, path: str) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class Refused(_AtOneMoment):
    """One operation fails for want of space; the next ones succeed."""

    def _strike(self, root: Path, name: str, path: str) -> None:
        if name == COMMIT:
            raise OperationalError(COMMIT, None, sqlite3.OperationalError("database or disk is full"))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


@dataclass(frozen=True)
class Full(_AtOneMoment):
    """A file takes all space of the file system, from the moment on."""

    ballast: Path

    def _meet(self, root: Path, number: int, name: str, path: str) -> None:
        if number >= self.moment:
            with _one_at_a_time:
                if not self.ballast.exists():
                    note_of(root).write_text(f"{name} {path}\n")
                self._fill()

    def _fill(self) -> None:
        """Write until nothing goes in any more: whole blocks first, then single bytes."""
        with self.ballast.open("ab", buffering=0) as file:
            for size in (2**20, 4096, 1):
                try:
                    while file.write(b"x" * size) == size:
                        pass
                except OSError:
                    continue


@dataclass(frozen=True)
class Locked(_AtOneMoment):
    """Another program keeps the database to itself, as soon as it gets it; both in seconds."""

    seconds: float
    patience: float

    def __call__(self, root: Path) -> AbstractContextManager[object]:
        """Let the command wait no longer for the database than a test can."""
        database.BUSY_TIMEOUT_MS = int(self.patience * 1000)
        return super().__call__(root)

    def _strike(self, root: Path, name: str, path: str) -> None:
        command = [sys.executable, "-S", "-c", _HOLD, str(root / "qcbench.db"), str(self.seconds)]
        holder = subprocess.Popen(command, stdout=subprocess.PIPE)
        got_it = threading.Thread(target=holder.stdout.readline if holder.stdout else None)
        got_it.start()
        # it gets it later where the moment lies inside a transaction
        got_it.join(0.5)


@dataclass(frozen=True)
class Gone(_AtOneMoment):
    """The archive is away, from the moment on."""

    def _strike(self, root: Path, name: str, path: str) -> None:
        (root / "archive").rename(root.with_name(f"{root.name}.away"))


@dataclass(frozen=True)
class Signalled(_AtOneMoment):
    """A signal is sent to the command; or, first, to all that it started."""

    number: int
    to_all: bool

    def _strike(self, root: Path, name: str, path: str) -> None:
        me = psutil.Process()
        for process in me.children(recursive=True) if self.to_all else ():
            process.send_signal(self.number)
        os.kill(me.pid, self.number)

    def __str__(self) -> str:
        """Return it in words."""
        return f"{signal.Signals(self.number).name} to {'all its processes' if self.to_all else 'it alone'}"


@dataclass(frozen=True)
class KilledAtWork(_AtOneMoment):
    """SIGKILL to the command, at one of its operations in the folders in which recipes work, from 1."""

    def __call__(self, root: Path) -> AbstractContextManager[object]:
        """Count these operations alone."""
        work = f"{root / 'work'}/"
        seen = count(1)

        def meet(_: int, name: str, path: str) -> None:
            if path.startswith(work):
                self._meet(root, next(seen), name, path)

        return operations(root, meet)

    def _strike(self, root: Path, name: str, path: str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class ClockSet(_AtOneMoment):
    """The clock is set; the kernel moves the time of its boot with it."""

    seconds: float

    def _strike(self, root: Path, name: str, path: str) -> None:
        step, system, now, boot = (
            dt.timedelta(seconds=self.seconds),
            psutil._psplatform,
            time.time,
            psutil.boot_time,
        )

        class Set(dt.datetime):
            @classmethod
            def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
                return dt.datetime.now(tz) + step

        booted = boot()
        time.time = lambda: now() + self.seconds
        system.boot_time = lambda: booted + self.seconds
        dates.dt = SimpleNamespace(**{**vars(dt), "datetime": Set})


_one_at_a_time = threading.Lock()
