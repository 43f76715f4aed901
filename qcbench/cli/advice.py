"""The last line of a command: what to do next with a date, from where it stands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING

from qcbench.cli.output import count

if TYPE_CHECKING:
    from qcbench.workbench import Workbench
    from qcbench.workflow import DateSummary


def advice(bench: Workbench, instruments: Iterable[str], date: dt.date) -> str:
    """Say what to do next with a date: a line for each instrument that has something to do."""
    from qcbench.workflow import summarize

    summaries = [summarize(bench, instrument, date) for instrument in instruments]
    with_data = [item for item in summaries if item.frames or item.abs]
    if not with_data:
        return f"No frames of {date} were loaded: qcbench data-loader -t h -d {date}"
    many = len(summaries) > 1
    return "\n".join(
        f"{item.instrument}: {next_step(item)}" if many else next_step(item) for item in with_data
    )


def next_step(item: DateSummary) -> str:
    """Say what to do next with a date of an instrument, the earliest stage first."""
    date = item.date
    ready = item.abs - item.incomplete - item.queued - item.processed - item.failed
    unscored = item.processed - item.scored
    undecided = item.scored - item.certified - item.rejected
    if not item.abs:
        return f"{count(item.frames, 'frame')} without ABs: qcbench create-ab -d {date} -m CALIB"
    if ready or item.queued:
        todo = count(ready + item.queued, "AB")
        return f"{todo} to be processed: qcbench create-job -d {date} -m CALIB --run"
    if unscored:
        return f"{count(unscored, 'AB')} to be scored: qcbench auto-daily -d {date}"
    if undecided + item.failed > item.to_review:
        todo = count(undecided + item.failed, "AB")
        return f"{todo} to be certified: qcbench certify-products -d {date} -m CALIB"
    if item.to_review:
        return review_line(item.to_review, date)
    if item.certified > item.ingested:
        todo = count(item.certified - item.ingested, "certified AB")
        return f"{todo} to be archived: qcbench auto-daily --through ingested -d {date}"
    if item.incomplete:
        todo = f"{count(item.incomplete, 'AB')} incomplete"
        return (
            f"{todo}, see qcbench get-status-ab -d {date}; to try again: qcbench create-ab -d {date} -m CALIB"
        )
    return f"All ABs are done: qcbench finish-night -d {date}"


def review_line(waiting: int, date: dt.date | None) -> str:
    """Say how many ABs wait for a person, and where they are reviewed."""
    if not waiting:
        return "No AB waits for review"
    verb = "waits" if waiting == 1 else "wait"
    where = f" -d {date} -m CALIB" if date else ""
    return (
        f"{count(waiting, 'AB')} {verb} for review: qcbench certify-products{where} --list, or qcbench serve"
    )
