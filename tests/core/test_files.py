"""A file is there whole or not at all, whatever happens while it is written."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qcbench.core.errors import FileWriteError
from qcbench.core.files import (
    TMP_PREFIX,
    atomic,
    copy_file,
    free_mb,
    link_file,
    make_folder,
    move_file,
    remove_leftovers,
    sha256,
    write_bytes,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail_with(monkeypatch: pytest.MonkeyPatch, function: str, code: int) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, function, fail)


def write_part_of(path: Path, content: bytes) -> None:
    with atomic(path) as tmp:
        tmp.write_bytes(content)
        raise InterruptedError(errno.EINTR, "interrupted")


def test_a_text_is_written_with_its_folders(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a" / "b" / "c.txt", "5 µm\n")
    assert path.read_bytes() == "5 µm\n".encode()
    assert names(path.parent) == ["c.txt"]


def test_a_file_with_the_same_content_is_left_alone(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "a", b"same")
    before = path.stat()
    write_bytes(path, b"same")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    write_bytes(path, b"SAME")
    assert path.read_bytes() == b"SAME"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_full_or_locked_disk_leaves_the_old_file_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    path = write_text(tmp_path / "a.txt", "old")
    fail_with(monkeypatch, "fsync", code)
    with pytest.raises(FileWriteError, match=rf"{re.escape(str(path))}: can't be written: .*\. .*call again"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_block_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.txt", "old")
    with pytest.raises(FileWriteError, match="interrupted"):
        write_part_of(path, b"ne")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_folder_inside_a_file_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    blocker = write_text(tmp_path / "file", "x")
    with pytest.raises(FileWriteError, match="a file where a folder is needed"):
        write_text(blocker / "sub" / "a.txt", "x")
    with pytest.raises(FileWriteError, match=rf"{re.escape(str(blocker))}.*move it away and call again"):
        make_folder(blocker)


def test_a_folder_in_the_place_of_a_file_is_not_replaced(tmp_path: Path) -> None:
    make_folder(tmp_path / "a")
    with pytest.raises(FileWriteError, match="a: can't be written"):
        write_text(tmp_path / "a", "x")
    assert names(tmp_path) == ["a"]


def test_a_killed_writer_leaves_the_old_file_and_one_leftover(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.txt", "old")
    script = (
        "import os, pathlib, signal, sys\n"
        "from qcbench.core.files import atomic\n"
        "with atomic(pathlib.Path(sys.argv[1])) as tmp:\n"
        "    tmp.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert run.returncode == -9
    assert path.read_text() == "old"
    assert len(names(tmp_path)) == 2
    assert remove_leftovers(tmp_path) == 0, "a young one may belong to a process that still writes"
    assert remove_leftovers(tmp_path, older_than_s=-60) == 1
    assert names(tmp_path) == ["a.txt"]


def test_leftovers_are_found_in_all_folders_and_nothing_else_is_touched(tmp_path: Path) -> None:
    old = time.time() - 7200
    for name in (f"a/b/{TMP_PREFIX}x-1", f"a/{TMP_PREFIX}y-2", "a/keep.fits", "a/.hidden"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        os.utime(path, (old, old))
    assert remove_leftovers(tmp_path) == 2
    assert names(tmp_path / "a") == [".hidden", "b", "keep.fits"]
    assert remove_leftovers(tmp_path / "nothing") == 0


def test_a_copy_is_a_file_of_its_own_and_a_link_is_not(tmp_path: Path) -> None:
    source = write_text(tmp_path / "a", "x")
    assert not copy_file(source, tmp_path / "copy").samefile(source)
    for _ in range(2):
        assert link_file(source, tmp_path / "link")
        assert (tmp_path / "link").samefile(source)
    assert names(tmp_path) == ["a", "copy", "link"]


def test_a_link_through_a_symbolic_link_leads_to_the_file(tmp_path: Path) -> None:
    source = write_text(tmp_path / "archive" / "a", "x")
    (tmp_path / "archive" / "b").symlink_to("a")
    linked = tmp_path / "elsewhere" / "b"
    assert link_file(tmp_path / "archive" / "b", linked)
    assert not linked.is_symlink()
    assert linked.samefile(source)


def test_there_is_no_link_to_another_volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_text(tmp_path / "a", "x")
    fail_with(monkeypatch, "link", errno.EXDEV)
    assert not link_file(source, tmp_path / "b")
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("act", [copy_file, link_file, move_file])
def test_a_source_that_is_gone_is_named(tmp_path: Path, act: object) -> None:
    assert callable(act)
    with pytest.raises(FileWriteError, match=f"there is no file {tmp_path / 'gone'}"):
        act(tmp_path / "gone", tmp_path / "target")
    assert names(tmp_path) == []


def test_a_file_is_moved_over_the_old_one(tmp_path: Path) -> None:
    source, target = write_text(tmp_path / "a", "new"), write_text(tmp_path / "b" / "a", "old")
    assert move_file(source, target) == target
    assert target.read_text() == "new"
    assert not source.exists()


def test_a_move_that_was_done_already_is_not_done_again(tmp_path: Path) -> None:
    source, target = write_text(tmp_path / "a", "x"), tmp_path / "b" / "a"
    move_file(source, target)
    assert move_file(source, target).read_text() == "x"


def test_a_move_between_two_names_of_one_file_leaves_one_name(tmp_path: Path) -> None:
    source = write_text(tmp_path / "a", "x")
    target = tmp_path / "b"
    assert link_file(source, target)
    move_file(source, target)
    assert names(tmp_path) == ["b"]
    assert move_file(target, target).read_text() == "x"


def test_a_move_across_volumes_ends_with_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = write_text(tmp_path / "a", "x"), tmp_path / "b" / "a"
    real = Path.replace

    def replace(self: Path, other: Path) -> Path:
        if self == source:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return real(self, other)

    monkeypatch.setattr(Path, "replace", replace)
    assert move_file(source, target).read_text() == "x"
    assert not source.exists()
    write_text(source, "x")  # as if killed before the source went
    assert move_file(source, target).read_text() == "x"
    assert not source.exists()


def test_a_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "a", b"abc")
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_free_space_is_told_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert free_mb(tmp_path / "not" / "yet") == pytest.approx(free_mb(tmp_path), rel=0.05)
