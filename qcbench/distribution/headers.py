"""Names in the header of a product that goes to the archive: ORIGFILE and ARCFILE."""

from __future__ import annotations

import warnings
from pathlib import Path

from astropy.io import fits
from astropy.io.fits.verify import VerifyError, VerifyWarning
from astropy.utils.exceptions import AstropyUserWarning

from qcbench.core.errors import FrameError
from qcbench.core.files import atomic

_WHEN = "set at ingestion"
_REMEDY = "Restore it, then ingest again; or delete it and reject its AB"


def write_names(path: Path, *, origfile: str, arcfile: str) -> None:
    """Put ORIGFILE and ARCFILE into the primary header of a file, and renew its CHECKSUM.

    The same file always becomes the same bytes: no date is written, and a second call changes nothing.

    Raises
    ------
    FrameError
        The file is not there, or is not FITS.
    FileWriteError
        The new file can't be written; the old one is untouched.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VerifyWarning)
        # a truncated file is told by the error that follows
        warnings.simplefilter("ignore", AstropyUserWarning)
        try:
            hdus = fits.open(path, memmap=False, do_not_scale_image_data=True, disable_image_compression=True)
        except FileNotFoundError as err:
            raise FrameError(
                path, "there is no such file", "Restore it, then ingest again, or reject its AB"
            ) from err
        except (OSError, VerifyError, ValueError) as err:
            raise FrameError(path, f"not a readable FITS file ({err})", _REMEDY) from err
        with hdus:
            _set(path, hdus, origfile, arcfile)
            with atomic(path) as tmp:
                hdus.writeto(tmp, output_verify="silentfix+ignore")


def _set(path: Path, hdus: fits.HDUList, origfile: str, arcfile: str) -> None:
    try:
        hdus[0].header["ORIGFILE"] = (origfile, "Name of this product")
        hdus[0].header["ARCFILE"] = (arcfile, "Name in the archive")
        for hdu in hdus:
            hdu.add_datasum(when=_WHEN)
            hdu.add_checksum(when=_WHEN, override_datasum=True)
    except (OSError, VerifyError, ValueError, TypeError) as err:
        raise FrameError(path, f"its header or pixels can't be read ({err})", _REMEDY) from err
