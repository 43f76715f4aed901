"""The data tree of the handbook, into which no header value can dig a hole."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcbench.core.errors import QcbenchError
from qcbench.core.paths import DataTree, WorkbenchTree, safe_name

DATE = dt.date(2020, 1, 10)


@pytest.mark.parametrize("name", ["HAWKI.2020-01-10T21:00:00.000_tpl.ab", "V#641", "a", "x+y.fits"])
def test_names_of_frames_and_filters_are_file_names(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "/etc/passwd",
        "a/b",
        ".hidden",
        "-rf",
        "a b",
        "a\n",
        "a\x00",
        "$HOME",
        "a;b",
        "ä",
        "x" * 201,
    ],
)
def test_a_hostile_name_is_refused(name: str) -> None:
    with pytest.raises(QcbenchError, match="can't be the name of a file"):
        safe_name(name)


@given(st.text(max_size=20))
def test_a_name_that_passes_stays_in_its_folder(text: str) -> None:
    try:
        name = safe_name(text)
    except QcbenchError:
        return
    assert (Path("/folder") / name).resolve().parent == Path("/folder")


def test_a_workbench_has_its_folders_made_as_often_as_one_likes(tmp_path: Path) -> None:
    tree = WorkbenchTree(tmp_path)
    tree.make(("one", "two"))
    tree.make(("one", "two"))
    assert {path.name for path in tmp_path.iterdir()} == {
        "config", "jobs", "monitor", "work", "notebooks", "data"
    }  # fmt: skip
    assert tree.locks.is_dir()
    assert (tmp_path / "data" / "two" / "product").is_dir()


def test_folders_of_a_date_are_those_of_the_handbook(tmp_path: Path) -> None:
    data = DataTree(tmp_path)
    folders = (data.raw, data.headers, data.calib, data.logs, data.plots)
    assert [str(folder(DATE).relative_to(tmp_path)) for folder in folders] == [
        f"{name}/2020-01-10" for name in ("raw", "headers", "calib", "logs", "plots")
    ]
    assert data.product("DARK", DATE) == tmp_path / "product" / "DARK" / "2020-01-10"


def test_a_raw_type_or_an_instrument_that_climbs_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QcbenchError, match="file"):
        DataTree(tmp_path).product("../../etc", DATE)
    with pytest.raises(QcbenchError, match="file"):
        WorkbenchTree(tmp_path).data("..")
