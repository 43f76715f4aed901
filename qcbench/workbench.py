"""A workbench that is open: settings, folders, database, archive and packs, handed to every stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from qcbench.archive import Archive, LocalArchive, open_archive
from qcbench.blocks import write_marked_texts
from qcbench.core.errors import SettingsError, StoreError
from qcbench.core.files import make_folder
from qcbench.core.paths import DataTree, WorkbenchTree
from qcbench.core.settings import Settings, load_settings, write_default_settings
from qcbench.instruments import InstrumentPack, find_pack
from qcbench.qc1.tables import ensure_tables
from qcbench.store import Store


@dataclass(frozen=True)
class Workbench:
    """What every stage is given.

    Attributes
    ----------
    settings : Settings
        Read once, frozen.
    store : Store
        The database.
    """

    settings: Settings
    store: Store

    @property
    def tree(self) -> WorkbenchTree:
        """The folders that all instruments share."""
        return WorkbenchTree(self.settings.root)

    @property
    def instruments(self) -> tuple[str, ...]:
        """Names of the instruments of this workbench."""
        return self.settings.workbench.instruments

    @cached_property
    def archive(self) -> Archive:
        """The archive that the settings name."""
        return open_archive(self.settings)

    def data(self, instrument: str) -> DataTree:
        """Return the data tree of an instrument."""
        return self.tree.data(instrument)

    def pack(self, instrument: str) -> InstrumentPack:
        """Return the pack of an instrument of this workbench.

        Raises
        ------
        SettingsError
            The workbench does not look after this instrument.
        PackError
            The pack is wrong.
        """
        if instrument not in self.instruments:
            raise SettingsError(
                f"this workbench has no instrument '{instrument}', it has {', '.join(self.instruments)}. "
                f"Add it to [workbench] instruments in {self.settings.root / 'qcbench.toml'}"
            )
        return find_pack(instrument, self.tree.config)

    def write_texts(self) -> None:
        """Write the text forms of the ABs that changed since they were written, also by a call that was killed.

        Raises
        ------
        FileWriteError
            A text can't be written; the next call tries it again.
        """
        write_marked_texts(self.store, self.tree)

    def close(self) -> None:
        """Close the connections to the database."""
        self.store.dispose()


def open_workbench(root: Path, environ: Mapping[str, str]) -> Workbench:
    """Open the workbench in a folder.

    Raises
    ------
    SettingsError, StoreError
        It is not a workbench, its settings are wrong, or its database is not of this version.
    """
    settings = load_settings(root, environ)
    store = Store(settings.database_url)
    try:
        store.check()
    except StoreError:
        store.dispose()
        raise
    return Workbench(settings, store)


def make_workbench(root: Path, instruments: tuple[str, ...], environ: Mapping[str, str]) -> Workbench:
    """Make a workbench, or complete one: folders, also of a local archive, settings file, database, QC1 tables.

    What is there is kept: a settings file is never overwritten, a database is only brought to this version.

    Raises
    ------
    PackError
        There is no pack for an instrument.
    SettingsError
        The folder already is a workbench of other instruments.
    """
    tree = WorkbenchTree(root)
    if not (root / "qcbench.toml").exists():
        for instrument in instruments:
            find_pack(instrument, tree.config)
        write_default_settings(root, instruments)
    settings = load_settings(root, environ)
    absent = sorted(set(instruments) - set(settings.workbench.instruments))
    if absent:
        raise SettingsError(
            f"{root / 'qcbench.toml'}: key workbench.instruments has not got {', '.join(absent)}. Add it there"
        )
    bench = Workbench(settings, Store(settings.database_url))
    bench.tree.make(bench.instruments)
    if isinstance(bench.archive, LocalArchive):
        make_folder(bench.archive.raw)
    bench.store.upgrade()
    prepare_tables(bench)
    return bench


def prepare_tables(bench: Workbench) -> None:
    """Make the QC1 tables of all instruments, and the columns that their packs got since."""
    with bench.store.connect() as connection:
        for instrument in bench.instruments:
            ensure_tables(connection, bench.pack(instrument).tables)
