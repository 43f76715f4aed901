"""The report of an AB answers first, shows the evidence, and comes from an executed notebook."""

import datetime as dt
import json
import re
import threading
from pathlib import Path
from urllib.parse import unquote

import pytest
from sqlalchemy import select

from qcbench.core.errors import ReportError
from qcbench.reports import measure_ab, process_qc, report_ab, score_ab
from qcbench.reports.ab_report import ABReport
from qcbench.reports.subject import load_subject
from qcbench.store import Event
from qcbench.store.queries import find_ab
from tests.reports.builders import (
    DATE,
    DETECTORS,
    INSTRUMENT,
    add_ab,
    add_calibration,
    add_product,
    arc_file,
    dark_file,
    readgain_file,
    workbench,
)

HOSTILE = 'DIT10"><script>alert(1)</script>'


@pytest.fixture
def bench(tmp_path):
    made = workbench(tmp_path / "bench")
    yield made
    made.close()


def block(bench, name):
    with bench.store.read() as session:
        return find_ab(session, name, whole=True)


def dark(bench, folder: Path, number: int = 0, date: dt.date = DATE, **values) -> str:
    """A dark that is measured and scored."""
    name = add_ab(bench, number, date=date)
    add_product(bench, name, dark_file(folder / f"dark_{date}_{number}.fits", **values))
    measure_ab(bench, name)
    score_ab(bench, name)
    return name


def certify(bench, name: str, **columns) -> None:
    with bench.store.write() as session:
        ab = find_ab(session, name)
        ab.state, ab.products[0].location = "moved", "calib"
        ab.products[0].final_name = f"TC_MDRK_{ab.dfo_date:%y%m%d}A.fits"
        for key, value in columns.items():
            setattr(ab, key, value)


def pieces(bench, name) -> ABReport:
    return ABReport(load_subject(bench, name))


def days_before(days: int) -> dt.date:
    return DATE - dt.timedelta(days=days)


# --- the whole report, made once -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    bench = workbench(folder / "bench")
    earlier = dark(bench, folder, date=days_before(3))
    certify(bench, earlier)
    report = bench.data(INSTRUMENT).plots(days_before(3)) / f"{earlier.removesuffix('.ab')}.html"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("the report of the earlier dark")
    name = add_ab(bench, setup=HOSTILE)
    add_product(bench, name, dark_file(folder / "new.fits", ron=12.9))
    add_calibration(bench, name, earlier, -3.02)
    result = process_qc(bench, name)
    yield bench, name, result, result.report.read_text()
    bench.close()


def test_process_qc_measures_scores_and_reports(made):
    bench, name, result, _ = made
    assert (result.ab, result.state, result.score, result.problem) == (name, "scored", "1/4", "")
    assert block(bench, name).report_path == str(result.report)
    assert result.report == bench.data(INSTRUMENT).plots(DATE) / f"{name.removesuffix('.ab')}.html"


def test_the_page_says_first_what_is_wrong(made):
    page = made[3]
    assert "Readout noise of CHIP2 is 12.9 adu, above 11.2." in page[page.index("<h1") : page.index("</h1>")]


def test_the_page_shows_what_a_decision_needs(made):
    page = made[3]
    for text in (
        "Check the detector temperature",
        "7.4 … 11.2",
        "TC_MDRK_261116A.fits",
        "-3.020",
        "testpipe/1.2",
    ):
        assert text in page
    titles = re.findall(r"<h2>([^<]+)<", page)
    assert titles == [
        *("Image", "Trend", "Scores", "Against the previous master", "Histogram"),
        *("Cut along rows", "Cut along columns", "Association", "Processing", "Raw frames"),
    ]


def test_the_page_is_light_holds_no_code_and_loads_one_script_beside_it(made):
    _, _, result, page = made
    assert len(page) < 3_000_000
    assert "open_report" not in page
    (script,) = re.findall(r'<script src="([^"]+)"', page)
    assert (result.report.parent / unquote(script)).resolve().is_file()
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)


def test_header_values_are_text_and_nothing_else(made):
    assert "<script>alert(1)" not in made[3]
    assert "&lt;script&gt;alert(1)" in made[3]


def test_every_file_that_is_linked_is_there(made):
    _, _, result, page = made
    links = {unquote(link) for link in re.findall(r'href="([^"]+)"', page)}
    links = {link for link in links if not link.endswith(f"status_{DATE}.html")}
    assert any("/plots/" in link or link.startswith("../2026") for link in links), "the calibration's report"
    assert all((result.report.parent / link).exists() for link in links)


def test_the_executed_notebook_lies_beside_the_page(made):
    notebook = json.loads(made[2].report.with_suffix(".ipynb").read_text())
    assert notebook["metadata"]["papermill"]["parameters"]["ab"] == made[1]
    assert notebook["metadata"]["papermill"]["exception"] is None


def test_a_report_that_is_there_is_kept_until_it_is_forced(made):
    bench, name, result, _ = made
    before = result.report.stat().st_mtime_ns
    assert report_ab(bench, name) == result.report
    assert result.report.stat().st_mtime_ns == before
    report_ab(bench, name, force=True)
    assert result.report.stat().st_mtime_ns > before


# --- when it goes wrong -------------------------------------------------------------------------------------


def test_a_failed_report_leaves_the_AB_scored_and_is_tried_again(bench, tmp_path):
    name = dark(bench, tmp_path)
    file = tmp_path / f"dark_{DATE}_0.fits"
    whole = file.read_bytes()
    file.write_bytes(whole[:-3000])
    result = process_qc(bench, name)
    assert (result.state, result.score, result.report) == ("scored", "0/4", None)
    assert file.name in result.problem
    with bench.store.read() as session:
        assert session.scalars(select(Event.flag).where(Event.level == "error")).all() == ["report_failed"]
    with pytest.raises(ReportError, match=r"ab_report\.ipynb"):
        report_ab(bench, name)
    file.write_bytes(whole)
    assert process_qc(bench, name).report.is_file()


def test_a_failed_AB_has_no_report_and_says_why(bench):
    name = add_ab(bench, state="failed", reason="status 5")
    result = process_qc(bench, name)
    assert (result.state, result.report, result.problem) == ("failed", None, "status 5")


def test_two_threads_make_two_reports(bench, tmp_path):
    names = [dark(bench, tmp_path, number) for number in (0, 10)]
    found: dict[str, Path] = {}
    threads = [
        threading.Thread(target=lambda name=name: found.update({name: report_ab(bench, name)}))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[name].stem for name in names] == [name.removesuffix(".ab") for name in names]


# --- the pieces -----------------------------------------------------------------------------------------------


def test_all_green_is_said_in_one_sentence(bench, tmp_path):
    head = pieces(bench, dark(bench, tmp_path)).head()
    assert (head.headline, head.kind) == ("All 4 scores are within the limits.", "ok")


def test_a_detector_that_the_product_has_not_got_is_told(bench, tmp_path):
    head = pieces(bench, dark(bench, tmp_path, detectors=DETECTORS[:1])).head()
    assert head.kind == "nok"
    assert "CHIP2 is missing" in head.headline


def test_the_previous_master_is_the_nearest_certified_one_before_of_the_same_setup(bench, tmp_path):
    certify(bench, dark(bench, tmp_path, date=days_before(9)))
    certify(bench, dark(bench, tmp_path, date=days_before(6)))
    certify(bench, dark(bench, tmp_path, date=days_before(2)), setup="DIT60")
    dark(bench, tmp_path, date=days_before(1))
    certify(bench, dark(bench, tmp_path, date=days_before(-1)))
    html = pieces(bench, dark(bench, tmp_path)).previous().html
    assert "TC_MDRK_261113A.fits, 6 d before" in html


def test_the_first_master_of_a_setup_has_nothing_to_be_compared_with(bench, tmp_path):
    html = pieces(bench, dark(bench, tmp_path)).previous().html
    assert "There is nothing to compare with" in html


def test_a_previous_master_whose_file_has_gone_is_told(bench, tmp_path):
    certify(bench, dark(bench, tmp_path, date=days_before(6)))
    (tmp_path / f"dark_{days_before(6)}_0.fits").unlink()
    assert "Its file is not here any more" in pieces(bench, dark(bench, tmp_path)).previous().html


def test_a_previous_master_of_another_size_is_not_compared(bench, tmp_path):
    certify(bench, dark(bench, tmp_path, date=days_before(6), side=16))
    assert "has another format" in pieces(bench, dark(bench, tmp_path)).previous().html


def test_a_product_without_an_image_shows_its_table_and_the_raw_frames(bench, tmp_path):
    name = add_ab(bench, raw_type="NOISE")
    add_product(bench, name, readgain_file(tmp_path / "gain.fits"), "MASTER_READGAIN")
    raw = bench.data(INSTRUMENT).raw(DATE)
    dark_file(raw / f"{block(bench, name).inputs[0].frame.arcfile}.fits")
    report = pieces(bench, name)
    assert all(text in report.spectra().html for text in ("READNOISE", "10.10"))
    assert "the product has no image" in report.images().html
    assert ".fits" in report.raw_frames().html


def test_a_spectrum_is_drawn_with_its_lines(bench, tmp_path):
    name = add_ab(bench, raw_type="ARC", n_raw=1)
    add_product(bench, name, arc_file(tmp_path / "arc.fits"), "ARC_SPECTRUM")
    report = pieces(bench, name)
    assert "SPECTRUM · 3 lines" in report.spectra().html
    assert (report.images().html, report.trends().html) == ("", "")


def test_an_AB_with_nothing_to_show_says_so(bench):
    report = pieces(bench, add_ab(bench, raw_type="FLAT", state="scored"))
    assert "There is no image" in report.images().html
    assert "FLAT is not measured" in report.scores().html


@pytest.mark.real
def test_a_real_flat_is_shown(bench, real_data):
    name = add_ab(bench, raw_type="FLAT", state="scored", n_raw=1)
    add_product(bench, name, real_data / "efosc2-pessto" / "flat_20120411_V641.fits", "MASTER_FLAT")
    report = pieces(bench, name)
    assert "median 38207" in report.images().html
    assert len(report.images().html) < 600_000
