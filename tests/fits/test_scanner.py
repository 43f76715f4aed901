"""The scanner says of each header what astropy says, and of a corrupted one something, or that it is unreadable."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from qcbench.core.errors import FrameError
from qcbench.fits import HeaderReader, read_header
from tests.fits.frames import BLOCK, set_card, write_frame
from tests.fits.reference import by_astropy, by_scanner

NAMES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", min_size=1, max_size=8).filter(
    lambda name: (
        name not in ("END", "COMMENT", "HISTORY", "CONTINUE", "SIMPLE", "EXTEND", "HIERARCH")
        and not name.startswith(
            ("NAXIS", "BITPIX", "XTENSION", "PCOUNT", "GCOUNT", "GROUPS", "BLANK", "B", "EXT")
        )
    )
)
WORDS = st.text("ABCXYZ019", min_size=1, max_size=6)
HIERARCH = st.lists(WORDS, min_size=2, max_size=4).map(lambda words: "HIERARCH ESO " + " ".join(words))
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=150)
VALUES = st.one_of(
    PRINTABLE,
    st.booleans(),
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "'", "''", "it's", "a / b", "AXIS.1: 2", "&", "T", "1.0"]),
    st.none(),
)
CARDS = st.lists(st.tuples(st.one_of(NAMES, HIERARCH), VALUES, PRINTABLE), max_size=12)


def filled(hdu: fits.PrimaryHDU | fits.ImageHDU, cards: list[tuple[str, object, str]]) -> None:
    for key, value, comment in cards:
        # astropy can't write every long value under a long key
        if not (key.startswith("HIERARCH") and len(str(value)) > 30):
            hdu.header.append((key, value, comment[:20]), end=True)


@settings(max_examples=60, deadline=None)
@given(primary=CARDS, extension=CARDS, remarks=st.lists(PRINTABLE, max_size=3))
def test_what_astropy_writes_is_read_as_astropy_reads_it(primary, extension, remarks):
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "a.fits"
        image = fits.ImageHDU(np.zeros((3, 5), np.int16), name="CHIP1")
        hdus = fits.HDUList([fits.PrimaryHDU(), image])
        hdus[0].header["EXTEND"] = True
        filled(hdus[0], primary)
        filled(image, extension)
        for remark in remarks:
            hdus[0].header.add_history(remark)
        hdus.writeto(path, output_verify="ignore")
        assert by_scanner(read_header(path)) == by_astropy(path)


@settings(max_examples=30, deadline=None)
@given(frames=st.lists(st.tuples(st.integers(0, 99), VALUES, st.booleans()), min_size=2, max_size=5))
def test_frame_after_frame_is_read_as_if_it_were_the_first(frames):
    reader = HeaderReader()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, (count, value, is_dark) in enumerate(frames):
            path = write_frame(Path(folder) / f"{number}.fits", N=count, DARK=is_dark, OBJECT="x")
            with fits.open(path, mode="update") as hdus:
                hdus[0].header["OBJECT"] = value if len(str(value)) < 60 else "long"
                hdus[0].header["N" if count % 2 else "M"] = (count, "one key or another in one place")
            assert by_scanner(reader.read(path)) == by_astropy(path)


FORMS = st.one_of(
    st.from_regex(r"[+-]?[0-9]{1,20}(\.[0-9]{0,17})?(E[+-]?[0-9]{1,3})?", fullmatch=True),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: repr(value).upper()),
    st.integers(-(2**66), 2**66).map(str),
    st.sampled_from(["-0", "-0.0", "007", "5.", ".5", "1.E5", "1e5", "1D5", "- 5", "1_0", "1E400", "1E-400", "0x1"]),
    st.sampled_from(["nan", "inf", "NaN", "Infinity", "-Infinity", "null", "true", "T", "'1.5'", "5\t", "5\0", ""]),
    st.sampled_from(["1, 2", "[1", "2]", "'a", "b'", '"a', 'b"', "{", "}"]),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    files=st.lists(st.tuples(FORMS, FORMS, FORMS, st.sampled_from(["/", " / a", ""])), min_size=3, max_size=6)
)
def test_numbers_that_change_from_frame_to_frame_are_read_as_in_a_first_frame(files):
    reader = HeaderReader()
    with tempfile.TemporaryDirectory() as folder:
        start = write_frame(Path(folder) / "start.fits", A=1, **{f"FILL{i}": i for i in range(20)})
        content = start.read_bytes()
        for number, (first, second, third, tail) in enumerate([("1", "2", "3", "/"), *files]):
            values = (
                ("A", first, "/"),
                ("FILL1", second, "/"),
                ("FILL2", third, tail),
                ("FILL19", first, tail),
            )
            path = Path(folder) / f"{number}.fits"
            path.write_bytes(content)
            for key, value, end in values:
                set_card(path, key, f"{key:<8}= {value:>20} {end}")
            ours, fresh = dict(reader.read(path).keys), dict(read_header(path).keys)
            assert ours == fresh
            assert {key: type(value) for key, value in ours.items()} == {
                key: type(value) for key, value in fresh.items()
            }


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("FILL1   =                    1 / a", "FILL1   =55 / the blank is gone"),
        ("FILL1   =                    1 / a", "FILL1   = 5"),
        ("FILL1   = 1".ljust(79) + "2", "FILL1   = 3".ljust(79) + "4"),
        ("HIERARCH ESO A B = 1 / a", "HIERARCH ESO A B= 25 / a"),
        ("HIERARCH ESO A B = 1 / a", "HIERARCH ESO A C = 25 / a"),
        ("COMMENT  one", "CONTINUE  'two'"),
        ("FILL1   = 'a&'", "FILL1   = 5 / a number"),
        ("FILL1   = 5 / a number", "FILL1   = 'a / b'"),
        ("FILL1   = 5 / a number", "COMMENT = 5 / a number"),
    ],
)
def test_a_card_that_takes_another_form_is_read_as_in_a_first_frame(tmp_path, first, second):
    reader = HeaderReader()
    for number, card in enumerate([first, first.replace("1", "7"), second, first, second]):
        path = write_frame(tmp_path / f"{number}.fits", **{f"FILL{i}": i for i in range(20)})
        set_card(path, "FILL1", card)
        assert dict(reader.read(path).keys) == dict(read_header(path).keys)


@settings(max_examples=150, deadline=None)
@given(
    cut=st.integers(0, 5 * BLOCK),
    flips=st.lists(st.tuples(st.integers(0, 5 * BLOCK - 1), st.integers(0, 255)), max_size=8),
    is_cut=st.booleans(),
)
def test_a_corrupted_file_gives_a_result_or_a_reason(cut, flips, is_cut):
    with tempfile.TemporaryDirectory() as folder:
        path = write_frame(Path(folder) / "a.fits")
        content = bytearray(path.read_bytes())
        for place, byte in flips:
            content[place] = byte
        path.write_bytes(content[:cut] if is_cut else content)
        try:
            header = read_header(path)
        except FrameError:
            return
        assert header.size == path.stat().st_size
        assert all(len(line) == 80 for line in header.text.splitlines())
        assert all(hdu.keys is not None for hdu in header.hdus)


@pytest.mark.parametrize(
    "card",
    [
        "ODD     = 1.5D3", "ODD     = (1.0, 2.0)", "ODD     = - 5", "hierarch ESO A B = 5", "odd     = 5",
        "ODD     =", "ODD     = ''", "ODD     = 'a''b'", "ODD     = word", "ODD     =5", "ODD= 5", "ODD     = .5",
        "HIERARCH ESO  A  B = 5", "HIERARCH ESO A B= 'x'/c", "DP1     = 'AXIS.1: 2'", "ODD     = 007", "= 5", "ODD 5",
        "ODD     = 'unfinished", "ODD     = 1_000", "ODD     = nan", "ODD     = 12345678901234567890123",
        "ENDER   = 1",
    ],
)  # fmt: skip
def test_an_odd_card_has_the_value_that_astropy_reads(tmp_path: Path, card: str) -> None:
    path = set_card(write_frame(tmp_path / "a.fits", CARD1=1), "CARD1", card)
    ours, theirs = by_scanner(read_header(path)), by_astropy(path)
    assert [item[3] for item in ours[0]] == [item[3] for item in theirs[0]]


def test_bytes_that_are_no_ascii_become_question_marks(tmp_path: Path) -> None:
    path = set_card(write_frame(tmp_path / "a.fits", CARD1=1), "CARD1", "CARD1   = 'M\xfcnchen'")
    assert read_header(path).keys["CARD1"] == "M?nchen"
    assert read_header(path).keys == by_astropy(path)[0][0][3]


@pytest.mark.parametrize("end", ["END\0", "END /", "END\t"])
def test_an_end_card_that_is_not_blank_ends_the_header(tmp_path: Path, end: str) -> None:
    path = write_frame(tmp_path / "a.fits")
    content = path.read_bytes()
    at = content.index(b"END" + b" " * 77)
    path.write_bytes(content[:at] + end.encode() + content[at + len(end) :])
    assert [hdu.name for hdu in read_header(path).hdus] == ["PRIMARY", "CHIP1", "CHIP2"]


@pytest.mark.parametrize(
    "card",
    [
        "NAXIS   = 1000",
        "NAXIS   = -1",
        "NAXIS1  = -5",
        "NAXIS1  = 999999999999999999",
        "PCOUNT  = -1",
        "NAXIS   = T",
    ],
)
def test_an_absurd_structure_is_refused(tmp_path: Path, card: str) -> None:
    path = set_card(write_frame(tmp_path / "a.fits"), card.split()[0], card, after=BLOCK)
    with pytest.raises(FrameError, match=r"not a readable FITS file \(header at byte 2880: "):
        read_header(path)


def test_a_header_of_many_megabytes_is_refused(tmp_path: Path) -> None:
    start = write_frame(tmp_path / "a.fits").read_bytes()[:160]
    (tmp_path / "a.fits").write_bytes(start + b"HISTORY on and on".ljust(80) * 120_000)
    with pytest.raises(FrameError, match="has no END"):
        read_header(tmp_path / "a.fits")


def test_a_compressed_image_is_the_image_that_it_holds(tmp_path: Path) -> None:
    image = fits.CompImageHDU(np.zeros((30, 40), np.int16), name="PACKED")
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(tmp_path / "a.fits")
    assert by_scanner(read_header(tmp_path / "a.fits")) == by_astropy(tmp_path / "a.fits")


def test_a_table_is_no_image(tmp_path: Path) -> None:
    table = fits.BinTableHDU.from_columns(
        [fits.Column("a", "PD()", array=np.array([[1.0], [2.0, 3.0]], object))]
    )
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "a.fits")
    assert by_scanner(read_header(tmp_path / "a.fits")) == by_astropy(tmp_path / "a.fits")


@pytest.mark.real
def test_real_files_are_read_as_astropy_reads_them(real_data: Path) -> None:
    paths = sorted(
        [*(real_data / "efosc2-pessto").glob("*.fits"), *(real_data / "muse-musered").glob("*.fits")]
    )
    assert len(paths) == 9
    reader = HeaderReader()
    for path in paths:
        ours, theirs = by_scanner(reader.read(path)), by_astropy(path)
        assert [item[:4] for item in ours[0]] == [item[:4] for item in theirs[0]]
        assert ours[1] == theirs[1]
