"""How pixels reach files: an extension or a file for each detector, other detectors in other templates, floats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from astropy.io import fits

from qcbench.core.errors import PackError
from qcbench.simulate import SimulationResult, load_description, simulate
from tests.simulate.archives import START, frames, truth

Change = dict[str, Any]
Rewrite = Callable[..., Path]


@pytest.fixture
def rewrite(short: Path, tmp_path: Path) -> Rewrite:
    """Write a copy of the short description, changed at its top and in its first template (darks)."""

    def write(top: Change | None = None, first: Change | None = None, detector: Change | None = None) -> Path:
        content = yaml.safe_load(short.read_text()) | (top or {})
        content["templates"][0] |= first or {}
        for item in content["detectors"]:
            item |= detector or {}
        path = tmp_path / "changed.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write


def observe(description: Path, folder: Path, *anomalies: str) -> SimulationResult:
    arguments = {"nights": 1, "start": START, "seed": 1, "window": 32}
    return simulate(description, folder / "archive", anomalies=anomalies, **arguments)  # type: ignore[arg-type]


def darks(result: SimulationResult) -> list[Path]:
    """Return the files of the first template."""
    rows = truth(result)
    names = set(rows["arcfile"][rows["raw_type"] == "DARK"])
    return [path for path in frames(result) if path.name in names]


def test_each_detector_has_a_file_of_its_own(rewrite: Rewrite, tmp_path: Path) -> None:
    files = darks(observe(rewrite(first={"layout": "files"}), tmp_path))
    assert len(files) == 5 * 4
    keys = [fits.getheader(path) for path in files]
    assert [header["NAXIS"] for header in keys] == [2] * 20
    assert [header["ESO TPL EXPNO"] for header in keys] == [n for n in (1, 2, 3, 4, 5) for _ in range(4)]
    assert [header["ESO DET CHIP NO"] for header in keys] == [1, 2, 4, 3] * 5
    assert len({header["ESO TPL START"] for header in keys}) == 1
    assert len({header["ORIGFILE"] for header in keys}) == 20
    assert sorted(header["ARCFILE"] for header in keys) == [path.name for path in files]


def test_the_truth_has_a_row_for_what_is_in_a_file(rewrite: Rewrite, tmp_path: Path) -> None:
    result = observe(rewrite(first={"layout": "files"}), tmp_path)
    rows = truth(result)
    names = [name for name, kind in zip(rows["arcfile"], rows["raw_type"], strict=True) if kind == "DARK"]
    assert len(names) == len(set(names)) == 20
    assert result.n_frames == 20 + 4


def test_half_of_the_exposures_is_missing_whatever_the_number_of_files(
    rewrite: Rewrite, tmp_path: Path
) -> None:
    files = darks(observe(rewrite(first={"layout": "files"}), tmp_path, "incomplete-template:1:1"))
    assert [fits.getheader(path)["ESO TPL EXPNO"] for path in files] == [1] * 4 + [2] * 4


def test_a_template_reads_the_detectors_that_it_names(rewrite: Rewrite, tmp_path: Path) -> None:
    some = rewrite(first={"detectors": ["CHIP3.INT1", "CHIP2.INT1"]})
    for path in darks(observe(some, tmp_path)):
        with fits.open(path) as hdus:
            assert [hdu.name for hdu in hdus[1:]] == ["CHIP2.INT1", "CHIP3.INT1"]


def test_one_detector_of_many_fits_into_the_primary_hdu(rewrite: Rewrite, tmp_path: Path) -> None:
    one = rewrite(first={"detectors": ["CHIP4.INT1"], "layout": "primary"})
    (keys, *_) = [fits.getheader(path) for path in darks(observe(one, tmp_path))]
    assert (keys["NAXIS1"], keys["ESO DET CHIP NO"]) == (32, 4)


def test_noise_jumps_in_a_detector_that_the_template_reads(rewrite: Rewrite, tmp_path: Path) -> None:
    one = rewrite(first={"detectors": ["CHIP4.INT1"], "layout": "primary"})
    rows = truth(observe(one, tmp_path, "noise-jump:1:1"))
    hit = rows[(rows["raw_type"] == "DARK") & (rows["anomaly"] == "noise-jump")]
    assert set(hit["detector"]) == {"CHIP4.INT1"}


def test_floating_pixels_keep_fractions_and_what_is_below_zero(rewrite: Rewrite, tmp_path: Path) -> None:
    result = observe(rewrite({"pixels": "float32", "step": 1.0}, detector={"bias": 0.0}), tmp_path)
    pixels = fits.getdata(darks(result)[0], "CHIP1.INT1")
    assert pixels.dtype == np.dtype(">f4")
    assert pixels.min() < 0
    assert np.any(pixels != np.rint(pixels))
    first = truth(result)[0]
    assert 1.4826 * np.median(np.abs(pixels - np.median(pixels))) == pytest.approx(first["ron"], rel=0.1)


def test_pre_and_overscan_see_neither_light_nor_dark_current(rewrite: Rewrite, tmp_path: Path) -> None:
    scan = {"size": [96, 64], "prescan": [16, 0], "overscan": [16, 0], "dark_current": 50.0, "n_hot": 0}
    description = rewrite(first={"exptime": 10.0}, detector=scan)
    result = simulate(description, tmp_path / "archive", nights=1, start=START, seed=1)
    pixels = fits.getdata(darks(result)[0], "CHIP1.INT1")
    edges = np.concatenate([pixels[:, :16].ravel(), pixels[:, -16:].ravel()])
    level = 10.0 * truth(result)["dark_current"][0]
    assert np.median(pixels[:, 16:-16]) - np.median(edges) == pytest.approx(level, rel=0.02)


def test_hot_pixels_are_as_bright_as_the_description_says(rewrite: Rewrite, tmp_path: Path) -> None:
    hot = {
        "hot_offset": 3000.0,
        "hot_rate": 0.0,
        "bias": 0.0,
        "dark_current": 0.0,
        "size": [64, 64],
        "n_hot": 5,
    }
    description = rewrite(detector=hot)
    result = simulate(description, tmp_path / "archive", nights=1, start=START, seed=1)
    pixels = fits.getdata(darks(result)[0], "CHIP1.INT1")
    assert np.sum(np.abs(pixels - 3000.0) < 100.0) == truth(result)["n_hot"][0]


def test_headers_say_where_the_telescope_or_the_stars_went(rewrite: Rewrite, tmp_path: Path) -> None:
    computed = {"SEQ.OFFSETX": "offset_x", "SEQ.CUMOFFSETX": "shift_x", "SEQ.CUMOFFSETY": "shift_y"}
    offsets = [[0.0, 0.0], [12.5, -3.0], [0.0, 4.0], [1.0, 1.0], [2.0, 2.0]]
    result = observe(rewrite({"computed": computed}, {"offsets": offsets}), tmp_path)
    keys = [fits.getheader(path) for path in darks(result)]
    assert [header["ESO SEQ OFFSETX"] for header in keys] == [0.0, 12.5, 0.0, 1.0, 2.0]
    assert [header["ESO SEQ CUMOFFSETX"] for header in keys] == [0.0, -12.5, 0.0, -1.0, -2.0]
    assert str(keys[0]["ESO SEQ CUMOFFSETY"]) == "0.0"


@pytest.mark.parametrize(
    ("top", "first", "says"),
    [
        ({}, {"detectors": ["CHIP5.INT1"]}, "reads CHIP5.INT1; there is CHIP1.INT1"),
        ({}, {"layout": "primary"}, "holds one detector, not 4; use 'extensions' or 'files'"),
        ({"pixels": "float32"}, {}, "float32 are stored as they are; leave step out"),
    ],
)
def test_layouts_that_can_not_be_are_refused(rewrite: Rewrite, top: Change, first: Change, says: str) -> None:
    with pytest.raises(PackError, match=says):
        load_description(rewrite(top, first))
