"""calSelector: versioned rules, answers as the archive's service gives them, and trees read, written and compared."""

from qcbench.association.calselector.ages import too_old
from qcbench.association.calselector.compare import (
    Difference,
    NameSets,
    compare_names,
    compare_trees,
    diff_text,
)
from qcbench.association.calselector.datasets import refresh
from qcbench.association.calselector.new_rules import NewRules, read_rules
from qcbench.association.calselector.rule_sets import (
    KnownRules,
    delete_rules,
    download_rules,
    list_rules,
    rules_on,
    store_rules,
)
from qcbench.association.calselector.service import Answer, CalSelector, Mode, find_frame
from qcbench.association.calselector.tree import (
    CALIB_PLAN,
    NOT_APPLICABLE,
    AssociationTree,
    Download,
    FileEntry,
    download_rows,
    download_text,
    dp_id_of,
    gather,
)
from qcbench.association.calselector.xml_form import TreeError, parse_tree, print_tree, read_tree

__all__ = [
    "CALIB_PLAN",
    "NOT_APPLICABLE",
    "Answer",
    "AssociationTree",
    "CalSelector",
    "Difference",
    "Download",
    "FileEntry",
    "KnownRules",
    "Mode",
    "NameSets",
    "NewRules",
    "TreeError",
    "compare_names",
    "compare_trees",
    "delete_rules",
    "diff_text",
    "download_rows",
    "download_rules",
    "download_text",
    "dp_id_of",
    "find_frame",
    "gather",
    "list_rules",
    "parse_tree",
    "print_tree",
    "read_rules",
    "read_tree",
    "refresh",
    "rules_on",
    "store_rules",
    "too_old",
]
