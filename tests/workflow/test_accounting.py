"""Accounts: each AB is counted once, whatever its way was, and failures of one kind are told together."""

from __future__ import annotations

from pathlib import Path

from qcbench.store import ABState, advance, record_event
from qcbench.workflow import account
from tests import builders


def test_an_ab_that_was_taken_out_of_the_queue_is_counted_once(tmp_path: Path) -> None:
    bench = builders.build_workbench(tmp_path)
    with bench.store.write() as session:
        ab = builders.add_ab(session, 1, state=ABState.CREATED)
        record_event(session, "create-ab", "ab_created", "1 raw frame", ab=ab)
        advance(session, ab, ABState.QUEUED, "create-job")
        advance(
            session, ab, ABState.CREATED, "create-ab", "a calibration that it counted on will not be made"
        )
    _, blocks = account(bench, builders.INSTRUMENT)
    assert (blocks.created, len(blocks.waiting), blocks.missing) == (1, 1, 0)


def test_failures_that_differ_in_the_names_of_files_alone_are_one_reason(tmp_path: Path) -> None:
    bench = builders.build_workbench(tmp_path)
    with bench.store.write() as session:
        for hour in (1, 2):
            why = f"HAWKI.2026-11-17T0{hour}:20:51.833.fits: the file is truncated: 100 of 200 bytes"
            builders.add_ab(session, hour, state=ABState.FAILED, reason=why)
        builders.add_ab(
            session, 3, state=ABState.FAILED, reason="EFOSC.2026-11-17T03:25:21.8.fits[PRIMARY]: no lines"
        )
    _, blocks = account(bench, builders.INSTRUMENT)
    assert dict(blocks.failures) == {
        "…: the file is truncated: 100 of 200 bytes": 2,
        "…[PRIMARY]: no lines": 1,
    }
