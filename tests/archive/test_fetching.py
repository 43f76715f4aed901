"""A fetch that was killed or cut off goes on where it was; what arrives is what the archive has, or nothing."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from astropy.io import fits

from qcbench.archive import LocalArchive, RemoteFile, fetch_missing, fetch_product, fetch_raw, remove_parts
from qcbench.archive.fetching import CHUNK
from qcbench.core.errors import ArchiveError, FileWriteError, WaitingError
from qcbench.core.files import sha256, write_bytes
from qcbench.core.locks import waiting

URI = "night/a.fits"
N_CHUNKS = 5


class Watched(LocalArchive):
    """A local archive on another volume, that counts the bytes it gives and does as a test wants before each read."""

    def __init__(self, root: Path, before_read: Callable[[int], bytes | None] = lambda n: None):
        super().__init__(root)
        self.n_bytes = 0
        self.before_read = before_read

    def link_raw(self, uri: str, target: Path) -> bool:
        return False

    @contextmanager
    def open_raw(self, file: RemoteFile, start: int = 0) -> Iterator[BinaryIO]:
        with super().open_raw(file, start) as stream:
            yield Counting(self, stream)

    @contextmanager
    def open_product(self, file: RemoteFile, start: int = 0) -> Iterator[BinaryIO]:
        with super().open_product(file, start) as stream:
            yield Counting(self, stream)


class Counting:
    def __init__(self, archive: Watched, stream: BinaryIO):
        self.archive, self.stream, self.n_reads = archive, stream, 0

    def read(self, size: int) -> bytes:
        instead = self.archive.before_read(self.n_reads)
        self.n_reads += 1
        content = self.stream.read(size) if instead is None else instead
        self.archive.n_bytes += len(content)
        return content


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A raw frame of a few chunks, with sums."""
    path = tmp_path / "archive" / "raw" / URI
    path.parent.mkdir(parents=True)
    pixels = np.random.default_rng(1).integers(0, 60000, (1024, 512 * N_CHUNKS), np.uint16)
    hdu = fits.PrimaryHDU(pixels)
    hdu.header["ARCFILE"], hdu.header["MJD-OBS"] = "a.fits", 61000.5
    hdu.add_checksum()
    hdu.writeto(path)
    assert path.stat().st_size > N_CHUNKS * CHUNK
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "archive")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "a.fits"


KILLED = """
import os, signal, sys
from pathlib import Path
from qcbench.archive import fetch_raw
from tests.archive.test_fetching import URI, Watched

def die(n_reads):
    if n_reads == 2:
        os.kill(os.getpid(), signal.SIGKILL)

fetch_raw(Watched(Path(sys.argv[1]), die), URI, Path(sys.argv[2]))
"""


def kill_a_fetch(archive: Watched, target: Path) -> Path:
    """Kill a process in the middle of a fetch; return what it left."""
    ended = subprocess.run([sys.executable, "-c", KILLED, str(archive.root), str(target)], check=False)
    assert ended.returncode == -signal.SIGKILL
    (part,) = target.parent.iterdir()
    assert part.stat().st_size >= CHUNK
    return part


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_killed_fetch_is_continued_where_it_was(archive, source, target):
    there = kill_a_fetch(archive, target).stat().st_size
    fetch_raw(archive, URI, target)
    assert archive.n_bytes == source.stat().st_size - there
    assert target.read_bytes() == source.read_bytes()
    assert names(target.parent) == ["a.fits"]


def test_a_file_that_was_damaged_on_its_way_is_fetched_anew(archive, source, target):
    part = kill_a_fetch(archive, target)
    with part.open("r+b") as stream:
        stream.seek(CHUNK // 2)
        stream.write(b"rotten")
    there = part.stat().st_size
    fetch_raw(archive, URI, target)
    assert archive.n_bytes == 2 * source.stat().st_size - there
    assert target.read_bytes() == source.read_bytes()


class Spoiling(Watched):
    """An archive behind a line that spoils what it gives for the first time."""

    @contextmanager
    def open_raw(self, file: RemoteFile, start: int = 0) -> Iterator[BinaryIO]:
        content = (self.raw / URI).read_bytes()
        spoilt = content[:CHUNK] + b"spoilt" + content[CHUNK + 6 :]
        stream = io.BytesIO(content if self.n_bytes else spoilt)
        stream.seek(start)
        yield Counting(self, stream)


def test_a_file_that_came_in_one_piece_but_wrong_is_fetched_anew(source, target, tmp_path):
    archive = Spoiling(tmp_path / "archive")
    fetch_raw(archive, URI, target)
    assert archive.n_bytes == 2 * source.stat().st_size
    assert target.read_bytes() == source.read_bytes()


def test_what_came_of_an_earlier_version_of_a_file_is_not_continued(archive, source, target):
    kill_a_fetch(archive, target)
    content = source.read_bytes()
    source.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    fetch_raw(archive, URI, target)
    assert archive.n_bytes == 2 * len(content), "its sums are wrong now, in the archive too"
    assert target.read_bytes() == source.read_bytes() != content
    assert names(target.parent) == ["a.fits"]


def test_a_file_that_changes_while_it_is_fetched_is_fetched_again(source, target, tmp_path):
    content = source.read_bytes()
    new = content[:-2880] + b"\1" * 2880

    def change(n_reads: int) -> None:
        if n_reads == 3 and source.read_bytes() == content:
            source.write_bytes(new)

    fetch_raw(Watched(tmp_path / "archive", change), URI, target)
    assert target.read_bytes() == new


def test_a_file_that_never_stops_changing_is_given_up(source, target, tmp_path):
    def change(n_reads: int) -> None:
        os.utime(source, ns=(0, source.stat().st_mtime_ns + 1))

    with pytest.raises(ArchiveError, match=r"night/a\.fits: it changes while it is fetched.*call again"):
        fetch_raw(Watched(tmp_path / "archive", change), URI, target)
    assert names(target.parent) == []


def test_a_line_that_breaks_is_taken_up_again(source, target, tmp_path):
    breaks = iter([2, 1])
    at = [next(breaks)]

    def cut(n_reads: int) -> bytes | None:
        if at and n_reads == at[0]:
            at[:] = [item for item in [next(breaks, None)] if item is not None]
            return b""
        return None

    archive = Watched(tmp_path / "archive", cut)
    fetch_raw(archive, URI, target)
    assert archive.n_bytes == source.stat().st_size
    assert target.read_bytes() == source.read_bytes()


def test_a_line_that_gives_nothing_is_told_and_what_came_is_kept(source, target, tmp_path):
    archive = Watched(tmp_path / "archive", lambda n_reads: b"" if n_reads else None)
    with pytest.raises(ArchiveError, match=rf"night/a\.fits: {3 * CHUNK} bytes of \d+ came"):
        fetch_raw(archive, URI, target)
    archive.before_read = lambda n_reads: None
    fetch_raw(archive, URI, target)
    assert archive.n_bytes == source.stat().st_size


def test_a_file_that_shrank_to_less_than_has_come_is_fetched_anew(archive, source, target):
    part = kill_a_fetch(archive, target)
    part.write_bytes(b"x" * (source.stat().st_size + 1))
    fetch_raw(archive, URI, target)
    assert target.read_bytes() == source.read_bytes()


def test_a_frame_that_is_rotten_in_the_archive_comes_as_it_is(archive, source, target):
    content = source.read_bytes()
    source.write_bytes(content[: 2 * CHUNK] + b"rotten" + content[2 * CHUNK + 6 :])
    kill_a_fetch(archive, target)
    fetch_raw(archive, URI, target)
    assert target.read_bytes() == source.read_bytes()


def test_a_file_of_another_size_than_was_loaded_is_waited_for(archive, source, target, tmp_path):
    with pytest.raises(
        WaitingError, match=r"night/a\.fits: it has \d+ bytes in the archive, and had 17 when"
    ):
        fetch_missing(archive, URI, 17, target, tmp_path / "locks")
    assert not target.exists()


def test_a_place_where_nothing_can_be_written_is_named_with_its_remedy(archive, source, target):
    target.parent.write_text("a file where a folder is needed")
    with pytest.raises(FileWriteError, match="and call again"):
        fetch_raw(archive, URI, target)


WANTED = """
import sys
from pathlib import Path
from qcbench.archive import fetch_missing
from tests.archive.test_fetching import URI, Watched

archive = Watched(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
size = (archive.raw / URI).stat().st_size
fetched = fetch_missing(archive, URI, size, Path(sys.argv[2]), Path(sys.argv[3]))
print(archive.n_bytes, fetched)
"""


def test_of_two_processes_that_want_a_file_one_fetches_it(archive, source, target, tmp_path):
    command = [sys.executable, "-c", WANTED, str(archive.root), str(target), str(tmp_path / "locks")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    wanting = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for process in wanting:
        assert process.stdout.readline() == "ready\n"
    for process in wanting:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = sorted(process.communicate()[0] for process in wanting)
    assert said == ["0 False\n", f"{source.stat().st_size} True\n"]
    assert target.read_bytes() == source.read_bytes()


def test_who_wants_a_file_that_is_on_its_way_waits_for_it(source, target, tmp_path):
    size, is_coming, may_come = source.stat().st_size, threading.Event(), threading.Event()

    def hold(n_reads: int) -> None:
        is_coming.set()
        may_come.wait(60)

    slow, other = Watched(tmp_path / "archive", hold), Watched(tmp_path / "archive")
    first = threading.Thread(target=fetch_missing, args=(slow, URI, size, target, tmp_path / "locks"))
    first.start()
    is_coming.wait(60)
    assert remove_parts(target.parent, tmp_path / "locks") == [], "it is being fetched"
    second = threading.Thread(target=fetch_missing, args=(other, URI, size, target, tmp_path / "locks"))
    second.start()
    may_come.set()
    first.join()
    second.join()
    assert (slow.n_bytes, other.n_bytes) == (size, 0)


def test_what_killed_fetches_left_is_removed_unless_it_is_wanted(archive, source, target, tmp_path):
    part = kill_a_fetch(archive, target)
    locks = tmp_path / "locks"
    assert remove_parts(target.parent, locks, keep={"a.fits"}) == []
    assert part.exists()
    assert remove_parts(target.parent, locks, keep={"b.fits"}) == ["a.fits"]
    assert names(target.parent) == []
    kill_a_fetch(archive, target)
    write_bytes(target, b"it came from elsewhere")
    assert remove_parts(target.parent, locks, keep={"a.fits"}) == ["a.fits"]
    assert names(target.parent) == ["a.fits"]
    assert remove_parts(tmp_path / "nowhere", locks) == []


def test_a_product_comes_with_the_content_that_was_ingested(archive, target, tmp_path):
    product = write_bytes(tmp_path / "product.fits", b"a product")
    archive.ingest("HI_MDRK", product, sha256(product))
    fetch_product(archive, "HI_MDRK", target, sha256(product))
    assert target.read_bytes() == b"a product"
    with pytest.raises(ArchiveError, match="HI_MDRK: what the archive gives is not what was ingested"):
        fetch_product(archive, "HI_MDRK", tmp_path / "other.fits", "0" * 64)
    assert not list(tmp_path.glob("*other.fits*"))
    with pytest.raises(ArchiveError, match=r"HI_NONE: .*has no such product"):
        fetch_product(archive, "HI_NONE", tmp_path / "other.fits", "0" * 64)


def test_a_lock_is_waited_for(tmp_path):
    seen: list[str] = []

    def second() -> None:
        with waiting(tmp_path, "x"):
            seen.append("second")

    with waiting(tmp_path, "x"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        seen.append("first")
    thread.join()
    assert seen == ["first", "second"]
