"""Why a frame is in a group: the organizers that select it, its group as it is now, and what it waits for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from qcbench.association.explaining.classifying import NearRule, near_rule, ranked
from qcbench.association.explaining.terms import place_of
from qcbench.association.frames import frames_around
from qcbench.association.waiting import Patience, Waiting, arrived_of, group_waits, template_waits
from qcbench.instruments import InstrumentPack
from qcbench.oca import ConditionResult, Group, Organizer, Value, classify, explain, group
from qcbench.store import Frame


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


def select_frame(
    session: Session, pack: InstrumentPack, frame: Frame, patience: Patience
) -> tuple[tuple[Selection, ...], Waiting | None]:
    """Group a frame with those around it as the next create-ab would: its groups, and what they are waited for."""
    around = frames_around(session, pack.name, frame.dfo_date)
    arrived = arrived_of(around)
    # those that are kept out, and those of the other mode, are grouped with none
    frames = [
        item
        for item in around
        if item is frame or (item.filtered is None and item.dpr_catg == frame.dpr_catg)
    ]
    keys = [{**item.keys, **classify(pack.rules, item.keys).assigned} for item in frames]
    position = frames.index(frame)
    grouping = group(pack.rules, keys)
    made = [found for found in (*grouping.groups, *grouping.too_small) if position in found.members]
    waits = [
        group_waits(found.organizer, [frames[index] for index in found.members], arrived, patience)
        for found in made
    ] or [template_waits(frame.tpl_start, arrived, patience)]
    selections = tuple(_selection(pack, found, frames, keys[position]) for found in made)
    return selections, next(filter(None, waits), None)


def nearest_organizers(pack: InstrumentPack, keys: dict[str, Value]) -> tuple[NearRule, ...]:
    """Return the organizers that come closest to selecting a frame."""
    return tuple(
        ranked(
            near_rule(rule.condition, keys, place_of(rule, pack.rules.source), f"a group for {rule.action}")
            for rule in pack.rules.organizers
        )
    )


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
