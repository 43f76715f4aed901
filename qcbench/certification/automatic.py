"""The auto-certifier: certifies what the policy lets pass, and marks the rest for review.

Source: QC handbook (VLT-SPE-ESO-19600-3986), section 5.5.5.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from qcbench.certification.decisions import flag_when_decided, record_automatic, write_texts_later
from qcbench.certification.policy import review_reason
from qcbench.certification.rejection import doubtful_calibrations
from qcbench.core.dates import utc_now
from qcbench.store import ABState, AssociationBlock
from qcbench.store.models import NO_RECIPE
from qcbench.store.states import OPEN_STATES, TO_REVIEW
from qcbench.workbench import Workbench

Mode = Literal["CALIB"]


@dataclass(frozen=True)
class CertificationResult:
    """What was certified by this call, what a person has to see and why, and what is not scored yet."""

    certified: tuple[str, ...]
    for_review: tuple[tuple[str, str], ...]
    open: tuple[str, ...]


def certify_products(
    bench: Workbench, instrument: str, date: dt.date, mode: Mode = "CALIB"
) -> CertificationResult:
    """Certify the green ABs of a date and mark the others for review.

    A green AB is left to a person if a calibration that it was processed with was rejected or made anew since, or if
    the AB of that has failed.
    """
    settings = bench.settings.certification
    with bench.store.write() as session:
        abs_of_date = _read(session, instrument, date, mode)
        offered = [ab for ab in abs_of_date if ABState(ab.state) in TO_REVIEW]
        doubts = doubtful_calibrations(session, [ab.id for ab in offered])
        certified, for_review = [], []
        for ab in offered:
            reason = review_reason(ab, settings) or ("manual" if ab.id in doubts else None)
            if ab.review != reason:
                ab.review = reason
            if reason is None:
                record_automatic(session, ab, utc_now())
                certified.append(ab)
            else:
                for_review.append((ab.name, reason))
        if certified:
            flag_when_decided(session, certified[-1])
    write_texts_later(bench)
    return CertificationResult(
        certified=tuple(ab.name for ab in certified),
        for_review=tuple(for_review),
        open=tuple(ab.name for ab in abs_of_date if ABState(ab.state) in OPEN_STATES),
    )


def _read(session: Session, instrument: str, date: dt.date, mode: Mode) -> list[AssociationBlock]:
    return list(
        session.scalars(
            select(AssociationBlock)
            .where(
                AssociationBlock.instrument == instrument,
                AssociationBlock.dfo_date == date,
                AssociationBlock.mode == mode,
                AssociationBlock.recipe != NO_RECIPE,
            )
            .order_by(AssociationBlock.id)
            .options(selectinload(AssociationBlock.scores))
            .with_for_update()
        )
    )
