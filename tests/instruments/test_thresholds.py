"""Of dated limits the latest one that has begun is in force."""

from __future__ import annotations

import datetime as dt

import pytest

from qcbench.instruments import ParameterScore, Threshold


@pytest.mark.parametrize(
    ("date", "high"),
    [
        ("2019-12-31", None),
        ("2020-01-01", 9.0),
        ("2020-12-31", 9.0),
        ("2021-01-01", 8.0),
        ("2030-01-01", 8.0),
    ],
)
def test_the_latest_that_has_begun_counts_whatever_the_order_in_the_file(
    date: str, high: float | None
) -> None:
    thresholds = tuple(
        Threshold(valid_from=dt.date(year, 1, 1), high=limit, why="x")
        for year, limit in ((2021, 8.0), (2020, 9.0))
    )
    score = ParameterScore(table="t", parameter="p", thresholds=thresholds, remedy="x")
    found = score.in_force(dt.date.fromisoformat(date))
    assert (found.high if found else None) == high
