"""Scoring: verdicts 0 or 1 on QC parameters, against dated thresholds."""

from qcbench.scoring.score import ScoreCount, Verdict, count_scores, score_rows, worst_first

__all__ = ["ScoreCount", "Verdict", "count_scores", "score_rows", "worst_first"]
