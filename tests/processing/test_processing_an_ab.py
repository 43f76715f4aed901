"""processAB: pixels on demand, QC0, the recipe in a private folder, products in the certification area."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import psutil
import pytest
from astropy.io import fits
from sqlalchemy import select
from sqlalchemy.orm import selectinload

import qcbench
from qcbench.association import create_abs, load_headers, scan_archive
from qcbench.certification import decide
from qcbench.core.errors import (
    DecisionError,
    FileWriteError,
    NotFoundError,
    RecipeError,
    TransitionError,
    WaitingError,
)
from qcbench.core.files import sha256
from qcbench.processing import create_job, process_ab, queued_cascade, recover_interrupted
from qcbench.processing.claims import claim
from qcbench.processing.engines import RecipeJob, RecipeResult
from qcbench.store import ABState, AssociationBlock, Event, RecipeRun, advance
from qcbench.workbench import Workbench
from tests.builders import add_ab, add_dark, build_workbench, find_ab, use_calibration
from tests.nights import NIGHT, simulated_workbench


def prepared(root: Path, **options: object) -> Workbench:
    bench = simulated_workbench(root, **options)
    scan_archive(bench)
    load_headers(bench, "hawki", NIGHT)
    create_abs(bench, "hawki", NIGHT)
    create_job(bench, "hawki", NIGHT)
    return bench


def ab_of(bench: Workbench, raw_type: str, setup: str | None = None) -> AssociationBlock:
    with bench.store.read() as session:
        query = (
            select(AssociationBlock)
            .options(selectinload(AssociationBlock.products), selectinload(AssociationBlock.inputs))
            .where(AssociationBlock.raw_type == raw_type)
            .order_by(AssociationBlock.mjd_obs)
        )
        return next(ab for ab in session.scalars(query) if setup in (None, ab.setup))


def state_of(bench: Workbench, name: str) -> str:
    with bench.store.read() as session:
        return session.scalars(select(AssociationBlock.state).where(AssociationBlock.name == name)).one()


class Scripted:
    """An engine whose recipe does what a test wants, with the real files around it."""

    name = "python"

    def __init__(self, act):
        self.act = act

    def problem(self, recipe: str) -> None:
        return None

    def version(self, recipe: str) -> str:
        return f"scripted {recipe}"

    def run(self, job: RecipeJob) -> RecipeResult:
        job.log.write_text("log of the recipe\n")
        return self.act(job)


def engine(act) -> dict[str, Scripted]:
    return {"python": Scripted(act)}


def write_product(
    job: RecipeJob,
    category: str = "MASTER_DARK",
    *,
    name: str = "out.fits",
    pixels: Sequence[float] = (1.0, 2.0),
    own: str | None = "",
) -> tuple[Path, str]:
    """Write a product of a category; its header says so too, or what a test wants, or nothing (None)."""
    path = job.output_dir / name
    hdu = fits.PrimaryHDU([list(pixels)])
    if own is not None:
        hdu.header["HIERARCH ESO PRO CATG"] = own or category
    hdu.writeto(path)
    return path, category


def test_products_are_in_the_certification_area_under_the_predicted_name(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    result = process_ab(bench, dark.name)
    assert result.ok, result.reason
    (product,) = ab_of(bench, "DARK").products
    assert Path(product.path) == bench.data("hawki").product("DARK", NIGHT) / product.pipefile
    assert product.location == "product"
    with fits.open(product.path) as hdus:
        assert hdus[0].header["ESO PRO CATG"] == "MASTER_DARK"
    assert state_of(bench, dark.name) == "processed"


def test_pixels_come_on_demand_and_the_working_folder_goes(tmp_path):
    bench = prepared(tmp_path)
    raw = bench.data("hawki").raw(NIGHT)
    assert not raw.exists()
    dark = ab_of(bench, "DARK")
    process_ab(bench, dark.name)
    assert len(list(raw.iterdir())) == 5
    assert list(bench.tree.work.iterdir()) == []


def test_the_log_of_the_recipe_is_kept(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    process_ab(bench, dark.name)
    log = Path(ab_of(bench, "DARK").log_path)
    assert log == bench.data("hawki").logs(NIGHT) / f"r.{dark.root_name}.log"
    assert "dark" in log.read_text()


def test_a_flat_is_processed_with_the_dark_of_its_cascade(tmp_path):
    bench = prepared(tmp_path)
    tasks = queued_cascade(bench, "hawki", NIGHT)
    flat = ab_of(bench, "FLAT_TWILIGHT")
    (parent,) = tasks[flat.name].parents
    assert parent == ab_of(bench, "DARK", "DIT10 NDIT1").name
    first = (
        rf"waits for .* {re.escape(parent)} \(queued\)\. First: qcbench process-ab -a {re.escape(parent)}$"
    )
    with pytest.raises(WaitingError, match=first):
        process_ab(bench, flat.name)
    assert state_of(bench, flat.name) == "queued"
    assert process_ab(bench, parent).ok
    late = process_ab(bench, flat.name)
    assert late.ok, late.reason
    folder = bench.data("hawki").product("FLAT_TWILIGHT", NIGHT)
    header = fits.getheader(folder / f"r.{flat.root_name}_0000.fits")
    assert header["ESO PRO REC1 CAL1 CATG"] == "MASTER_DARK"


@pytest.mark.parametrize(("state", "how"), [("failed", " --again"), ("queued", ""), ("processing", "")])
def test_a_master_of_an_ab_that_has_failed_or_is_queued_again_is_not_used(tmp_path, state, how):
    bench = build_workbench(tmp_path / "wb")
    dark = add_dark(bench, 1)
    with bench.store.write() as session:
        flat = add_ab(session, 2, raw_type="FLAT", state=ABState.FAILED)
        use_calibration(session, flat, find_ab(session, dark).products[0])
        find_ab(session, dark).state = state
        name = flat.name
    first = f"{name} waits for what it needs of {dark} ({state}). First: qcbench process-ab -a {dark}{how}"
    with pytest.raises(WaitingError, match=f"{re.escape(first)}$"):
        process_ab(bench, name, again=True)
    assert state_of(bench, name) == "failed"
    with bench.store.write() as session:
        find_ab(session, dark).state = ABState.PROCESSED
    assert claim(bench, name, again=True, parameters={}).state == "processing"


def test_an_ab_that_is_only_associated_is_not_waited_for(tmp_path):
    bench = build_workbench(tmp_path / "wb")
    dark = add_dark(bench, 1, state=ABState.FAILED)
    with bench.store.write() as session:
        flat = add_ab(session, 2, raw_type="FLAT", state=ABState.QUEUED)
        use_calibration(session, flat, find_ab(session, dark).products[0], role="MASSOC")
        name = flat.name
    assert claim(bench, name, again=False, parameters={}).state == "processing"


def test_an_unknown_ab_is_said(tmp_path):
    bench = prepared(tmp_path)
    with pytest.raises(NotFoundError, match=r"nothing\.ab: there is no such AB"):
        process_ab(bench, "nothing.ab")


def test_an_ab_is_processed_once(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    process_ab(bench, dark.name)
    with pytest.raises(TransitionError, match="can't go from 'processed' to 'processing'"):
        process_ab(bench, dark.name)


def test_rotten_pixels_never_reach_a_recipe(tmp_path):
    bench = prepared(tmp_path, anomalies=["rotten-pixels"])
    results = [process_ab(bench, ab_of(bench, "DARK", setup).name) for setup in ("DIT10 NDIT1",)]
    results += [process_ab(bench, name) for name, task in queued_cascade(bench, "hawki", NIGHT).items()]
    (bad,) = [result for result in results if not result.ok]
    assert "does not agree with its DATASUM" in bad.reason
    assert "Have it transferred again" in bad.reason


def test_a_truncated_frame_fails_its_ab_with_a_reason(tmp_path):
    bench = prepared(tmp_path, anomalies=["truncated-file"])
    process_ab(bench, ab_of(bench, "DARK", "DIT10 NDIT1").name)
    bad = [
        result
        for result in (process_ab(bench, name) for name in queued_cascade(bench, "hawki", NIGHT))
        if not result.ok
    ]
    assert len(bad) == 1
    assert "the file is truncated" in bad[0].reason


def test_an_ab_of_a_file_that_is_gone_fails_with_a_reason(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    folder = bench.settings.archive_path / "raw" / NIGHT.isoformat()
    (folder / dark.name.replace("_tpl.ab", ".fits")).unlink()
    result = process_ab(bench, dark.name)
    assert not result.ok
    assert "the archive has not got this raw file any more" in result.reason
    assert state_of(bench, dark.name) == "failed"


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (
            lambda job: RecipeResult(10, "the recipe ended with code 10: no frames", (), 0.1),
            "code 10: no frames",
        ),
        (lambda job: RecipeResult(0, None, (), 0.1), "wrote no MASTER_DARK"),
        (lambda job: RecipeResult(0, None, (write_product(job, "OTHER"),), 0.1), "wrote no MASTER_DARK"),
    ],
)
def test_a_recipe_that_fails_is_a_failed_ab_with_its_reason_and_log(tmp_path, act, reason):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    result = process_ab(bench, dark.name, engines=engine(act))
    assert not result.ok
    assert reason in result.reason
    failed = ab_of(bench, "DARK")
    assert (failed.state, failed.reason) == ("failed", result.reason)
    assert Path(failed.log_path).read_text() == "log of the recipe\n"
    assert "PROCESS_STATUS   FAILED" in (bench.data("hawki").logs(NIGHT) / dark.name).read_text()


def test_a_failed_ab_is_processed_once_more_only_when_somebody_asks(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    process_ab(bench, dark.name, engines=engine(lambda job: RecipeResult(1, "no", (), 0.1)))
    with pytest.raises(RecipeError, match=r"has failed \(no\).*process-ab -a .* --again"):
        process_ab(bench, dark.name)
    assert process_ab(bench, dark.name, again=True).ok
    assert ab_of(bench, "DARK").attempts == 2


def test_a_frame_that_was_mended_in_the_archive_is_fetched_again(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    path = bench.settings.archive_path / "raw" / NIGHT.isoformat() / dark.name.replace("_tpl.ab", ".fits")
    good = path.read_bytes()
    path.write_bytes(good[:20000] + b"\xff" * 100 + good[20100:])
    assert not process_ab(bench, dark.name).ok
    path.write_bytes(good)
    assert process_ab(bench, dark.name, again=True).ok


def test_a_product_that_can_not_be_read_fails_its_ab_and_touches_no_earlier_one(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    assert process_ab(bench, dark.name).ok
    fail_qc(bench, dark)
    before = content(bench.data("hawki").product("DARK", NIGHT))

    def act(job: RecipeJob) -> RecipeResult:
        path, category = write_product(job)
        path.write_bytes(path.read_bytes()[:2900])
        return RecipeResult(0, None, ((path, category),), 0.1, 33.0)

    result = process_ab(bench, dark.name, engines=engine(act), again=True)
    failed = ab_of(bench, "DARK")
    assert (failed.state, failed.reason) == ("failed", result.reason)
    assert "a product that is cut short" in result.reason
    assert Path(failed.log_path).read_text() == "log of the recipe\n"
    assert failed.engine == "python"
    run = runs_of(bench, dark.name)[-1]
    assert (run.exit_code, run.reason, run.peak_mb, run.outputs) == (0, result.reason, 33.0, [])
    (product,) = failed.products
    assert content(Path(product.path).parent) == before == {product.pipefile: product.sha256}


def fail_qc(bench: Workbench, ab: AssociationBlock) -> None:
    with bench.store.write() as session:
        advance(session, session.get_one(AssociationBlock, ab.id), ABState.FAILED, "process-qc", "no QC")


def content(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path) for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (RecipeError("its list can't be read"), "its list can't be read"),
        (
            ZeroDivisionError("nobody foresaw this"),
            "an unexpected error: ZeroDivisionError: nobody foresaw this",
        ),
    ],
)
def test_an_error_of_an_engine_fails_one_ab_and_is_said_with_the_log_and_the_run(tmp_path, problem, reason):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")

    def act(job: RecipeJob) -> RecipeResult:
        raise problem

    result = process_ab(bench, dark.name, engines=engine(act))
    failed = ab_of(bench, "DARK")
    assert result.reason == reason
    assert (failed.state, failed.engine) == ("failed", "python")
    assert Path(failed.log_path).read_text() == "log of the recipe\n"
    assert [run.reason for run in runs_of(bench, dark.name)] == [reason]


def test_an_interruption_while_a_failure_is_told_puts_the_ab_back_to_the_queue(tmp_path, monkeypatch):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("qcbench.processing.process_ab"), "keep_run", end)
    with pytest.raises(KeyboardInterrupt):
        process_ab(bench, dark.name, engines=engine(lambda job: RecipeResult(1, "no", (), 0.1)))
    assert state_of(bench, dark.name) == "queued"


def test_an_attempt_that_starts_no_recipe_shows_no_log_of_an_earlier_one(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    process_ab(bench, dark.name, engines=engine(lambda job: RecipeResult(1, "no", (), 0.1)))
    frame = dark.name.replace("_tpl.ab", ".fits")
    (bench.data("hawki").raw(NIGHT) / frame).unlink()
    path = bench.settings.archive_path / "raw" / NIGHT.isoformat() / frame
    good = path.read_bytes()
    path.write_bytes(good[:20000] + b"\xff" * 100 + good[20100:])
    assert not process_ab(bench, dark.name, again=True).ok
    failed = ab_of(bench, "DARK")
    assert (failed.state, failed.log_path, failed.engine) == ("failed", None, None)
    assert len(runs_of(bench, dark.name)) == 1


def test_rejected_products_are_made_again_where_the_raw_frames_are_good(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    process_ab(bench, dark.name, engines=engine(lambda job: RecipeResult(1, "no", (), 0.1)))
    decide(bench, dark.name, "rejected", by="ann", comment="a fault of the pipeline")
    assert process_ab(bench, dark.name, again=True).ok
    flat = ab_of(bench, "DETECTOR_NOISE")
    process_ab(bench, flat.name, engines=engine(lambda job: RecipeResult(1, "no", (), 0.1)))
    decide(bench, flat.name, "rejected", by="ann", comment="lamp off", scope="raw")
    with pytest.raises(DecisionError, match="raw frames were rejected by ann"):
        process_ab(bench, flat.name, again=True)


def test_a_recipe_whose_owner_was_killed_is_ended(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from qcbench.workbench import open_workbench\n"
        "from qcbench.processing import process_ab\n"
        "from qcbench.processing.running import Limits, run_process\n"
        "class Slow:\n"
        "    name = 'python'\n"
        "    def problem(self, recipe): return None\n"
        "    def version(self, recipe): return 'slow'\n"
        "    def run(self, job):\n"
        "        print('running', flush=True)\n"
        "        run_process(['sleep', '300'], cwd=job.work_dir, log=job.log, limits=Limits(600), env={})\n"
        "process_ab(open_workbench(Path(sys.argv[1]), os.environ), sys.argv[2], engines={'python': Slow()})\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), dark.name], stdout=subprocess.PIPE, text=True
    )
    assert "running\n" in iter(owner.stdout.readline, "")
    for _ in range(200):
        found = list(bench.tree.work.glob("*/recipe.pid"))
        if found and found[0].read_text():
            break
        time.sleep(0.05)
    recipe = psutil.Process(int(found[0].read_text().split(":")[1]))
    owner.kill()
    owner.wait()
    assert recipe.is_running()
    assert recover_interrupted(bench) == [dark.name]
    recipe.wait(10)
    assert list(bench.tree.work.iterdir()) == []


def test_a_folder_of_work_that_somebody_removed_is_made_again(tmp_path):
    bench = prepared(tmp_path)
    shutil.rmtree(bench.tree.work)
    assert recover_interrupted(bench) == []
    assert bench.tree.work.is_dir()


@pytest.mark.parametrize(
    ("own", "said"), [("MASTER_LITE", "has PRO.CATG MASTER_LITE"), (None, "has no PRO.CATG")]
)
def test_a_product_that_says_of_itself_that_it_is_something_else_fails_its_ab(tmp_path, own, said):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    act = lambda job: RecipeResult(0, None, (write_product(job, own=own),), 0.1)  # noqa: E731
    result = process_ab(bench, dark.name, engines=engine(act))
    assert result.reason == f"out.fits: the recipe lists it as MASTER_DARK, but its header {said}"
    assert ab_of(bench, "DARK").state == ABState.FAILED


def test_products_without_a_name_in_the_pack_are_left_out(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")

    def act(job: RecipeJob) -> RecipeResult:
        return RecipeResult(
            0, None, (write_product(job), write_product(job, "DEBUG", name="debug.fits")), 0.1
        )

    assert process_ab(bench, dark.name, engines=engine(act)).ok
    assert [product.pro_catg for product in ab_of(bench, "DARK").products] == ["MASTER_DARK"]


def test_an_incomplete_ab_is_refused_with_what_is_missing(tmp_path):
    bench = prepared(tmp_path)
    with bench.store.write() as session:
        ab = session.scalars(
            select(AssociationBlock).where(AssociationBlock.raw_type == "FLAT_TWILIGHT").limit(1)
        ).one()
        ab.completeness = "INCOMPLETE"
        ab.missing = [{"tag": "MASTER_DARK", "required": True, "line": 1, "why": "no MASTER_DARK fits"}]
        name = ab.name
    with pytest.raises(WaitingError, match=f"incomplete: no MASTER_DARK fits.*create-ab -d {NIGHT} -m CALIB"):
        process_ab(bench, name)
    assert state_of(bench, name) == "queued"


def test_one_that_the_rules_give_no_recipe_is_refused_and_stays_as_it_is(tmp_path):
    bench = prepared(tmp_path)
    standard = ab_of(bench, "STD")
    with pytest.raises(RecipeError, match=r"STD.*has no recipe in the rules"):
        process_ab(bench, standard.name)
    assert state_of(bench, standard.name) == "created"


def test_a_full_disk_is_no_fault_of_the_ab(tmp_path):
    environ = {"QCBENCH_PROCESSING_ENGINE": "python", "QCBENCH_PROCESSING_MIN_FREE_MB": "1e12"}
    bench = prepared(tmp_path, environ=environ)
    dark = ab_of(bench, "DARK")
    with pytest.raises(Exception, match=r"MiB are free.*min_free_mb"):
        process_ab(bench, dark.name)
    assert state_of(bench, dark.name) == "queued"


def test_an_unwritable_folder_puts_the_ab_back_to_the_queue(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    folder = bench.data("hawki").root / "raw"
    folder.rmdir()
    folder.write_text("a file where a folder is needed")
    with pytest.raises(FileWriteError, match="can't be written"):
        process_ab(bench, dark.name)
    assert state_of(bench, dark.name) == "queued"
    folder.unlink()
    assert process_ab(bench, dark.name).ok


def test_the_engine_that_ran_is_kept_and_why_not_a_better_one(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    process_ab(bench, dark.name)
    assert ab_of(bench, "DARK").engine == "python"
    with bench.store.read() as session:
        said = session.scalars(select(Event.message).where(Event.flag == "ab_processed")).one()
    assert "not esorex: the settings ask for python" in said


def test_an_ab_whose_process_was_killed_goes_back_to_the_queue(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    script = (
        "import sys, os, signal\n"
        "from pathlib import Path\n"
        "from qcbench.workbench import open_workbench\n"
        "from qcbench.processing import process_ab\n"
        "module = sys.modules['qcbench.processing.process_ab']\n"
        "def die(*args, **kwargs): os.kill(os.getpid(), signal.SIGKILL)\n"
        "module.copy_file = die\n"
        "process_ab(open_workbench(Path(sys.argv[1]), os.environ), sys.argv[2])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), dark.name], env={**os.environ}, check=False
    )
    assert ended.returncode == -9
    assert state_of(bench, dark.name) == "processing"
    assert len(list(bench.tree.work.iterdir())) == 1
    assert recover_interrupted(bench) == [dark.name]
    assert list(bench.tree.work.iterdir()) == []
    assert state_of(bench, dark.name) == "queued"
    assert process_ab(bench, dark.name).ok
    assert ab_of(bench, "DARK").attempts == 1, "a kill is no attempt of the AB"


def test_a_running_process_is_not_taken_for_a_killed_one(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    seen: list[list[str]] = []

    def act(job: RecipeJob) -> RecipeResult:
        seen.append(recover_interrupted(bench))
        return RecipeResult(0, None, (write_product(job),), 0.1)

    assert process_ab(bench, dark.name, engines=engine(act)).ok
    assert seen == [[]]


def test_the_job_file_lists_the_abs_in_an_order_in_which_they_can_run(tmp_path):
    bench = prepared(tmp_path)
    again = create_job(bench, "hawki", NIGHT)
    assert len(again.queued) == 6
    text = again.file.read_text()
    dark = ab_of(bench, "DARK", "DIT10 NDIT1").name
    flats = [name for name, task in queued_cascade(bench, "hawki", NIGHT).items() if task.parents]
    assert len(flats) == 2
    assert all(text.index(dark) < text.index(flat) for flat in flats)
    assert os.access(again.file, os.X_OK)
    assert state_of(bench, dark) == ABState.QUEUED


def test_tasks_know_how_long_earlier_abs_took_and_what_shows_the_health_of_the_instrument(tmp_path):
    bench = prepared(tmp_path)
    dark, flat = ab_of(bench, "DARK", "DIT10 NDIT1"), ab_of(bench, "FLAT_TWILIGHT", "J DIT10")
    with bench.store.write() as session:
        session.get_one(AssociationBlock, dark.id).exec_seconds = 42.0
        failed = session.get_one(AssociationBlock, flat.id)
        failed.exec_seconds, failed.reason = 1800.0, "it hung"
    tasks = queued_cascade(bench, "hawki", NIGHT)
    assert tasks[dark.name].seconds == 42.0
    assert tasks[flat.name].seconds == tasks[ab_of(bench, "DETECTOR_NOISE").name].seconds < 42.0
    urgent = {
        raw_type: tasks[ab_of(bench, raw_type).name].priority for raw_type in ("DARK", "DETECTOR_NOISE")
    }
    assert urgent == {"DARK": 1, "DETECTOR_NOISE": 0}, "the noise of a detector is a measure of performance"


def test_one_slow_night_does_not_change_how_long_a_recipe_is_expected_to_take(tmp_path):
    bench = prepared(tmp_path)
    names = sorted(queued_cascade(bench, "hawki", NIGHT))[:3]
    with bench.store.write() as session:
        for name, seconds in zip(names, (3.0, 900.0, 4.0), strict=True):
            ab = session.scalars(select(AssociationBlock).where(AssociationBlock.name == name)).one()
            ab.recipe, ab.setup, ab.exec_seconds = "hawki_cal_dark", "DIT99", seconds
    tasks = queued_cascade(bench, "hawki", NIGHT)
    assert {tasks[name].seconds for name in names} == {4.0}


def test_nothing_is_queued_for_a_date_without_data(tmp_path):
    bench = prepared(tmp_path)
    assert create_job(bench, "hawki", NIGHT + dt.timedelta(days=9)).queued == ()


def runs_of(bench: Workbench, name: str) -> list[RecipeRun]:
    with bench.store.read() as session:
        query = (
            select(RecipeRun)
            .join(RecipeRun.ab)
            .where(AssociationBlock.name == name)
            .order_by(RecipeRun.id)
            .options(selectinload(RecipeRun.files))
        )
        return list(session.scalars(query))


def test_a_run_is_kept_with_what_went_in_and_came_out(tmp_path):
    bench = prepared(tmp_path)
    flat = ab_of(bench, "FLAT_TWILIGHT", "J DIT10")
    dark = ab_of(bench, "DARK", "DIT10 NDIT1")
    assert process_ab(bench, dark.name).ok
    assert process_ab(bench, flat.name).ok
    (run,) = runs_of(bench, flat.name)
    (master,) = ab_of(bench, "DARK", "DIT10 NDIT1").products
    (used,) = [item for item in run.inputs if item.product_id]
    assert (used.product_id, used.name, used.tag) == (master.id, master.pipefile, "MASTER_DARK")
    assert (used.sha256, used.data_hash) == (master.sha256, master.data_hash)
    raw = [item.name for item in run.inputs if item.frame_id]
    assert sorted(raw) == sorted(frame_names(bench, flat))
    made = [(item.product_id, item.sha256, item.data_hash) for item in run.outputs]
    products = ab_of(bench, "FLAT_TWILIGHT", "J DIT10").products
    assert made == [(item.id, item.sha256, item.data_hash) for item in products]
    assert all(all(item) for item in made)
    assert run.versions["qcbench"] == qcbench.__version__
    assert run.versions[run.engine]
    assert (run.exit_code, run.reason) == (0, None)
    assert run.seconds > 0
    assert run.peak_mb > 0


def frame_names(bench: Workbench, ab: AssociationBlock) -> list[str]:
    with bench.store.read() as session:
        return [item.frame.arcfile for item in session.get_one(AssociationBlock, ab.id).inputs]


def test_each_attempt_is_a_run_with_its_reason(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    process_ab(bench, dark.name, engines=engine(lambda job: RecipeResult(10, "no frames", (), 0.1, 33.0)))
    assert process_ab(bench, dark.name, again=True).ok
    first, second = runs_of(bench, dark.name)
    assert (first.exit_code, first.reason, first.peak_mb, first.outputs) == (10, "no frames", 33.0, [])
    assert (second.reason, len(second.outputs)) == (None, 1)


def test_parameters_of_one_ab_go_to_its_recipe_and_stay_with_it(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    seen = []

    def fail(job: RecipeJob) -> RecipeResult:
        seen.append(dict(job.parameters))
        return RecipeResult(1, "no", (), 0.1)

    process_ab(bench, dark.name, engines=engine(fail), parameters={"method": "median", "clip": 3.5})
    process_ab(bench, dark.name, engines=engine(fail), again=True)
    process_ab(bench, dark.name, engines=engine(fail), again=True, parameters={"method": None})
    of_the_pack = {key: value for key, value in seen[2].items() if key != "clip"}
    assert seen[0] == seen[1] == {**of_the_pack, "method": "median", "clip": 3.5}
    assert ab_of(bench, "DARK").parameters == {"clip": 3.5}
    assert [run.parameters for run in runs_of(bench, dark.name)] == seen
    with bench.store.read() as session:
        told = session.scalars(select(Event.message).where(Event.flag == "ab_parameters")).all()
    assert told == ["parameters of its own: method=median, clip=3.5", "parameters of its own: clip=3.5"]


def test_a_name_that_no_parameter_can_have_is_refused_before_anything_changes(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    with pytest.raises(RecipeError, match=r"'a b' can't be the name of a parameter"):
        process_ab(bench, dark.name, parameters={"a b": 1})
    assert state_of(bench, dark.name) == "queued"
    assert ab_of(bench, "DARK").parameters == {}
