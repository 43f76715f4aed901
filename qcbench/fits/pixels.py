"""QC0 of the pixels: dead readouts and saturation, counted in pieces so that no frame is in memory twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from qcbench.fits.expected import Expected
from qcbench.fits.hdus import Keys

PIECE = 1 << 21  # pixels
_ROUNDING = 1e-6  # of a stored number: BSCALE and BZERO are decimal
_FEWEST = 2
# of numpy, by BITPIX
PIXEL_TYPES = {8: "u1", 16: "i2", 32: "i4", 64: "i8", -32: "f4", -64: "f8"}

Pixels = NDArray[Any]


@dataclass(frozen=True)
class Scale:
    """How stored numbers become pixels (adu): BSCALE, BZERO, and the number that stands for no value."""

    factor: float = 1.0
    zero: float = 0.0
    blank: int | None = None

    def is_saturated(self, stored: Pixels, level: float) -> NDArray[np.bool_]:
        """Tell which stored numbers stand for a level (adu) or more; to scale them all would take a copy."""
        limit = (level - self.zero) / self.factor
        if stored.dtype.kind != "f":
            limit = ceil(limit - _ROUNDING) if self.factor > 0 else floor(limit + _ROUNDING)
        found: NDArray[np.bool_] = stored >= limit if self.factor > 0 else stored <= limit
        return found


@dataclass(frozen=True)
class Census:
    """Pixels of an image: how many, how many have a value, how many are saturated; the extremes as stored."""

    n_pixels: int = 0
    n_valid: int = 0
    n_saturated: int = 0
    lowest: float = np.inf
    highest: float = -np.inf

    def with_piece(self, stored: Pixels, scale: Scale, level: float | None) -> Census:
        """Return the census with some more pixels in it."""
        if stored.dtype.kind == "f":
            valid = stored[~np.isnan(stored)]
        else:
            valid = stored if scale.blank is None else stored[stored != scale.blank]
        counted = replace(self, n_pixels=self.n_pixels + stored.size)
        if not valid.size:
            return counted
        return replace(
            counted,
            n_valid=self.n_valid + valid.size,
            n_saturated=self.n_saturated
            + (0 if level is None else int(np.count_nonzero(scale.is_saturated(valid, level)))),
            lowest=min(self.lowest, valid.min().item()),
            highest=max(self.highest, valid.max().item()),
        )


def check_census(census: Census, scale: Scale, name: str, expected: Expected) -> Iterator[str]:
    """Say what is wrong with the pixels of an image: none with a value, all with the same, too many saturated."""
    if census.n_pixels < _FEWEST:
        return
    if not census.n_valid:
        yield f"no pixel of {name} has a value"
        return
    saturated = census.n_saturated / census.n_pixels
    if saturated > expected.max_saturated:
        yield (
            f"{_percent(saturated)} of the pixels of {name} are saturated (at or above {expected.saturation:g} adu), "
            f"at most {_percent(expected.max_saturated)} are allowed for {expected.kind}"
        )
    elif census.lowest == census.highest:
        value = census.lowest * scale.factor + scale.zero
        yield f"all pixels of {name} have the same value, {value:g}: a dead readout"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.4g} %"


def scale_of(keys: Keys) -> Scale:
    """Return how the header of an image scales its pixels; what is no number does not."""
    blank = keys.get("BLANK")
    return Scale(
        _number(keys.get("BSCALE")) or 1.0,
        _number(keys.get("BZERO")) or 0.0,
        blank if isinstance(blank, int) and not isinstance(blank, bool) else None,
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def stored_pixels(content: bytes, bitpix: int) -> Pixels:
    """Return pixels of a file in the byte order of the machine."""
    kind = np.dtype(PIXEL_TYPES[bitpix])
    return np.frombuffer(content, kind.newbyteorder(">")).astype(kind)


def unpacked_pixels(hdu: fits.CompImageHDU) -> Iterator[Pixels]:
    """Give the pixels of a compressed image, as they are stored in it, in pieces.

    Raises
    ------
    OSError, ValueError, TypeError
        The pixels can't be read.
    """
    try:
        flat = hdu.data.reshape(-1)
        for start in range(0, flat.size, PIECE):
            yield flat[start : start + PIECE]
    finally:
        del hdu.data
