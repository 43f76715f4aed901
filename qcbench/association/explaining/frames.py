"""Why a frame is what it is, and where it went: its type, its groups, its ABs, or what keeps it out of them.

Nothing is written: the rules are asked as they are now, and what they say is held against what the database has.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.2 and 5.5.2.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import PurePosixPath

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, selectinload

from qcbench.association.associating import RAWFILE
from qcbench.association.explaining.classifying import (
    FiredRule,
    NearRule,
    Typing,
    deciding_keys,
    explain_type,
)
from qcbench.association.explaining.grouping import (
    Selection,
    nearest_organizers,
    select_frame,
)
from qcbench.association.intake import OF_NO_INSTRUMENT
from qcbench.association.waiting import Patience, Waiting, patience_of
from qcbench.blocks.model import MODES
from qcbench.core.dates import utc_now
from qcbench.core.errors import NotFoundError
from qcbench.instruments import InstrumentPack
from qcbench.oca import Value
from qcbench.store import ABInput, ArchiveFile, Frame
from qcbench.store.states import WAITING_STATES
from qcbench.workbench import Workbench

_FEW, _MANY = 3, 500
_TO_THE_DAY = len("2026-11-19")


@dataclass(frozen=True)
class Membership:
    """An AB that has the frame: as one of its group (RAWFILE), or associated; `lacks` says why it is incomplete."""

    ab: str
    role: str
    tag: str
    action: str
    state: str
    completeness: str
    lacks: tuple[str, ...]


@dataclass(frozen=True)
class FrameExplanation:
    """Everything that decided over a frame.

    Attributes
    ----------
    answer, next : str
        Where it is or why it is nowhere, in a sentence; and what can be done.
    header : tuple of (key, value)
        The values that decided over its type.
    nearest : tuple of NearRule
        Where no classifier knows it: those that came closest.
    problem : str or None
        Why the file can't be used, or what became of it.
    filtered : str or None
        Why a filter keeps it out.
    selections, near_organizers
        The organizers that select it; where none does, those that came closest.
    """

    arcfile: str
    answer: str
    next: str
    instrument: str | None = None
    date: dt.date | None = None
    uri: str | None = None
    rules: str | None = None
    header: tuple[tuple[str, Value], ...] = ()
    fired: tuple[FiredRule, ...] = ()
    raw_type: str | None = None
    do_catg: str | None = None
    nearest: tuple[NearRule, ...] = ()
    problem: str | None = None
    filtered: str | None = None
    selections: tuple[Selection, ...] = ()
    near_organizers: tuple[NearRule, ...] = ()
    waiting: Waiting | None = None
    blocks: tuple[Membership, ...] = ()


def explain_frame(bench: Workbench, name: str, *, now: dt.datetime | None = None) -> FrameExplanation:
    """Say which rules decided over a raw frame, and what came of it.

    Parameters
    ----------
    name : str
        ARCFILE, with or without ``.fits``, or the name of a file that was seen in the archive.
    now : datetime, optional
        The time against which a template counts as still being taken; by default the present.

    Raises
    ------
    NotFoundError
        Neither a frame nor a file of the archive has this name; near names are given.
    """
    root = name.removesuffix(".fits")
    with bench.store.read() as session:
        frame = session.scalar(select(Frame).where(Frame.arcfile.in_([root, f"{root}.fits"])))
        if frame is None:
            return _of_file(session, root)
        pack = bench.pack(frame.instrument)
        return _of_frame(session, pack, frame, patience_of(bench, now or utc_now()))


def _of_frame(session: Session, pack: InstrumentPack, frame: Frame, patience: Patience) -> FrameExplanation:
    typing = explain_type(pack.rules, frame.keys)
    keys: dict[str, Value] = {**frame.keys, **typing.assigned}
    filtered = next((rule.why for rule in pack.filters if rule.keeps_out(frame.arcfile, keys)), None)
    selections, waiting = select_frame(session, pack, frame, patience)
    told = FrameExplanation(
        arcfile=frame.arcfile,
        answer="",
        next="",
        instrument=frame.instrument,
        date=frame.dfo_date,
        uri=frame.uri,
        rules=pack.rules.source,
        header=deciding_keys(typing),
        fired=typing.fired,
        raw_type=typing.category("RAW.TYPE"),
        do_catg=typing.category("DO.CATG"),
        nearest=typing.nearest,
        problem=frame.problem,
        filtered=filtered,
        selections=() if filtered else selections,
        near_organizers=() if selections or not typing.is_known else nearest_organizers(pack, keys),
        waiting=waiting,
        blocks=_blocks(session, frame),
    )
    answer, todo = _where(told, frame, typing)
    return replace(told, answer=answer, next=todo)


def _blocks(session: Session, frame: Frame) -> tuple[Membership, ...]:
    query = (
        select(ABInput)
        .where(ABInput.frame_id == frame.id)
        .options(selectinload(ABInput.ab))
        .order_by(ABInput.role != RAWFILE, ABInput.ab_id)
    )
    return tuple(
        Membership(
            ab=item.ab.name,
            role=item.role,
            tag=item.tag,
            action=item.ab.action,
            state=item.ab.state,
            completeness=item.ab.completeness,
            lacks=tuple(str(missing["why"]) for missing in item.ab.missing if missing.get("required", True)),
        )
        for item in session.scalars(query)
    )


def _where(told: FrameExplanation, frame: Frame, typing: Typing) -> tuple[str, str]:
    """Say where a frame is, or why it is in no AB, and what can be done."""
    own = [block for block in told.blocks if block.role == RAWFILE]
    create = f"qcbench create-ab -d {frame.dfo_date} -m {frame.dpr_catg}"
    if own and not told.filtered:
        names = ", ".join(f"{block.ab} ({block.state}, {block.completeness})" for block in own)
        lacking = [block for block in own if block.completeness != "COMPLETE"]
        return f"{_type(told)}, in {names}.", f"qcbench explain-ab {lacking[0].ab}" if lacking else ""
    if told.filtered:
        rest = _after_filter(own)
        return (
            f"Kept out by a filter: {told.filtered}{rest}.",
            "To let it in, change filters.yaml of the pack",
        )
    if not typing.is_known:
        todo = "Correct the key in the archive (or ask for it), or add a classifier to the rules"
        return "Unclassified: no rule gives it a type, so that it is in no AB.", todo
    if frame.dpr_catg not in MODES:
        kinds = " and ".join(MODES)
        return (
            f"{_type(told)}, in no AB: ABs are formed of {kinds} frames, and its DPR.CATG is {frame.dpr_catg!r}.",
            "",
        )
    if told.problem:
        return f"{_type(told)}, in no AB: it {told.problem}.", ""
    if told.waiting:
        return (
            f"{_type(told)}, in no AB yet: {told.waiting.why}.",
            f"It is waited for until {told.waiting.until:%Y-%m-%d %H:%M} UT",
        )
    if not told.selections:
        return (
            f"{_type(told)}, in no AB: no organizer selects it.",
            "If it is to be processed, add an organizer",
        )
    return f"{_type(told)}, in no AB yet: none was formed since it came.", create


def _after_filter(own: Sequence[Membership]) -> str:
    """Say what a filter means for the ABs that have the frame: those that were worked on keep it."""
    worked_on = [block.ab for block in own if block.state not in WAITING_STATES]
    if worked_on:
        return f"; {', '.join(worked_on)} was processed with it, reject that AB if it must not be used"
    return f"; the next create-ab takes it out of {own[0].ab}" if own else ""


def _type(told: FrameExplanation) -> str:
    if told.raw_type or told.do_catg:
        return told.raw_type or f"DO.CATG {told.do_catg}"
    return "Of no type by the rules of today"


def _of_file(session: Session, root: str) -> FrameExplanation:
    """Explain a file of the archive that is no frame."""
    named = [f"{root}.fits", root]
    query = select(ArchiveFile).where(
        or_(
            ArchiveFile.arcfile.in_(named),
            ArchiveFile.uri.in_(named),
            *(ArchiveFile.uri.endswith(f"/{name}", autoescape=True) for name in named),
        )
    )
    # of several copies, the one with a problem is what there is to be said
    file = session.scalar(query.order_by(ArchiveFile.problem.is_(None), ArchiveFile.uri).limit(1))
    if file is None:
        raise NotFoundError(_unknown(session, root))
    if file.problem:
        answer = f"No frame: the archive has the file, and it can't be used: {file.problem}."
        todo = (
            "If the workbench shall look after its instrument, add that to qcbench.toml, or its INSTRUME to "
            "instrument.yaml: the next qcbench data-loader takes it"
            if OF_NO_INSTRUMENT in file.problem
            else "Put a good copy into the archive: the next qcbench data-loader takes it"
        )
    else:
        answer = "No frame yet: it was seen in the archive, and its header is not loaded."
        todo = f"qcbench data-loader -t h -d {file.dfo_date}"
    return FrameExplanation(
        arcfile=file.arcfile or PurePosixPath(file.uri).name,
        answer=answer,
        next=todo,
        instrument=file.instrument,
        date=file.dfo_date,
        uri=file.uri,
        problem=file.problem,
    )


def _unknown(session: Session, root: str) -> str:
    """Say that there is no frame of a name, with names that are near."""
    name = f"{root}.fits"
    before = select(Frame.arcfile).where(Frame.arcfile < name).order_by(Frame.arcfile.desc()).limit(_FEW)
    after = select(Frame.arcfile).where(Frame.arcfile >= name).order_by(Frame.arcfile).limit(_FEW)
    stem = root[: root.find(".") + 1 + _TO_THE_DAY]
    of_day = select(Frame.arcfile).where(Frame.arcfile.startswith(stem, autoescape=True)).limit(_MANY)
    found = {near for query in (before, after, of_day) for near in session.scalars(query)}
    close = get_close_matches(name, sorted(found), n=_FEW)
    near = f" Near names: {', '.join(close)}." if close else ""
    return (
        f"{name}: the database has no such frame, and no file of the archive has this name.{near} "
        "For a file outside of the workbench: qcbench oca classify FILE"
    )
