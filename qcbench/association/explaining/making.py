"""What would make a file that an AB lacks, and whether there is anything to make it from."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from qcbench.association.explaining.candidates import Asking
from qcbench.oca import Need
from qcbench.oca.cascade import categories_of
from qcbench.store import AssociationBlock, Frame

# where a rule sets no limit in time, this is how far is looked
REACH_DAYS = 7.0


def how_it_is_made(session: Session, asking: Asking, need: Need) -> str:
    """Say which actions make what a rule asks for, and how many groups and frames of theirs are near.

    Of a general calibration, say where it belongs.
    """
    wanted = need.wanted
    reach = need.validity.extended.reach
    reach = REACH_DAYS if math.isinf(reach) else reach
    if need.is_raw or (need.association.source == "inputFiles" and not need.makers):
        return f"raw frames: {_frames(session, asking, frozenset(need.categories), reach)}"
    if need.makers:
        return "; ".join(_of_maker(session, asking, maker, wanted, reach) for maker in need.makers)
    folder = f"data/{asking.pack.name}/calib/general"
    static = [asking.pack.instrument.static.get(category) for category in sorted(need.categories)]
    what = next((text for text in static if text), None)
    if what:
        return f"{wanted} is a general calibration ({what}), which no recipe makes: put it into {folder}"
    return f"no rule makes {wanted}; if it is a general calibration, put it into {folder}"


def _of_maker(session: Session, asking: Asking, maker: str, wanted: str, reach: float) -> str:
    ab = asking.ab
    low, high = ab.mjd_obs_mod - reach, ab.mjd_obs_mod + reach
    groups = session.scalar(
        select(func.count()).where(
            AssociationBlock.instrument == ab.instrument,
            AssociationBlock.action == maker,
            AssociationBlock.mjd_obs_mod.between(low, high),
            AssociationBlock.id != ab.id,
        )
    )
    text = f"{maker} makes {wanted}: {groups} {'group' if groups == 1 else 'groups'} within {reach:g} d"
    categories = frozenset(_inputs(asking, maker))
    return text if groups or not categories else f"{text}; {_frames(session, asking, categories, reach)}"


def _inputs(asking: Asking, action: str) -> Iterator[str]:
    """Give the raw types of which groups for an action are formed."""
    for rule in asking.pack.rules.organizers:
        if rule.action == action:
            yield from categories_of(rule.condition)


def _frames(session: Session, asking: Asking, categories: frozenset[str], reach: float) -> str:
    """Say how many raw frames of some types are near, and name the closest."""
    middle = asking.ab.mjd_obs_mod
    named = sorted(categories)
    near = select(Frame.arcfile).where(
        Frame.instrument == asking.ab.instrument,
        or_(Frame.raw_type.in_(named), Frame.do_catg.in_(named)),
        Frame.mjd_obs.between(middle - reach, middle + reach),
    )
    number = session.scalar(select(func.count()).select_from(near.subquery())) or 0
    text = f"{number} {'frame' if number == 1 else 'frames'} of {' or '.join(named)} within {reach:g} d"
    closest = session.scalar(near.order_by(func.abs(Frame.mjd_obs - middle), Frame.arcfile).limit(1))
    return f"{text} (see qcbench explain-frame {closest})" if closest else text
