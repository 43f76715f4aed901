"""The one reader of FITS headers.

Keys have their short names: ``ESO DET DIT`` is ``DET.DIT``; plain keywords stay as they are (``MJD-OBS``).
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

from astropy.io import fits
from astropy.io.fits.verify import VerifyError

from qcbench.core.errors import FrameError
from qcbench.fits.cards import CardMemo
from qcbench.fits.hdus import FileHeader, HduHeader, Layout
from qcbench.fits.scan import Scanner


class HeaderReader:
    """Reads the headers of many files; what one has in common with those before it is read once."""

    def __init__(self, scanner: Scanner | None = None) -> None:
        self._scanner = scanner or Scanner()

    def read(self, path: Path) -> FileHeader:
        """Read the headers of all HDUs of a FITS file; no pixel is read.

        A compressed image counts as the image that it holds.

        Raises
        ------
        FrameError
            The file is not there, is not FITS (or compressed), or has a header that can't be read.
        """
        return unpacked(self._scanner.scan(path))


def read_header(path: Path) -> FileHeader:
    """Read the headers of all HDUs of a FITS file; no pixel is read.

    Raises
    ------
    FrameError
        The file is not there, is not FITS (or compressed), or has a header that can't be read.
    """
    return HeaderReader().read(path)


def unpacked(header: FileHeader) -> FileHeader:
    """Return a header with each compressed image as the image that it holds, as astropy shows it.

    Raises
    ------
    FrameError
        A compressed image can't be read.
    """
    if not any(hdu.layout.is_packed for hdu in header.hdus):
        return header
    with warnings.catch_warnings():
        # what is wrong with a file was told by the scan
        warnings.simplefilter("ignore")
        try:
            with fits.open(header.path, mode="readonly", memmap=True) as hdus:
                found = tuple(
                    _image_of(hdus[number], hdu.data_at) if hdu.layout.is_packed else hdu
                    for number, hdu in enumerate(header.hdus)
                )
        except (OSError, VerifyError, ValueError, KeyError, TypeError, AttributeError, IndexError) as err:
            problem = f"not a readable FITS file (a compressed image: {err})"
            raise FrameError(header.path, problem, "Have it transferred again") from err
    return replace(header, hdus=found)


def _image_of(hdu: fits.CompImageHDU, data_at: int) -> HduHeader:
    cards = hdu.header.tostring(endcard=False, padding=False).encode("ascii", errors="replace")
    layout = Layout(tuple(hdu.shape), int(hdu.header["BITPIX"]), hdu.is_image, is_packed=True, length=None)
    return HduHeader(hdu.name, layout, cards, data_at, CardMemo())
