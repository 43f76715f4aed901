"""A report that fails is tried a few times, not in every call for ever; nor are frames kept for it."""

from __future__ import annotations

from importlib import import_module

import pytest
from sqlalchemy import select

from qcbench.store import ABState, AssociationBlock, advance, record_event
from qcbench.store.needs import REPORT_FAILED, needs_files
from qcbench.workbench import Workbench
from qcbench.workflow.job import catch_up
from tests.builders import DATE, INSTRUMENT, add_dark, build_workbench, find_ab

job = import_module("qcbench.workflow.job")


def needs_its_files(bench: Workbench, name: str) -> bool:
    with bench.store.read() as session:
        return name in session.scalars(select(AssociationBlock.name).where(needs_files())).all()


def test_a_report_that_always_fails_is_left_and_tried_anew_for_an_ab_that_was_made_anew(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = build_workbench(tmp_path / "wb")
    name = add_dark(bench, 1, report_path=None)
    tried = []

    def fail(_bench: Workbench, ab_name: str) -> None:
        tried.append(ab_name)
        with bench.store.write() as session:
            record_event(
                session, "process-qc", REPORT_FAILED, "a cell took too long", ab=find_ab(session, ab_name)
            )

    monkeypatch.setattr(job, "process_qc", fail)
    for _ in range(2):
        catch_up(bench, INSTRUMENT, DATE)
    assert needs_its_files(bench, name)
    for _ in range(3):
        catch_up(bench, INSTRUMENT, DATE)
    assert tried == [name] * 3
    assert not needs_its_files(bench, name)

    with bench.store.write() as session:
        ab = find_ab(session, name)
        for state in (
            ABState.REJECTED,
            ABState.QUEUED,
            ABState.PROCESSING,
            ABState.PROCESSED,
            ABState.MEASURED,
        ):
            advance(session, ab, state, "test")
        advance(session, ab, ABState.SCORED, "test")
    catch_up(bench, INSTRUMENT, DATE)
    assert tried == [name] * 4
