"""autoDaily: all that needs no person, for all open dates; called again it changes nothing."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
from astropy.io import fits
from sqlalchemy import select

from qcbench.association import create_abs, intake, load_headers
from qcbench.core.dates import utc_now
from qcbench.core.errors import BusyError, FileWriteError, StoreError
from qcbench.core.locks import exclusive
from qcbench.processing import create_job
from qcbench.store import AssociationBlock, Decision, Event, Product, record_event
from qcbench.store.delays import delays_of
from qcbench.workbench import Workbench, open_workbench
from qcbench.workflow import auto_daily, open_dates, run_job
from tests.nights import NIGHT, PYTHON_ENGINE, simulated_workbench
from tests.workflow.state import files, rows, stamps

job = import_module("qcbench.workflow.job")
ANOMALIES = ("rotten-pixels", "not-fits")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """A night that went all the way, with a frame that is rotten and a file that is none."""
    bench = simulated_workbench(tmp_path_factory.mktemp("night") / "wb", window=128, anomalies=ANOMALIES)
    auto_daily(bench, through="ingested", show=False)
    return bench


def states(bench: Workbench) -> dict[str, str]:
    with bench.store.read() as session:
        # what has no recipe is listed only
        query = select(AssociationBlock.name, AssociationBlock.state).where(AssociationBlock.recipe != "NONE")
        return {name: state for name, state in session.execute(query)}  # noqa: C416 (rows, not pairs)


def test_every_ab_ends_ingested_or_waits_for_a_person(finished):
    found = sorted(states(finished).values())
    assert set(found) <= {"ingested", "scored", "failed"}
    assert found.count("failed") == 1, "the flat with the rotten frame"
    assert found.count("ingested") >= 1
    with finished.store.read() as session:
        scored = session.scalars(select(AssociationBlock).where(AssociationBlock.state == "scored")).all()
    assert all(ab.review for ab in scored), "what was not certified says why it is offered for review"


def test_what_was_certified_without_a_person_says_so(finished):
    with finished.store.read() as session:
        decisions = session.scalars(select(Decision)).all()
    assert decisions
    assert all(decision.automatic and decision.verdict == "certified" for decision in decisions)


def test_every_processed_ab_has_its_report(finished):
    with finished.store.read() as session:
        made = session.scalars(
            select(AssociationBlock).where(AssociationBlock.state.in_(["scored", "ingested"]))
        ).all()
    assert len(made) == 5
    assert all(Path(ab.report_path).is_file() for ab in made)


def test_of_every_scored_ab_all_delays_are_known(finished):
    with finished.store.read() as session:
        found = {item.ab: item for item in delays_of(session, "hawki", NIGHT)}
    scored = {name for name, state in states(finished).items() if state in ("scored", "ingested")}
    assert scored
    for name in scored:
        parts = vars(found[name].delays)
        assert None not in parts.values(), parts
        assert min(parts.values()) >= 0
        assert found[name].delays.to_qc == pytest.approx(sum(parts.values()) - parts["report"])


def test_the_archive_holds_exactly_the_certified_products(finished):
    with finished.store.read() as session:
        ids = session.scalars(select(Product.dp_id).where(Product.location == "archive")).all()
    assert sorted(finished.archive.list_products()) == sorted(ids)
    assert ids


def test_the_status_flags_of_the_day_are_there(finished):
    with finished.store.read() as session:
        flags = set(session.scalars(select(Event.flag).where(Event.dfo_date == NIGHT)))
    assert {"report_Exist", "cal_AB", "cal_Queued", "cal_QC", "ab_ingested"} <= flags
    assert "cal_Certif" not in flags, "ABs of this date still wait for a person"


def test_calling_it_again_changes_nothing(finished):
    before = rows(finished), stamps(finished.settings.root)
    events = _events(finished)
    auto_daily(finished, through="ingested", show=False)
    assert rows(finished) == before[0]
    assert stamps(finished.settings.root) == before[1]
    assert _events(finished) == events


def _events(bench: Workbench) -> int:
    with bench.store.read() as session:
        return len(session.scalars(select(Event.id)).all())


def test_the_younger_of_two_gives_way(finished):
    with (
        exclusive(finished.tree.locks, "auto-daily"),
        pytest.raises(BusyError, match="another auto-daily is running"),
    ):
        auto_daily(finished, show=False)
    with finished.store.read() as session:
        said = session.scalars(select(Event).where(Event.flag == "busy")).all()
    assert [(event.tool, event.level) for event in said] == [("auto-daily", "info")]


def test_it_stops_before_certification_unless_it_is_told_otherwise(tmp_path):
    bench = simulated_workbench(tmp_path)
    auto_daily(bench, show=False)
    assert set(states(bench).values()) == {"scored"}
    with bench.store.read() as session:
        assert not session.scalars(select(Decision)).all()


def test_a_stage_that_can_not_be_carried_out_does_not_stop_the_others(tmp_path):
    bench = simulated_workbench(tmp_path)
    listings = bench.data("hawki").listings
    shutil.rmtree(listings.parent)
    listings.parent.write_text("a file where a folder is needed")
    result = auto_daily(bench, show=False)
    assert any(
        "create-report" in problem and "can't be written" in problem for problem in result.dates[0].problems
    )
    assert set(states(bench).values()) == {"scored"}
    with bench.store.read() as session:
        said = session.scalars(select(Event).where(Event.flag == "stage_problem")).all()
    assert len(said) == 1, "a problem that lasts is one event"


def test_a_finished_date_is_not_open_any_more(tmp_path):
    bench = simulated_workbench(tmp_path)
    auto_daily(bench, dates=[], show=False)
    assert open_dates(bench, "hawki") == [NIGHT]
    with bench.store.write() as session:
        record_event(session, "finish-night", "finished", "", instrument="hawki", date=NIGHT)
    assert open_dates(bench, "hawki") == []
    folder = bench.settings.archive_path / "raw" / NIGHT.isoformat()
    first = sorted(folder.iterdir())[0]
    with fits.open(first) as hdus:
        hdus[0].header["ARCFILE"] = "HAWKI.2026-11-16T23:59:59.999.fits"
        hdus.writeto(folder / "late.fits")
    auto_daily(bench, dates=[], show=False)
    assert open_dates(bench, "hawki") == [NIGHT], "a file that comes late opens the date again"


def test_a_file_that_comes_after_the_clock_was_set_back_opens_a_finished_date_again(tmp_path, monkeypatch):
    bench = simulated_workbench(tmp_path)
    late = bench.settings.archive_path / "late.fits"
    folder = bench.settings.archive_path / "raw" / NIGHT.isoformat()
    sorted(folder.iterdir())[0].rename(late)
    auto_daily(bench, dates=[], show=False)
    with bench.store.write() as session:
        record_event(session, "finish-night", "finished", "", instrument="hawki", date=NIGHT)
    late.rename(folder / late.name)
    yesterday = utc_now() - dt.timedelta(days=1)
    monkeypatch.setattr(intake, "utc_now", lambda: yesterday)
    auto_daily(bench, dates=[], show=False)
    assert open_dates(bench, "hawki") == [NIGHT]


def test_what_a_killed_process_left_goes_also_where_files_have_no_date(tmp_path):
    bench = simulated_workbench(tmp_path)
    left = [folder / ".tmp-a.html-1" for folder in bench.data("hawki").undated]
    for path in left:
        path.write_text("half")
        os.utime(path, (0, 0))
    auto_daily(bench, dates=[], show=False)
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize(
    "failure", [StoreError("the database is locked"), FileWriteError("the disk is full")]
)
def test_texts_that_can_not_be_written_end_no_job(tmp_path, monkeypatch, failure):
    bench = simulated_workbench(tmp_path)
    auto_daily(bench, dates=[], show=False)
    load_headers(bench, "hawki", NIGHT)
    create_abs(bench, "hawki", NIGHT)
    create_job(bench, "hawki", NIGHT)
    tried = []

    def fail(_bench):
        tried.append(True)
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(job, "_TEXTS_S", -1.0)
        patch.setattr(Workbench, "write_texts", fail)
        patch.setattr(job, "process_ab", lambda *_, **__: SimpleNamespace(ok=True))
        ended = run_job(bench, "hawki", NIGHT, show=False)
    assert tried
    assert ended.done


def test_a_workbench_may_be_opened_again_and_goes_on(tmp_path):
    root = tmp_path / "wb"
    bench = simulated_workbench(root)
    auto_daily(bench, through="scored", show=False)
    bench.close()
    again = open_workbench(root, PYTHON_ENGINE)
    auto_daily(again, through="ingested", show=False)
    assert "ingested" in states(again).values()
    assert any(name.startswith("archive/products/M.HAWKI.") for name in files(root))
