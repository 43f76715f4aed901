"""Which frames of a date become ABs: filtered, then classified; nothing is dropped without a word.

Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.2 and 5.5.2.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from qcbench.instruments import InstrumentPack
from qcbench.oca import Keys, Value, classify
from qcbench.store import Frame, record_event

TOOL = "create-ab"
_DAY = dt.timedelta(days=1)


@dataclass
class Taken:
    """The frames of a date that may be grouped, and those that may not.

    Attributes
    ----------
    frames : list of Frame
        Classified frames of the mode, in the order of time; with those of the days before and after that
        belong to a template of the date.
    filtered : dict
        ARCFILE and the reason, of frames that are kept out.
    unclassified : list of str
        ARCFILE of frames that no rule gives a type.
    arrived : dict
        The number of frames of each template that are there, whatever became of them.
    """

    frames: list[Frame] = field(default_factory=list)
    filtered: dict[str, str] = field(default_factory=dict)
    unclassified: list[str] = field(default_factory=list)
    arrived: dict[str, int] = field(default_factory=dict)


def take_frames(session: Session, pack: InstrumentPack, date: dt.date, mode: str) -> Taken:
    """Filter and classify the frames of a date, and tell the database."""
    taken = Taken()
    of_date = _frames(session, pack.name, [date])
    templates = {frame.tpl_start for frame in of_date} - {None}
    # a template that goes on over the start of a date is one template
    beside = [
        frame
        for frame in _frames(session, pack.name, [date - _DAY, date + _DAY])
        if frame.tpl_start in templates
    ]
    for frame in sorted([*of_date, *beside], key=lambda item: (item.mjd_obs, item.arcfile)):
        if frame.tpl_start is not None:
            taken.arrived[frame.tpl_start] = taken.arrived.get(frame.tpl_start, 0) + 1
        _take(session, pack, frame, mode, taken, own=frame.dfo_date == date)
    return taken


def keys_of(frame: Frame) -> dict[str, Value]:
    """Return the keys of a frame together with those that classification assigned."""
    return {**frame.keys, "RAW.TYPE": frame.raw_type, "DO.CATG": frame.do_catg}


def _frames(session: Session, instrument: str, dates: Sequence[dt.date]) -> list[Frame]:
    query = select(Frame).where(Frame.instrument == instrument, Frame.dfo_date.in_(dates))
    return list(session.scalars(query))


def _take(
    session: Session, pack: InstrumentPack, frame: Frame, mode: str, taken: Taken, *, own: bool
) -> None:
    assigned = classify(pack.rules, frame.keys).assigned
    frame.raw_type = str(assigned["RAW.TYPE"]) if "RAW.TYPE" in assigned else None
    frame.do_catg = str(assigned["DO.CATG"]) if "DO.CATG" in assigned else None
    keys = keys_of(frame)
    _filter(session, pack, frame, keys)
    if frame.filtered is not None:
        if own:
            taken.filtered[frame.arcfile] = frame.filtered
    elif frame.raw_type is None and frame.do_catg is None:
        if own:
            taken.unclassified.append(frame.arcfile)
    elif frame.dpr_catg == mode:
        taken.frames.append(frame)


def _filter(session: Session, pack: InstrumentPack, frame: Frame, keys: Keys) -> None:
    """Keep a frame out if a filter says so, and let it in again if none does any more."""
    why = next((rule.why for rule in pack.filters if rule.keeps_out(frame.arcfile, keys)), None)
    if why == frame.filtered:
        return
    frame.filtered = why
    text = f"{frame.arcfile} is kept out: {why}" if why else f"{frame.arcfile} is let in again"
    level = "warning" if why else "info"
    record_event(
        session, TOOL, "frame_filtered", text, instrument=pack.name, date=frame.dfo_date, level=level
    )
