"""Headers come from the archive; what can't be used is listed with the reason, and nothing is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import select

from qcbench.association import load_headers, scan_archive
from qcbench.core.errors import ArchiveError, FileWriteError
from qcbench.store import ArchiveFile, Event, Frame
from qcbench.workbench import Workbench, open_workbench
from tests.nights import NIGHT, simulated_workbench


def frames(bench: Workbench) -> list[Frame]:
    with bench.store.read() as session:
        return list(session.scalars(select(Frame).order_by(Frame.arcfile)))


def problems(bench: Workbench) -> dict[str, str]:
    with bench.store.read() as session:
        rows = session.execute(
            select(ArchiveFile.uri, ArchiveFile.problem).where(ArchiveFile.problem.is_not(None))
        )
        return {Path(uri).name: problem for uri, problem in rows}


def events(bench: Workbench, flag: str) -> list[Event]:
    with bench.store.read() as session:
        return list(session.scalars(select(Event).where(Event.flag == flag)))


def load(bench: Workbench) -> None:
    scan_archive(bench)
    load_headers(bench, "hawki", NIGHT)


def test_every_frame_of_a_night_is_loaded_with_its_header_file(tmp_path):
    bench = simulated_workbench(tmp_path)
    load(bench)
    loaded = frames(bench)
    assert len(loaded) == 39
    headers = bench.data("hawki").headers(NIGHT)
    assert {path.name for path in headers.iterdir()} == {
        frame.arcfile.replace(".fits", ".hdr") for frame in loaded
    }
    text = (headers / loaded[0].arcfile.replace(".fits", ".hdr")).read_text()
    assert loaded[0].arcfile in text
    assert "CHIP4.INT1" in text


def test_frames_that_were_refused_for_their_instrument_come_in_when_the_workbench_has_it(tmp_path):
    bench = simulated_workbench(tmp_path)
    settings = bench.settings.root / "qcbench.toml"
    text = settings.read_text()
    settings.write_text(text.replace('instruments = ["hawki"]', 'instruments = ["efosc2"]'))
    other = open_workbench(bench.settings.root, {})
    refused = scan_archive(other)
    assert len(refused.problems) == 39
    assert scan_archive(other).n_new == 0, "as long as nothing changes they are not read again"
    settings.write_text(text)
    again = open_workbench(bench.settings.root, {})
    load(again)
    assert len(frames(again)) == 39
    assert problems(again) == {}


def test_loading_again_loads_nothing(tmp_path):
    bench = simulated_workbench(tmp_path)
    load(bench)
    before = [frame.loaded_at for frame in frames(bench)]
    assert scan_archive(bench).n_new == 0
    result = load_headers(bench, "hawki", NIGHT)
    assert (result.n_new, result.n_known) == (0, 39)
    assert [frame.loaded_at for frame in frames(bench)] == before


def test_only_the_frames_of_the_date_are_loaded(tmp_path):
    bench = simulated_workbench(tmp_path, nights=2)
    load(bench)
    assert {frame.dfo_date for frame in frames(bench)} == {NIGHT}


def test_the_archive_must_be_there(tmp_path):
    bench = simulated_workbench(tmp_path)
    shutil.rmtree(bench.settings.archive_path)
    with pytest.raises(ArchiveError, match=r"there is no such folder.*\[archive\] path"):
        scan_archive(bench)


@pytest.mark.parametrize(
    ("anomaly", "reason"),
    [
        ("not-fits", "not a readable FITS file"),
        ("no-arcfile", "key ARCFILE is missing"),
        ("missing-keyword", "key MJD-OBS is missing"),
        ("unknown-instrument", "is of no instrument of this workbench"),
        ("duplicate-arcfile", "which has other content and is used"),
    ],
)
def test_a_file_that_is_no_frame_is_listed_and_the_rest_of_the_night_goes_on(tmp_path, anomaly, reason):
    bench = simulated_workbench(tmp_path, anomalies=[anomaly])
    load(bench)
    listed = problems(bench)
    assert len(listed) == 1
    assert reason in next(iter(listed.values()))
    assert len(frames(bench)) >= 38
    assert len(events(bench, "file_problem")) == 1
    load(bench)
    assert len(events(bench, "file_problem")) == 1, "a problem is an event once, not every hour"


def test_an_unusable_file_is_listed_at_the_date_that_its_header_still_tells(tmp_path):
    bench = simulated_workbench(tmp_path, anomalies=["missing-keyword"])
    load(bench)
    with bench.store.read() as session:
        row = session.scalars(select(ArchiveFile).where(ArchiveFile.problem.is_not(None))).one()
    assert (row.instrument, row.dfo_date) == ("hawki", NIGHT)


def test_a_truncated_frame_is_kept_with_its_problem(tmp_path):
    bench = simulated_workbench(tmp_path, anomalies=["truncated-file"])
    load(bench)
    marked = [frame for frame in frames(bench) if frame.problem]
    assert len(marked) == 1
    assert "truncated" in marked[0].problem


def test_a_file_that_was_mended_is_read_again(tmp_path):
    good = simulated_workbench(tmp_path / "good").settings.archive_path / "raw"
    bench = simulated_workbench(tmp_path / "bad", anomalies=["truncated-file"])
    load(bench)
    name = next(frame.uri for frame in frames(bench) if frame.problem)
    shutil.copy(good / name, bench.settings.archive_path / "raw" / name)
    load(bench)
    assert [frame.problem for frame in frames(bench) if frame.uri == name] == [None]


def test_the_same_file_under_two_names_is_taken_once_without_alarm(tmp_path):
    bench = simulated_workbench(tmp_path)
    folder = bench.settings.archive_path / "raw" / NIGHT.isoformat()
    first = sorted(folder.iterdir())[0]
    shutil.copy(first, folder / "zz_copy.fits")
    load(bench)
    assert "the same file as" in problems(bench)["zz_copy.fits"]
    assert [event.level for event in events(bench, "file_problem")] == ["info"]


def test_a_hostile_arcfile_never_becomes_a_path(tmp_path):
    from astropy.io import fits

    bench = simulated_workbench(tmp_path)
    folder = bench.settings.archive_path / "raw" / NIGHT.isoformat()
    first = sorted(folder.iterdir())[0]
    with fits.open(first) as hdus:
        hdus[0].header["ARCFILE"] = "../../../evil.fits"
        hdus.writeto(folder / "evil.fits")
    load(bench)
    assert "can't be the name of a file" in problems(bench)["evil.fits"]
    assert not list(tmp_path.rglob("evil.hdr"))


def test_an_absurd_time_makes_a_file_unusable_and_nothing_else(tmp_path):
    from astropy.io import fits

    bench = simulated_workbench(tmp_path)
    folder = bench.settings.archive_path / "raw" / NIGHT.isoformat()
    first = sorted(folder.iterdir())[0]
    with fits.open(first) as hdus:
        hdus[0].header["ARCFILE"] = "HAWKI.2026-11-16T23:59:59.999.fits"
        hdus[0].header["MJD-OBS"] = 1e300
        hdus.writeto(folder / "absurd.fits")
    load(bench)
    assert "MJD-OBS" in problems(bench)["absurd.fits"]
    assert len(frames(bench)) == 39


def test_a_temporary_file_of_a_running_transfer_is_passed_over(tmp_path):
    bench = simulated_workbench(tmp_path)
    folder = bench.settings.archive_path / "raw" / NIGHT.isoformat()
    (folder / ".tmp-arriving.fits").write_bytes(b"half")
    assert scan_archive(bench).problems == ()


def test_no_file_stays_open(tmp_path):
    bench = simulated_workbench(tmp_path, anomalies=["not-fits", "truncated-file"])
    load(bench)
    held = {str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.exists()}
    assert not [path for path in held if path.endswith(".fits")]


def test_a_file_that_goes_between_two_looks_holds_nothing_else_up(tmp_path):
    bench = simulated_workbench(tmp_path)
    scan_archive(bench)
    gone = sorted((bench.settings.archive_path / "raw" / NIGHT.isoformat()).iterdir())[0]
    gone.unlink()
    result = load_headers(bench, "hawki", NIGHT)
    assert (result.n_new, len(result.problems)) == (38, 1)
    assert gone.name in result.problems[0]


def test_a_file_that_was_renamed_in_the_archive_is_still_the_same_frame(tmp_path):
    bench = simulated_workbench(tmp_path)
    load(bench)
    path = sorted((bench.settings.archive_path / "raw" / NIGHT.isoformat()).iterdir())[0]
    path.rename(path.with_name("renamed.fits"))
    load(bench)
    assert len(frames(bench)) == 39
    assert [frame.uri for frame in frames(bench) if "renamed" in frame.uri] == [f"{NIGHT}/renamed.fits"]
    load(bench)


def test_pixels_of_a_file_that_was_replaced_are_fetched_anew(tmp_path):
    bench = simulated_workbench(tmp_path)
    load(bench)
    first = frames(bench)[0]
    local = bench.data("hawki").raw(NIGHT) / first.arcfile
    local.parent.mkdir(parents=True, exist_ok=True)
    local.write_bytes(b"pixels of the old version")
    source = bench.settings.archive_path / "raw" / first.uri
    content = source.read_bytes()
    source.unlink()
    source.write_bytes(content)
    load(bench)
    assert not local.exists()


def test_an_arcfile_that_is_no_fits_name_is_refused(tmp_path):
    from astropy.io import fits

    bench = simulated_workbench(tmp_path)
    folder = bench.settings.archive_path / "raw" / NIGHT.isoformat()
    with fits.open(sorted(folder.iterdir())[0]) as hdus:
        hdus[0].header["ARCFILE"] = "evil.html"
        hdus.writeto(folder / "evil.fits")
    load(bench)
    assert "does not end with .fits" in problems(bench)["evil.fits"]


def test_scanning_for_a_date_loads_it_from_the_same_look(tmp_path, monkeypatch):
    from qcbench.fits import HeaderReader

    looks: list[Path] = []
    read = HeaderReader.read
    monkeypatch.setattr(HeaderReader, "read", lambda self, path: looks.append(path) or read(self, path))
    bench = simulated_workbench(tmp_path, nights=2)
    scan = scan_archive(bench, wanted=lambda date: date == NIGHT)
    assert {frame.dfo_date for frame in frames(bench)} == {NIGHT}
    assert len(looks) == len(set(looks)) == scan.n_files
    result = load_headers(bench, "hawki", NIGHT, scan=scan)
    assert (result.n_new, result.n_known, result.problems) == (39, 0, ())


def test_one_pass_and_two_steps_end_alike(tmp_path):
    anomalies = ["not-fits", "duplicate-arcfile", "truncated-file", "missing-keyword"]
    states = []
    for name in ("one", "two"):
        bench = simulated_workbench(tmp_path / name, anomalies=anomalies)
        if name == "one":
            scan_archive(bench, wanted=lambda _: True)
            load_headers(bench, "hawki", NIGHT)
        else:
            load(bench)
        rows = [(row.arcfile, row.uri, row.header_sha256, row.problem, row.keys) for row in frames(bench)]
        headers = {path.name: path.read_text() for path in bench.data("hawki").headers(NIGHT).iterdir()}
        states.append((rows, problems(bench), headers, len(events(bench, "file_problem"))))
    assert states[0] == states[1]


@pytest.mark.parametrize("damage", ["gone", "empty", "cut"])
def test_a_header_file_that_a_kill_or_a_power_failure_took_is_made_again(tmp_path, damage):
    bench = simulated_workbench(tmp_path)
    load(bench)
    path = sorted(bench.data("hawki").headers(NIGHT).iterdir())[0]
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else whole[:4096])
    scan_archive(bench)
    assert load_headers(bench, "hawki", NIGHT).n_new == 0
    assert path.read_bytes() == whole
    assert len(frames(bench)) == 39


def test_a_header_file_that_ends_with_a_line_and_with_a_sector_counts_as_cut(tmp_path):
    bench = simulated_workbench(tmp_path)
    load(bench)
    path = sorted(bench.data("hawki").headers(NIGHT).iterdir())[0]
    whole = path.read_bytes()
    path.write_bytes((whole * 20)[: 81 * 512])
    load(bench)
    assert path.read_bytes() == whole


def test_header_files_that_are_whole_are_left_alone(tmp_path):
    bench = simulated_workbench(tmp_path)
    load(bench)
    folder = bench.data("hawki").headers(NIGHT)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    load(bench)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_the_header_file_of_a_file_that_was_replaced_is_that_of_the_new_one(tmp_path):
    bench = simulated_workbench(tmp_path)
    load(bench)
    first = frames(bench)[0]
    source = bench.settings.archive_path / "raw" / first.uri
    content = source.read_bytes()
    source.unlink()
    source.write_bytes(content.replace(b"'CALIB   '", b"'SCIENCE '", 1))
    result = load_headers(bench, "hawki", NIGHT)
    assert (result.n_new, result.problems) == (0, ()), "until it is seen, the old header file stays"
    load(bench)
    changed = frames(bench)[0]
    path = bench.data("hawki").headers(NIGHT) / first.arcfile.replace(".fits", ".hdr")
    assert (changed.arcfile, changed.dpr_catg) == (first.arcfile, "SCIENCE")
    assert "'SCIENCE '" in path.read_text()


def test_no_header_file_is_made_from_a_file_that_is_not_the_one_of_the_frame(tmp_path):
    bench = simulated_workbench(tmp_path)
    scan_archive(bench, wanted=lambda _: True)
    first = frames(bench)[0]
    source = bench.settings.archive_path / "raw" / first.uri
    content = source.read_bytes()
    source.unlink()
    source.write_bytes(content.replace(b"'CALIB   '", b"'SCIENCE '", 1))
    (problem,) = load_headers(bench, "hawki", NIGHT).problems
    assert problem.startswith(f"{first.uri}: it changed since it was indexed")
    assert len(list(bench.data("hawki").headers(NIGHT).iterdir())) == 38


def test_a_kill_before_the_rows_are_kept_leaves_nothing_that_is_not_done_again(tmp_path, monkeypatch):
    from qcbench.association.intake import Intake

    bench = simulated_workbench(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Intake, "store", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            scan_archive(bench, wanted=lambda _: True)
    assert frames(bench) == []
    assert scan_archive(bench, wanted=lambda _: True).loaded == {("hawki", NIGHT): 39}


def test_a_kill_while_a_header_file_is_written_leaves_nothing_that_is_not_done_again(tmp_path, monkeypatch):
    bench = simulated_workbench(tmp_path)
    write = Path.write_bytes

    def cut(path: Path, content: bytes) -> int:
        write(path, content[:4096])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", cut)
        with pytest.raises(KeyboardInterrupt):
            load(bench)
    assert len(frames(bench)) == 39
    load(bench)
    texts = [path.read_text() for path in bench.data("hawki").headers(NIGHT).iterdir()]
    assert len(texts) == 39
    assert all(text.count(f"{'END':<80}\n") == 5 for text in texts)


def test_a_header_file_that_cannot_be_written_is_said_and_the_frames_are_kept(tmp_path):
    bench = simulated_workbench(tmp_path)
    scan_archive(bench)
    name = sorted((bench.settings.archive_path / "raw" / NIGHT.isoformat()).iterdir())[0].stem
    obstacle = bench.data("hawki").headers(NIGHT) / f"{name}.hdr"
    obstacle.mkdir(parents=True)
    with pytest.raises(FileWriteError, match=rf"{name}.hdr: can't be written"):
        load_headers(bench, "hawki", NIGHT)
    assert len(frames(bench)) == 39
    obstacle.rmdir()
    assert load_headers(bench, "hawki", NIGHT).problems == ()
    assert len(list(obstacle.parent.iterdir())) == 39


def test_what_the_rules_found_stays_when_a_changed_file_is_read_again(tmp_path):
    bench = simulated_workbench(tmp_path)
    load(bench)
    with bench.store.write() as session:
        frame = session.scalars(select(Frame).order_by(Frame.arcfile).limit(1)).one()
        frame.raw_type, uri = "DARK", frame.uri
    path = bench.settings.archive_path / "raw" / uri
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    load(bench)
    assert frames(bench)[0].raw_type == "DARK"
