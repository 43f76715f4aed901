"""The embedded archive: a folder with ``raw/`` and ``products/``."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from qcbench.archive.base import ChangedError, RemoteFile
from qcbench.core.errors import ArchiveError
from qcbench.core.files import atomic, link_file, take_name
from qcbench.core.files import sha256 as hash_of
from qcbench.core.logs import get_logger
from qcbench.core.paths import safe_name
from qcbench.core.settings import Settings

_OTHER = "it is there with another content"


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

    def raw_file(self, uri: str) -> RemoteFile:
        """Describe a raw file by the size and the time of change of its file."""
        return _described(uri, self._raw_path(uri))

    def link_raw(self, uri: str, target: Path) -> bool:
        """Hard-link the raw file to `target`, where both are on one volume."""
        return link_file(self._raw_path(uri), target)

    def open_raw(self, file: RemoteFile, start: int = 0) -> AbstractContextManager[BinaryIO]:
        """Open the file of a raw file."""
        return _opened(file, self._raw_path(file.uri), start)

    def product_file(self, dp_id: str) -> RemoteFile:
        """Describe a product by the size and the time of change of its file."""
        return _described(dp_id, self._present(dp_id))

    def open_product(self, file: RemoteFile, start: int = 0) -> AbstractContextManager[BinaryIO]:
        """Open the file of a product."""
        return _opened(file, self._present(file.uri), start)

    def ingest(self, dp_id: str, file: Path, sha256: str) -> bool:
        """Copy a product in and read it back; it gets its name when its content is as it was sent."""
        present = self.holding(dp_id)
        if present is not None:
            _compare(dp_id, present, sha256, _OTHER)
            return False
        if not file.is_file():
            raise ArchiveError(f"{dp_id}: there is no file {file} to ingest. Make it again, then call again")
        path = self._product_path(dp_id)
        with atomic(path) as tmp:
            shutil.copyfile(file, tmp)
            _compare(dp_id, hash_of(tmp), sha256, "what arrived differs from what was sent")
            if not take_name(tmp, path):
                # another workbench brought it meanwhile
                _compare(dp_id, hash_of(path), sha256, _OTHER)
        return True

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

    def _present(self, dp_id: str) -> Path:
        path = self._product_path(dp_id)
        if not path.is_file():
            raise ArchiveError(f"{dp_id}: the archive {self.products} has no such product. Ingest it again")
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
        return _remote(uri, status)

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


def _described(uri: str, path: Path) -> RemoteFile:
    try:
        return _remote(uri, path.stat())
    except OSError as err:
        raise ArchiveError(f"{path}: can't be read: {err.strerror}. Make it readable, call again") from err


def _remote(uri: str, status: os.stat_result) -> RemoteFile:
    return RemoteFile(uri, status.st_size, str(status.st_mtime_ns), _time_of(status.st_mtime))


@contextmanager
def _opened(file: RemoteFile, path: Path, start: int) -> Iterator[BinaryIO]:
    """Give the bytes of a file from `start` on; it must be the one that was described, and stay so."""
    try:
        stream = path.open("rb")
    except OSError as err:
        raise ArchiveError(f"{path}: can't be read: {err.strerror}. Make it readable, call again") from err
    with stream:
        _check_same(file, stream)
        stream.seek(start)
        yield stream
        _check_same(file, stream)


def _check_same(file: RemoteFile, stream: BinaryIO) -> None:
    if _remote(file.uri, os.fstat(stream.fileno())) != file:
        raise ChangedError("it changes while it is fetched")


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
