"""What raw frames say of the instrument that took them: the survey from which a first pack is written."""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from astropy.io import fits

from qcbench.core.errors import FrameError
from qcbench.fits import FileHeader, HeaderReader, Value, short_key
from qcbench.instruments.checking.units import unit_problem
from qcbench.instruments.keys import KeySpec
from qcbench.instruments.loading import common_keys
from qcbench.instruments.skeleton.setups import setup_keys

Role = Literal["bias", "dark", "flat", "arc", "other"]
KeyType = Literal["text", "integer", "float", "logical"]
_INDEX = re.compile(r"(?<=[A-Z_-])\d+(?=\.|$)")
_UNIT = re.compile(r"\[([^\]]*)\]")
_WORDS: tuple[tuple[Role, tuple[str, ...]], ...] = (
    ("bias", ("BIAS",)),
    ("dark", ("DARK",)),
    ("flat", ("FLAT",)),
    ("arc", ("WAVE", "ARC")),
)
_UNSIGNED16 = 32768
_NO_WORD = re.compile("[^A-Z0-9]+")


@dataclass(frozen=True)
class Kind:
    """Frames of one combination of DPR keys.

    Attributes
    ----------
    raw_type : str
        What their raw type is called.
    role : str
        Which recipe they are probably for.
    setup : tuple of str
        Keys that tell their setups apart.
    also : tuple of str
        Further keys that change from template to template, as one of `setup` does.
    """

    catg: str
    type: str
    tech: str
    n_frames: int
    raw_type: str
    role: Role
    setup: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Survey:
    """What some raw frames have in common, and what tells them apart.

    Attributes
    ----------
    keys : mapping of str to KeySpec
        Keys that the common dictionary has not got, with ``i`` for a number.
    extensions : tuple of str
        Names of the extensions that hold pixels; empty where the primary HDU does.
    unnamed : int
        Frames without DPR keys, of which no classifier could be made.
    unreadable : tuple of FrameError
        Files that were left out, and why.
    unsigned16 : bool
        All pixels are unsigned integers of 16 bits, which end at 65535.
    """

    instrume: tuple[str, ...]
    prefix: str
    kinds: tuple[Kind, ...]
    keys: Mapping[str, KeySpec] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    n_frames: int = 0
    unnamed: int = 0
    unreadable: tuple[FrameError, ...] = ()
    unsigned16: bool = False


def survey_frames(files: Iterable[Path]) -> Survey:
    """Read the headers of raw frames.

    Files that can't be read are left out, and named.

    Raises
    ------
    FrameError
        No file can be read, or frames of several instruments are mixed.
    """
    reader, read, unreadable = HeaderReader(), list[FileHeader](), list[FrameError]()
    for path in files:
        try:
            read.append(reader.read(path))
        except FrameError as err:
            unreadable.append(err)
    if not read:
        raise (
            unreadable[0] if unreadable else FrameError("", "no FITS file was given", "Name some raw frames")
        )
    instrume = _instrument(read)
    named = [item for item in read if "DPR.TYPE" in item.keys]
    return Survey(
        instrume=instrume,
        prefix=_prefix(read, instrume),
        kinds=_kinds(named),
        keys=_keys(read),
        extensions=_extensions(read),
        unsigned16=_are_unsigned16(read),
        n_frames=len(read),
        unnamed=len(read) - len(named),
        unreadable=tuple(unreadable),
    )


def _instrument(read: Sequence[FileHeader]) -> tuple[str, ...]:
    """Return INSTRUME, which all frames must share; several spellings of one name may be mixed."""
    first: dict[str, Path] = {}
    for item in read:
        first.setdefault(str(item.keys.get("INSTRUME", "")), item.path)
    names = sorted(name for name in first if name)
    if not names:
        raise FrameError(
            read[0].path, "there is no INSTRUME in its header", "Name raw frames of an instrument"
        )
    short = min(names, key=len)
    if any(not name.startswith(short) for name in names):
        told = ", ".join(f"{name} ({first[name].name})" for name in names)
        raise FrameError(
            first[names[1]], f"the frames are of several instruments: {told}", "Take those of one"
        )
    return tuple(names)


def _prefix(read: Sequence[FileHeader], instrume: tuple[str, ...]) -> str:
    """Return what names in the archive begin with: the first word of ARCFILE."""
    found = [str(item.keys["ARCFILE"]).partition(".")[0] for item in read if "ARCFILE" in item.keys]
    text = max(sorted(set(found)), key=found.count) if found else instrume[0]
    return re.sub("[^A-Z0-9]", "", text.upper()) or "RAW"


def _kinds(read: Sequence[FileHeader]) -> tuple[Kind, ...]:
    groups: dict[tuple[str, str, str], list[Mapping[str, Value]]] = defaultdict(list)
    for item in read:
        dpr = (str(item.keys.get(f"DPR.{word}", "")) for word in ("CATG", "TYPE", "TECH"))
        catg, kind, tech = dpr
        groups[catg, kind, tech].append(item.keys)
    order = sorted(groups, key=lambda dpr: (dpr[0] != "CALIB", dpr[0] != "SCIENCE", *dpr))
    names = name_types(order)
    return tuple(_kind(found, names[found], groups[found]) for found in order)


def _kind(found: tuple[str, str, str], raw_type: str, frames: Sequence[Mapping[str, Value]]) -> Kind:
    role = role_of(*found[:2])
    setup, also = setup_keys(frames, detector_only=role in ("bias", "dark"))
    return Kind(*found, len(frames), raw_type, role, setup, also)


def name_types(combinations: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], str]:
    """Name a raw type for each combination of DPR.CATG, TYPE and TECH; each name once."""
    found: dict[tuple[str, str, str], str] = {}
    for catg, kind, tech in combinations:
        words = {"CALIB": kind, "SCIENCE": "SCIENCE"}.get(catg, f"{catg} {kind}")
        name = _word(words)
        if name in found.values():
            name = _word(f"{words} {tech}")
        number = 2
        while name in found.values():
            name, number = f"{_word(words)}_{number}", number + 1
        found[catg, kind, tech] = name
    return found


def _word(text: str) -> str:
    return _NO_WORD.sub("_", text.upper()).strip("_") or "UNNAMED"


def role_of(catg: str, kind: str) -> Role:
    """Guess by DPR keys which recipe frames are for."""
    words = set(_NO_WORD.split(kind.upper()))
    if catg == "CALIB":
        for role, known in _WORDS:
            if words & set(known):
                return role
    return "other"


def folded(key: str) -> str:
    """Return a key with ``i`` for the number at the end of a word: ``DET.WINi.BINX`` for ``DET.WIN1.BINX``."""
    return _INDEX.sub("i", key)


def _keys(read: Sequence[FileHeader]) -> dict[str, KeySpec]:
    common, types, told = common_keys(), dict[str, set[str]](), dict[str, str]()
    for item in read:
        for hdu in item.hdus:
            fresh = False
            for key, value in hdu.keys.items():
                if common.find(key) is None:
                    name = folded(key)
                    fresh = fresh or name not in types
                    types.setdefault(name, set()).add(_type(value))
            if fresh:
                told = {**_comments(hdu.cards), **told}
    return {name: _spec(found, told.get(name, "")) for name, found in sorted(types.items())}


def _type(value: Value) -> str:
    return {str: "text", bool: "logical", int: "integer", float: "float"}[type(value)]


def _comments(cards: bytes) -> dict[str, str]:
    """Return the comments of the cards of a header by their folded keys."""
    with warnings.catch_warnings():
        # odd cards may have no comment; what matters of them was read
        warnings.simplefilter("ignore")
        header = fits.Header.fromstring(cards)
        return {folded(short_key(card.keyword)): str(card.comment) for card in header.cards if card.keyword}


def _spec(types: set[str], comment: str) -> KeySpec:
    choices: tuple[tuple[set[str], KeyType], ...] = (
        ({"logical"}, "logical"),
        ({"integer"}, "integer"),
        ({"integer", "float"}, "float"),
    )
    found: KeyType = next((name for kinds, name in choices if types <= kinds), "text")
    unit = _UNIT.search(comment)
    known = unit is not None and unit_problem(unit[1]) is None
    text = _UNIT.sub("", comment, count=1) if known else comment
    words = " ".join("".join(c for c in text if c.isprintable()).split())
    return KeySpec(type=found, unit=unit[1] if unit and known else "", description=words)


def _extensions(read: Sequence[FileHeader]) -> tuple[str, ...]:
    """Return the names of the extensions with pixels of the frame that has most of them."""
    found: list[list[str]] = [
        [hdu.name for hdu in item.hdus[1:] if hdu.is_image and hdu.name] for item in read
    ]
    most = max(len(names) for names in found)
    return tuple(dict.fromkeys(next(names for names in found if len(names) == most)))


def _are_unsigned16(read: Sequence[FileHeader]) -> bool:
    """Tell whether all pixels are 16 bits with an offset of 2^15, as FITS has unsigned integers."""
    images = [hdu for item in read for hdu in item.hdus if hdu.is_image and hdu.shape]
    return bool(images) and all(
        hdu.layout.bitpix == 16 and hdu.keys.get("BZERO") == _UNSIGNED16 for hdu in images
    )
