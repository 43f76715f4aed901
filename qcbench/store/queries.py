"""What several stages ask of the database: an AB by its name, the ABs of a date, what came before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from qcbench.core.dates import dfo_date, mjd_of
from qcbench.core.errors import NotFoundError
from qcbench.store.models import (
    ABCalibration,
    ABInput,
    ArchiveFile,
    AssociationBlock,
    Comment,
    Decision,
    Product,
    Score,
)
from qcbench.store.states import ABState

CERTIFIED_LOCATIONS = ("calib", "archive")


@dataclass(frozen=True)
class ABSummary:
    """An AB as the lists of a date show it.

    Attributes
    ----------
    n_red, n_scored : int
        Its score; `n_scored` is 0 where nothing was scored.
    decision, comment : str
        The last decision with who took it, and what was said last; empty where there is none.
    """

    name: str
    raw_type: str
    setup: str
    mode: str
    recipe: str
    completeness: str
    missing: tuple[Mapping[str, Any], ...]
    state: ABState
    engine: str
    reason: str
    exec_seconds: float | None
    log_path: str | None
    report_path: str | None
    review: str
    n_red: int
    n_scored: int
    decision: str
    comment: str
    updated_at: dt.datetime

    @property
    def root_name(self) -> str:
        """The name without the ending ``.ab``."""
        return self.name.removesuffix(".ab")


def find_ab(session: Session, name: str, *, whole: bool = False) -> AssociationBlock:
    """Return an AB by its name, with or without ``.ab``.

    Parameters
    ----------
    whole : bool
        Load with it all that it is related to, so that it can be read after the session is closed.

    Raises
    ------
    NotFoundError
        There is no such AB.
    """
    full = f"{name.removesuffix('.ab')}.ab"
    query = select(AssociationBlock).where(AssociationBlock.name == full)
    if whole:
        query = query.options(
            selectinload(AssociationBlock.inputs).selectinload(ABInput.frame),
            selectinload(AssociationBlock.calibrations)
            .selectinload(ABCalibration.product)
            .selectinload(Product.ab),
            selectinload(AssociationBlock.products),
            selectinload(AssociationBlock.scores),
            selectinload(AssociationBlock.decisions),
        )
    ab = session.scalars(query).one_or_none()
    if ab is None:
        raise NotFoundError(
            f"{full}: the database has no such AB. List those of a date: qcbench get-status-ab"
        )
    return ab


def summaries(session: Session, instrument: str, date: dt.date) -> list[ABSummary]:
    """Return the ABs of a date, in the order of their frames."""
    query = (
        select(AssociationBlock)
        .where(AssociationBlock.instrument == instrument, AssociationBlock.dfo_date == date)
        .order_by(AssociationBlock.mjd_obs, AssociationBlock.name)
    )
    blocks = session.scalars(query).all()
    counts = _counts(session, instrument, date)
    decisions = _decisions(session, instrument, date)
    comments = _comments(session, [ab.name for ab in blocks])
    return [
        _summary(ab, counts.get(ab.id, (0, 0)), decisions.get(ab.id), comments.get(ab.name)) for ab in blocks
    ]


def problem_files(session: Session, instrument: str, date: dt.date, start_hour: int) -> list[ArchiveFile]:
    """Return the unusable files of a date; one that tells no date counts for the date on which it was seen."""
    query = (
        select(ArchiveFile)
        .where(
            ArchiveFile.problem.is_not(None),
            (ArchiveFile.instrument == instrument) | ArchiveFile.instrument.is_(None),
            (ArchiveFile.dfo_date == date) | ArchiveFile.dfo_date.is_(None),
        )
        .order_by(ArchiveFile.uri)
    )
    return [
        file
        for file in session.scalars(query)
        if file.dfo_date == date or dfo_date(mjd_of(file.seen_at), start_hour) == date
    ]


def previous_master(session: Session, ab: AssociationBlock, product: Product) -> Product | None:
    """Return the certified product of the same PRO.CATG and setup that is next before an AB in time."""
    query = (
        select(Product)
        .join(Product.ab)
        .where(
            Product.instrument == ab.instrument,
            Product.pro_catg == product.pro_catg,
            Product.location.in_(CERTIFIED_LOCATIONS),
            Product.mjd_obs < product.mjd_obs,
            AssociationBlock.raw_type == ab.raw_type,
            AssociationBlock.setup == ab.setup,
        )
        .options(selectinload(Product.ab))
        .order_by(Product.mjd_obs.desc(), Product.pipefile)
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def _counts(session: Session, instrument: str, date: dt.date) -> dict[int, tuple[int, int]]:
    query = (
        select(Score.ab_id, func.sum(Score.verdict), func.count(Score.verdict))
        .join(Score.ab)
        .where(AssociationBlock.instrument == instrument, AssociationBlock.dfo_date == date)
        .group_by(Score.ab_id)
    )
    return {ab_id: (int(n_red or 0), n_scored) for ab_id, n_red, n_scored in session.execute(query)}


def _decisions(session: Session, instrument: str, date: dt.date) -> dict[int, Decision]:
    query = (
        select(Decision)
        .join(Decision.ab)
        .where(AssociationBlock.instrument == instrument, AssociationBlock.dfo_date == date)
        .order_by(Decision.id)
    )
    return {decision.ab_id: decision for decision in session.scalars(query)}


def _comments(session: Session, names: list[str]) -> dict[str, Comment]:
    query = select(Comment).where(Comment.kind == "ab", Comment.target.in_(names)).order_by(Comment.id)
    return {comment.target: comment for comment in session.scalars(query)}


def _summary(
    ab: AssociationBlock, count: tuple[int, int], decision: Decision | None, comment: Comment | None
) -> ABSummary:
    said = [text for text in (decision and decision.comment, comment and comment.text) if text]
    return ABSummary(
        name=ab.name,
        raw_type=ab.raw_type,
        setup=ab.setup,
        mode=ab.mode,
        recipe=ab.recipe,
        completeness=ab.completeness,
        missing=tuple(ab.missing),
        state=ABState(ab.state),
        engine=ab.engine or "",
        reason=ab.reason or "",
        exec_seconds=ab.exec_seconds,
        log_path=ab.log_path,
        report_path=ab.report_path,
        review=ab.review or "",
        n_red=count[0],
        n_scored=count[1],
        decision=f"{decision.verdict} by {'rule' if decision.automatic else decision.by}" if decision else "",
        comment=" · ".join(said),
        updated_at=ab.updated_at,
    )
