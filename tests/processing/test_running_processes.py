"""A recipe may fail in any way: each becomes a reason in words, and nothing of it stays behind."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from qcbench.processing.engines import describe_exit, run_process
from qcbench.processing.esorex import read_products, root_cause


def run(tmp_path: Path, script: str, timeout_s: float = 20.0) -> tuple[int | None, float, str]:
    log = tmp_path / "log"
    code, seconds = run_process(["sh", "-c", script], cwd=tmp_path, log=log, timeout_s=timeout_s, env={})
    return code, seconds, log.read_text()


def test_output_and_errors_are_in_the_log(tmp_path):
    code, _, log = run(tmp_path, "echo out; echo err >&2")
    assert code == 0
    assert log.splitlines() == ["out", "err"]
    assert describe_exit(code, 20.0, "") is None


def test_an_exit_code_becomes_a_reason(tmp_path):
    code, _, _ = run(tmp_path, "exit 10")
    assert (
        describe_exit(code, 20.0, "Missing FITS card") == "the recipe ended with code 10: Missing FITS card"
    )


@pytest.mark.parametrize("name", ["SEGV", "ABRT"])
def test_a_crash_names_its_signal(tmp_path, name):
    code, _, _ = run(tmp_path, f"kill -{name} $$")
    assert describe_exit(code, 20.0, "") == f"the recipe crashed (SIG{name})"


def test_a_recipe_that_hangs_is_killed_at_its_limit_with_its_children(tmp_path):
    code, seconds, log = run(tmp_path, "sleep 300 & echo $!; sleep 300", timeout_s=0.5)
    assert code is None
    assert seconds < 20
    assert describe_exit(code, 0.5, "") == "the recipe ran longer than 0.5 s and was killed"
    assert_gone(int(log))


def test_children_of_a_recipe_that_ended_do_not_live_on(tmp_path):
    code, _, log = run(tmp_path, "sleep 300 & echo $!")
    assert code == 0
    assert_gone(int(log))


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


def test_listed_products_stay_inside_their_folder(tmp_path):
    listed = tmp_path / "products.json"
    listed.write_text('[{"name": "../../etc/passwd", "category": "MASTER_DARK"}]')
    assert read_products(listed, tmp_path) == ((tmp_path / "passwd", "MASTER_DARK"),)
