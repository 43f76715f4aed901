"""The command that says how long each stage took, from the file in the archive to the report."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from qcbench.cli.invocation import Invocation, command, pass_invocation
from qcbench.cli.output import Answer, Row, Table
from qcbench.cli.parameters import date_option

if TYPE_CHECKING:
    from qcbench.store.delays import ABDelays

_TO_QC = "to_qc"


@command("delays", "qcbench delays -d 2026-11-19", "qcbench delays -d yesterday --instrument hawki --json")
@date_option()
@pass_invocation
def delays(invocation: Invocation, date: dt.date) -> None:
    """Show how long the ABs of a date took from their last file to QC parameters and report, stage by stage.

    Seconds. What is empty is not over yet, or not known. The table of an AB has: arrival (until qcbench saw its last
    file), association (until it was complete), queue (until its recipe started), recipe, qc, report; and to_qc, from
    the file in the archive to the QC parameters.
    """
    from qcbench.store.delays import STAGES, delays_of

    bench = invocation.open()
    rows, found = [], []
    for name in invocation.instruments(bench):
        with bench.store.read() as session:
            found += (items := delays_of(session, name, date))
        rows += [{"instrument": name, **_row(item)} for item in items]
    columns = ("ab", "raw_type", "state", *STAGES, _TO_QC)
    invocation.show(
        Answer(
            tables=(
                Table("abs", rows, columns, f"No AB of {date} was queued"),
                Table("stages", _stages(found), ("stage", "abs", "median", "longest", "longest_of")),
            ),
            next="A long queue: [processing] workers. A long arrival: how often cron calls qcbench auto-daily"
            if rows
            else f"What there is: qcbench get-status-ab -d {date}",
        )
    )


def _row(item: ABDelays) -> Row:
    return {
        "ab": item.ab,
        "raw_type": item.raw_type,
        "state": item.state,
        **{name: _rounded(value) for name, value in _values(item).items()},
    }


def _values(item: ABDelays) -> dict[str, float | None]:
    return {**vars(item.delays), _TO_QC: item.delays.to_qc}


def _stages(found: Sequence[ABDelays]) -> list[Row]:
    """Return for each stage the median and the longest delay (seconds), and the AB that had it."""
    rows: list[Row] = []
    values = [(item.ab, _values(item)) for item in found]
    for stage in values[0][1] if values else ():
        known = [(value, ab) for ab, row in values if (value := row[stage]) is not None]
        if known:
            longest, ab = max(known)
            middle = median(value for value, _ in known)
            rows.append(
                {
                    "stage": stage,
                    "abs": len(known),
                    "median": _rounded(middle),
                    "longest": _rounded(longest),
                    "longest_of": ab,
                }
            )
    return rows


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
