"""Virtual products of calSelector rules: the groups of raw frames that would make a calibration, kept up to date.

They are made when rules are ingested. Frames that are loaded or filtered later are taken in with the next question:
only the dates that changed are looked at again. Each date is one transaction, and the same frames give the same data
sets, so that a call that is killed can be called again.
Source: QC handbook (VLT-SPE-ESO-19600-3986), section 5.7.4.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from qcbench.association.calselector.groups import RawGroup, groups_of_date
from qcbench.association.calselector.rule_sets import KnownRules, find_rules, rules_of
from qcbench.core.dates import utc_now
from qcbench.core.progress import progress_bar
from qcbench.oca import Cascade, RuleSet, cascade_of, product_keys
from qcbench.store import Event, Frame, VirtualDataset
from qcbench.store.database import BUSY_TIMEOUT_MS
from qcbench.workbench import Workbench

_DAY = dt.timedelta(days=1)
# a process that loads frames notes the time first, and may wait so long for the database before it stores them
_LATE = dt.timedelta(milliseconds=BUSY_TIMEOUT_MS)
_FILTERED = "frame_filtered"


def refresh(bench: Workbench, number: int, around: dt.date | None = None) -> int:
    """Bring the data sets of a rule set up to date; return how many dates were looked at.

    Parameters
    ----------
    around : date, optional
        Look only whether anything changed that matters for frames of this date; by default, for those of any.

    Raises
    ------
    NotFoundError
        There is no such set (any more).
    """
    started = utc_now()
    known, rules = rules_of(bench, number)
    reach = _reach_of(cascade_of(rules))
    if around is not None and known.is_whole and not _changed_dates(bench, known, around, around, reach):
        return 0
    dates = _changed_dates(bench, known, known.valid_from, known.in_force_to, reach)
    read = rules.keys() | {"RAW.TYPE", "DO.CATG"}
    with progress_bar(len(dates), "make data sets") as step:
        for date in dates:
            with bench.store.write() as session:
                _renew(session, known, rules, read, date)
            step(str(date))
    if dates or not known.is_whole:
        with bench.store.write() as session:
            version = find_rules(session, number, lock=True)
            version.seen_until = max(filter(None, (version.seen_until, started - _LATE)))
    return len(dates)


def chain_reach(cascade: Cascade, action: str) -> float:
    """Return how far (days) the raw frames can lie that are needed by an action, directly or through others."""
    return _reach(cascade, action, {})


def _reach(cascade: Cascade, action: str, known: dict[str, float]) -> float:
    if action not in known:
        reaches = [0.0]
        for need in cascade.needs_of(action):
            if need.makers or need.association.source != "calibFiles":
                makers = (m for m in need.makers if not cascade.in_cycle_with(action, m))
                further = max((_reach(cascade, maker, known) for maker in makers), default=0.0)
                reaches.append(need.validity.extended.reach + further)
        known[action] = max(reaches)
    return known[action]


def _reach_of(cascade: Cascade) -> dt.timedelta | None:
    """Return how far a rule set reaches beyond the dates on which it is in force; None where it has no limit.

    Science of its first night needs calibrations of the day before.
    """
    days = max((chain_reach(cascade, action) for action in cascade.actions), default=0.0)
    return dt.timedelta(days=math.ceil(days) + 1) if math.isfinite(days) else None


def _changed_dates(
    bench: Workbench, known: KnownRules, first: dt.date, last: dt.date | None, reach: dt.timedelta | None
) -> list[dt.date]:
    """Return the dates with frames that are new or were filtered since the last time, and those beside them."""
    frames = select(Frame.dfo_date).where(Frame.instrument == known.instrument).distinct()
    events = select(Event.dfo_date).where(Event.flag == _FILTERED, Event.instrument == known.instrument)
    if reach is not None:
        frames = frames.where(Frame.dfo_date >= first - reach)
        if last is not None:
            frames = frames.where(Frame.dfo_date <= last + reach)
    with bench.store.read() as session:
        seen_until = find_rules(session, known.id).seen_until
        every = set(session.scalars(frames))
        if seen_until is None:
            return sorted(every)
        changed = set(session.scalars(frames.where(Frame.loaded_at > seen_until)))
        changed |= {date for date in session.scalars(events.where(Event.at > seen_until)) if date}
    return sorted(every & {date + step for date in changed for step in (-_DAY, dt.timedelta(), _DAY)})


def _renew(session: Session, known: KnownRules, rules: RuleSet, read: Collection[str], date: dt.date) -> None:
    """Make the data sets of a date what its frames are."""
    find_rules(session, known.id, lock=True)
    groups = groups_of_date(session, rules, known.instrument, date, "CALIB")
    wanted = {made.name: values for made in groups if (values := _values(rules, read, made))}
    own = VirtualDataset.rule_set_id == known.id
    rows = {
        row.name: row
        for row in session.scalars(select(VirtualDataset).where(own, VirtualDataset.dfo_date == date))
    }
    _delete(session, [row.id for name, row in rows.items() if name not in wanted])
    for name, values in wanted.items():
        row = rows.get(name)
        if row is None:
            session.add(VirtualDataset(rule_set_id=known.id, name=name, **values))
            continue
        for column, value in values.items():
            if getattr(row, column) != value:
                setattr(row, column, value)


def _delete(session: Session, ids: Iterable[int]) -> None:
    for number in ids:
        session.execute(delete(VirtualDataset).where(VirtualDataset.id == number))


def _values(rules: RuleSet, read: Collection[str], made: RawGroup) -> dict[str, Any]:
    """Return the columns of the data set of a group; nothing where it makes no product."""
    products = rules.action(made.action).products
    if made.is_too_small or not products:
        return {}
    return {
        "action": made.action,
        "raw_type": made.raw_type,
        "dfo_date": made.date,
        "mjd_obs_mod": made.time,
        "frames": [[frame.arcfile, frame.category] for frame in made.frames],
        "categories": [str(product_keys(product, made.keys)["PRO.CATG"]) for product in products],
        "keys": {key: value for key, value in made.keys.items() if key in read},
    }
