"""Many rows at once: inserted, or brought up to date, with the types of their columns."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import select

from qcbench.core.dates import utc_now
from qcbench.core.errors import StoreError
from qcbench.store import ArchiveFile, Frame, Store, upsert
from tests.association.observatory import frame


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(f"sqlite:///{tmp_path / 'qcbench.db'}")
    store.upgrade()
    return store


def row(uri: str, **values: object) -> dict[str, object]:
    first = {"uri": uri, "size": 1, "stamp": "1", "instrument": "toy", "dfo_date": dt.date(2026, 11, 10)}
    return first | {"arcfile": None, "problem": None, "seen_at": utc_now()} | values


def put(store: Store, rows: list[dict[str, object]]) -> list[ArchiveFile]:
    with store.write() as session:
        upsert(session.connection(), ArchiveFile, "uri", rows)
    with store.read() as session:
        return list(session.scalars(select(ArchiveFile).order_by(ArchiveFile.uri)))


def test_rows_are_inserted_with_dates_and_times_as_they_were(store: Store) -> None:
    rows = [row("a"), row("b", dfo_date=dt.date(2026, 11, 11)), row("c", dfo_date=None)]
    found = put(store, rows)
    assert [(item.uri, item.dfo_date, item.seen_at) for item in found] == [
        (given["uri"], given["dfo_date"], given["seen_at"]) for given in rows
    ]


def test_a_row_that_is_there_is_changed_in_the_columns_that_are_named_and_keeps_its_id(store: Store) -> None:
    (before,) = put(store, [row("a", arcfile="first.fits")])
    other = {"uri": "a", "size": 2, "stamp": "2", "seen_at": utc_now()}
    (after,) = put(store, [other])
    assert (after.id, after.size, after.stamp) == (before.id, 2, "2")
    assert (after.arcfile, after.instrument) == ("first.fits", "toy")


def test_keys_of_headers_are_stored_whole_also_numbers_of_more_than_64_bits(store: Store) -> None:
    made = frame("BIAS", 1.0, BIG=2**70, TEXT="é'\"", ODD=0.1)
    names = [column.name for column in Frame.__table__.columns if column.name != "id"]
    with store.write() as session:
        upsert(session.connection(), Frame, "arcfile", [{name: getattr(made, name) for name in names}])
    with store.read() as session:
        found = session.scalars(select(Frame)).one()
        assert found.keys == made.keys
        assert (found.tpl_start, found.loaded_at) == (None, made.loaded_at)


def test_nothing_is_kept_where_one_row_can_not_be(store: Store) -> None:
    with pytest.raises(StoreError, match="NOT NULL"):
        put(store, [row("a"), row("b", stamp=None)])
    with store.read() as session:
        assert session.scalars(select(ArchiveFile)).all() == []


def test_no_rows_are_nothing_to_do(store: Store) -> None:
    assert put(store, []) == []
