"""A series is the values of one QC parameter in time, with what became of their ABs."""

import datetime as dt

import pytest
from astropy.io import fits

from qcbench.core.errors import NotFoundError
from qcbench.core.resources import notebook, voila_app
from qcbench.core.settings import find_workbench
from qcbench.reports import measure_ab
from qcbench.reports.execute import run_notebook
from qcbench.store.queries import find_ab
from qcbench.trending import filled_tables, first_kpi, series
from tests.reports.builders import (
    DATE,
    DETECTORS,
    EVENING,
    INSTRUMENT,
    add_ab,
    add_product,
    dark_file,
    workbench,
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Darks of 10, 5, 1 and 0 days before the date: moved, rejected, measured, measured."""
    folder = tmp_path_factory.mktemp("trend")
    made = workbench(folder / "bench")
    for days, state in ((10, "moved"), (5, "rejected"), (1, None), (0, None)):
        name = add_ab(made, date=DATE - dt.timedelta(days=days))
        add_product(made, name, dark_file(folder / f"{days}.fits", ron=9.0 + days))
        measure_ab(made, name)
        if state:
            with made.store.write() as session:
                find_ab(session, name).state = state
    yield made
    made.close()


def values(bench, **choice):
    return [point.value for point in series(bench, INSTRUMENT, "testcam_dark", "ron", **choice)]


def test_a_series_is_ordered_by_time_and_knows_ABs_detectors_and_decisions(bench):
    points = series(bench, INSTRUMENT, "testcam_dark", "ron", detector="CHIP2")
    assert [(point.value, point.status) for point in points] == [
        (19.0, "certified"),
        (14.0, "rejected"),
        (10.0, "open"),
        (9.0, "open"),
    ]
    assert points[-1].time == EVENING
    assert points[-1].ab == "TESTCAM.2026-11-19T22:00:00.000_tpl.ab"


def test_without_a_detector_all_of_them_are_given(bench):
    assert len(values(bench)) == 4 * len(DETECTORS)


def test_a_series_can_be_limited_to_days_before_a_time_which_is_included(bench):
    assert values(bench, detector="CHIP2", days=5.5, until=EVENING) == [14.0, 10.0, 9.0]
    assert values(bench, detector="CHIP2", until=EVENING - dt.timedelta(days=1)) == [19.0, 14.0, 10.0]


def test_a_series_can_be_limited_to_what_compares(bench):
    assert len(values(bench, detector="CHIP1", where={"dit": 10.0})) == 4
    assert values(bench, where={"dit": 60.0}) == []


def test_values_that_are_missing_are_left_out(bench, tmp_path):
    name = add_ab(bench, 30)
    path = dark_file(tmp_path / "part.fits")
    with fits.open(path, mode="update") as hdus:
        del hdus["CHIP1"].header["ESO QC RON"]
    add_product(bench, name, path)
    measure_ab(bench, name)
    found = [point.detector for point in series(bench, INSTRUMENT, "testcam_dark", "ron") if point.ab == name]
    assert found == ["CHIP2"]


@pytest.mark.parametrize(
    ("table", "parameter", "where", "told"),
    [
        ("nothing", "ron", {}, "has no QC1 table 'nothing'; it has testcam_dark"),
        ("testcam_dark", "gain", {}, "no column 'gain'; it has dit, ron"),
        ("testcam_dark", "ron", {"x; drop table abs": 1}, "no column 'x; drop"),
    ],
)
def test_what_the_pack_does_not_have_is_an_error_that_says_what_it_has(bench, table, parameter, where, told):
    with pytest.raises(NotFoundError, match=told):
        series(bench, INSTRUMENT, table, parameter, where=where)


def test_tables_that_have_rows_and_their_first_performance_indicator(bench):
    tables = filled_tables(bench, INSTRUMENT)
    assert list(tables) == ["testcam_dark"]
    assert first_kpi(tables["testcam_dark"]).name == "ron"


def run_trending(root, **parameters) -> str:
    return run_notebook(notebook("trending"), {"workbench": str(root), **parameters}).text


def test_the_trending_notebook_plots_the_first_indicator_of_the_first_table_that_has_rows(bench):
    text = run_trending(bench.settings.root)
    assert "CHIP1 [adu]" in text
    assert "11.2" in text
    assert "TESTCAM.2026-11-19T22:00:00.000_tpl.ab" in text


def test_the_trending_notebook_of_an_empty_workbench_says_what_to_do(tmp_path):
    workbench(tmp_path / "empty").close()
    assert "has rows yet: process some ABs first" in run_trending(tmp_path / "empty")


def test_the_workbench_is_found_from_a_notebook_inside_it(bench):
    root = bench.settings.root
    assert find_workbench(root / "notebooks", {}) == root
    assert find_workbench(root.parent, {"QCBENCH_WORKBENCH": str(root)}) == root


def test_a_notebook_that_is_not_there_is_an_error_that_says_where_it_should_be():
    with pytest.raises(NotFoundError, match="voila_apps"):
        voila_app("nothing")
