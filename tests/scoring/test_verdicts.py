"""A verdict compares a value with the limits in force, and says in words what it found."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from qcbench.instruments import Column, ParameterScore, TableSpec, Threshold
from qcbench.instruments.models import Detectors
from qcbench.scoring import Verdict, count_scores, score_rows, worst_first

DATE = dt.date(2020, 6, 1)
TABLE = TableSpec(
    raw_types=("DARK",), product="MASTER_DARK", description="x", detectors=Detectors(names=("CHIP1", "CHIP2")),
    columns=(
        Column(name="filter", key="F", unit="", description="x", kind="FILTER", type="text"),
        Column(name="ron", key="RON", unit="adu", description="x", kind="KPI", label="Readout noise"),
    ),
)  # fmt: skip


def score(
    low: float | None = None, high: float | None = None, *, since: int = 2008, why: str = "why", table: str = "dark",
    detectors: tuple[str, ...] = (), where: dict[str, str | int | float | bool] | None = None,
) -> ParameterScore:  # fmt: skip
    limit = Threshold(valid_from=dt.date(since, 1, 1), low=low, high=high, why=why)
    return ParameterScore(
        table=table,
        parameter="ron",
        detectors=detectors,
        where=where or {},
        thresholds=(limit,),
        remedy="do this",
    )


def verdict(value: object, *scores: ParameterScore, detector: str = "CHIP1", filter_: str = "J") -> Verdict:
    row = {"detector": detector, "filter": filter_, "ron": value}
    found = {item.detector: item for item in score_rows("dark", TABLE, [row], scores, DATE)}
    return found[detector]


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (5.0, 5.0, 8.0, 0), (8.0, 5.0, 8.0, 0), (math.nextafter(5.0, 0), 5.0, 8.0, 1),
        (math.nextafter(8.0, 9), 5.0, 8.0, 1), (-1e9, None, 8.0, 0), (1e9, 5.0, None, 0), (5.0, 5.0, 5.0, 0),
        (0, 0.0, None, 0), (None, 5.0, None, 1), (math.nan, 5.0, None, 1), (math.inf, None, 8.0, 1),
        ("6", 5.0, 8.0, 1),
    ],
)  # fmt: skip
def test_limits_belong_to_what_is_good_and_a_missing_value_is_red(
    value: object, low: float | None, high: float | None, expected: int
) -> None:
    assert verdict(value, score(low, high)).verdict == expected


@pytest.mark.parametrize("other", [(), (score(0, table="flat"),), (score(0, since=2021),)])
def test_without_limits_in_force_nothing_is_scored(
    other: tuple[ParameterScore, ...],
) -> None:
    found = verdict(1e9, *other)
    assert (found.verdict, found.low, found.high, found.valid_from) == (None, None, None, None)
    assert verdict(None, *other).verdict is None


@pytest.mark.parametrize(
    ("detector", "filter_", "why"),
    [("CHIP1", "J", "both"), ("CHIP1", "K", "detector"), ("CHIP2", "J", "filter"), ("CHIP2", "K", "all")],
)
def test_the_most_specific_limits_win(detector: str, filter_: str, why: str) -> None:
    scores = [
        score(1, why="both", detectors=("CHIP1",), where={"filter": "J"}),
        score(2, why="filter", where={"filter": "J"}),
        score(3, why="detector", detectors=("CHIP1",)),
        score(4, why="all"),
    ]
    if why == "detector":
        scores.pop(1)
    for order in (scores, scores[::-1]):
        assert verdict(5.0, *order, detector=detector, filter_=filter_).why == why


def test_of_equally_specific_limits_the_later_in_the_file_wins() -> None:
    assert verdict(5.0, score(1, why="first"), score(2, why="second")).why == "second"


def test_specific_limits_leave_the_field_to_general_ones_until_they_begin() -> None:
    found = verdict(5.0, score(high=4.0, why="general"), score(high=9.0, since=2021, detectors=("CHIP1",)))
    assert (found.verdict, found.why) == (1, "general")


@pytest.mark.parametrize(
    ("value", "scores", "sentence"),
    [
        (6.6, [score(5.3, 7.9)], "Readout noise of CHIP1 is 6.6 adu: within 5.3 … 7.9"),
        (6.6, [score(high=7.9)], "Readout noise of CHIP1 is 6.6 adu: within … 7.9"),
        (6.6, [score(5.3)], "Readout noise of CHIP1 is 6.6 adu: within 5.3 …"),
        (9.1, [score(5.3, 7.9)], "Readout noise of CHIP1 is 9.1 adu, above 7.9"),
        (1.0, [score(5.3, 7.9)], "Readout noise of CHIP1 is 1 adu, below 5.3"),
        (31234.5, [score(high=30000.0)], "Readout noise of CHIP1 is 31234 adu, above 30000"),
        (7.90001, [score(high=7.9)], "Readout noise of CHIP1 is 7.90001 adu, above 7.9"),
        (None, [score(5.3)], "Readout noise of CHIP1 is missing"),
        (6.6, [], "Readout noise of CHIP1 is 6.6 adu: not scored (no threshold is in force)"),
        (None, [], "Readout noise of CHIP1 is missing: not scored (no threshold is in force)"),
    ],
)
def test_a_verdict_says_what_it_found(
    value: float | None, scores: list[ParameterScore], sentence: str
) -> None:
    assert verdict(value, *scores).sentence() == sentence


def test_a_filter_is_no_parameter_and_every_detector_is_scored() -> None:
    rows = [{"detector": name, "filter": "J", "ron": 6.0} for name in ("CHIP1", "CHIP2")]
    found = score_rows("dark", TABLE, rows, [score(5.0)], DATE)
    assert [(item.parameter, item.detector) for item in found] == [("ron", "CHIP1"), ("ron", "CHIP2")]
    assert {(item.label, item.unit, item.remedy) for item in found} == {("Readout noise", "adu", "do this")}
    assert score_rows("dark", TABLE, [], [score(5.0)], DATE) == []


def test_a_detector_without_values_is_red_where_others_have_some() -> None:
    rows = [{"detector": "CHIP2", "filter": "J", "ron": 6.0}]
    found = score_rows("dark", TABLE, rows, [score(5.0, where={"filter": "J"})], DATE)
    assert [(item.detector, item.value, item.verdict) for item in found] == [
        ("CHIP2", 6.0, 0),
        ("CHIP1", None, 1),
    ]


@pytest.mark.parametrize(
    ("verdicts", "text"), [([], "–"), ([None], "–"), ([0, 0, None], "0/2"), ([1, 0, 1, None], "2/3")]
)
def test_a_score_counts_red_of_scored(verdicts: list[int | None], text: str) -> None:
    assert count_scores(verdicts).text == text


def test_the_worst_come_first_and_what_is_not_scored_last() -> None:
    limits = score(10.0, 20.0)
    values = {
        "not scored": 99.0,
        "good": 15.0,
        "little above": 21.0,
        "far above": 60.0,
        "far below": -5.0,
        "missing": None,
    }
    items = [verdict(value, *([] if name == "not scored" else [limits])) for name, value in values.items()]
    ordered = [
        next(name for name, item in zip(values, items, strict=True) if item is found)
        for found in worst_first(items)
    ]
    assert ordered == ["missing", "far above", "far below", "little above", "good", "not scored"]


def test_a_limit_of_zero_is_no_division_by_it() -> None:
    red, worse = verdict(0.1, score(high=0.0)), verdict(0.2, score(high=0.0))
    assert worst_first([red, worse]) == [worse, red]
