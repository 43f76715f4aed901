"""The package for an archive user."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from sqlalchemy import select, update

from qcbench.association.calselector import read_tree
from qcbench.association.calselector.package import LIST, README, make_package
from qcbench.core.dates import utc_now
from qcbench.core.errors import BusyError, QcbenchError
from qcbench.core.files import sha256
from qcbench.core.locks import exclusive
from qcbench.fits import read_header
from qcbench.store import Frame, Product
from qcbench.workbench import Workbench
from tests.association.calsel_bench import answer, ingest
from tests.association.observatory import arrive, build, certify, create, template

BIAS = template("BIAS", 12, 3)
SCIENCE = template("OBJECT", 5, 3, catg="SCIENCE")
WITH_WRONG_SUM = SCIENCE[1]


def change_pixel(path: Path) -> None:
    """Change a pixel, and neither the header nor the size."""
    with path.open("r+b") as file:
        file.seek(2880)
        file.write(b"xy")


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """A workbench whose frames are files in the archive."""
    bench = build(tmp_path / "bench")
    arrive(bench, [*BIAS, *SCIENCE])
    raw = bench.settings.archive_path / "raw"
    for number, frame in enumerate((*BIAS, *SCIENCE)):
        header = fits.Header({"INSTRUME": "TOY", "NUMBER": number})
        pixels = np.full((4, 4), number, dtype=np.int16)
        fits.PrimaryHDU(pixels, header).writeto(raw / frame.uri, checksum=True)
        if frame is WITH_WRONG_SUM:
            change_pixel(raw / frame.uri)
        values = {
            "size": (raw / frame.uri).stat().st_size,
            "header_sha256": read_header(raw / frame.uri).sha256,
        }
        with bench.store.write() as session:
            session.execute(update(Frame).where(Frame.arcfile == frame.arcfile).values(**values))
    ingest(bench)
    return bench


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_files_tree_list_and_a_text_are_gathered(bench: Workbench, tmp_path: Path) -> None:
    given = answer(bench, SCIENCE[0])
    made = make_package(bench, given, tmp_path / "package")
    names = [item.arcfile for item in (*SCIENCE, *BIAS)]
    assert (len(made.copied), made.kept, made.missing) == (6, (), ())
    assert files_in(made.folder) == {*names, made.tree.name, LIST, README}
    assert made.tree.name == f"{SCIENCE[0].arcfile.removesuffix('.fits').replace(':', '_')}_raw2raw.xml"
    assert read_tree(made.tree) == given.tree
    assert (made.folder / LIST).read_text().split() == [name.removesuffix(".fits") for name in names]
    text = (made.folder / README).read_text()
    assert "The cascade is complete" in text
    assert "rule set 1 of toy, which is in force from 2026-11-01 on" in text
    assert "3 x BIAS: TOY." in text


def test_the_files_are_copies_so_that_the_archive_is_safe(bench: Workbench, tmp_path: Path) -> None:
    make_package(bench, answer(bench, SCIENCE[0]), tmp_path)
    name = BIAS[0].arcfile
    assert not (tmp_path / name).samefile(bench.settings.archive_path / "raw" / BIAS[0].uri)
    assert sha256(tmp_path / name) == sha256(bench.settings.archive_path / "raw" / BIAS[0].uri)


def test_a_second_call_copies_only_what_is_missing_or_differs(bench: Workbench, tmp_path: Path) -> None:
    given = answer(bench, SCIENCE[0])
    make_package(bench, given, tmp_path)
    (tmp_path / BIAS[0].arcfile).unlink()
    (tmp_path / BIAS[1].arcfile).write_bytes(b"cut")
    with fits.open(tmp_path / BIAS[2].arcfile, mode="update") as hdus:
        hdus[0].header["NUMBER"] = 77
    made = make_package(bench, given, tmp_path)
    assert [f"{name}.fits" for name in made.copied] == [item.arcfile for item in BIAS]
    assert make_package(bench, given, tmp_path).copied == ()


def test_pixels_that_were_changed_are_found_by_their_sum(bench: Workbench, tmp_path: Path) -> None:
    given = answer(bench, SCIENCE[0])
    made = make_package(bench, given, tmp_path)
    # the one whose sum is wrong in the archive, too, is not copied again and again
    assert make_package(bench, given, tmp_path).kept == made.copied
    for frame in (BIAS[0], WITH_WRONG_SUM):
        change_pixel(tmp_path / frame.arcfile)
    with (tmp_path / WITH_WRONG_SUM.arcfile).open("r+b") as file:
        file.seek(2884)
        file.write(b"xy")
    again = make_package(bench, given, tmp_path)
    assert [f"{name}.fits" for name in again.copied] == [WITH_WRONG_SUM.arcfile, BIAS[0].arcfile]
    raw = bench.settings.archive_path / "raw"
    assert all(sha256(tmp_path / item.arcfile) == sha256(raw / item.uri) for item in (*SCIENCE, *BIAS))


def test_a_file_that_can_not_be_had_is_named_and_the_rest_goes_on(bench: Workbench, tmp_path: Path) -> None:
    lost = bench.settings.archive_path / "raw" / BIAS[1].uri
    other = bench.settings.archive_path / "raw" / BIAS[2].uri
    content = lost.read_bytes()
    lost.unlink()
    other.write_bytes(content + content)
    given = answer(bench, SCIENCE[0])
    made = make_package(bench, given, tmp_path)
    assert [name for name, _ in made.missing] == [item.arcfile.removesuffix(".fits") for item in BIAS[1:]]
    assert "has not got this raw file" in made.missing[0][1]
    assert "bytes instead of" in made.missing[1][1]
    assert len(made.copied) == 4
    text = (tmp_path / README).read_text()
    assert "What is missing" in text
    assert f": {BIAS[1].arcfile}: the archive has not got this raw file" in text
    assert str(tmp_path) not in text
    assert not (tmp_path / BIAS[2].arcfile).exists()

    lost.write_bytes(content)
    assert [f"{name}.fits" for name in make_package(bench, given, tmp_path).copied] == [BIAS[1].arcfile]


def test_masters_come_from_the_data_tree_and_are_checked(bench: Workbench, tmp_path: Path) -> None:
    create(bench)
    certify(bench, "BIAS")
    path = tmp_path / "TY_MBIA_261110A.fits"
    fits.PrimaryHDU().writeto(path)
    with bench.store.write() as session:
        master = session.scalars(select(Product).where(Product.pro_catg == "MASTER_BIAS")).one()
        master.final_name, master.path, master.sha256 = path.name, str(path), sha256(path)
    given = answer(bench, SCIENCE[0], "raw2master")
    made = make_package(bench, given, tmp_path / "package")
    assert made.copied[-1] == "TY_MBIA_261110A"
    assert sha256(made.folder / path.name) == sha256(path)
    assert make_package(bench, given, made.folder).copied == ()

    path.write_bytes(path.read_bytes() + b" ")
    (made.folder / path.name).unlink()
    assert "SHA-256" in make_package(bench, given, made.folder).missing[0][1]
    path.unlink()
    assert "there is no file of it" in make_package(bench, given, made.folder).missing[0][1]


def test_masters_that_left_the_data_tree_come_from_the_archive(bench: Workbench, tmp_path: Path) -> None:
    create(bench)
    certify(bench, "BIAS")
    path = tmp_path / "TY_MBIA_261110A.fits"
    fits.PrimaryHDU().writeto(path)
    dp_id = "M.TOY.2026-11-11T09:00:00.000"
    bench.archive.ingest(dp_id, path, sha256(path))
    with bench.store.write() as session:
        master = session.scalars(select(Product).where(Product.pro_catg == "MASTER_BIAS")).one()
        master.final_name, master.path, master.sha256 = path.name, str(path), sha256(path)
        master.dp_id, master.location = dp_id, "archive"
    wanted = sha256(path)
    path.unlink()
    given = answer(bench, SCIENCE[0], "raw2master")
    made = make_package(bench, given, tmp_path / "package")
    assert made.copied[-1] == dp_id
    there = made.folder / f"{dp_id}.fits"
    assert sha256(there) == wanted
    assert make_package(bench, given, made.folder).copied == ()
    assert [name for name in files_in(made.folder) if name.startswith(".")] == []

    there.unlink()
    held = bench.settings.archive_path / "products" / f"{dp_id}.fits"
    held.write_bytes(b"rotten")
    assert "not what was ingested" in make_package(bench, given, made.folder).missing[0][1]
    held.unlink()
    assert "has no such product" in make_package(bench, given, made.folder).missing[0][1]
    assert "the archive products has no such product" in (made.folder / README).read_text()
    assert not there.exists()


@pytest.mark.parametrize("place", ["fetched", "copied"])
def test_a_killed_call_leaves_nothing_for_good_and_no_link_to_the_archive(
    bench: Workbench, tmp_path: Path, place: str
) -> None:
    given = answer(bench, SCIENCE[0])
    folder = tmp_path / "package"
    process = os.fork()
    if process == 0:  # pragma: no cover (it is killed)
        _die_when(place)
        make_package(bench, given, folder)
        os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(process, 0)[1])
    own = {(bench.settings.archive_path / "raw" / item.uri).stat().st_ino for item in (*SCIENCE, *BIAS)}
    assert not own & {path.stat().st_ino for path in folder.rglob("*")}
    (folder / ".tmp-notes.txt").write_text("of the user")

    # a call for another folder removes what lies in the workbench
    make_package(bench, given, tmp_path / "other")
    assert list((bench.tree.root / "packages").iterdir()) == []
    made = make_package(bench, given, folder)
    assert files_in(folder) == files_in(tmp_path / "other") | {".tmp-notes.txt"}
    assert made.missing == ()
    assert list((bench.tree.root / "packages").iterdir()) == []


def _die_when(place: str) -> None:
    """Kill this process when the second file was fetched, or as it is being copied."""
    count = iter(range(10))

    def copyfile(source: Path, target: Path) -> None:
        if next(count) == 1:
            if place == "copied":
                Path(target).write_bytes(b"part")
            os.kill(os.getpid(), signal.SIGKILL)
        Path(target).write_bytes(Path(source).read_bytes())

    shutil.copyfile = copyfile  # type: ignore[assignment]


def test_two_calls_do_not_fill_one_folder_at_once(bench: Workbench, tmp_path: Path) -> None:
    given = answer(bench, SCIENCE[0])
    made = make_package(bench, given, tmp_path)
    (lock,) = bench.tree.locks.glob("package-*.lock")
    with (
        exclusive(bench.tree.locks, lock.stem),
        pytest.raises(BusyError, match="It fills the same folder"),
    ):
        make_package(bench, given, tmp_path)
    assert make_package(bench, given, tmp_path).kept == made.copied


def test_a_name_is_never_a_path(bench: Workbench, tmp_path: Path) -> None:
    with bench.store.write() as session:
        session.execute(
            update(Frame)
            .where(Frame.arcfile == BIAS[0].arcfile)
            # loaded now, so that the data sets are made anew
            .values(arcfile="../../TOY.2026-11-11T09:00:01.fits", loaded_at=utc_now())
        )
    with pytest.raises(QcbenchError, match="can't be the name of a file"):
        make_package(bench, answer(bench, SCIENCE[0]), tmp_path / "in" / "package")
    assert list(tmp_path.glob("TOY*")) == []
