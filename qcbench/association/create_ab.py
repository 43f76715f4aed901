"""Creating Association Blocks (the handbook's createAB): classify, group, associate.

Calling it again forms nothing twice: an AB is known by its name, which is that of its first raw frame. A template
that is still being taken waits for the next call; an AB without a calibration that it needs is tried again.
Source: QC handbook (VLT-SPE-ESO-19600-3986), section 5.5.2.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from qcbench.association.candidates import MASTERS, associate, may_be_made, pool
from qcbench.blocks import block_of, log_text, print_block
from qcbench.core.dates import mjd_of, utc_now
from qcbench.core.files import write_text
from qcbench.instruments import InstrumentPack, product_category
from qcbench.oca import Action, Group, Value, classify, group
from qcbench.store import (
    ABCalibration,
    ABInput,
    ABState,
    AssociationBlock,
    Frame,
    Product,
    advance,
    record_event,
    record_lasting,
)
from qcbench.store.models import NO_RECIPE
from qcbench.workbench import Workbench

TOOL = "create-ab"
SECONDS_PER_DAY = 86400.0


@dataclass
class CreateResult:
    """What a call of create-ab did for a date."""

    date: dt.date
    created: list[str] = field(default_factory=list)
    associated: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    unclassified: list[str] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)


def create_abs(
    bench: Workbench, instrument: str, date: dt.date, *, now: dt.datetime | None = None
) -> CreateResult:
    """Create the calibration ABs of an instrument and date that can be created now.

    Parameters
    ----------
    now : datetime, optional
        The time against which a template counts as still being taken; by default the present.
    """
    pack = bench.pack(instrument)
    result = CreateResult(date)
    with bench.store.write() as session:
        frames = _classified(session, pack, date, result)
        _form_groups(bench, session, pack, frames, mjd_of(now or utc_now()), result)
        session.flush()
        _associate_open(session, pack, date, result)
        if result.created:
            text = f"{len(result.created)} ABs created"
            record_event(session, TOOL, "cal_AB", text, instrument=instrument, date=date)
    _write_texts(bench, instrument, date, {*result.created, *result.associated})
    _write_list(bench, instrument, date)
    return result


def _classified(session: Session, pack: InstrumentPack, date: dt.date, result: CreateResult) -> list[Frame]:
    """Classify the calibration frames of a date; those of no raw type are listed, never dropped."""
    query = (
        select(Frame)
        .where(Frame.instrument == pack.name, Frame.dfo_date == date)
        .order_by(Frame.mjd_obs, Frame.arcfile)
    )
    frames = []
    for frame in session.scalars(query):
        assigned = classify(pack.rules, frame.keys).assigned
        frame.raw_type = str(assigned["RAW.TYPE"]) if "RAW.TYPE" in assigned else None
        frame.do_catg = str(assigned["DO.CATG"]) if "DO.CATG" in assigned else None
        if frame.raw_type is None:
            result.unclassified.append(frame.arcfile)
        elif frame.dpr_catg == "CALIB":
            frames.append(frame)
    return frames


def _keys(frame: Frame) -> dict[str, Value]:
    return {**frame.keys, "RAW.TYPE": frame.raw_type, "DO.CATG": frame.do_catg}


def _form_groups(
    bench: Workbench,
    session: Session,
    pack: InstrumentPack,
    frames: Sequence[Frame],
    now: float,
    result: CreateResult,
) -> None:
    grouping = group(pack.rules, [_keys(frame) for frame in frames])
    timeout = bench.settings.processing.template_timeout_min / 1440.0
    supported: set[int] = set()
    for made in (*grouping.groups, *grouping.too_small):
        members = [frames[index] for index in made.members]
        supported.update(made.members)
        if _still_taken(members, now, timeout):
            result.waiting.append(members[0].arcfile)
            continue
        _form(session, pack, made, members, result)
    result.unsupported += [frame.arcfile for index, frame in enumerate(frames) if index not in supported]


def _still_taken(members: Sequence[Frame], now: float, timeout: float) -> bool:
    """Tell whether the template of a group may still be running (times in days)."""
    wanted = members[0].tpl_nexp or 0
    end = max(frame.mjd_obs + frame.exptime / SECONDS_PER_DAY for frame in members)
    return len(members) < wanted and now < end + timeout


def _form(
    session: Session, pack: InstrumentPack, made: Group, members: Sequence[Frame], result: CreateResult
) -> None:
    first = members[0]
    alias = made.organizer.group_alias
    root = first.arcfile.removesuffix(".fits") + (f"_{alias[1]}" if alias else "")
    ab = _formed_before(session, made, members)
    if ab is not None:
        _late_frames(session, ab, made, members)
        return
    action = pack.rules.action(made.action)
    keys = {**_keys(first), **{key: value for key, value in made.key_values if value is not None}}
    too_few = len(members) < (made.organizer.min_ret or 1)
    ab = AssociationBlock(
        name=f"{root}.ab",
        instrument=pack.name,
        dfo_date=first.dfo_date,
        mode="CALIB",
        raw_type=str(first.raw_type),
        event=made.action,
        action=made.action,
        recipe=action.recipe or NO_RECIPE,
        completeness="INCOMPLETE",
        missing=[_too_few(made, members)] if too_few else [],
        match_keys={key: value for key, value in made.key_values if key != "ARCFILE"},
        setup=pack.setup_text(str(first.raw_type), first.keys),
        keys=keys,
        mjd_obs=first.mjd_obs,
        mjd_obs_mod=_middle(members),
        prod_root=f"r.{root}",
        state=ABState.CREATED,
        attempts=0,
        created_at=utc_now(),
        updated_at=utc_now(),
        inputs=[
            ABInput(frame_id=frame.id, role="RAWFILE", tag=frame.do_catg or "", position=index)
            for index, frame in enumerate(members)
        ],
        products=_virtual_products(pack.name, root, action, keys, first.mjd_obs),
    )
    session.add(ab)
    result.created.append(ab.name)
    _say_created(session, ab, made, members)


def _formed_before(session: Session, made: Group, members: Sequence[Frame]) -> AssociationBlock | None:
    """Return the AB that this group has formed already: any of its frames tells, should the first come late."""
    query = (
        select(AssociationBlock)
        .join(AssociationBlock.inputs)
        .where(AssociationBlock.action == made.action, ABInput.frame_id.in_([frame.id for frame in members]))
        .options(selectinload(AssociationBlock.inputs), selectinload(AssociationBlock.products))
        .order_by(AssociationBlock.id)
        .limit(1)
    )
    return session.scalar(query)


def _too_few(made: Group, members: Sequence[Frame]) -> dict[str, object]:
    why = f"{len(members)} of at least {made.organizer.min_ret} raw frames"
    return {"tag": "RAWFILE", "required": True, "line": made.organizer.line, "why": why}


def _say_created(session: Session, ab: AssociationBlock, made: Group, members: Sequence[Frame]) -> None:
    wanted = members[0].tpl_nexp or 0
    grouped_by_template = "TPL.START" in dict(made.key_values)
    short = grouped_by_template and len(members) < wanted
    text = f"{len(members)} raw frames" + (f" of {wanted} that the template should have" if short else "")
    record_event(session, TOOL, "ab_created", text, ab=ab, level="warning" if short else "info")


def _middle(members: Sequence[Frame]) -> float:
    """Return the mean mid-exposure time of a group (MJD, days)."""
    middles = [frame.mjd_obs + frame.exptime / (2 * SECONDS_PER_DAY) for frame in members]
    return sum(middles) / len(middles)


def _virtual_products(
    instrument: str, root: str, action: Action, keys: dict[str, Value], mjd: float
) -> list[Product]:
    """Predict the products of an AB, with the keys of its first frame and those that the rules give them."""
    products = []
    for position, product in enumerate(action.products):
        assigned = {key: value.evaluate(keys, keys) for key, value in product.keys}
        products.append(
            Product(
                instrument=instrument,
                position=position,
                pro_catg=product_category(product),
                pipefile=f"r.{root}_{position:04d}.fits",
                location="virtual",
                mjd_obs=mjd,
                keys={**keys, **assigned},
            )
        )
    return products


def _late_frames(session: Session, ab: AssociationBlock, made: Group, members: Sequence[Frame]) -> None:
    """Take frames that came late into an AB that was not worked on yet; say so where it was.

    The AB keeps its name, also where the frame that would have named it is the late one.
    """
    have = {item.frame_id for item in ab.inputs}
    late = [frame for frame in members if frame.id not in have]
    if not late:
        return
    if ab.state != ABState.CREATED:
        for frame in late:
            if frame.problem is None:
                frame.problem = f"came after {ab.name} was processed"
                record_event(
                    session, TOOL, "late_frame", f"{frame.arcfile}: {frame.problem}", ab=ab, level="warning"
                )
        return
    ab.inputs += [
        ABInput(frame_id=frame.id, role="RAWFILE", tag=frame.do_catg or "", position=len(have) + index)
        for index, frame in enumerate(late)
    ]
    ab.mjd_obs_mod = _middle(members)
    ab.missing = [_too_few(made, members)] if len(members) < (made.organizer.min_ret or 1) else []
    for position, frame in enumerate(members):
        next(item for item in ab.inputs if item.frame_id == frame.id).position = position
    ab.updated_at = utc_now()
    record_event(session, TOOL, "late_frame", f"{len(late)} frames more", ab=ab)


def _associate_open(session: Session, pack: InstrumentPack, date: dt.date, result: CreateResult) -> None:
    """Associate the ABs of a date that are incomplete, or whose virtual calibration will never be made."""
    query = (
        select(AssociationBlock)
        .where(
            AssociationBlock.instrument == pack.name,
            AssociationBlock.dfo_date == date,
            AssociationBlock.state.in_([ABState.CREATED, ABState.QUEUED]),
        )
        .options(
            selectinload(AssociationBlock.calibrations)
            .selectinload(ABCalibration.product)
            .selectinload(Product.ab)
        )
        .order_by(AssociationBlock.mjd_obs, AssociationBlock.name)
    )
    open_abs = session.scalars(query).all()
    wanting = [ab for ab in open_abs if ab.completeness != "COMPLETE" or _is_orphaned(ab, frozenset())]
    if not wanting:
        return
    products = pool(session, pack.name)
    touched = {ab.id for ab in wanting if _associate(session, pack, ab, products)}
    # an AB that stays incomplete makes nothing, so that those which count on it look for something else
    while True:
        idle = frozenset(ab.id for ab in open_abs if ab.completeness != "COMPLETE")
        products = [product for product in products if product.ab_id not in idle]
        orphans = [ab for ab in open_abs if ab.completeness == "COMPLETE" and _is_orphaned(ab, idle)]
        if not orphans:
            break
        touched |= {ab.id for ab in orphans if _associate(session, pack, ab, products)}
    result.associated += [ab.name for ab in open_abs if ab.id in touched and ab.name not in result.created]
    result.incomplete += [ab.name for ab in open_abs if ab.completeness != "COMPLETE"]


def _is_orphaned(ab: AssociationBlock, idle: frozenset[int]) -> bool:
    """Tell whether an AB counts on a product that nobody is going to make."""
    return any(
        item.product.location not in MASTERS
        and (item.product.ab_id in idle or not may_be_made(item.product.ab))
        for item in ab.calibrations
    )


def _associate(
    session: Session, pack: InstrumentPack, ab: AssociationBlock, products: Sequence[Product]
) -> bool:
    """Associate an AB anew; tell whether anything changed."""
    if any(item["tag"] == "RAWFILE" for item in ab.missing):
        return False
    found = associate(ab, pack.rules.action(ab.action), products)
    before = ab.completeness, list(ab.missing), [item.product_id for item in ab.calibrations]
    missing = [
        {
            "tag": item.tag,
            "required": item.min_ret > 0,
            "line": item.line,
            "why": f"no {item.tag} fits (rules.oca, line {item.line})",
        }
        for item in found.missing
    ]
    completeness = "COMPLETE" if found.is_complete else "INCOMPLETE"
    if before == (completeness, missing, [choice.product.id for choice in found.choices]):
        return False
    ab.calibrations = [
        ABCalibration(
            product=choice.product,
            role="MCALIB",
            flag=choice.flag,
            tag=choice.association.tag,
            evaluation="OK" if choice.in_plan else "NOK",
            dt_days=choice.dt_days,
            position=position,
        )
        for position, choice in enumerate(found.choices)
    ]
    ab.missing, ab.completeness, ab.updated_at = missing, completeness, utc_now()
    if ab.state == ABState.QUEUED and not found.is_complete:
        advance(session, ab, ABState.CREATED, TOOL, "its virtual calibration will not be made")
    if not found.is_complete:
        why = "; ".join(str(item["why"]) for item in missing if item["required"])
        record_lasting(session, TOOL, "ab_incomplete", why, ab=ab, level="warning")
    return True


def _write_texts(bench: Workbench, instrument: str, date: dt.date, changed: set[str]) -> None:
    """Write the text forms and association logs of ABs that changed, and those that a killed call left out."""
    folder = bench.data(instrument).logs(date)
    with bench.store.read() as session:
        for ab in session.scalars(
            select(AssociationBlock).where(
                AssociationBlock.instrument == instrument, AssociationBlock.dfo_date == date
            )
        ):
            log = folder / f"{ab.root_name}.alog"
            if ab.name in changed or not log.is_file():
                write_text(folder / ab.name, print_block(block_of(ab)))
                write_text(log, log_text(ab))


def _write_list(bench: Workbench, instrument: str, date: dt.date) -> None:
    """Write the sorted list of the ABs of a date."""
    with bench.store.read() as session:
        names = session.scalars(
            select(AssociationBlock.name)
            .where(AssociationBlock.instrument == instrument, AssociationBlock.dfo_date == date)
            .order_by(AssociationBlock.mjd_obs, AssociationBlock.name)
        ).all()
    if names:
        folder = bench.tree.monitor
        write_text(folder / f"AB_list_{instrument}_CALIB_{date}", "".join(f"{name}\n" for name in names))
