"""Marks of the ABs whose text forms are older than their rows, set in the transaction that changes the rows.

Whoever writes texts takes the marks away; what a killed call leaves behind is written by the next one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from itertools import islice

from sqlalchemy import delete, event, inspect, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.orm.unitofwork import UOWTransaction

from qcbench.store.bulk import insert_into
from qcbench.store.models import ABCalibration, ABInput, AssociationBlock, Base, Frame, Product

# the name of the mark of a date's lists
LISTS = ""
_Mark = tuple[str, dt.date, str]
# ids in one query
_BATCH = 1000


class TextMark(Base):
    """An AB, by the name of its text form, whose text is to be written or removed; or the lists of a date."""

    __tablename__ = "text_marks"
    instrument: Mapped[str] = mapped_column(primary_key=True)
    dfo_date: Mapped[dt.date] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    changes: Mapped[int] = mapped_column(default=1)


def mark_texts(session: Session, marks: Iterable[_Mark]) -> None:
    """Mark texts by instrument, date and name of the AB (`LISTS`: the lists of the date)."""
    rows = [
        {"instrument": instrument, "dfo_date": date, "name": name, "changes": 1}
        for instrument, date, name in sorted(set(marks))
    ]
    if not rows:
        return
    connection = session.connection()
    statement = insert_into(connection.dialect, TextMark)
    # whoever writes the text at this moment sees by the number that it is not the latest
    again = statement.on_conflict_do_update(
        index_elements=["instrument", "dfo_date", "name"], set_={"changes": TextMark.changes + 1}
    )
    connection.execute(again, rows)


def mark_date(session: Session, instrument: str, date: dt.date) -> None:
    """Mark the texts of all ABs of a date, and its lists: also those are written that somebody removed."""
    names = session.scalars(
        select(AssociationBlock.name).where(
            AssociationBlock.instrument == instrument, AssociationBlock.dfo_date == date
        )
    )
    mark_texts(session, [(instrument, date, name) for name in (LISTS, *names)])


def clear_mark(session: Session, mark: TextMark) -> bool:
    """Take a mark away after its text was written; tell whether it was there, and unchanged since it was read."""
    gone = session.connection().execute(
        delete(TextMark).where(
            TextMark.instrument == mark.instrument,
            TextMark.dfo_date == mark.dfo_date,
            TextMark.name == mark.name,
            TextMark.changes == mark.changes,
        )
    )
    return bool(gone.rowcount)


def _after_flush(session: Session, _context: UOWTransaction) -> None:
    """Mark the texts of what a flush has changed, before it is committed."""
    marks: set[_Mark] = set()
    owners: set[int] = set()
    products: set[int] = set()
    frames: set[int] = set()
    fresh = set(session.new)
    for item in (*fresh, *session.dirty, *session.deleted):
        if isinstance(item, AssociationBlock):
            marks |= _of_block(item, item in fresh or item in session.deleted)
        elif isinstance(item, ABInput | ABCalibration) and session.is_modified(item):
            owners.add(item.ab_id)
        elif isinstance(item, Product) and item not in fresh and _has_new_name(item):
            products.add(item.id)
        elif isinstance(item, Frame) and item not in fresh and _is_new(item, "do_catg"):
            frames.add(item.id)
    ids = iter(frames)
    while batch := list(islice(ids, _BATCH)):
        # also the ABs of other dates, which it is associated with
        owners |= set(session.scalars(select(ABInput.ab_id).where(ABInput.frame_id.in_(batch))))
    if products:
        users = select(ABCalibration.ab_id).where(ABCalibration.product_id.in_(products))
        makers = select(Product.ab_id).where(Product.id.in_(products), Product.ab_id.is_not(None))
        owners |= set(session.scalars(users.union(makers)))
    marks |= _of_ids(session, owners)
    mark_texts(session, marks)


def _of_block(ab: AssociationBlock, comes_or_goes: bool) -> set[_Mark]:
    """Return the marks of an AB that changed, under the name and date that it had before as well."""
    state = inspect(ab)
    found = {(ab.instrument, ab.dfo_date, ab.name)}
    names = state.attrs.name.history.deleted or [ab.name]
    dates = state.attrs.dfo_date.history.deleted or [ab.dfo_date]
    found |= {(ab.instrument, date, name) for date in dates for name in names}
    if comes_or_goes or len(found) > 1:
        found |= {(instrument, date, LISTS) for instrument, date, _ in found}
    return found


def _has_new_name(product: Product) -> bool:
    return any(_is_new(product, name) for name in ("pipefile", "final_name", "pro_catg"))


def _is_new(row: Base, name: str) -> bool:
    return bool(inspect(row).attrs[name].history.has_changes())


def _of_ids(session: Session, owners: Collection[int]) -> set[_Mark]:
    if not owners:
        return set()
    rows = session.execute(
        select(AssociationBlock.instrument, AssociationBlock.dfo_date, AssociationBlock.name).where(
            AssociationBlock.id.in_(owners)
        )
    )
    return {(instrument, date, name) for instrument, date, name in rows}


event.listen(Session, "after_flush", _after_flush)
