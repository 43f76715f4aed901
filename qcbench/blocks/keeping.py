"""The text forms of ABs as files: written, or removed, for all that was marked since they were written last."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from qcbench.blocks.log import log_text
from qcbench.blocks.model import MODES
from qcbench.blocks.writing import block_of, list_text, print_block
from qcbench.core.files import write_text
from qcbench.core.paths import WorkbenchTree, safe_name
from qcbench.store import ABCalibration, ABInput, AssociationBlock, Store
from qcbench.store.text_marks import LISTS, TextMark, clear_mark, mark_texts

_BATCH = 200
# a text by its file; None where there has to be none
_Texts = dict[Path, str | None]


def write_marked_texts(store: Store, tree: WorkbenchTree) -> int:
    """Write what is marked: each AB with its association log, and the lists of dates; return how many.

    What a killed call leaves behind is still marked, and is written by the next one. Others can write to the
    database meanwhile: what they change is marked again.

    Raises
    ------
    FileWriteError
        A text can't be written; it stays marked.
    """
    written = 0
    while marks := _write_batch(store, tree):
        written += len(marks)
        with store.write() as session:
            again = [mark for mark in marks if not clear_mark(session, mark)]
            # somebody else has written these: perhaps before, and with older rows
            mark_texts(session, [(mark.instrument, mark.dfo_date, mark.name) for mark in again])
    return written


def _write_batch(store: Store, tree: WorkbenchTree) -> Sequence[TextMark]:
    first = select(TextMark).order_by(TextMark.instrument, TextMark.dfo_date, TextMark.name).limit(_BATCH)
    texts: _Texts = {}
    with store.read() as session:
        marks = session.scalars(first).all()
        if not marks:
            return marks
        blocks = {ab.name: ab for ab in _blocks(session, [mark.name for mark in marks])}
        for mark in marks:
            if mark.name == LISTS:
                texts |= _lists(session, tree, mark.instrument, mark.dfo_date)
            else:
                texts |= _of_block(tree, mark, blocks.get(mark.name))
    for path, text in texts.items():
        if text is None:
            path.unlink(missing_ok=True)
        else:
            write_text(path, text)
    return marks


def _blocks(session: Session, names: Sequence[str]) -> Sequence[AssociationBlock]:
    query = (
        select(AssociationBlock)
        .where(AssociationBlock.name.in_(names))
        .options(
            selectinload(AssociationBlock.inputs).selectinload(ABInput.frame),
            selectinload(AssociationBlock.calibrations).selectinload(ABCalibration.product),
            selectinload(AssociationBlock.products),
        )
    )
    return session.scalars(query).all()


def _of_block(tree: WorkbenchTree, mark: TextMark, ab: AssociationBlock | None) -> _Texts:
    """Return the texts of an AB; where there is no such AB of the date any more, there have to be none."""
    folder = tree.data(mark.instrument).logs(mark.dfo_date)
    paths = folder / safe_name(mark.name), folder / safe_name(f"{mark.name.removesuffix('.ab')}.alog")
    if ab is None or (ab.instrument, ab.dfo_date) != (mark.instrument, mark.dfo_date):
        return dict.fromkeys(paths)
    return dict(zip(paths, (print_block(block_of(ab)), log_text(ab)), strict=True))


def _lists(session: Session, tree: WorkbenchTree, instrument: str, date: dt.date) -> _Texts:
    """Return ``AB_list_<instrument>_<MODE>_<DATE>``; a list that was there stays there when it is empty."""
    of_date = select(AssociationBlock).where(
        AssociationBlock.instrument == instrument, AssociationBlock.dfo_date == date
    )
    texts: _Texts = {}
    for mode in MODES:
        path = tree.monitor / f"AB_list_{instrument}_{mode}_{date}"
        text = list_text(session.scalars(of_date.where(AssociationBlock.mode == mode)))
        if text or path.exists():
            texts[path] = text
    return texts
