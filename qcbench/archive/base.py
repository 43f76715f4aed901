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
from typing import BinaryIO, Protocol

from qcbench.core.errors import ArchiveError, SettingsError
from qcbench.core.settings import Settings


@dataclass(frozen=True)
class RemoteFile:
    """A file in an archive, as it is now.

    Attributes
    ----------
    uri : str
        Names the file for good inside its archive: a raw file by its URI, a product by its data product id.
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


class ChangedError(ArchiveError):
    """A file of the archive is no longer the one that was described."""


class Archive(Protocol):
    """What the stages ask of an archive.

    A transfer is described first, then opened at the byte from which on it is wanted: over HTTP a HEAD, and a GET
    with Range and If-Match. `qcbench.archive.fetching` does the rest for every kind of archive.
    """

    def list_raw(self) -> Iterator[RemoteFile]:
        """List the raw files, ordered by URI."""

    def header_file(self, uri: str) -> AbstractContextManager[Path]:
        """Give a local file from which the headers of a raw file can be read."""

    def raw_file(self, uri: str) -> RemoteFile:
        """Describe a raw file.

        Raises
        ------
        ArchiveError
            The archive has not got it.
        """

    def link_raw(self, uri: str, target: Path) -> bool:
        """Put a raw file at `target` without a transfer; return False where that can't be."""

    def open_raw(self, file: RemoteFile, start: int = 0) -> AbstractContextManager[BinaryIO]:
        """Give the bytes of a raw file from `start` on.

        Raises
        ------
        ChangedError
            It is no longer the file that was described, at the begin or at the end of the block.
        ArchiveError
            The archive has not got it, or can't read it.
        """

    def product_file(self, dp_id: str) -> RemoteFile:
        """Describe a product, as `raw_file` does."""

    def open_product(self, file: RemoteFile, start: int = 0) -> AbstractContextManager[BinaryIO]:
        """Give the bytes of a product, as `open_raw` does."""

    def ingest(self, dp_id: str, file: Path, sha256: str) -> bool:
        """Take a product in under its data product id; return False if it was there already.

        Raises
        ------
        ArchiveError
            The id is there with another content, or what arrived is not what was sent.
        """

    def holding(self, dp_id: str) -> str | None:
        """Return the SHA-256 of a product in the archive, read from its bytes; None if it is not there."""

    def list_products(self) -> Iterator[str]:
        """List the data product ids that the archive holds, ordered."""

    def problem(self) -> str | None:
        """Say in words why the archive can't be used now; None if it can."""


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
