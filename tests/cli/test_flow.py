"""The commands of a day, one after the other, on a simulated night."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from qcbench.cli.exits import NOT_DONE
from qcbench.cli.output import program
from qcbench.store import ABState, record_event
from tests import builders

from .conftest import DATE, run_json, run_qcbench


def words(*given: str) -> list[str]:
    return [*given, "-d", DATE, "-m", "CALIB"]


def test_the_automatic_part_step_by_step(night: Path, tmp_path: Path) -> None:
    night = shutil.copytree(night, tmp_path / "bench")
    loaded = run_json("data-loader", "-t", "h", "-d", DATE, workbench=night)
    assert loaded["frames"][0]["new"] > 20
    assert "not a readable FITS file" in loaded["not_usable"][0]["not_usable"]
    assert "create-ab" in loaded["next"]

    again = run_json("data-loader", "-t", "h", "-d", DATE, workbench=night)
    assert (again["frames"][0]["new"], again["not_usable"]) == (0, [])

    raw = run_json("data-loader", "-t", "r", "-d", DATE, workbench=night)
    assert raw["raw"][0]["fetched"] == loaded["frames"][0]["new"]
    assert run_json("data-loader", "-t", "r", "-d", DATE, workbench=night)["raw"][0]["fetched"] == 0

    report = run_json("create-report", "-d", DATE, workbench=night)
    assert Path(report["reports"][0]["report"]).is_file()

    made = run_json(*words("create-ab"), "-i", workbench=night)
    assert made["counts"][0]["created"] > 3
    assert "create-job" in made["next"]
    assert run_json(*words("create-ab"), "-i", workbench=night)["counts"][0]["created"] == 0

    job = run_json(*words("create-job"), workbench=night)
    assert len(job["abs"]) == made["counts"][0]["created"] - 1, "the standard star has no recipe"
    assert Path(job["jobs"][0]["job"]).is_file()

    first = job["abs"][0]["ab"]
    done = run_json("process-ab", "-a", first, workbench=night)
    assert (done["ok"], done["engine"]) == (True, "python")
    assert done["next"] == f"Measure and score it: qcbench process-qc -a {first}"

    rows = run_json("get-status-ab", "-d", DATE, workbench=night)["abs"]
    states = {row["name"]: row["state"] for row in rows}
    assert states[first] == "processed"
    assert sorted(states.values()) == ["created", "processed", *["queued"] * (len(rows) - 2)]


def test_every_file_and_ab_of_a_date_that_is_half_done_is_accounted_for(night: Path, tmp_path: Path) -> None:
    night = shutil.copytree(night, tmp_path / "bench")
    run_json("data-loader", "-t", "h", "-d", DATE, workbench=night)
    run_json(*words("create-ab"), "-i", workbench=night)
    job = run_json(*words("create-job"), workbench=night)
    first = job["abs"][0]["ab"]
    run_json("process-ab", "-a", first, workbench=night)
    run_json("process-qc", "-a", first, workbench=night)
    found = run_json("account", "-d", DATE, workbench=night)
    (abs_,), (files,) = found["abs"], found["files"]
    assert (abs_["succeeded"], abs_["failed"], abs_["unaccounted"]) == (1, 0, 0)
    assert abs_["waiting"] == len(job["abs"]) - 1 == len(found["waiting"])
    assert all("it waits for" in row["waiting"] for row in found["waiting"])
    assert (files["unusable"], files["unaccounted"]) == (0, 0), "what is not FITS is of no instrument"
    assert files["files"] == files["in_abs"] + files["in_none"]
    assert sum(row["files"] for row in found["others"]) == files["in_none"]

    delays = run_json("delays", "-d", DATE, workbench=night)
    (done,) = [row for row in delays["abs"] if row["to_qc"] is not None]
    assert done["ab"] == first
    assert {row["stage"] for row in delays["stages"]} >= {"arrival", "queue", "recipe", "qc", "to_qc"}


def test_an_ab_of_which_there_is_no_trace_is_unaccounted_for(tmp_path: Path) -> None:
    bench = builders.build_workbench(tmp_path)
    with bench.store.write() as session:
        lost = builders.add_ab(session, 1)
        record_event(session, "create-ab", "ab_created", "1 raw frame", ab=lost)
        session.flush()
        session.delete(lost)
    answer = run_qcbench("account", workbench=tmp_path)
    assert answer.exit_code == NOT_DONE
    assert "Something is unaccounted for" in answer.stdout


def test_an_ab_that_fails_ends_its_command_with_20(night: Path, tmp_path: Path) -> None:
    own = shutil.copytree(night, tmp_path / "bench")
    run_qcbench("data-loader", "-t", "h", "-d", DATE, workbench=own)
    run_qcbench(*words("create-ab"), workbench=own)
    rows = run_json("get-status-ab", "-d", DATE, workbench=own)["abs"]
    dark = next(row["name"] for row in rows if row["raw_type"] == "DARK" and row["state"] != "processed")
    for file in [*own.glob("archive/raw/*/*.fits"), *own.glob("data/hawki/raw/*/*.fits")]:
        file.unlink()
    result = run_qcbench("process-ab", "-a", dark, workbench=own)
    assert result.exit_code == 20
    assert f"{dark}: failed: " in result.stdout
    assert "qcbench serve" in result.stdout.splitlines()[-1]


def test_nothing_is_distributed_before_it_is_certified(empty: Path) -> None:
    for name in ("move-products", "rename-products", "ingest-products"):
        result = run_qcbench(*words(name), workbench=empty)
        assert result.exit_code == 0
        assert result.stdout.startswith("Nothing was left to do")
        assert f"There is nothing of {DATE}" in result.stdout.splitlines()[-1]


def test_a_date_without_frames_says_how_to_load_them(empty: Path) -> None:
    result = run_qcbench(*words("create-ab"), workbench=empty)
    assert result.stdout.splitlines()[-1] == (
        f"There is nothing of {DATE}: no frames were loaded and there are no ABs. "
        f"If the archive has got frames of it: qcbench data-loader -t h -d {DATE}"
    )


def test_all_instruments_are_worked_on_unless_one_is_named(tmp_path: Path) -> None:
    root = tmp_path / "bench"
    assert run_qcbench("init", str(root)).exit_code == 0
    both = run_json("data-loader", "-t", "h", "-d", DATE, workbench=root)["frames"]
    one = run_json("data-loader", "-t", "h", "-d", DATE, "--instrument", "hawki", workbench=root)["frames"]
    assert len(both) > 1
    assert [row["instrument"] for row in one] == ["hawki"]


def test_init_keeps_what_is_there(empty: Path) -> None:
    settings = empty / "qcbench.toml"
    settings.write_text(settings.read_text().replace("timeout_s = 1800", "timeout_s = 60"))
    assert run_qcbench("init", str(empty)).exit_code == 0
    assert run_qcbench("init", "--upgrade", workbench=empty).exit_code == 0
    assert "timeout_s = 60" in settings.read_text()


def test_simulated_frames_go_to_an_archive_without_a_workbench(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    given = ["--instrument", "efosc2", "--start", DATE, "--window", "64", "--archive", str(archive)]
    result = run_qcbench("simulate", *given)
    assert result.exit_code == 0
    assert len(list(archive.glob(f"raw/{DATE}/*.fits"))) > 5


def test_an_unknown_anomaly_lists_those_that_there_are(tmp_path: Path) -> None:
    given = ["--instrument", "hawki", "--start", DATE, "--archive", str(tmp_path), "--anomalies", "rain"]
    result = run_qcbench("simulate", *given)
    assert result.exit_code == 3
    assert "noise-jump" in result.stderr


def test_the_doctor_ends_with_1_if_something_needed_is_missing(empty: Path) -> None:
    assert run_qcbench("doctor", workbench=empty).exit_code == 0
    (empty / "archive" / "raw").rmdir()
    result = run_qcbench("doctor", workbench=empty)
    assert result.exit_code == 1
    assert f"{empty / 'archive' / 'raw'} is not there" in result.stdout
    assert run_json("doctor", workbench=empty)["hints"][0]["name"] == "archive"


def test_of_several_decisions_those_that_are_refused_are_named(empty: Path) -> None:
    given = ["--certify", "A", "--certify", "B", "--json"]
    result = run_qcbench("certify-products", *given, workbench=empty)
    assert result.exit_code == 20
    assert [row["ab"] for row in json.loads(result.stdout)["refused"]] == ["A.ab", "B.ab"]


@pytest.mark.long
def test_a_night_from_its_job_to_its_end(night: Path, tmp_path: Path) -> None:
    night = shutil.copytree(night, tmp_path / "bench")
    run_qcbench("data-loader", "-t", "h", "-d", DATE, workbench=night)
    run_qcbench(*words("create-ab"), workbench=night)
    job = run_json(*words("create-job"), "--run", workbench=night)["jobs"][0]
    assert job["waiting"] == 0
    run_json(*words("certify-products"), workbench=night)
    for row in run_json("certify-products", "--list", "-d", DATE, workbench=night)["queue"]:
        verdict = "--reject" if row["tag"] == "failed" else "--certify"
        result = run_qcbench("certify-products", verdict, row["ab"], "--comment", "seen", workbench=night)
        assert result.exit_code == 0
    for name in ("move-products", "rename-products", "ingest-products", "update-ab"):
        assert run_qcbench(*words(name), workbench=night).exit_code == 0
    assert run_json("finish-night", "-d", DATE, workbench=night)["nights"][0]["finished"] is True
    assert run_json("audit", workbench=night)["differences"] == []
    archived = next((night / "archive" / "products").glob("*.fits"))
    archived.write_bytes(b"")
    assert run_qcbench("audit", workbench=night).exit_code == 13


def test_a_date_without_anything_gets_no_page_and_auto_daily_says_so(empty: Path) -> None:
    shown = run_json("get-status-ab", "-d", DATE, workbench=empty)
    assert (shown["abs"], shown["monitors"]) == ([], [])
    assert list(empty.glob("data/hawki/logs/*/*")) == []
    daily = run_json("auto-daily", "-d", DATE, workbench=empty)
    assert daily["next"] == f"There is nothing of {DATE}: the archive has no frames of it"


def test_scored_abs_are_to_be_certified_before_they_are_moved(tmp_path: Path) -> None:
    bench = builders.build_workbench(tmp_path / "bench")
    with bench.store.write() as session:
        builders.add_ab(session, 1.0, state=ABState.SCORED)
    bench.close()
    todo = f"1 AB to be certified: qcbench certify-products -d {builders.DATE} -m CALIB"
    for name in ("move-products", "rename-products", "ingest-products"):
        assert run_json(name, "-d", str(builders.DATE), workbench=tmp_path / "bench")["next"] == todo


def test_simulated_nights_are_of_the_instrument_of_the_workbench(empty: Path, tmp_path: Path) -> None:
    archive = tmp_path / "other"
    given = ["--start", DATE, "--window", "64", "--archive", str(archive)]
    rows = run_json("simulate", *given, workbench=empty)["simulated"]
    assert [row["instrument"] for row in rows] == ["hawki"]
    assert list(archive.glob(f"raw/{DATE}/HAWKI.*.fits"))


def test_a_demonstration_is_served_with_the_command_that_it_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert Path(program()).is_file()
    monkeypatch.setenv("PATH", str(Path(program()).parent))
    assert program() == "qcbench"
