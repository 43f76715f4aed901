"""Where products come from, and what was made with a file."""

from qcbench.provenance.document import prov_document, prov_text
from qcbench.provenance.tracing import Origin, Use, find_file, lineage, uses
from qcbench.provenance.tree import tree_lines

__all__ = ["Origin", "Use", "find_file", "lineage", "prov_document", "prov_text", "tree_lines", "uses"]
