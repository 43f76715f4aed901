"""What is shown of one AB: the answer in words, then the evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qcbench.apps.details import TABS, Answer, answer, served_path, tab_body, tail
from qcbench.certification import comment_on, decide, queue
from tests.apps.conftest import HOSTILE, Night
from tests.builders import DATE, INSTRUMENT, find_ab


def answer_of(night: Night, name: str) -> Answer:
    return answer(night.bench, item_of(night, name))


def item_of(night: Night, name: str) -> Any:
    return next(item for item in queue(night.bench, decided=True) if item.ab_name == name)


def test_the_answer_of_a_red_ab_is_its_worst_verdict_with_the_limit_since_when_and_what_to_do(
    night: Night,
) -> None:
    shown = answer_of(night, night.red)
    assert (shown.headline, shown.kind) == ("Readout noise of CHIP1 is 12.9 ADU, above 11.2.", "nok")
    assert shown.facts == (
        "Limits 7.4 … 11.2 ADU, in force since 2020-01-01: specification.",
        "What to do: Check the temperature of the detector.",
    )


def test_the_answer_of_a_failed_ab_is_the_reason(night: Night) -> None:
    shown = answer_of(night, night.failed)
    assert (shown.headline, shown.mark.text) == ("Frame is truncated.", "▲ failed")


def test_before_a_rejection_one_sees_what_used_the_products(night: Night) -> None:
    assert answer_of(night, night.red).used_by == (night.user,)
    assert answer_of(night, night.red).impact == "1 AB used its products."
    assert answer_of(night, night.green).impact == "no other AB used its products."


def test_a_decision_that_can_still_change_is_shown_with_its_comment(night: Night) -> None:
    decide(night.bench, night.red, "rejected", by="anna", comment="pick-up noise")
    shown = answer_of(night, night.red)
    assert shown.facts[-1].startswith("Rejected by anna, 20")
    assert "“pick-up noise”" in shown.facts[-1]
    assert shown.impact == "it is rejected already."


def test_every_tab_has_something_to_say_of_every_ab(night: Night) -> None:
    for name in (night.red, night.green, night.failed, night.unscored):
        for tab, _ in TABS:
            body = tab_body(night.bench, item_of(night, name), tab)
            assert body.keys() <= {"report", "html", "notice"}
            assert all(body.values())


def test_the_report_is_named_as_the_server_hands_it_out(night: Night) -> None:
    page = night.bench.data(INSTRUMENT).plots(DATE) / "report.html"
    page.parent.mkdir(parents=True)
    page.write_text("<h1>report</h1>")
    with night.bench.store.write() as session:
        find_ab(session, night.red).report_path = str(page)
    assert tab_body(night.bench, item_of(night, night.red), "report") == {
        "report": f"tiny/plots/{DATE}/report.html"
    }
    relative = str(page.relative_to(night.bench.settings.root))
    assert served_path(night.bench, relative) == f"tiny/plots/{DATE}/report.html"


def test_an_ab_without_a_report_says_how_to_make_one(night: Night) -> None:
    notice = tab_body(night.bench, item_of(night, night.green), "report")["notice"]
    assert notice["todo"] == f"Make it: qcbench process-qc -a {night.green}"


def test_a_file_outside_the_data_folder_is_not_named(night: Night) -> None:
    assert served_path(night.bench, "qcbench.toml") is None
    assert served_path(night.bench, "/etc/passwd") is None


def test_an_ab_that_failed_shows_the_end_of_its_log_in_place_of_a_report(night: Night) -> None:
    html = tab_body(night.bench, item_of(night, night.failed), "report")["html"]
    assert "line 999" in html
    assert "line 1 " not in html


@pytest.mark.parametrize("tab", ["raw", "log", "history"])
def test_what_stands_in_headers_logs_and_comments_is_never_markup(night: Night, tab: str) -> None:
    comment_on(night.bench, "ab", night.unscored, HOSTILE, "anna")
    name = night.failed if tab == "log" else night.unscored
    html = tab_body(night.bench, item_of(night, name), tab)["html"]
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "<img" not in html


def test_the_history_tells_decisions_and_comments_the_newest_first(night: Night) -> None:
    decide(night.bench, night.red, "rejected", by="anna", comment="noise")
    decide(night.bench, night.red, "certified", by="ben", comment="it is real")
    html = tab_body(night.bench, item_of(night, night.red), "history")["html"]
    assert html.index("it is real") < html.index("noise")


def test_the_tail_of_a_log_does_not_read_all_of_it(tmp_path: Path) -> None:
    log = tmp_path / "r.log"
    log.write_text("first\n" + "x" * 300_000 + "\nlast\n")
    assert tail(log).splitlines() == ["… the last 300 lines of r.log", "last"]
    log.write_text("one\ntwo\n")
    assert tail(log) == "one\ntwo"
