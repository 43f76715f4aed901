"""What the header of a file says: its keys, the HDUs and the shape of their data, the text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from qcbench.fits.cards import CARD, CardMemo, Value

Keys = Mapping[str, Value]

# characters of a line of a header as text, with its end
HEADER_LINE = CARD + 1

_END = b"END".ljust(CARD)
_FIRST_PRINTABLE, _LAST_PRINTABLE = 32, 126
_PRINTABLE = bytes(code if _FIRST_PRINTABLE <= code <= _LAST_PRINTABLE else ord("?") for code in range(256))


@dataclass(frozen=True)
class Layout:
    """What a header says of the data that follow it.

    Attributes
    ----------
    shape : tuple of int
        Pixels, numpy order.
    bitpix : int
        BITPIX, 8 where it is not given.
    is_packed : bool
        In the file it is a table that holds a compressed image.
    length : int, optional
        Bytes; None for data that go on to the end of the file.
    """

    shape: tuple[int, ...]
    bitpix: int
    is_image: bool
    is_packed: bool
    length: int | None


@dataclass(slots=True)
class HduHeader:
    """Header of one HDU: its name, what data it has, and its cards without END (80 characters each, ASCII).

    It is not to be changed; to freeze it takes as long as to find it.

    Attributes
    ----------
    data_at : int
        Where its data start in the file (bytes).
    """

    name: str
    layout: Layout
    cards: bytes = field(repr=False)
    data_at: int
    _memo: CardMemo = field(repr=False, compare=False)
    _keys: Keys | None = field(default=None, repr=False, compare=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of its data (numpy order, pixels)."""
        return self.layout.shape

    @property
    def is_image(self) -> bool:
        """It holds an image, not a table."""
        return self.layout.is_image

    @property
    def keys(self) -> Keys:
        """The keys that have a value, in their order; of two with one key the first."""
        if self._keys is None:
            self._keys = self._memo.keys_of(self.cards)
        return self._keys

    @property
    def text(self) -> str:
        """The header as text, a card a line, END the last one."""
        return _lines(self.cards + _END).decode("ascii").removesuffix("\n")


@dataclass(frozen=True)
class FileHeader:
    """Headers of all HDUs of a file, and how long the file is and should be (bytes)."""

    path: Path
    hdus: tuple[HduHeader, ...]
    size: int
    expected_size: int

    @property
    def keys(self) -> Keys:
        """Keys of the primary header."""
        return self.hdus[0].keys

    @property
    def content(self) -> bytes:
        """All headers as the content of a text file, a card a line (ASCII)."""
        return _lines(self._cards)

    @property
    def text(self) -> str:
        """All headers as text, a card a line."""
        return self.content.decode("ascii")

    @property
    def sha256(self) -> str:
        """SHA-256 of the cards of all headers, with END."""
        return hashlib.sha256(self._cards).hexdigest()

    @property
    def _cards(self) -> bytes:
        return b"".join([part for hdu in self.hdus for part in (hdu.cards, _END)])

    @property
    def is_truncated(self) -> bool:
        """The file is shorter than its headers say."""
        return self.size < self.expected_size


def _lines(cards: bytes) -> bytes:
    """Put each card on a line of its own; a control character becomes a question mark."""
    characters = np.frombuffer(cards, np.uint8)
    if characters.min() < _FIRST_PRINTABLE:
        characters = np.frombuffer(cards.translate(_PRINTABLE), np.uint8)
    lines = np.empty((len(cards) // CARD, HEADER_LINE), np.uint8)
    lines[:, :CARD] = characters.reshape(-1, CARD)
    lines[:, CARD] = ord("\n")
    return lines.tobytes()
