"""QC1 tables: where all QC parameters are kept, one flat table for about each raw type."""

from qcbench.qc1.ingest import Measurement, ingest, measure
from qcbench.qc1.read import read_ab, read_table
from qcbench.qc1.tables import ensure_tables, qc1_table

__all__ = ["Measurement", "ensure_tables", "ingest", "measure", "qc1_table", "read_ab", "read_table"]
