"""Connections to the database: SQLite in WAL mode by default, or any URL.

A `read` never waits for a writer; a `write` takes the writer's place at its start, so that two writers queue
up instead of failing halfway.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, StatementError
from sqlalchemy.orm import Session

from qcbench.core.errors import StoreError

MIGRATIONS = Path(__file__).with_name("migrations")
BUSY_TIMEOUT_MS = 60_000
# a row of a frame has all keys of its header: in pages of the usual 4 KiB each would be a chain of them
PAGE_BYTES = 16_384
_NEWER = "A newer qcbench made it: install that one"


class Store:
    """The database of a workbench.

    Parameters
    ----------
    url : str
        An SQLAlchemy URL.

    Attributes
    ----------
    url : str
        The URL as messages show it: without a password.

    Raises
    ------
    StoreError
        The URL can't be read, or its driver is not installed.
    """

    def __init__(self, url: str):
        try:
            parsed = make_url(url)
            self.url = parsed.render_as_string(hide_password=True)
            self.is_sqlite = parsed.get_backend_name() == "sqlite"
            self._reader = _engine(url, "BEGIN")
        except (ArgumentError, ImportError) as err:
            raise StoreError(
                f"key database.url: {err}. Give an SQLAlchemy URL whose driver is installed"
            ) from err
        self._writer = _engine(url, "BEGIN IMMEDIATE") if self.is_sqlite else self._reader

    @property
    def engine(self) -> Engine:
        """The engine that reads."""
        return self._reader

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session whose changes are thrown away."""
        with self._errors(), Session(self._reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give a session that is committed when the block ends well, and rolled back when not."""
        with self._errors(), Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Give a writing connection (for Core statements), committed when the block ends well."""
        with self._errors(), self._writer.begin() as connection:
            yield connection

    def upgrade(self) -> None:
        """Bring the database to the newest schema; a new one is made."""
        # SQLite changes a table by making it anew, which foreign keys would take for the loss of its rows
        engine = _engine(self._reader.url, "BEGIN IMMEDIATE", foreign_keys="OFF")
        with self._errors(), engine.begin() as connection:
            config = _config()
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as err:
                raise StoreError(f"{self.url}: {err}. {_NEWER}") from err
        engine.dispose()

    def check(self) -> None:
        """Make sure that the database is there and of this version.

        Raises
        ------
        StoreError
            It is missing, can't be opened, has no schema, or has another one.
        """
        # to connect would make an empty file, and hide that the old one is gone
        if missing := missing_file(self._reader.url):
            raise StoreError(
                f"{missing}: the database file is missing. Restore it from a backup; or make a new one, which "
                f"knows nothing of what was archived: qcbench init DIR, with the folder of the workbench"
            )
        with self._errors(), self._reader.connect() as connection:
            present = MigrationContext.configure(connection).get_current_revision()
        scripts = ScriptDirectory.from_config(_config())
        wanted = scripts.get_current_head()
        if present != wanted:
            state = f"has schema {present}" if present else "has no tables"
            known = present is None or present in {script.revision for script in scripts.walk_revisions()}
            remedy = "Call: qcbench init --upgrade" if known else _NEWER
            raise StoreError(f"{self.url}: the database {state}, {wanted} is needed. {remedy}")

    def dispose(self) -> None:
        """Close all connections."""
        self._reader.dispose()
        self._writer.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as err:
            raise StoreError(f"{self.url}: {err.orig}. {_remedy(str(err.orig))}") from err
        except StatementError as err:
            raise StoreError(f"{self.url}: {err.orig}. Nothing was changed") from err


def missing_file(url: str | URL) -> Path | None:
    """Return the file of an SQLite database if it is not there; None for any other database."""
    parsed = make_url(url)
    name = parsed.database or ""
    if parsed.get_backend_name() != "sqlite" or not name or name.startswith((":memory:", "file:")):
        return None
    return None if Path(name).exists() else Path(name)


def _remedy(problem: str) -> str:
    if "locked" in problem:
        return f"Another process kept it for over {BUSY_TIMEOUT_MS // 1000} s: wait for it and call again"
    if "full" in problem:
        return "Free space on its volume and call again; nothing was lost"
    if "readonly" in problem:
        return "Make the file and its folder writable for this user and call again"
    return "Check that it exists and can be reached: qcbench doctor"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _to_json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # whole numbers of more than 64 bits, as a header may hold them
        return json.dumps(value)


def _from_json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # what the standard library wrote and takes back: NaN, halves of surrogate pairs
        return json.loads(text)


def _engine(url: str | URL, begin: str, foreign_keys: str = "ON") -> Engine:
    engine = create_engine(url, json_serializer=_to_json, json_deserializer=_from_json)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", partial(_on_connect, foreign_keys))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _on_connect(foreign_keys: str, connection: Any, _record: Any) -> None:
    # the driver must not open transactions by itself: the "begin" listener does, in the wanted mode
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        f"page_size = {PAGE_BYTES}",
        "journal_mode = WAL",
        "synchronous = FULL",
        f"foreign_keys = {foreign_keys}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
