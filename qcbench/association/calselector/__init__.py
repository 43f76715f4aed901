"""Association trees as the archive's calSelector service answers them: read, written, compared, gathered."""

from qcbench.association.calselector.ages import too_old
from qcbench.association.calselector.compare import (
    Difference,
    NameSets,
    compare_names,
    compare_trees,
    diff_text,
)
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
    "AssociationTree",
    "Difference",
    "Download",
    "FileEntry",
    "NameSets",
    "TreeError",
    "compare_names",
    "compare_trees",
    "diff_text",
    "download_rows",
    "download_text",
    "dp_id_of",
    "gather",
    "parse_tree",
    "print_tree",
    "read_tree",
    "too_old",
]
