"""The last line of a command: what to do next with a date, from where it stands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from qcbench.cli.output import count

if TYPE_CHECKING:
    from qcbench.workbench import Workbench
    from qcbench.workflow import DateSummary


def advice(bench: Workbench, instruments: Iterable[str], date: dt.date, *, created: bool = False) -> str:
    """Say what to do next with a date: a line for each instrument that has something to do.

    Parameters
    ----------
    created : bool
        The ABs of the date were created just now: what has none will have none.
    """
    from qcbench.workflow import summarize

    summaries = [summarize(bench, instrument, date) for instrument in instruments]
    with_data = [item for item in summaries if item.frames or item.abs]
    if not with_data:
        return _nothing_of(date)
    many = len(summaries) > 1
    return "\n".join(
        f"{item.instrument}: {next_step(item, created=created)}" if many else next_step(item, created=created)
        for item in with_data
    )


def next_step(item: DateSummary, *, created: bool = False) -> str:
    """Say what to do next with a date of an instrument, the earliest stage first."""
    if created and not item.abs:
        return (
            f"No calibration AB of {item.date} is to be processed. Which frames are in none, and why: "
            "qcbench explain-frame ARCFILE"
        )
    return next(_due(item), f"All ABs are done: qcbench finish-night -d {item.date}")


def after_daily(items: Sequence[DateSummary]) -> str:
    """Say what auto-daily left to do: all of it for each date, but one line for what waits for review."""
    with_data = [item for item in items if item.frames or item.abs]
    if not with_data:
        dates = sorted({item.date for item in items})
        texts = [f"There is nothing of {date}: the archive has no frames of it" for date in dates]
        return "\n".join(texts) or review_line(0, None)
    lines = [
        line
        for item in with_data
        for line in (*_failed(item), *_unclassified(item), *_to_certify(item), *_incomplete(item))
    ]
    dates_of_review = {item.date for item in with_data if item.to_review}
    waiting = sum(item.to_review for item in with_data)
    if waiting:
        lines.append(review_line(waiting, dates_of_review.pop() if len(dates_of_review) == 1 else None))
    lines += [line for item in with_data for line in _to_archive(item)]
    return "\n".join(dict.fromkeys(lines)) or review_line(0, None)


def before_distribution(bench: Workbench, instruments: Iterable[str], date: dt.date) -> str:
    """Say what keeps ABs of a date from being moved; empty if nothing does."""
    from qcbench.workflow import summarize

    items = [summarize(bench, instrument, date) for instrument in instruments]
    undecided = [line for item in items for line in (*_to_certify(item), *_to_review(item))]
    if undecided:
        return "\n".join(dict.fromkeys(undecided))
    return "" if any(item.certified for item in items) else advice(bench, (i.instrument for i in items), date)


def _nothing_of(date: dt.date) -> str:
    """Say that a date has no data, and how it gets some."""
    return (
        f"There is nothing of {date}: no frames were loaded and there are no ABs. "
        f"If the archive has got frames of it: qcbench data-loader -t h -d {date}"
    )


def review_line(waiting: int, date: dt.date | None) -> str:
    """Say how many ABs wait for a person, and where they are reviewed."""
    if not waiting:
        return "No AB waits for review"
    verb = "waits" if waiting == 1 else "wait"
    where = f" -d {date} -m CALIB" if date else ""
    return (
        f"{count(waiting, 'AB')} {verb} for review: qcbench certify-products{where} --list, or qcbench serve"
    )


def _due(item: DateSummary) -> Iterator[str]:
    date = item.date
    if not item.abs:
        yield f"{count(item.frames, 'frame')} without ABs: qcbench create-ab -d {date} -m CALIB"
    ready = item.abs - item.incomplete - item.processed - item.failed
    if ready:
        yield f"{count(ready, 'AB')} to be processed: qcbench create-job -d {date} -m CALIB --run"
    unscored = item.processed - item.scored
    if unscored:
        yield f"{count(unscored, 'AB')} to be scored: qcbench auto-daily -d {date}"
    yield from _to_certify(item)
    yield from _to_review(item)
    yield from _to_archive(item)
    yield from _incomplete(item)


def _failed(item: DateSummary) -> Iterator[str]:
    if item.failed:
        yield (
            f"{count(item.failed, 'AB')} failed: qcbench get-status-ab -d {item.date} says why; once that is mended, "
            "qcbench process-ab -a AB --again; else reject it"
        )


def _to_certify(item: DateSummary) -> Iterator[str]:
    # certification tags for review what it does not certify; a failed AB is for review by itself
    untouched = item.scored - item.certified - item.rejected + item.failed - item.to_review
    if untouched:
        yield f"{count(untouched, 'AB')} to be certified: qcbench certify-products -d {item.date} -m CALIB"


def _to_review(item: DateSummary) -> Iterator[str]:
    if item.to_review:
        yield review_line(item.to_review, item.date)


def _to_archive(item: DateSummary) -> Iterator[str]:
    if item.certified > item.ingested:
        todo = count(item.certified - item.ingested, "certified AB")
        yield f"{todo} to be archived: qcbench auto-daily --through ingested -d {item.date}"


def _unclassified(item: DateSummary) -> Iterator[str]:
    if item.unclassified:
        verb = "is" if item.unclassified == 1 else "are"
        yield (
            f"{count(item.unclassified, 'frame')} of {item.date} {verb} known to no rule: qcbench create-ab -d "
            f"{item.date} -m CALIB lists them, qcbench explain-frame ARCFILE says why"
        )


def _incomplete(item: DateSummary) -> Iterator[str]:
    if item.incomplete:
        verb = "lacks" if item.incomplete == 1 else "lack"
        todo = f"{count(item.incomplete, 'AB')} {verb} calibrations or frames"
        yield f"{todo}: qcbench get-status-ab -d {item.date} says which"
