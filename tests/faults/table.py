"""The table of faults: each with how often it was injected, and what it led to.

The tests note it; `python -m tests.faults` runs them and prints it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

EQUAL = "same end"
LATER = "said, same end with the next call"
RECORDED = "recorded on the AB, nothing else suffers"
SUFFERED = "something suffers"
_KEY = "fault"
OUTCOMES = (EQUAL, LATER, RECORDED, SUFFERED)


def add(properties: list[tuple[str, Any]], fault: str, outcome: str, times: int) -> None:
    """Add what a fault led to, to the properties of a test."""
    properties.append((_KEY, [fault, outcome, times]))


class Table:
    """Collects the outcomes of a run of pytest."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a test noted; one that failed has found a fault from which something suffers."""
        if report.when == "call":
            for fault, outcome, times in (value for key, value in report.user_properties if key == _KEY):
                self._counts.setdefault(fault, Counter())[outcome] += times
        if report.failed:
            self._counts.setdefault(report.nodeid, Counter())[SUFFERED] += 1

    def lines(self) -> list[str]:
        """Return the table in Markdown, with a last row for the whole."""
        heads = ("fault", "injected", *OUTCOMES)
        rows = [heads, ("---", *("--:" for _ in heads[1:]))]
        total: Counter[str] = Counter()
        for fault, counts in self._counts.items():
            rows.append(_row(fault, counts))
            total += counts
        rows.append(_row(f"{len(self._counts)} faults", total))
        return [f"| {' | '.join(row)} |" for row in rows]


def _row(fault: str, counts: Counter[str]) -> tuple[str, ...]:
    return fault, str(counts.total()), *(str(counts[outcome]) for outcome in OUTCOMES)
