"""The AB monitor shows each AB of a date with its state, its score and its links."""

import dataclasses
import datetime as dt
import json
import re
from urllib.parse import unquote

import pytest

from qcbench.core.dates import utc_now
from qcbench.monitors import ab_monitor, ab_rows
from qcbench.reports import measure_ab, score_ab
from qcbench.store import Comment, Decision
from qcbench.store.queries import find_ab
from tests.reports.builders import DATE, INSTRUMENT, add_ab, add_product, dark_file, workbench


@pytest.fixture
def bench(tmp_path):
    made = workbench(tmp_path / "bench")
    yield made
    made.close()


def scored(bench, tmp_path, number: int = 0, **values) -> str:
    name = add_ab(bench, number)
    add_product(bench, name, dark_file(tmp_path / f"dark{number}.fits", **values))
    measure_ab(bench, name)
    score_ab(bench, name)
    return name


def decide(bench, name: str, verdict: str, comment: str, automatic: bool = False) -> None:
    with bench.store.write() as session:
        ab = find_ab(session, name)
        row = Decision(verdict=verdict, scope="product", by="anna", at=utc_now(), comment=comment)
        row.automatic, row.policy = automatic, "all"
        ab.decisions.append(row)


def test_a_row_tells_all_that_is_known_of_an_AB(bench, tmp_path):
    name = scored(bench, tmp_path, ron=12.9)
    (row,) = ab_rows(bench, INSTRUMENT, DATE)
    assert (row.name, row.raw_type, row.setup, row.state) == (name, "DARK", "DIT10", "scored")
    assert (row.n_red, row.n_scored, row.t_exec, row.completeness) == (1, 4, 4.2, "COMPLETE")


def test_rows_are_plain_data(bench, tmp_path):
    scored(bench, tmp_path)
    (row,) = ab_rows(bench, INSTRUMENT, DATE)
    assert json.loads(json.dumps(dataclasses.asdict(row), default=str))["state"] == "scored"
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.state = "certified"


def test_rows_are_in_the_order_of_the_frames_and_of_this_date_only(bench):
    names = [add_ab(bench, number) for number in (20, 0, 10)]
    add_ab(bench, 0, date=DATE + dt.timedelta(days=1))
    assert [row.name for row in ab_rows(bench, INSTRUMENT, DATE)] == [names[1], names[2], names[0]]


def test_the_last_decision_counts_and_comments_are_shown_with_it(bench, tmp_path):
    name = scored(bench, tmp_path)
    decide(bench, name, "certified", "", automatic=True)
    decide(bench, name, "rejected", "striped")
    with bench.store.write() as session:
        session.add(Comment(kind="ab", target=name, text="see the log", by="bob", at=utc_now()))
    (row,) = ab_rows(bench, INSTRUMENT, DATE)
    assert (row.decision, row.comment) == ("rejected by anna", "striped · see the log")


def test_the_header_counts_all_success_failed_created_and_sums_the_scores(bench, tmp_path):
    scored(bench, tmp_path, 0, ron=12.9)
    scored(bench, tmp_path, 10)
    add_ab(bench, 20, state="failed", reason="status 5")
    add_ab(bench, 30, state="queued")
    page = ab_monitor(bench, INSTRUMENT, DATE).read_text()
    assert ">4|2|1|1<" in page
    assert "✕ 1/8" in page
    assert "1 AB failed, 1 AB with red scores, 1 AB to process." in page
    assert "status 5" in page


def test_the_page_lies_with_the_logs_and_its_links_are_relative(bench, tmp_path):
    name = scored(bench, tmp_path)
    folder = bench.data(INSTRUMENT).logs(DATE)
    report = bench.data(INSTRUMENT).plots(DATE) / f"{name}.html"
    for file in (folder / "r.log", folder / name, report):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    with bench.store.write() as session:
        ab = find_ab(session, name)
        ab.log_path, ab.report_path = str(folder / "r.log"), str(report)
    path = ab_monitor(bench, INSTRUMENT, DATE)
    assert path == folder / f"status_{DATE}.html"
    links = [unquote(link) for link in re.findall(r'href="([^"]+)"', path.read_text())]
    assert len(links) == 3
    assert all(not link.startswith("/") and (folder / link).is_file() for link in links)


def test_what_an_AB_misses_is_said_beside_its_completeness(bench):
    add_ab(bench, completeness="INCOMPLETE", missing=[{"tag": "MASTER_BIAS", "required": True}])
    page = ab_monitor(bench, INSTRUMENT, DATE).read_text()
    assert "INCOMPLETE" in page
    assert "MASTER_BIAS" in page


def test_texts_of_others_are_escaped(bench, tmp_path):
    name = scored(bench, tmp_path)
    decide(bench, name, "rejected", "<img src=x onerror=alert(1)>")
    assert "<img" not in ab_monitor(bench, INSTRUMENT, DATE).read_text()


def test_a_date_without_ABs_has_a_page_that_says_so(bench):
    assert "No AB was created for this date" in ab_monitor(bench, INSTRUMENT, DATE).read_text()
