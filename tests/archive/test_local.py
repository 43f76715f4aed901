"""The embedded archive gives what it lists, takes each product once, and lets nobody out of its folder."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from qcbench.archive import LocalArchive, fetch_raw
from qcbench.core.errors import ArchiveError, FileWriteError, QcbenchError
from qcbench.core.files import sha256, write_bytes


@pytest.fixture
def archive(tmp_path: Path) -> LocalArchive:
    (tmp_path / "archive" / "raw").mkdir(parents=True)
    return LocalArchive(tmp_path / "archive")


@pytest.fixture
def product(tmp_path: Path) -> Path:
    return write_bytes(tmp_path / "product.fits", b"a product")


def uris(archive: LocalArchive) -> list[str]:
    return [file.uri for file in archive.list_raw()]


def test_raw_files_are_listed_by_uri(archive: LocalArchive) -> None:
    for name in ("z.fits", "b/x.fits", "a/y.fits", "a-b/x.fits", "a/deep/x.fits"):
        write_bytes(archive.raw / name, b"x" * len(name))
    listed = list(archive.list_raw())
    assert [file.uri for file in listed] == ["a-b/x.fits", "a/deep/x.fits", "a/y.fits", "b/x.fits", "z.fits"]
    assert [file.size for file in listed] == [len(file.uri) for file in listed]


def test_hidden_and_temporary_files_and_folders_are_passed_over(archive: LocalArchive) -> None:
    for name in (".tmp-x.fits", ".hidden", ".folder/x.fits", "seen.fits"):
        write_bytes(archive.raw / name, b"x")
    assert uris(archive) == ["seen.fits"]


def test_what_is_listed_can_be_had_whatever_else_lies_there(archive: LocalArchive, tmp_path: Path) -> None:
    write_bytes(archive.raw / "a.fits", b"x")
    (archive.raw / "broken.fits").symlink_to("nowhere")
    (archive.raw / "loop.fits").symlink_to("loop.fits")
    (archive.raw / "outside.fits").symlink_to(write_bytes(tmp_path / "secret", b"x"))
    (archive.raw / "inside.fits").symlink_to("a.fits")
    os.mkfifo(archive.raw / "pipe.fits")
    assert uris(archive) == ["a.fits", "inside.fits"]
    for uri in uris(archive):
        with archive.header_file(uri) as path:
            assert path.read_bytes() == b"x"


def test_a_stamp_changes_with_the_file(archive: LocalArchive) -> None:
    path = write_bytes(archive.raw / "a.fits", b"x")
    (before,) = archive.list_raw()
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    (after,) = archive.list_raw()
    assert before.stamp != after.stamp


@pytest.mark.parametrize(
    "uri",
    ["../secret", "a/../../secret", "/etc/passwd", "", ".", "gone.fits", "a\x00b", "loop", "x" * 5000],
    ids=lambda uri: repr(uri[:20]),
)
def test_nothing_but_raw_files_can_be_had(archive: LocalArchive, tmp_path: Path, uri: str) -> None:
    write_bytes(archive.root / "secret", b"x")
    (archive.raw / "loop").symlink_to("loop")
    with pytest.raises(ArchiveError):
        fetch_raw(archive, uri, tmp_path / "got")
    with pytest.raises(ArchiveError), archive.header_file(uri):
        pytest.fail("the archive gave a file away")
    assert not (tmp_path / "got").exists()


def test_a_fetched_file_is_linked_where_that_is_possible(archive: LocalArchive, tmp_path: Path) -> None:
    source = write_bytes(archive.raw / "a" / "x.fits", b"x")
    fetch_raw(archive, "a/x.fits", tmp_path / "raw" / "x.fits")
    fetch_raw(archive, "a/x.fits", tmp_path / "raw" / "x.fits")
    assert source.samefile(tmp_path / "raw" / "x.fits")
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["x.fits"]


def test_a_product_is_taken_in_once(archive: LocalArchive, product: Path) -> None:
    assert archive.ingest("HI_MDRK", product, sha256(product)) is True
    assert archive.ingest("HI_MDRK", product, sha256(product)) is False
    assert archive.holding("HI_MDRK") == sha256(product)
    assert not (archive.products / "HI_MDRK.fits").samefile(product)


def test_other_content_under_a_taken_id_is_refused(archive: LocalArchive, product: Path) -> None:
    archive.ingest("HI_MDRK", product, sha256(product))
    first = archive.holding("HI_MDRK")
    write_bytes(product, b"other")
    with pytest.raises(ArchiveError, match="HI_MDRK: it is there with another content"):
        archive.ingest("HI_MDRK", product, sha256(product))
    assert archive.holding("HI_MDRK") == first


def test_a_product_that_is_not_what_was_promised_does_not_stay(archive: LocalArchive, product: Path) -> None:
    with pytest.raises(ArchiveError, match="what arrived differs"):
        archive.ingest("HI_MDRK", product, "0" * 64)
    assert archive.holding("HI_MDRK") is None
    assert list(archive.products.iterdir()) == []
    assert archive.ingest("HI_MDRK", product, sha256(product))


def test_an_ingestion_that_breaks_off_leaves_nothing_and_is_done_again(
    archive: LocalArchive, product: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", half)
        with pytest.raises(FileWriteError, match=r"HI_MDRK\.fits.*free space"):
            archive.ingest("HI_MDRK", product, sha256(product))
    assert list(archive.list_products()) == []
    assert archive.ingest("HI_MDRK", product, sha256(product))


def test_a_product_that_is_gone_is_named(archive: LocalArchive, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"gone\.fits"):
        archive.ingest("HI_MDRK", tmp_path / "gone.fits", "0" * 64)


@pytest.mark.parametrize("dp_id", ["../x", "/etc/x", ".hidden", "a b", "", "a\x00", "x" * 300], ids=repr)
def test_a_hostile_id_names_no_file(archive: LocalArchive, product: Path, dp_id: str) -> None:
    with pytest.raises(QcbenchError):
        archive.ingest(dp_id, product, sha256(product))
    with pytest.raises(QcbenchError):
        archive.holding(dp_id)
    assert not archive.products.exists()


def test_products_are_listed_by_their_ids(archive: LocalArchive, product: Path) -> None:
    assert list(archive.list_products()) == []
    for dp_id in ("b", "a-b", "a", "a.fits"):
        archive.ingest(dp_id, product, sha256(product))
    for name in (".tmp-c.fits-12", ".d.fits", "notes.txt"):
        write_bytes(archive.products / name, b"x")
    assert list(archive.list_products()) == ["a", "a-b", "a.fits", "b"]


def test_an_archive_without_raw_folder_says_so(tmp_path: Path, archive: LocalArchive) -> None:
    absent = LocalArchive(tmp_path / "nowhere")
    assert absent.problem() == f"{tmp_path / 'nowhere' / 'raw'} is not there"
    with pytest.raises(ArchiveError, match=r"Set \[archive\] path"):
        list(absent.list_raw())
    assert archive.problem() is None
