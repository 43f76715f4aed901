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
import orjson
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
_OF_NUMBERS = b"0123456789+-.E, "
_LARGEST = 2**63


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
        self._models.pop(len(cards), None)
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
            self._models[len(cards)] = _Model(cards, [key for key, _ in pairs], keys)
        return keys


class _Model:
    """A header that was read: the next ones with as many cards differ from it in the values of some cards.

    Which these are it learns from header to header. Those with a number, by far the most, are read at one go.
    """

    def __init__(self, cards: bytes, names: list[str], keys: dict[str, Value]):
        self._cards = np.frombuffer(cards, np.uint8)
        self._names = names
        self._keys = keys.copy()
        # all bits of the characters that are in every header as they are here
        self._mask = np.full(len(cards), 0xFF, np.uint8)
        # by row: where a number stands; and the card of another kind, as it was seen last
        self._numbers: dict[int, tuple[int, int]] = {}
        self._others: dict[int, bytes] = {}
        self._update()

    def _update(self) -> None:
        self._same = (self._cards & self._mask).tobytes()
        self._words = self._mask.view(np.uint64)
        rows = sorted(self._numbers)
        self._reader = _Numbers([self._numbers[row] for row in rows])
        self._number_names = [self._names[row] for row in rows]

    def read(self, cards: bytes) -> dict[str, Value] | None:
        """Return the keys of a header; None if its cards are others, or in another order."""
        same = (np.frombuffer(cards, np.uint64) & self._words).tobytes()
        if same != self._same and not self._learn(cards):
            return None
        numbers = self._reader.read(cards)
        if numbers is None:
            self._unlearn(cards)
            numbers = self._reader.read(cards) or []
        if not self._read_others(cards):
            return None
        self._keys.update(zip(self._number_names, numbers, strict=True))
        return self._keys.copy()

    def _learn(self, cards: bytes) -> bool:
        """Note the cards that were the same up to now; tell whether the header still has the same keys."""
        differing = (np.frombuffer(cards, np.uint8) ^ self._cards) & self._mask
        for row in np.flatnonzero(differing.reshape(-1, CARD).any(axis=1)).tolist():
            image = cards[row * CARD : row * CARD + CARD].decode("ascii")
            key, value = read_card(image)
            if key != self._names[row]:
                return False
            head, sign, _ = image.partition("= ")
            start = row * CARD
            span = (start + len(head) + len(sign), start + CARD)
            # left of the number nothing may ever change: it is not looked at again
            has_same_head = not differing[start : span[0]].any() and bool(_regular_name(head))
            if has_same_head and _Numbers([span]).read(cards) == [value]:
                self._numbers[row] = span
                self._mask[slice(*span)] = 0
            else:
                self._take_as_other(row)
        self._update()
        return True

    def _unlearn(self, cards: bytes) -> None:
        """Take those cards as others that hold no plain number here."""
        for row, span in list(self._numbers.items()):
            if _Numbers([span]).read(cards) is None:
                self._take_as_other(row)
        self._update()

    def _take_as_other(self, row: int) -> None:
        self._numbers.pop(row, None)
        self._others[row] = b""
        self._mask[row * CARD : row * CARD + CARD] = 0

    def _read_others(self, cards: bytes) -> bool:
        """Read the cards of other kinds that changed; tell whether the header still has the same keys."""
        for row, seen in self._others.items():
            image = cards[row * CARD : row * CARD + CARD]
            if image == seen:
                continue
            key, value = read_card(image.decode("ascii"))
            if key != self._names[row] or image.startswith(_CONTINUE):
                return False
            if value is not None:
                self._keys[key] = value
            self._others[row] = image
        return True


class _Numbers:
    """Where numbers stand in headers of one kind, each alone between the start of its span and the slash in it."""

    def __init__(self, spans: Sequence[tuple[int, int]]):
        form, at = "", 0
        for start, end in spans:
            form += f"{start - at}x{end - start}s"
            at = end
        self._n_numbers = len(spans)
        # one call cuts all of them out
        self._fields = Struct(form)

    def read(self, cards: bytes) -> list[int | float] | None:
        """Read the numbers as JSON, whose form is a part of that of FITS; None if one of them has another form."""
        listed = b",".join([field.partition(b"/")[0] for field in self._fields.unpack_from(cards)])
        try:
            numbers: list[int | float] = orjson.loads(b"[%b]" % listed)
        except ValueError:
            return None
        if listed.translate(None, _OF_NUMBERS) or len(numbers) != self._n_numbers:
            return None
        # of whole numbers that need more than 64 bits a part would be lost
        is_short = not numbers or (min(numbers) > -_LARGEST and max(numbers) < _LARGEST)
        return numbers if is_short else None


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
