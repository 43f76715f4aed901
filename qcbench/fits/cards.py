"""Cards of FITS headers: 80 characters each, most of them the same from frame to frame.

A regular card is read here; astropy reads the odd ones: continued strings, quotes in strings, values that are
not in the fixed form of the standard, record-valued keywords.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from functools import lru_cache
from struct import Struct

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyError

Value = str | int | float | bool
Pair = tuple[str, Value | None]

CARD = 80
_KEYWORD = 8
# a card without key or value; no card has an empty key
NOTHING: Pair = ("", None)

_CONTINUE = b"CONTINUE"
_COMMENTARY = frozenset({"COMMENT ", "HISTORY ", " " * _KEYWORD, "CONTINUE"})
_NO_KEYS = frozenset({"COMMENT", "HISTORY", "CONTINUE", "END", ""})
_PLAIN = re.compile(r"[A-Z0-9_-]+ *")
_HIERARCH = re.compile(r"HIERARCH [A-Z0-9_-]+(?: [A-Z0-9_-]+)* *")
# a value in the fixed form; of what follows the slash nothing is asked
_VALUE = re.compile(r" +(?:'([ -&(-~]*)'|([+-]?\d+\.?\d*(?:E[+-]?\d+)?)|([TF])) *(?:/|$)").match
_MANY = 1000
_MODELS = 64
_WORD = 8


def short_key(keyword: str) -> str:
    """Return the short name of a FITS keyword."""
    return keyword.removeprefix("ESO ").replace(" ", ".")


class CardMemo(dict[bytes, Pair]):
    """Key and value of each card that was seen lately, and the last headers as models of the next ones.

    Parameters
    ----------
    limit : int
        How many cards are kept; then it starts afresh.
    """

    def __init__(self, limit: int = 8192):
        super().__init__()
        self._limit = limit
        self._models: dict[int, _Model] = {}

    def __missing__(self, image: bytes) -> Pair:
        if len(self) >= self._limit:
            self.clear()
        pair = self[image] = read_card(image.decode("ascii"))
        return pair

    def keys_of(self, cards: bytes) -> dict[str, Value]:
        """Return the keys of a header in their order, from its cards (ASCII); of two with one key the first wins."""
        model = self._models.get(len(cards))
        if model and (known := model.read(cards)) is not None:
            return known
        images: Sequence[bytes] = split(cards)
        is_continued = _CONTINUE in cards
        pairs = list(map(self.__getitem__, _joined(images) if is_continued else images))
        keys: dict[str, Value] = {}
        for key, value in pairs:
            if value is not None:
                keys.setdefault(key, value)
        if not is_continued and len(keys) == len(pairs) - pairs.count(NOTHING):
            if len(self._models) >= _MODELS:
                self._models.clear()
            self._models[len(cards)] = _Model(cards, images, [key for key, _ in pairs], keys)
        return keys


class _Model:
    """A header that was read: of the next one with as many cards only those have to be read that differ."""

    def __init__(self, cards: bytes, images: Sequence[bytes], names: list[str], keys: dict[str, Value]):
        self._words = np.frombuffer(cards, np.uint64)
        self._heads = [image.partition(b"=")[0].decode("ascii") + "=" for image in images]
        self._names = names
        self._keys = keys.copy()

    def read(self, cards: bytes) -> dict[str, Value] | None:
        """Return the keys of a header; None if its cards are others, or in another order."""
        words = np.frombuffer(cards, np.uint64)
        differing = np.flatnonzero(words != self._words)
        if len(differing) > len(words) // 4:
            return None
        self._words = words
        text = cards.decode("ascii")
        for row in dict.fromkeys((differing // (CARD // _WORD)).tolist()):
            image = text[row * CARD : row * CARD + CARD]
            head, name = self._heads[row], self._names[row]
            value = value_at(image, len(head)) if image.startswith(head) else None
            if not name or value is None:
                key, value = read_card(image)
                if key != name:
                    # half of the model is of the new header now
                    self._words = np.zeros_like(words)
                    return None
                if value is None:
                    continue
            self._keys[name] = value
        return self._keys.copy()


def read_card(image: str) -> Pair:
    """Return the short key and the value of a card, with those that continue it."""
    head, sign, _ = image.partition("=")
    name = _regular_name(head)
    value = value_at(image, len(head) + len(sign)) if name else None
    if name and value is not None:
        return name, value
    return NOTHING if image[:_KEYWORD] in _COMMENTARY else _read_odd(image)


@lru_cache(maxsize=4096)
def _regular_name(head: str) -> str | None:
    """Return the short key of what is left of the equal sign; None if it is no regular keyword."""
    if len(head) == _KEYWORD and _PLAIN.fullmatch(head) and head not in _COMMENTARY:
        return head.strip()
    return short_key(head[9:].strip()) if _HIERARCH.fullmatch(head) else None


def value_at(image: str, start: int) -> Value | None:
    """Return the value of a regular card that starts right of the equal sign; None if it has another form."""
    match = _VALUE(image, start)
    if match is None or len(image) > CARD:
        return None
    string, number, logical = match.groups()
    if number:
        if "." in number or "E" in number:
            value = float(number)
            return value if math.isfinite(value) else None
        return int(number)
    if string is not None:
        # the string of a record-valued keyword is a key and a value of its own
        return None if start == _KEYWORD + 1 and ": " in string else string.strip()
    return bool(logical == "T")


def split(cards: bytes) -> tuple[bytes, ...]:
    """Cut a header into its cards."""
    n_cards = len(cards) // CARD
    if n_cards > _MANY:
        return tuple(cards[start : start + CARD] for start in range(0, n_cards * CARD, CARD))
    found: tuple[bytes, ...] = _splitter(n_cards).unpack_from(cards)
    return found


@lru_cache(maxsize=_MANY)
def _splitter(n_cards: int) -> Struct:
    # many times faster than slices: one call makes all of them
    return Struct(f"{CARD}s" * n_cards)


def _joined(images: Sequence[bytes]) -> list[bytes]:
    """Put each card together with the cards that continue it."""
    joined: list[bytes] = []
    for image in images:
        if image.startswith(_CONTINUE) and joined:
            joined[-1] += image
        else:
            joined.append(image)
    return joined


def _read_odd(image: str) -> Pair:
    """Read a card, with those that continue it, by astropy."""
    with warnings.catch_warnings():
        # odd cards are known here; what can't be read has no value
        warnings.simplefilter("ignore")
        card = fits.Card.fromstring(image)
        keyword = card.keyword
        if keyword in _NO_KEYS:
            return NOTHING
        try:
            value = card.value
        except (VerifyError, ValueError):
            # no FITS value: brackets, words without quotes, an unfinished string
            return NOTHING
    if isinstance(value, str):
        return short_key(keyword), value.strip()
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return short_key(keyword), value
    return NOTHING
