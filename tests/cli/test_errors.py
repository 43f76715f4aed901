from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import qcbench.association

from .conftest import DATE, run_qcbench


def test_a_folder_that_is_no_workbench_is_said_in_one_message(tmp_path: Path) -> None:
    result = run_qcbench("create-ab", "-d", DATE, workbench=tmp_path)
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr.startswith(f"Error: {tmp_path}: not a workbench")
    assert "qcbench init" in result.stderr


def test_an_ab_that_is_not_there_has_its_own_exit_code(empty: Path) -> None:
    result = run_qcbench("process-ab", "-a", "NOSUCH", workbench=empty)
    assert result.exit_code == 8
    assert "NOSUCH.ab" in result.stderr


def test_an_instrument_that_the_workbench_has_not_got_is_named(empty: Path) -> None:
    result = run_qcbench("--instrument", "nosuchcam", "create-ab", "-d", DATE, workbench=empty)
    assert result.exit_code == 3
    assert "nosuchcam" in result.stderr


def test_a_pack_that_is_wrong_is_named_with_its_file(empty: Path) -> None:
    pack = empty / "config" / "hawki"
    pack.mkdir()
    (pack / "instrument.yaml").write_text("name: [\n")
    result = run_qcbench("create-ab", "-d", DATE, workbench=empty)
    assert result.exit_code == 4
    assert str(pack / "instrument.yaml") in result.stderr


def test_an_archive_that_is_gone_is_said(empty: Path) -> None:
    (empty / "archive" / "raw").rmdir()
    assert run_qcbench("data-loader", "-t", "h", "-d", DATE, workbench=empty).exit_code == 6


@pytest.mark.parametrize(
    "words",
    [
        ["create-ab", "-d", "19.11.2026"],
        ["create-ab", "-d", "2026-13-01"],
        ["create-ab"],
        ["create-ab", "-d", DATE, "-m", "TEST"],
        ["certify-products"],
        ["certify-products", "--list", "--certify", "A"],
        ["init"],
    ],
)
def test_a_command_line_that_is_wrong_ends_with_2(words: list[str], empty: Path) -> None:
    result = run_qcbench(*words, workbench=empty)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


def test_without_a_workbench_the_instrument_is_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_qcbench("simulate", "--start", DATE, "--archive", "there").exit_code == 2


def test_an_unknown_anomaly_is_refused_before_all_else(tmp_path: Path) -> None:
    result = run_qcbench("simulate", "--start", DATE, "--anomalies", "rain", workbench=tmp_path / "none")
    assert result.exit_code == 3
    assert "unknown anomaly 'rain'" in result.stderr


def test_a_database_that_is_gone_ends_auto_daily_and_leaves_nothing(empty: Path) -> None:
    for part in empty.glob("qcbench.db*"):
        part.unlink()
    result = run_qcbench("auto-daily", workbench=empty)
    assert result.exit_code == 7
    assert f"{empty / 'qcbench.db'}: the database file is missing. Restore it from a backup" in result.stderr
    assert list(empty.glob("qcbench.db*")) == []


def test_an_unknown_ab_is_said_in_the_same_words_by_every_command(empty: Path) -> None:
    calls = (
        ["process-ab", "-a"],
        ["process-qc", "-a"],
        ["score-qc", "-a"],
        ["certify-products", "--certify"],
    )
    said = {run_qcbench(*words, "NOSUCH", workbench=empty).stderr for words in calls}
    assert said == {
        "Error: NOSUCH.ab: the database has no such AB. List those of a date: qcbench get-status-ab\n"
    }


def test_with_json_an_error_leaves_the_standard_output_empty(empty: Path) -> None:
    result = run_qcbench("process-ab", "-a", "NOSUCH", "--json", workbench=empty)
    assert (result.exit_code, result.stdout) == (8, "")


def test_a_rejection_without_a_comment_is_refused(empty: Path) -> None:
    assert run_qcbench("certify-products", "--reject", "NOSUCH", workbench=empty).exit_code == 8


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def stumble(*_: object, **__: object) -> None:
    raise ZeroDivisionError


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qcbench.association, "scan_archive", interrupt)
    result = run_qcbench("data-loader", "-t", "h", "-d", DATE, workbench=empty)
    assert result.exit_code == 130
    assert "call the same command again, and it goes on" in result.stderr


def test_an_error_that_nobody_foresaw_is_not_swallowed(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qcbench.association, "scan_archive", stumble)
    with pytest.raises(ZeroDivisionError):
        run_qcbench("data-loader", "-t", "h", "-d", DATE, workbench=empty)


def test_a_reader_that_goes_away_gives_no_traceback(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code = "from qcbench.cli.main import main; main()"
    command = [sys.executable, "-c", code, "--help"]
    run = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False)
    os.close(writer)
    assert "Traceback" not in run.stderr


def test_a_terminal_without_the_signs_gets_a_question_mark() -> None:
    code = "import qcbench.cli.main as m; m.cli = lambda **_: m.click.echo('✓ Python'); m.main()"
    env = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert run.stdout == "? Python\n"
