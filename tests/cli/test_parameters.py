from __future__ import annotations

import datetime as dt
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

import qcbench.cli.parameters
from qcbench.cli.main import cli
from qcbench.cli.parameters import ABName

from .conftest import DATE, run_json, run_qcbench

NAME = "HAWKI.2026-11-19T10:31:05.120_tpl.ab"


@pytest.mark.parametrize(
    "given", [NAME, NAME.removesuffix(".ab"), f"data/hawki/logs/{DATE}/{NAME}", f"./{NAME}"]
)
def test_an_ab_is_named_with_or_without_its_ending_or_by_its_file(given: str) -> None:
    assert ABName().convert(given, None, None) == NAME


def test_an_empty_ab_name_is_refused() -> None:
    with pytest.raises(click.BadParameter, match="empty"):
        ABName().convert(".ab", None, None)


@pytest.mark.parametrize(
    ("hour", "minute", "word", "date"),
    [(20, 59, "today", "2026-11-18"), (21, 0, "today", "2026-11-19"), (21, 0, "yesterday", "2026-11-18")],
)
def test_today_is_the_dfo_date_of_now(
    hour: int, minute: int, word: str, date: str, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = dt.datetime(2026, 11, 19, hour, minute, tzinfo=dt.UTC)
    monkeypatch.setattr(qcbench.cli.parameters, "utc_now", lambda: now)
    assert run_json("create-ab", "-d", word, workbench=empty)["counts"][0]["date"] == date


def test_today_starts_at_the_hour_of_the_site(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = dt.datetime(2026, 11, 19, 20, 0, tzinfo=dt.UTC)
    monkeypatch.setattr(qcbench.cli.parameters, "utc_now", lambda: now)
    monkeypatch.setenv("QCBENCH_SITE_START_HOUR", "19")
    assert run_json("create-ab", "-d", "today", workbench=empty)["counts"][0]["date"] == "2026-11-19"


def test_the_workbench_may_be_named_before_or_behind_the_command(empty: Path) -> None:
    before = run_qcbench("-w", str(empty), "audit")
    behind = run_qcbench("audit", "-w", str(empty))
    assert (before.exit_code, before.stdout) == (behind.exit_code, behind.stdout) == (0, before.stdout)


def test_a_folder_inside_the_workbench_is_enough(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(empty / "jobs")
    assert run_qcbench("audit").exit_code == 0


def completions(words: list[str], incomplete: str) -> list[str]:
    found = ShellComplete(cli, {}, "qcbench", "_QCBENCH_COMPLETE").get_completions(words, incomplete)
    return [item.value for item in found]


def test_dates_and_abs_complete_from_the_database(night: Path) -> None:
    run_qcbench("data-loader", "-t", "h", "-d", DATE, workbench=night)
    run_qcbench("create-ab", "-d", DATE, workbench=night)
    before = ["-w", str(night)]
    assert completions([*before, "create-ab", "-d"], "2026") == [DATE]
    assert completions([*before, "create-ab", "-d"], "y") == ["yesterday"]
    names = completions([*before, "process-ab", "-a"], "HAWKI.2026-11-20T12")
    assert names
    assert all(name.startswith("HAWKI.2026-11-20T12") and name.endswith(".ab") for name in names)


def test_without_a_workbench_nothing_completes_and_nothing_is_said(tmp_path: Path) -> None:
    assert completions(["-w", str(tmp_path), "process-ab", "-a"], "H") == []
