"""Where products come from, and what was made with a file."""

from qcbench.provenance.tracing import Origin, Use, find_file, lineage, uses

__all__ = ["Origin", "Use", "find_file", "lineage", "uses"]
