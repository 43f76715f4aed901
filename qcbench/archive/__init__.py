"""Archives: where raw frames come from and where certified products go."""

from qcbench.archive.base import Archive, RemoteFile, open_archive
from qcbench.archive.fetching import (
    fetch_missing,
    fetch_missing_product,
    fetch_product,
    fetch_raw,
    remove_parts,
)
from qcbench.archive.local import LocalArchive

__all__ = [
    "Archive",
    "LocalArchive",
    "RemoteFile",
    "fetch_missing",
    "fetch_missing_product",
    "fetch_product",
    "fetch_raw",
    "open_archive",
    "remove_parts",
]
