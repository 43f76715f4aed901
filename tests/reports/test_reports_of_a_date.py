"""The reports of a date: what was observed (data report), and what became of it (date report)."""

import datetime as dt
import re
from urllib.parse import unquote

import pytest
from sqlalchemy import func, select

from qcbench.core.errors import SettingsError
from qcbench.reports import data_report, date_report, process_qc
from qcbench.reports.date_report import open_report
from qcbench.store import Event, Frame
from tests.reports.builders import (
    DATE,
    EVENING,
    INSTRUMENT,
    add_ab,
    add_problem_file,
    add_product,
    dark_file,
    frame,
    workbench,
)


@pytest.fixture
def bench(tmp_path):
    made = workbench(tmp_path / "bench")
    yield made
    made.close()


def add_frames(bench, *frames: Frame) -> None:
    with bench.store.write() as session:
        session.add_all(frames)


def flags(bench) -> int:
    with bench.store.read() as session:
        return session.scalars(select(func.count(Event.id)).where(Event.flag == "report_Exist")).one()


def pieces(bench, date=DATE):
    return open_report(str(bench.settings.root), INSTRUMENT, date.isoformat())


def lines(page: str) -> list[str]:
    return [
        re.sub(r"<[^>]+>|\s+", " ", line).strip() for line in page.splitlines() if line.startswith("<tr><td")
    ]


def test_the_data_report_has_a_line_a_frame_in_the_order_of_time(bench):
    add_frames(bench, frame(5, OBJECT="NGC 1"), frame(1, "FLAT"), frame(9, date=DATE - dt.timedelta(days=1)))
    path = data_report(bench, INSTRUMENT, DATE)
    assert path == bench.data(INSTRUMENT).listings / f"list_TESTCAM_{DATE}_data.html"
    page = path.read_text()
    assert [line.split()[:4] for line in lines(page)] == [
        ["TESTCAM.2026-11-19T22:01:00.000", "22:01:00", "FLAT", "FLAT"],
        ["TESTCAM.2026-11-19T22:05:00.000", "22:05:00", "DARK", "DARK"],
    ]
    assert "NGC 1" in page
    assert "2 frames: 1 DARK, 1 FLAT." in page


def test_frames_that_are_not_classified_or_have_a_problem_are_marked(bench):
    add_frames(bench, frame(1, None), frame(2, problem="key EXPTIME is missing"))
    page = data_report(bench, INSTRUMENT, DATE).read_text()
    assert [line for line in lines(page) if "not classified" in line]
    assert [line for line in lines(page) if "key EXPTIME is missing" in line]
    assert "1 frame with a problem" in page


def test_unusable_files_are_listed_below_also_those_that_tell_no_date(bench):
    add_problem_file(bench, "a/cut.fits", "the file is truncated")
    add_problem_file(bench, "a/noise.fits", "not a readable FITS file", date=None)
    add_problem_file(bench, "b/later.fits", "truncated", date=DATE + dt.timedelta(days=1))
    page = data_report(bench, INSTRUMENT, DATE).read_text()
    assert [line.split()[0] for line in lines(page) if ".fits" in line] == ["a/cut.fits", "a/noise.fits"]


def test_a_data_report_is_flagged_when_its_content_changed_and_only_then(bench):
    add_frames(bench, frame(1))
    path = data_report(bench, INSTRUMENT, DATE)
    before = path.stat().st_mtime_ns
    data_report(bench, INSTRUMENT, DATE)
    assert (flags(bench), path.stat().st_mtime_ns) == (1, before)
    add_frames(bench, frame(2))
    data_report(bench, INSTRUMENT, DATE)
    assert flags(bench) == 2


def test_header_values_are_escaped_in_the_data_report(bench):
    add_frames(bench, frame(1, OBJECT="<script>alert(1)</script>"))
    assert "<script>alert" not in data_report(bench, INSTRUMENT, DATE).read_text()


def test_an_instrument_that_the_workbench_has_not_got_is_refused(bench):
    with pytest.raises(SettingsError, match="no instrument 'other'"):
        data_report(bench, "other", DATE)


def test_the_date_report_is_made_by_its_notebook_and_links_the_reports_of_the_ABs(bench, tmp_path):
    name = add_ab(bench)
    add_product(bench, name, dark_file(tmp_path / "dark.fits", ron=12.9))
    process_qc(bench, name)
    path = date_report(bench, INSTRUMENT, DATE)
    assert path == bench.data(INSTRUMENT).plots(DATE) / f"date_TESTCAM_{DATE}.html"
    page = path.read_text()
    assert "1 AB is red and undecided." in page
    links = [unquote(link) for link in re.findall(r'href="([^"]+)"', page)]
    assert f"{name.removesuffix('.ab')}.html" in links
    assert path.with_suffix(".ipynb").is_file()


def test_the_date_report_says_what_failed_what_is_missing_and_what_waits(bench):
    add_ab(bench, 0, state="failed", reason="recipe ended with status 5")
    missing = [{"tag": "MASTER_BIAS", "required": True}, {"tag": "MASTER_FLAT", "required": False}]
    add_ab(bench, 10, state="created", completeness="INCOMPLETE", missing=missing)
    add_problem_file(bench, "a/cut.fits", "the file is truncated")
    report = pieces(bench)
    assert report.head().headline == "1 AB failed, 1 AB is not processed yet, 1 file can't be used."
    assert "recipe ended with status 5" in report.failures().html
    assert "MASTER_BIAS, MASTER_FLAT (not required)" in report.incomplete().html
    assert "for the cascade" in report.waiting().html
    assert "the file is truncated" in report.problem_files().html


def test_a_date_on_which_all_is_well_shows_no_empty_lists(bench):
    add_ab(bench, 0, state="certified")
    report = pieces(bench)
    assert (report.head().headline, report.head().kind) == ("All 1 ABs are well.", "ok")
    assert report.failures().html == report.incomplete().html == report.problem_files().html == ""


def test_a_date_without_ABs_says_so(bench):
    add_frames(bench, frame(1))
    assert pieces(bench).head().headline == "1 frame, and no AB yet."
    assert pieces(bench, EVENING.date() - dt.timedelta(days=9)).head().headline == "0 frames, and no AB yet."
