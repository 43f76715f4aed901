"""Small FITS files, whole and broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

BLOCK = 2880


def write_frame(path: Path, *, checksum: bool = True, **keys: object) -> Path:
    """A frame with two image extensions of integers, and sums."""
    primary = fits.PrimaryHDU()
    primary.header["ARCFILE"], primary.header["MJD-OBS"] = "TINY.fits", 58858.9
    primary.header["HIERARCH ESO DET DIT"] = 10.0
    for key, value in keys.items():
        primary.header[key.replace("_", "-")] = value
    pixels = np.arange(100, dtype=np.uint16).reshape(4, 25)
    images = [fits.ImageHDU(pixels, name=name) for name in ("CHIP1", "CHIP2")]
    fits.HDUList([primary, *images]).writeto(path, checksum=checksum)
    return path


def set_card(path: Path, keyword: str, card: str, *, after: int = 0) -> Path:
    """Put the 80 characters of a card in the place of the first one with a keyword, byte by byte."""
    content = path.read_bytes()
    start = content.index(f"{keyword:<8}=".encode(), after)
    path.write_bytes(content[:start] + f"{card:<80}".encode("latin-1") + content[start + 80 :])
    return path
