"""rename-products: `<II>_<CODE>_<YYMMDD><V>_<PARAMS>.fits`, planned in a file first (handbook 5.5.5)."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcbench.distribution import plan_names, rename_products
from qcbench.distribution.naming import parameters_text, versions
from qcbench.instruments import NameRule
from qcbench.instruments.models import SetupKey
from qcbench.store import ABState, AssociationBlock, Product
from tests.builders import DATE, INSTRUMENT, add_ab, add_dark, add_product, find_ab, flags_of, state_of
from tests.distribution.conftest import files_in


def add_moved_dark(bench, hours, dit=10.0):
    """A moved dark with its file in the calibration folder."""
    name = add_dark(bench, hours, state=ABState.MOVED, keys={"DET.DIT": dit})
    with bench.store.write() as session:
        master, bad_pixels = find_ab(session, name).products
        target = bench.data(INSTRUMENT).calib(DATE) / master.pipefile
        target.parent.mkdir(parents=True, exist_ok=True)
        (bench.tree.root / master.path).rename(target)
        master.path, master.location = str(target), "calib"
        bad_pixels.location = "purged"
    return name


def names(bench):
    return [rename.new for rename in plan_names(bench, INSTRUMENT, DATE)]


def test_names_hold_instrument_code_date_version_and_setup(night):
    night.up_to("moved")
    assert names(night.bench) == [
        "TI_MDRK_261119A_DIT10.fits",
        "TI_MFLT_261119A_Ks.fits",
        "TI_PPRE_261119A.fits",
    ]


def test_versions_count_by_time_for_each_code_and_setup(bench):
    for hours, dit in ((3, 10.0), (1, 10.0), (2, 2.0)):
        add_moved_dark(bench, hours, dit)
    assert [(rename.old[7:22], rename.new) for rename in plan_names(bench, INSTRUMENT, DATE)] == [
        ("2026-11-19T22:0", "TI_MDRK_261119A_DIT10.fits"),
        ("2026-11-19T23:0", "TI_MDRK_261119A_DIT2.fits"),
        ("2026-11-20T00:0", "TI_MDRK_261119B_DIT10.fits"),
    ]


def test_a_name_that_was_given_is_kept_when_an_earlier_frame_comes_late(bench):
    first = add_moved_dark(bench, 3)
    rename_products(bench, INSTRUMENT, DATE)
    add_moved_dark(bench, 1)
    assert names(bench) == ["TI_MDRK_261119B_DIT10.fits"]
    rename_products(bench, INSTRUMENT, DATE)
    with bench.store.read() as session:
        assert find_ab(session, first).products[0].final_name == "TI_MDRK_261119A_DIT10.fits"


def test_after_z_comes_aa():
    letters = list(islice(versions(), 26 * 27 + 1))
    assert letters[:2] + letters[24:28] == ["A", "B", "Y", "Z", "AA", "AB"]
    assert letters[-2:] == ["ZZ", "AAA"]


@given(st.text(max_size=300))
def test_a_hostile_header_value_never_leaves_its_place_in_the_name(value):
    rule = NameRule(code="MFLT", parameters=(SetupKey(key="A"), SetupKey(key="B", prefix="B")))
    text = parameters_text(rule, AssociationBlock(keys={"A": value}), Product(keys={"B": 2}))
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.+-_")
    assert text.split("_")[-1] == "B2"
    assert len(text) <= 33


@pytest.mark.parametrize(
    ("value", "ending"),
    [("../../etc/passwd", "_....etcpasswd.fits"), ("$(rm *)", "_rm.fits"), ("///", ".fits")],
)
def test_a_filter_called_like_a_path_makes_a_plain_name(bench, value, ending):
    with bench.store.write() as session:
        ab = add_ab(session, 1, raw_type="FLAT", state=ABState.MOVED, keys={"INS.FILT1.NAME": value})
        add_product(session, ab, "MASTER_FLAT", location="calib")
    assert names(bench) == [f"TI_MFLT_261119A{ending}"]


def test_the_plan_can_be_read_before_anything_is_renamed(night):
    night.up_to("moved")
    before = files_in(night.bench.data(INSTRUMENT).calib(DATE))
    result = rename_products(night.bench, INSTRUMENT, DATE, dry_run=True)
    assert result.plan_file == night.bench.tree.jobs / "rn_files_TINY_CALIB_2026-11-19"
    lines = result.plan_file.read_text().splitlines()
    assert lines[0] == "r.TINY.2026-11-19T22:00:00.000_tpl_0000.fits -> TI_MDRK_261119A_DIT10.fits"
    assert lines == [str(rename) for rename in result.plan]
    assert files_in(night.bench.data(INSTRUMENT).calib(DATE)) == before
    assert state_of(night.bench, night.dark) == "moved"


def test_the_plan_is_carried_out_and_flagged_once(night):
    night.up_to("moved")
    result = rename_products(night.bench, INSTRUMENT, DATE)
    assert files_in(night.bench.data(INSTRUMENT).calib(DATE)) == [rename.new for rename in result.plan]
    assert result.renamed == (night.dark, night.flat)
    plan = result.plan_file.read_text()
    again = rename_products(night.bench, INSTRUMENT, DATE)
    assert (again.plan, again.renamed) == ((), ())
    assert result.plan_file.read_text() == plan
    assert flags_of(night.bench, "cal_R") == ["cal_Renamed"]


def test_a_renaming_that_keeps_failing_is_noted_once(night):
    night.up_to("moved")
    for path in night.bench.data(INSTRUMENT).calib(DATE).glob("*22:00*"):
        path.unlink()
    for _ in range(2):
        assert len(rename_products(night.bench, INSTRUMENT, DATE).problems) == 1
    assert flags_of(night.bench, "rename_failed") == ["rename_failed"]
