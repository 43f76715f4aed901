"""The data of HDUs as they are in the file: read in pieces, summed and hashed.

A frame is read once for its sums and its pixels, so this is not left to a library that opens it for each.
Source of the sums: FITS standard 4.0, section 4.4.2.7 and appendix J.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from qcbench.fits.cards import CARD
from qcbench.fits.hdus import FileHeader, HduHeader
from qcbench.fits.scan import BLOCK, Scanner, whole_blocks

PIECE = 2912 * BLOCK  # bytes: whole blocks, and whole pixels of every kind
ALL_ONES = 0xFFFF_FFFF
EDITED = "cards that were edited after its CHECKSUM was made"
UNSIGNED = "a DATASUM, but no CHECKSUM of its cards"
# what says nothing against the data
REMARKS = frozenset({EDITED, UNSIGNED})


def pieces(file: BinaryIO, header: FileHeader, hdu: HduHeader) -> Iterator[bytes]:
    """Give the data of an HDU in pieces, up to the end of its last block.

    Raises
    ------
    OSError
        The file has become shorter, or can't be read.
    """
    length = hdu.layout.length
    left = header.size - hdu.data_at if length is None else whole_blocks(length)
    file.seek(hdu.data_at)
    while left > 0:
        piece = file.read(min(left, PIECE))
        if not piece:
            raise OSError("the file has become shorter")
        left -= len(piece)
        yield piece


def ones_sum(content: bytes, before: int = 0) -> int:
    """Return the 32-bit ones' complement sum of whole words, on top of what was summed before."""
    total = int(np.frombuffer(content, ">u4").sum(dtype=np.uint64)) + before
    while total > ALL_ONES:
        total = (total & ALL_ONES) + (total >> 32)
    return total


@dataclass(frozen=True)
class WrongSum:
    """An HDU that does not agree with a sum: the key of the sum, or one of the `REMARKS`."""

    hdu: str
    what: str


def wrong_sum(file: BinaryIO, hdu: HduHeader, data_sum: int) -> str | None:
    """Return the key of the sum that an HDU does not agree with, or one of the `REMARKS`; None if all is well.

    Parameters
    ----------
    data_sum : int
        Ones' complement sum of its data.
    """
    given = str(hdu.keys.get("DATASUM", "")).strip()
    if given and not (given.isdecimal() and int(given) == data_sum):
        return "DATASUM"
    if not _has_card(hdu.cards, b"CHECKSUM="):
        return UNSIGNED if given else None
    # a card that can't be read is one that is wrong
    if hdu.keys.get("CHECKSUM", "?") in ("", None):
        return None
    length = whole_blocks(len(hdu.cards) + CARD)
    file.seek(hdu.data_at - length)
    if ones_sum(file.read(length), data_sum) in (0, ALL_ONES):
        return None
    return EDITED if given else "CHECKSUM"


def _has_card(cards: bytes, start: bytes) -> bool:
    at = cards.find(start)
    while at >= 0 and at % CARD:
        at = cards.find(start, at + 1)
    return at >= 0


def data_hash(path: Path, scanner: Scanner | None = None) -> str:
    """Return a SHA-256 of the data of all HDUs as they are in the file: the same data, the same hash.

    A `scanner` that has read the like before is faster.

    Raises
    ------
    FrameError
        It is not readable as FITS.
    OSError
        It can't be read to its end.
    """
    digest = hashlib.sha256()
    header = (scanner or Scanner()).scan(path)
    with path.open("rb") as file:
        for hdu in header.hdus:
            for piece in pieces(file, header, hdu):
                digest.update(piece)
    return digest.hexdigest()
