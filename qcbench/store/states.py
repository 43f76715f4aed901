"""The life of an AB: which state may follow which, and the one function that changes it."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from qcbench.core.dates import utc_now
from qcbench.core.errors import StoreError, TransitionError
from qcbench.core.identity import current_user
from qcbench.store.models import AssociationBlock, Event


class ABState(StrEnum):
    """States of an AB, in the order of its life."""

    CREATED = "created"
    QUEUED = "queued"
    PROCESSING = "processing"
    PROCESSED = "processed"
    FAILED = "failed"
    MEASURED = "measured"
    SCORED = "scored"
    CERTIFIED = "certified"
    REJECTED = "rejected"
    MOVED = "moved"
    RENAMED = "renamed"
    INGESTED = "ingested"


S = ABState
NEXT: dict[ABState, frozenset[ABState]] = {
    S.CREATED: frozenset({S.QUEUED, S.PROCESSING, S.REJECTED}),
    S.QUEUED: frozenset({S.PROCESSING, S.CREATED, S.FAILED}),
    # back to queued: the process that worked on it was killed
    S.PROCESSING: frozenset({S.PROCESSED, S.FAILED, S.QUEUED}),
    S.PROCESSED: frozenset({S.MEASURED, S.FAILED}),
    S.FAILED: frozenset({S.QUEUED, S.REJECTED}),
    S.MEASURED: frozenset({S.SCORED, S.FAILED}),
    S.SCORED: frozenset({S.CERTIFIED, S.REJECTED}),
    # back to scored: a calibration that it used was rejected, so that a person has to look again
    S.CERTIFIED: frozenset({S.MOVED, S.REJECTED, S.SCORED}),
    # back to the queue: its products were rejected, its raw frames were not
    S.REJECTED: frozenset({S.CERTIFIED, S.QUEUED}),
    # rejected after all: its file is lost
    S.MOVED: frozenset({S.RENAMED, S.REJECTED}),
    S.RENAMED: frozenset({S.INGESTED, S.REJECTED}),
    S.INGESTED: frozenset(),
}
# nobody has worked on it yet: it follows what is there
WAITING_STATES = frozenset({S.CREATED, S.QUEUED})
OPEN_STATES = frozenset({S.CREATED, S.QUEUED, S.PROCESSING, S.PROCESSED, S.MEASURED})
TO_REVIEW = frozenset({S.SCORED, S.FAILED})
DISTRIBUTED = frozenset({S.MOVED, S.RENAMED, S.INGESTED})


def advance(
    session: Session, ab: AssociationBlock, new: ABState, tool: str, message: str = "", *, level: str = "info"
) -> None:
    """Change the state of an AB and add the event, in the caller's transaction.

    Raises
    ------
    TransitionError
        The life of an AB does not go from its state to the new one.
    StoreError
        The AB was read in another session: its state may have changed since, and would not be stored here.
    """
    if ab not in session:
        raise StoreError(f"{ab.name}: read it in the session that changes its state")
    old = ABState(ab.state)
    if new not in NEXT[old]:
        raise TransitionError(ab.name, old, new, sorted(NEXT[old]))
    ab.state = new
    ab.updated_at = utc_now()
    # its creation is one event of its life: what comes back to that state was taken out of the queue
    flag = "ab_unqueued" if new == ABState.CREATED else f"ab_{new}"
    record_event(session, tool, flag, message or f"{old} → {new}", ab=ab, level=level)


def flag_of(mode: str, stage: str) -> str:
    """Return the status flag of a stage for the ABs of a mode (handbook 5.5.9), such as ``cal_Queued``."""
    return f"{'cal' if mode == 'CALIB' else 'sci'}_{stage}"


def record_event(
    session: Session,
    tool: str,
    flag: str,
    message: str,
    *,
    ab: AssociationBlock | None = None,
    instrument: str | None = None,
    date: dt.date | None = None,
    level: str = "info",
) -> Event:
    """Add an event (a status flag, a failure, a refusal) in the caller's transaction.

    Parameters
    ----------
    flag : str
        Status flag of the handbook (5.5.9) such as ``cal_AB``, or a short word for other events.
    level : {"info", "warning", "error"}
        How much it matters.
    """
    event = Event(
        at=utc_now(),
        tool=tool,
        flag=flag,
        level=level,
        instrument=ab.instrument if ab else instrument,
        dfo_date=ab.dfo_date if ab else date,
        ab_name=ab.name if ab else None,
        message=message,
        user=current_user(),
    )
    session.add(event)
    return event


def record_lasting(
    session: Session,
    tool: str,
    flag: str,
    message: str,
    *,
    ab: AssociationBlock | None = None,
    instrument: str | None = None,
    date: dt.date | None = None,
    level: str = "error",
) -> bool:
    """Add the event of a problem that may last: once, not in every call that meets it; tell whether it was added."""
    query = select(Event.message).where(
        Event.tool == tool,
        Event.flag == flag,
        Event.ab_name == (ab.name if ab else None),
        Event.instrument == (ab.instrument if ab else instrument),
        Event.dfo_date == (ab.dfo_date if ab else date),
    )
    if session.scalar(query.order_by(Event.id.desc()).limit(1)) == message:
        return False
    record_event(session, tool, flag, message, ab=ab, instrument=instrument, date=date, level=level)
    return True
