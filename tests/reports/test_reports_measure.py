"""QC parameters come from product headers, and are scored; no pixel is touched again."""

import datetime as dt

import pytest
from sqlalchemy import select

from qcbench.core.errors import NotFoundError, TransitionError
from qcbench.instruments.loading import load_pack
from qcbench.qc1 import read_ab
from qcbench.reports import measure_ab, rescore, score_ab
from qcbench.store import Event
from qcbench.store.queries import find_ab
from qcbench.workbench import Workbench
from tests.reports.builders import (
    DATE,
    INSTRUMENT,
    PACK,
    add_ab,
    add_product,
    dark_file,
    readgain_file,
    workbench,
)


@pytest.fixture
def bench(tmp_path):
    made = workbench(tmp_path / "bench")
    yield made
    made.close()


def processed_dark(bench: Workbench, tmp_path, number: int = 0, **values: float) -> str:
    name = add_ab(bench, number)
    add_product(bench, name, dark_file(tmp_path / f"dark{number}.fits", **values))
    return name


def block(bench, name):
    with bench.store.read() as session:
        return find_ab(session, name, whole=True)


def rows(bench, name, table="testcam_dark"):
    with bench.store.connect() as connection:
        return read_ab(connection, table, bench.pack(INSTRUMENT).tables[table], name)


def verdicts(bench, name):
    return {(score.parameter, score.detector): score.verdict for score in block(bench, name).scores}


def test_the_headers_of_the_product_become_a_row_for_each_detector(bench, tmp_path):
    name = processed_dark(bench, tmp_path, ron=12.9)
    measure_ab(bench, name)
    found = [(row["detector"], row["ron"], row["dit"], row["n_hot"]) for row in rows(bench, name)]
    assert found == [("CHIP1", 9.0, 10.0, 0), ("CHIP2", 12.9, 10.0, 1)]
    assert block(bench, name).state == "measured"


def test_parameters_in_any_header_are_found_by_the_name_of_their_detector(bench, tmp_path):
    name = add_ab(bench, raw_type="NOISE")
    add_product(bench, name, readgain_file(tmp_path / "gain.fits"), "MASTER_READGAIN")
    measure_ab(bench, name)
    assert [row["gain"] for row in rows(bench, name, "testcam_noise")] == [2.1, 2.2]


def test_of_two_products_of_one_category_the_first_is_measured(bench, tmp_path):
    name = processed_dark(bench, tmp_path, ron=9.5)
    add_product(bench, name, dark_file(tmp_path / "second.fits", ron=20.0))
    measure_ab(bench, name)
    assert rows(bench, name)[1]["ron"] == 9.5


@pytest.mark.parametrize("content", [b"", b"SIMPLE  = nonsense"], ids=["empty", "nonsense"])
def test_a_product_that_can_not_be_read_fails_its_AB_and_says_why(bench, tmp_path, content):
    name = add_ab(bench)
    path = tmp_path / "rotten.fits"
    path.write_bytes(content)
    add_product(bench, name, path)
    measure_ab(bench, name)
    ab = block(bench, name)
    assert (ab.state, ab.reason.split(":")[0]) == ("failed", "rotten.fits")
    with bench.store.read() as session:
        levels = session.execute(select(Event.flag, Event.level).where(Event.ab_name == name)).all()
    assert levels == [("ab_failed", "error")]
    assert rows(bench, name) == []


def test_a_product_that_the_recipe_did_not_make_fails_its_AB(bench):
    name = add_ab(bench)
    add_product(bench, name, None, location="virtual")
    measure_ab(bench, name)
    assert "no product MASTER_DARK" in block(bench, name).reason


def test_only_a_processed_AB_is_measured(bench):
    with pytest.raises(TransitionError, match="can't go from 'created' to 'measured'"):
        measure_ab(bench, add_ab(bench, raw_type="FLAT", state="created"))


def test_an_AB_that_nobody_knows_is_named_in_the_error(bench):
    with pytest.raises(NotFoundError, match=r"TESTCAM\.x\.ab"):
        measure_ab(bench, "TESTCAM.x")


def test_scores_compare_each_value_with_its_limits(bench, tmp_path):
    name = processed_dark(bench, tmp_path, ron=12.9)
    measure_ab(bench, name)
    assert score_ab(bench, name).text == "1/4"
    assert verdicts(bench, name) == {
        ("ron", "CHIP1"): 0,
        ("ron", "CHIP2"): 1,
        ("level", "CHIP1"): 0,
        ("level", "CHIP2"): 0,
        ("n_hot", "CHIP1"): None,
        ("n_hot", "CHIP2"): None,
    }
    assert block(bench, name).state == "scored"


def test_an_AB_without_a_QC_table_is_scored_with_nothing(bench):
    name = add_ab(bench, raw_type="FLAT")
    measure_ab(bench, name)
    assert score_ab(bench, name).text == "–"
    assert block(bench, name).state == "scored"


def test_an_AB_that_is_not_measured_is_not_scored(bench):
    with pytest.raises(TransitionError):
        score_ab(bench, add_ab(bench))


def test_new_thresholds_rescore_what_is_stored_and_keep_the_state(bench, tmp_path):
    name = processed_dark(bench, tmp_path, ron=12.9)
    measure_ab(bench, name)
    score_ab(bench, name)
    with bench.store.write() as session:
        find_ab(session, name).state = "certified"
    (tmp_path / "dark0.fits").unlink()
    wider = tmp_path / "wider"
    workbench(wider, scores=PACK["scores.yaml"].replace("high: 11.2", "high: 13.2")).close()
    scores = bench.tree.config / INSTRUMENT / "scores.yaml"
    scores.write_text((wider / "config" / INSTRUMENT / "scores.yaml").read_text())
    load_pack.cache_clear()
    assert {ab: count.text for ab, count in rescore(bench, INSTRUMENT, DATE).items()} == {name: "0/4"}
    ab = block(bench, name)
    assert (ab.state, len(ab.scores)) == ("certified", 6)
    with bench.store.read() as session:
        assert session.scalars(select(Event.message).where(Event.flag == "ab_rescored")).all() == [
            "score 1/4 → 0/4"
        ]


def test_a_threshold_counts_from_its_date_on(bench, tmp_path):
    early = dt.date(2025, 12, 31)
    name = add_ab(bench, date=early)
    add_product(bench, name, dark_file(tmp_path / "early.fits", ron=99.0))
    measure_ab(bench, name)
    assert score_ab(bench, name).text == "–"
