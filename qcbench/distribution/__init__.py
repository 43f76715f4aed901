"""Distribution: certified products go from the certification area to the archive, and the night is finished."""

from qcbench.distribution.auditing import audit
from qcbench.distribution.finishing import FinishResult, NightStatistics, finish_night
from qcbench.distribution.ingestion import IngestResult, ingest_products
from qcbench.distribution.moving import MoveResult, move_products
from qcbench.distribution.naming import Rename, plan_names
from qcbench.distribution.nights import blockers_of, is_listed_only, what_waits
from qcbench.distribution.renaming import RenameResult, rename_products
from qcbench.distribution.updating import UpdateResult, update_abs

__all__ = [
    "FinishResult",
    "IngestResult",
    "MoveResult",
    "NightStatistics",
    "Rename",
    "RenameResult",
    "UpdateResult",
    "audit",
    "blockers_of",
    "finish_night",
    "ingest_products",
    "is_listed_only",
    "move_products",
    "plan_names",
    "rename_products",
    "update_abs",
    "what_waits",
]
