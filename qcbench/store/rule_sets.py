"""Models of the calSelector rules: versions with a validity range, and the data sets that each one defines.

Source: QC handbook (VLT-SPE-ESO-19600-3986), section 5.7.4.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qcbench.store.models import Base, Keys


class RuleSetVersion(Base):
    """A set of calSelector rules, in force for data taken from one DFO date to another (both included).

    `used_at` is the time of its first answer: from then on it does not change. `seen_until` is the loading time
    of the newest frame that its data sets know.
    """

    __tablename__ = "rule_sets"
    __table_args__ = (UniqueConstraint("instrument", "valid_from"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    instrument: Mapped[str]
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]
    source: Mapped[str]
    text: Mapped[str]
    sha256: Mapped[str]
    added_at: Mapped[dt.datetime]
    added_by: Mapped[str]
    used_at: Mapped[dt.datetime | None]
    seen_until: Mapped[dt.datetime | None]

    datasets: Mapped[list[VirtualDataset]] = relationship(
        back_populates="rule_set", cascade="all, delete-orphan", passive_deletes=True
    )


class VirtualDataset(Base):
    """A virtual product of a rule set: the raw frames that would make it, and the categories that it would have.

    `frames` holds pairs of ARCFILE and DO.CATG, `categories` the PRO.CATG.
    """

    __tablename__ = "virtual_datasets"
    __table_args__ = (
        UniqueConstraint("rule_set_id", "name"),
        Index("ix_virtual_datasets_time", "rule_set_id", "mjd_obs_mod"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    rule_set_id: Mapped[int] = mapped_column(ForeignKey("rule_sets.id", ondelete="CASCADE"))
    name: Mapped[str]
    action: Mapped[str]
    raw_type: Mapped[str]
    dfo_date: Mapped[dt.date] = mapped_column(index=True)
    mjd_obs_mod: Mapped[float]
    frames: Mapped[list[Any]]
    categories: Mapped[list[Any]]
    keys: Mapped[Keys]

    rule_set: Mapped[RuleSetVersion] = relationship(back_populates="datasets")
