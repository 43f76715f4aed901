"""The settings name the kind of archive; a site may bring its own."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from qcbench.archive import LocalArchive, base, open_archive
from qcbench.core.errors import SettingsError
from qcbench.core.settings import Settings, WorkbenchSection


def settings(root: Path, kind: str) -> Settings:
    return Settings.model_validate(
        {"root": root, "workbench": WorkbenchSection(instruments=("tiny",)), "archive": {"kind": kind}}
    )


def site_archive(settings: Settings) -> LocalArchive:
    return LocalArchive(settings.root / "site")


def test_local_is_the_folder_of_the_settings(tmp_path: Path) -> None:
    archive = open_archive(settings(tmp_path, "local"))
    assert isinstance(archive, LocalArchive)
    assert archive.root == tmp_path / "archive"


def test_a_kind_that_there_is_not_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"archive\.kind: no archive of kind 'tape'; there is .*local"):
        open_archive(settings(tmp_path, "tape"))


def test_a_site_brings_its_own_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("site", f"{__name__}:site_archive", "qcbench.archives")
    monkeypatch.setattr(EntryPoint, "load", lambda self: site_archive)
    monkeypatch.setattr(base, "entry_points", lambda group: EntryPoints([point]))
    archive = open_archive(settings(tmp_path, "site"))
    assert isinstance(archive, LocalArchive)
    assert archive.root == tmp_path / "site"
