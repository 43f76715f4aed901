"""The database has the schema of this version, or says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from qcbench.core.errors import StoreError
from qcbench.store import Store
from qcbench.store.models import Base


def test_the_migrations_make_what_the_models_say(store: Store) -> None:
    with store.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    store.check()


def test_an_upgrade_is_done_once(store: Store) -> None:
    store.upgrade()
    store.check()


def test_an_empty_database_is_to_be_upgraded(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    empty = Store(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(StoreError, match=r"has no tables.*qcbench init --upgrade"):
        empty.check()
    empty.upgrade()
    empty.check()


def test_a_database_of_a_newer_version_is_left_alone(store: Store) -> None:
    with store.connect() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '9999'")
    for act in (store.check, store.upgrade):
        with pytest.raises(StoreError, match=r"9999.*newer qcbench"):
            act()
    with store.connect() as connection:
        assert connection.exec_driver_sql("select version_num from alembic_version").scalar() == "9999"


def test_a_file_that_is_no_database_is_an_error_with_its_url(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no database at all " * 300)
    with pytest.raises(StoreError, match=r"x\.db: file is not a database"):
        Store(f"sqlite:///{tmp_path / 'x.db'}").check()


def test_a_file_that_is_missing_is_said_and_not_made(tmp_path: Path) -> None:
    for file in (tmp_path / "x.db", tmp_path / "no" / "x.db"):
        with pytest.raises(
            StoreError, match=r"x\.db: the database file is missing\. Restore it from a backup"
        ):
            Store(f"sqlite:///{file}").check()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["", "nonsense", "nosuchkind://host/x", "sqlite+nosuchdriver:///x"])
def test_an_url_that_leads_nowhere_is_an_error_that_names_the_key(url: str) -> None:
    with pytest.raises(StoreError, match=r"key database\.url"):
        Store(url)


def test_no_message_shows_a_password() -> None:
    with pytest.raises(StoreError) as error:
        Store("postgresql+psycopg://somebody:secret@127.0.0.1:1/qc").check()
    assert "secret" not in str(error.value)
