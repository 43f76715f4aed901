"""Raw frames classified and grouped by a set of calSelector rules, as create-ab does with the rules of the pack."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from qcbench.association.candidates import SECONDS_PER_DAY
from qcbench.oca import Group, Keys, RuleSet, classify, group
from qcbench.oca.rules import TEMPLATE_KEY
from qcbench.store import Frame

_DAY = dt.timedelta(days=1)
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A raw frame with the keys of its header and those that the rules assign."""

    arcfile: str
    date: dt.date
    middle: float
    keys: Keys

    @property
    def category(self) -> str:
        """Its DO.CATG."""
        return str(self.keys.get("DO.CATG", ""))


@dataclass(frozen=True)
class RawGroup:
    """Raw frames that an action takes together; its keys are those of the first one.

    Attributes
    ----------
    wanted : int
        The number of frames that the rule wants at least.
    """

    name: str
    action: str
    raw_type: str
    frames: tuple[RawFrame, ...]
    wanted: int

    @property
    def keys(self) -> Keys:
        """Keys that stand for the group."""
        return self.frames[0].keys

    @property
    def date(self) -> dt.date:
        """DFO date of the first frame."""
        return self.frames[0].date

    @property
    def time(self) -> float:
        """Mean mid-exposure time, MJD, days."""
        return sum(frame.middle for frame in self.frames) / len(self.frames)

    @property
    def is_too_small(self) -> bool:
        """It has fewer frames than its rule wants."""
        return len(self.frames) < self.wanted


def groups_of_date(
    session: Session, rules: RuleSet, instrument: str, date: dt.date, dpr_catg: str
) -> list[RawGroup]:
    """Group the frames of a DPR.CATG; groups that begin on the date are given, also where they end on the next.

    Frames that are filtered are kept out.
    """
    of_date = _frames(session, instrument, dpr_catg, Frame.dfo_date == date)
    templates = sorted({template for _, template in of_date if template is not None})
    # a template that goes on over the start of a date is one template
    beside = [
        row
        for first in range(0, len(templates), _CHUNK)
        for row in _frames(
            session,
            instrument,
            dpr_catg,
            Frame.dfo_date.in_([date - _DAY, date + _DAY]),
            Frame.tpl_start.in_(templates[first : first + _CHUNK]),
        )
    ]
    frames = [_classified(rules, frame) for frame, _ in (*of_date, *beside)]
    return [made for made in _groups(rules, frames, date) if made.date == date]


def _frames(
    session: Session, instrument: str, dpr_catg: str, *conditions: ColumnElement[bool]
) -> list[tuple[RawFrame, str | None]]:
    """Read frames, each with its template."""
    query = select(
        Frame.arcfile, Frame.dfo_date, Frame.mjd_obs, Frame.exptime, Frame.keys, Frame.tpl_start
    ).where(Frame.instrument == instrument, Frame.dpr_catg == dpr_catg, Frame.filtered.is_(None), *conditions)
    return [
        (RawFrame(arcfile, date, mjd + exptime / (2 * SECONDS_PER_DAY), keys), template)
        for arcfile, date, mjd, exptime, keys, template in session.execute(query)
    ]


def _classified(rules: RuleSet, frame: RawFrame) -> RawFrame:
    # a header that holds a category already does not type a raw frame
    keys = {key: value for key, value in frame.keys.items() if key not in ("RAW.TYPE", "DO.CATG")}
    return RawFrame(frame.arcfile, frame.date, frame.middle, keys | classify(rules, frame.keys).assigned)


def _groups(rules: RuleSet, frames: Sequence[RawFrame], date: dt.date) -> Iterator[RawGroup]:
    grouping = group(rules, [frame.keys for frame in frames])
    names: Counter[str] = Counter()
    for made in _in_order((*grouping.groups, *grouping.too_small)):
        members = [frames[index] for index in made.members]
        if TEMPLATE_KEY not in made.organizer.group_keys:
            # without a template to follow, a group ends with its date
            members = [frame for frame in members if frame.date == date]
        if not members:
            continue
        alias = made.organizer.group_alias
        root = members[0].arcfile.removesuffix(".fits") + (f"_{alias[1]}" if alias else "")
        names[root] += 1
        yield RawGroup(
            root if names[root] == 1 else f"{root}_{made.action}",
            made.action,
            _raw_type(rules, members[0], made.action),
            tuple(members),
            made.organizer.min_ret or 1,
        )


def _in_order(groups: Iterable[Group]) -> list[Group]:
    return sorted(groups, key=lambda made: (made.organizer.line, made.members))


def _raw_type(rules: RuleSet, first: RawFrame, action: str) -> str:
    """Return the raw type of a group; its action's name where another action has the name of the frames' type."""
    raw_type = first.keys.get("RAW.TYPE")
    names = {other.name for other in rules.actions}
    if raw_type is None or (raw_type != action and raw_type in names and action in names):
        return action
    return str(raw_type)
