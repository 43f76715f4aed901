"""move-products: certified products go to the calibration folder, rejected ones are deleted (handbook 5.5.5)."""

from __future__ import annotations

import shutil

import pytest
from sqlalchemy import select

from qcbench.blocks import parse_block
from qcbench.certification import decide
from qcbench.core.errors import DecisionError
from qcbench.distribution import finish_night, ingest_products, move_products, rename_products
from qcbench.distribution import moving as moving_module
from qcbench.distribution import nights as nights_module
from qcbench.store import ABState, Event, advance, record_event
from tests.builders import DATE, INSTRUMENT, add_dark, find_ab, flags_of, state_of
from tests.distribution.conftest import files_in, products_of


def test_certified_products_move_and_those_that_are_not_kept_are_purged(night):
    result = move_products(night.bench, INSTRUMENT, DATE)
    assert result.moved == (night.dark, night.flat)
    assert products_of(night.bench, night.dark) == [
        ("MASTER_DARK", "calib", "data/tiny/calib/2026-11-19/r.TINY.2026-11-19T22:00:00.000_tpl_0000.fits"),
        ("DARK_BPM", "purged", None),
    ]
    assert files_in(night.bench.data(INSTRUMENT).root / "product") == []
    assert len(files_in(night.bench.data(INSTRUMENT).calib(DATE))) == 3
    assert state_of(night.bench, night.dark) == "moved"


def test_a_rejected_product_goes_and_its_virtual_calibration_stays_unless_the_raw_frames_are_bad(night):
    move_products(night.bench, INSTRUMENT, DATE)
    assert [item[1:] for item in products_of(night.bench, night.bad_product)] == [("virtual", None)] * 2
    assert [item[1:] for item in products_of(night.bench, night.bad_raw)] == [("purged", None)] * 2
    assert state_of(night.bench, night.bad_raw) == "rejected"


def test_scores_of_rejected_products_stay(night):
    move_products(night.bench, INSTRUMENT, DATE)
    with night.bench.store.read() as session:
        assert [score.value for score in find_ab(session, night.bad_raw).scores] == [12.9]


def test_log_and_texts_of_the_abs_are_in_the_log_folder(night):
    move_products(night.bench, INSTRUMENT, DATE)
    logs = night.bench.data(INSTRUMENT).logs(DATE)
    assert (logs / "dark.log").read_text() == "recipe finished\n"
    block = parse_block((logs / night.flat).read_text(), night.flat)
    assert block.field("AB_NAME") == night.flat
    assert block.calibrations[0].tag == "MASTER_DARK"
    assert (logs / night.flat.replace(".ab", ".alog")).read_text().startswith(f"{night.flat} FLAT")


def test_the_flag_is_written_once_and_again_after_a_late_ab(night):
    for _ in range(2):
        move_products(night.bench, INSTRUMENT, DATE)
    assert flags_of(night.bench, "cal_F") == ["cal_Finished"]
    late = add_dark(night.bench, 6)
    move_products(night.bench, INSTRUMENT, DATE)
    assert flags_of(night.bench, "cal_F") == ["cal_Finished"]
    decide(night.bench, late, "certified", by="ann", comment="")
    move_products(night.bench, INSTRUMENT, DATE)
    assert flags_of(night.bench, "cal_F") == ["cal_Finished"] * 2


def test_a_product_that_is_lost_keeps_its_ab_back_and_not_the_others(night):
    with night.bench.store.read() as session:
        path = find_ab(session, night.dark).products[0].path
    shutil.move(path, f"{path}.away")
    result = move_products(night.bench, INSTRUMENT, DATE)
    ((name, problem),) = result.problems
    assert name == night.dark
    assert "the file of this product is gone. Restore it or reject its AB" in problem
    move_products(night.bench, INSTRUMENT, DATE)
    assert flags_of(night.bench, "move_failed") == ["move_failed"]
    assert result.moved == (night.flat,)
    assert state_of(night.bench, night.dark) == "certified"
    with night.bench.store.read() as session:
        event = session.scalars(select(Event).where(Event.flag == "move_failed")).one()
        assert (event.ab_name, event.level) == (night.dark, "error")
    shutil.move(f"{path}.away", path)
    assert move_products(night.bench, INSTRUMENT, DATE).moved == (night.dark,)


def test_a_product_without_a_name_in_the_pack_is_told_with_the_file_to_mend(night):
    with night.bench.store.write() as session:
        find_ab(session, night.dark).products[0].pro_catg = "UNHEARD_OF"
    ((name, problem),) = move_products(night.bench, INSTRUMENT, DATE).problems
    assert name == night.dark
    assert "names.yaml" in problem
    assert "'UNHEARD_OF'" in problem


def test_who_rejects_while_products_move_is_obeyed(night, monkeypatch):
    """The state is read again before an AB is touched: its certification may be gone."""
    names = moving_module.Night.names

    def then_rejected(self, states):
        found = names(self, states)
        decide(night.bench, night.dark, "rejected", by="ann", comment="seen too late")
        return found

    monkeypatch.setattr(moving_module.Night, "names", then_rejected)
    # the flat that used the dark is back with the person too
    assert move_products(night.bench, INSTRUMENT, DATE).moved == ()
    assert state_of(night.bench, night.flat) == "scored"
    assert [item[1:] for item in products_of(night.bench, night.dark)] == [("virtual", None)] * 2


def lose_master(night):
    """Delete the file of the master dark, wherever it is."""
    with night.bench.store.read() as session:
        (night.bench.tree.root / find_ab(session, night.dark).products[0].path).unlink()


@pytest.mark.parametrize("state", ["moved", "renamed"])
def test_an_ab_whose_file_was_lost_on_its_way_can_be_rejected_and_leaves_nothing(night, state):
    bench = night.up_to(state).bench
    with pytest.raises(DecisionError, match="moved already"):
        decide(bench, night.dark, "rejected", by="ann", comment="lost")
    lose_master(night)
    with pytest.raises(DecisionError, match="moved already"):
        decide(bench, night.dark, "certified", by="ann", comment="lost")
    decide(bench, night.dark, "rejected", by="ann", comment="lost")
    for step in (move_products, rename_products, ingest_products):
        assert not step(bench, INSTRUMENT, DATE).problems
    assert [item[1:] for item in products_of(bench, night.dark)] == [("virtual", None), ("purged", None)]
    assert state_of(bench, night.dark) == "rejected"
    assert finish_night(bench, INSTRUMENT, DATE).finished
    with pytest.raises(DecisionError, match=r"purged .* Process it again: qcbench process-ab -a .* --again"):
        decide(bench, night.dark, "certified", by="ann", comment="found")


def test_after_the_raw_frames_were_rejected_too_nobody_is_told_to_process_them_again(night):
    move_products(night.bench, INSTRUMENT, DATE)
    with pytest.raises(DecisionError, match=r"Its raw frames were rejected too: it stays rejected$"):
        decide(night.bench, night.bad_raw, "certified", by="ann", comment="found")


def test_a_file_that_a_killed_renaming_has_given_its_final_name_is_not_lost_and_goes_with_a_rejection(night):
    bench = night.up_to("moved").bench
    rename_products(bench, INSTRUMENT, DATE, dry_run=True)
    calib = bench.data(INSTRUMENT).calib(DATE)
    with bench.store.write() as session:
        master = find_ab(session, night.dark).products[0]
        master.final_name = "TI_MDRK_261119A_DIT10.fits"
        (calib / master.pipefile).rename(calib / master.final_name)
    with pytest.raises(DecisionError, match="moved already"):
        decide(bench, night.dark, "rejected", by="ann", comment="lost")
    with bench.store.write() as session:
        advance(session, find_ab(session, night.dark), ABState.REJECTED, "test")
    move_products(bench, INSTRUMENT, DATE)
    assert not (calib / "TI_MDRK_261119A_DIT10.fits").exists()


def test_an_ab_that_is_in_the_archive_in_part_can_not_be_taken_back(night):
    bench = night.up_to("renamed").bench
    lose_master(night)
    with bench.store.write() as session:
        find_ab(session, night.dark).products[1].location = "archive"
    with pytest.raises(DecisionError, match=r"in the archive already .* Restore TI_MDRK_261119A_DIT10\.fits"):
        decide(bench, night.dark, "rejected", by="ann", comment="lost")


def test_files_are_moved_while_others_can_write(night, monkeypatch):
    moved = nights_module.move_file

    def while_others_write(source, target):
        if source.exists():
            with night.bench.store.write() as session:
                record_event(session, "test", "others", f"write while {source.name} moves")
        return moved(source, target)

    monkeypatch.setattr(nights_module, "move_file", while_others_write)
    assert move_products(night.bench, INSTRUMENT, DATE).moved == (night.dark, night.flat)
    assert flags_of(night.bench, "others") == ["others"] * 3
