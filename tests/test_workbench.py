"""A workbench is made once, completed as often as one likes, and opened with all that a stage needs."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil
import pytest
from sqlalchemy import inspect

from qcbench.archive import LocalArchive
from qcbench.core.errors import FileWriteError, PackError, SettingsError, StoreError
from qcbench.core.settings import FILE_NAME
from qcbench.workbench import make_workbench, open_workbench


def test_a_new_workbench_has_folders_settings_database_and_tables(tmp_path: Path) -> None:
    made = make_workbench(tmp_path / "wb", ("hawki", "efosc2"), {})
    made.close()
    bench = open_workbench(tmp_path / "wb", {})
    assert bench.instruments == ("hawki", "efosc2")
    assert (bench.data("hawki").root / "raw").is_dir()
    assert bench.archive.problem() is None
    with bench.store.connect() as connection:
        tables = set(inspect(connection).get_table_names())
    assert {"abs", "qc1_hawki_dark", "qc1_efosc2_bias"} <= tables
    assert isinstance(bench.archive, LocalArchive)
    assert bench.archive.root == tmp_path / "wb" / "archive"
    assert bench.pack("hawki").name == "hawki"
    bench.close()


def test_making_it_again_keeps_what_is_there_and_brings_back_what_is_lost(tmp_path: Path) -> None:
    make_workbench(tmp_path, ("hawki",), {}).close()
    settings = (tmp_path / FILE_NAME).read_text() + "# mine\n"
    (tmp_path / FILE_NAME).write_text(settings)
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "qcbench.db").unlink()
    make_workbench(tmp_path, ("hawki",), {}).close()
    assert (tmp_path / FILE_NAME).read_text() == settings
    open_workbench(tmp_path, {}).close()
    assert (tmp_path / "data" / "hawki" / "calib").is_dir()


def test_an_instrument_without_pack_makes_no_workbench(tmp_path: Path) -> None:
    for name in ("nothing", "../hawki", 'x"]\n[site]'):
        with pytest.raises(PackError, match="there is no instrument pack"):
            make_workbench(tmp_path / "wb", ("hawki", name), {})
    assert not (tmp_path / "wb").exists()


def test_another_instrument_is_to_be_added_by_hand(tmp_path: Path) -> None:
    make_workbench(tmp_path, ("hawki",), {}).close()
    with pytest.raises(SettingsError, match=r"workbench\.instruments has not got efosc2\. Add it"):
        make_workbench(tmp_path, ("hawki", "efosc2"), {})


def test_an_instrument_that_it_does_not_look_after_is_refused(tmp_path: Path) -> None:
    bench = make_workbench(tmp_path, ("hawki",), {})
    with pytest.raises(SettingsError, match=r"no instrument 'efosc2', it has hawki\. Add it"):
        bench.pack("efosc2")
    bench.close()


def test_a_file_in_the_place_of_the_folder_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "wb").write_text("x")
    with pytest.raises(FileWriteError, match="wb"):
        make_workbench(tmp_path / "wb", ("hawki",), {})
    with pytest.raises(SettingsError, match="not a workbench"):
        open_workbench(tmp_path / "wb", {})


def test_a_workbench_without_database_is_not_opened_and_leaves_no_file_open(tmp_path: Path) -> None:
    make_workbench(tmp_path, ("hawki",), {}).close()
    (tmp_path / "qcbench.db").unlink()
    with pytest.raises(StoreError, match=r"file is missing.*qcbench init"):
        open_workbench(tmp_path, {})
    assert not (tmp_path / "qcbench.db").exists()
    assert not any(file.path.startswith(str(tmp_path)) for file in psutil.Process().open_files())
