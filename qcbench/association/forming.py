"""Forming ABs from the groups of a date, and keeping those up to date that nobody has worked on yet.

An AB is known by its frames: a group that has formed one already is not formed again. As long as nobody has worked on
an AB, it follows its group: frames that came late or are kept out change it, and its name is that of the first frame.
Source: QC handbook (VLT-SPE-ESO-19600-3986), section 5.5.2.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, selectinload

from qcbench.association.associating import RAWFILE
from qcbench.association.candidates import SECONDS_PER_DAY
from qcbench.association.frames import Taken, keys_of
from qcbench.association.waiting import Patience, group_waits, template_waits
from qcbench.core.dates import utc_now
from qcbench.instruments import InstrumentPack
from qcbench.oca import Action, Group, Value, group, product_keys
from qcbench.oca.rules import FILE_KEY, TEMPLATE_KEY
from qcbench.store import ABCalibration, ABInput, ABState, AssociationBlock, Frame, Product, record_event
from qcbench.store.models import NO_RECIPE
from qcbench.store.states import WAITING_STATES

TOOL = "create-ab"
# ids in one query
_BATCH = 500


@dataclass
class Formed:
    """What became of the groups of a date.

    Attributes
    ----------
    created, changed, dissolved : list of str
        Names of ABs that are new, that follow their group, and that have lost all their frames.
    waiting : list of str
        First frames of groups that are waited for, and frames whose group their whole template tells.
    unsupported : list of str
        Frames for which the rules form no group.
    late : list of str
        Frames that came after the AB of their group was worked on.
    """

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    dissolved: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Group:
    """A group with its frames, and the name that its AB has."""

    made: Group
    frames: tuple[Frame, ...]
    root: str

    @property
    def action(self) -> str:
        return self.made.action

    @property
    def too_few(self) -> list[dict[str, object]]:
        """What an AB misses that has fewer frames than its rule wants."""
        wanted, line = self.made.organizer.min_ret or 1, self.made.organizer.line
        if len(self.frames) >= wanted:
            return []
        why = f"{len(self.frames)} of at least {wanted} raw frames"
        return [{"tag": RAWFILE, "required": True, "line": line, "why": why}]


def form_abs(
    session: Session,
    pack: InstrumentPack,
    date: dt.date,
    mode: str,
    taken: Taken,
    patience: Patience,
) -> Formed:
    """Form the ABs of a date that can be formed now."""
    formed = Formed()
    groups = list(_with_known(session, _groups(pack, date, taken.frames)))
    # first, for what takes their place may have their name
    formed.dissolved = _dissolve(session, pack, date, mode, {known.id for _, known in groups if known})
    for found, known in groups:
        if known is None and group_waits(found.made.organizer, found.frames, taken.arrived, patience):
            formed.waiting.append(found.frames[0].arcfile)
        elif known is None:
            formed.created.append(_form(session, pack, mode, found).name)
        elif _is_untouched(known):
            if _follow(session, pack, known, found):
                formed.changed.append(known.name)
        else:
            formed.late += _too_late(session, known, found)
    session.flush()
    grouped = {frame.arcfile for found, _ in groups for frame in found.frames}
    for frame in taken.frames:
        if frame.dfo_date == date and frame.arcfile not in grouped:
            # what a rule says of the last frame is not known before that is there
            waits = template_waits(frame.tpl_start, taken.arrived, patience)
            (formed.waiting if waits else formed.unsupported).append(frame.arcfile)
    return formed


def _groups(pack: InstrumentPack, date: dt.date, frames: Sequence[Frame]) -> list[_Group]:
    """Group frames, and give each group a name that no other has."""
    grouping = group(pack.rules, [keys_of(frame) for frame in frames])
    found: list[_Group] = []
    names: Counter[str] = Counter()
    made_by_rule = sorted(
        (*grouping.groups, *grouping.too_small), key=lambda made: (made.organizer.line, made.members)
    )
    for made in made_by_rule:
        members = [frames[index] for index in made.members]
        if TEMPLATE_KEY not in made.organizer.group_keys:
            # without a template to follow, a group ends with its date
            members = [frame for frame in members if frame.dfo_date == date]
        if not members or all(frame.dfo_date != date for frame in members):
            continue
        alias = made.organizer.group_alias
        root = members[0].arcfile.removesuffix(".fits") + (f"_{alias[1]}" if alias else "")
        names[root] += 1
        # a second rule that groups the same frames: what it does tells its AB from the first one
        name = root if names[root] == 1 else f"{root}_{made.action}"
        found.append(_Group(made, tuple(members), name))
    return found


def _with_known(
    session: Session, groups: Iterable[_Group]
) -> Iterator[tuple[_Group, AssociationBlock | None]]:
    """Give each group with the AB that it has formed already.

    Where the rules or the headers split a group in two, the AB that nobody has worked on stays with the first one.
    """
    groups = list(groups)
    formed = _formed_from(session, {frame.id for found in groups for frame in found.frames})
    claimed: set[int] = set()
    for found in groups:
        # any of its frames tells, should the first come late
        before = {ab.id: ab for frame in found.frames for ab in formed.get((found.action, frame.id), ())}
        known = before[min(before.keys() - claimed)] if before.keys() - claimed else None
        if known is not None and _is_untouched(known):
            claimed.add(known.id)
        yield found, known


def _formed_from(session: Session, frames: Collection[int]) -> dict[tuple[str, int], list[AssociationBlock]]:
    """Return the ABs whose groups have any of these frames, by their action and the id of the frame."""
    found: dict[tuple[str, int], list[AssociationBlock]] = {}
    ids = iter(frames)
    while batch := list(islice(ids, _BATCH)):
        query = (
            select(ABInput.frame_id, AssociationBlock)
            .join(ABInput.ab)
            .where(ABInput.role == RAWFILE, ABInput.frame_id.in_(batch))
            .options(selectinload(AssociationBlock.inputs), selectinload(AssociationBlock.products))
        )
        for frame_id, ab in session.execute(query):
            found.setdefault((ab.action, frame_id), []).append(ab)
    return found


def _is_untouched(ab: AssociationBlock) -> bool:
    """Tell whether nobody has worked on an AB yet."""
    return ab.state in WAITING_STATES and not ab.attempts and ab.claim is None


def _form(session: Session, pack: InstrumentPack, mode: str, found: _Group) -> AssociationBlock:
    ab = AssociationBlock(
        mode=mode,
        completeness="INCOMPLETE",
        state=ABState.CREATED,
        attempts=0,
        created_at=utc_now(),
        updated_at=utc_now(),
        inputs=_inputs(found.frames),
        **_values(pack, found),
    )
    ab.products = _virtual_products(ab, pack.rules.action(found.action))
    session.add(ab)
    wanted = found.frames[0].tpl_nexp or 0
    short = TEMPLATE_KEY in found.made.organizer.group_keys and len(found.frames) < wanted
    text = f"{len(found.frames)} raw frames" + (
        f" of {wanted} that the template should have" if short else ""
    )
    record_event(session, TOOL, "ab_created", text, ab=ab, level="warning" if short else "info")
    return ab


def _values(pack: InstrumentPack, found: _Group) -> dict[str, Any]:
    """Return the columns of an AB that follow from its group."""
    first, made = found.frames[0], found.made
    action = pack.rules.action(made.action)
    keys = {**keys_of(first), **{key: value for key, value in made.key_values if value is not None}}
    raw_type = _raw_type(pack, first, made.action)
    return {
        "name": f"{found.root}.ab",
        "instrument": pack.name,
        "dfo_date": first.dfo_date,
        "raw_type": raw_type,
        "event": made.action,
        "action": made.action,
        "recipe": action.recipe or NO_RECIPE,
        "missing": found.too_few,
        "match_keys": {key: value for key, value in made.key_values if key != FILE_KEY},
        "setup": pack.setup_text(raw_type, first.keys),
        "keys": {key: value for key, value in keys.items() if value is not None},
        "mjd_obs": first.mjd_obs,
        "mjd_obs_mod": _middle(found.frames),
        "prod_root": f"r.{found.root}",
    }


def _raw_type(pack: InstrumentPack, first: Frame, action: str) -> str:
    """Return the raw type of an AB; where another action has the name of the frames' type, it is the action's own."""
    names = {other.name for other in pack.rules.actions}
    if first.raw_type is None or (first.raw_type != action and first.raw_type in names and action in names):
        return action
    return first.raw_type


def _middle(frames: Sequence[Frame]) -> float:
    """Return the mean mid-exposure time of a group (MJD, days)."""
    middles = [frame.mjd_obs + frame.exptime / (2 * SECONDS_PER_DAY) for frame in frames]
    return sum(middles) / len(middles)


def _inputs(frames: Sequence[Frame]) -> list[ABInput]:
    return [
        ABInput(frame_id=frame.id, role=RAWFILE, tag=frame.do_catg or "", position=index)
        for index, frame in enumerate(frames)
    ]


def _virtual_products(ab: AssociationBlock, action: Action) -> list[Product]:
    """Predict the products of an AB, with the keys of its first frame and those that the rules give them."""
    made: list[Product] = []
    for position, rule in enumerate(action.products):
        given = product_keys(rule, ab.keys)
        keys: dict[str, Value] = {**ab.keys, **given}
        made.append(
            Product(
                instrument=ab.instrument,
                position=position,
                pro_catg=str(given["PRO.CATG"]),
                pipefile=f"{ab.prod_root}_{position:04d}.fits",
                location="virtual",
                mjd_obs=ab.mjd_obs,
                keys=keys,
            )
        )
    return made


def _follow(session: Session, pack: InstrumentPack, ab: AssociationBlock, found: _Group) -> bool:
    """Make an AB that nobody has worked on what its group and the rules are now; tell whether anything changed."""
    own = [item for item in ab.inputs if item.role == RAWFILE]
    values = _values(pack, found)
    same_frames = [(item.frame_id, item.tag) for item in own] == [
        (frame.id, frame.do_catg or "") for frame in found.frames
    ]
    same_values = all(getattr(ab, name) == value for name, value in values.items() if name != "missing")
    old = ab.name
    if not (same_frames and same_values):
        for name, value in values.items():
            setattr(ab, name, value)
    refreshed = _refresh(session, ab, pack.rules.action(ab.action))
    if same_frames and same_values and not refreshed:
        return False
    if not same_frames:
        others = [item for item in ab.inputs if item.role != RAWFILE]
        ab.inputs = others
        session.flush()
        ab.inputs = [*_inputs(found.frames), *others]
        text = f"{len(own)} → {len(found.frames)} raw frames" + (f"; it was {old}" if old != ab.name else "")
        record_event(session, TOOL, "late_frame", text, ab=ab)
    else:
        text = "its keys and products are as headers and rules have them now"
        record_event(session, TOOL, "ab_refreshed", text, ab=ab)
    ab.updated_at = utc_now()
    return True


def _refresh(session: Session, ab: AssociationBlock, action: Action) -> bool:
    """Predict the products of an AB again; tell whether any changed. Rows stay, for other ABs count on them."""
    predicted = _virtual_products(ab, action)
    changed = len(predicted) != len(ab.products)
    for product, new in zip(ab.products, predicted, strict=False):
        for name in ("pipefile", "pro_catg", "mjd_obs", "keys"):
            if getattr(product, name) != getattr(new, name):
                setattr(product, name, getattr(new, name))
                changed = True
    _forget(session, ab.products[len(predicted) :])
    ab.products = [*ab.products[: len(predicted)], *predicted[len(ab.products) :]]
    return changed


def _forget(session: Session, products: Sequence[Product]) -> None:
    """Take products that will not be made from the ABs that count on them."""
    if products:
        ids = [product.id for product in products]
        session.execute(delete(ABCalibration).where(ABCalibration.product_id.in_(ids)))


def _too_late(session: Session, ab: AssociationBlock, found: _Group) -> list[str]:
    """Return the frames that came after their AB was worked on; each is said once in the history."""
    have = {item.frame_id for item in ab.inputs}
    late = [frame for frame in found.frames if frame.id not in have]
    for frame in late:
        if frame.problem is None:
            frame.problem = f"came after {ab.name} was processed"
            text = f"{frame.arcfile}: {frame.problem}"
            record_event(session, TOOL, "late_frame", text, ab=ab, level="warning")
    return [frame.arcfile for frame in late]


def _dissolve(
    session: Session, pack: InstrumentPack, date: dt.date, mode: str, known: Collection[int]
) -> list[str]:
    """Remove the ABs of a date that nobody has worked on and that no group stands for any more.

    Their frames were filtered out, or the rules type or group them otherwise now.
    """
    query = (
        select(AssociationBlock)
        .where(
            AssociationBlock.instrument == pack.name,
            AssociationBlock.dfo_date == date,
            AssociationBlock.mode == mode,
            AssociationBlock.id.not_in(known),
            ~AssociationBlock.decisions.any(),
        )
        .options(selectinload(AssociationBlock.inputs), selectinload(AssociationBlock.products))
    )
    gone = [ab for ab in session.scalars(query) if _is_untouched(ab)]
    for ab in gone:
        _forget(session, ab.products)
        text = f"{ab.name} is no more: its frames are kept out, or the rules group them otherwise now"
        record_event(session, TOOL, "ab_dissolved", text, instrument=pack.name, date=date, level="warning")
        session.delete(ab)
    session.flush()
    return [ab.name for ab in gone]
