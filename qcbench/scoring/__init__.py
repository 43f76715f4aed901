"""Scoring: verdicts 0 or 1 on QC parameters, against dated thresholds."""

from qcbench.scoring.score import ScoreCount, Verdict, count_scores, score_rows, worst_first
from qcbench.scoring.stored import score_count, score_row, verdict_of, verdicts_of

__all__ = [
    "ScoreCount",
    "Verdict",
    "count_scores",
    "score_count",
    "score_row",
    "score_rows",
    "verdict_of",
    "verdicts_of",
    "worst_first",
]
