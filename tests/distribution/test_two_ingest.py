"""Two workbenches that ingest into one archive at the same moment."""

from __future__ import annotations

import datetime as dt
import errno
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from astropy.io import fits

from qcbench.archive import LocalArchive
from qcbench.certification import certify_products
from qcbench.core.files import sha256
from qcbench.distribution import IngestResult, audit, ingest_products, move_products, rename_products
from qcbench.workbench import Workbench
from tests.builders import DATE, INSTRUMENT, add_dark, build_workbench, state_of, use_archive
from tests.distribution.conftest import files_in

LATER = DATE + dt.timedelta(days=1)
DARK_ID = "M.TINY.2026-11-19T22:00:00.000"


class Meeting(LocalArchive):
    """An archive into which two bring their first product at once: both have seen that it is not there."""

    def __init__(self, root: Path):
        super().__init__(root)
        self._barrier = threading.Barrier(2, timeout=30)
        self._to_come = ["first", "second"]

    def holding(self, dp_id: str) -> str | None:
        present = super().holding(dp_id)
        if self._to_come:
            self._to_come.pop()
            self._barrier.wait()
        return present


@pytest.fixture
def benches(tmp_path: Path) -> Iterator[tuple[Workbench, Workbench]]:
    archive = Meeting(tmp_path / "archive")
    first, second = (use_archive(build_workbench(tmp_path / name), archive) for name in ("first", "second"))
    yield first, second
    for bench in (first, second):
        bench.close()


def renamed_dark(bench: Workbench, date: dt.date = DATE, level: float | None = None) -> str:
    """A certified dark that is next to be ingested; of another level (ADU) its pixels are others."""
    name = add_dark(bench, 1, date=date)
    certify_products(bench, INSTRUMENT, date)
    move_products(bench, INSTRUMENT, date)
    rename_products(bench, INSTRUMENT, date)
    if level is not None:
        for path in bench.data(INSTRUMENT).calib(date).glob("*MDRK*.fits"):
            with fits.open(path, mode="update") as hdus:
                hdus[1].data[:] = level
    return name


def ingest_at_once(*nights: tuple[Workbench, dt.date]) -> list[IngestResult]:
    with ThreadPoolExecutor(len(nights)) as pool:
        return list(pool.map(lambda night: ingest_products(night[0], INSTRUMENT, night[1]), nights))


def products_in(bench: Workbench) -> list[str]:
    return files_in(bench.archive.products)  # type: ignore[attr-defined]


def test_each_its_own_night_all_goes_in(benches):
    first, second = benches
    names = renamed_dark(first), renamed_dark(second, LATER)
    results = ingest_at_once((first, DATE), (second, LATER))
    assert [result.problems for result in results] == [(), ()]
    assert [state_of(bench, name) for bench, name in zip(benches, names, strict=True)] == ["ingested"] * 2
    assert products_in(first) == [f"{DARK_ID}.fits", "M.TINY.2026-11-20T22:00:00.000.fits"]
    assert audit(first, INSTRUMENT, DATE) == audit(second, INSTRUMENT, LATER) == []


def test_both_the_same_products_of_one_night_they_are_there_once(benches):
    names = [renamed_dark(bench) for bench in benches]
    results = ingest_at_once(*((bench, DATE) for bench in benches))
    assert [result.problems for result in results] == [(), ()]
    assert [state_of(bench, name) for bench, name in zip(benches, names, strict=True)] == ["ingested"] * 2
    assert products_in(benches[0]) == [f"{DARK_ID}.fits"]
    assert [audit(bench) for bench in benches] == [[], []]


def test_both_other_products_of_one_night_those_of_one_are_there_and_the_other_is_told(benches):
    names = [renamed_dark(bench, level=level) for level, bench in enumerate(benches)]
    results = ingest_at_once(*((bench, DATE) for bench in benches))
    states = [state_of(bench, name) for bench, name in zip(benches, names, strict=True)]
    assert sorted(states) == ["ingested", "renamed"]
    winner, loser = (states.index(state) for state in ("ingested", "renamed"))
    assert results[winner].problems == ()
    (problem,) = results[loser].problems
    assert "it is there with another content" in problem[1]
    assert audit(benches[winner]) == []
    (kept,) = benches[loser].data(INSTRUMENT).calib(DATE).glob("*MDRK*.fits")
    assert benches[loser].archive.holding(DARK_ID) != sha256(kept)
    # it stays so, however often it is called
    (again,) = ingest_products(benches[loser], INSTRUMENT, DATE).problems
    assert again == problem
    assert audit(benches[winner]) == []


def test_on_a_volume_without_hard_links_products_go_in_as_well(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    bench = build_workbench(tmp_path)
    name = renamed_dark(bench)
    monkeypatch.setattr(os, "link", refuse)
    assert ingest_products(bench, INSTRUMENT, DATE).ingested == (name,)
    assert products_in(bench) == [f"{DARK_ID}.fits"]
    assert audit(bench) == []
    bench.close()
