"""QC0 finds what recipes would accept: missing keys, cut files, rotten pixels."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from qcbench.core.errors import FrameError
from qcbench.fits import check_frame, check_keys
from qcbench.fits.qc0 import ALWAYS_NEEDED
from tests.fits.frames import BLOCK, set_card, write_frame


def problems(path: Path) -> list[str]:
    return list(check_frame(path, ALWAYS_NEEDED).problems)


def test_a_good_frame_has_no_problem(tmp_path: Path) -> None:
    before = len(psutil.Process().open_files())
    assert check_frame(write_frame(tmp_path / "a.fits"), (*ALWAYS_NEEDED, "DET.DIT")).problems == ()
    assert len(psutil.Process().open_files()) == before


def test_a_frame_without_sums_is_taken_as_it_is(tmp_path: Path) -> None:
    assert check_frame(write_frame(tmp_path / "a.fits", checksum=False), ALWAYS_NEEDED).problems == ()


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({}, "key MJD-OBS is missing"),
        ({"MJD-OBS": ""}, "key MJD-OBS is missing"),
        ({"MJD-OBS": "58858.9"}, "key MJD-OBS is not a number: '58858.9'"),
        ({"MJD-OBS": True}, "key MJD-OBS is not a number: True"),
        ({"MJD-OBS": 1e300}, "key MJD-OBS is no time of this age: 1e+300"),
        ({"MJD-OBS": -1.0}, "key MJD-OBS is no time of this age: -1.0"),
        ({"MJD-OBS": 58858.9, "EXPTIME": "ten"}, "key EXPTIME is not a number: 'ten'"),
    ],
)
def test_a_key_that_is_missing_or_of_the_wrong_kind_is_named(keys: dict[str, object], problem: str) -> None:
    assert problem in check_keys(keys, ["MJD-OBS"])  # type: ignore[arg-type]


def test_zero_and_false_are_values() -> None:
    assert check_keys({"MJD-OBS": 58858, "EXPTIME": 0.0, "EXTEND": False, "N": 0}, ["EXTEND", "N"]) == []


@pytest.mark.parametrize("size", [5 * BLOCK - 1, 4 * BLOCK + 1, 4 * BLOCK, 2 * BLOCK + 7])
def test_a_frame_that_is_cut_in_its_pixels_is_truncated(tmp_path: Path, size: int) -> None:
    path = write_frame(tmp_path / "a.fits")
    path.write_bytes(path.read_bytes()[:size])
    (problem,) = problems(path)
    assert problem.startswith(f"the file is truncated: {size} of ")


@pytest.mark.parametrize("size", [3 * BLOCK + 80, 3 * BLOCK + 1000, 4 * BLOCK - 1, BLOCK + 1])
def test_a_frame_that_is_cut_in_the_header_of_an_extension_is_damaged(tmp_path: Path, size: int) -> None:
    path = write_frame(tmp_path / "a.fits")
    path.write_bytes(path.read_bytes()[:size])
    (problem,) = problems(path)
    assert problem.startswith(f"{size % BLOCK} bytes at the end belong to no HDU")


def test_rubbish_behind_the_last_hdu_is_told(tmp_path: Path) -> None:
    path = write_frame(tmp_path / "a.fits")
    path.write_bytes(path.read_bytes() + b"rubbish")
    assert problems(path) == ["7 bytes at the end belong to no HDU: the file is cut in a header, or damaged"]


def test_a_file_without_image_is_no_frame(tmp_path: Path) -> None:
    table = fits.BinTableHDU.from_columns([fits.Column("a", "D", array=[1.0])])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "a.fits")
    assert check_frame(tmp_path / "a.fits", []).problems == ("the file has no image",)


def test_rotten_pixels_do_not_agree_with_their_sum(tmp_path: Path) -> None:
    path = write_frame(tmp_path / "a.fits")
    content = bytearray(path.read_bytes())
    content[2 * BLOCK + 7] ^= 4
    path.write_bytes(content)
    assert problems(path) == ["CHIP1 does not agree with its DATASUM"]


@settings(max_examples=150, deadline=None)
@given(bit=st.integers(0, 5 * BLOCK * 8 - 1))
def test_one_bit_that_fell_over_anywhere_in_a_file_does_not_pass_unseen(bit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_frame(Path(folder) / "a.fits")
        content = bytearray(path.read_bytes())
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        try:
            found = check_frame(path, ALWAYS_NEEDED)
        except FrameError:
            return
        assert found.problems or found.remarks


def test_no_bit_of_the_card_of_a_checksum_falls_over_unseen(tmp_path: Path) -> None:
    path = write_frame(tmp_path / "a.fits")
    good = path.read_bytes()
    card = good.index(b"CHECKSUM=")
    for bit in range(card * 8, (card + 32) * 8):
        content = bytearray(good)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        with suppress(FrameError):
            found = check_frame(path, ALWAYS_NEEDED)
            assert found.problems or found.remarks, f"bit {bit - card * 8} of the card"


def test_a_sum_of_the_pixels_without_one_of_the_cards_is_remarked(tmp_path: Path) -> None:
    path = set_card(write_frame(tmp_path / "a.fits"), "CHECKSUM", "MJD-END = 58859.9")
    found = check_frame(path, ALWAYS_NEEDED)
    assert found.problems == ()
    assert found.remarks == ("PRIMARY has a DATASUM, but no CHECKSUM of its cards",)


def test_cards_that_were_edited_are_remarked_and_do_not_spoil_good_pixels(tmp_path: Path) -> None:
    path = set_card(write_frame(tmp_path / "a.fits"), "MJD-OBS", "MJD-OBS = 58859.9")
    found = check_frame(path, ALWAYS_NEEDED)
    assert found.problems == ()
    assert found.remarks == ("PRIMARY has cards that were edited after its CHECKSUM was made",)


def test_without_a_sum_of_the_pixels_a_wrong_checksum_may_mean_rotten_pixels(tmp_path: Path) -> None:
    path = set_card(write_frame(tmp_path / "a.fits"), "DATASUM", "MJD-END = 58859.9")
    assert problems(path) == ["PRIMARY does not agree with its CHECKSUM"]


@pytest.mark.parametrize("card", ["DATASUM = 'abc'", "DATASUM = '1 2'"])
def test_a_sum_that_is_no_number_agrees_with_nothing(tmp_path: Path, card: str) -> None:
    path = set_card(write_frame(tmp_path / "a.fits"), card.split("=")[0].strip(), card)
    (problem,) = problems(path)
    assert problem.startswith("PRIMARY does not agree with its ")


def test_pixels_of_a_kind_that_there_is_not_are_no_pixels(tmp_path: Path) -> None:
    path = set_card(write_frame(tmp_path / "a.fits"), "BITPIX", "BITPIX  = 17", after=BLOCK)
    assert problems(path) == ["CHIP1 has pixels of no kind: BITPIX 17"]


@pytest.mark.real
def test_real_frames_whose_header_was_edited_are_usable_and_remarked(real_data: Path) -> None:
    folder = real_data / "efosc2-pessto"
    found = {path.name: check_frame(path, ALWAYS_NEEDED) for path in folder.glob("*.fits")}
    assert len(found) == 8
    assert not any(item.problems for item in found.values()), "their pixels are as they were"
    assert {name for name, item in found.items() if item.remarks} == {
        f"arc_{name}_56442_1.fits" for name in ("20120825_Gr13_GG495_slit1.0", "20120906_Gr13_GG495_slit1.5")
    }
