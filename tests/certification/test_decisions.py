"""A decision carries who, when and why; it is never overwritten, only followed (handbook 4.1.3, 4.1.7, 5.5.5)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from qcbench.certification import certify_products, comment_on, decide, queue
from qcbench.core.errors import DecisionError, NotFoundError
from qcbench.store import ABState, Comment, Event, advance
from tests.builders import DATE, INSTRUMENT, add_ab, add_dark, find_ab, flags_of, state_of


def verdicts(bench, name):
    with bench.store.read() as session:
        return [(item.verdict, item.by, item.comment) for item in find_ab(session, name).decisions]


def test_a_decision_names_who_and_why_and_under_which_policy(bench):
    red = add_dark(bench, 1, ron=12.9)
    decision = decide(bench, red, "certified", by="ann", comment="after intervention")
    assert (decision.by, decision.comment, decision.policy) == ("ann", "after intervention", "red")
    assert not decision.automatic
    assert state_of(bench, red) == "certified"


@pytest.mark.parametrize(
    ("ron", "verdict", "comment", "problem"),
    [
        (9.0, "rejected", "  ", "a rejection needs a comment"),
        (12.9, "certified", "", "certification of a red AB needs a comment"),
        (9.0, "moved", "why not", "'moved' is no decision"),
    ],
)
def test_a_decision_that_lacks_something_is_refused(bench, ron, verdict, comment, problem):
    name = add_dark(bench, 1, ron=ron)
    with pytest.raises(DecisionError, match=problem):
        decide(bench, name, verdict, by="ann", comment=comment)
    assert verdicts(bench, name) == []
    assert state_of(bench, name) == "scored"


def test_nobody_can_decide_without_a_name_and_only_a_rejection_is_of_raw_frames(bench):
    name = add_dark(bench, 1)
    with pytest.raises(DecisionError, match="somebody who takes it"):
        decide(bench, name, "certified", by=" ", comment="")
    with pytest.raises(DecisionError, match="only a rejection"):
        decide(bench, name, "certified", by="ann", comment="", scope="raw")


def test_who_was_slower_is_told_what_the_other_decided(bench):
    red = add_dark(bench, 1, ron=12.9)
    (shown,) = queue(bench)
    decide(bench, red, "rejected", by="anna", comment="noise")
    with pytest.raises(DecisionError, match=r"anna has rejected it at .*noise.*after this page had shown it"):
        decide(bench, red, "certified", by="ben", comment="fine", shown=shown)
    assert [who for _, who, _ in verdicts(bench, red)] == ["anna"]


def test_an_ab_that_went_on_meanwhile_is_not_decided_as_it_was_shown(bench):
    red = add_dark(bench, 1, ron=12.9)
    (shown,) = queue(bench)
    with bench.store.write() as session:
        advance(session, find_ab(session, red), ABState.REJECTED, "test")
    with pytest.raises(DecisionError, match="it is rejected now, no longer scored"):
        decide(bench, red, "certified", by="ben", comment="fine", shown=shown)


def test_an_unknown_ab_is_named(bench):
    with pytest.raises(NotFoundError, match=r"no AB 'X\.ab'"):
        decide(bench, "X.ab", "certified", by="ann", comment="")


def test_an_ab_that_is_not_scored_can_not_be_decided(bench):
    with bench.store.write() as session:
        name = add_ab(session, 1, state=ABState.MEASURED).name
    with pytest.raises(DecisionError, match="it is measured, not scored yet"):
        decide(bench, name, "rejected", by="ann", comment="bad")


def test_a_failed_ab_can_only_be_rejected_also_by_who_changes_the_mind(bench):
    with bench.store.write() as session:
        name = add_ab(session, 1, state=ABState.FAILED, reason="truncated").name
    with pytest.raises(DecisionError, match=r"no products .* \(truncated\)"):
        decide(bench, name, "certified", by="ann", comment="fine")
    decide(bench, name, "rejected", by="ann", comment="useless")
    with pytest.raises(DecisionError, match="no products"):
        decide(bench, name, "certified", by="ann", comment="fine")


def test_an_ab_that_will_never_get_its_calibration_can_be_rejected(bench):
    with bench.store.write() as session:
        name = add_ab(session, 1, state=ABState.CREATED, completeness="INCOMPLETE").name
    with pytest.raises(DecisionError, match="not scored yet"):
        decide(bench, name, "certified", by="ann", comment="")
    assert decide(bench, name, "rejected", by="ann", comment="no dark").policy == "incomplete"


def test_the_same_decision_again_adds_nothing(bench):
    name = add_dark(bench, 1)
    first = decide(bench, name, "rejected", by="ann", comment="stripes")
    before = flags_of(bench)
    assert decide(bench, name, "rejected", by="ann", comment=" stripes ").id == first.id
    assert flags_of(bench) == before


def test_a_changed_mind_is_a_decision_that_follows(bench):
    name = add_dark(bench, 1)
    decide(bench, name, "rejected", by="ann", comment="stripes")
    decide(bench, name, "certified", by="bob", comment="they are real")
    assert verdicts(bench, name) == [
        ("rejected", "ann", "stripes"),
        ("certified", "bob", "they are real"),
    ]
    assert state_of(bench, name) == "certified"
    assert flags_of(bench, "cal_") == ["cal_Certif"]


def test_a_changed_mind_on_a_red_ab_needs_a_comment_as_the_first_one_did(bench):
    name = add_dark(bench, 1, ron=12.9)
    decide(bench, name, "rejected", by="ann", comment="stripes")
    with pytest.raises(DecisionError, match="red AB needs a comment"):
        decide(bench, name, "certified", by="ann", comment="")


def test_the_mind_can_not_change_once_products_were_moved(bench):
    name = add_dark(bench, 1, state=ABState.MOVED)
    with pytest.raises(DecisionError, match="moved already"):
        decide(bench, name, "rejected", by="ann", comment="stripes")


def test_the_mind_can_not_change_once_products_were_purged(bench):
    name = add_dark(bench, 1)
    decide(bench, name, "rejected", by="ann", comment="stripes")
    with bench.store.write() as session:
        for product in find_ab(session, name).products:
            product.location = "purged"
    with pytest.raises(DecisionError, match="purged after the rejection"):
        decide(bench, name, "certified", by="ann", comment="fine")
    assert state_of(bench, name) == "rejected"


def test_a_rejection_of_raw_frames_asks_to_hide_each_of_them_once(bench):
    name = add_dark(bench, 1)
    for _ in range(2):
        decide(bench, name, "rejected", by="ann", comment="saturated", scope="raw")
    with bench.store.read() as session:
        (comment,) = session.scalars(select(Comment)).all()
        (event,) = session.scalars(select(Event).where(Event.flag == "hide_request")).all()
        arcfile = find_ab(session, name).inputs[0].frame.arcfile
    assert (comment.kind, comment.target, comment.text) == ("frame", arcfile, "hide requested: saturated")
    assert arcfile in event.message


def test_a_rejection_of_products_can_be_extended_to_the_raw_frames(bench):
    name = add_dark(bench, 1)
    decide(bench, name, "rejected", by="ann", comment="stripes")
    decide(bench, name, "rejected", by="ann", comment="stripes", scope="raw")
    assert len(verdicts(bench, name)) == 2
    assert flags_of(bench, "hide_request") == ["hide_request"]


def test_the_last_decision_of_a_date_writes_its_flag(bench):
    first, second = add_dark(bench, 1, ron=12.9), add_dark(bench, 2, ron=12.9)
    certify_products(bench, INSTRUMENT, DATE)
    decide(bench, first, "certified", by="ann", comment="fine")
    assert not flags_of(bench, "cal_")
    decide(bench, second, "rejected", by="ann", comment="stripes")
    assert flags_of(bench, "cal_") == ["cal_Certif"]


def test_of_two_who_decide_at_once_the_later_one_follows_the_earlier(bench):
    name = add_dark(bench, 1)
    people = [("certified", "ann"), ("rejected", "bob"), ("certified", "cat"), ("rejected", "dan")]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda who: decide(bench, name, who[0], by=who[1], comment="mine"), people))
    given = verdicts(bench, name)
    assert sorted(by for _, by, _ in given) == ["ann", "bob", "cat", "dan"]
    assert state_of(bench, name) == given[-1][0]


def test_comments_go_to_things_that_exist(bench):
    name = add_dark(bench, 1)
    with bench.store.read() as session:
        ab = find_ab(session, name)
        targets = {
            "frame": ab.inputs[0].frame.arcfile,
            "product": ab.products[0].pipefile,
            "ab": name,
            "date": "2026-11-19",
        }
    for kind, target in targets.items():
        assert comment_on(bench, kind, target, " clouds ", "ann").text == "clouds"
        with pytest.raises(NotFoundError, match=f"there is no {kind} 'nothing'"):
            comment_on(bench, kind, "nothing", "clouds", "ann")
    with pytest.raises(DecisionError, match="needs a text"):
        comment_on(bench, "ab", name, " ", "ann")
