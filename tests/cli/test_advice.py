from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from qcbench.cli.advice import after_daily, next_step, review_line
from qcbench.workflow import DateSummary

DATE = dt.date(2026, 11, 19)
NOTHING = DateSummary(
    instrument="hawki", date=DATE, frames=40, unusable_files=0, unclassified=0, abs=0, incomplete=0, queued=0,
    processed=0, failed=0, scored=0, certified=0, rejected=0, ingested=0, to_review=0,
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
        ({"abs": 5, "incomplete": 5}, f"qcbench get-status-ab -d {DATE} says which"),
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


def test_auto_daily_that_stops_at_scored_leaves_abs_to_be_certified_and_says_which_lack_something() -> None:
    left = replace(NOTHING, abs=8, processed=6, scored=6, incomplete=2)
    assert after_daily([left]).splitlines() == [
        f"6 ABs to be certified: qcbench certify-products -d {DATE} -m CALIB",
        f"2 ABs lack calibrations or frames: qcbench get-status-ab -d {DATE} says which",
    ]


def test_what_waits_for_review_on_several_dates_is_one_line() -> None:
    one = replace(NOTHING, abs=4, processed=4, scored=4, to_review=4)
    other = replace(one, date=DATE + dt.timedelta(days=1))
    assert after_daily([one, other]) == review_line(8, None)
    assert after_daily([one]) == review_line(4, DATE)


def test_a_late_ab_is_to_be_certified_beside_those_that_wait_for_review() -> None:
    late = replace(NOTHING, abs=5, processed=4, scored=4, failed=1, to_review=3)
    assert next_step(late) == f"2 ABs to be certified: qcbench certify-products -d {DATE} -m CALIB"


def test_a_date_without_data_is_said() -> None:
    assert after_daily([replace(NOTHING, frames=0)]).startswith(f"There is nothing of {DATE}")
    assert after_daily([]) == "No AB waits for review"


def test_auto_daily_says_what_failed_and_what_no_rule_knows() -> None:
    told = after_daily(
        [replace(NOTHING, abs=5, processed=4, scored=4, failed=1, unclassified=2, to_review=1)]
    )
    assert "1 AB failed: qcbench get-status-ab" in told
    assert "qcbench process-ab -a AB --again" in told
    assert f"2 frames of {DATE} are known to no rule: qcbench create-ab -d {DATE} -m CALIB lists them" in told


def test_create_ab_does_not_advise_itself() -> None:
    told = next_step(NOTHING, created=True)
    assert "create-ab" not in told
    assert "qcbench explain-frame ARCFILE" in told
