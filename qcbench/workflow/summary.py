"""Where a date stands: how many frames and ABs, and in which states."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import func, select

from qcbench.store import ABState, ArchiveFile, AssociationBlock, Frame
from qcbench.store.models import NO_RECIPE
from qcbench.store.states import DISTRIBUTED
from qcbench.workbench import Workbench

_PROCESSED = frozenset(ABState) - {ABState.CREATED, ABState.QUEUED, ABState.PROCESSING, ABState.FAILED}


@dataclass(frozen=True)
class DateSummary:
    """Counts of a date of one instrument; its ABs are those of calibrations that are to be processed.

    `unclassified` frames are known to no rule, once create-ab has looked at them. `incomplete` ABs wait for raw
    frames or calibrations, `queued` ones for a run or for another AB, and `to_review` ones for a person.
    """

    instrument: str
    date: dt.date
    frames: int
    unusable_files: int
    unclassified: int
    abs: int
    incomplete: int
    queued: int
    processed: int
    failed: int
    scored: int
    certified: int
    rejected: int
    ingested: int
    to_review: int

    def as_dict(self) -> dict[str, object]:
        """Return the counts by name, the date as ISO text."""
        return {**asdict(self), "date": self.date.isoformat()}


def summarize(bench: Workbench, instrument: str, date: dt.date) -> DateSummary:
    """Count the frames and ABs of a date."""
    with bench.store.read() as session:
        rows = session.execute(
            select(AssociationBlock.state, AssociationBlock.completeness, AssociationBlock.review).where(
                AssociationBlock.instrument == instrument,
                AssociationBlock.dfo_date == date,
                AssociationBlock.mode == "CALIB",
                AssociationBlock.recipe != NO_RECIPE,
            )
        ).all()
        frames = session.scalar(
            select(func.count()).where(Frame.instrument == instrument, Frame.dfo_date == date)
        )
        unclassified = session.scalar(
            select(func.count()).where(
                Frame.instrument == instrument,
                Frame.dfo_date == date,
                Frame.raw_type.is_(None),
                Frame.do_catg.is_(None),
                Frame.filtered.is_(None),
            )
        )
        unusable = session.scalar(
            select(func.count()).where(
                ArchiveFile.instrument == instrument,
                ArchiveFile.dfo_date == date,
                ArchiveFile.problem.is_not(None),
            )
        )
    states = Counter(ABState(state) for state, _, _ in rows)
    to_review = sum(
        state == ABState.FAILED or (state == ABState.SCORED and review is not None)
        for state, _, review in rows
    )
    created = [completeness for state, completeness, _ in rows if state == ABState.CREATED]
    return DateSummary(
        instrument=instrument,
        date=date,
        frames=frames or 0,
        unusable_files=unusable or 0,
        unclassified=unclassified or 0,
        abs=len(rows),
        incomplete=sum(completeness != "COMPLETE" for completeness in created),
        queued=states[ABState.QUEUED] + states[ABState.PROCESSING],
        processed=_total(states, _PROCESSED),
        failed=states[ABState.FAILED],
        scored=_total(states, _PROCESSED - {ABState.PROCESSED, ABState.MEASURED}),
        certified=states[ABState.CERTIFIED] + _total(states, DISTRIBUTED),
        rejected=states[ABState.REJECTED],
        ingested=states[ABState.INGESTED],
        to_review=to_review,
    )


def _total(states: Mapping[ABState, int], wanted: frozenset[ABState]) -> int:
    return sum(states.get(state, 0) for state in wanted)
