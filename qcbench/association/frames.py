"""Which frames of a date become ABs: filtered, then classified; nothing is dropped without a word.

Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.2 and 5.5.2.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from qcbench.association.waiting import Arrived, arrived_of
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
        What is there of each template, by TPL.START.
    """

    frames: list[Frame] = field(default_factory=list)
    filtered: dict[str, str] = field(default_factory=dict)
    unclassified: list[str] = field(default_factory=list)
    arrived: dict[str, Arrived] = field(default_factory=dict)


def take_frames(session: Session, pack: InstrumentPack, date: dt.date, mode: str) -> Taken:
    """Filter and classify the frames of a date, and tell the database."""
    frames = frames_around(session, pack.name, date)
    taken = Taken(arrived=arrived_of(frames))
    for frame in frames:
        _take(session, pack, frame, mode, taken, own=frame.dfo_date == date)
    return taken


def frames_around(session: Session, instrument: str, date: dt.date) -> list[Frame]:
    """Return the frames of a date, and those of the days around that are of its templates, in the order of time.

    A template that goes on over the start of a date is one template.
    """
    of_instrument = select(Frame).where(Frame.instrument == instrument)
    found = list(session.scalars(of_instrument.where(Frame.dfo_date == date)))
    templates = {frame.tpl_start for frame in found if frame.tpl_start is not None}
    beside = of_instrument.where(
        Frame.dfo_date.in_([date - _DAY, date + _DAY]), Frame.tpl_start.in_(sorted(templates))
    )
    return sorted([*found, *session.scalars(beside)], key=lambda frame: (frame.mjd_obs, frame.arcfile))


def keys_of(frame: Frame) -> dict[str, Value]:
    """Return the keys of a frame together with those that classification assigned."""
    return {**frame.keys, "RAW.TYPE": frame.raw_type, "DO.CATG": frame.do_catg}


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
