"""QC0: the integrity of a frame, checked by the workbench itself before any recipe sees it.

Recipes accept frames with missing keywords and rotten pixels and end well.
Source: QC handbook (VLT-SPE-ESO-19600-3986), section 6.1.1, second component.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from astropy.utils.exceptions import AstropyUserWarning

from qcbench.core.errors import FrameError
from qcbench.fits.expected import ANYTHING, Expected, check_images, name_of
from qcbench.fits.hdus import FileHeader, Keys
from qcbench.fits.headers import read_header
from qcbench.fits.pixels import check_pixels

MJD_END = 100_000.0
PIXEL_TYPES = frozenset({8, 16, 32, 64, -32, -64})
EDITED = "cards that were edited after its CHECKSUM was made"
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


def check_frame(path: Path, required: Iterable[str], expected: Expected = ANYTHING) -> Findings:
    """Check a frame: its structure, its keys, its images, and its pixels against DATASUM and CHECKSUM.

    Where the pixels agree with DATASUM but the HDU not with CHECKSUM, cards were edited after the sum was made, as
    archives and observers do: that is a remark. Rotten pixels are not looked at further.

    Raises
    ------
    FrameError
        The file is not readable as FITS at all.
    """
    header = read_header(path)
    broken = check_structure(header)
    wrong = [] if header.is_truncated else _check_sums(path)
    remarks = [f"{name} has {what}" for name, what in wrong if what == EDITED]
    sums = [f"{name} does not agree with its {what}" for name, what in wrong if what != EDITED]
    problems = [*broken, *check_keys(header.keys, required), *sums]
    if not broken:
        problems += check_images(header, expected)
        problems += [] if sums else _check_pixels(header, expected)
    return Findings(tuple(problems), tuple(remarks))


def _check_pixels(header: FileHeader, expected: Expected) -> list[str]:
    """Return what is wrong with the pixels of the images, one HDU after the other."""
    problems: list[str] = []
    with _opened(header.path) as hdus:
        for number, image in expected.images(header).items():
            try:
                problems += check_pixels(header.path, hdus[number], name_of(image), expected)
            except _UNREADABLE as err:
                raise _unreadable(header.path, err) from err
    return problems


@contextmanager
def _opened(path: Path, **options: bool) -> Iterator[fits.HDUList]:
    """Open a file with its pixels as they are stored; what is odd in its headers was told by then."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)
        with fits.open(path, memmap=False, do_not_scale_image_data=True, **options) as hdus:
            yield hdus


def _check_sums(path: Path) -> list[tuple[str, str]]:
    """Return the HDUs that do not agree with a sum, each with the key of the sum or EDITED."""
    wrong = []
    # the sums of a compressed image are those of the table that it is in the file
    with _opened(path, disable_image_compression=True) as hdus:
        for hdu in hdus:
            if what := _wrong_sum(path, hdu):
                wrong.append((hdu.name or "the primary HDU", what))
    return wrong


def _wrong_sum(path: Path, hdu: Any) -> str | None:
    """Return the key of the sum that an HDU does not agree with, or EDITED; None if all is well."""
    try:
        # 0: the sum is there and wrong; 1: it is right; 2: there is none
        pixels = hdu.verify_datasum()
        if pixels == 0:
            return "DATASUM"
        if hdu.verify_checksum() != 0:
            return None
        return EDITED if pixels == 1 else "CHECKSUM"
    except (ValueError, VerifyError):
        # a sum that is no number
        return "DATASUM or CHECKSUM"
    except (KeyError, TypeError, OSError) as err:
        raise _unreadable(path, err) from err


def _unreadable(path: Path, err: Exception) -> FrameError:
    return FrameError(path, f"its pixels can't be read ({err})", "Have it transferred again")
