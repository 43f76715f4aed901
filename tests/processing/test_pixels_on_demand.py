"""Raw frames and masters go when no AB needs them and come back when one does; the disk budget is waited for."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from qcbench.core.errors import ArchiveError, WaitingError
from qcbench.core.files import move_file, sha256, write_bytes
from qcbench.core.locks import identity_of
from qcbench.processing import keep_window, process_ab, recover_interrupted, remove_raw_of, tidy_raw
from qcbench.processing.room import Room
from qcbench.store import ABInput, ABState, AssociationBlock, Event, Product
from qcbench.store.needs import frames_of
from qcbench.workbench import Workbench
from tests.nights import NIGHT, PYTHON_ENGINE
from tests.processing.test_processing_an_ab import ab_of, prepared, state_of

FRUGAL = {**PYTHON_ENGINE, "QCBENCH_PROCESSING_KEEP_RAW": "false", "QCBENCH_PROCESSING_MASTERS_DAYS": "10"}


def with_budget(bench: Workbench, mib: float) -> Workbench:
    processing = bench.settings.processing.model_copy(update={"disk_budget_mb": mib})
    return replace(bench, settings=bench.settings.model_copy(update={"processing": processing}))


def put(bench: Workbench, name: str, state: ABState, **values: object) -> None:
    with bench.store.write() as session:
        ab = session.scalars(select(AssociationBlock).where(AssociationBlock.name == name)).one()
        ab.state = state
        for key, value in values.items():
            setattr(ab, key, value)


def raw_names(bench: Workbench) -> set[str]:
    folder = bench.data("hawki").raw(NIGHT)
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def test_a_raw_frame_goes_when_the_last_ab_that_needs_it_is_done(tmp_path):
    bench = prepared(tmp_path, environ=FRUGAL)
    dark, flat = ab_of(bench, "DARK", "DIT10 NDIT1"), ab_of(bench, "FLAT_TWILIGHT", "J DIT10")
    assert process_ab(bench, dark.name).ok
    with bench.store.write() as session:
        first = frames_of(session, dark.name)[0]
        shared = first.arcfile
        session.add(ABInput(ab_id=flat.id, frame_id=first.id, role="RASSOC", tag="DARK", position=99))
    write_bytes(bench.data("hawki").raw(NIGHT) / "of_nobody.fits", b"put here by a person")
    assert remove_raw_of(bench, dark.name) == (), "its QC and its report are still to be made"
    put(bench, dark.name, ABState.SCORED)
    assert remove_raw_of(bench, dark.name) == (), "its report is still to be made"
    put(bench, dark.name, ABState.SCORED, report_path="report.html")
    assert len(remove_raw_of(bench, dark.name)) == 4
    assert raw_names(bench) == {shared, "of_nobody.fits"}, "the flat may still need it"
    put(bench, flat.name, ABState.FAILED)
    # a kill before the removal: the next call of auto-daily tidies up
    assert tidy_raw(bench, "hawki") == (shared,)
    assert raw_names(bench) == {"of_nobody.fits"}


def test_raw_frames_stay_where_they_are_to_be_kept(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    assert process_ab(bench, dark.name).ok
    put(bench, dark.name, ABState.SCORED, report_path="report.html")
    assert (remove_raw_of(bench, dark.name), tidy_raw(bench, "hawki")) == ((), ())
    assert len(raw_names(bench)) == 5


def test_what_killed_fetches_left_goes_unless_an_ab_needs_the_frame(tmp_path):
    bench = prepared(tmp_path)
    dark = ab_of(bench, "DARK")
    with bench.store.read() as session:
        wanted = frames_of(session, dark.name)[0].arcfile
    folder = bench.data("hawki").raw(NIGHT)
    kept = write_bytes(folder / f".part-{wanted}-0123456789abcdef", b"begun")
    gone = write_bytes(folder / ".part-unknown.fits-0123456789abcdef", b"begun")
    tidy_raw(bench, "hawki")
    assert (kept.exists(), gone.exists()) == (True, False)


def archived_dark(bench: Workbench) -> Product:
    """Process the dark of the flats and bring its master into the archive."""
    dark = ab_of(bench, "DARK", "DIT10 NDIT1")
    assert process_ab(bench, dark.name).ok
    with bench.store.write() as session:
        master = session.scalars(select(Product).where(Product.ab_id == dark.id)).one()
        path = move_file(Path(str(master.path)), bench.data("hawki").calib(NIGHT) / "HI_MDRK.fits")
        master.path, master.location, master.dp_id = str(path), "archive", "M.HAWKI.1"
        master.sha256 = sha256(path)
        bench.archive.ingest("M.HAWKI.1", path, sha256(path))
    put(bench, dark.name, ABState.INGESTED, report_path="report.html")
    return master


def test_a_master_outside_the_window_goes_and_comes_back_for_an_ab(tmp_path):
    bench = prepared(tmp_path, environ=FRUGAL)
    master = archived_dark(bench)
    path, far = Path(str(master.path)), [NIGHT + dt.timedelta(11)]
    with bench.store.read() as session:
        query = select(AssociationBlock.name).where(AssociationBlock.raw_type == "FLAT_TWILIGHT")
        flats = list(session.scalars(query))
    assert keep_window(bench, "hawki", far) == (), "the flats need it"
    for name in flats:
        put(bench, name, ABState.FAILED)
    assert keep_window(bench, "hawki", [NIGHT + dt.timedelta(10)]) == (), "inside the window"
    assert keep_window(bench, "hawki", []) == (), "no date is open"
    archived = bench.settings.archive_path / "products" / "M.HAWKI.1.fits"
    content = archived.read_bytes()
    archived.write_bytes(content[:-1] + b"?")
    assert keep_window(bench, "hawki", far) == (), "the archive has another content"
    archived.write_bytes(content)
    assert keep_window(bench, "hawki", far) == (path.name,)
    assert not path.exists()
    with bench.store.read() as session:
        assert session.scalar(select(Event.message).where(Event.flag == "masters_removed"))
    assert process_ab(bench, flats[0], again=True).ok
    assert path.read_bytes() == content
    path.unlink()
    archived.write_bytes(content[:-1] + b"?")
    assert "not what was ingested" in str(process_ab(bench, flats[1], again=True).reason)
    with pytest.raises(ArchiveError):
        bench.archive.product_file("M.HAWKI.2")


def sizes(bench: Workbench, name: str) -> float:
    """MiB that an AB takes on disk."""
    return Room.wanted(Room(bench).needs(name).raw_bytes) / 2**20


def test_a_budget_that_is_too_small_is_told_with_the_sizes_and_the_ab_stays_queued(tmp_path):
    whole = prepared(tmp_path)
    dark = ab_of(whole, "DARK").name
    bench = with_budget(whole, sizes(whole, dark) * 0.9)
    with pytest.raises(WaitingError, match=r"wants .* MiB on disk \(5 raw frames .*too small for this AB"):
        process_ab(bench, dark)
    assert state_of(bench, dark) == "queued"
    assert process_ab(with_budget(whole, sizes(whole, dark) * 1.01), dark).ok


def test_a_disk_that_is_taken_is_told_with_what_takes_it(tmp_path):
    whole = prepared(tmp_path)
    dark = ab_of(whole, "DARK").name
    write_bytes(whole.data("hawki").raw(NIGHT) / "other.fits", b"x" * 2**20)
    with pytest.raises(
        WaitingError, match=r"of which 1\.0 MiB are taken \(raw 1\.0 MiB, .*keep_raw to false"
    ):
        process_ab(with_budget(whole, sizes(whole, dark) + 0.5), dark)


def test_an_ab_waits_for_room_until_another_one_gives_it_back(tmp_path):
    whole = prepared(tmp_path)
    dark, flat = ab_of(whole, "DARK", "DIT10 NDIT1").name, ab_of(whole, "FLAT_TWILIGHT").name
    bench = with_budget(whole, 1.1 * max(sizes(whole, dark), sizes(whole, flat)))
    room = Room(bench)
    assert room.take(room.needs(flat))
    assert room.take(room.needs(flat)), "it has it already"
    assert not room.take(room.needs(dark))
    results = []
    thread = threading.Thread(target=lambda: results.append(process_ab(bench, dark)))
    thread.start()
    thread.join(1.5)
    assert thread.is_alive()
    assert state_of(bench, dark) == "queued"
    room.give_back(flat)
    thread.join(120)
    assert [result.ok for result in results] == [True]


def test_what_is_fetched_ahead_leaves_room_for_the_largest(tmp_path):
    whole = prepared(tmp_path)
    dark = ab_of(whole, "DARK").name
    need = int(sizes(whole, dark) * 2**20)
    room = Room(with_budget(whole, 2.5 * need / 2**20))
    files = []
    assert room.take_ahead("other.ab", files, spare=need)
    assert not room.take(room.needs(dark), spare=2 * need)
    assert room.take(room.needs(dark), spare=need)


def test_the_room_of_a_host_that_is_gone_is_given_back_with_its_ab_and_else_after_a_day(tmp_path):
    whole = prepared(tmp_path)
    dark, flat = ab_of(whole, "DARK", "DIT10 NDIT1").name, ab_of(whole, "FLAT_TWILIGHT").name
    bench = with_budget(whole, 1.1 * max(sizes(whole, dark), sizes(whole, flat)))
    room, gone = Room(bench), Room(bench)
    gone._identity = "gone:1:1.00"
    assert gone.take(gone.needs(flat))
    recover_interrupted(bench, lost=(dark,))
    assert not room.take(room.needs(dark)), "nobody knows whether it still works"
    recover_interrupted(bench, lost=(flat,))
    assert room.take(room.needs(dark))
    room.give_back(dark)

    assert gone.take(replace(gone.needs(flat), since=time.time() - 90_000))
    assert room.take(room.needs(dark))


def test_the_room_of_a_killed_process_is_free(tmp_path):
    whole = prepared(tmp_path)
    dark, flat = ab_of(whole, "DARK", "DIT10 NDIT1").name, ab_of(whole, "FLAT_TWILIGHT").name
    room = Room(with_budget(whole, 1.1 * max(sizes(whole, dark), sizes(whole, flat))))
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    room._identity = identity_of(other.pid)
    assert room.take(room.needs(flat))
    room._identity = Room(with_budget(whole, 1.0))._identity
    assert not room.take(room.needs(dark))
    other.kill()
    other.wait()
    assert room.take(room.needs(dark))
