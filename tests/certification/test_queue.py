"""The queue holds what waits for a person, the most urgent first, each with its reason."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import event

from qcbench.certification import certify_products, decide, queue
from qcbench.core.dates import time_of_mjd
from qcbench.store import ABState
from tests.builders import DATE, INSTRUMENT, add_ab, add_dark, add_flat, add_score, build_workbench, mjd_at


def tags(items):
    return [(item.ab_name, item.tag) for item in items]


def test_failed_and_red_come_first_then_unscored_then_the_sample(tmp_path):
    bench = build_workbench(tmp_path / "wb", {"QCBENCH_CERTIFICATION_SAMPLE_FRACTION": "1"})
    sampled, red = add_dark(bench, 1), add_dark(bench, 4, ron=12.9)
    with bench.store.write() as session:
        unscored = add_ab(session, 2).name
        failed = add_ab(session, 3, state=ABState.FAILED, reason="no space").name
        early = add_ab(session, 5, date=DATE - dt.timedelta(days=1))
        add_score(session, early, 5.0, 1)
    assert tags(queue(bench)) == [
        (early.name, "red"),
        (failed, "failed"),
        (red, "red"),
        (unscored, "unscored"),
        (sampled, "sampled"),
    ]
    assert len(queue(bench, INSTRUMENT, DATE)) == 4
    assert queue(bench, "other") == []


def test_an_item_tells_score_reason_and_age(bench):
    add_dark(bench, 1, ron=12.9, report_path="plots/x.html")
    now = time_of_mjd(mjd_at(3))
    (item,) = queue(bench, now=now)
    assert item.score.text == "1/1"
    assert item.why == "Readout noise of CHIP1 is 12.9 ADU, above 11.2"
    assert (item.raw_type, item.setup, item.report_path) == ("DARK", "DIT10", "plots/x.html")
    # two hours since the start of a frame of 10 s
    assert abs(item.age - dt.timedelta(hours=2, seconds=-10)) < dt.timedelta(milliseconds=1)


def test_green_abs_and_decided_ones_are_not_in_the_queue(bench):
    add_dark(bench, 1)
    red = add_dark(bench, 2, ron=12.9)
    decide(bench, red, "rejected", by="ann", comment="stripes")
    assert queue(bench) == []


def test_decisions_that_can_still_change_are_shown_where_asked_for(bench):
    green, red = add_dark(bench, 1), add_dark(bench, 2, ron=12.9)
    certify_products(bench, INSTRUMENT, DATE)
    items = queue(bench, decided=True)
    assert tags(items) == [(red, "red"), (green, "decided")]
    assert items[1].last_decision is not None
    assert items[1].last_decision.by == "AUTO"


def test_a_green_ab_that_used_a_rejected_calibration_says_which(bench):
    dark = add_dark(bench, 1)
    flat = add_flat(bench, 2, dark)
    decide(bench, dark, "rejected", by="ann", comment="stripes")
    (item,) = queue(bench)
    assert (item.ab_name, item.tag) == (flat, "manual")
    assert item.why.startswith("It used r.TINY")
    assert item.why.endswith(f"of {dark}, which was rejected")


def test_the_number_of_queries_does_not_grow_with_the_queue(bench):
    counts = []
    for hours in range(1, 9):
        add_dark(bench, hours, ron=12.9)
        statements: list[str] = []
        listener = lambda *args, seen=statements: seen.append(args[2])  # noqa: E731
        event.listen(bench.store.engine, "before_cursor_execute", listener)
        queue(bench)
        event.remove(bench.store.engine, "before_cursor_execute", listener)
        counts.append(len(statements))
    assert counts[0] == counts[-1]
