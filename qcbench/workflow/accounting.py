"""Accounts of dates: what became of every file of the archive and of every AB.

Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.6 and 5.5.7 (daily statistics), for any number of dates.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer, selectinload

from qcbench.distribution import blockers_of, is_listed_only, what_waits
from qcbench.store import ABInput, ABState, ArchiveFile, AssociationBlock, Event, Frame
from qcbench.store.states import OPEN_STATES
from qcbench.workbench import Workbench

_ARCFILE = re.compile(r"\b[A-Z0-9_-]+\.\d{4}-\d\d-\d\dT[\d:.]*\d(\.fits)?")


@dataclass
class FileAccount:
    """What became of the files of an instrument: unusable, or a frame, which is in an AB or is not, for a reason."""

    files: int = 0
    unusable: int = 0
    in_abs: int = 0
    others: Counter[str] = field(default_factory=Counter)

    @property
    def missing(self) -> int:
        """How many files nothing is known of; 0 if all is well."""
        return self.files - self.unusable - self.in_abs - self.others.total()


@dataclass
class ABAccount:
    """What became of the ABs of calibrations that were created.

    Attributes
    ----------
    created : int
        By the events of their creation, without those that were dissolved since.
    listed_only : int
        ABs without a recipe, which are there to be seen.
    succeeded : int
        ABs whose products were made and measured.
    failures : Counter
        ABs that failed, by their reasons; these without the names of files, which make each another one.
    waiting : dict
        What each AB that is neither waits for.
    """

    created: int = 0
    listed_only: int = 0
    succeeded: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    waiting: dict[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """How many ABs nothing is known of; 0 if all is well."""
        known = self.listed_only + self.succeeded + self.failures.total() + len(self.waiting)
        return self.created - known


def account(
    bench: Workbench, instrument: str, dates: Sequence[dt.date] | None = None
) -> tuple[FileAccount, ABAccount]:
    """Account for the files and the calibration ABs of an instrument, of some dates or of all."""
    with bench.store.read() as session:
        return _files(session, instrument, dates), _blocks(session, instrument, dates)


def _files(session: Session, instrument: str, dates: Sequence[dt.date] | None) -> FileAccount:
    query = (
        select(
            ArchiveFile.problem,
            Frame.id,
            Frame.filtered,
            Frame.dpr_catg,
            Frame.raw_type,
            Frame.do_catg,
            func.count(ABInput.id),
        )
        .outerjoin(Frame, Frame.uri == ArchiveFile.uri)
        .outerjoin(ABInput, (ABInput.frame_id == Frame.id) & (ABInput.role == "RAWFILE"))
        .where(ArchiveFile.instrument == instrument)
        .group_by(ArchiveFile.id, Frame.id)
    )
    if dates is not None:
        query = query.where(ArchiveFile.dfo_date.in_(dates))
    found = FileAccount()
    for problem, frame, filtered, catg, raw_type, do_catg, uses in session.execute(query):
        found.files += 1
        if problem is not None:
            found.unusable += 1
        elif uses:
            found.in_abs += 1
        elif frame is None:
            found.others["not loaded yet"] += 1
        else:
            found.others[_why_in_none(filtered, catg, raw_type, do_catg)] += 1
    return found


def _why_in_none(filtered: str | None, catg: str, raw_type: str | None, do_catg: str | None) -> str:
    """Say why a frame is in no AB."""
    if filtered is not None:
        return f"kept out: {filtered}"
    if catg != "CALIB":
        return f"{catg}: no calibration"
    if raw_type is None and do_catg is None:
        return "of no type in the rules"
    return "of no group yet: its template is waited for, or the rules form none"


def _blocks(session: Session, instrument: str, dates: Sequence[dt.date] | None) -> ABAccount:
    query = (
        select(AssociationBlock)
        .where(AssociationBlock.instrument == instrument, AssociationBlock.mode == "CALIB")
        .options(defer(AssociationBlock.keys), selectinload(AssociationBlock.decisions))
        .order_by(AssociationBlock.mjd_obs, AssociationBlock.name)
    )
    if dates is not None:
        query = query.where(AssociationBlock.dfo_date.in_(dates))
    found = ABAccount(created=_created(session, instrument, dates))
    waiting = []
    for ab in session.scalars(query):
        last = ab.decisions[-1].policy if ab.decisions else ""
        if is_listed_only(ab):
            found.listed_only += 1
        elif ab.state == ABState.FAILED or last == "failed":
            found.failures[_ARCFILE.sub("…", ab.reason or "of no known reason")] += 1
        elif ab.state == ABState.REJECTED and last == "incomplete":
            found.failures["given up: a calibration or frames never came"] += 1
        elif ab.state in OPEN_STATES:
            waiting.append(ab)
        else:
            found.succeeded += 1
    blockers = blockers_of(session, [ab.id for ab in waiting])
    found.waiting = {ab.name: what_waits(ab, blockers.get(ab.id, ())) for ab in waiting}
    return found


def _created(session: Session, instrument: str, dates: Sequence[dt.date] | None) -> int:
    """Count the calibration ABs that were created, by their events; those that are science are taken off."""

    def count(flag: str) -> int:
        query = select(func.count(Event.id)).where(Event.instrument == instrument, Event.flag == flag)
        if dates is not None:
            query = query.where(Event.dfo_date.in_(dates))
        return session.scalar(query) or 0

    science = select(func.count(AssociationBlock.id)).where(
        AssociationBlock.instrument == instrument, AssociationBlock.mode != "CALIB"
    )
    if dates is not None:
        science = science.where(AssociationBlock.dfo_date.in_(dates))
    return count("ab_created") - count("ab_dissolved") - (session.scalar(science) or 0)
