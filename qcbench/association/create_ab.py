"""Creating Association Blocks (the handbook's createAB): filter, classify, group, associate.

Calling it again forms nothing twice. A template that is still being taken waits for the next call; an AB without a
calibration that it needs is tried again. Whatever the order in which frames come, the ABs are the same in the end.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.2, 5.5.2 and 5.5.6.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from qcbench.association.associating import Standing, associate_open, standing_of
from qcbench.association.forming import form_abs
from qcbench.association.frames import take_frames
from qcbench.association.general import index_general
from qcbench.association.waiting import patience_of
from qcbench.blocks import Mode
from qcbench.core.dates import utc_now
from qcbench.store import AssociationBlock, flag_of, mark_date, record_event
from qcbench.store.states import WAITING_STATES
from qcbench.workbench import Workbench

TOOL = "create-ab"


@dataclass
class CreateResult:
    """What a call of create-ab did for a date.

    Attributes
    ----------
    created : list of str
        ABs that are new.
    associated : list of str
        ABs, also of other dates, whose frames or calibrations changed.
    dissolved : list of str
        ABs that are no more, for their frames are kept out or grouped otherwise now.
    incomplete : list of str
        ABs of the date that lack a calibration or raw frames.
    waiting : list of str
        First frames of groups that are waited for, and frames whose group their whole template tells.
    filtered, unclassified, unsupported : list of str
        Frames that are kept out, that no rule gives a type, and for which the rules form no group.
    late : list of str
        Frames that came after the AB of their group was worked on, and are in none.
    problems : list of str
        General calibrations that can't be used.
    """

    date: dt.date
    created: list[str] = field(default_factory=list)
    associated: list[str] = field(default_factory=list)
    dissolved: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    filtered: list[str] = field(default_factory=list)
    unclassified: list[str] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def create_abs(
    bench: Workbench,
    instrument: str,
    date: dt.date,
    mode: Mode = "CALIB",
    *,
    now: dt.datetime | None = None,
    settled: dict[str, Standing] | None = None,
) -> CreateResult:
    """Create the ABs of an instrument, date and mode that can be created now, and associate those that are open.

    Science ABs take certified masters only; they are made to be verified and kept, and processed when somebody asks.

    Parameters
    ----------
    now : datetime, optional
        The time against which a template counts as still being taken; by default the present.
    settled : dict, optional
        Where each instrument stood when its open ABs were associated last, kept by a caller with many dates: they are
        not associated again where nothing has happened since, and texts that somebody removed are not looked for.

    Raises
    ------
    RuleError
        The rules ask for an action that they don't have.
    """
    pack = bench.pack(instrument)
    result = CreateResult(date, problems=index_general(bench, instrument))
    patience = patience_of(bench, now or utc_now())
    with bench.store.write() as session:
        taken = take_frames(session, pack, date, mode)
        formed = form_abs(session, pack, date, mode, taken, patience)
        # science ABs stay open for ever: those of other dates are left as they are, but for templates over two dates
        dates = {date, *(frame.dfo_date for frame in taken.frames)} if mode == "SCIENCE" else None
        associated = []
        if settled is None or settled.get(instrument) != standing_of(session, instrument):
            associated = associate_open(session, pack, mode=mode, dates=dates)
        if formed.created:
            text = f"{len(formed.created)} ABs created"
            record_event(session, TOOL, flag_of(mode, "AB"), text, instrument=instrument, date=date)
        session.flush()
        if settled is None:
            mark_date(session, instrument, date)
        else:
            settled[instrument] = standing_of(session, instrument)
        result.incomplete = _incomplete(session, instrument, date, mode)
    bench.write_texts()
    result.created, result.dissolved, result.waiting = formed.created, formed.dissolved, formed.waiting
    result.associated = sorted({*formed.changed, *associated} - set(formed.created))
    result.filtered = sorted(taken.filtered)
    result.unclassified, result.unsupported = taken.unclassified, formed.unsupported
    result.late = sorted(formed.late)
    return result


def _incomplete(session: Session, instrument: str, date: dt.date, mode: str) -> list[str]:
    query = select(AssociationBlock.name).where(
        AssociationBlock.instrument == instrument,
        AssociationBlock.dfo_date == date,
        AssociationBlock.mode == mode,
        AssociationBlock.state.in_(WAITING_STATES),
        AssociationBlock.completeness != "COMPLETE",
    )
    return list(session.scalars(query.order_by(AssociationBlock.mjd_obs, AssociationBlock.name)))
