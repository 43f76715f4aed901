"""Typed models of the workflow state.

QC1 tables are not here: each pack describes its own, see `qcbench.qc1`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Index, UniqueConstraint, event
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Mapper,
    ORMExecuteState,
    Session,
    mapped_column,
    relationship,
)
from sqlalchemy.types import TypeDecorator

from qcbench.core.errors import StoreError

Keys = dict[str, Any]

# the recipe of an AB that no pipeline supports: it is formed, and not processed
NO_RECIPE = "NONE"


class UtcTime(TypeDecorator[dt.datetime]):
    """An aware time in UT, also in SQLite, which knows no time zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """Store the time in UT without zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone: give an aware time")
        return value.astimezone(dt.UTC).replace(tzinfo=None)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """Give the time back as aware UT."""
        return None if value is None else value.replace(tzinfo=dt.UTC)


class Base(DeclarativeBase):
    """Base of all models."""

    type_annotation_map = {dt.datetime: UtcTime, Keys: JSON, list[Any]: JSON}  # noqa: RUF012 (SQLAlchemy reads it)


class ArchiveFile(Base):
    """A file that was seen in the archive: read once, or unusable for a stated reason."""

    __tablename__ = "archive_files"
    id: Mapped[int] = mapped_column(primary_key=True)
    uri: Mapped[str] = mapped_column(unique=True)
    size: Mapped[int]
    stamp: Mapped[str]
    instrument: Mapped[str | None]
    dfo_date: Mapped[dt.date | None] = mapped_column(index=True)
    arcfile: Mapped[str | None] = mapped_column(index=True)
    problem: Mapped[str | None]
    available_at: Mapped[dt.datetime | None]
    seen_at: Mapped[dt.datetime]


class Frame(Base):
    """A raw frame, named by ARCFILE; `filtered` says why it is kept out of the system, where it is."""

    __tablename__ = "frames"
    __table_args__ = (Index("ix_frames_instrument_date", "instrument", "dfo_date"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    arcfile: Mapped[str] = mapped_column(unique=True)
    instrument: Mapped[str]
    dfo_date: Mapped[dt.date]
    mjd_obs: Mapped[float]
    exptime: Mapped[float]
    uri: Mapped[str]
    size: Mapped[int]
    stamp: Mapped[str]
    header_sha256: Mapped[str]
    dpr_catg: Mapped[str]
    dpr_type: Mapped[str]
    tpl_start: Mapped[str | None]
    tpl_nexp: Mapped[int | None]
    raw_type: Mapped[str | None]
    do_catg: Mapped[str | None]
    problem: Mapped[str | None]
    filtered: Mapped[str | None]
    keys: Mapped[Keys]
    loaded_at: Mapped[dt.datetime]


class AssociationBlock(Base):
    """An Association Block (AB): the raw frames of one processing job and all that it needs."""

    __tablename__ = "abs"
    __table_args__ = (Index("ix_abs_instrument_date", "instrument", "dfo_date"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    instrument: Mapped[str]
    dfo_date: Mapped[dt.date]
    mode: Mapped[str]
    raw_type: Mapped[str]
    event: Mapped[str]
    action: Mapped[str]
    recipe: Mapped[str]
    completeness: Mapped[str]
    missing: Mapped[list[Any]] = mapped_column(default=list)
    match_keys: Mapped[Keys]
    setup: Mapped[str]
    keys: Mapped[Keys]
    mjd_obs: Mapped[float]
    mjd_obs_mod: Mapped[float]
    prod_root: Mapped[str]
    state: Mapped[str] = mapped_column(index=True, default="created")
    # what somebody set for this AB alone, over the parameters of the pack
    parameters: Mapped[Keys] = mapped_column(default=dict)
    engine: Mapped[str | None]
    claim: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str | None]
    exec_seconds: Mapped[float | None]
    log_path: Mapped[str | None]
    report_path: Mapped[str | None]
    review: Mapped[str | None]
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]

    inputs: Mapped[list[ABInput]] = relationship(
        back_populates="ab", order_by="ABInput.position", cascade="all, delete-orphan"
    )
    calibrations: Mapped[list[ABCalibration]] = relationship(
        back_populates="ab", order_by="ABCalibration.position", cascade="all, delete-orphan"
    )
    products: Mapped[list[Product]] = relationship(
        back_populates="ab", order_by="Product.position", cascade="all, delete-orphan"
    )
    scores: Mapped[list[Score]] = relationship(
        back_populates="ab", order_by="Score.id", cascade="all, delete-orphan"
    )
    decisions: Mapped[list[Decision]] = relationship(back_populates="ab", order_by="Decision.id")

    @property
    def root_name(self) -> str:
        """The name without the ending ``.ab``."""
        return self.name.removesuffix(".ab")


class ABInput(Base):
    """A raw frame of an AB: of its group (RAWFILE), a further input (RCALIB), or only associated (RASSOC).

    `dt_days` (frame minus AB at mid-exposure) and `level` (see `ABCalibration`) are those of an associated one.
    """

    __tablename__ = "ab_inputs"
    __table_args__ = (UniqueConstraint("ab_id", "frame_id", "role"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    ab_id: Mapped[int] = mapped_column(ForeignKey("abs.id", ondelete="CASCADE"), index=True)
    frame_id: Mapped[int] = mapped_column(ForeignKey("frames.id"), index=True)
    role: Mapped[str]
    tag: Mapped[str]
    dt_days: Mapped[float | None]
    level: Mapped[int] = mapped_column(default=0)
    position: Mapped[int]

    ab: Mapped[AssociationBlock] = relationship(back_populates="inputs")
    frame: Mapped[Frame] = relationship()


class Product(Base):
    """A pipeline product: virtual until its AB has made it, then followed to the archive; or a general calibration.

    `location` is one of virtual, product (certification area), calib (certified and moved), archive, purged,
    general. A general (static) calibration has no AB; its `mjd_obs` is the start of its validity, 0 for always,
    and `stamp` tells whether its file was changed.
    """

    __tablename__ = "products"
    __table_args__ = (
        UniqueConstraint("ab_id", "position"),
        Index("ix_products_lookup", "instrument", "pro_catg", "mjd_obs"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    ab_id: Mapped[int | None] = mapped_column(ForeignKey("abs.id", ondelete="CASCADE"), index=True)
    instrument: Mapped[str]
    position: Mapped[int]
    pro_catg: Mapped[str]
    pipefile: Mapped[str] = mapped_column(unique=True)
    location: Mapped[str] = mapped_column(default="virtual", index=True)
    path: Mapped[str | None]
    final_name: Mapped[str | None] = mapped_column(unique=True)
    dp_id: Mapped[str | None] = mapped_column(unique=True)
    sha256: Mapped[str | None]
    data_hash: Mapped[str | None]
    stamp: Mapped[str | None]
    mjd_obs: Mapped[float]
    keys: Mapped[Keys]

    ab: Mapped[AssociationBlock | None] = relationship(back_populates="products")

    @property
    def maker(self) -> AssociationBlock:
        """The AB that makes it.

        Raises
        ------
        StoreError
            It is a general calibration, which no AB makes.
        """
        if self.ab is None:
            raise StoreError(f"{self.pipefile} is a general calibration: no AB makes it")
        return self.ab

    @property
    def file_name(self) -> str:
        """The name that people see: the final one, else the pipeline's."""
        return self.final_name or self.pipefile


class ABCalibration(Base):
    """A calibration that an AB uses (MCALIB) or that is only associated with it (MASSOC).

    `dt_days` is calibration minus AB at mid-exposure; None for a general calibration. `level` is 0 within the
    calibration plan, and counts up with each preference of the rule that it does not fulfil.
    """

    __tablename__ = "ab_calibrations"
    id: Mapped[int] = mapped_column(primary_key=True)
    ab_id: Mapped[int] = mapped_column(ForeignKey("abs.id", ondelete="CASCADE"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), index=True)
    role: Mapped[str]
    flag: Mapped[str]
    tag: Mapped[str]
    evaluation: Mapped[str]
    dt_days: Mapped[float | None]
    level: Mapped[int] = mapped_column(default=0)
    position: Mapped[int]

    ab: Mapped[AssociationBlock] = relationship(back_populates="calibrations")
    product: Mapped[Product] = relationship()


class Score(Base):
    """The verdict on one QC parameter of an AB: 0 ok, 1 not ok, None not scored."""

    __tablename__ = "scores"
    __table_args__ = (UniqueConstraint("ab_id", "qc1_table", "parameter", "detector"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    ab_id: Mapped[int] = mapped_column(ForeignKey("abs.id", ondelete="CASCADE"), index=True)
    qc1_table: Mapped[str]
    parameter: Mapped[str]
    detector: Mapped[str]
    label: Mapped[str]
    value: Mapped[float | None]
    unit: Mapped[str]
    low: Mapped[float | None]
    high: Mapped[float | None]
    valid_from: Mapped[dt.date | None]
    verdict: Mapped[int | None]
    why: Mapped[str]
    remedy: Mapped[str]

    ab: Mapped[AssociationBlock] = relationship(back_populates="scores")


class Event(Base):
    """Something that happened: status flags, failures, refusals. Only ever added."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime]
    tool: Mapped[str]
    flag: Mapped[str] = mapped_column(index=True)
    level: Mapped[str]
    instrument: Mapped[str | None]
    dfo_date: Mapped[dt.date | None] = mapped_column(index=True)
    ab_name: Mapped[str | None] = mapped_column(index=True)
    message: Mapped[str]
    user: Mapped[str]


class Decision(Base):
    """A certification decision. Never overwritten, only followed by another one."""

    __tablename__ = "decisions"
    id: Mapped[int] = mapped_column(primary_key=True)
    ab_id: Mapped[int] = mapped_column(ForeignKey("abs.id"), index=True)
    verdict: Mapped[str]
    scope: Mapped[str]
    by: Mapped[str]
    at: Mapped[dt.datetime]
    comment: Mapped[str]
    automatic: Mapped[bool]
    policy: Mapped[str]

    ab: Mapped[AssociationBlock] = relationship(back_populates="decisions")


class Comment(Base):
    """What somebody said of a raw frame, a product, an AB or a date. Only ever added."""

    __tablename__ = "comments"
    __table_args__ = (Index("ix_comments_target", "kind", "target"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    target: Mapped[str]
    text: Mapped[str]
    by: Mapped[str]
    at: Mapped[dt.datetime]


def _refuse(_mapper: Mapper[Any], _connection: Connection, target: object) -> None:
    raise StoreError(f"{type(target).__name__} rows are only ever added: add one that follows it instead")


def _refuse_in_bulk(state: ORMExecuteState) -> None:
    if not (state.is_update or state.is_delete) or state.bind_mapper is None:
        return
    if issubclass(state.bind_mapper.class_, _ONLY_ADDED):
        raise StoreError(
            f"{state.bind_mapper.class_.__name__} rows are only ever added: add one that follows"
        )


_ONLY_ADDED = (Event, Decision, Comment)
for _model in _ONLY_ADDED:
    event.listen(_model, "before_update", _refuse)
    event.listen(_model, "before_delete", _refuse)
event.listen(Session, "do_orm_execute", _refuse_in_bulk)
