"""How long it took from the last file of an AB to its QC parameters, split by stage, as the events tell it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from qcbench.store.models import ABInput, ArchiveFile, AssociationBlock, Event, Frame
from qcbench.store.states import ABState

REPORTED = "ab_reported"
_QUEUED, _PROCESSING, _PROCESSED, _MEASURED = (
    f"ab_{state}" for state in (ABState.QUEUED, ABState.PROCESSING, ABState.PROCESSED, ABState.MEASURED)
)
_FLAGS = (_QUEUED, _PROCESSING, _PROCESSED, _MEASURED, REPORTED)
_Moments = Mapping[str, Sequence[dt.datetime]]


@dataclass(frozen=True)
class Delays:
    """Seconds that the stages of an AB took; None for those that are not over, or not known.

    Attributes
    ----------
    arrival : float, optional
        From the availability of its last raw file in the archive until qcbench saw it.
    association : float, optional
        Until the AB was complete and queued: templates and calibrations are waited for here.
    queue : float, optional
        Until its recipe was started that ended well: parents, free workers and failed attempts are waited for here.
    recipe : float, optional
        Until the products were there, with the fetching of pixels and QC0.
    qc : float, optional
        Until its QC parameters and scores were there.
    report : float, optional
        Until its report was there.
    """

    arrival: float | None = None
    association: float | None = None
    queue: float | None = None
    recipe: float | None = None
    qc: float | None = None
    report: float | None = None

    @property
    def to_qc(self) -> float | None:
        """From the availability of the last file to the QC parameters."""
        parts = (self.arrival, self.association, self.queue, self.recipe, self.qc)
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None


STAGES = tuple(field.name for field in fields(Delays))


@dataclass(frozen=True)
class ABDelays:
    """The delays of an AB."""

    ab: str
    raw_type: str
    state: str
    delays: Delays


def delays_of(session: Session, instrument: str, date: dt.date) -> list[ABDelays]:
    """Return the delays of the ABs of a date that were queued, in the order of their frames."""
    moments: dict[str, dict[str, list[dt.datetime]]] = {}
    events = select(Event.ab_name, Event.flag, Event.at).where(
        Event.instrument == instrument, Event.dfo_date == date, Event.flag.in_(_FLAGS)
    )
    for name, flag, at in session.execute(events.order_by(Event.id)):
        moments.setdefault(str(name), {}).setdefault(flag, []).append(at)
    # a group that grew is there since its last file was
    last_file = (
        select(
            AssociationBlock.name,
            AssociationBlock.raw_type,
            AssociationBlock.state,
            func.max(ArchiveFile.available_at, type_=ArchiveFile.available_at.type),
            func.max(ArchiveFile.seen_at, type_=ArchiveFile.seen_at.type),
        )
        .join(AssociationBlock.inputs)
        .join(ABInput.frame)
        .join(ArchiveFile, ArchiveFile.uri == Frame.uri)
        .where(
            AssociationBlock.instrument == instrument,
            AssociationBlock.dfo_date == date,
            ABInput.role == "RAWFILE",
        )
        .group_by(AssociationBlock.id)
        .order_by(AssociationBlock.mjd_obs, AssociationBlock.name)
    )
    return [
        ABDelays(name, raw_type, state, _delays(available, seen, moments[name]))
        for name, raw_type, state, available, seen in session.execute(last_file)
        if name in moments
    ]


def _delays(available: dt.datetime | None, seen: dt.datetime, moments: _Moments) -> Delays:
    """Split the way of an AB to its first QC parameters; of an attempt that did not lead there nothing counts."""
    measured = _first(moments, _MEASURED, since=seen)
    processed = _last(moments, _PROCESSED, until=measured)
    started = _last(moments, _PROCESSING, until=processed)
    queued = _first(moments, _QUEUED, since=seen) or _last(moments, _QUEUED, until=started)
    reported = _first(moments, REPORTED, since=measured) if measured else None
    ends = (seen, queued, started, processed, measured, reported)
    return Delays(*(_between(*pair) for pair in zip((available, *ends), ends, strict=False)))


def _first(moments: _Moments, flag: str, *, since: dt.datetime) -> dt.datetime | None:
    return next((at for at in moments.get(flag, ()) if at >= since), None)


def _last(moments: _Moments, flag: str, *, until: dt.datetime | None) -> dt.datetime | None:
    found = [at for at in moments.get(flag, ()) if until is None or at <= until]
    return found[-1] if found else None


def _between(begin: dt.datetime | None, end: dt.datetime | None) -> float | None:
    """Return the seconds between two moments; a clock that was set back in between told nothing."""
    if begin is None or end is None or end < begin:
        return None
    return (end - begin).total_seconds()
