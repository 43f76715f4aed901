"""The review queue: what waits for a person, and the one line that says why."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session, selectinload

from qcbench.certification.policy import all_green, brief, explain, review_reason
from qcbench.certification.rejection import doubtful_calibrations
from qcbench.core.dates import time_of_mjd, utc_now
from qcbench.scoring import ScoreCount, score_count
from qcbench.store import ABInput, ABState, AssociationBlock, Decision, Frame, Product
from qcbench.store.states import TO_REVIEW
from qcbench.workbench import Workbench

DECIDED = "decided"
_URGENCY = {"failed": 0, "red": 0, "unscored": 1, "sampled": 2, "manual": 2, DECIDED: 3}


@dataclass(frozen=True)
class QueueItem:
    """An AB that is offered for review.

    Attributes
    ----------
    tag : str
        Why it is offered: failed, red, unscored, sampled or manual; "decided" if it was decided already.
    why : str
        The same as a sentence: the worst score, or why the AB failed.
    brief : str
        The same in a few words, for a list.
    age : datetime.timedelta
        Since the end of its last raw frame.
    """

    ab_name: str
    instrument: str
    date: dt.date
    raw_type: str
    setup: str
    state: str
    score: ScoreCount
    tag: str
    why: str
    brief: str
    mjd_obs: float
    age: dt.timedelta
    report_path: str | None
    last_decision: Decision | None


def queue(
    bench: Workbench,
    instrument: str | None = None,
    date: dt.date | None = None,
    *,
    mode: str = "CALIB",
    decided: bool = False,
    now: dt.datetime | None = None,
) -> list[QueueItem]:
    """Return what waits for a person: failed and red ABs first, then what is not scored, then green ones.

    Green ABs that will be certified automatically are not in it.

    Parameters
    ----------
    decided : bool
        Also give, at the end, the ABs whose decision can still be changed.
    now : datetime, optional
        The time that ages refer to; by default the present.
    """
    now = now or utc_now()
    settings = bench.settings.certification
    items = []
    with bench.store.read() as session:
        rows = _rows(session, instrument, date, mode, decided)
        doubts = doubtful_calibrations(session, [ab.id for ab, _ in rows])
        for ab, end in rows:
            tag = review_reason(ab, settings) or ("manual" if ab.id in doubts else None)
            if tag is None and ABState(ab.state) in TO_REVIEW:
                continue
            why = explain(ab, tag, settings) if tag else all_green(ab)
            waits = ABState(ab.state) in TO_REVIEW
            shown = tag if waits and tag else DECIDED
            few = brief(ab, shown, settings)
            if ab.id in doubts:
                green = tag in ("manual", "sampled", None)
                why = doubts[ab.id] if green else f"{why}. {doubts[ab.id]}"
                few = why if green else few
            items.append(_item(ab, shown, why, few, now - time_of_mjd(end or ab.mjd_obs)))
    return sorted(items, key=_order)


def _rows(
    session: Session, instrument: str | None, date: dt.date | None, mode: str, decided: bool
) -> list[tuple[AssociationBlock, float | None]]:
    """Read the ABs with the end (MJD) of their last raw frame."""
    end = (
        select(func.max(Frame.mjd_obs + Frame.exptime / 86400.0))
        .join(ABInput, ABInput.frame_id == Frame.id)
        .where(ABInput.ab_id == AssociationBlock.id, ABInput.role == "RAWFILE")
        .correlate(AssociationBlock)
        .scalar_subquery()
    )
    waiting = AssociationBlock.state.in_(TO_REVIEW)
    present = exists().where(Product.ab_id == AssociationBlock.id, Product.location == "product")
    changeable = AssociationBlock.state.in_((ABState.CERTIFIED, ABState.REJECTED)) & present
    query = (
        select(AssociationBlock, end)
        .where(AssociationBlock.mode == mode, or_(waiting, changeable) if decided else waiting)
        .options(selectinload(AssociationBlock.scores), selectinload(AssociationBlock.decisions))
    )
    if instrument is not None:
        query = query.where(AssociationBlock.instrument == instrument)
    if date is not None:
        query = query.where(AssociationBlock.dfo_date == date)
    return [(ab, last) for ab, last in session.execute(query)]


def _item(ab: AssociationBlock, tag: str, why: str, few: str, age: dt.timedelta) -> QueueItem:
    return QueueItem(
        ab_name=ab.name,
        instrument=ab.instrument,
        date=ab.dfo_date,
        raw_type=ab.raw_type,
        setup=ab.setup,
        state=ab.state,
        score=score_count(ab),
        tag=tag,
        why=why,
        brief=few,
        mjd_obs=ab.mjd_obs,
        age=age,
        report_path=ab.report_path,
        last_decision=ab.decisions[-1] if ab.decisions else None,
    )


def _order(item: QueueItem) -> tuple[int, dt.date, float, str]:
    return _URGENCY[item.tag], item.date, item.mjd_obs, item.ab_name
