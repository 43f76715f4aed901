"""Every step can be killed anywhere, or find the disk full at any write, and called again ends as if undisturbed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from astropy.io import fits
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from qcbench.archive import LocalArchive
from qcbench.certification import certify_products, decide
from qcbench.core.errors import QcbenchError
from qcbench.core.files import TMP_PREFIX, sha256
from qcbench.distribution import (
    finish_night,
    ingest_products,
    move_products,
    rename_products,
    update_abs,
)
from qcbench.store import ABCalibration, AssociationBlock, Decision, Event, Product
from qcbench.workbench import Workbench, open_workbench
from tests.builders import DATE, INSTRUMENT, add_dark, add_flat, build_workbench, find_ab, use_archive
from tests.distribution.conftest import decide_a_night, files_in, products_of
from tests.faults.disturbances import Refused
from tests.faults.operations import note_of, operations

STEPS = (certify_products, move_products, rename_products, ingest_products, update_abs, finish_night)
# of the writes of a step the first and each so many-th later one; or all
FEW, ALL = 11, 1
Step = Callable[..., object]


class Killed(BaseException):
    """The process is gone; no handler of errors may see it."""


class Killer:
    """Counts changes of files and commits, and lets none happen from the n-th on: the dead do nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.monkeypatch = monkeypatch
        self.count, self.last = 0, 10**9
        # a kill, unlike a power failure, loses nothing that was written
        monkeypatch.setattr(os, "fsync", lambda fd: None)
        for owner, name in (
            (os, "link"),
            (Path, "replace"),
            (Path, "unlink"),
            (Path, "rmdir"),
            (Path, "write_bytes"),
            (shutil, "copyfile"),
            (fits.HDUList, "writeto"),
        ):
            monkeypatch.setattr(owner, name, self._guarded(getattr(owner, name)))

    def _guarded(self, function: Callable[..., object]) -> Callable[..., object]:
        def guarded(*args: object, **options: object) -> object:
            self.strike()
            return function(*args, **options)

        return guarded

    def strike(self, *_: object) -> None:
        self.count += 1
        if self.count > self.last:
            raise Killed

    def run(self, function: Callable[[], object], last: int = 10**9) -> int:
        """Run until the process is killed after `last` changes; return how many there were."""
        self.count, self.last = 0, last
        event.listen(Session, "before_commit", self.strike)
        try:
            function()
        except Killed:
            pass
        finally:
            event.remove(Session, "before_commit", self.strike)
            self.last = 10**9
        return self.count


@pytest.fixture
def killer(monkeypatch):
    return Killer(monkeypatch)


def opened(root: Path) -> Workbench:
    bench = open_workbench(root, {})
    return use_archive(bench, LocalArchive(bench.settings.archive_path))


def restore(template: Path, root: Path) -> Workbench:
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(template, root, copy_function=shutil.copy)
    return opened(root)


def picture(bench: Workbench, *, with_errors: bool = True) -> list[object]:
    """All that counts: the rows without their times, and the files with their contents."""
    with bench.store.read() as session:
        events = session.scalars(select(Event)).all()
        rows: list[object] = [
            *((item.pipefile, item.location, item.path, item.final_name, item.dp_id, item.sha256)
              for item in session.scalars(select(Product).order_by(Product.id))),
            *((ab.name, ab.state, ab.review, ab.log_path) for ab in session.scalars(select(AssociationBlock))),
            *((use.id, use.flag) for use in session.scalars(select(ABCalibration))),
            *sorted((item.flag, item.ab_name or "", item.message) for item in events
                    if with_errors or item.level != "error"),
            *((item.ab_id, item.verdict, item.policy, item.by)
              for item in session.scalars(select(Decision).order_by(Decision.id))),
        ]  # fmt: skip
    root = bench.tree.root
    files = sorted(path for part in ("data", "archive", "jobs") for path in (root / part).rglob("*.*"))
    kept = [path for path in files if path.is_file() and not path.name.startswith(TMP_PREFIX)]
    return rows + [(str(path.relative_to(root)), _content(path)) for path in kept]


def _content(path: Path) -> str:
    """What tells the content of a file, without the time at which an AB was updated."""
    if path.suffix == ".ab":
        return re.sub("# updated .*", "# updated", path.read_text())
    return sha256(path)


def before(step: Step, root: Path) -> Workbench:
    """A workbench with a night whose next step it is."""
    bench = build_workbench(root)
    if step is certify_products:
        add_flat(bench, 2, add_dark(bench, 1))
        add_dark(bench, 3, ron=12.9)
    else:
        decide_a_night(bench)
    for earlier in STEPS[1 : STEPS.index(step)]:
        earlier(bench, INSTRUMENT, DATE)
    return bench


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_a_step_that_is_killed_anywhere_and_called_again_ends_as_if_undisturbed(step, tmp_path, killer):
    root, template = tmp_path / "wb", tmp_path / "template"
    before(step, root).close()
    shutil.copytree(root, template, copy_function=shutil.copy)

    bench = opened(root)
    n_changes = killer.run(lambda: step(bench, INSTRUMENT, DATE))
    expected = picture(bench)
    bench.close()
    assert n_changes > 1

    for last in range(n_changes):
        bench = restore(template, root)
        killer.run(lambda bench=bench: step(bench, INSTRUMENT, DATE), last)
        bench.close()
        bench = opened(root)
        step(bench, INSTRUMENT, DATE)
        assert picture(bench) == expected, f"killed after change {last} of {n_changes}"
        bench.close()


@pytest.mark.parametrize("each", [FEW, pytest.param(ALL, marks=pytest.mark.long)])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_a_step_that_meets_a_full_disk_says_so_and_called_again_ends_as_if_undisturbed(
    step, each, tmp_path, capsys
):
    root, template = tmp_path / "wb", tmp_path / "template"
    before(step, root).close()
    shutil.copytree(root, template, copy_function=shutil.copy)

    bench = opened(root)
    with operations(root) as seen:
        step(bench, INSTRUMENT, DATE)
    expected = picture(bench)
    bench.close()
    assert seen.count > 1

    for moment in range(1, seen.count + 1, each):
        where = f"write {moment} of {seen.count}"
        bench = restore(template, root)
        with Refused(moment)(root):
            told = says_what_failed(step, bench) or "disk is full" in capsys.readouterr().out
        assert note_of(root).exists(), where
        assert told or picture(bench, with_errors=False) == expected, where
        bench.close()
        bench = opened(root)
        assert not says_what_failed(step, bench), where
        assert picture(bench, with_errors=False) == expected, f"{where}: {note_of(root).read_text()}"
        note_of(root).unlink()
        bench.close()


def says_what_failed(step: Step, bench: Workbench) -> bool:
    """Carry out a step; tell whether it said that something is left undone."""
    try:
        result = step(bench, INSTRUMENT, DATE)
    except QcbenchError as err:
        return "disk is full" in str(err)
    return bool(getattr(result, "problems", ()))


def test_a_product_whose_move_was_killed_and_which_is_then_rejected_leaves_no_file(bench, killer):
    name = add_dark(bench, 1)
    decide(bench, name, "certified", by="ann", comment="")
    killer.run(lambda: move_products(bench, INSTRUMENT, DATE), 1)
    calib = bench.data(INSTRUMENT).calib(DATE)
    assert len(files_in(calib)) == 1
    decide(bench, name, "rejected", by="ann", comment="stripes")
    move_products(bench, INSTRUMENT, DATE)
    assert files_in(calib) == []
    assert [item[1:] for item in products_of(bench, name)] == [("virtual", None)] * 2


def test_names_that_were_planned_when_the_process_was_killed_are_the_ones_that_are_given(bench, killer):
    late = add_dark(bench, 3)
    decide(bench, late, "certified", by="ann", comment="")
    move_products(bench, INSTRUMENT, DATE)
    # the plan is written (two changes of files) and its names are in the database; nothing is renamed yet
    killer.run(lambda: rename_products(bench, INSTRUMENT, DATE), 4)
    early = add_dark(bench, 1)
    decide(bench, early, "certified", by="ann", comment="")
    move_products(bench, INSTRUMENT, DATE)
    rename_products(bench, INSTRUMENT, DATE)
    with bench.store.read() as session:
        assert find_ab(session, late).products[0].final_name == "TI_MDRK_261119A_DIT10.fits"
        assert find_ab(session, early).products[0].final_name == "TI_MDRK_261119B_DIT10.fits"
