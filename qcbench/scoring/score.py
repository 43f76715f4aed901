"""Verdicts on measured QC parameters.

0 is ok, 1 is not ok, none is not scored. A verdict only compares: what follows from it is policy.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 6.1.3 and 6.3.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from qcbench.instruments import Column, ParameterScore, TableSpec, Threshold


@dataclass(frozen=True)
class Verdict:
    """The score of one QC parameter of one detector, with all that explains it.

    `value`, `low` and `high` have the unit `unit`.
    """

    table: str
    parameter: str
    detector: str
    label: str
    value: float | None
    unit: str
    low: float | None
    high: float | None
    valid_from: dt.date | None
    verdict: int | None
    why: str
    remedy: str

    def sentence(self) -> str:
        """Say in words what is wrong, or that nothing is."""
        value = "missing" if self.value is None else f"{self._digits(self.value)} {self.unit}".strip()
        where = f"{self.label} of {self.detector} is {value}"
        if self.verdict is None:
            return f"{where}: not scored ({self.why})"
        if self.verdict == 0:
            return f"{where}: within {self.limits()}"
        if self.value is not None and self.high is not None and self.value > self.high:
            return f"{where}, above {_number(self.high)}"
        if self.value is not None and self.low is not None and self.value < self.low:
            return f"{where}, below {_number(self.low)}"
        return where

    def _digits(self, value: float) -> str:
        """Return a value with so many digits that a red one is told from its limit."""
        limits = [_number(limit) for limit in (self.low, self.high) if limit is not None]
        text = _number(value)
        return f"{value:.10g}" if self.verdict and text in limits else text

    def limits(self) -> str:
        """Return the limits as ``low … high``."""
        low = "" if self.low is None else _number(self.low)
        high = "" if self.high is None else _number(self.high)
        return f"{low} … {high}".strip() if low or high else ""


@dataclass(frozen=True)
class ScoreCount:
    """The score of an AB: how many parameters were scored, and how many of them are red."""

    n_red: int
    n_scored: int

    @property
    def text(self) -> str:
        """The handbook's form, such as ``2/56``; ``–`` where nothing was scored."""
        return f"{self.n_red}/{self.n_scored}" if self.n_scored else "–"


def score_rows(
    table: str,
    spec: TableSpec,
    rows: Sequence[Mapping[str, object]],
    scores: Iterable[ParameterScore],
    date: dt.date,
) -> list[Verdict]:
    """Score the rows of one AB in a QC1 table with the thresholds that are in force on a date.

    Parameters that no threshold covers are given as not scored, so that nobody takes them for good.
    """
    # a narrow score that begins later leaves the field to a wide one until then
    in_force = [score for score in scores if score.table == table and score.in_force(date)]
    parameters = [column for column in spec.columns if column.kind != "FILTER"]
    return [
        _verdict(table, column, row, _choose(in_force, column.name, row), date)
        for column in parameters
        for row in [*rows, *_absent(spec, rows)]
    ]


def _absent(spec: TableSpec, rows: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Give a row without values for each detector that has none: what is missing is never green."""
    if not rows:
        return []
    present = {row["detector"] for row in rows}
    filters = {column.name: rows[0].get(column.name) for column in spec.columns if column.kind == "FILTER"}
    return [{**filters, "detector": name} for name in spec.detectors.names if name not in present]


def count_scores(verdicts: Iterable[int | None]) -> ScoreCount:
    """Count red and scored verdicts."""
    known = [verdict for verdict in verdicts if verdict is not None]
    return ScoreCount(sum(known), len(known))


def worst_first(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Order verdicts by how far the value is outside its limits; red ones first, not scored ones last."""
    return sorted(
        verdicts, key=lambda item: (-1 if item.verdict is None else item.verdict, _excess(item)), reverse=True
    )


def _number(value: float) -> str:
    """Return 4 digits, but all digits of a level of some 10000 counts."""
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e7 else f"{value:.4g}"


def _excess(item: Verdict) -> float:
    """Return the distance outside the limits in units of the limit itself."""
    if item.value is None or not item.verdict:
        return math.inf if item.verdict else 0.0
    over = item.value - item.high if item.high is not None else -math.inf
    under = item.low - item.value if item.low is not None else -math.inf
    limit = item.high if over > under else item.low
    return max(over, under) / (abs(limit or 0.0) or 1.0)


def _choose(
    scores: Sequence[ParameterScore], parameter: str, row: Mapping[str, object]
) -> ParameterScore | None:
    """Return the most specific score that covers a parameter in a row; the later one in the file wins ties."""
    fitting = [
        score
        for score in scores
        if score.parameter == parameter
        and (not score.detectors or row["detector"] in score.detectors)
        and all(row.get(column) == value for column, value in score.where.items())
    ]
    return max(
        enumerate(fitting),
        key=lambda item: (bool(item[1].detectors) + len(item[1].where), item[0]),
        default=(0, None),
    )[1]


def _verdict(
    table: str, column: Column, row: Mapping[str, object], score: ParameterScore | None, date: dt.date
) -> Verdict:
    threshold = score.in_force(date) if score else None
    raw = row.get(column.name)
    value = float(raw) if isinstance(raw, int | float) and math.isfinite(raw) else None
    return Verdict(
        table=table,
        parameter=column.name,
        detector=str(row["detector"]),
        label=column.title,
        value=value,
        unit=column.unit,
        low=threshold.low if threshold else None,
        high=threshold.high if threshold else None,
        valid_from=threshold.valid_from if threshold else None,
        verdict=_compare(value, threshold),
        why=threshold.why if threshold else "no threshold is in force",
        remedy=score.remedy if score else "",
    )


def _compare(value: float | None, threshold: Threshold | None) -> int | None:
    if threshold is None:
        return None
    if value is None:
        return 1
    too_low = threshold.low is not None and value < threshold.low
    too_high = threshold.high is not None and value > threshold.high
    return int(too_low or too_high)
