"""Why a frame is in a group: the organizers that select it, its group as it is now, and what it waits for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from qcbench.association.candidates import SECONDS_PER_DAY
from qcbench.association.explaining.classifying import NearRule, near_rule, ranked
from qcbench.association.explaining.terms import place_of
from qcbench.core.dates import time_of_mjd
from qcbench.instruments import InstrumentPack
from qcbench.oca import ConditionResult, Group, Organizer, Value, classify, explain, group
from qcbench.store import Frame

_DAY = dt.timedelta(days=1)
_PER_TEMPLATE = "TPL.START"
_PER_FILE = "ARCFILE"


@dataclass(frozen=True)
class Selection:
    """An organizer that selects a frame, and the group that the frame is in.

    Attributes
    ----------
    key_values : tuple of (key, value)
        The keys of `group by` and what the frames of the group have in common.
    frames : tuple of str
        ARCFILE of all frames of the group that are there.
    least : int
        How many frames the rule wants.
    """

    action: str
    place: str
    terms: tuple[ConditionResult, ...]
    key_values: tuple[tuple[str, Value], ...]
    frames: tuple[str, ...]
    least: int


@dataclass(frozen=True)
class Waiting:
    """A template that may still be running: what is there of it, and until when it is waited for (UT)."""

    template: str
    here: int
    wanted: int
    until: dt.datetime


def select_frame(session: Session, pack: InstrumentPack, frame: Frame) -> tuple[Selection, ...]:
    """Group a frame with those around it as the next create-ab would, and say what groups it is in."""
    frames, keys = _grouped_together(session, pack, frame)
    position = frames.index(frame)
    grouping = group(pack.rules, keys)
    return tuple(
        _selection(pack, made, frames, keys[position])
        for made in (*grouping.groups, *grouping.too_small)
        if position in made.members
    )


def nearest_organizers(pack: InstrumentPack, keys: dict[str, Value]) -> tuple[NearRule, ...]:
    """Return the organizers that come closest to selecting a frame."""
    return tuple(
        ranked(
            near_rule(rule.condition, keys, place_of(rule, pack.rules.source), f"a group for {rule.action}")
            for rule in pack.rules.organizers
        )
    )


def waiting_for(
    session: Session, frame: Frame, selections: Sequence[Selection], *, now: float, timeout: float
) -> Waiting | None:
    """Return what a frame's template is waited for; None where it is not.

    Parameters
    ----------
    now : float
        The present (MJD, days).
    timeout : float
        How long (days) after its last frame a template that lacks frames is waited for.
    """
    per_file = all(_PER_FILE in dict(found.key_values) for found in selections)
    if frame.tpl_start is None or not frame.tpl_nexp or (selections and per_file):
        return None
    same = select(func.count(), func.max(Frame.mjd_obs + Frame.exptime / SECONDS_PER_DAY)).where(
        Frame.instrument == frame.instrument, Frame.tpl_start == frame.tpl_start
    )
    here, end = session.execute(same).one()
    until = end + timeout
    if here >= frame.tpl_nexp or now >= until:
        return None
    return Waiting(frame.tpl_start, here, frame.tpl_nexp, time_of_mjd(until))


def _grouped_together(
    session: Session, pack: InstrumentPack, frame: Frame
) -> tuple[list[Frame], list[dict[str, Value]]]:
    """Return the frames that may be of a frame's groups, with their keys; those that are kept out are not."""
    dates = [frame.dfo_date, frame.dfo_date - _DAY, frame.dfo_date + _DAY]
    near = select(Frame).where(
        Frame.instrument == frame.instrument,
        Frame.dfo_date.in_(dates),
        Frame.dpr_catg == frame.dpr_catg,
        (Frame.filtered.is_(None)) | (Frame.id == frame.id),
        (Frame.dfo_date == frame.dfo_date) | (Frame.tpl_start == frame.tpl_start),
    )
    frames = sorted(session.scalars(near), key=lambda item: (item.mjd_obs, item.arcfile))
    keys = [{**item.keys, **classify(pack.rules, item.keys).assigned} for item in frames]
    return frames, keys


def _selection(
    pack: InstrumentPack, made: Group, frames: Sequence[Frame], keys: dict[str, Value]
) -> Selection:
    rule: Organizer = made.organizer
    members = [frames[index] for index in made.members]
    return Selection(
        action=made.action,
        place=place_of(rule, pack.rules.source),
        terms=tuple(explain(rule.condition, keys, keys)),
        key_values=made.key_values,
        frames=tuple(member.arcfile for member in members),
        least=rule.min_ret or 1,
    )
