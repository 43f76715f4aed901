"""The QC1 tables in the database, made from what the packs say.

A table grows when its pack gets a new column; it never loses one, since old values stay worth having.
Source: QC handbook (VLT-SPE-ESO-19600-3986), section 6.2.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from sqlalchemy import (
    Column,
    Date,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    inspect,
)
from sqlalchemy.engine import Connection

from qcbench.instruments import TableSpec
from qcbench.instruments.models import FIXED_COLUMNS as FIXED_COLUMNS

PREFIX = "qc1_"
_TYPES = {"float": Float, "integer": Integer, "text": String}


@cache
def qc1_table(name: str, spec: TableSpec) -> Table:
    """Return the Core table of a QC1 table; its name in the database starts with ``qc1_``.

    It is made once, so that its statements are compiled once.
    """
    return Table(
        PREFIX + name,
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("ab_name", String, nullable=False),
        Column("product", String, nullable=False),
        Column("detector", String, nullable=False),
        Column("dfo_date", Date, nullable=False, index=True),
        Column("mjd_obs", Float, nullable=False, index=True),
        *(Column(column.name, _TYPES[column.type], comment=column.unit) for column in spec.columns),
        UniqueConstraint("ab_name", "detector"),
    )


def ensure_tables(connection: Connection, tables: Mapping[str, TableSpec]) -> None:
    """Make the QC1 tables that are missing, and add the columns that are."""
    inspector = inspect(connection)
    present = set(inspector.get_table_names())
    for name, spec in tables.items():
        table = qc1_table(name, spec)
        if table.name not in present:
            table.create(connection)
            continue
        have = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in have:
                _add_column(connection, table, column)


def _add_column(connection: Connection, table: Table, column: Column[object]) -> None:
    quote = connection.dialect.identifier_preparer.quote
    kind = column.type.compile(connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {quote(table.name)} ADD COLUMN {quote(column.name)} {kind}")
