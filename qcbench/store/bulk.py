"""Many rows at once: inserted, or brought up to date where they are there.

The statement is compiled once, and the values are prepared here: for rows of headers that takes a tenth of what it
takes the database library for each call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.orm import Session

from qcbench.store.models import Base

_Prepare = Callable[[Any], Any]


def upsert(connection: Connection, model: type[Base], key: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; of those that are there already, by a unique column, change the columns that the rows name.

    Parameters
    ----------
    key : str
        The unique column.
    rows : sequence of mappings
        By column names; all rows have the same columns.
    """
    if not rows:
        return
    text, order, prepared = _statement(connection.dialect, model, key, tuple(rows[0]))
    columns = [_column(rows, name, prepared.get(name)) for name in order or rows[0]]
    values: list[Any] = list(zip(*columns, strict=True))
    if order is None:
        values = [dict(zip(rows[0], row, strict=True)) for row in values]
    connection.exec_driver_sql(text, values)


def insert_rows(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows in one statement; all have the same columns, and values may be None."""
    if rows:
        # else rows whose values are None in other columns would each be a statement
        session.execute(insert(model), rows, execution_options={"render_nulls": True})


def _column(rows: Sequence[Mapping[str, Any]], name: str, prepare: _Prepare | None) -> list[Any]:
    """Return the values of a column as the driver takes them."""
    values = [row[name] for row in rows]
    if prepare is None:
        return values
    prepared: list[Any] = []
    before, ready = object(), None
    for value in values:
        # the date of a night, or the time of the call: one object for many rows
        if value is not before:
            before, ready = value, prepare(value)
        prepared.append(ready)
    return prepared


def insert_into(dialect: Dialect, model: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """Return an insertion that can say what is done with a row that is there already."""
    return (postgresql.insert if dialect.name == "postgresql" else sqlite.insert)(model)


@lru_cache(maxsize=16)
def _statement(
    dialect: Dialect, model: type[Base], key: str, names: tuple[str, ...]
) -> tuple[str, tuple[str, ...] | None, dict[str, _Prepare]]:
    """Return the statement, the order of its values (None: by name), and what prepares those that need it."""
    statement = insert_into(dialect, model).values(dict.fromkeys(names))
    changed = {name: statement.excluded[name] for name in names if name != key}
    compiled = statement.on_conflict_do_update(index_elements=[key], set_=changed).compile(dialect=dialect)
    prepared: dict[str, _Prepare] = {}
    for name in names:
        kind = model.__table__.columns[name].type.dialect_impl(dialect)
        if prepare := kind.bind_processor(dialect):
            prepared[name] = prepare
    order = compiled.positiontup
    return str(compiled), None if order is None else tuple(order), prepared
