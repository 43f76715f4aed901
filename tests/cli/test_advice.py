from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from qcbench.cli.advice import next_step, review_line
from qcbench.workflow import DateSummary

DATE = dt.date(2026, 11, 19)
NOTHING = DateSummary(
    instrument="hawki", date=DATE, frames=40, unusable_files=0, abs=0, incomplete=0, queued=0, processed=0, failed=0,
    scored=0, certified=0, rejected=0, ingested=0, to_review=0,
)  # fmt: skip


def after(**counts: int) -> str:
    return next_step(replace(NOTHING, **counts))


@pytest.mark.parametrize(
    ("counts", "command"),
    [
        ({}, f"qcbench create-ab -d {DATE} -m CALIB"),
        ({"abs": 5}, f"qcbench create-job -d {DATE} -m CALIB --run"),
        ({"abs": 5, "queued": 5}, f"qcbench create-job -d {DATE} -m CALIB --run"),
        ({"abs": 5, "processed": 5, "scored": 4}, f"qcbench auto-daily -d {DATE}"),
        (
            {"abs": 5, "processed": 5, "scored": 5, "to_review": 2},
            f"qcbench certify-products -d {DATE} -m CALIB",
        ),
        (
            {"abs": 5, "processed": 5, "scored": 5, "certified": 5},
            f"qcbench auto-daily --through ingested -d {DATE}",
        ),
        ({"abs": 5, "incomplete": 5}, f"qcbench create-ab -d {DATE} -m CALIB"),
        (
            {"abs": 5, "processed": 5, "scored": 5, "certified": 4, "rejected": 1, "ingested": 4},
            f"qcbench finish-night -d {DATE}",
        ),
    ],
)
def test_the_next_step_is_the_command_of_the_earliest_stage_that_is_due(
    counts: dict[str, int], command: str
) -> None:
    assert after(**counts).endswith(command)


def test_what_waits_for_a_person_is_counted() -> None:
    waits = after(abs=5, processed=4, scored=4, certified=3, ingested=3, failed=1, to_review=2)
    assert waits == (
        f"2 ABs wait for review: qcbench certify-products -d {DATE} -m CALIB --list, or qcbench serve"
    )


def test_one_is_not_written_as_many() -> None:
    assert review_line(1, None).startswith("1 AB waits for review: qcbench certify-products --list")
    assert review_line(0, None) == "No AB waits for review"
