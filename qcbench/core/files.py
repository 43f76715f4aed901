"""The one writer of files: temporary name on the same volume, fsync, rename.

A kill at any instruction leaves either the old file or the new one under its name, and at worst a file whose
name starts with ``.tmp-``, which `remove_leftovers` clears.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from qcbench.core.errors import FileWriteError

TMP_PREFIX = ".tmp-"

_NO_FOLDER = "There is a file where a folder is needed: move it away and call again"
_REMEDIES = {
    errno.ENOSPC: "The disk is full: free space on this volume and call again",
    errno.EDQUOT: "The disk quota is used up: free space and call again",
    errno.EACCES: "Make the folder writable for this user and call again",
    errno.EPERM: "Make the folder writable for this user and call again",
    errno.EROFS: "The volume is mounted read-only: mount it read-write and call again",
    errno.ENOTDIR: _NO_FOLDER,
    errno.EEXIST: _NO_FOLDER,
}


def write_error(path: Path, err: OSError) -> FileWriteError:
    """Return the error that says why a path can't be written and what to do."""
    remedy = _REMEDIES.get(err.errno or 0, "Mend what the system says and call again; nothing was lost")
    return FileWriteError(f"{path}: can't be written: {err.strerror or err}. {remedy}")


def make_folder(path: Path) -> Path:
    """Make a folder and its parents where they are missing, and return it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise write_error(path, err) from err
    return path


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path`, durably, when the block ends well.

    Raises
    ------
    FileWriteError
        The folder is not writable, the disk is full, and the like. The old file, if any, is untouched.
    """
    make_folder(path.parent)
    tmp = _temporary(path)
    try:
        yield tmp
        publish(tmp, path)
    except OSError as err:
        raise write_error(path, err) from err
    finally:
        with suppress(OSError):
            tmp.unlink(missing_ok=True)


def publish(whole: Path, path: Path) -> None:
    """Make a file that is whole durable, and give it its name in the same folder.

    Raises
    ------
    FileWriteError
        It can't be written.
    """
    try:
        _sync(whole)
        whole.replace(path)
        _sync(path.parent)
    except OSError as err:
        raise write_error(path, err) from err


def take_name(whole: Path, path: Path) -> bool:
    """Give a whole file also the name `path`, unless there is such a file; tell whether there was none.

    On a volume without hard links the answer may be wrong: nobody can look and write at once there.
    """
    try:
        _sync(whole)
        os.link(whole, path)
    except FileExistsError:
        return False
    except OSError:
        return not path.exists()
    return True


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file atomically; a file that already has this content is left alone."""
    if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return path
    with atomic(path) as tmp:
        tmp.write_bytes(content)
    return path


def write_text(path: Path, text: str) -> Path:
    """Write a text file (UTF-8) atomically; a file that already has this text is left alone."""
    return write_bytes(path, text.encode())


def copy_file(source: Path, target: Path) -> Path:
    """Copy a file atomically."""
    if not source.is_file():
        raise _no_source(source, target)
    with atomic(target) as tmp:
        shutil.copyfile(source, tmp)
    return target


def link_file(source: Path, target: Path) -> bool:
    """Hard-link a file atomically; tell whether the volume allowed it."""
    if not source.is_file():
        raise _no_source(source, target)
    make_folder(target.parent)
    tmp = _temporary(target)
    try:
        # the file itself: a hard link to a symbolic one would lead nowhere from another folder
        os.link(source.resolve(), tmp)
    except OSError:
        return False
    try:
        tmp.replace(target)
    except OSError as err:
        raise write_error(target, err) from err
    finally:
        # between two names of one file the system's rename does nothing
        tmp.unlink(missing_ok=True)
    return True


def _temporary(path: Path) -> Path:
    return path.parent / f"{TMP_PREFIX}{path.name}-{secrets.token_hex(4)}"


def move_file(source: Path, target: Path) -> Path:
    """Move a file; across volumes the source goes only after the target is safely there.

    A move that was done already (no source, but a target) is not done again.
    """
    if not source.exists():
        if target.exists():
            return target
        raise _no_source(source, target)
    make_folder(target.parent)
    if _is_hard_link(source, target):
        # between two names of one file the system's rename does nothing
        _remove(source)
        return target
    try:
        source.replace(target)
        _sync(target.parent)
    except OSError as err:
        if err.errno != errno.EXDEV:
            raise write_error(target, err) from err
        copy_file(source, target)
        _remove(source)
    return target


def _is_hard_link(source: Path, target: Path) -> bool:
    """Tell whether two different names lead to one file, without any symbolic link."""
    if not target.is_file() or source.is_symlink() or target.is_symlink() or not source.samefile(target):
        return False
    return source.resolve() != target.resolve()


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as err:
        raise write_error(path, err) from err


def _no_source(source: Path, target: Path) -> FileWriteError:
    return FileWriteError(
        f"{target}: can't be written: there is no file {source}. Make it again, then call again"
    )


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as hexadecimal text."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def remove_leftovers(folder: Path, *, older_than_s: float = 3600.0) -> int:
    """Remove temporary files that a killed process left below a folder; return how many."""
    count = 0
    limit = time.time() - older_than_s
    # os.walk passes over folders that another process removes meanwhile
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in names if name.startswith(TMP_PREFIX)):
            with suppress(OSError):
                if path.lstat().st_mtime < limit:
                    path.unlink()
                    count += 1
    return count


def free_mb(path: Path) -> float:
    """Return the free space (MiB) on the volume of a path, of its nearest parent that exists."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free / 2**20


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
