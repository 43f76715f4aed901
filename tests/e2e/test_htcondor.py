"""The cascade on real HTCondor daemons: the same as on one host, and what a failed AB or a killed pool changes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from qcbench.store import AssociationBlock, Event
from qcbench.workbench import Workbench
from tests.nights import PYTHON_ENGINE, simulated_workbench
from tests.workflow.state import archived_pixels, files, rows

pytestmark = [pytest.mark.condor, pytest.mark.long, pytest.mark.timeout(1800)]
REPOSITORY = Path(__file__).resolve().parents[2]
MINICONDOR = REPOSITORY / "jobs" / "minicondor.sh"
SETTINGS = PYTHON_ENGINE | {
    "QCBENCH_PROCESSING_MEMORY_MB": "2048",
    "QCBENCH_AUTO_DAILY_THROUGH": "ingested",
    "QCBENCH_CERTIFICATION_SAMPLE_FRACTION": "0",
    "QCBENCH_HTCONDOR_POLL_S": "0.5",
    "QCBENCH_HTCONDOR_PATIENCE_S": "5",
    "PYTHONPATH": str(REPOSITORY),
}
ON_POOL = {"QCBENCH_PROCESSING_CASCADE": "htcondor"}


def minicondor(what: str, *arguments: object) -> None:
    environment = os.environ | {"QCBENCH_POOL_CPUS": "2"}
    subprocess.run([MINICONDOR, what, *map(str, arguments)], check=True, timeout=280, env=environment)


@pytest.fixture(scope="module")
def pool() -> Iterator[Path]:
    folder = Path(os.environ.get("QCBENCH_MINICONDOR", REPOSITORY / ".tools" / "minicondor"))
    minicondor("install", folder)
    minicondor("start", folder)
    yield folder
    minicondor("stop", folder)


def started(bench: Workbench, pool: Path, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    """A command of qcbench that runs as a user from whom the pool takes jobs."""
    environment = os.environ | SETTINGS | settings | {"CONDOR_CONFIG": str(pool / "condor_config")}
    program = [MINICONDOR, "as-user", sys.executable, "-m", "qcbench", "-w", bench.settings.root]
    return subprocess.Popen(
        [*program, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def run(bench: Workbench, pool: Path, *arguments: str, **settings: str) -> tuple[int, str]:
    process = started(bench, pool, *arguments, **settings)
    said, _ = process.communicate(timeout=900)
    return process.returncode, said


def workbench(folder: Path) -> Workbench:
    return simulated_workbench(folder, window=128)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, pool: Path) -> Workbench:
    """The same night on one host, without a pool."""
    bench = workbench(tmp_path_factory.mktemp("local") / "wb")
    code, said = run(bench, pool, "auto-daily")
    assert code == 0, said
    return bench


def blocks(bench: Workbench) -> dict[str, AssociationBlock]:
    with bench.store.read() as session:
        query = select(AssociationBlock).where(AssociationBlock.recipe != "NONE")
        return {ab.name: ab for ab in session.scalars(query)}


def states(bench: Workbench) -> dict[str, str]:
    return {name: ab.state for name, ab in blocks(bench).items()}


def messages(bench: Workbench, flag: str) -> list[str]:
    with bench.store.read() as session:
        return list(session.scalars(select(Event.message).where(Event.flag == flag).order_by(Event.id)))


def wait_until_one_is(bench: Workbench, state: str) -> None:
    until = time.monotonic() + 240
    while state not in states(bench).values():
        assert time.monotonic() < until, f"no AB came to {state}: {states(bench)}"
        time.sleep(0.1)


def submitted(bench: Workbench) -> list[str]:
    return [text for text in messages(bench, "pool_job") if "are job" in text]


def assert_equal(bench: Workbench, undisturbed: Workbench) -> None:
    """Database, files, and pixels in the archive are those of the undisturbed run."""
    found, expected = rows(bench), rows(undisturbed)
    for table, content in expected.items():
        assert found[table] == content, table
    assert len(expected["abs"]) > 5
    assert files(bench.settings.root) == files(undisturbed.settings.root)
    pixels = archived_pixels(bench)
    assert pixels == archived_pixels(undisturbed)
    assert len(pixels) == 8


def kill_with_its_jobs(pool: Path, bench: Workbench) -> None:
    """End daemons and jobs at once, as a power cut of all hosts does."""
    minicondor("kill", pool)
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "process-job" in words and str(bench.settings.root) in words:
            process.kill()


def test_a_night_ends_as_on_one_host(tmp_path, pool, undisturbed):
    bench = workbench(tmp_path / "wb")
    code, said = run(bench, pool, "auto-daily", **ON_POOL)
    assert code == 0, said
    assert len(submitted(bench)) == 1
    assert_equal(bench, undisturbed)
    code, said = run(bench, pool, "doctor", **ON_POOL)
    assert code == 0, said
    assert re.search(r"HTCondor pool +it answers, with [1-9]\d* cores?", said), said
    left = [path for path in (bench.tree.jobs / "htcondor").rglob("*") if path.is_file()]
    assert left == [], "files of a DAG that ended well are removed"


def test_children_of_a_failed_ab_wait_and_run_when_it_is_mended(tmp_path, pool, undisturbed):
    bench = workbench(tmp_path / "wb")
    parent, children = "HAWKI.2026-11-17T12:00:20.062_tpl.ab", 2
    [rotten] = bench.settings.archive_path.rglob("HAWKI.2026-11-17T12:00:20.062.fits")
    good = rotten.read_bytes()
    rotten.write_bytes(good[:-30000] + b"rotten" + good[-29994:])
    # one stage after the other: auto-daily would look for another calibration at once
    date = ("-d", "2026-11-16")
    for command in (("data-loader", "-t", "h", *date), ("create-ab", "-m", "CALIB", *date)):
        code, said = run(bench, pool, *command)
        assert code == 0, said
    _, said = run(bench, pool, "create-job", "-m", "CALIB", "--run", *date, **ON_POOL)
    ended = blocks(bench)
    assert ended[parent].state == "failed"
    assert "DATASUM" in ended[parent].reason
    waiting = [name for name, ab in ended.items() if ab.state == "queued"]
    assert len(waiting) == children, said
    assert all(ended[name].attempts == 0 for name in waiting), "they were not begun"
    assert sorted(ab.state for ab in ended.values()).count("scored") == len(ended) - 1 - children, said
    assert [*map(int, said.splitlines()[1].split()[-3:])] == [len(ended) - 1 - children, 1, children], said

    rotten.write_bytes(good)
    code, said = run(bench, pool, "process-ab", "-a", parent, "--again")
    assert code == 0, said
    code, said = run(bench, pool, "auto-daily", **ON_POOL)
    assert code == 0, said
    assert states(bench) == states(undisturbed)
    assert archived_pixels(bench) == archived_pixels(undisturbed)
    assert blocks(bench)[parent].attempts == 2


def test_a_pool_that_is_killed_is_said_and_loses_nothing(tmp_path, pool, undisturbed):
    bench = workbench(tmp_path / "wb")
    running = started(bench, pool, "auto-daily", **ON_POOL)
    wait_until_one_is(bench, "processing")
    kill_with_its_jobs(pool, bench)
    try:
        said, _ = running.communicate(timeout=300)
        assert "HTCondor pool does not answer" in said
        assert running.returncode == 20
        assert "processing" not in states(bench).values()
        code, said = run(bench, pool, "auto-daily", **ON_POOL)
        assert (code, "HTCondor pool does not answer" in said) == (20, True), said
    finally:
        minicondor("start", pool)
    code, said = run(bench, pool, "auto-daily", **ON_POOL)
    assert code == 0, said
    assert len(submitted(bench)) == 1, "the job of before was found again"
    assert_equal(bench, undisturbed)


def test_a_pool_that_is_back_soon_goes_on(tmp_path, pool, undisturbed):
    bench = workbench(tmp_path / "wb")
    running = started(bench, pool, "auto-daily", **ON_POOL, QCBENCH_HTCONDOR_PATIENCE_S="120")
    wait_until_one_is(bench, "processing")
    # the recipes outlive their daemons here: the new jobs must not begin them a second time
    minicondor("kill", pool)
    minicondor("start", pool)
    said, _ = running.communicate(timeout=900)
    assert running.returncode == 0, said
    assert_equal(bench, undisturbed)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_call_that_is_ended_leaves_its_job_to_the_next_one(tmp_path, pool, undisturbed, number):
    bench = workbench(tmp_path / "wb")
    running = started(bench, pool, "auto-daily", **ON_POOL)
    wait_until_one_is(bench, "processing")
    running.send_signal(number)
    said, _ = running.communicate(timeout=60)
    if number == signal.SIGTERM:
        assert running.returncode == 143
        assert "stays with HTCondor" in messages(bench, "pool_job")[-1], said
    code, said = run(bench, pool, "auto-daily", **ON_POOL)
    assert code == 0, said
    assert "of an earlier call" in messages(bench, "pool_job")[-1]
    assert len(submitted(bench)) == 1, "no second one was submitted"
    assert_equal(bench, undisturbed)


@pytest.mark.parametrize(
    ("line", "expected"),
    [("request_memory = (", "Parse error in expression"), ("executable = /bin/false", "ended with code 1")],
    ids=["pool takes no job", "jobs end at once"],
)
def test_jobs_that_can_not_run_are_tried_once_and_the_reason_is_said(tmp_path, pool, line, expected):
    bench = workbench(tmp_path / "wb")
    code, said = run(bench, pool, "auto-daily", **ON_POOL, QCBENCH_HTCONDOR_SUBMIT=line)
    assert code == 20, said
    assert len(submitted(bench)) == 1, "not in each pass"
    lost = messages(bench, "ab_problem")
    assert lost, said
    assert all(expected in text for text in lost), lost
    [problem] = [text for text in messages(bench, "stage_problem") if text.startswith("cascade: ")]
    assert expected in problem
    assert list((bench.tree.jobs / "htcondor" / "lost").glob("hawki_CALIB_2026-11-16/*.dagman.out"))
    assert set(states(bench).values()) == {"queued"}
    assert {ab.attempts for ab in blocks(bench).values()} == {0}


def test_an_ab_that_no_host_has_the_memory_for_stays_in_the_queue(tmp_path, pool):
    bench = workbench(tmp_path / "wb")
    code, said = run(bench, pool, "auto-daily", **ON_POOL, QCBENCH_PROCESSING_MEMORY_MB="1e9")
    assert (code, submitted(bench)) == (0, []), said
    assert set(states(bench).values()) == {"queued"}
    problems = messages(bench, "ab_problem")
    assert len(problems) == len(blocks(bench)), "once for each, in all passes"
    assert all("may take 1000000000 MiB of memory" in text for text in problems), problems


def test_jobs_that_wait_and_never_run_are_said_and_can_be_removed(tmp_path, pool):
    bench = workbench(tmp_path / "wb")
    never = {"QCBENCH_HTCONDOR_SUBMIT": "requirements = (1 == 2)", "QCBENCH_HTCONDOR_IDLE_S": "3"}
    running = started(bench, pool, "auto-daily", **ON_POOL, **never)
    until = time.monotonic() + 240
    while not (still := [text for text in messages(bench, "pool_job") if "-better-analyze" in text]):
        assert time.monotonic() < until, messages(bench, "pool_job")
        time.sleep(0.5)
    [number] = re.findall(r"-dag (\d+)", still[0])
    environment = os.environ | {"CONDOR_CONFIG": str(pool / "condor_config")}
    remove = next(pool.rglob("condor_rm"))
    subprocess.run([MINICONDOR, "as-user", remove, number], check=True, env=environment)
    said, _ = running.communicate(timeout=300)
    assert running.returncode == 20, said
    assert len([text for text in messages(bench, "pool_job") if "-better-analyze" in text]) == 1
    assert set(states(bench).values()) == {"queued"}
