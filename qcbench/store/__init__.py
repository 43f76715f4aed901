"""The database that holds all state: typed models, migrations, and the life of an AB."""

from qcbench.store.bulk import insert_rows, upsert
from qcbench.store.database import Store
from qcbench.store.models import (
    ABCalibration,
    ABInput,
    ArchiveFile,
    AssociationBlock,
    Comment,
    Decision,
    Event,
    Frame,
    Product,
    Score,
)
from qcbench.store.rule_sets import RuleSetVersion, VirtualDataset
from qcbench.store.runs import RecipeRun, RunFile
from qcbench.store.states import ABState, advance, flag_of, record_event, record_lasting
from qcbench.store.text_marks import TextMark, mark_date

__all__ = [
    "ABCalibration",
    "ABInput",
    "ABState",
    "ArchiveFile",
    "AssociationBlock",
    "Comment",
    "Decision",
    "Event",
    "Frame",
    "Product",
    "RecipeRun",
    "RuleSetVersion",
    "RunFile",
    "Score",
    "Store",
    "TextMark",
    "VirtualDataset",
    "advance",
    "flag_of",
    "insert_rows",
    "mark_date",
    "record_event",
    "record_lasting",
    "upsert",
]
