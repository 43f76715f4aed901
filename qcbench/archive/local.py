"""The embedded archive: a folder with ``raw/`` and ``products/``."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from qcbench.archive.base import RemoteFile
from qcbench.core.errors import ArchiveError
from qcbench.core.files import atomic, copy_file
from qcbench.core.files import sha256 as hash_of
from qcbench.core.logs import get_logger
from qcbench.core.paths import safe_name
from qcbench.core.settings import Settings


class LocalArchive:
    """An archive in a folder of this machine.

    Parameters
    ----------
    root : Path
        Folder of the archive.
    """

    def __init__(self, root: Path):
        self.root = root
        self.raw = root / "raw"
        self.products = root / "products"

    @classmethod
    def from_settings(cls, settings: Settings) -> LocalArchive:
        """Open the archive of a workbench."""
        return cls(settings.archive_path)

    def list_raw(self) -> Iterator[RemoteFile]:
        """List the files below ``raw/``, ordered.

        Temporary and hidden files and folders are passed over, and links that lead nowhere or outside.
        """
        if not self.raw.is_dir():
            raise ArchiveError(f"{self.raw}: there is no such folder. Set [archive] path, or make the folder")
        # one folder at a time: an archive of many nights is never in memory as a whole
        waiting = [iter(_entries(self.raw))]
        while waiting:
            entry = next(waiting[-1], None)
            if entry is None:
                waiting.pop()
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(iter(_entries(Path(entry.path))))
            elif file := self._remote_file(entry):
                yield file

    def header_file(self, uri: str) -> AbstractContextManager[Path]:
        """Give the raw file itself: its headers are read in place."""
        return nullcontext(self._raw_path(uri))

    def fetch(self, uri: str, target: Path) -> None:
        """Hard-link the raw file to `target`, or copy it to another volume."""
        copy_file(self._raw_path(uri), target, link=True)

    def ingest(self, dp_id: str, file: Path, sha256: str) -> bool:
        """Copy a product in and read it back; it gets its name when its content is as it was sent."""
        present = self.holding(dp_id)
        if present is not None:
            _compare(dp_id, present, sha256, "it is there with another content")
            return False
        if not file.is_file():
            raise ArchiveError(f"{dp_id}: there is no file {file} to ingest. Make it again, then call again")
        with atomic(self._product_path(dp_id)) as tmp:
            shutil.copyfile(file, tmp)
            _compare(dp_id, hash_of(tmp), sha256, "what arrived differs from what was sent")
        return True

    def fetch_product(self, dp_id: str, target: Path) -> None:
        """Copy the product to `target`: nobody may change that of the archive."""
        path = self._product_path(dp_id)
        if not path.is_file():
            raise ArchiveError(f"{dp_id}: the archive {self.products} has no such product. Ingest it again")
        copy_file(path, target)

    def holding(self, dp_id: str) -> str | None:
        """Return the SHA-256 of a product, read from its bytes."""
        path = self._product_path(dp_id)
        return hash_of(path) if path.is_file() else None

    def list_products(self) -> Iterator[str]:
        """List the ids of the products."""
        if self.products.is_dir():
            yield from sorted(
                path.stem for path in self.products.glob("*.fits") if not path.name.startswith(".")
            )

    def problem(self) -> str | None:
        """Say whether the folder is there and can be read and written."""
        if not self.raw.is_dir():
            return f"{self.raw} is not there"
        if not os.access(self.raw, os.R_OK | os.X_OK):
            return f"{self.raw} can't be read"
        parent = self.products if self.products.is_dir() else self.root
        return None if os.access(parent, os.W_OK) else f"{parent} can't be written"

    def _raw_path(self, uri: str) -> Path:
        if self._has_plain(uri):
            # by far the most are: to resolve a path takes longer than to read a header
            return self.raw / uri
        try:
            path = (self.raw / uri).resolve()
            is_there = path.is_file()
        except (ValueError, OSError, RuntimeError) as err:
            raise ArchiveError(f"{uri!r}: can't be a file of the archive {self.raw}: {err}") from err
        if not path.is_relative_to(self.raw.resolve()):
            raise ArchiveError(f"{uri}: not inside the archive {self.raw}")
        if not is_there:
            raise ArchiveError(
                f"{path}: the archive has not got this raw file any more. Put it back, call again"
            )
        return path

    def _product_path(self, dp_id: str) -> Path:
        return self.products / f"{safe_name(dp_id)}.fits"

    def _remote_file(self, entry: os.DirEntry[str]) -> RemoteFile | None:
        """Describe what lies in a folder of the archive; None if it is no file that can be had."""
        uri = entry.path[len(os.fspath(self.raw)) + 1 :]
        try:
            uri.encode()
            link = entry.is_symlink()
            status = self._raw_path(uri).stat() if link else entry.stat(follow_symlinks=False)
        except (ArchiveError, FileNotFoundError, UnicodeEncodeError) as err:
            get_logger().warning("a file of the archive is passed over", uri=uri, problem=str(err))
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return RemoteFile(uri, status.st_size, str(status.st_mtime_ns), _time_of(status.st_mtime))

    def _has_plain(self, uri: str) -> bool:
        """Tell whether a URI leads to a regular file below ``raw/`` without any link or detour."""
        path, mode = os.fspath(self.raw), 0
        try:
            for part in uri.split("/"):
                if part in ("", ".", ".."):
                    return False
                path = f"{path}/{part}"
                mode = os.lstat(path).st_mode
                if stat.S_ISLNK(mode):
                    return False
        except (ValueError, OSError):
            return False
        return stat.S_ISREG(mode)


def _time_of(seconds: float) -> dt.datetime | None:
    """Return when a file was written; None for a time that no calendar has."""
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder, in the order of URIs; hidden and temporary things are passed over."""
    try:
        with os.scandir(folder) as found:
            seen = [entry for entry in found if not entry.name.startswith(".")]
    except OSError as err:
        get_logger().warning("a folder of the archive is passed over", folder=str(folder), problem=str(err))
        return []
    return sorted(
        seen, key=lambda entry: f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
    )


def _compare(dp_id: str, present: str, wanted: str, problem: str) -> None:
    if present != wanted:
        raise ArchiveError(
            f"{dp_id}: {problem} (SHA-256 {present} instead of {wanted}). Nothing was replaced"
        )
