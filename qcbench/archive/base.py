"""What every archive offers, and the registry of kinds.

A site adds a kind of its own through the entry-point group ``qcbench.archives``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from qcbench.core.errors import SettingsError
from qcbench.core.settings import Settings


@dataclass(frozen=True)
class RemoteFile:
    """A raw file in an archive.

    Attributes
    ----------
    uri : str
        Names the file for good inside its archive.
    size : int
        Bytes.
    stamp : str
        Changes when the file changes.
    available_at : datetime, optional
        Since when the archive has had it, where that is known.
    """

    uri: str
    size: int
    stamp: str
    available_at: dt.datetime | None = None


class Archive(Protocol):
    """What the stages ask of an archive."""

    def list_raw(self) -> Iterator[RemoteFile]:
        """List the raw files, ordered by URI."""

    def header_file(self, uri: str) -> AbstractContextManager[Path]:
        """Give a local file from which the headers of a raw file can be read."""

    def fetch(self, uri: str, target: Path) -> None:
        """Put the raw file at `target`, whole or not at all."""

    def ingest(self, dp_id: str, file: Path, sha256: str) -> bool:
        """Take a product in under its data product id; return False if it was there already.

        Raises
        ------
        ArchiveError
            The id is there with another content, or what arrived is not what was sent.
        """

    def fetch_product(self, dp_id: str, target: Path) -> None:
        """Put a product at `target`, whole or not at all.

        Raises
        ------
        ArchiveError
            The archive has not got it.
        """

    def holding(self, dp_id: str) -> str | None:
        """Return the SHA-256 of a product in the archive, read from its bytes; None if it is not there."""

    def list_products(self) -> Iterator[str]:
        """List the data product ids that the archive holds, ordered."""

    def problem(self) -> str | None:
        """Say in words why the archive can't be used now; None if it can."""


def fetch_missing(archive: Archive, uri: str, size: int, target: Path) -> bool:
    """Fetch a raw file unless it is there in the announced size (bytes); tell whether it was fetched.

    Raises
    ------
    ArchiveError
        The archive has not got it any more.
    """
    if target.is_file() and target.stat().st_size == size:
        return False
    archive.fetch(uri, target)
    return True


def open_archive(settings: Settings) -> Archive:
    """Open the archive that the settings name.

    Raises
    ------
    SettingsError
        There is no such kind of archive.
    """
    kinds = {point.name: point for point in entry_points(group="qcbench.archives")}
    kind = settings.archive.kind
    if kind not in kinds:
        raise SettingsError(
            f"key archive.kind: no archive of kind '{kind}'; there is {', '.join(sorted(kinds))}"
        )
    archive: Archive = kinds[kind].load()(settings)
    return archive
