"""The delays of an AB, from its last file to its QC parameters and report, follow from its events."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from qcbench.store import ArchiveFile, Event
from qcbench.store.delays import Delays, delays_of
from qcbench.workbench import Workbench
from tests.builders import DATE, INSTRUMENT, add_ab, add_frame, build_workbench

T0 = dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC)
WAY = (
    ("ab_queued", 100),
    ("ab_processing", 130),
    ("ab_processed", 190),
    ("ab_measured", 192),
    ("ab_scored", 192),
)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return build_workbench(tmp_path)


def at(seconds: float) -> dt.datetime:
    return T0 + dt.timedelta(seconds=seconds)


def add_moments(bench: Workbench, *moments: tuple[str, float], seen: tuple[float, ...] = (0.0, 60.0)) -> None:
    """One AB of as many frames as were seen, each available a quarter of a minute before, with its events."""
    with bench.store.write() as session:
        frames = [add_frame(session, 1 + number / 100) for number, _ in enumerate(seen)]
        for frame, seconds in zip(frames, seen, strict=True):
            session.add(
                ArchiveFile(
                    uri=frame.uri,
                    size=frame.size,
                    stamp=frame.stamp,
                    instrument=INSTRUMENT,
                    dfo_date=DATE,
                    arcfile=frame.arcfile,
                    available_at=at(seconds - 15),
                    seen_at=at(seconds),
                )
            )
        ab = add_ab(session, 1, frames=frames)
        session.add_all(
            Event(
                at=at(seconds),
                tool="test",
                flag=flag,
                level="info",
                instrument=INSTRUMENT,
                dfo_date=DATE,
                ab_name=ab.name,
                message="",
                user="test",
            )
            for flag, seconds in moments
        )


def delays(bench: Workbench) -> Delays:
    with bench.store.read() as session:
        (found,) = delays_of(session, INSTRUMENT, DATE)
        return found.delays


def test_each_stage_has_its_part_and_together_they_are_the_whole(bench: Workbench) -> None:
    add_moments(bench, *WAY, ("ab_reported", 195))
    assert delays(bench) == Delays(arrival=15, association=40, queue=30, recipe=60, qc=2, report=3)
    assert delays(bench).to_qc == 192 - 60 + 15


def test_what_is_not_over_has_no_length(bench: Workbench) -> None:
    add_moments(bench, *WAY[:2])
    assert delays(bench) == Delays(arrival=15, association=40, queue=30)
    assert delays(bench).to_qc is None


def test_a_failed_attempt_counts_as_waiting_for_the_one_that_ended_well(bench: Workbench) -> None:
    failed = (("ab_queued", 100), ("ab_processing", 110), ("ab_failed", 120), ("ab_queued", 125))
    add_moments(bench, *failed, *WAY[1:], ("ab_reported", 195))
    assert delays(bench) == Delays(arrival=15, association=40, queue=30, recipe=60, qc=2, report=3)


def test_what_was_made_before_the_last_file_came_is_not_counted(bench: Workbench) -> None:
    early = tuple((flag, seconds - 90) for flag, seconds in WAY)
    add_moments(bench, *early, *WAY, seen=(0.0, 110.0))
    assert delays(bench).qc == 2
    assert delays(bench).queue is not None


def test_a_later_run_does_not_change_when_the_parameters_were_there_first(bench: Workbench) -> None:
    again = tuple((flag, seconds + 1000) for flag, seconds in WAY)
    add_moments(bench, *WAY, ("ab_reported", 195), *again)
    assert delays(bench) == Delays(arrival=15, association=40, queue=30, recipe=60, qc=2, report=3)


def test_a_clock_that_was_set_back_tells_nothing(bench: Workbench) -> None:
    add_moments(bench, ("ab_queued", 100), ("ab_processing", 90))
    assert delays(bench) == Delays(arrival=15, association=40)


def test_an_ab_that_was_never_queued_is_not_among_them(bench: Workbench) -> None:
    add_moments(bench)
    with bench.store.read() as session:
        assert delays_of(session, INSTRUMENT, DATE) == []
