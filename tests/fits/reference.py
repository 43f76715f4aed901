"""What astropy says of the headers of a file: the reference of the scanner."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

from astropy.io import fits
from astropy.io.fits.verify import VerifyError

from qcbench.fits import FileHeader, Value, short_key

Summary = list[tuple[str, tuple[int, ...], bool, dict[str, Value], str]]


def by_astropy(path: Path) -> tuple[Summary, int]:
    """Name, shape, kind, keys and text of each HDU, and the length that the headers announce (bytes)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path, memmap=True, lazy_load_hdus=False) as hdus:
            info = hdus[-1].fileinfo()
            return [_summary(hdu) for hdu in hdus], int(info["datLoc"]) + int(info["datSpan"])


def by_scanner(header: FileHeader) -> tuple[Summary, int]:
    return [(hdu.name, hdu.shape, hdu.is_image, dict(hdu.keys), hdu.text) for hdu in header.hdus], (
        header.expected_size
    )


def _summary(
    hdu: fits.PrimaryHDU | fits.ImageHDU,
) -> tuple[str, tuple[int, ...], bool, dict[str, Value], str]:
    keys: dict[str, Value] = {}
    for card in hdu.header.cards:
        try:
            value = card.value
        except VerifyError:
            continue
        if card.keyword in ("COMMENT", "HISTORY", "CONTINUE", ""):
            continue
        if isinstance(value, str):
            keys.setdefault(short_key(card.keyword), value.strip())
        elif isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
            keys.setdefault(short_key(card.keyword), value)
    shape = tuple(hdu.header[f"NAXIS{axis}"] for axis in range(hdu.header["NAXIS"], 0, -1))
    return hdu.name, shape, hdu.is_image, keys, hdu.header.tostring(sep="\n", padding=False)
