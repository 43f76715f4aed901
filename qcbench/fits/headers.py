"""The one reader of FITS headers.

Keys have their short names: ``ESO DET DIT`` is ``DET.DIT``; plain keywords stay as they are (``MJD-OBS``).
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from astropy.io import fits
from astropy.io.fits.verify import VerifyError, VerifyWarning
from astropy.utils.exceptions import AstropyUserWarning

from qcbench.core.errors import FrameError

Value = str | int | float | bool
Keys = Mapping[str, Value]

_START = b"SIMPLE  ="
_PACKED = (b"\x1f\x8b", b"\x1f\x9d", b"BZh", b"PK", b"\xfd7z")
_NO_KEYS = frozenset({"COMMENT", "HISTORY", "CONTINUE", ""})


@dataclass(frozen=True)
class HduHeader:
    """Header of one HDU: its name, the shape of its data (numpy order, pixels), its keys and its text."""

    name: str
    shape: tuple[int, ...]
    is_image: bool
    keys: Keys
    text: str


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
    def text(self) -> str:
        """All headers as text, a card a line."""
        return "\n".join(hdu.text for hdu in self.hdus) + "\n"

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the text of all headers."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def is_truncated(self) -> bool:
        """The file is shorter than its headers say."""
        return self.size < self.expected_size


def short_key(keyword: str) -> str:
    """Return the short name of a FITS keyword."""
    return keyword.removeprefix("ESO ").replace(" ", ".")


def read_header(path: Path) -> FileHeader:
    """Read the headers of all HDUs of a FITS file; no pixel is read.

    Raises
    ------
    FrameError
        The file is not there, is not FITS (or compressed), or has a header that can't be read.
    """
    _check_start(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VerifyWarning)
        # a truncated file is told by `is_truncated`, with its name, instead of by a warning
        warnings.simplefilter("ignore", AstropyUserWarning)
        try:
            with fits.open(path, mode="readonly", memmap=True, lazy_load_hdus=False) as hdus:
                read = tuple(_read_hdu(hdu) for hdu in hdus)
                info = hdus[-1].fileinfo()
        # AttributeError: what astropy takes for a corrupted HDU has no place in the file
        except (OSError, VerifyError, ValueError, KeyError, TypeError, AttributeError) as err:
            raise FrameError(path, f"not a readable FITS file ({err})", "Have it transferred again") from err
    expected = int(info["datLoc"]) + int(info["datSpan"])
    return FileHeader(path, read, path.stat().st_size, expected)


def _check_start(path: Path) -> None:
    """Refuse what can't be FITS before it is opened: a pipe would never answer, a packed file is not as it seems."""
    if not path.exists():
        raise FrameError(path, "there is no such file")
    if not path.is_file():
        raise FrameError(path, "not a readable FITS file (it is no regular file)")
    try:
        with path.open("rb") as stream:
            start = stream.read(len(_START))
    except OSError as err:
        raise FrameError(path, f"can't be read ({err.strerror})", "Make it readable for this user") from err
    if start.startswith(_PACKED):
        raise FrameError(path, "not a readable FITS file (it is compressed)", "Uncompress it")
    if start != _START:
        remedy = "Have it transferred again"
        raise FrameError(path, f"not a readable FITS file (it starts with {start!r})", remedy)


def _value_of(card: fits.Card) -> Value | None:
    """Return a card's value; None where it has none, or one that is no FITS value."""
    try:
        value = card.value
    except VerifyError:
        return None
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float) else None


def _read_hdu(hdu: fits.PrimaryHDU | fits.ImageHDU) -> HduHeader:
    header = hdu.header
    keys: dict[str, Value] = {}
    for card in header.cards:
        value = None if card.keyword in _NO_KEYS else _value_of(card)
        if value is not None:
            keys.setdefault(short_key(card.keyword), value)
    n_axes = int(header.get("NAXIS", 0))
    shape = tuple(int(header[f"NAXIS{axis}"]) for axis in range(n_axes, 0, -1))
    return HduHeader(hdu.name, shape, hdu.is_image, keys, header.tostring(sep="\n"))
