"""The calibrations of a recipe: links of its own, which stay what they were, to files that are what was made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.orm import selectinload

from qcbench.certification import certify_products
from qcbench.core.errors import ArchiveError, FrameError, WaitingError
from qcbench.core.files import sha256
from qcbench.distribution import ingest_products, move_products, rename_products
from qcbench.fits import data_hash
from qcbench.processing import process_ab, queued_cascade
from qcbench.processing.engines import RecipeJob, RecipeResult
from qcbench.processing.masters import MasterFolder
from qcbench.processing.running import size_mb
from qcbench.processing.runs import Given
from qcbench.processing.sums import Sums
from qcbench.store import ABState, AssociationBlock, Product
from qcbench.workbench import Workbench
from tests.builders import (
    DATE,
    INSTRUMENT,
    add_ab,
    add_dark,
    build_workbench,
    find_ab,
    use_calibration,
    write_fits,
)
from tests.nights import NIGHT
from tests.processing.test_processing_an_ab import ab_of, engine, prepared, runs_of, write_product


@dataclass(frozen=True)
class Pair:
    """A dark that was made and scored, and a flat that waits for its turn to use it."""

    bench: Workbench
    dark: str
    flat: str
    sums: Sums

    def product(self) -> Product:
        """The master dark as the database has it now."""
        with self.bench.store.read() as session:
            return find_ab(session, self.dark).products[0]

    def path(self) -> Path:
        """Where it is now."""
        return Path(str(self.product().path))

    def give(self, attempt: str = "a", raw: tuple[Given, ...] = ()) -> tuple[Given, ...]:
        """What the recipe of the flat is given in an attempt."""
        with self.bench.store.read() as session:
            ab = session.get_one(
                AssociationBlock,
                find_ab(session, self.flat).id,
                options=[selectinload(AssociationBlock.calibrations)],
            )
        return MasterFolder(self.bench, self.bench.tree.work / attempt, self.sums).bring(ab, raw)

    def move(self) -> None:
        """Certify the dark and move its products."""
        certify_products(self.bench, INSTRUMENT, DATE)
        assert self.dark in move_products(self.bench, INSTRUMENT, DATE).moved


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    bench = build_workbench(tmp_path / "wb")
    dark = add_dark(bench, 1)
    with bench.store.write() as session:
        flat = add_ab(session, 2, raw_type="FLAT", state=ABState.QUEUED)
        for product in find_ab(session, dark).products:
            path = Path(str(product.path))
            product.sha256, product.data_hash = sha256(path), data_hash(path)
        use_calibration(session, flat, find_ab(session, dark).products[0])
        name = flat.name
    yield Pair(bench, dark, name, Sums())
    bench.close()


def general(pair: Pair, name: str) -> Path:
    """Let the flat use a general calibration, too."""
    path = write_fits(pair.bench.data(INSTRUMENT).general / name)
    with pair.bench.store.write() as session:
        product = Product(
            instrument=INSTRUMENT,
            position=0,
            pipefile=name,
            pro_catg="LINES",
            location="general",
            path=str(path),
            sha256="0" * 64,
            mjd_obs=0.0,
            keys={},
        )
        session.add(product)
        use_calibration(session, find_ab(session, pair.flat), product, flag="REAL")
    return path


def test_a_recipe_keeps_its_master_while_that_is_moved_renamed_and_ingested(pair):
    content = pair.path().read_bytes()
    (given,) = pair.give()
    assert (given.path.name, given.tag) == (pair.path().name, "MASTER_DARK")
    pair.move()
    rename_products(pair.bench, INSTRUMENT, DATE)
    ingest_products(pair.bench, INSTRUMENT, DATE)
    assert pair.product().location == "archive"
    assert pair.path().read_bytes() != content, "there are names in its header now"
    assert given.path.read_bytes() == content
    shutil.rmtree(given.path.parent)
    assert pair.path().is_file()


def test_a_recipe_keeps_its_master_while_that_is_made_anew_or_removed(pair):
    content = pair.path().read_bytes()
    (given,) = pair.give()
    write_fits(pair.path().with_name("new.fits"), level=9.0).replace(pair.path())
    assert given.path.read_bytes() == content
    pair.path().unlink()
    assert given.path.read_bytes() == content


def test_a_master_takes_no_room_unless_it_can_not_be_linked(pair, monkeypatch):
    (linked,) = pair.give()
    assert linked.path.samefile(pair.path())

    def link(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", link)
    (copied,) = pair.give("b")
    assert not copied.path.samefile(pair.path())
    assert copied.path.read_bytes() == pair.path().read_bytes()


def test_two_files_of_one_name_are_both_there(pair):
    same = general(pair, "same.fits")
    other = write_fits(pair.bench.tree.work / "same.fits", level=7.0)
    master, lines = pair.give(raw=(Given(other, "FLAT", "same.fits"),))
    assert master.path.name == pair.path().name
    assert lines.path.name != "same.fits"
    assert lines.path.samefile(same)
    assert lines.name == "same.fits"


def test_a_master_that_is_not_what_was_made_is_refused_with_what_to_do(pair):
    good = pair.path().read_bytes()
    pair.path().write_bytes(good[:6000] + b"\xff" * 40 + good[6040:])
    with pytest.raises(FrameError) as caught:
        pair.give()
    said = str(caught.value)
    assert f"{pair.path()}: it is not what {pair.dark} has made" in said
    assert f"certify-products --reject {pair.dark}" in said
    assert f"process-ab -a {pair.dark} --again" in said
    pair.path().write_bytes(good)
    assert pair.give()[0].sha256 == pair.product().sha256


def test_a_damaged_master_that_the_archive_has_comes_from_there_once_it_is_deleted(pair):
    pair.move()
    rename_products(pair.bench, INSTRUMENT, DATE)
    ingest_products(pair.bench, INSTRUMENT, DATE)
    os.truncate(pair.path(), 4000)
    with pytest.raises(FrameError, match="fetched from the archive"):
        pair.give()
    pair.path().unlink()
    assert pair.give("b")[0].sha256 == pair.product().sha256


def test_a_master_passes_on_each_step_of_its_way_into_the_archive(pair, monkeypatch):
    made = pair.product()
    pair.move()
    assert pair.give("moved")[0].sha256 == made.sha256
    rename_products(pair.bench, INSTRUMENT, DATE)
    (renamed,) = pair.give("renamed")
    assert renamed.path.name == pair.product().final_name

    def down(*_: object) -> bool:
        raise ArchiveError("the archive is down")

    with monkeypatch.context() as patch:
        patch.setattr(pair.bench.archive, "ingest", down)
        assert ingest_products(pair.bench, INSTRUMENT, DATE).problems
    on_its_way = pair.product()
    assert (on_its_way.location, on_its_way.sha256) == ("calib", made.sha256)
    (given,) = pair.give("named")
    assert (given.sha256, given.data_hash) == (sha256(pair.path()), made.data_hash)
    assert given.sha256 != made.sha256
    ingest_products(pair.bench, INSTRUMENT, DATE)
    assert pair.give("ingested")[0].sha256 == pair.product().sha256 == given.sha256


@pytest.mark.parametrize("size", [5800, 10])
def test_a_master_that_is_cut_short_on_its_way_into_the_archive_is_refused(pair, size):
    pair.move()
    with pair.bench.store.write() as session:
        find_ab(session, pair.dark).products[0].dp_id = "M.TINY.1"
    os.truncate(pair.path(), size)
    with pytest.raises(FrameError, match="not what"):
        pair.give()


def test_a_master_that_was_moved_since_the_database_was_asked_is_found(pair, monkeypatch):
    before = MasterFolder._read
    looks = []

    def read(folder: MasterFolder, ids: list[int]) -> object:
        found = before(folder, ids)
        if not looks:
            pair.move()
        looks.append(ids)
        return found

    monkeypatch.setattr(MasterFolder, "_read", read)
    assert pair.give()[0].path.samefile(pair.path())
    assert len(looks) == 2


def test_a_master_that_is_just_made_anew_is_waited_for(pair):
    write_fits(pair.path(), level=9.0)
    with pair.bench.store.write() as session:
        find_ab(session, pair.dark).state = ABState.PROCESSING
    with pytest.raises(WaitingError, match=f"made anew now by {pair.dark}"):
        pair.give()


def test_a_master_that_is_not_there_is_waited_for(pair):
    pair.path().unlink()
    with pytest.raises(WaitingError, match="is not there yet, or not any more"):
        pair.give()


def test_each_master_is_read_once_in_a_job(pair):
    read = []

    def count(path: Path) -> str:
        read.append(path)
        return sha256(path)

    own = pair.give("a")[0].path
    assert pair.sums.of(own, count) == pair.sums.of(pair.path(), count) == pair.product().sha256
    assert pair.sums.of(pair.give("b")[0].path, count) == pair.product().sha256
    assert len(read) == 1
    write_fits(pair.path().with_name("new.fits"), level=9.0).replace(pair.path())
    assert pair.sums.of(pair.path(), count) == sha256(pair.path()) != pair.product().sha256
    assert len(read) == 2


def test_of_a_general_calibration_the_sum_of_what_was_used_is_kept(pair):
    path = general(pair, "lines.fits")
    _, lines = pair.give()
    assert (lines.sha256, lines.data_hash) == (sha256(path), None)


def with_master(tmp_path: Path) -> tuple[Workbench, AssociationBlock, str, Product]:
    """A night with a flat to be processed, the name of the AB of its dark, and the master that this has made."""
    bench = prepared(tmp_path)
    flat = ab_of(bench, "FLAT_TWILIGHT")
    (parent,) = queued_cascade(bench, "hawki", NIGHT)[flat.name].parents
    made = engine(lambda job: RecipeResult(0, None, (write_product(job),), 0.1))
    assert process_ab(bench, parent, engines=made).ok
    (master,) = ab_of(bench, "DARK", "DIT10 NDIT1").products
    return bench, flat, parent, master


def test_a_move_while_the_recipe_runs_is_nothing_to_it(tmp_path):
    bench, flat, parent, master = with_master(tmp_path)
    seen = []

    def act(job: RecipeJob) -> RecipeResult:
        with bench.store.write() as session:
            find_ab(session, parent).state = ABState.CERTIFIED
        assert parent in move_products(bench, "hawki", NIGHT).moved
        (given,) = [path for path, tag in job.sof if tag == "MASTER_DARK"]
        seen.append((given.name, sha256(given)))
        assert size_mb(job.output_dir.parent) * 2**20 < given.stat().st_size, "it is nothing that was written"
        return RecipeResult(10, "no frames", (), 0.1)

    assert process_ab(bench, flat.name, engines=engine(act)).reason == "no frames"
    assert seen == [(master.pipefile, master.sha256)]
    assert list(bench.tree.work.iterdir()) == []
    (now,) = ab_of(bench, "DARK", "DIT10 NDIT1").products
    assert now.path != master.path
    assert sha256(Path(str(now.path))) == master.sha256
    (used,) = [item for item in runs_of(bench, flat.name)[0].inputs if item.product_id]
    assert (used.name, used.sha256, used.data_hash) == (master.pipefile, master.sha256, master.data_hash)


def test_an_ab_with_a_damaged_master_fails_before_its_recipe(tmp_path):
    bench, flat, parent, master = with_master(tmp_path)
    path = Path(str(master.path))
    path.write_bytes(path.read_bytes()[:-2880] + b"\x01" * 2880)
    result = process_ab(bench, flat.name)
    assert not result.ok
    assert f"it is not what {parent} has made" in str(result.reason)
    assert runs_of(bench, flat.name) == []
