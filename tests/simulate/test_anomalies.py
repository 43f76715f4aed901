"""What goes wrong at the simulated observatory is what was asked for, where it was, and nothing else."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from qcbench.core.errors import SettingsError
from qcbench.simulate import SimulationResult, known_anomalies, simulate
from tests.simulate.archives import START, Run, file_of, frames, truth


def only(result: SimulationResult) -> Path:
    """The one file that the one anomaly touches."""
    (anomaly,) = result.anomalies
    (name,) = anomaly.files
    return file_of(result, name)


def test_every_known_anomaly_has_a_line_of_explanation() -> None:
    known = known_anomalies()
    assert {"lamp-out", "noise-jump", "saturated-flat", "incomplete-template", "truncated-file"} <= set(known)
    assert all(text and "\n" not in text for text in known.values())


@pytest.mark.parametrize("name", sorted(known_anomalies()))
def test_an_anomaly_leaves_the_files_that_it_does_not_name_alone(observe: Run, name: str) -> None:
    sound = {p.name: p.read_bytes() for p in frames(observe("sound"))}
    result = observe("sick", anomalies=[name])
    touched = {f for a in result.anomalies for f in a.files}
    same = {p.name for p in frames(result) if sound.get(p.name) == p.read_bytes()}
    assert [a.name for a in result.anomalies] == [name]
    assert same.isdisjoint(touched) or name in ("incomplete-template", "duplicate-arcfile")
    assert {p.name for p in frames(result)} - touched <= same


def test_lamp_out_leaves_the_flats_without_signal(observe: Run) -> None:
    result = observe(anomalies=["lamp-out"])
    (anomaly,) = result.anomalies
    assert len(anomaly.files) == 2
    for name in anomaly.files:
        with fits.open(file_of(result, name)) as hdus:
            assert hdus[0].header["ESO DPR TYPE"] == "FLAT,LAMP,DETCHECK"
            assert all(np.median(h.data) < 40 for h in hdus[1:])
    table = truth(result)
    assert set(table["level"][table["anomaly"] == "lamp-out"]) == {0.0}


def test_a_saturated_flat_is_saturated_in_every_pixel(observe: Run) -> None:
    result = observe(anomalies=["saturated-flat"])
    with fits.open(file_of(result, result.anomalies[0].files[0])) as hdus:
        assert all(h.data.min() == 60_000 for h in hdus[1:])


def test_a_noise_jump_stays_on_one_detector_for_the_rest_of_the_night(observe: Run) -> None:
    quiet, loud = observe("quiet", window=64), observe("loud", window=64, anomalies=["noise-jump:1:2"])
    before, after = truth(quiet), truth(loud)
    jumped = after[after["anomaly"] == "noise-jump"]
    (detector,) = set(jumped["detector"])
    assert set(jumped["raw_type"]) == {"DETNOISE_DARK", "DETNOISE_FLAT"}
    ratio = after["ron"] / before["ron"]
    assert np.allclose(ratio[after["anomaly"] == "noise-jump"], 1.6, atol=1e-3)
    assert set(ratio[after["anomaly"] == ""]) == {1.0}
    a, b = (fits.getdata(file_of(loud, str(name)), detector) for name in sorted(set(jumped["arcfile"]))[:2])
    assert np.std(a - b) / np.sqrt(2) == pytest.approx(jumped["ron"][0], rel=0.06)


def test_an_incomplete_template_misses_its_last_frames(observe: Run) -> None:
    result = observe(anomalies=["incomplete-template:1:1"])
    (anomaly,) = result.anomalies
    headers = [fits.getheader(file_of(result, name)) for name in anomaly.files]
    assert [h["ESO TPL EXPNO"] for h in headers] == [1, 2]
    assert {h["ESO TPL NEXP"] for h in headers} == {5}
    assert result.n_frames == 6


def test_a_truncated_file_ends_in_its_pixels(observe: Run) -> None:
    path = only(observe(anomalies=["truncated-file"]))
    assert fits.getheader(path)["ARCFILE"] == path.name
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with fits.open(path) as hdus:
            assert len(hdus) < 5 or any("truncated" in str(w.message) for w in caught)


@pytest.mark.parametrize(("anomaly", "key"), [("missing-keyword", "MJD-OBS"), ("no-arcfile", "ARCFILE")])
def test_a_keyword_is_absent_from_one_frame_only(observe: Run, anomaly: str, key: str) -> None:
    result = observe(anomalies=[anomaly])
    assert [p for p in frames(result) if key not in fits.getheader(p)] == [only(result)]


def test_rotten_pixels_break_the_checksum_and_nothing_else(observe: Run) -> None:
    path = only(observe(anomalies=["rotten-pixels"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path, checksum=True) as hdus:
            assert [h.verify_datasum() for h in hdus] == [1, 1, 1, 1, 0]
            assert hdus[-1].data.shape == (32, 32)


def test_a_file_that_is_not_fits_has_the_name_of_one(observe: Run) -> None:
    path = only(observe(anomalies=["not-fits"]))
    assert path.suffix == ".fits"
    assert path.read_bytes().startswith(b"<html>")


def test_an_unknown_instrument_has_sent_a_frame(observe: Run) -> None:
    result = observe(anomalies=["unknown-instrument"])
    names = {p: fits.getheader(p)["INSTRUME"] for p in frames(result)}
    foreign = names.pop(only(result))
    assert foreign not in names.values()


def test_a_duplicate_has_the_arcfile_of_another_frame_but_other_pixels(observe: Run) -> None:
    result = observe(anomalies=["duplicate-arcfile"])
    second = only(result)
    first = file_of(result, fits.getheader(second)["ARCFILE"])
    assert first != second
    assert not np.array_equal(fits.getdata(first, 1), fits.getdata(second, 1))
    assert result.n_frames == 10


def test_anomalies_go_to_the_last_night_unless_a_night_is_named(observe: Run) -> None:
    result = observe(nights=3, anomalies=["not-fits", "truncated-file:2"])
    assert [(a.name, (a.date - START).days) for a in result.anomalies] == [
        ("truncated-file", 1),
        ("not-fits", 2),
    ]


def test_several_anomalies_keep_out_of_each_others_templates(infrared: Path, tmp_path: Path) -> None:
    names = ["lamp-out", "saturated-flat", "truncated-file", "missing-keyword", "no-arcfile"]
    result = simulate(infrared, tmp_path / "a", nights=1, start=START, seed=1, window=16, anomalies=names)
    assert len({a.tpl_start for a in result.anomalies}) == len(names)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("meteorite", "unknown anomaly 'meteorite'; known are lamp-out, noise-jump, saturated-flat"),
        ("lamp-out:0", "not of the form name, name:night or name:night:template"),
        ("lamp-out:1:2:3", "not of the form"),
        ("lamp-out:2", "is for night 2, but only 1 are simulated"),
        ("lamp-out:1:1", r"does not fit template 1 of night 1; it fits 2 \(HAWKI_img_tec_DetNoise\)"),
    ],
)
def test_an_anomaly_that_can_not_be_is_refused_before_anything_is_written(
    observe: Run, tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        observe(anomalies=[text])
    assert not (tmp_path / "archive").exists()


def test_a_night_that_is_there_can_not_become_anomalous(observe: Run) -> None:
    observe(anomalies=["not-fits"])
    assert [a.name for a in observe(anomalies=["not-fits"]).anomalies] == ["not-fits"]
    with pytest.raises(
        SettingsError, match=r"night 1 \(2026-11-17\) was observed without anomaly 'lamp-out'"
    ):
        observe(anomalies=["lamp-out"])
