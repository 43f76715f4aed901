"""The certification app, driven as its page drives it, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from qcbench.apps import certify as certify_module
from qcbench.apps.certify import CertifyApp, certify_page
from qcbench.apps.distribute import waiting_steps
from qcbench.certification import decide
from qcbench.core.errors import BusyError
from qcbench.core.identity import current_user
from tests.apps.conftest import Night
from tests.builders import find_ab, state_of


@pytest.fixture
def app(night: Night) -> CertifyApp:
    return CertifyApp(night.bench)


def rows(app: CertifyApp) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in app.queue.rows}


def say(app: CertifyApp, act: str, **content: object) -> str:
    app.act({"act": act, **content})
    return str(app.actions.message["text"])


def last_decision(night: Night, name: str) -> tuple[str, str, str, str]:
    with night.bench.store.read() as session:
        last = find_ab(session, name).decisions[-1]
        return last.verdict, last.scope, last.by, last.comment


def test_it_opens_on_the_newest_date_with_the_most_urgent_ab(app: CertifyApp, night: Night) -> None:
    assert app.header.state["date"] == "2026-11-19"
    assert app.header.state["waiting_all"] == 5
    assert app.detail.answer["name"] == night.red
    assert app.header.state["user"] == current_user()


def test_a_certified_ab_is_decided_by_the_user_of_the_operating_system(app: CertifyApp, night: Night) -> None:
    say(app, "select", name=night.green)
    said = say(app, "certify", comment="", by="somebody else")
    assert said.startswith(f"{night.green} certified by {current_user()}")
    assert last_decision(night, night.green) == ("certified", "product", current_user(), "")
    assert rows(app)[night.green]["tag"] == "decided"
    assert app.header.state["counts"] == "certified 1 · rejected 0 · to move 1"


def test_a_rejection_without_a_comment_is_refused_and_nothing_changes(app: CertifyApp, night: Night) -> None:
    say(app, "select", name=night.green)
    assert "needs a comment" in say(app, "reject_product", comment=" ")
    assert state_of(night.bench, night.green) == "scored"


def test_a_rejection_that_touches_others_is_asked_for_twice_and_names_them(
    app: CertifyApp, night: Night
) -> None:
    say(app, "select", name=night.red)
    say(app, "reject_product", comment="noise")
    assert app.actions.confirm["text"] == "1 other AB used the products of this AB:"
    assert night.user in app.actions.confirm["names"]
    assert state_of(night.bench, night.red) == "scored"
    say(app, "confirm", comment="noise")
    assert last_decision(night, night.red) == ("rejected", "product", current_user(), "noise")
    assert app.actions.confirm["text"] == ""


def test_the_question_is_forgotten_when_another_ab_is_looked_at(app: CertifyApp, night: Night) -> None:
    say(app, "select", name=night.red)
    say(app, "reject_product", comment="noise")
    say(app, "select", name=night.green)
    say(app, "confirm", comment="noise")
    assert state_of(night.bench, night.red) == "scored"
    assert state_of(night.bench, night.green) == "scored"


def test_raw_frames_are_rejected_with_a_request_to_hide_them(app: CertifyApp, night: Night) -> None:
    say(app, "select", name=night.green)
    assert "rejected with its raw frames" in say(app, "reject_raw", comment="dome was open")
    assert last_decision(night, night.green)[1] == "raw"


def test_a_comment_alone_decides_nothing_and_stands_in_the_history(app: CertifyApp, night: Night) -> None:
    say(app, "select", name=night.red)
    assert "needs a text" in say(app, "comment", comment="  ")
    assert "kept" in say(app, "comment", comment="asked the <b>observatory</b>")
    assert state_of(night.bench, night.red) == "scored"
    say(app, "tab", name="history")
    assert "asked the &lt;b&gt;observatory&lt;/b&gt;" in app.detail.body["html"]


def test_a_selection_is_decided_in_one_go_and_refusals_are_listed(app: CertifyApp, night: Night) -> None:
    app.queue.checked = [night.green, night.unscored, night.failed]
    assert app.actions.target == {"count": 3, "text": " 3 selected"}
    said = say(app, "certify", comment="seen")
    assert said.startswith("2 certified, 1 not. ")
    assert night.failed in said
    assert state_of(night.bench, night.unscored) == "certified"


def test_buttons_say_so_when_they_act_on_something_else_than_what_is_shown(
    app: CertifyApp, night: Night
) -> None:
    say(app, "select", name=night.red)
    assert app.actions.target == {"count": 1, "text": ""}
    app.queue.checked = [night.green]
    assert app.actions.target == {"count": 1, "text": " 1 selected"}


def test_a_decision_on_what_somebody_else_decided_meanwhile_is_refused(app: CertifyApp, night: Night) -> None:
    say(app, "select", name=night.green)
    decide(night.bench, night.green, "rejected", by="anna", comment="stripes")
    said = say(app, "certify", comment="fine")
    assert "anna has rejected it at" in said
    assert "stripes" in said
    assert state_of(night.bench, night.green) == "rejected"
    assert rows(app)[night.green]["tag"] == "decided"


def test_a_decision_can_be_followed_by_another_one_until_the_products_are_moved(
    app: CertifyApp, night: Night
) -> None:
    say(app, "select", name=night.green)
    say(app, "certify", comment="")
    say(app, "reject_product", comment="stripes after all")
    assert state_of(night.bench, night.green) == "rejected"


def test_move_rename_and_ingest_bring_exactly_the_certified_products_into_the_archive(
    app: CertifyApp, night: Night
) -> None:
    say(app, "select", name=night.green)
    say(app, "certify", comment="")
    say(app, "distribute")
    assert "Move, name and archive" in app.actions.confirm["text"]
    assert "to move 1" in app.actions.confirm["names"]
    assert state_of(night.bench, night.green) == "certified", "nothing is moved before the second word"
    say(app, "confirm")
    app.wait()
    assert app.actions.confirm["text"] == ""
    steps = {step["name"]: (step["state"], step["text"]) for step in app.header.state["steps"]}
    assert steps == {
        "move": ("done", "1 AB"),
        "rename": ("done", "1 AB"),
        "ingest": ("done", "1 product"),
        "update ABs": ("done", "0 ABs"),
        "audit": ("done", "archive and database agree"),
    }
    assert not app.header.state["busy"]
    assert state_of(night.bench, night.green) == "ingested"
    assert len(list(night.bench.archive.list_products())) == 1
    say(app, "close")
    assert app.header.state["steps"] == []


def test_all_that_waits_spans_instruments_and_dates_until_a_date_is_chosen(
    app: CertifyApp, night: Night
) -> None:
    say(app, "all")
    assert app.header.state["all"]
    assert rows(app)[night.red]["short"] == "11-19 22:00:00.000_tpl"
    say(app, "date", value="2026-11-19")
    assert not app.header.state["all"]


@pytest.mark.parametrize("act", ["instrument", "date", "select", "tab"])
def test_a_message_with_nonsense_changes_nothing(app: CertifyApp, night: Night, act: str) -> None:
    say(app, act, name="../../etc", value="../../etc")
    assert rows(app).keys() >= {night.red}
    assert state_of(night.bench, night.red) == "scored"


def test_a_database_that_went_away_is_said_and_the_page_stays(app: CertifyApp, night: Night) -> None:
    database = night.bench.settings.root / "qcbench.db"
    night.bench.store.dispose()
    database.rename(database.with_name("gone.db"))
    say(app, "refresh")
    assert app.queue.notice["kind"] == "error"
    assert "qcbench.db" in app.queue.notice["todo"]
    for part in night.bench.settings.root.glob("qcbench.db*"):
        part.unlink()
    database.with_name("gone.db").rename(database)
    night.bench.store.dispose()
    say(app, "refresh")
    assert app.queue.notice == {}


def test_a_workbench_that_cannot_be_opened_is_a_page_that_says_why(tmp_path: Path) -> None:
    page = certify_page(tmp_path, {})
    (notice,) = page.children
    assert (notice.state["kind"], notice.state["what"]) == ("error", "The workbench can't be opened.")
    assert "not a workbench" in notice.state["todo"]


def test_nothing_that_waits_is_a_state_of_its_own(app: CertifyApp, night: Night) -> None:
    app.queue.checked = list(rows(app))
    for name in rows(app):
        decide(night.bench, name, "rejected", by="anna", comment="bad night")
    say(app, "refresh")
    assert all(row["tag"] == "decided" for row in app.queue.rows)
    assert app.queue.empty["what"] == "Nothing of TINY 2026-11-19 waits for a decision."


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BusyError("another one is running"), "another one is running"),
        (ZeroDivisionError("division by zero"), "an unexpected error: ZeroDivisionError: division by zero"),
    ],
)
def test_a_distribution_that_breaks_off_is_never_told_as_a_success(
    app: CertifyApp,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    words: str,
) -> None:
    def broken(*_where: object) -> Iterator[object]:
        yield waiting_steps()
        raise error

    monkeypatch.setattr(certify_module, "run_distribution", broken)
    with capture_logs() as lines:
        say(app, "distribute")
        say(app, "confirm")
        app.wait()
    assert app.actions.message == {"kind": "nok", "text": words}
    assert not app.header.state["busy"]
    traced = [line["traceback"] for line in lines if line["log_level"] == "error"]
    assert bool(traced) is not isinstance(error, BusyError)
    assert all("in broken" in text for text in traced)


def test_a_step_that_fails_is_told_with_its_words(app: CertifyApp, night: Night) -> None:
    say(app, "select", name=night.green)
    say(app, "certify", comment="")
    with night.bench.store.read() as session:
        Path(str(find_ab(session, night.green).products[0].path)).unlink()
    say(app, "distribute")
    say(app, "confirm")
    app.wait()
    assert app.actions.message["kind"] == "nok"
    assert str(app.actions.message["text"]).startswith(f"move: {night.green}: ")


def test_an_ab_whose_certification_was_withdrawn_shows_why_in_the_queue(
    app: CertifyApp, night: Night
) -> None:
    decide(night.bench, night.user, "certified", by="anna", comment="")
    decide(night.bench, night.red, "rejected", by="anna", comment="noise")
    say(app, "refresh")
    row = rows(app)[night.user]
    assert row["tag"] != "decided"
    assert row["brief"].startswith("It used r.TINY")
