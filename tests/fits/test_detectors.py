"""QC0 holds frames against what their pack says of the detectors: images, sizes, saturation, dead readouts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from qcbench.core.errors import FrameError
from qcbench.fits import Expected, ImageCount, Rule, check_frame, read_header
from qcbench.fits import data as data_module
from qcbench.oca import parse_expression

Pixels = NDArray[np.generic]
FLAT = Expected(saturation=60000, max_saturated=0.1, kind="FLAT")


def condition(text: str, why: str = "an image is as wide as its window") -> Rule:
    return Rule(parse_expression(text, "test"), why)


def write(path: Path, *images: Pixels | fits.ImageHDU, checksum: bool = True, **keys: object) -> Path:
    """A frame with images CHIP1, CHIP2, …, in extensions."""
    primary = fits.PrimaryHDU()
    for key, value in keys.items():
        primary.header[f"HIERARCH ESO {key.replace('_', ' ')}"] = value
    hdus = [item if isinstance(item, fits.ImageHDU) else fits.ImageHDU(item) for item in images]
    for number, hdu in enumerate(hdus, 1):
        hdu.name = hdu.name or f"CHIP{number}"
    fits.HDUList([primary, *hdus]).writeto(path, checksum=checksum)
    return path


def problems(path: Path, expected: Expected = FLAT) -> list[str]:
    return list(check_frame(path, (), expected).problems)


def image(kind: str, level: float, n_saturated: int) -> Pixels:
    """100 x 100 pixels of which some have a level; the others have 100 to 199."""
    found = 100.0 + np.arange(10_000) % 100
    found[:n_saturated] = level
    return found.reshape(100, 100).astype(kind)


@pytest.mark.parametrize("kind", ["uint16", "int32", "uint32", "int64", "float32", "float64"])
@pytest.mark.parametrize("checksum", [True, False])
def test_a_frame_with_too_many_saturated_pixels_is_a_problem(
    tmp_path: Path, kind: str, checksum: bool
) -> None:
    path = write(tmp_path / "a.fits", image(kind, 0, 0), image(kind, 60000, 3700), checksum=checksum)
    assert problems(path) == [
        "37 % of the pixels of CHIP2 are saturated (at or above 60000 adu), at most 10 % are allowed for FLAT"
    ]


@pytest.mark.parametrize(("level", "n_saturated"), [(60000, 1000), (59999, 9000)])
def test_the_limit_itself_is_allowed_and_what_is_below_the_level_is_not_saturated(
    tmp_path: Path, level: int, n_saturated: int
) -> None:
    assert problems(write(tmp_path / "a.fits", image("uint16", level, n_saturated))) == []
    assert problems(write(tmp_path / "b.fits", image("float32", level, n_saturated))) == []


def test_an_unknown_level_saturates_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", image("uint16", 65535, 9000))
    assert problems(path, Expected(max_saturated=0.1)) == []


def test_all_of_a_frame_may_be_saturated_where_that_is_allowed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", image("uint16", 65535, 9000))
    assert problems(path, Expected(saturation=60000)) == []


def scaled(factor: float, zero: float, stored: Pixels, blank: int | None = None) -> fits.ImageHDU:
    """An image of stored numbers whose header says how they are scaled."""
    hdu = fits.ImageHDU(stored, name="SCALED")
    hdu.header["BSCALE"], hdu.header["BZERO"] = factor, zero
    if blank is not None:
        hdu.header["BLANK"] = blank
    return hdu


@pytest.mark.parametrize(
    ("factor", "zero", "kind"),
    [(0.015625, 0.0, "int32"), (0.1, 0.0, "int32"), (2.0, 10000.0, "int16"), (-2.0, 60000.0, "int16")],
)
def test_scaled_integers_are_compared_as_the_pixels_that_they_stand_for(
    tmp_path: Path, factor: float, zero: float, kind: str
) -> None:
    def stored(n_saturated: int, level: float) -> Pixels:
        return np.rint((image("float64", level, n_saturated) - zero) / factor).astype(kind)

    path = write(tmp_path / "a.fits", scaled(factor, zero, stored(2000, 60000)))
    (problem,) = problems(path)
    assert problem.startswith("20 % of the pixels of SCALED are saturated")
    path = write(tmp_path / "b.fits", scaled(factor, zero, stored(2000, 59990)))
    assert problems(path) == []


def test_pixels_without_a_value_are_not_saturated(tmp_path: Path) -> None:
    stored = image("int16", 32767, 3000)
    path = write(tmp_path / "a.fits", scaled(2.0, 0.0, stored, blank=32767))
    assert problems(path) == []
    pixels = image("float32", np.nan, 3000)
    assert problems(write(tmp_path / "b.fits", pixels)) == []


def test_infinite_pixels_are_saturated(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path / "a.fits", image("float32", np.inf, 3000)))
    assert problem.startswith("30 % of the pixels of CHIP1 are saturated")


@pytest.mark.parametrize("kind", ["uint16", "int32", "float32"])
def test_one_dead_detector_is_a_problem(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a.fits", image(kind, 0, 0), np.full((100, 100), 7, kind))
    assert problems(path) == ["all pixels of CHIP2 have the same value, 7: a dead readout"]


def test_a_blank_frame_is_a_problem_whatever_is_known_of_its_detectors(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", scaled(2.0, 100.0, np.zeros((10, 10), "int16")))
    assert problems(path, Expected()) == ["all pixels of SCALED have the same value, 100: a dead readout"]


def test_a_frame_that_is_saturated_all_over_is_called_saturated(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path / "a.fits", np.full((10, 10), 65535, "uint16")))
    assert problem.startswith("100 % of the pixels of CHIP1 are saturated")


@pytest.mark.parametrize(
    "make",
    [
        lambda: fits.ImageHDU(np.full((10, 10), np.nan, "float32"), name="CHIP1"),
        lambda: scaled(1.0, 0.0, np.full((10, 10), -1, "int16"), blank=-1),
    ],
)
def test_an_image_without_any_value_is_a_problem(tmp_path: Path, make: Callable[[], fits.ImageHDU]) -> None:
    hdu = make()
    assert problems(write(tmp_path / "a.fits", hdu)) == [f"no pixel of {hdu.name} has a value"]


def test_pixels_in_the_primary_hdu_and_in_cubes_are_looked_at(tmp_path: Path) -> None:
    cube = np.stack([image("float32", 0, 0), image("float32", 60000, 10_000)])
    fits.PrimaryHDU(cube).writeto(tmp_path / "a.fits")
    (problem,) = problems(tmp_path / "a.fits")
    assert problem.startswith("50 % of the pixels of PRIMARY are saturated")


def test_a_frame_is_counted_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_module, "PIECE", 2880)
    path = write(tmp_path / "a.fits", image("uint16", 60000, 3700), np.full((100, 100), 5, "float32"))
    found = problems(path)
    assert [text.split(" of ")[0] for text in found] == ["37 %", "all pixels"]


@pytest.mark.parametrize("kind", ["uint16", "int32"])
def test_a_compressed_image_is_looked_at_as_the_image_that_it_holds(tmp_path: Path, kind: str) -> None:
    images = [
        fits.CompImageHDU(image(kind, 60000, 3700), name="CHIP1"),
        fits.CompImageHDU(np.full((100, 100), 3, kind), name="CHIP2"),
        fits.CompImageHDU(image(kind, 0, 0), name="CHIP3"),
    ]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(tmp_path / "a.fits", checksum=True)
    first, second = problems(tmp_path / "a.fits")
    assert first.startswith("37 % of the pixels of CHIP1 are saturated")
    assert second == "all pixels of CHIP2 have the same value, 3: a dead readout"


def rotten_compressed(folder: Path, *, checksum: bool) -> Path:
    path = folder / "a.fits"
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 60000, (100, 100)).astype("int32")
    hdus = [fits.PrimaryHDU(), fits.CompImageHDU(noise, name="CHIP1", compression_type="GZIP_1")]
    fits.HDUList(hdus).writeto(path, checksum=checksum)
    content = bytearray(path.read_bytes())
    content[-2880 * 3 : -2880 * 2] = b"\xff" * 2880
    path.write_bytes(content)
    return path


def test_rotten_bytes_of_a_compressed_image_do_not_agree_with_their_sum(tmp_path: Path) -> None:
    assert problems(rotten_compressed(tmp_path, checksum=True)) == ["CHIP1 does not agree with its DATASUM"]


def test_a_compressed_image_that_can_not_be_unpacked_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="its pixels can't be read"):
        problems(rotten_compressed(tmp_path, checksum=False))


@pytest.mark.parametrize(
    ("n_images", "problem"), [(2, []), (1, ["2 images are expected, 1 found: two chips"])]
)
def test_a_missing_detector_is_a_problem(tmp_path: Path, n_images: int, problem: list[str]) -> None:
    path = write(tmp_path / "a.fits", *[image("int32", 0, 0)] * n_images)
    assert problems(path, Expected(counts=(ImageCount(2, None, "two chips"),))) == problem


def test_the_first_count_that_applies_is_the_one(tmp_path: Path) -> None:
    def count(number: int, when: str) -> ImageCount:
        return ImageCount(number, parse_expression(when, "test"), f"it has {number}")

    counts = count(1, 'INS.PATH == "BLUE"'), count(2, 'INS.PATH == "RED"')
    path = write(tmp_path / "a.fits", image("int32", 0, 0), INS_PATH="RED")
    assert problems(path, Expected(counts=counts)) == ["2 images are expected, 1 found: it has 2"]
    path = write(tmp_path / "b.fits", image("int32", 0, 0), INS_PATH="BLUE")
    assert problems(path, Expected(counts=counts)) == []
    path = write(tmp_path / "c.fits", image("int32", 0, 0))
    assert problems(path, Expected(counts=counts)) == []


def test_images_that_no_detector_made_are_left_alone(tmp_path: Path) -> None:
    guide = fits.ImageHDU(np.zeros((9, 8), "int16"), name="GUIDE")
    path = write(tmp_path / "a.fits", image("int32", 0, 0), guide)
    rules = (condition("NAXIS1 == 100"),)
    expected = Expected(("CHIP*",), (ImageCount(1, None, "one chip"),), rules)
    assert problems(path, expected) == []
    assert problems(path, Expected(("CCD*",))) == ["no image has a name of a detector: CCD*"]


def test_an_image_of_another_size_than_its_window_is_told_with_both(tmp_path: Path) -> None:
    expected = Expected(sizes=(condition("NAXIS1 == DET.WIN.NX"), condition("NAXIS2 == DET.WIN.NY")))
    path = write(tmp_path / "a.fits", image("int32", 0, 0), DET_WIN_NX=128, DET_WIN_NY=100)
    assert problems(path, expected) == [
        "CHIP1: an image is as wide as its window, but NAXIS1 is 100, DET.WIN.NX is 128 "
        "(NAXIS1 == DET.WIN.NX is not true)"
    ]


def test_keys_of_the_image_win_over_those_of_the_file(tmp_path: Path) -> None:
    hdu = fits.ImageHDU(image("int32", 0, 0), name="CHIP1")
    hdu.header["HIERARCH ESO DET WIN NX"] = 100
    path = write(tmp_path / "a.fits", hdu, DET_WIN_NX=128)
    assert problems(path, Expected(sizes=(condition("NAXIS1 == DET.WIN.NX"),))) == []


def test_a_condition_without_all_its_keys_is_not_looked_at(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", image("int32", 0, 0), DET_WIN_NX=128)
    rule = condition("NAXIS1 == DET.WIN.NX * DET.WIN.BINX")
    assert problems(path, Expected(sizes=(rule,))) == []


def test_a_compressed_image_has_the_size_of_its_pixels(tmp_path: Path) -> None:
    hdus = [fits.PrimaryHDU(), fits.CompImageHDU(image("int32", 0, 0), name="CHIP1")]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    assert problems(tmp_path / "a.fits", Expected(sizes=(condition("NAXIS1 == 100"),))) == []
    (problem,) = problems(tmp_path / "a.fits", Expected(sizes=(condition("NAXIS1 == 8"),)))
    assert problem.startswith("CHIP1: an image is as wide as its window, but NAXIS1 is 100")


def test_a_truncated_frame_is_told_as_such_and_not_looked_at_further(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", np.zeros((100, 100), "int32"))
    path.write_bytes(path.read_bytes()[:-9000])
    (problem,) = problems(path)
    assert problem.startswith("the file is truncated")
    assert read_header(path).is_truncated
