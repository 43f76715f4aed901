from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from qcbench.cli.output import Answer, Table, plain, score_text, show, table_lines
from qcbench.store import ABState

ROWS = (
    {"ab": "A.ab", "n": 5, "value": 0.012345, "age": dt.timedelta(hours=11), "secret": 1},
    {"ab": "BBBB.ab", "n": 12, "value": None, "age": None, "secret": 2},
)


def test_numbers_stand_to_the_right_and_texts_to_the_left() -> None:
    assert table_lines(Table("abs", ROWS, ("ab", "n", "value", "age"))) == [
        "ab        n    value   age",
        "A.ab      5  0.01235  11 h",
        "BBBB.ab  12",
    ]


def test_a_table_without_rows_says_so() -> None:
    assert table_lines(Table("abs", (), ("ab",), "No ABs")) == ["No ABs"]


def test_json_has_all_keys_and_the_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    show(Answer(next="go on", said=("hello",), tables=(Table("abs", ROWS, ("ab",)),)), as_json=True)
    content = json.loads(capsys.readouterr().out)
    assert content["next"] == "go on"
    assert content["abs"][0] == {"ab": "A.ab", "n": 5, "value": 0.012345, "age": 39600.0, "secret": 1}


def test_json_writes_dates_paths_and_states_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    when = dt.datetime(2026, 11, 19, 10, 0, 5, tzinfo=dt.UTC)
    facts = {"date": when.date(), "at": when, "path": Path("a/b"), "state": ABState.SCORED}
    show(Answer(next="", facts=facts), as_json=True)
    content = json.loads(capsys.readouterr().out)
    assert content == {
        "date": "2026-11-19", "at": "2026-11-19T10:00:05", "path": "a/b", "state": "scored", "next": "",
    }  # fmt: skip


def test_the_next_step_is_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    show(Answer(next="go on", said=("hello",), tables=(Table("abs", ROWS, ("ab",)),)), as_json=False)
    assert capsys.readouterr().out == "hello\n\nab\nA.ab\nBBBB.ab\n\ngo on\n"


def test_no_text_from_a_header_commands_the_terminal() -> None:
    assert plain("lamp\x1b[31m off\u202e\nsecond line") == "lamp\\x1b[31m off\\u202e\nsecond line"
    rows = ({"comment": "two\nlines"},)
    assert table_lines(Table("abs", rows, ("comment",))) == ["comment", "two lines"]


def test_scores_are_shape_and_text() -> None:
    marks = [score_text(0, 56), score_text(2, 56), score_text(0, 0), score_text(0, 0, failed=True)]
    assert marks == ["✓ 0/56", "✕ 2/56", "– –", "▲"]
