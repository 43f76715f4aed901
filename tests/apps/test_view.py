"""What the queue and the header show."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from qcbench.apps.view import (
    as_state,
    date_counts,
    decision_counts,
    queue_row,
    score_of,
    short_name,
)
from qcbench.certification import decide, queue
from qcbench.scoring import ScoreCount
from qcbench.store import ABState
from tests.apps.conftest import HOSTILE, Night
from tests.builders import DATE, INSTRUMENT, add_ab


def rows_of(night: Night, *, decided: bool = False) -> dict[str, object]:
    items = queue(night.bench, INSTRUMENT, DATE, decided=decided)
    return {item.ab_name: queue_row(item, with_date=False) for item in items}


def test_a_red_ab_says_what_is_wrong_where_and_how_old_it_is(night: Night) -> None:
    items = {item.ab_name: item for item in queue(night.bench)}
    row = queue_row(items[night.red], with_date=False)
    assert (row.tag, row.tag_kind) == ("red", "nok")
    assert (row.mark.text, row.mark.kind) == ("✕ 1/1", "nok")
    assert row.brief == "CHIP1 ▲ Readout noise"
    assert row.why == "Readout noise of CHIP1 is 12.9 ADU, above 11.2"
    assert row.short == "22:00:00.000_tpl"
    assert row.taken == "2026-11-19 22:00"
    assert row.age.endswith(("min", "h", "d"))


def test_a_score_is_told_by_shape_and_word_and_not_by_colour_alone() -> None:
    red, green = ScoreCount(2, 56), ScoreCount(0, 24)
    assert score_of(red, failed=False, long=True).text == "✕ 2 of 56 scores"
    assert score_of(green, failed=False).text == "✓ 0/24"
    assert score_of(ScoreCount(0, 0), failed=False).label == "not scored"
    assert score_of(red, failed=True).text == "▲"


@pytest.mark.parametrize(
    ("name", "with_date", "short"),
    [
        ("TINY.2026-11-19T21:14:07.331_tpl.ab", False, "21:14:07.331_tpl"),
        ("TINY.2026-11-19T21:14:07.331_tpl.ab", True, "11-19 21:14:07.331_tpl"),
        ("PSEUDO_2026.ab", False, "PSEUDO_2026"),
    ],
)
def test_an_ab_is_told_apart_by_its_time(name: str, with_date: bool, short: str) -> None:
    assert short_name(name, with_date=with_date) == short


def test_the_search_finds_setup_raw_type_and_reason(night: Night) -> None:
    search = {name: row.search for name, row in rows_of(night).items()}
    assert "readout noise" in search[night.red]
    assert "frame is truncated" in search[night.failed]
    assert HOSTILE in search[night.unscored]


def test_a_row_is_plain_json(night: Night) -> None:
    states = [as_state(row) for row in rows_of(night).values()]
    assert json.loads(json.dumps(states)) == states


def test_a_decided_ab_shows_who_decided_and_why(night: Night) -> None:
    decide(night.bench, night.red, "rejected", by="anna", comment="pick-up noise")
    row = rows_of(night, decided=True)[night.red]
    assert (row.tag, row.brief) == ("decided", "rejected by anna: pick-up noise")


def test_each_date_says_how_much_waits_on_it(night: Night) -> None:
    earlier = DATE - dt.timedelta(days=1)
    with night.bench.store.write() as session:
        add_ab(session, 1, date=earlier, state=ABState.INGESTED)
    counts = date_counts(night.bench, INSTRUMENT, queue(night.bench))
    assert [(one.date, one.waiting) for one in counts] == [("2026-11-19", 5), ("2026-11-18", 0)]


def test_what_is_certified_waits_to_be_moved(night: Night) -> None:
    decide(night.bench, night.green, "certified", by="anna", comment="")
    decide(night.bench, night.failed, "rejected", by="anna", comment="truncated")
    with night.bench.store.write() as session:
        add_ab(session, 6, state=ABState.INGESTED)
    counts = decision_counts(night.bench, INSTRUMENT, DATE)
    assert counts.text == "certified 2 · rejected 1 · to move 1"
