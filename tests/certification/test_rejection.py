"""A rejection bites: nobody uses a rejected product again, and who used it says so."""

from __future__ import annotations

import pytest

from qcbench.certification import decide, impact
from qcbench.core.errors import NotFoundError
from qcbench.store import ABState
from tests.builders import add_ab, add_dark, add_flat, add_product, find_ab, flags_of, use_calibration


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
