"""QC reports, and the steps before them: measure, score, report (the handbook's processQC and createReport).

The pieces that notebooks display are in `ab_report` and `date_report`.
"""

from qcbench.reports.data_report import data_report
from qcbench.reports.measure import measure_ab, rescore, score_ab
from qcbench.reports.report import QcResult, date_report, process_qc, report_ab

__all__ = [
    "QcResult",
    "data_report",
    "date_report",
    "measure_ab",
    "process_qc",
    "report_ab",
    "rescore",
    "score_ab",
]
