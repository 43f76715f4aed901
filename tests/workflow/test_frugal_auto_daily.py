"""With little room on disk autoDaily ends as with plenty: raw frames come when they are wanted, and go."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy import func, select

from qcbench.archive import LocalArchive
from qcbench.association import create_abs, load_headers, scan_archive
from qcbench.processing.room import Room
from qcbench.reports.report import _bring_to_scores
from qcbench.store import ABInput, AssociationBlock, Event, Frame
from qcbench.workbench import Workbench, open_workbench
from qcbench.workflow import auto_daily
from tests.nights import NIGHT, PYTHON_ENGINE, simulated_workbench
from tests.workflow.state import archived_pixels, files, rows
from tests.workflow.test_auto_daily import states
from tests.workflow.test_killed_auto_daily import end, start

ANOMALIES = ("rotten-pixels", "not-fits", "noise-jump")
FRUGAL = {
    **PYTHON_ENGINE,
    "QCBENCH_PROCESSING_WORKERS": "2",
    "QCBENCH_PROCESSING_KEEP_RAW": "false",
    "QCBENCH_ARCHIVE_STREAMS": "2",
}


def plenty(root: Path, nights: int) -> Workbench:
    """Process nights with room for everything."""
    bench = simulated_workbench(root, nights=nights, anomalies=ANOMALIES)
    auto_daily(bench, through="ingested", show=False)
    return bench


@pytest.fixture
def from_another_volume(monkeypatch):
    """The archive is on another volume: its frames have to be transferred."""
    monkeypatch.setattr(LocalArchive, "link_raw", lambda self, uri, target: False)


def largest_ab(bench: Workbench) -> int:
    """Bytes on disk of the AB that takes most."""
    with bench.store.read() as session:
        query = (
            select(func.sum(Frame.size))
            .join(ABInput, ABInput.frame_id == Frame.id)
            .join(ABInput.ab)
            .where(AssociationBlock.mode == "CALIB", AssociationBlock.recipe != "NONE")
            .group_by(AssociationBlock.id)
        )
        return Room.wanted(max(session.scalars(query)))


def on_disk(root: Path) -> int:
    """Bytes of raw frames, reduced data and working folders."""
    total = 0
    for folder in (*root.glob("data/*/raw"), *root.glob("data/*/reduced"), root / "work"):
        for parent, _, names in os.walk(folder):
            for name in names:
                with suppress(FileNotFoundError):
                    total += Path(parent, name).stat().st_size
    return total


@contextmanager
def watched(root: Path) -> Iterator[list[int]]:
    """Watch what is taken on disk; the list gets the most that was seen, and how often was looked."""
    over, seen = threading.Event(), [0, 0]

    def watch() -> None:
        while not over.wait(0.002):
            seen[0] = max(seen[0], on_disk(root))
            seen[1] += 1

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def without_raw(names: set[str]) -> set[str]:
    return {name for name in names if not (name.startswith("data/") and "/raw/" in name)}


def same_end(frugal: Workbench, plenty: Workbench) -> None:
    assert rows(frugal) == rows(plenty)
    assert archived_pixels(frugal) == archived_pixels(plenty)
    assert without_raw(files(frugal.settings.root)) - {"monitor/disk-room.json"} == without_raw(
        files(plenty.settings.root)
    )
    assert list(frugal.settings.root.glob("data/*/raw/*/*")) == [], "no AB needs a frame any more"


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("nights", "times"),
    [(1, 1.02), pytest.param(3, 1.02, marks=pytest.mark.long), pytest.param(3, 2.5, marks=pytest.mark.long)],
)
def test_with_a_small_budget_it_ends_as_with_plenty_and_stays_within(
    tmp_path, from_another_volume, nights, times
):
    whole = plenty(tmp_path / "plenty", nights)
    budget = times * largest_ab(whole)
    environ = {**FRUGAL, "QCBENCH_PROCESSING_DISK_BUDGET_MB": str(budget / 2**20)}
    frugal = simulated_workbench(tmp_path / "wb", nights=nights, anomalies=ANOMALIES, environ=environ)
    with watched(tmp_path / "wb") as seen:
        auto_daily(frugal, through="ingested", show=False)
    assert seen[1] > 100
    assert 0 < seen[0] <= budget
    same_end(frugal, whole)
    with frugal.store.read() as session:
        assert session.scalars(select(Event.message).where(Event.flag == "ab_problem")).all() == []


def test_room_that_a_report_makes_is_used_in_the_same_call(tmp_path, monkeypatch):
    """ABs that a killed call left scored keep their raw frames until they have their reports."""
    root = tmp_path / "wb"
    bench = simulated_workbench(root, window=128, environ=FRUGAL)
    scan_archive(bench)
    load_headers(bench, "hawki", NIGHT)
    create_abs(bench, "hawki", NIGHT)
    budget = {"QCBENCH_PROCESSING_DISK_BUDGET_MB": str(1.2 * largest_ab(bench) / 2**20)}
    bench = open_workbench(root, {**FRUGAL, **budget})
    with monkeypatch.context() as without_reports:
        without_reports.setattr(import_module("qcbench.workflow.job"), "process_qc", _bring_to_scores)
        auto_daily(bench, through="scored", show=False)
    left = states(bench)
    assert {"scored", "queued"} <= set(left.values())
    auto_daily(bench, through="scored", show=False)
    assert set(states(bench).values()) == {"scored"}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_kills_change_nothing_in_how_it_ends(tmp_path, monkeypatch):
    whole = plenty(tmp_path / "plenty", 1)
    budget = 1.5 * largest_ab(whole)
    environ = {**FRUGAL, "QCBENCH_PROCESSING_DISK_BUDGET_MB": str(budget / 2**20)}
    for key, value in environ.items():
        monkeypatch.setenv(key, value)
    simulated_workbench(tmp_path / "wb", nights=1, anomalies=ANOMALIES, environ=environ)
    moments, kills = random.Random(20261128), 0
    while kills < 40 and end(start(tmp_path / "wb"), moments.uniform(0.5, 5.0)):
        kills += 1
    assert kills > 5
    end(start(tmp_path / "wb"), 300)
    same_end(open_workbench(tmp_path / "wb", environ), whole)
