"""QC0: the integrity of a frame, checked by the workbench itself before any recipe sees it.

Recipes accept frames with missing keywords and rotten pixels and end well.
Source: QC handbook (VLT-SPE-ESO-19600-3986), section 6.1.1, second component.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from astropy.utils.exceptions import AstropyUserWarning

from qcbench.core.errors import FrameError
from qcbench.fits.data import REMARKS, WrongSum, ones_sum, pieces, wrong_sum
from qcbench.fits.expected import ANYTHING, Expected, check_images, name_of
from qcbench.fits.hdus import FileHeader, HduHeader, Keys
from qcbench.fits.headers import unpacked
from qcbench.fits.pixels import (
    PIXEL_TYPES,
    Census,
    Scale,
    check_census,
    scale_of,
    stored_pixels,
    unpacked_pixels,
)
from qcbench.fits.scan import Scanner

MJD_END = 100_000.0
# what astropy and the decompressors raise on rotten pixels
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    RuntimeError,
    VerifyError,
    zlib.error,
)
ALWAYS_NEEDED = ("ARCFILE", "MJD-OBS")


def check_keys(keys: Keys, required: Iterable[str]) -> list[str]:
    """Return what is wrong with the keys of a primary header, in words; nothing if all is well."""
    problems = [f"key {key} is missing" for key in required if keys.get(key, "") == ""]
    for key in ("MJD-OBS", "EXPTIME"):
        value = keys.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            problems.append(f"key {key} is not a number: {value!r}")
        elif key == "MJD-OBS" and value is not None and not 0 < value < MJD_END:
            problems.append(f"key {key} is no time of this age: {value!r}")
    return problems


def check_structure(header: FileHeader) -> list[str]:
    """Return what the headers alone say against a file: cut short, or without any pixel."""
    if header.is_truncated:
        return [f"the file is truncated: {header.size} of {header.expected_size} bytes"]
    if header.size > header.expected_size:
        extra = header.size - header.expected_size
        return [f"{extra} bytes at the end belong to no HDU: the file is cut in a header, or damaged"]
    if not any(hdu.is_image and hdu.shape for hdu in header.hdus):
        return ["the file has no image"]
    odd = [hdu for hdu in header.hdus if hdu.layout.bitpix not in PIXEL_TYPES]
    return [f"{name_of(hdu)} has pixels of no kind: BITPIX {hdu.layout.bitpix}" for hdu in odd]


@dataclass(frozen=True)
class Findings:
    """What QC0 has to say of a frame: problems forbid its use, remarks don't."""

    problems: tuple[str, ...]
    remarks: tuple[str, ...]


def check_frame(
    path: Path, required: Iterable[str], expected: Expected = ANYTHING, scanner: Scanner | None = None
) -> Findings:
    """Check a frame: its structure, its keys, its images, and its pixels against DATASUM and CHECKSUM.

    Where the pixels agree with DATASUM but the HDU not with CHECKSUM, cards were edited after the sum was made, as
    archives and observers do: that is a remark. Rotten pixels are not looked at further.
    A `scanner` that has read the like before is faster.

    Raises
    ------
    FrameError
        The file is not readable as FITS at all.
    """
    stored = (scanner or Scanner()).scan(path)
    header = unpacked(stored)
    broken = check_structure(header)
    wrong, odd = ([], []) if header.is_truncated else _check_data(stored, header, expected, broken)
    remarks = [f"{item.hdu} has {item.what}" for item in wrong if item.what in REMARKS]
    sums = [f"{item.hdu} does not agree with its {item.what}" for item in wrong if item.what not in REMARKS]
    problems = [*broken, *check_keys(header.keys, required), *sums]
    if not broken:
        problems += check_images(header, expected)
        problems += [] if sums else odd
    return Findings(tuple(problems), tuple(remarks))


def _check_data(
    stored: FileHeader, header: FileHeader, expected: Expected, broken: Sequence[str]
) -> tuple[list[WrongSum], list[str]]:
    """Read a file once; return the sums that are wrong, and what is wrong with pixels whose sums are right."""
    images = {} if broken else expected.images(header)
    wrong: list[WrongSum] = []
    odd: list[str] = []
    packed = []
    try:
        with stored.path.open("rb") as file:
            for number, hdu in enumerate(stored.hdus):
                image = images.get(number)
                looked_at = image if image and not hdu.layout.is_packed else None
                total, census, scale = _read_data(file, stored, hdu, looked_at, expected)
                if what := wrong_sum(file, hdu, total):
                    wrong.append(WrongSum(name_of(header.hdus[number]), what))
                if looked_at:
                    odd += check_census(census, scale, name_of(looked_at), expected)
                elif image:
                    packed.append(number)
        if packed and all(item.what in REMARKS for item in wrong):
            odd += _check_packed(header, packed, expected)
    except _UNREADABLE as err:
        problem = f"its pixels can't be read ({err})"
        raise FrameError(stored.path, problem, "Have it transferred again") from err
    return wrong, odd


def _read_data(
    file: BinaryIO, stored: FileHeader, hdu: HduHeader, image: HduHeader | None, expected: Expected
) -> tuple[int, Census, Scale]:
    """Return the sum of the data of an HDU, and the census of its pixels if it is an image to look at."""
    total, census, scale = 0, Census(), scale_of(image.keys) if image else Scale()
    left = hdu.layout.length or 0
    for piece in pieces(file, stored, hdu):
        total = ones_sum(piece, total)
        if image:
            pixels = stored_pixels(piece[:left], image.layout.bitpix)
            census = census.with_piece(pixels, scale, expected.saturation)
            left -= len(piece)
    return total, census, scale


def _check_packed(header: FileHeader, numbers: Iterable[int], expected: Expected) -> Iterator[str]:
    """Say what is wrong with the pixels of compressed images."""
    with warnings.catch_warnings():
        # what is odd in the headers was told by then
        warnings.simplefilter("ignore", AstropyUserWarning)
        with fits.open(header.path, memmap=False, do_not_scale_image_data=True) as hdus:
            for number in numbers:
                image = header.hdus[number]
                census, scale = Census(), scale_of(image.keys)
                for pixels in unpacked_pixels(hdus[number]):
                    census = census.with_piece(pixels, scale, expected.saturation)
                yield from check_census(census, scale, name_of(image), expected)
