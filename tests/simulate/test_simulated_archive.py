"""The archive that a simulated observatory fills: names, dates, headers, and that it stays what it is."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest
from astropy.io import fits

from qcbench.core.dates import dfo_date
from qcbench.core.errors import ArchiveError, SettingsError
from qcbench.simulate import SimulationResult, simulate
from tests.simulate.archives import START, Run, frames, truth


def digests(result: SimulationResult) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in frames(result)}


@pytest.fixture(params=["infrared_night", "optical_night"])
def night(request: pytest.FixtureRequest) -> SimulationResult:
    return request.getfixturevalue(request.param)


def test_each_frame_lies_under_its_dfo_date_and_its_arcfile(night: SimulationResult) -> None:
    for path in frames(night):
        header = fits.getheader(path)
        assert path.name == header["ARCFILE"]
        assert path.parent.name == dfo_date(header["MJD-OBS"]).isoformat() == START.isoformat()


def test_the_arcfile_is_the_start_of_the_frame_to_the_millisecond(night: SimulationResult) -> None:
    for path in frames(night):
        header = fits.getheader(path)
        prefix, time, millisecond, _ = header["ARCFILE"].split(".")
        assert header["DATE-OBS"].startswith(f"{time}.{millisecond}")
        assert len(millisecond) == 3
        assert header["ORIGFILE"].startswith(f"{prefix}_")
        assert re.fullmatch(r"\w+?321_\d{4}\.fits", header["ORIGFILE"]), "the day of the year, then a counter"


def test_no_two_frames_have_the_same_names(night: SimulationResult) -> None:
    headers = [fits.getheader(p) for p in frames(night)]
    for key in ("ARCFILE", "ORIGFILE", "MJD-OBS"):
        assert len({h[key] for h in headers}) == len(headers) == night.n_frames


def test_templates_are_complete_and_counted(night: SimulationResult) -> None:
    templates: dict[str, list[fits.Header]] = {}
    for path in frames(night):
        header = fits.getheader(path)
        templates.setdefault(header["ESO TPL START"], []).append(header)
    assert len(templates) == night.n_templates
    for headers in templates.values():
        numbers = [h["ESO TPL EXPNO"] for h in headers]
        assert numbers == list(range(1, headers[0]["ESO TPL NEXP"] + 1))
        assert len({h["ESO OBS ID"] for h in headers}) == 1


def test_checksums_of_every_hdu_hold(night: SimulationResult) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in frames(night):
            with fits.open(path, checksum=True) as hdus:
                for hdu in hdus:
                    assert hdu.header["DATASUM"]
                    assert hdu.verify_checksum() == hdu.verify_datasum() == 1


@pytest.mark.esorex
def test_fitsverify_finds_nothing_wrong(night: SimulationResult) -> None:
    program = shutil.which("fitsverify")
    assert program, "fitsverify comes with esorex"
    for path in frames(night)[::5]:
        answer = subprocess.run([program, "-q", path.name], cwd=path.parent, capture_output=True, text=True)
        assert "verification OK" in answer.stdout


def test_infrared_frames_have_one_extension_a_detector_in_the_order_of_the_real_files(
    infrared_night: SimulationResult,
) -> None:
    with fits.open(frames(infrared_night)[0]) as hdus:
        assert [h.name for h in hdus[1:]] == ["CHIP1.INT1", "CHIP2.INT1", "CHIP4.INT1", "CHIP3.INT1"]
        assert [h.header["ESO DET CHIP NO"] for h in hdus[1:]] == [1, 2, 4, 3]
        assert {h.header["BITPIX"] for h in hdus[1:]} == {32}
        assert hdus[0].header["NAXIS"] == 0


def test_a_window_is_the_middle_of_each_detector_and_the_headers_say_so(
    infrared_night: SimulationResult,
) -> None:
    with fits.open(frames(infrared_night)[0]) as hdus:
        primary = hdus[0].header
        assert [primary[f"ESO DET WIN {k}"] for k in ("NX", "NY", "STARTX", "STARTY")] == [128, 128, 961, 961]
        assert {h.shape for h in hdus[1:]} == {(128, 128)}
        assert hdus["CHIP1.INT1"].header["CRPIX1"] == 2115.0 - 960


def test_every_dit_of_a_night_has_its_darks(infrared_night: SimulationResult) -> None:
    by_type: dict[str, set[tuple[float, int]]] = {}
    for path in frames(infrared_night):
        h = fits.getheader(path)
        by_type.setdefault(h["ESO DPR TYPE"], set()).add((h["ESO DET DIT"], h["ESO DET NDIT"]))
    assert by_type["DARK"] == {(10.0, 1), (2.0, 1), (30.0, 1)}
    for kind in ("FLAT", "STD", "OBJECT"):
        assert by_type[kind] <= by_type["DARK"]


def test_darks_of_the_morning_still_belong_to_the_night_before(infrared_night: SimulationResult) -> None:
    darks = [fits.getheader(p) for p in frames(infrared_night) if fits.getheader(p)["ESO DPR TYPE"] == "DARK"]
    assert {h["DATE-OBS"][:10] for h in darks} == {"2026-11-18"}
    assert {h["DATE-OBS"][11:13] for h in darks} <= {"12", "13"}


def test_detector_noise_is_one_template_of_two_darks_and_two_flats(infrared_night: SimulationResult) -> None:
    headers = [fits.getheader(p) for p in frames(infrared_night)]
    noise = [h for h in headers if h["ESO TPL ID"].endswith("_DetNoise")]
    assert [h["ESO DPR TYPE"] for h in noise] == ["DARK,DETCHECK"] * 2 + ["FLAT,LAMP,DETCHECK"] * 2
    assert len({h["ESO TPL START"] for h in noise}) == 1


def test_the_same_arguments_give_byte_identical_files(observe: Run) -> None:
    anomalies = ["rotten-pixels", "noise-jump"]
    first = observe("one", anomalies=anomalies)
    second = observe("two", anomalies=anomalies)
    assert digests(first) == digests(second)
    assert first.truth.read_bytes() == second.truth.read_bytes()


def test_another_seed_gives_other_pixels(observe: Run) -> None:
    assert not set(digests(observe("one")).values()) & set(digests(observe("two", seed=2)).values())


def test_a_second_call_writes_nothing(observe: Run) -> None:
    first = observe()
    times = {p: p.stat().st_mtime_ns for p in frames(first)}
    second = observe()
    assert (first.n_written, second.n_written) == (9, 0)
    assert {p: p.stat().st_mtime_ns for p in frames(second)} == times
    assert (second.n_frames, second.n_templates) == (first.n_frames, first.n_templates) == (9, 2)


def test_more_nights_leave_the_earlier_ones_as_they_are(observe: Run) -> None:
    before = digests(observe(nights=1))
    lines: list[str] = []
    result = observe(nights=3, progress=lines.append)
    after = digests(result)
    assert before.items() <= after.items()
    assert len(after) == 27
    assert result.dates == tuple(START + dt.timedelta(days=i) for i in range(3))
    assert [line.split(":")[0] for line in lines] == ["2026-11-18", "2026-11-19"]


def test_a_night_does_not_depend_on_where_the_simulation_started(observe: Run) -> None:
    long = digests(observe("long", nights=2))
    late = digests(observe("late", start=START + dt.timedelta(days=1)))
    assert late.items() <= long.items()


def test_a_call_that_was_killed_is_finished_by_the_next(observe: Run) -> None:
    whole = observe("whole")
    broken = observe("broken")
    broken.truth.unlink()
    for path in frames(broken)[4:]:
        path.unlink()
    again = observe("broken")
    assert again.n_written == 5
    assert digests(again) == digests(whole)
    assert again.truth.read_bytes() == whole.truth.read_bytes()


def test_an_archive_keeps_to_one_seed_and_window(observe: Run) -> None:
    observe()
    with pytest.raises(ArchiveError, match="seed 1, window 32, not seed 2, window 32"):
        observe(seed=2)


def test_two_observatories_may_share_an_archive(
    observe: Run, optical: Path, optical_night: SimulationResult
) -> None:
    first = observe()
    archive = frames(first)[0].parents[2]
    both = simulate(optical, archive, nights=1, start=START, seed=1)
    assert both.n_frames == optical_night.n_frames
    assert len(set(truth(both)["arcfile"])) == first.n_frames + both.n_frames


@pytest.mark.parametrize("window", [8, 4096])
def test_a_window_that_does_not_fit_is_refused_before_anything_is_written(
    observe: Run, tmp_path: Path, window: int
) -> None:
    with pytest.raises(SettingsError, match=r"does not fit detector CHIP1\.INT1; take 16 to 2048"):
        observe(window=window)
    assert not (tmp_path / "archive").exists()


def test_no_nights_are_refused(observe: Run) -> None:
    with pytest.raises(SettingsError, match="nights must be 1 or more"):
        observe(nights=0)


def test_a_damaged_truth_is_named(observe: Run) -> None:
    result = observe()
    result.truth.write_text("%ECSV 1.0\nnonsense")
    with pytest.raises(ArchiveError, match="is not the truth of a simulated archive"):
        observe(nights=2)


def test_chosen_raw_types_have_the_frames_of_the_whole_night(observe: Run) -> None:
    whole = {path.name: path.read_bytes() for path in frames(observe("whole"))}
    chosen = observe("chosen", raw_types=["DARK"])
    assert frames(chosen)
    assert all(path.read_bytes() == whole[path.name] for path in frames(chosen))
    assert set(truth(chosen)["raw_type"]) == {"DARK"}


def test_a_raw_type_that_is_not_simulated_is_refused(observe: Run) -> None:
    with pytest.raises(SettingsError, match="is not simulated with NOSUCH"):
        observe("archive", raw_types=["NOSUCH"])
