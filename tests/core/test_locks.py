"""A lock goes with the process that holds it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from qcbench.core.errors import BusyError, FileWriteError
from qcbench.core.locks import exclusive, is_alive, process_identity

HOLD = """
import pathlib, sys, time
from qcbench.core.locks import exclusive, process_identity
with exclusive(pathlib.Path(sys.argv[1]), "create-ab"):
    print(process_identity(), flush=True)
    time.sleep(60)
"""


@contextmanager
def holder(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_a_second_process_gives_way_and_says_to_whom(tmp_path: Path) -> None:
    with holder(tmp_path):
        with (
            pytest.raises(BusyError, match=r"another create-ab is running .*create-ab\.lock\)\. Wait"),
            exclusive(tmp_path, "create-ab"),
        ):
            pytest.fail("two processes held one lock")
        with exclusive(tmp_path, "process-ab"):
            assert (tmp_path / "process-ab.lock").is_file()


def test_a_killed_holder_blocks_nobody(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, identity):
        assert is_alive(identity)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with exclusive(tmp_path, "create-ab"):
            assert not is_alive(identity)


def test_a_dead_process_that_nobody_has_waited_for_is_dead(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, identity):
        process.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 5
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not is_alive(identity)


def test_a_block_that_fails_gives_the_lock_back(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path, "a"):
        raise ZeroDivisionError
    with exclusive(tmp_path, "a"):
        assert (tmp_path / "a.lock").exists()


def test_a_lock_that_cannot_be_made_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "a.lock").mkdir()
    with pytest.raises(FileWriteError, match=r"a\.lock: can't be written"), exclusive(tmp_path, "a"):
        pytest.fail("a folder was taken for a lock")


def shifted(identity: str, seconds: float) -> str:
    """The identity of a process that began so much later."""
    boot, start = identity.rsplit("-", 1)
    return f"{boot}-{float(start) + seconds:.2f}"


def test_a_number_that_was_given_out_again_is_another_process() -> None:
    own = process_identity()
    assert own.startswith(f"{socket.gethostname()}:{os.getpid()}:")
    assert is_alive(own)
    assert not is_alive(shifted(own, -60))
    assert is_alive(shifted(own, 1)), "the system tells it to a second"


def test_a_process_of_an_earlier_boot_is_dead() -> None:
    host, pid, start = process_identity().rsplit(":", 2)
    assert not is_alive(f"{host}:{pid}:00000000-{start.rpartition('-')[2]}")


@pytest.mark.parametrize("step_s", [-86400.0, -3600.0, 3600.0])
def test_a_clock_that_is_set_kills_no_process(monkeypatch: pytest.MonkeyPatch, step_s: float) -> None:
    identity, system = process_identity(), psutil._psplatform
    # when the clock is set, the kernel moves the time of its boot with it
    boot = system.boot_time()
    monkeypatch.setattr(system, "boot_time", lambda: boot + step_s)
    assert is_alive(identity)


def test_a_process_of_another_host_is_taken_to_be_alive() -> None:
    assert is_alive("another-host:1:0.00")
