"""FITS files: the one reader of headers, and the QC0 integrity check."""

from qcbench.fits.cards import Value, short_key
from qcbench.fits.data import data_hash
from qcbench.fits.expected import Expected, ImageCount, Rule
from qcbench.fits.hdus import HEADER_LINE, FileHeader, HduHeader, Keys
from qcbench.fits.headers import HeaderReader, read_header
from qcbench.fits.qc0 import check_frame, check_keys
from qcbench.fits.scan import Scanner

__all__ = [
    "HEADER_LINE",
    "Expected",
    "FileHeader",
    "HduHeader",
    "HeaderReader",
    "ImageCount",
    "Keys",
    "Rule",
    "Scanner",
    "Value",
    "check_frame",
    "check_keys",
    "data_hash",
    "read_header",
    "short_key",
]
