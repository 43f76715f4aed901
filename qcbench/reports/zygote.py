"""The warm process that the kernels of reports are forked from.

To import what a report needs takes ten times as long as to make one, so that a process does it once and each
kernel is a fork of it. It reads one request a line, answers with the fork's number, and ends with its owner.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NoReturn, TextIO

from qcbench.core.errors import ReportError

_ONE_AT_A_TIME = threading.Lock()


class Zygote:
    """The owner's side: starts the warm process, and asks it for kernels."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # A session of its own: Ctrl-C on the terminal is for the owner. -P: no module of the current folder.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "qcbench.reports.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def fork(self, arguments: list[str], folder: Path, environment: Mapping[str, str]) -> int:
        """Start a kernel in `folder`; return the number of its process.

        Raises
        ------
        ReportError
            The warm process has ended.
        """
        request = {"arguments": arguments, "folder": str(folder), "environment": dict(environment)}
        stdin, stdout = self._process.stdin, self._process.stdout
        with self._lock:
            try:
                if stdin is None or stdout is None:
                    raise BrokenPipeError
                stdin.write(json.dumps(request) + "\n")
                stdin.flush()
                answer = stdout.readline()
            except OSError as err:
                raise ReportError("the warm process of the reports has ended. Call again") from err
        if not answer:
            raise ReportError("the warm process of the reports has ended. Call again")
        return int(answer)

    def is_alive(self) -> bool:
        """Tell whether the warm process still runs."""
        return self._process.poll() is None


def zygote() -> Zygote:
    """Return the zygote of this process, a new one where the last has ended."""
    with _ONE_AT_A_TIME:
        found = _zygote_of(os.getpid())
        if not found.is_alive():
            _zygote_of.cache_clear()
            found = _zygote_of(os.getpid())
        return found


@cache
def _zygote_of(_pid: int) -> Zygote:
    # By process number: a forked worker must not share the pipes of its parent.
    return Zygote()


def serve(requests: TextIO, answers: TextIO) -> None:
    """Fork a kernel for each request, until the owner has ended."""
    # Forks that have ended are cleared away by the system.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in requests:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become_kernel(request["arguments"], request["folder"], request["environment"])
        try:
            answers.write(f"{pid}\n")
            answers.flush()
        except BrokenPipeError:
            # the owner has ended meanwhile; what waits in the pipe would be complained about at the end
            os._exit(0)


def _become_kernel(arguments: list[str], folder: str, environment: Mapping[str, str]) -> NoReturn:
    from ipykernel.kernelapp import IPKernelApp

    owner = os.getppid()
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        os.chdir(folder)
    except FileNotFoundError:
        # the owner has ended meanwhile, and its folder with it
        os._exit(0)
    os.environ.clear()
    os.environ.update(environment)
    # The pipes belong to the requests: what a cell writes to them would be taken for an answer.
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    try:
        IPKernelApp.launch_instance([*arguments, f"--IPKernelApp.parent_handle={owner}"])
    finally:
        os._exit(0)


if __name__ == "__main__":
    from qcbench.reports import ab_report, date_report  # noqa: F401 (imported here, they are there in every fork)

    serve(sys.stdin, sys.stdout)
