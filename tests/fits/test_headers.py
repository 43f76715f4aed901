"""One reader of headers: it takes what real files hold, and refuses with a reason what is no FITS file."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import psutil
import pytest
from astropy.io import fits

from qcbench.core.errors import FrameError
from qcbench.fits import read_header, short_key
from tests.fits.frames import BLOCK, set_card, write_frame


def test_keys_have_their_short_names_and_plain_values(tmp_path: Path) -> None:
    path = write_frame(tmp_path / "a.fits", OBJECT="DARK   ", FLAG=True, N=3)
    keys = read_header(path).keys
    assert (keys["DET.DIT"], keys["MJD-OBS"], keys["OBJECT"], keys["FLAG"], keys["N"]) == (
        10.0, 58858.9, "DARK", True, 3
    )  # fmt: skip
    assert short_key("ESO INS FILT1 NAME") == "INS.FILT1.NAME"


def test_extensions_have_names_and_shapes_rows_first(tmp_path: Path) -> None:
    header = read_header(write_frame(tmp_path / "a.fits"))
    assert [(hdu.name, hdu.shape, hdu.is_image) for hdu in header.hdus] == [
        ("PRIMARY", (), True), ("CHIP1", (4, 25), True), ("CHIP2", (4, 25), True)
    ]  # fmt: skip
    assert (header.size, header.expected_size, header.is_truncated) == (5 * BLOCK, 5 * BLOCK, False)


def test_odd_cards_make_no_file_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    primary = fits.PrimaryHDU()
    for key in ("TWICE", "NOVALUE", "BROKEN", "HUGE"):
        primary.header[key] = 1
    primary.header["LONG"] = "x" * 200
    primary.header["HIERARCH ESO QC VERY LONG NAME"] = 2.5
    primary.header["HISTORY"] = "made by hand"
    primary.header.append(("TWICE", 2), bottom=True)
    primary.writeto(path)
    set_card(path, "NOVALUE", "NOVALUE =")
    set_card(path, "BROKEN", "BROKEN  = 12 34 'x")
    set_card(path, "HUGE", "HUGE    = 1E400")
    keys = read_header(path).keys
    assert (keys["TWICE"], keys["LONG"], keys["QC.VERY.LONG.NAME"]) == (1, "x" * 200, 2.5)
    assert {"NOVALUE", "BROKEN", "HUGE", "HISTORY", "CONTINUE"}.isdisjoint(keys)


def test_the_hash_is_that_of_the_headers_not_of_the_pixels(tmp_path: Path) -> None:
    path = write_frame(tmp_path / "a.fits", checksum=False)
    first = read_header(path)
    content = bytearray(path.read_bytes())
    content[2 * BLOCK] ^= 1
    path.write_bytes(content)
    assert read_header(path).sha256 == first.sha256
    set_card(path, "ARCFILE", "ARCFILE = 'OTHER.fits'")
    assert read_header(path).sha256 != first.sha256


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not a readable FITS file"),
        (b"garbage" * 1000, "it starts with b'garbage"),
        (gzip.compress(b"SIMPLE  =" + b" " * 5000, mtime=0), "it is compressed"),
        (b"SIMPLE  =                    T", "not a readable FITS file"),
        (b"SIMPLE  =" + b"\xff\x00" * 3000, "not a readable FITS file"),
    ],
)
def test_what_is_no_fits_file_is_refused_with_its_name(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "a.fits").write_bytes(content)
    with pytest.raises(FrameError, match=problem) as error:
        read_header(tmp_path / "a.fits")
    assert error.value.path == tmp_path / "a.fits"


def test_a_folder_a_pipe_and_nothing_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, problem in (
        (tmp_path, "no regular file"), (tmp_path / "pipe", "no regular file"), (tmp_path / "no", "no such file")
    ):  # fmt: skip
        with pytest.raises(FrameError, match=problem):
            read_header(path)


@pytest.mark.parametrize(
    "card", ["BITPIX  = 'abc'", "NAXIS   = 'abc'", "NAXIS1  = 'abc'", "NAXIS1  =", "PCOUNT  = 'x'"]
)
def test_a_broken_structure_is_an_error_of_the_frame(tmp_path: Path, card: str) -> None:
    path = set_card(write_frame(tmp_path / "a.fits"), card.split()[0], card, after=BLOCK)
    with pytest.raises(FrameError, match=r"a\.fits: not a readable FITS file"):
        read_header(path)


def test_no_file_stays_open(tmp_path: Path) -> None:
    good = write_frame(tmp_path / "a.fits")
    bad = set_card(write_frame(tmp_path / "b.fits"), "NAXIS1", "NAXIS1  = 'abc'", after=BLOCK)
    before = len(psutil.Process().open_files())
    for _ in range(5):
        read_header(good)
        with pytest.raises(FrameError):
            read_header(bad)
    assert len(psutil.Process().open_files()) == before


@pytest.mark.real
def test_real_frames_of_efosc2_are_read(real_data: Path) -> None:
    headers = [read_header(path) for path in sorted((real_data / "efosc2-pessto").glob("*.fits"))]
    assert len(headers) == 8
    assert {str(header.keys["INS.FILT1.NAME"]) for header in headers} == {
        "B#639", "V#641", "R#642", "i#705", "OG530", "GG495"
    }  # fmt: skip
    for header in headers:
        assert str(header.keys["ARCFILE"]).startswith("EFOSC.2012-")
        assert header.size == header.expected_size
        assert header.hdus[0].shape == (header.keys["NAXIS2"], header.keys["NAXIS1"])
