"""A rejection bites: nobody uses a rejected product again, and who used it says so."""

from __future__ import annotations

import pytest

from qcbench.certification import certify_products, decide, impact, queue
from qcbench.core.dates import utc_now
from qcbench.core.errors import DecisionError, NotFoundError
from qcbench.distribution import move_products
from qcbench.store import ABState, RecipeRun, RunFile, advance, record_event
from tests.builders import (
    DATE,
    INSTRUMENT,
    add_ab,
    add_dark,
    add_flat,
    add_product,
    find_ab,
    flags_of,
    state_of,
    use_calibration,
)


def add_waiting_flat(bench, hours, dark, state=ABState.QUEUED, role="MCALIB"):
    with bench.store.write() as session:
        flat = add_ab(session, hours, raw_type="FLAT", state=state)
        add_product(session, flat, "MASTER_FLAT")
        use_calibration(session, flat, find_ab(session, dark).products[0], role=role)
        return flat.name


@pytest.mark.parametrize("state", [ABState.CREATED, ABState.QUEUED])
def test_an_ab_that_waits_loses_the_rejected_calibration_and_is_associated_anew(bench, state):
    dark = add_dark(bench, 1)
    flat = add_waiting_flat(bench, 2, dark, state)
    decide(bench, dark, "rejected", by="ann", comment="stripes")
    with bench.store.read() as session:
        ab = find_ab(session, flat)
        assert (ab.state, ab.completeness, ab.calibrations) == ("created", "INCOMPLETE", [])
        (missing,) = ab.missing
    assert (missing["tag"], missing["required"], missing["line"]) == ("MASTER_DARK", True, 0)
    assert missing["why"].endswith(f"_0000.fits of {dark} was rejected")


def test_other_calibrations_stay(bench):
    bad, good = add_dark(bench, 1), add_dark(bench, 2)
    flat = add_waiting_flat(bench, 3, bad)
    with bench.store.write() as session:
        use_calibration(session, find_ab(session, flat), find_ab(session, good).products[0])
    decide(bench, bad, "rejected", by="ann", comment="stripes")
    with bench.store.read() as session:
        assert [use.product.ab.name for use in find_ab(session, flat).calibrations] == [good]


def test_a_calibration_that_was_only_associated_is_not_missed(bench):
    dark = add_dark(bench, 1)
    flat = add_waiting_flat(bench, 2, dark, role="MASSOC")
    decide(bench, dark, "rejected", by="ann", comment="stripes")
    with bench.store.read() as session:
        ab = find_ab(session, flat)
        assert (ab.completeness, ab.missing, ab.calibrations) == ("COMPLETE", [], [])


def test_an_ab_that_used_the_calibration_already_gets_a_warning(bench):
    dark = add_dark(bench, 1)
    add_flat(bench, 2, dark)
    decide(bench, dark, "rejected", by="ann", comment="stripes")
    assert flags_of(bench, "used_rejected") == ["used_rejected"]


def test_a_certification_takes_nothing_away(bench):
    dark = add_dark(bench, 1)
    flat = add_waiting_flat(bench, 2, dark)
    decide(bench, dark, "certified", by="ann", comment="")
    with bench.store.read() as session:
        assert len(find_ab(session, flat).calibrations) == 1


def test_the_impact_goes_through_all_that_depend_on_an_ab(bench):
    dark, other = add_dark(bench, 1), add_dark(bench, 2)
    flat = add_flat(bench, 3, dark)
    unrelated = add_flat(bench, 4, other)
    with bench.store.write() as session:
        standard = add_ab(session, 5, raw_type="STD", state=ABState.CREATED)
        use_calibration(session, standard, find_ab(session, flat).products[0])
        use_calibration(session, standard, find_ab(session, dark).products[0])
        last = standard.name
    assert impact(bench, dark) == [flat, last]
    assert impact(bench, other) == [unrelated]
    assert impact(bench, last) == []
    with pytest.raises(NotFoundError):
        impact(bench, "X.ab")


def test_a_certified_ab_that_used_the_calibration_goes_back_to_a_person(bench):
    dark = add_dark(bench, 1)
    flat = add_flat(bench, 2, dark)
    certify_products(bench, INSTRUMENT, DATE)
    decide(bench, dark, "rejected", by="ann", comment="stripes")
    assert flags_of(bench, "used_rejected") == ["used_rejected"]
    with bench.store.read() as session:
        ab = find_ab(session, flat)
        assert (ab.state, ab.review) == ("scored", "manual")
    assert certify_products(bench, INSTRUMENT, DATE).for_review == ((flat, "manual"),)
    (item,) = queue(bench)
    assert (item.ab_name, item.tag) == (flat, "manual")
    assert item.why.endswith(f"of {dark}, which was rejected")
    assert not move_products(bench, INSTRUMENT, DATE).moved


def test_a_red_ab_that_was_certified_says_its_score_and_the_rejected_calibration(bench):
    dark = add_dark(bench, 1)
    flat = add_flat(bench, 2, dark, ron=12.9)
    decide(bench, flat, "certified", by="ann", comment="fine")
    decide(bench, dark, "rejected", by="ann", comment="stripes")
    (item,) = queue(bench)
    assert item.tag == "red"
    assert "Readout noise of CHIP1 is 12.9 ADU, above 11.2. It used r.TINY" in item.why


def test_who_certifies_it_again_says_why_even_with_the_words_of_before(bench):
    dark = add_dark(bench, 1)
    flat = add_flat(bench, 2, dark)
    decide(bench, flat, "certified", by="ann", comment="fine")
    decide(bench, dark, "rejected", by="ann", comment="stripes")
    with pytest.raises(DecisionError, match="which was rejected; its certification needs a comment"):
        decide(bench, flat, "certified", by="ann", comment="")
    decide(bench, flat, "certified", by="ann", comment="fine")
    assert state_of(bench, flat) == "certified"
    with bench.store.read() as session:
        assert [item.policy for item in find_ab(session, flat).decisions] == ["green", "manual"]


def test_a_calibration_that_was_made_anew_does_not_clear_the_ab_that_used_the_old_one(bench):
    dark = add_dark(bench, 1)
    flat = add_flat(bench, 2, dark)
    decide(bench, dark, "rejected", by="ann", comment="stripes")
    with bench.store.write() as session:
        advance(session, find_ab(session, dark), ABState.QUEUED, "test")
    assert certify_products(bench, INSTRUMENT, DATE).for_review == ((flat, "manual"),)
    assert "was rejected after it had been used" in queue(bench)[0].why
    with bench.store.write() as session:
        record_event(session, "test", "ab_processing", "processed again", ab=find_ab(session, flat))
    assert certify_products(bench, INSTRUMENT, DATE).certified == (flat,)


def test_an_ab_whose_calibration_could_not_be_measured_waits_for_a_person(bench):
    dark = add_dark(bench, 1)
    flat = add_flat(bench, 2, dark)
    with bench.store.write() as session:
        find_ab(session, dark).state = ABState.FAILED
    assert set(certify_products(bench, INSTRUMENT, DATE).for_review) == {(dark, "failed"), (flat, "manual")}
    why = {item.ab_name: item.why for item in queue(bench)}
    assert why[flat].startswith("It used r.TINY")
    assert why[flat].endswith(f"of {dark}, which has failed")


def test_an_ab_whose_calibration_has_other_data_now_waits_for_a_person_until_it_is_made_anew_too(bench):
    dark = add_dark(bench, 1)
    flat = add_flat(bench, 2, dark)
    add_run(bench, flat, dark, "old")
    with bench.store.write() as session:
        find_ab(session, dark).products[0].data_hash = "new"
    assert (flat, "manual") in certify_products(bench, INSTRUMENT, DATE).for_review
    (item,) = queue(bench)
    assert item.why.endswith(f"of {dark} as it was before it was made anew")
    add_run(bench, flat, dark, "new")
    assert certify_products(bench, INSTRUMENT, DATE).certified == (flat,)


def add_run(bench, user, dark, data_hash):
    with bench.store.write() as session:
        product = find_ab(session, dark).products[0]
        run = RecipeRun(
            ab_id=find_ab(session, user).id, engine="python", recipe="flat", parameters={}, versions={},
            host="here", started_at=utc_now(), seconds=1.0, peak_mb=1.0, exit_code=0,
        )  # fmt: skip
        run.files.append(
            RunFile(
                position=0,
                is_output=False,
                name="dark",
                tag="MASTER_DARK",
                product=product,
                data_hash=data_hash,
            )
        )
        session.add(run)


def test_an_ab_that_was_moved_already_only_gets_the_warning(bench):
    dark = add_dark(bench, 1)
    flat = add_flat(bench, 2, dark, state=ABState.MOVED)
    decide(bench, dark, "rejected", by="ann", comment="stripes")
    assert state_of(bench, flat) == "moved"
    assert flags_of(bench, "used_rejected") == ["used_rejected"]
