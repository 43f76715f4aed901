"""Fetching the raw pixels of a date into the data tree (the handbook's dataLoader -t r)."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select

from qcbench.archive import fetch_missing
from qcbench.core.progress import Advance, silent
from qcbench.store import Frame
from qcbench.workbench import Workbench


def fetch_raw(bench: Workbench, instrument: str, date: dt.date, advance: Advance = silent) -> tuple[str, ...]:
    """Fetch the frames of a date that are not in the data tree, or are there in another size; name them.

    Raises
    ------
    ArchiveError
        The archive has not got a frame any more.
    """
    folder = bench.data(instrument).raw(date)
    query = (
        select(Frame).where(Frame.instrument == instrument, Frame.dfo_date == date).order_by(Frame.arcfile)
    )
    with bench.store.read() as session:
        frames = session.scalars(query).all()
    fetched = []
    for frame in frames:
        if fetch_missing(bench.archive, frame.uri, frame.size, folder / frame.arcfile, bench.tree.locks):
            fetched.append(frame.arcfile)
        advance(frame.arcfile)
    return tuple(fetched)
