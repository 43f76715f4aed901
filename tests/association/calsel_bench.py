"""calSelector rules at the toy observatory, for tests."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from sqlalchemy import select

from qcbench.association.calselector import (
    Answer,
    AssociationTree,
    CalSelector,
    read_rules,
    refresh,
    store_rules,
)
from qcbench.association.calselector.service import Mode
from qcbench.store import Frame, VirtualDataset
from qcbench.workbench import Workbench
from tests.association.observatory import DATE, INSTRUMENT

START = DATE - dt.timedelta(days=9)


def ingest(
    bench: Workbench,
    first: dt.date = START,
    last: dt.date | None = None,
    *,
    rules: str = "",
    path: Path | None = None,
) -> int:
    """Ingest rules: those of the pack, a text, or a file."""
    if rules:
        path = bench.settings.root / "calselector.oca"
        path.write_text(rules)
    number = store_rules(bench, INSTRUMENT, read_rules(bench.pack(INSTRUMENT), path), first, last)
    refresh(bench, number)
    return number


def ask(bench: Workbench, frame: Frame, mode: Mode = "raw2raw") -> AssociationTree:
    """The answer for a frame."""
    return answer(bench, frame, mode).tree


def answer(bench: Workbench, frame: Frame, mode: Mode = "raw2raw") -> Answer:
    return CalSelector(bench).answer(frame.arcfile, mode)


def datasets(bench: Workbench) -> dict[str, VirtualDataset]:
    """All virtual data sets, by name."""
    with bench.store.read() as session:
        return {
            item.name: item for item in session.scalars(select(VirtualDataset).order_by(VirtualDataset.name))
        }


def content(bench: Workbench) -> dict[str, tuple[object, ...]]:
    """What the data sets say, whenever they were made."""
    return {
        name: (
            item.action,
            item.raw_type,
            item.dfo_date,
            item.mjd_obs_mod,
            item.frames,
            item.categories,
            item.keys,
        )
        for name, item in datasets(bench).items()
    }


def names_of(tree: AssociationTree) -> list[str]:
    return [entry.name for entry in tree.main_files]


def shape(tree: AssociationTree) -> object:
    """Category and match of an association and of all below it."""
    return (tree.category, tree.match, [shape(child) for child in tree.children])
