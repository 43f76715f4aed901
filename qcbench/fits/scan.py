"""The scanner of FITS files: finds all headers of a file, block by block, and reads no pixel.

Source of the structure: FITS standard 4.0, sections 3.3, 4.4.1 and 7 (sizes of the data of primary HDUs,
random groups and extensions).
"""

from __future__ import annotations

import os
import stat
from bisect import bisect_left
from pathlib import Path

import numpy as np

from qcbench.core.errors import FrameError
from qcbench.fits.cards import CARD, CardMemo, Value, split
from qcbench.fits.hdus import FileHeader, HduHeader, Layout

BLOCK = 2880
_WINDOW = 23 * BLOCK
_LONGEST_HEADER = 1456 * BLOCK
_MOST_AXES = 999
_LARGEST_DATA = 2**60
_EXTENSION = b"XTENSION="

_START = b"SIMPLE  ="
_PACKED = (b"\x1f\x8b", b"\x1f\x9d", b"BZh", b"PK", b"\xfd7z")
_EN, _D = int.from_bytes(b"EN", "little"), ord("D")
_OF_KEYWORD = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_AGAIN = "Have it transferred again"
_ASCII = bytes(code if code < 128 else ord("?") for code in range(256))
# the mandatory cards of an extension with up to three axes, and one more
_FIRST_CARDS = 8 * CARD
_BEFORE_AXES = 3
_LAYOUTS = 256
_NOTHING = np.empty(0, np.uint16)


class Scanner:
    """Finds the HDUs of files; what files have in common is read once."""

    def __init__(self) -> None:
        self._memo = CardMemo()
        self._layouts: dict[bytes, Layout] = {}

    def scan(self, path: Path) -> FileHeader:
        """Find the HDUs of a file.

        What follows the last HDU and is no extension with a whole header is counted in `size` alone.

        Raises
        ------
        FrameError
            The file is not there, is not FITS (or compressed), or has a header that can't be read.
        """
        try:
            # a pipe would never answer otherwise
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as err:
            raise _not_opened(path, err) from err
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise FrameError(path, "not a readable FITS file (it is no regular file)")
            window = _Window(handle, status.st_size)
            _check_start(path, window.data)
            hdus, end = self._hdus(path, window)
        except OSError as err:
            raise FrameError(path, f"can't be read ({err.strerror})", _AGAIN) from err
        finally:
            os.close(handle)
        return FileHeader(path, tuple(hdus), window.size, end)

    def _hdus(self, path: Path, window: _Window) -> tuple[list[HduHeader], int]:
        """Return the HDUs of a file, and where they end."""
        hdus: list[HduHeader] = []
        offset = 0
        while not hdus or offset < window.size:
            cards = window.header(offset, _EXTENSION if hdus else _START)
            begin = 0 if cards is None else offset + whole_blocks(len(cards) + CARD)
            if cards is None or begin > window.size:
                if hdus:
                    break
                raise _unreadable(path, "its first header has no END, or is cut")
            if not cards.isascii():
                cards = cards.translate(_ASCII)
            try:
                hdu, length = self._extension(cards, begin) if hdus else self._primary(cards, begin)
            except _StructureError as err:
                raise _unreadable(path, f"header at byte {offset}: {err}") from err
            hdus.append(hdu)
            offset = begin + whole_blocks(window.size - begin if length is None else length)
        return hdus, offset

    def _primary(self, cards: bytes, data_at: int) -> tuple[HduHeader, int | None]:
        keys = self._memo.keys_of(cards)
        layout = _layout(keys, keys.get("SIMPLE"))
        name = str(keys.get("EXTNAME", "PRIMARY" if layout.is_image else ""))
        return HduHeader(name, layout, cards, data_at, self._memo, keys), layout.length

    def _extension(self, cards: bytes, data_at: int) -> tuple[HduHeader, int | None]:
        # mostly one of the same kind was there before: its other keys are read when they are asked for
        layout = self._layouts.get(cards[:_FIRST_CARDS])
        name = self._name_of(cards)
        if layout and name is not None:
            return HduHeader(name, layout, cards, data_at, self._memo), layout.length
        keys = self._memo.keys_of(cards)
        layout = _layout(keys, keys.get("XTENSION"))
        if _is_regular(cards, self._memo):
            if len(self._layouts) >= _LAYOUTS:
                self._layouts.clear()
            self._layouts[cards[:_FIRST_CARDS]] = layout
        return HduHeader(
            str(keys.get("EXTNAME", "")), layout, cards, data_at, self._memo, keys
        ), layout.length

    def _name_of(self, cards: bytes) -> str | None:
        """Return EXTNAME, empty where there is none; None if all cards are needed to tell it."""
        at = cards.find(b"EXTNAME")
        if at < 0:
            return ""
        key, name = self._memo[cards[at : at + CARD]]
        is_whole = at % CARD == 0 and not cards.startswith(b"CONTINUE", at + CARD)
        return str(name) if is_whole and key == "EXTNAME" else None


def _not_opened(path: Path, err: OSError) -> FrameError:
    if isinstance(err, FileNotFoundError | NotADirectoryError):
        return FrameError(path, "there is no such file")
    return FrameError(path, f"can't be read ({err.strerror})", "Make it readable for this user")


def _check_start(path: Path, start: bytes) -> None:
    """Refuse what can't be FITS: a packed file is not as it seems."""
    if start.startswith(_PACKED):
        raise FrameError(path, "not a readable FITS file (it is compressed)", "Uncompress it")
    if not start.startswith(_START):
        raise _unreadable(path, f"it starts with {start[: len(_START)]!r}")


def _unreadable(path: Path, problem: str) -> FrameError:
    return FrameError(path, f"not a readable FITS file ({problem})", _AGAIN)


class _Window:
    """A piece of an open file, from the start of an HDU on.

    Attributes
    ----------
    size : int
        Size of the file, bytes.
    data : bytes
        What was read.
    """

    def __init__(self, handle: int, size: int):
        self._handle = handle
        self.size = size
        self._load(0, _WINDOW)

    def header(self, offset: int, start: bytes) -> bytes | None:
        """Return the cards before END of the header at an offset; None if it starts otherwise, or has no END."""
        if not self._base <= offset <= self._base + len(self.data) - BLOCK:
            self._load(offset, _WINDOW)
        if not self.data.startswith(start, offset - self._base):
            return None
        while True:
            begin = offset - self._base
            if (at := bisect_left(self._ends, begin)) < len(self._ends):
                return self.data[begin : self._ends[at]]
            length = self._base + len(self.data) - offset
            if length >= _LONGEST_HEADER or self._base + len(self.data) >= self.size:
                return None
            self._load(offset, 4 * length)

    def _load(self, offset: int, length: int) -> None:
        self._base = offset
        self.data = data = os.pread(self._handle, length, offset)
        # headers start at blocks, so that all cards of the piece have one rhythm
        n_cards = len(data) // CARD
        heads = np.frombuffer(data, "<u2", n_cards * CARD // 2)[:: CARD // 2] if n_cards else _NOTHING
        found = ((heads == _EN).nonzero()[0] * CARD).tolist()
        self._ends = [at for at in found if data[at + 2] == _D and data[at + 3] not in _OF_KEYWORD]


def whole_blocks(length: int) -> int:
    return -(-length // BLOCK) * BLOCK


class _StructureError(Exception):
    """A header does not say what its data are."""


def _layout(keys: dict[str, Value], kind: Value | None) -> Layout:
    shape = _shape(keys)
    bitpix = _whole(keys, "BITPIX", None if shape else 8, low=None)
    is_image = kind is True or kind == "IMAGE"
    if kind is False:
        # SIMPLE = F: only its author knows what follows
        return Layout(shape, bitpix, is_image, is_packed=False, length=None)
    length = abs(bitpix) * _n_values(keys, shape) // 8
    if length > _LARGEST_DATA:
        raise _StructureError(f"it announces {length:.1e} bytes of data")
    is_packed = kind in ("BINTABLE", "A3DTABLE") and keys.get("ZIMAGE") is True
    return Layout(shape, bitpix, is_image, is_packed, length)


def _is_regular(cards: bytes, memo: CardMemo) -> bool:
    """Tell whether the first cards of an extension say all of an image, in the order of the standard."""
    found = [memo[image] for image in split(cards[:_FIRST_CARDS])]
    names = [key for key, _ in found]
    axes = found[2][1] if len(found) > _BEFORE_AXES - 1 else None
    if found[0] != ("XTENSION", "IMAGE") or not isinstance(axes, int):
        return False
    wanted = ["XTENSION", "BITPIX", "NAXIS", *(f"NAXIS{n}" for n in range(1, axes + 1)), "PCOUNT", "GCOUNT"]
    return names[: len(wanted)] == wanted


def _shape(keys: dict[str, Value]) -> tuple[int, ...]:
    n_axes = _whole(keys, "NAXIS", 0, high=_MOST_AXES)
    return tuple(_whole(keys, f"NAXIS{axis}", None) for axis in range(n_axes, 0, -1))


def _n_values(keys: dict[str, Value], shape: tuple[int, ...]) -> int:
    """Return how many values an HDU holds."""
    if not shape:
        return 0
    if keys.get("GROUPS") is True and shape[-1] == 0:
        # random groups: the first axis is 0 and says nothing
        shape = shape[:-1]
    n_values = _whole(keys, "PCOUNT", 0)
    product = 1
    for length in shape:
        product *= length
        if product > _LARGEST_DATA:
            raise _StructureError(f"its axes are too long: {shape[::-1]}")
    return _whole(keys, "GCOUNT", 1) * (n_values + product)


def _whole(
    keys: dict[str, Value], key: str, default: int | None, *, low: int | None = 0, high: int | None = None
) -> int:
    """Return a key that must be a whole number."""
    value = keys.get(key, default)
    if value is None:
        raise _StructureError(f"key {key} is missing")
    if isinstance(value, bool) or not isinstance(value, int):
        raise _StructureError(f"key {key} is not a whole number: {value!r}")
    if (low is not None and value < low) or (high is not None and value > high):
        raise _StructureError(f"key {key} can't be {value}")
    return value
