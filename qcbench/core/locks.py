"""Locks between processes, and the identity of a process that outlives its number.

A lock goes with its process: a killed command leaves nothing that blocks the next call.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from qcbench.core.errors import BusyError, StoppedError
from qcbench.core.files import make_folder, write_error

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Start and boot are read one after the other, and the system tells the boot to a second.
_START_TOLERANCE_S = 2.0
_POLL_S = 0.02
# held by whoever removes files that can be had again; who is about to use such files passes through it
REMOVAL = "removal"


@contextmanager
def exclusive(
    folder: Path, name: str, *, remedy: str = "Wait until it has ended, then call again"
) -> Iterator[None]:
    """Hold the lock `name` inside the block.

    Raises
    ------
    BusyError
        Another process holds it; the younger of the two gives way.
    FileWriteError
        The lock file can't be made.
    """
    try:
        lock = _acquire(folder, name, timeout_s=0)
    except Timeout as err:
        raise BusyError(f"another {name} is running (lock {err.lock_file}). {remedy}") from err
    try:
        yield
    finally:
        lock.release()


@contextmanager
def waiting(folder: Path, name: str, stop: threading.Event | None = None) -> Iterator[None]:
    """Hold the lock `name` inside the block, once no other process and no other thread holds it.

    Raises
    ------
    FileWriteError
        The lock file can't be made.
    StoppedError
        `stop` was set before it could be had.
    """
    try:
        lock = _acquire(folder, name, timeout_s=-1, stop=stop)
    except Timeout as err:
        raise StoppedError(f"stopped while another one held the lock {err.lock_file}") from err
    try:
        yield
    finally:
        lock.release()


def _acquire(folder: Path, name: str, timeout_s: float, stop: threading.Event | None = None) -> FileLock:
    path = make_folder(folder) / f"{name}.lock"
    lock = FileLock(path, timeout=timeout_s, thread_local=False)
    try:
        lock.acquire(poll_interval=_POLL_S, cancel_check=stop.is_set if stop else None)
    except Timeout:
        raise
    except OSError as err:
        raise write_error(path, err) from err
    return lock


def process_identity() -> str:
    """Return ``host:pid:start`` of this process; unlike the number alone it is never given out again."""
    return identity_of(os.getpid())


def identity_of(pid: int) -> str:
    """Return ``host:pid:start`` of a process that runs, or has ended and was not waited for."""
    return f"{socket.gethostname()}:{pid}:{_boot()}{_start(psutil.Process(pid)):.2f}"


def _boot() -> str:
    """Return what no two boots of a host share, where the system tells it (Linux)."""
    try:
        return f"{_BOOT_ID.read_text()[:8]}-"
    except OSError:
        return ""


def _start(process: psutil.Process) -> float:
    """Return when a process began (s since the boot): the time of day changes when the clock is set."""
    return float(process.create_time()) - psutil.boot_time()


def is_elsewhere(identity: str) -> bool:
    """Tell whether the process of an identity runs, or ran, on another host."""
    return identity.rsplit(":", 2)[0] != socket.gethostname()


def is_alive(identity: str) -> bool:
    """Tell whether the process of an identity still runs; one on another host is taken to be alive."""
    if is_elsewhere(identity):
        return True
    _, pid, start = identity.rsplit(":", 2)
    try:
        process = psutil.Process(int(pid))
        started = _start(process)
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    boot, seconds = _boot(), start.rpartition("-")[2]
    return not is_zombie and start.startswith(boot) and abs(started - float(seconds)) < _START_TOLERANCE_S
