"""FITS files: the one reader of headers, and the QC0 integrity check."""

from qcbench.fits.headers import FileHeader, HduHeader, Keys, Value, read_header, short_key
from qcbench.fits.qc0 import check_frame, check_keys

__all__ = [
    "FileHeader",
    "HduHeader",
    "Keys",
    "Value",
    "check_frame",
    "check_keys",
    "read_header",
    "short_key",
]
