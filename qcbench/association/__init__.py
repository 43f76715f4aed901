"""From archive to Association Blocks: headers, classification, grouping, association."""

from qcbench.association.associating import Standing
from qcbench.association.create_ab import CreateResult, create_abs
from qcbench.association.fetch import fetch_raw
from qcbench.association.load import LoadResult, ScanResult, load_headers, scan_archive

__all__ = [
    "CreateResult",
    "LoadResult",
    "ScanResult",
    "Standing",
    "create_abs",
    "fetch_raw",
    "load_headers",
    "scan_archive",
]
