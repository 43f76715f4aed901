"""The pixels of simulated frames show what the truth table says of the detectors."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import yaml
from astropy import units as u
from astropy.io import fits
from astropy.stats import mad_std
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from qcbench.core.errors import SettingsError
from qcbench.simulate import SimulationResult, simulate, star_catalogue
from tests.simulate.archives import START, Run, file_of, frames, truth


def pixels(result: SimulationResult, row: Table.Row) -> NDArray[np.float64]:
    with fits.open(file_of(result, str(row["arcfile"]))) as hdus:
        return hdus[row["detector"] if len(hdus) > 1 else 0].data.astype(float)


def rows(result: SimulationResult, raw_type: str, detector: str) -> Table:
    table = truth(result)
    return table[(table["raw_type"] == raw_type) & (table["detector"] == detector)]


CHIPS = ["CHIP1.INT1", "CHIP2.INT1", "CHIP3.INT1", "CHIP4.INT1"]


def test_the_truth_has_one_row_a_frame_and_detector_with_units(infrared_night: SimulationResult) -> None:
    table = truth(infrared_night)
    assert len(table) == infrared_night.n_frames * 4
    assert table["gain"].unit == u.electron / u.adu
    assert table["ron"].unit == table["level"].unit == u.adu
    assert table["dark_current"].unit == u.adu / u.s


@pytest.mark.parametrize("chip", CHIPS)
def test_two_darks_differ_by_the_readout_noise(infrared_night: SimulationResult, chip: str) -> None:
    darks = rows(infrared_night, "DARK", chip)
    same = [d for d in darks if d["tpl_start"] == darks[0]["tpl_start"]]
    noise = [
        np.std(pixels(infrared_night, a) - pixels(infrared_night, b)) / np.sqrt(2)
        for a, b in zip(same[::2], same[1::2], strict=False)
    ]
    assert np.mean(noise) == pytest.approx(darks[0]["ron"], rel=0.02)


@pytest.mark.parametrize("chip", CHIPS)
def test_two_equal_flats_give_the_gain_by_photon_transfer(
    infrared_night: SimulationResult, chip: str
) -> None:
    dark, flat = (rows(infrared_night, f"DETNOISE_{kind}", chip) for kind in ("DARK", "FLAT"))
    d1, d2 = (pixels(infrared_night, r) for r in dark)
    f1, f2 = (pixels(infrared_night, r) for r in flat)
    signal = np.mean(f1 + f2 - d1 - d2)
    gain = signal / (np.var(f1 - f2) - np.var(d1 - d2))
    assert gain == pytest.approx(flat[0]["gain"], rel=0.05)
    assert signal / 2 == pytest.approx(flat[0]["level"], rel=0.02)


@pytest.mark.parametrize("chip", CHIPS)
def test_hot_pixels_are_those_that_the_truth_counts(infrared_night: SimulationResult, chip: str) -> None:
    darks = rows(infrared_night, "DARK", chip)
    hot = [np.argwhere(pixels(infrared_night, d) > 150).tolist() for d in darks[:3]]
    assert len(hot[0]) == darks[0]["n_hot"] > 5
    assert hot[0] == hot[1] == hot[2]


def test_averaged_integrations_are_quieter(infrared: Path, tmp_path: Path) -> None:
    content = {k: v for k, v in yaml.safe_load(infrared.read_text()).items() if not k.startswith(".")}
    content["templates"] = [t | {"ndit": 9} for t in content["templates"] if t["hour"] == 15.3]
    path = tmp_path / "simulate.yaml"
    path.write_text(yaml.safe_dump(content))
    result = simulate(path, tmp_path / "archive", nights=1, start=START, seed=1, window=128)
    darks = rows(result, "DARK", "CHIP1.INT1")
    noise = np.std(pixels(result, darks[0]) - pixels(result, darks[1])) / np.sqrt(2)
    assert noise == pytest.approx(darks[0]["ron"], rel=0.03)
    assert darks[0]["ron"] == pytest.approx(6.6 / 3, rel=0.06)


def test_detectors_drift_from_night_to_night_by_what_the_truth_says(observe: Run) -> None:
    near = rows(observe("near"), "DARK", "CHIP3.INT1")[0]
    far_result = observe("far", start=START + dt.timedelta(days=120), window=128)
    far = rows(far_result, "DARK", "CHIP3.INT1")
    assert far[0]["ron"] > near["ron"] * 1.02
    noise = np.std(pixels(far_result, far[0]) - pixels(far_result, far[1])) / np.sqrt(2)
    assert noise == pytest.approx(far[0]["ron"], rel=0.03)


def test_an_intervention_brings_the_detectors_back(observe: Run) -> None:
    epoch = dt.date(2026, 1, 1)
    worn, mended = (
        rows(observe(name, start=epoch + dt.timedelta(days=days)), "DARK", "CHIP3.INT1")[0]
        for name, days in (("worn", 729), ("mended", 730))
    )
    assert worn["ron"] > 6.9 * 1.12
    assert mended["ron"] == pytest.approx(6.9, rel=0.05)


def test_the_standard_star_visits_the_middle_of_each_detector(infrared_night: SimulationResult) -> None:
    table = truth(infrared_night)
    stars = table[table["raw_type"] == "STD"]
    seen = []
    for name in sorted(set(stars["arcfile"])):
        peaks = {
            r["detector"]: pixels(infrared_night, r)[60:68, 60:68].max()
            for r in stars[stars["arcfile"] == name]
        }
        bright = [chip for chip, peak in peaks.items() if peak > 3000]
        seen += bright
        assert len(bright) == 1
    assert seen == CHIPS


def test_a_jittered_star_moves_with_the_wcs(infrared_night: SimulationResult) -> None:
    table = truth(infrared_night)
    names = sorted(set(table["arcfile"][table["raw_type"] == "OBJECT"]))[:2]
    with fits.open(file_of(infrared_night, names[0])) as a, fits.open(file_of(infrared_night, names[1])) as b:
        dx, dy = (round(b[1].header[k] - a[1].header[k]) for k in ("CRPIX1", "CRPIX2"))
        first, second = a[1].data.astype(float), b[1].data.astype(float)
    moved = np.roll(first, (dy, dx), axis=(0, 1))[20:-20, 20:-20]
    clipped = [np.clip(image - np.median(image), 0, 500).ravel() for image in (moved, second[20:-20, 20:-20])]
    assert (dx, dy) == (-15, -5)
    assert np.corrcoef(clipped)[0, 1] > 0.7


def test_the_catalogue_has_the_stars_of_a_field_where_they_are_and_as_bright(
    infrared: Path, tmp_path: Path
) -> None:
    window, reach = 512, 12
    night = simulate(
        infrared, tmp_path / "archive", nights=1, start=START, seed=1, window=window, raw_types=["OBJECT"]
    )
    stars = star_catalogue(infrared, "OBJECT", date=START, seed=1, window=window)
    assert len(stars) == 4 * 60
    assert (np.diff(stars["flux"]) <= 0).all()
    found = 0
    with fits.open(frames(night)[2]) as hdus:
        for hdu in hdus[1:]:
            x, y = WCS(hdu.header).all_world2pix(stars["ra"].value, stars["dec"].value, 0)
            near = np.hypot(x - x[:, None], y - y[:, None]) < 3 * reach
            alone = (near.sum(axis=0) == 1) & (stars["flux"].value > 50_000)
            for star in np.flatnonzero(alone):
                column, row = round(float(x[star])), round(float(y[star]))
                if not (reach <= column < window - reach and reach <= row < window - reach):
                    continue
                part = hdu.data[row - reach : row + reach + 1, column - reach : column + reach + 1]
                light = float(np.sum(part.astype(float) - np.median(hdu.data)))
                assert light == pytest.approx(stars["flux"][star].value, rel=0.25)
                found += 1
    assert found > 10


def test_there_is_no_catalogue_of_what_is_no_field(infrared: Path) -> None:
    with pytest.raises(SettingsError, match="DARK is no field of stars"):
        star_catalogue(infrared, "DARK", date=START, seed=1)


def test_optical_frames_are_unsigned_with_scaling_that_recipes_accept(
    optical_night: SimulationResult,
) -> None:
    bias = rows(optical_night, "BIAS", "LORAL")
    path = file_of(optical_night, str(bias[0]["arcfile"]))
    raw = path.read_bytes()
    assert b"BSCALE  =                  1.0" in raw
    assert b"BZERO   =              32768.0" in raw
    with fits.open(path) as hdus:
        assert hdus[0].data.shape == (1030, 1030)
        assert np.median(hdus[0].data) == pytest.approx(210, abs=10)
    a, b = (pixels(optical_night, r) for r in bias[:2])
    assert mad_std(a + np.random.default_rng(1).uniform(size=a.shape)) == pytest.approx(
        bias[0]["ron"], rel=0.03
    )
    assert np.std(a - b) / np.sqrt(2) == pytest.approx(bias[0]["ron"], rel=0.02)


def test_light_does_not_reach_the_prescan_and_overscan(optical_night: SimulationResult) -> None:
    flat = pixels(optical_night, rows(optical_night, "SKY_FLAT", "LORAL")[0])
    assert np.median(flat[:, :6]) == pytest.approx(210, abs=15)
    assert np.median(flat[-6:, :]) == pytest.approx(210, abs=15)
    assert np.median(flat[:-6, 6:]) > 30_000


@pytest.mark.real
def test_arc_lines_stand_where_they_do_in_a_real_arc(
    optical_night: SimulationResult, real_data: Path
) -> None:
    real = fits.getdata(real_data / "efosc2-pessto" / "arc_20120808_Gr13_OG530_slit1.0.fits")
    ours = pixels(optical_night, rows(optical_night, "ARC", "LORAL")[0])
    # CCDSEC of the real frame: its authors kept columns 100 to 950 and rows 300 to 1015.
    profiles = [np.clip(np.median(image, axis=1), 0, 5000) for image in (real, ours[299:1015, 99:950])]
    assert np.corrcoef(profiles)[0, 1] > 0.9


@pytest.mark.real
def test_optical_headers_use_the_words_of_the_real_ones(
    optical_night: SimulationResult, real_data: Path
) -> None:
    name = str(rows(optical_night, "SKY_FLAT", "LORAL")[0]["arcfile"])
    ours = fits.getheader(file_of(optical_night, name))
    real = fits.getheader(real_data / "efosc2-pessto" / "flat_20120411_V641.fits")
    compared = [
        k for k in real if k.startswith(("ESO DPR", "ESO TPL", "ESO OBS", "ESO INS FILT", "ESO DET OUT1"))
    ]
    compared += [
        "INSTRUME",
        "TELESCOP",
        "OBJECT",
        "RA",
        "DEC",
        "EXPTIME",
        "MJD-OBS",
        "UTC",
        "LST",
        "ORIGFILE",
    ]
    absent = {k for k in compared if k not in ours}
    assert absent == {"ESO OBS EXECTIME", "ESO TPL VERSION"}
    assert [k for k in compared if k in ours and type(ours[k]) is not type(real[k])] == []
    for key in (
        "INSTRUME",
        "TELESCOP",
        "ESO TPL ID",
        "ESO DPR TYPE",
        "ESO INS FILT1 NAME",
        "ESO DET WIN1 NX",
    ):
        assert ours[key] == real[key]


def test_the_sky_of_a_field_carries_the_flat_field_of_its_filter(optical_night: SimulationResult) -> None:
    flat = pixels(optical_night, rows(optical_night, "SKY_FLAT", "LORAL")[-1])[:-6, 6:]
    field = pixels(optical_night, rows(optical_night, "OBJECT", "LORAL")[0])[:-6, 6:]
    blocks = [np.median(image.reshape(16, 64, 16, 64), axis=(1, 3)).ravel() for image in (flat, field)]
    assert np.corrcoef(blocks)[0, 1] > 0.95
