"""A recipe may fail in any way: each becomes a reason in words, and nothing of it stays behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from qcbench.core.errors import StoppedError
from qcbench.core.locks import identity_of
from qcbench.processing import running
from qcbench.processing.esorex import read_products, root_cause
from qcbench.processing.running import Ended, Limits, describe_end, run_process


def run(tmp_path: Path, script: str, timeout_s: float = 20.0, **limits: Any) -> tuple[Ended, str]:
    """Run a script of the shell; what it leaves behind is killed."""
    log = tmp_path / "log"
    allowed = Limits(timeout_s, **limits)
    env = {**os.environ, "HERE": "1"}
    ended = run_process(["sh", "-c", script], cwd=tmp_path, log=log, limits=allowed, env=env)
    return ended, log.read_text()


def reason(ended: Ended, detail: str = "") -> str:
    return describe_end(ended, detail) or ""


def test_output_and_errors_are_in_the_log(tmp_path):
    ended, log = run(tmp_path, "echo out $HERE; echo err >&2")
    assert (ended.code, reason(ended)) == (0, "")
    assert log.splitlines() == ["out 1", "err"]


def test_an_exit_code_becomes_a_reason(tmp_path):
    ended, _ = run(tmp_path, "exit 10")
    assert reason(ended, "Missing FITS card") == "the recipe ended with code 10: Missing FITS card"


@pytest.mark.parametrize("name", ["SEGV", "ABRT"])
def test_a_crash_names_its_signal(tmp_path, name):
    ended, _ = run(tmp_path, f"kill -{name} $$")
    assert reason(ended) == f"the recipe crashed (SIG{name})"


def test_a_recipe_that_ends_before_its_caller_by_the_same_signal_has_not_failed(tmp_path):
    stop = threading.Event()
    threading.Timer(0.7, stop.set).start()
    with pytest.raises(StoppedError, match="was ended with the program that called it"):
        run(tmp_path, "kill -TERM $$", stop=stop)


def test_a_recipe_that_somebody_ended_has_failed(tmp_path):
    ended, _ = run(tmp_path, "kill -TERM $$")
    assert reason(ended) == "the recipe crashed (SIGTERM)"


def test_a_recipe_that_the_system_killed_may_have_run_out_of_memory(tmp_path):
    ended, _ = run(tmp_path, "kill -KILL $$")
    assert "perhaps because memory ran out: it had" in reason(ended)


def test_the_memory_of_a_recipe_is_its_own(tmp_path):
    """Also where it needs far less than qcbench itself, and where it needs more but for a moment."""
    assert psutil.Process().memory_info().rss > 50 << 20
    small, _ = run(tmp_path, "sleep 0.5")
    assert 0 < small.peak_mb < 20
    large, _ = run(tmp_path, f"{sys.executable} -c 'bytearray(900 << 20)'")
    assert 900 < large.peak_mb < 1000


def test_a_recipe_that_hangs_is_ended_at_its_limit_with_its_children(tmp_path):
    ended, log = run(tmp_path, "sleep 300 & echo $!; sleep 300", timeout_s=0.5)
    assert reason(ended) == "the recipe was ended: it ran longer than 0.5 s"
    assert_gone(int(log))


def test_children_of_a_recipe_that_ended_do_not_live_on(tmp_path):
    ended, log = run(tmp_path, "sleep 300 & echo $!")
    assert ended.code == 0
    assert_gone(int(log))


@pytest.mark.parametrize("after", ["", "; sleep 300"])
def test_children_that_left_the_group_do_not_live_on(tmp_path, after):
    """A daemon has a session of its own, and another working directory."""
    ended, log = run(tmp_path, f"cd /; setsid sh -c 'echo $$; exec sleep 300' & sleep 1{after}", timeout_s=3)
    assert bool(after) == (reason(ended) == "the recipe was ended: it ran longer than 3 s")
    assert_gone(int(log))


def test_what_ran_on_another_host_is_not_looked_for_among_the_processes_here(tmp_path):
    """Its number may be that of anything here."""
    with subprocess.Popen(["sleep", "300"], start_new_session=True) as other:
        (tmp_path / running.RUNNING).write_text(f"elsewhere:{other.pid}:1.00")
        running.end_abandoned(tmp_path)
        assert other.poll() is None
        (tmp_path / running.RUNNING).write_text(identity_of(other.pid))
        running.end_abandoned(tmp_path)
        assert other.wait() == -signal.SIGKILL


@pytest.mark.skipif(
    not Path("/proc/stat").is_file(), reason="only Linux tells how many processes were started"
)
def test_also_where_the_numbers_of_processes_began_again_they_do_not_live_on(tmp_path, monkeypatch):
    """Numbers begin again at their limit: then a child has a lower number than its parent."""
    looked_at = []
    marked = running._marked

    def noting(folder, lowest):
        looked_at.append(lowest)
        return marked(folder, lowest)

    monkeypatch.setattr(running, "_marked", noting)
    run(tmp_path, "true")
    limit = int(Path("/proc/sys/kernel/pid_max").read_text())
    many = iter((0, limit))
    monkeypatch.setattr(running, "_forks", lambda: next(many))
    ended, log = run(tmp_path, "cd /; setsid sh -c 'echo $$; exec sleep 300' & sleep 1")
    monkeypatch.setattr(running, "_forks", lambda: None)
    run(tmp_path, "true")
    usual, again, unknown = looked_at
    assert ended.code == 0
    assert_gone(int(log))
    assert usual > 0
    assert again == unknown == 0


def test_memory_is_limited_with_that_of_the_children(tmp_path):
    hungry = f"{sys.executable} -c 'import time; held = bytearray(120 << 20); time.sleep(60)'"
    ended, _ = run(tmp_path, f"{hungry} & {hungry}", memory_mb=200.0)
    assert re.fullmatch(
        r"the recipe was ended: it took \d+ MiB of memory, more than the 200 that it may", reason(ended)
    )
    assert ended.peak_mb > 200


def test_what_a_recipe_may_write_is_limited_also_in_subfolders_and_in_its_log(tmp_path):
    for script in ("mkdir -p a/b; dd if=/dev/zero of=a/b/c bs=1M count=30; sleep 60", "yes"):
        ended, _ = run(tmp_path, script, disk_mb=20.0)
        assert re.fullmatch(
            r"the recipe was ended: it wrote \d+ MiB, more than the 20 that it may", reason(ended)
        )


def test_a_file_with_holes_counts_as_what_it_takes(tmp_path):
    ended, _ = run(tmp_path, "truncate -s 1G hole; sleep 1", disk_mb=20.0)
    assert reason(ended) == ""


def test_without_limits_nothing_but_the_time_is_limited(tmp_path):
    ended, _ = run(tmp_path, "dd if=/dev/zero of=c bs=1M count=30; sleep 1")
    assert reason(ended) == ""


def test_the_end_of_a_process_is_noticed_where_the_system_does_not_tell_it(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "pidfd_open")
    ended, log = run(tmp_path, "sleep 0.3; echo done; exit 3")
    assert (ended.code, log) == (3, "done\n")
    assert reason(run(tmp_path, "sleep 300", timeout_s=0.5)[0]).endswith("longer than 0.5 s")


def assert_gone(pid: int) -> None:
    for _ in range(50):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.1)
    pytest.fail(f"process {pid} still runs")


def test_the_root_cause_is_the_first_entry_of_the_error_trail(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        "[ ERROR ] naco_img_dark: Dumping all 2 error(s):\n"
        "[ ERROR ] naco_img_dark: [1/2] 'Data not found: Missing FITS card: EXPTIME' (10) at f:x.c:1\n"
        "[ ERROR ] naco_img_dark: [2/2] 'other' (10) at g:x.c:2\n"
    )
    assert root_cause(log) == "Data not found: Missing FITS card: EXPTIME"


def test_an_entry_that_says_no_more_than_its_code_is_passed_over(tmp_path):
    """As CPL does where a function was given what it can't take, and its caller knows what that was."""
    log = tmp_path / "log"
    log.write_text(
        "[ ERROR ] r: [1/3] 'Illegal input' (14) at f:x.c:1\n"
        "[ ERROR ] r: [2/3] 'Illegal input: Propagating error' (14) at g:x.c:2\n"
        "[ ERROR ] r: [3/3] 'Illegal input: No RON for the difference of images 1 and 2' (14) at h:x.c:3\n"
        "[ ERROR ] esorex: [1/1] 'Data not found: other' (10) at i:x.c:4\n"
    )
    assert root_cause(log) == "Illegal input: No RON for the difference of images 1 and 2"
    log.write_text("[ ERROR ] r: [1/2] 'Illegal input' (14) at f:x.c:1\n")
    assert root_cause(log) == "Illegal input"


def test_of_errors_that_follow_each_other_at_the_end_the_first_is_the_cause(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        "[ ERROR ] r: one that was mended\n"
        "[ INFO  ] r: goes on\n"
        "[ ERROR ] esorex: Could not open the input file 'none.fits'\n"
        "[ ERROR ] esorex: Problem occurred loading frameset\n"
        "If you want to ignore errors of missing files in the sof, say so\n"
    )
    assert root_cause(log) == "Could not open the input file 'none.fits'"


def test_a_log_without_a_trail_gives_its_last_error_line(tmp_path):
    log = tmp_path / "log"
    log.write_text("[ INFO  ] vmbias: begin\n[ ERROR ] vmbias: Could not get instrument setting\n")
    assert root_cause(log) == "Could not get instrument setting"


def test_a_log_without_any_error_line_gives_its_last_line(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"Traceback\n  \xff\nValueError: no such thing\n\n")
    assert root_cause(log) == "ValueError: no such thing"
    log.write_bytes(b"")
    assert root_cause(log) == ""


def test_of_an_endless_log_the_end_is_read(tmp_path):
    log = tmp_path / "log"
    log.write_text("noise\n" * 400_000 + "[ ERROR ] r: [1/1] 'No space' (5) at f:x.c:1\n")
    assert root_cause(log) == "No space"


def test_listed_products_stay_inside_their_folder(tmp_path):
    listed = tmp_path / "products.json"
    listed.write_text('[{"name": "../../etc/passwd", "category": "MASTER_DARK"}]')
    assert read_products(listed, tmp_path) == ((tmp_path / "passwd", "MASTER_DARK"),)
