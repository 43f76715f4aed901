"""The installed pipeline takes simulated frames for real ones, and finds in them what the truth says."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from astropy.io import fits
from astropy.table import Table

import qcbench
from qcbench.simulate import simulate

pytestmark = pytest.mark.esorex

# Photon transfer from one pair of flats: at 256 pixels the recipe's gain scatters by 1.1 %, here by half.
WINDOW = 512
CHIPS = ("CHIP1", "CHIP2", "CHIP3", "CHIP4")


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Table]:
    """The raw frames of a night and their truth."""
    archive = tmp_path_factory.mktemp("simulated") / "archive"
    description = Path(qcbench.__file__).parent / "instruments" / "hawki" / "simulate.yaml"
    date = dt.date(2026, 11, 17)
    result = simulate(description, archive, nights=1, start=date, seed=1, window=WINDOW)
    return archive / "raw" / date.isoformat(), Table.read(result.truth, format="ascii.ecsv")


def plugins() -> Path:
    (folder,) = Path("/usr/lib").glob("*/cpl/plugins/hawki-*")
    return folder


def run(recipe: str, frames: Iterable[tuple[Path, str]], folder: Path) -> None:
    """Run a recipe in a folder of its own; its products stay there."""
    (folder / "frames.sof").write_text("".join(f"{path} {tag}\n" for path, tag in frames))
    esorex = shutil.which("esorex")
    assert esorex
    where = [f"--recipe-dir={plugins()}", f"--output-dir={folder}", f"--log-dir={folder}"]
    answer = subprocess.run(
        [esorex, *where, recipe, "frames.sof"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_dark_combination_finds_the_readout_noise_of_every_detector(
    night: tuple[Path, Table], tmp_path: Path
) -> None:
    raw, truth = night
    darks = truth[truth["raw_type"] == "DARK"]
    first = darks[darks["tpl_start"] == min(darks["tpl_start"])]
    run("hawki_dark_combine", ((raw / name, "DARK") for name in sorted(set(first["arcfile"]))), tmp_path)
    with fits.open(tmp_path / "darkcomb.fits") as product:
        for chip in CHIPS:
            (expected,) = set(first["ron"][first["detector"] == f"{chip}.INT1"])
            assert product[f"{chip}.INT1"].header["ESO QC RON1"] == pytest.approx(expected, rel=0.05)


def test_detector_noise_finds_the_gain_and_the_readout_noise_of_every_detector(
    night: tuple[Path, Table], tmp_path: Path
) -> None:
    raw, truth = night
    noise = truth[[name.startswith("DETNOISE_") for name in truth["raw_type"]]]
    tags = {"DETNOISE_DARK": "DARK", "DETNOISE_FLAT": "FLAT_TWILIGHT"}
    frames = dict(zip(noise["arcfile"], noise["raw_type"], strict=True))
    run("hawki_detector_noise", ((raw / name, tags[kind]) for name, kind in sorted(frames.items())), tmp_path)
    found = fits.getheader(tmp_path / "readgain.fits", 1)
    for chip in CHIPS:
        expected = noise[noise["detector"] == f"{chip}.INT1"][0]
        assert found[f"ESO QC RON {chip}-INT1"] == pytest.approx(expected["ron"], rel=0.05)
        assert found[f"ESO QC GAIN {chip}-INT1"] == pytest.approx(expected["gain"], rel=0.03)
