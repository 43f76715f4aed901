"""finish-night: clean up and count, once nothing waits (handbook 4.1.6, 5.5.7)."""

from __future__ import annotations

import os

from qcbench.certification import decide
from qcbench.core.dates import utc_now
from qcbench.distribution import finish_night, move_products
from qcbench.store import ABState, ArchiveFile, Frame, advance
from tests.builders import (
    DATE,
    INSTRUMENT,
    add_ab,
    add_dark,
    add_frame,
    add_score,
    build_workbench,
    find_ab,
    flags_of,
    use_calibration,
    write_fits,
)
from tests.distribution.conftest import decide_a_night, files_in


def finish(bench, **options):
    return finish_night(bench, INSTRUMENT, DATE, **options)


def test_a_finished_night_is_counted_and_flagged_once(night):
    with night.bench.store.write() as session:
        failed = add_ab(session, 8, state=ABState.FAILED, reason="truncated").name
    decide(night.bench, failed, "rejected", by="ann", comment="useless")
    night.up_to("ingested")
    result = finish(night.bench)
    assert result.finished
    assert result.statistics is not None
    assert result.statistics.text == "created=5 successful=4 failed=1 certified=2 rejected=3 ingested=2"
    assert finish(night.bench).finished
    assert flags_of(night.bench, "finished") == flags_of(night.bench, "fin") == ["finished"]
    assert flags_of(night.bench, "daily") == ["daily_stat"]


def test_a_night_that_waits_says_which_ab_waits_for_whom(night):
    move_products(night.bench, INSTRUMENT, DATE)
    bench = night.bench
    red = add_dark(bench, 5, ron=12.9, review="red")
    with bench.store.write() as session:
        running = add_ab(session, 6, state=ABState.PROCESSING)
        queued = add_ab(session, 7, raw_type="FLAT", state=ABState.QUEUED)
        virtual = find_ab(session, night.bad_product).products[0]
        use_calibration(session, queued, virtual)
        missing = [{"tag": "MASTER_DARK", "required": True, "line": 3, "why": "none in 5 d"}]
        stuck = add_ab(session, 8, state=ABState.CREATED, completeness="INCOMPLETE", missing=missing)
        few = [{"tag": "RAWFILE", "required": True, "line": 3, "why": "2 frames, at least 3 are needed"}]
        short = add_ab(session, 9, state=ABState.CREATED, completeness="INCOMPLETE", missing=few)
        names = running.name, queued.name, stuck.name, short.name
    before = flags_of(bench), files_in(bench.data(INSTRUMENT).root)
    result = finish(bench)
    assert not result.finished
    assert list(result.waiting) == [
        f"{night.dark}: moved, it waits for rename-products",
        f"{night.flat}: moved, it waits for rename-products",
        f"{red}: scored, it waits for a decision (red)",
        f"{names[0]}: processing, it waits for its turn in process-ab",
        f"{names[1]}: queued, it waits for {night.bad_product} (rejected)",
        f"{names[2]}: incomplete, it waits for MASTER_DARK. Reject it if that will not come",
        f"{names[3]}: incomplete, it waits for more raw frames. Reject it if that will not come",
    ]
    assert (flags_of(bench), files_in(bench.data(INSTRUMENT).root)) == before


def test_the_certification_area_is_emptied_and_raw_files_are_kept(night):
    data = night.bench.data(INSTRUMENT)
    write_fits(data.product("DARK", DATE) / "intermediate.fits")
    write_fits(data.product("DARK", DATE.replace(day=20)) / "of_another_date.fits")
    write_fits(data.raw(DATE) / "raw.fits")
    night.up_to("ingested")
    assert finish(night.bench).deleted == 1
    assert files_in(data.root / "product") == ["of_another_date.fits"]
    assert files_in(data.raw(DATE)) == ["raw.fits"]


def test_raw_files_go_where_the_settings_say_so(tmp_path):
    bench = build_workbench(tmp_path / "wb", {"QCBENCH_PROCESSING_KEEP_RAW": "false"})
    decide_a_night(bench).up_to("ingested")
    write_fits(bench.data(INSTRUMENT).raw(DATE) / "raw.fits")
    finish(bench)
    assert not bench.data(INSTRUMENT).raw(DATE).exists()


def test_a_product_of_another_mode_that_is_still_in_the_area_stays(night):
    night.up_to("ingested")
    add_dark(night.bench, 9, mode="SCIENCE")
    assert finish(night.bench).finished
    assert len(files_in(night.bench.data(INSTRUMENT).root / "product")) == 2


def test_clean_up_alone_neither_counts_nor_flags_and_spares_what_waits(night):
    data = night.bench.data(INSTRUMENT)
    leftover = write_fits(data.calib(DATE) / ".tmp-x.fits-1234")
    os.utime(leftover, (0, 0))
    result = finish(night.bench, cleanup_only=True)
    assert not result.finished
    assert result.waiting
    assert not leftover.exists()
    assert len(files_in(data.root / "product")) == 8
    assert not flags_of(night.bench, "daily")


def test_a_night_without_calibrations_can_be_finished(bench):
    with bench.store.write() as session:
        add_frame(session, 1, dpr_catg="SCIENCE")
    assert finish(bench).finished
    assert finish(bench).finished
    assert flags_of(bench, "finished") == ["finished"]


def add_archive_file(session, name, *, stamp="1", **values):
    """A file that was seen in the archive, of the date and usable."""
    fields = {"uri": name, "arcfile": name, "instrument": INSTRUMENT, "dfo_date": DATE, **values}
    session.add(ArchiveFile(size=8640, stamp=stamp, seen_at=utc_now(), **fields))


def test_a_night_with_files_that_are_not_loaded_is_not_finished(bench):
    with bench.store.write() as session:
        frame = add_frame(session, 1, dpr_catg="SCIENCE")
        add_archive_file(session, frame.arcfile)
        add_archive_file(session, "bad.fits", problem="truncated")
        add_archive_file(session, "of_another_date.fits", dfo_date=DATE.replace(day=20))
        add_archive_file(session, "old_place.fits", arcfile=frame.arcfile)
        add_archive_file(session, "late.fits")
        add_archive_file(session, "later.fits")
    result = finish(bench)
    assert not result.finished
    assert list(result.waiting) == [
        f"{DATE}: 2 files of the archive wait to be loaded. Call qcbench auto-daily, or qcbench data-loader -t h "
        f"-d {DATE}"
    ]
    assert not flags_of(bench, "finished")


def test_a_file_that_changed_since_it_was_loaded_holds_the_night_up_until_it_is_loaded_again(bench):
    with bench.store.write() as session:
        frame = add_frame(session, 1, dpr_catg="SCIENCE")
        add_archive_file(session, frame.arcfile, stamp="2")
    assert "1 file of the archive waits to be loaded" in finish(bench).waiting[0]
    with bench.store.write() as session:
        session.get_one(Frame, frame.id).stamp = "2"
    assert finish(bench).finished


def test_an_ab_that_failed_once_and_succeeded_when_it_was_processed_again_is_counted_as_successful(bench):
    with bench.store.write() as session:
        name = add_ab(session, 1, state=ABState.FAILED, reason="no space").name
    decide(bench, name, "rejected", by="ann", comment="useless")
    with bench.store.write() as session:
        ab = find_ab(session, name)
        for state in (
            ABState.QUEUED,
            ABState.PROCESSING,
            ABState.PROCESSED,
            ABState.MEASURED,
            ABState.SCORED,
        ):
            advance(session, ab, state, "test")
        add_score(session, ab, 9.0, 0)
    assert decide(bench, name, "rejected", by="ann", comment="useless").policy == "green"
    statistics = finish(bench).statistics
    assert statistics is not None
    assert (statistics.successful, statistics.failed, statistics.rejected) == (1, 0, 1)
