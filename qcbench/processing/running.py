"""A recipe as a process of its own: within limits of time, memory and disk, and nothing of it lives on."""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from qcbench.core.errors import StoppedError
from qcbench.core.locks import identity_of, is_alive, is_elsewhere

RUNNING = "recipe.pid"
# in the environment of a recipe and of all that it starts: for which working directory that is
_MARK = "QCBENCH_WORK_DIR"
# how often it is looked at what a recipe takes; its end is noticed at once
_FIRST_LOOK_S, _LOOK_EVERY_S = 0.1, 0.5
# signals that may go to recipe and caller at once, and how long that of the caller is waited for
_ENDS, _GRACE_S = (-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP), 2.0
_MIB = 2**20
# the unit of the system's own count of memory
_PER_MIB = _MIB if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Limits:
    """What a recipe with all its children may take: seconds, and MiB of memory and of disk; 0 is no limit.

    `stop` is set by whoever wants to end it before.
    """

    timeout_s: float
    memory_mb: float = 0.0
    disk_mb: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event, compare=False)


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes
    ----------
    code : int
        Exit code; negative: killed by that signal.
    stopped : str, optional
        Why it was ended from here, in words.
    seconds, peak_mb : float
        How long it ran, and the most memory (MiB) that it was seen to have.
    """

    code: int
    stopped: str | None
    seconds: float
    peak_mb: float


def run_process(
    command: Sequence[str], *, cwd: Path, log: Path, limits: Limits, env: Mapping[str, str]
) -> Ended:
    """Run a command with its output in a log; end it, with its children, when it takes more than it may.

    Parameters
    ----------
    cwd : Path
        Its working directory, which nobody else fills.
    env : mapping
        Its environment, whole.

    Raises
    ------
    StoppedError
        Whoever called for it has been told to end.
    """
    start = time.monotonic()
    forks = _forks()
    with log.open("wb") as stream, subprocess.Popen(
        command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
        env={**env, _MARK: str(cwd)}, start_new_session=True,
    ) as process:  # fmt: skip
        watch = _Watch(process.pid, cwd, limits, start + limits.timeout_s, forks)
        try:
            (cwd / RUNNING).write_text(identity_of(process.pid))
            stopped = watch.wait(process)
        finally:
            _kill_group(process.pid)
            watch.end_strays()
            watch.saw(_reaped(process))
    # who ends a service, or a terminal, sends its signal to all processes, and a recipe may end first
    if process.returncode in _ENDS:
        limits.stop.wait(_GRACE_S)
    if limits.stop.is_set() and process.returncode:
        raise StoppedError(f"{command[0]} was ended with the program that called it")
    return Ended(process.returncode, stopped, time.monotonic() - start, watch.peak_mb)


class _Watch:
    """Looks at what a process takes until it has ended."""

    def __init__(self, pid: int, folder: Path, limits: Limits, deadline: float, forks: int | None):
        self._pid = pid
        self._forks = forks
        self._folder = folder
        self._limits = limits
        self._deadline = deadline
        self._family: set[psutil.Process] = set()
        self.peak_mb = 0.0

    def wait(self, process: subprocess.Popen[bytes]) -> str | None:
        """Wait for the end; return why it has to be ended, None if it ended by itself."""
        pause = _FIRST_LOOK_S
        with _end_of(process) as end:
            while not end.comes_within(max(min(pause, self._deadline - time.monotonic()), 0.0)):
                if reason := self._excess():
                    return reason
                pause = _LOOK_EVERY_S
        return None

    def _excess(self) -> str | None:
        if self._limits.stop.is_set():
            return "the program that called it was ended"
        if time.monotonic() >= self._deadline:
            return f"it ran longer than {self._limits.timeout_s:g} s"
        memory = self._memory_mb()
        self.saw(memory)
        if 0 < self._limits.memory_mb < memory:
            return f"it took {memory:.0f} MiB of memory, more than the {self._limits.memory_mb:g} that it may"
        if 0 < self._limits.disk_mb < (disk := size_mb(self._folder)):
            return f"it wrote {disk:.0f} MiB, more than the {self._limits.disk_mb:g} that it may"
        return None

    def saw(self, memory_mb: float) -> None:
        """Note how much memory it was seen to have."""
        self.peak_mb = max(self.peak_mb, memory_mb)

    def _memory_mb(self) -> float:
        """Return the memory of the process with its children; note these."""
        try:
            process = psutil.Process(self._pid)
            family = [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return 0.0
        self._family.update(family[1:])
        total = 0
        for member in family:
            with suppress(psutil.Error):
                total += member.memory_info().rss
        return total / _MIB

    def end_strays(self) -> None:
        """Kill what has left the process group."""
        for stray in (*self._family, *_marked(self._folder, _lowest_since(self._pid, self._forks))):
            # psutil knows by its start whether the number is still that of the same process
            with suppress(psutil.Error):
                stray.kill()


class _End:
    """The end of a process, noticed at once where the system can tell it (Linux), else in steps."""

    def __init__(self, process: subprocess.Popen[bytes], handle: int | None):
        self._process = process
        self._poll = select.poll() if handle is not None else None
        if self._poll and handle is not None:
            self._poll.register(handle, select.POLLIN)

    def comes_within(self, seconds: float) -> bool:
        """Wait so long for the end; tell whether it came."""
        if self._poll:
            return bool(self._poll.poll(seconds * 1000))
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


@contextmanager
def _end_of(process: subprocess.Popen[bytes]) -> Iterator[_End]:
    try:
        handle = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        yield _End(process, None)
        return
    try:
        yield _End(process, handle)
    finally:
        os.close(handle)


def _reaped(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process that has ended or was killed; return its most memory (MiB), 0 if that is not known."""
    if process.returncode is not None:
        return 0.0
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # until it became the recipe it was a part of this process, whose memory the system counts for it
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage.ru_maxrss / _PER_MIB if usage.ru_maxrss > own else 0.0


def _forks() -> int | None:
    """Return how many processes and threads the system has started since it runs, where it tells it (Linux)."""
    with suppress(OSError):
        for line in Path("/proc/stat").read_bytes().splitlines():
            if line.startswith(b"processes "):
                return int(line.split()[1])
    return None


def _lowest_since(pid: int, forks: int | None) -> int:
    """Return the lowest number that a process can have that was started after another one.

    Numbers rise, and begin again at their limit: only where that can't have been is it the other one's own number.

    Parameters
    ----------
    forks : int or None
        How many the system had started before that one; None where it is not known.
    """
    with suppress(OSError):
        now, limit = _forks(), int(Path("/proc/sys/kernel/pid_max").read_text())
        if forks is not None and now is not None and pid + now - forks < limit:
            return pid
    return 0


def _marked(folder: Path, lowest: int = 0) -> Iterator[psutil.Process]:
    """Give the processes that a recipe in a working directory started, where the system tells it (Linux).

    Parameters
    ----------
    lowest : int
        None of them has a number below that.
    """
    mark = f"{_MARK}={folder}".encode()
    with suppress(OSError):
        for entry in os.scandir("/proc"):
            with suppress(OSError, psutil.Error):
                number = int(entry.name) if entry.name.isdecimal() else -1
                if number >= lowest and _has(f"{entry.path}/environ", mark):
                    yield psutil.Process(number)


def _has(environment: str, mark: bytes) -> bool:
    with Path(environment).open("rb", buffering=0) as file:
        content = file.read()
    return mark in content and mark in content.split(b"\0")


def size_mb(folder: Path) -> float:
    """Return how much the files below a folder hold (MiB); links count nothing."""
    total, waiting = 0, [os.fspath(folder)]
    while waiting:
        # files come and go meanwhile
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        # what it takes on the disk: a file may have holes
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total / _MIB


def end_abandoned(work_dir: Path) -> None:
    """Kill the recipe that still runs in a working directory whose owner was killed, with its children."""
    running = work_dir / RUNNING
    identity = running.read_text() if running.is_file() else ""
    # of another host the number says nothing here
    if identity and not is_elsewhere(identity) and is_alive(identity):
        _kill_group(int(identity.split(":")[1]))
    for stray in _marked(work_dir):
        with suppress(psutil.Error):
            stray.kill()


def _kill_group(pid: int) -> None:
    """Kill what is left of a process group: also children of a recipe that ended."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def describe_end(ended: Ended, detail: str) -> str | None:
    """Return the reason of a failure in words; None where the process ended well."""
    if ended.stopped:
        return f"the recipe was ended: {ended.stopped}"
    if ended.code == 0:
        return None
    if ended.code == -signal.SIGKILL:
        return (
            f"the recipe was killed (SIGKILL), perhaps because memory ran out: it had {ended.peak_mb:.0f} MiB"
        )
    if ended.code < 0:
        return f"the recipe crashed ({_signal_name(-ended.code)})"
    return f"the recipe ended with code {ended.code}" + (f": {detail}" if detail else "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
