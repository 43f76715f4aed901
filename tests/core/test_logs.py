"""Every line of the log says where it belongs, and is one line."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from qcbench.core.errors import FileWriteError, SettingsError
from qcbench.core.logs import get_logger, log_context, set_up_logging, words_of


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "qcbench.jsonl").read_text().splitlines()]


def test_a_line_names_instrument_date_and_ab(tmp_path: Path) -> None:
    stream = io.StringIO()
    set_up_logging(tmp_path / "monitor", stream=stream)
    with log_context(instrument="tiny", date="2020-01-10"):
        get_logger().warning("no dark", ab="A.ab", n=3)
    get_logger().warning("outside")
    inside, outside = lines(tmp_path / "monitor")
    assert {key: inside[key] for key in ("instrument", "date", "ab", "event", "level", "n")} == {
        "instrument": "tiny", "date": "2020-01-10", "ab": "A.ab", "event": "no dark", "level": "warning", "n": 3
    }  # fmt: skip
    assert "instrument" not in outside
    assert stream.getvalue() == "[tiny 2020-01-10 A.ab] warning: no dark (n=3)\nwarning: outside\n"


@pytest.mark.parametrize(
    ("verbose", "shown"),
    [(False, "warning: w\nerror: e\nerror: c\n"), (True, "i\nwarning: w\nerror: e\nerror: c\n")],
)
def test_the_terminal_shows_warnings_and_the_file_holds_all(
    tmp_path: Path, verbose: bool, shown: str
) -> None:
    stream = io.StringIO()
    set_up_logging(tmp_path, verbose=verbose, stream=stream)
    log = get_logger()
    for say, text in (
        (log.debug, "d"),
        (log.info, "i"),
        (log.warning, "w"),
        (log.error, "e"),
        (log.critical, "c"),
    ):
        say(text)
    assert stream.getvalue() == shown
    assert [line["event"] for line in lines(tmp_path)] == ["d", "i", "w", "e", "c"]


def test_the_terminal_leaves_out_the_tool_which_the_file_keeps(tmp_path: Path) -> None:
    stream = io.StringIO()
    set_up_logging(tmp_path, stream=stream)
    get_logger().warning("mend it and call again", tool="data-loader")
    assert stream.getvalue() == "warning: mend it and call again\n"
    assert lines(tmp_path)[0]["tool"] == "data-loader"


def test_a_hostile_value_forges_no_line(tmp_path: Path) -> None:
    stream = io.StringIO()
    set_up_logging(tmp_path, stream=stream)
    get_logger().warning("a\nerror: forged \x1b[2J", file="x\r\ny", note="5 µm → ok")
    assert stream.getvalue() == "warning: a\\nerror: forged \\x1b[2J (file=x\\r\\ny, note=5 µm → ok)\n"
    assert len(lines(tmp_path)) == 1


def test_a_log_that_cannot_be_written_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "qcbench.jsonl").mkdir()
    with pytest.raises(FileWriteError, match=r"qcbench\.jsonl: can't be written"):
        set_up_logging(tmp_path)


def test_what_nobody_foresaw_leaves_its_traceback_in_the_file_alone(tmp_path: Path) -> None:
    stream = io.StringIO()
    set_up_logging(tmp_path, stream=stream)
    with pytest.raises(LookupError) as caught:
        raise LookupError("nobody foresaw this")
    assert words_of(caught.value, "auto-daily") == "an unexpected error: LookupError: nobody foresaw this"
    (line,) = lines(tmp_path)
    assert "test_what_nobody_foresaw" in str(line["traceback"])
    assert "Traceback" not in stream.getvalue()
    assert words_of(SettingsError("no such key"), "auto-daily") == "no such key"
    assert lines(tmp_path) == [line], "what was foreseen is for its caller to log"
