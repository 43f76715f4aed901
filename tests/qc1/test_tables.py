"""QC1 tables grow with their pack, keep what they hold, and take the rows of an AB as often as they come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect
from sqlalchemy.engine import Connection

from qcbench.fits import Value
from qcbench.instruments import TableSpec
from qcbench.qc1 import Measurement, ensure_tables, ingest, read_ab, read_table
from qcbench.store import Store
from tests.qc1.specs import FILTER, HOT, RON, spec


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    store = Store(f"sqlite:///{tmp_path / 'qc1.db'}")
    with store.connect() as opened:
        yield opened
    store.dispose()


def put(
    connection: Connection, table: TableSpec, ab_name: str, mjd: float, **rows: dict[str, Value | None]
) -> None:
    measured = [Measurement(detector, values) for detector, values in rows.items()]
    ingest(
        connection, "dark", table, measured,
        ab_name=ab_name, product=f"{ab_name}.fits", dfo_date=dt.date(2020, 1, 10), mjd_obs=mjd,
    )  # fmt: skip


def test_a_table_grows_by_a_column_and_keeps_its_values(connection: Connection) -> None:
    small, large = spec(RON), spec(RON, HOT, FILTER)
    ensure_tables(connection, {"dark": small})
    put(connection, small, "A.ab", 1.0, CHIP1={"ron": 7.0})
    ensure_tables(connection, {"dark": large})
    ensure_tables(connection, {"dark": large})
    put(connection, large, "B.ab", 2.0, CHIP1={"ron": 8.0, "n_hot": 3, "filter": "J"})
    rows = [read_ab(connection, "dark", large, name)[0] for name in ("A.ab", "B.ab")]
    assert [(row["ron"], row["n_hot"], row["filter"]) for row in rows] == [(7.0, None, None), (8.0, 3, "J")]


def test_a_column_that_left_the_pack_keeps_its_values(connection: Connection) -> None:
    large, small = spec(RON, HOT), spec(RON)
    ensure_tables(connection, {"dark": large})
    put(connection, large, "A.ab", 1.0, CHIP1={"ron": 7.0, "n_hot": 3})
    ensure_tables(connection, {"dark": small})
    put(connection, small, "B.ab", 2.0, CHIP1={"ron": 8.0})
    assert read_ab(connection, "dark", large, "A.ab")[0]["n_hot"] == 3
    assert "n_hot" in {column["name"] for column in inspect(connection).get_columns("qc1_dark")}


def test_rows_of_one_ab_are_replaced_and_no_others(connection: Connection) -> None:
    table = spec(RON)
    ensure_tables(connection, {"dark": table})
    put(connection, table, "A.ab", 1.0, CHIP2={"ron": 1.0}, CHIP1={"ron": 2.0})
    put(connection, table, "B.ab", 2.0, CHIP1={"ron": 3.0})
    put(connection, table, "A.ab", 1.0, CHIP1={"ron": 4.0})
    assert [row["ron"] for row in read_ab(connection, "dark", table, "A.ab")] == [4.0]
    assert [row["ron"] for row in read_ab(connection, "dark", table, "B.ab")] == [3.0]
    put(connection, table, "A.ab", 1.0)
    assert read_ab(connection, "dark", table, "A.ab") == []


def test_rows_of_an_ab_come_in_the_order_of_the_detectors(connection: Connection) -> None:
    table = spec(RON, detectors=("CHIP9", "CHIP1"))
    ensure_tables(connection, {"dark": table})
    put(connection, table, "A.ab", 1.0, CHIP1={"ron": 1.0}, CHIP9={"ron": 9.0})
    assert [row["detector"] for row in read_ab(connection, "dark", table, "A.ab")] == ["CHIP9", "CHIP1"]


def test_a_table_is_read_in_the_order_of_time_and_between_two_times(connection: Connection) -> None:
    table = spec(RON)
    ensure_tables(connection, {"dark": table})
    for name, mjd in (("D.ab", 3.0), ("C.ab", 1.0), ("B.ab", 2.0), ("A.ab", 2.0)):
        put(connection, table, name, mjd, CHIP2={"ron": mjd}, CHIP1={"ron": None})
    whole = read_table(connection, "dark", table)
    assert list(whole["ab_name"][::2]) == ["C.ab", "A.ab", "B.ab", "D.ab"]
    assert list(whole["detector"]) == ["CHIP1", "CHIP2"] * 4
    assert whole["ron"].isna().sum() == 4
    inside = read_table(connection, "dark", table, mjd_from=2.0, mjd_to=2.0)
    assert set(inside["ab_name"]) == {"A.ab", "B.ab"}
    assert read_table(connection, "dark", table, mjd_from=9.0).empty


def test_a_hostile_name_is_only_text(connection: Connection) -> None:
    table = spec(FILTER, RON)
    hostile = "x'; DROP TABLE qc1_dark; --"
    ensure_tables(connection, {"dark": table})
    put(connection, table, hostile, 1.0, CHIP1={"ron": 1.0, "filter": hostile})
    assert read_ab(connection, "dark", table, hostile)[0]["filter"] == hostile
