"""Verdicts as the database keeps them."""

from __future__ import annotations

from dataclasses import fields

from qcbench.scoring.score import ScoreCount, Verdict, count_scores
from qcbench.store import AssociationBlock, Score

# the fields of a verdict and the columns of a score have the same names, but for the table's
_COLUMN_OF = {field.name: field.name for field in fields(Verdict)} | {"table": "qc1_table"}


def verdict_of(score: Score) -> Verdict:
    """Return a stored score as the verdict that it was."""
    return Verdict(**{name: getattr(score, column) for name, column in _COLUMN_OF.items()})


def score_row(ab_id: int, verdict: Verdict) -> dict[str, object]:
    """Return a verdict on an AB as the row that keeps it, by column."""
    return {"ab_id": ab_id} | {column: getattr(verdict, name) for name, column in _COLUMN_OF.items()}


def verdicts_of(ab: AssociationBlock) -> list[Verdict]:
    """Return the verdicts on an AB, in the order in which they were made."""
    return [verdict_of(score) for score in ab.scores]


def score_count(ab: AssociationBlock) -> ScoreCount:
    """Count the scores of an AB."""
    return count_scores(score.verdict for score in ab.scores)
