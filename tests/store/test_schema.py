"""The database has the schema of this version, or says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, select, text

from qcbench.core.errors import StoreError
from qcbench.store import ABCalibration, Store
from qcbench.store.database import MIGRATIONS
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


def test_an_upgrade_keeps_every_row(tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    old = create_engine(f"sqlite:///{file}")
    with old.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in _ROWS_OF_THE_FIRST_SCHEMA:
            connection.exec_driver_sql(statement)
    store = Store(f"sqlite:///{file}")
    store.upgrade()
    with store.read() as session:
        use = session.scalars(select(ABCalibration)).one()
        assert (use.dt_days, use.level) == (-0.5, 0)
        assert use.product.maker.name == use.ab.name == "X_tpl.ab"
        assert use.ab.inputs[0].frame.arcfile == "X.fits"
        assert use.ab.inputs[0].level == 0
        assert session.execute(text("PRAGMA foreign_key_check")).all() == []
        assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1


_ROWS_OF_THE_FIRST_SCHEMA = (
    "insert into frames (id, arcfile, instrument, dfo_date, mjd_obs, exptime, uri, size, stamp, header_sha256,"
    " dpr_catg, dpr_type, keys, loaded_at) values (1, 'X.fits', 'hawki', '2026-11-19', 61364.0, 1.0, 'u', 1, 's',"
    " 'h', 'CALIB', 'DARK', '{}', '2026-11-20 00:00:00')",
    "insert into abs (id, name, instrument, dfo_date, mode, raw_type, event, action, recipe, completeness, missing,"
    " match_keys, setup, keys, mjd_obs, mjd_obs_mod, prod_root, state, attempts, created_at, updated_at)"
    " values (1, 'X_tpl.ab', 'hawki', '2026-11-19', 'CALIB', 'DARK', 'DARK', 'DARK', 'r', 'COMPLETE', '[]', '{}',"
    " '', '{}', 61364.0, 61364.0, 'r.X', 'created', 0, '2026-11-20 00:00:00', '2026-11-20 00:00:00')",
    "insert into ab_inputs (ab_id, frame_id, role, tag, position) values (1, 1, 'RAWFILE', 'DARK', 0)",
    "insert into products (id, ab_id, instrument, position, pro_catg, pipefile, location, mjd_obs, keys)"
    " values (1, 1, 'hawki', 0, 'MASTER_DARK', 'r.X_0000.fits', 'virtual', 61364.0, '{}')",
    "insert into ab_calibrations (ab_id, product_id, role, flag, tag, evaluation, dt_days, position)"
    " values (1, 1, 'MCALIB', 'VIRTUAL', 'MASTER_DARK', 'OK', -0.5, 0)",
)
