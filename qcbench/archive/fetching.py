"""Files from an archive, each whole under its name or not at all.

What is on its way lies beside the target as ``.part-<name>-<digest>``; the digest is that of what it belongs to: the
file in the archive with its size and stamp. After a kill or a broken line it is continued, and begun anew where the
file has changed since.
"""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from qcbench.archive.base import Archive, ChangedError, RemoteFile
from qcbench.core.errors import ArchiveError, BusyError, FrameError, StoppedError, WaitingError
from qcbench.core.files import make_folder, publish, sha256, write_error
from qcbench.core.locks import exclusive, waiting
from qcbench.core.logs import get_logger
from qcbench.fits import check_frame

PART_PREFIX = ".part-"
CHUNK = 2**20
_ATTEMPTS = 3
# so many locks serve all files: none of their files ever has to be cleared away
_LOCKS = 1024
_DIGEST_LENGTH = 16

_Open = Callable[[RemoteFile, int], AbstractContextManager[BinaryIO]]
# what is wrong with a file that has come, None if nothing is; told whether it was continued
_Check = Callable[[Path, bool], str | None]


def fetch_missing(
    archive: Archive, uri: str, size: int, target: Path, locks: Path, stop: threading.Event | None = None
) -> bool:
    """Fetch a raw file unless it is there in the announced size (bytes); tell whether it was fetched.

    Of several threads and processes that want it, one fetches it, and the others wait.

    Parameters
    ----------
    locks : Path
        Folder of the locks.
    stop : Event, optional
        Set by another thread to end the transfer.

    Raises
    ------
    ArchiveError
        The archive has not got it any more, or breaks off.
    StoppedError
        It was stopped; the next call goes on where it was.
    WaitingError
        It is no longer what it was when its headers were loaded.
    FileWriteError
        It can't be written.
    """
    if _is_whole(target, size):
        return False
    file = archive.raw_file(uri)
    if file.size != size:
        raise WaitingError(
            f"{uri}: it has {file.size} bytes in the archive, and had {size} when its headers were loaded. "
            "Load them again: qcbench auto-daily"
        )
    if archive.link_raw(uri, target):
        return True
    with waiting(locks, _lock_of(target), stop):
        if _is_whole(target, size):
            return False
        fetch_raw(archive, uri, target, stop)
    return True


def fetch_raw(archive: Archive, uri: str, target: Path, stop: threading.Event | None = None) -> None:
    """Put a raw file at `target`.

    Nobody else may fetch it meanwhile. One that does not agree with its own sums is fetched anew, until it comes a
    second time as it is: whether a frame that the archive has so may be used is for QC0 to say.

    Raises
    ------
    ArchiveError
        The archive has not got it, or breaks off.
    StoppedError
        `stop` was set by another thread.
    FileWriteError
        It can't be written.
    """
    if not archive.link_raw(uri, target):
        _transfer(partial(archive.raw_file, uri), archive.open_raw, target, _Sums(), stop)


def fetch_product(archive: Archive, dp_id: str, target: Path, digest: str) -> None:
    """Put a product at `target`; nobody else may fetch it meanwhile.

    Parameters
    ----------
    digest : str
        The SHA-256 that it must have.

    Raises
    ------
    ArchiveError
        The archive has not got it, breaks off, or gives another content.
    FileWriteError
        It can't be written.
    """

    def check(path: Path, _was_continued: bool) -> str | None:
        return None if sha256(path) == digest else "what the archive gives is not what was ingested (SHA-256)"

    _transfer(partial(archive.product_file, dp_id), archive.open_product, target, check)


def fetch_missing_product(archive: Archive, dp_id: str, target: Path, digest: str, locks: Path) -> bool:
    """Fetch a product unless it is there, as `fetch_missing` does; tell whether it was fetched."""
    if target.is_file():
        return False
    with waiting(locks, _lock_of(target)):
        if target.is_file():
            return False
        fetch_product(archive, dp_id, target, digest)
    return True


def arrived(folder: Path) -> dict[str, int]:
    """Return how many bytes of files have come that are on their way to a folder, by their names."""
    found: dict[str, int] = {}
    for part, name in _parts(folder):
        with suppress(FileNotFoundError):
            found[name] = found.get(name, 0) + part.stat().st_size
    return found


def remove_parts(folder: Path, locks: Path, *, keep: Collection[str] = ()) -> list[str]:
    """Remove what fetches that were killed left in a folder; return the names of the files.

    What is being fetched now stays, and what is on the way to a name in `keep`, unless that file is there.
    """
    removed = []
    for part, name in _parts(folder):
        if name in keep and not (folder / name).is_file():
            continue
        with suppress(BusyError), exclusive(locks, _lock_of(folder / name)):
            part.unlink(missing_ok=True)
            removed.append(name)
    return removed


def _parts(folder: Path) -> list[tuple[Path, str]]:
    """Return what is on its way to a folder, each with the name that it will get."""
    return [
        (part, part.name.removeprefix(PART_PREFIX)[: -_DIGEST_LENGTH - 1])
        for part in sorted(folder.glob(f"{PART_PREFIX}*"))
    ]


def _lock_of(target: Path) -> str:
    return f"fetch-{zlib.crc32(bytes(target)) % _LOCKS:04d}"


def _is_whole(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _transfer(
    describe: Callable[[], RemoteFile],
    open_: _Open,
    target: Path,
    check: _Check,
    stop: threading.Event | None = None,
) -> None:
    make_folder(target.parent)
    problem = ""
    for _ in range(_ATTEMPTS):
        file = describe()
        part = _begin(target, file)
        was_continued = part.exists()
        try:
            problem = _receive(file, open_, part, stop)
        except ChangedError as err:
            problem = str(err)
            part.unlink(missing_ok=True)
        if problem:
            continue
        problem = check(part, was_continued) or ""
        if not problem:
            publish(part, target)
            return
        part.unlink()
        get_logger().warning("a file is fetched anew", file=file.uri, problem=problem)
    raise ArchiveError(f"{file.uri}: {problem}. Have the archive looked at, then call again")


def _begin(target: Path, file: RemoteFile) -> Path:
    """Return where a file comes to lie on its way; remove what has come of it in another state."""
    origin = hashlib.sha256(f"{file.uri}\n{file.size}\n{file.stamp}".encode()).hexdigest()[:_DIGEST_LENGTH]
    part = target.parent / f"{PART_PREFIX}{target.name}-{origin}"
    for other, name in _parts(target.parent):
        if name == target.name and other != part:
            other.unlink(missing_ok=True)
    return part


def _receive(file: RemoteFile, open_: _Open, part: Path, stop: threading.Event | None) -> str:
    """Get what is missing of a file; say why it did not come whole, empty if it did."""
    if part.exists() and part.stat().st_size > file.size:
        part.unlink()
    start = part.stat().st_size if part.exists() else 0
    with open_(file, start) as stream:
        try:
            with part.open("ab") as out:
                while chunk := _read(file, stream):
                    out.write(chunk)
                    if stop is not None and stop.is_set():
                        raise StoppedError(f"{file.uri}: stopped while it was fetched; the next call goes on")
        except OSError as err:
            raise write_error(part, err) from err
    size = part.stat().st_size
    return "" if size == file.size else f"{size} bytes of {file.size} came"


def _read(file: RemoteFile, stream: BinaryIO) -> bytes:
    try:
        return stream.read(CHUNK)
    except OSError as err:
        raise ArchiveError(f"{file.uri}: can't be read: {err}. Have it restored, then call again") from err


class _Sums:
    """Holds a frame against its own sums (CHECKSUM, DATASUM), where it has any."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, path: Path, was_continued: bool) -> str | None:
        """Say what is wrong, unless the archive has just given the same in one piece."""
        try:
            problem = "; ".join(check_frame(path, ()).problems)
        except FrameError as err:
            problem = err.problem
        if not problem:
            return None
        before, self._last = self._last, sha256(path)
        return None if self._last == before and not was_continued else problem
