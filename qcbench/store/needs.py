"""Which files ABs still need: raw frames and calibrations of those that are open, or have no report yet.

An AB that has failed is tried once only, and one that is scored and reported is done with its frames: they can be
fetched again at any time. ABs that are only formed (science for which nobody has asked, no recipe) need no pixels.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 2.5.2, 4.1.5 and 4.1.9.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from itertools import islice

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, load_only

from qcbench.store.models import (
    NO_RECIPE,
    ABCalibration,
    ABInput,
    AssociationBlock,
    Event,
    Frame,
    Product,
)
from qcbench.store.states import OPEN_STATES, ABState

# the flag of the event, and how often a report is tried that fails
REPORT_FAILED, _REPORT_ATTEMPTS = "report_failed", 3
# names in one query
_BATCH = 500
# what says where a frame is; a header has hundreds of keys
_PLACE = load_only(Frame.instrument, Frame.dfo_date, Frame.arcfile, Frame.uri, Frame.size)


def is_processed_here() -> ColumnElement[bool]:
    """Return the condition that an AB is one to be processed."""
    asked_for = or_(AssociationBlock.mode == "CALIB", AssociationBlock.state != ABState.CREATED)
    return and_(asked_for, AssociationBlock.recipe != NO_RECIPE)


def lacks_report() -> ColumnElement[bool]:
    """Return the condition that the report of an AB is still to be made: one that failed some times is left."""
    failures = (
        select(func.count(Event.id))
        .where(
            Event.ab_name == AssociationBlock.name,
            Event.flag == REPORT_FAILED,
            # since it was scored
            Event.at >= AssociationBlock.updated_at,
        )
        .correlate(AssociationBlock)
        .scalar_subquery()
    )
    scored = AssociationBlock.state == ABState.SCORED
    return and_(scored, AssociationBlock.report_path.is_(None), failures < _REPORT_ATTEMPTS)


def needs_files() -> ColumnElement[bool]:
    """Return the condition that an AB needs its files: its recipe or its report is still to be made."""
    return and_(is_processed_here(), or_(AssociationBlock.state.in_(OPEN_STATES), lacks_report()))


def needed_among(session: Session, frame_ids: Collection[int]) -> set[int]:
    """Return which of some frames an AB needs, in whatever role."""
    query = select(ABInput.frame_id).join(ABInput.ab).where(ABInput.frame_id.in_(frame_ids), needs_files())
    return set(session.scalars(query))


def needed_frames(session: Session, instrument: str, date: dt.date) -> set[str]:
    """Return the frames of a date that an AB needs, whatever its own date, by ARCFILE."""
    return _frames(session, instrument, date, needs_files())


def needed_products(session: Session, product_ids: Collection[int]) -> set[int]:
    """Return which of some products an AB needs as its calibration, in whatever role."""
    query = (
        select(ABCalibration.product_id)
        .join(ABCalibration.ab)
        .where(ABCalibration.product_id.in_(product_ids), needs_files())
    )
    return set(session.scalars(query))


def frames_of(session: Session, ab_name: str) -> list[Frame]:
    """Return the raw frames of an AB, in whatever role."""
    query = (
        select(Frame)
        .options(_PLACE)
        .join(ABInput, ABInput.frame_id == Frame.id)
        .join(ABInput.ab)
        .where(AssociationBlock.name == ab_name)
        .order_by(ABInput.position)
    )
    return list(session.scalars(query))


def recipe_frames(session: Session, ab_names: Collection[str]) -> dict[str, list[Frame]]:
    """Return the raw frames that the recipes of ABs get, by AB: not those that are only associated."""
    found: dict[str, list[Frame]] = {name: [] for name in ab_names}
    names = iter(found)
    while batch := list(islice(names, _BATCH)):
        query = (
            select(AssociationBlock.name, Frame)
            .join(ABInput, ABInput.ab_id == AssociationBlock.id)
            .join(Frame, Frame.id == ABInput.frame_id)
            .options(_PLACE)
            .where(AssociationBlock.name.in_(batch), ABInput.role != "RASSOC")
            .order_by(AssociationBlock.name, ABInput.position)
        )
        for name, frame in session.execute(query):
            found[name].append(frame)
    return found


def used_frames(session: Session, instrument: str, date: dt.date) -> set[str]:
    """Return the frames of a date that belong to an AB to be processed, by ARCFILE."""
    return _frames(session, instrument, date, is_processed_here())


def _frames(session: Session, instrument: str, date: dt.date, condition: ColumnElement[bool]) -> set[str]:
    query = (
        select(Frame.arcfile)
        .join(ABInput, ABInput.frame_id == Frame.id)
        .join(ABInput.ab)
        .where(Frame.instrument == instrument, Frame.dfo_date == date, condition)
    )
    return set(session.scalars(query))


def archived_products(session: Session, instrument: str, date: dt.date) -> list[Product]:
    """Return the products of a date that are in the archive."""
    query = (
        select(Product)
        .join(Product.ab)
        .where(
            AssociationBlock.instrument == instrument,
            AssociationBlock.dfo_date == date,
            Product.location == "archive",
            Product.path.is_not(None),
        )
        .order_by(Product.id)
    )
    return list(session.scalars(query))
