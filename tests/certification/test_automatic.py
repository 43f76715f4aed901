"""certify-products: most green ABs are certified AUTO, the others are offered (handbook 5.5.5)."""

from __future__ import annotations

from qcbench.certification import certify_products, decide, queue
from qcbench.store import ABState
from tests.builders import (
    DATE,
    INSTRUMENT,
    add_ab,
    add_dark,
    add_flat,
    build_workbench,
    find_ab,
    flags_of,
    state_of,
)


def test_green_abs_are_certified_and_red_ones_marked_for_review(bench):
    green, red = add_dark(bench, 1), add_dark(bench, 2, ron=12.9)
    result = certify_products(bench, INSTRUMENT, DATE)
    assert result.certified == (green,)
    assert result.for_review == ((red, "red"),)
    with bench.store.read() as session:
        (decision,) = find_ab(session, green).decisions
        assert (decision.by, decision.automatic, decision.verdict) == ("AUTO", True, "certified")
        assert find_ab(session, red).review == "red"
        assert find_ab(session, green).review is None


def test_a_second_call_changes_nothing(bench):
    add_dark(bench, 1), add_dark(bench, 2, ron=12.9)
    certify_products(bench, INSTRUMENT, DATE)
    before = flags_of(bench)
    result = certify_products(bench, INSTRUMENT, DATE)
    assert (result.certified, len(result.for_review)) == ((), 1)
    assert flags_of(bench) == before


def test_the_date_is_flagged_once_when_its_last_ab_is_certified(bench):
    add_dark(bench, 1)
    certify_products(bench, INSTRUMENT, DATE)
    certify_products(bench, INSTRUMENT, DATE)
    assert flags_of(bench, "cal_") == ["cal_Certif"]


def test_the_date_is_not_flagged_while_an_ab_is_being_processed(bench):
    add_dark(bench, 1)
    with bench.store.write() as session:
        late = add_ab(session, 2, state=ABState.PROCESSING).name
    assert certify_products(bench, INSTRUMENT, DATE).open == (late,)
    assert not flags_of(bench, "cal_")


def test_an_ab_that_lacks_a_calibration_does_not_hold_up_the_flag(bench):
    add_dark(bench, 1)
    with bench.store.write() as session:
        add_ab(session, 2, state=ABState.CREATED, completeness="INCOMPLETE")
    certify_products(bench, INSTRUMENT, DATE)
    assert flags_of(bench, "cal_") == ["cal_Certif"]


def test_other_dates_and_modes_are_left_alone(bench):
    science = add_dark(bench, 1, mode="SCIENCE")
    certify_products(bench, INSTRUMENT, DATE)
    assert state_of(bench, science) == "scored"


def test_without_automatic_certification_all_are_offered(tmp_path):
    bench = build_workbench(tmp_path / "wb", {"QCBENCH_CERTIFICATION_AUTO": "false"})
    green = add_dark(bench, 1)
    assert certify_products(bench, INSTRUMENT, DATE).for_review == ((green, "manual"),)


def test_a_green_ab_that_used_a_rejected_calibration_is_not_certified_without_a_person(bench):
    dark = add_dark(bench, 1, ron=12.9)
    flat = add_flat(bench, 2, dark)
    decide(bench, dark, "rejected", by="ann", comment="stripes")
    assert certify_products(bench, INSTRUMENT, DATE).for_review == ((flat, "manual"),)


def test_a_green_ab_without_a_report_is_left_to_a_person_with_the_reason(bench):
    dark = add_dark(bench, 1, report_path=None)
    assert certify_products(bench, INSTRUMENT, DATE).for_review == ((dark, "manual"),)
    (item,) = queue(bench)
    assert (item.tag, item.brief) == ("manual", "its QC report could not be made")
    assert item.why == "Its only score is green; its QC report could not be made"
    assert state_of(bench, dark) == "scored"
