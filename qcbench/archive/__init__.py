"""Archives: where raw frames come from and where certified products go."""

from qcbench.archive.base import Archive, RemoteFile, fetch_missing, open_archive
from qcbench.archive.local import LocalArchive

__all__ = ["Archive", "LocalArchive", "RemoteFile", "fetch_missing", "open_archive"]
