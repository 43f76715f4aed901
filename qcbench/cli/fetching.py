"""Fetching the raw pixels of a date into the data tree (the handbook's dataLoader -t r)."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select

from qcbench.core.progress import progress_bar
from qcbench.store import Frame
from qcbench.workbench import Workbench


def fetch_raw(bench: Workbench, instrument: str, date: dt.date) -> tuple[str, ...]:
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
    with progress_bar(len(frames), f"raw {instrument} {date}") as advance:
        for frame in frames:
            path = folder / frame.arcfile
            if not path.is_file() or path.stat().st_size != frame.size:
                bench.archive.fetch(frame.uri, path)
                fetched.append(frame.arcfile)
            advance(frame.arcfile)
    return tuple(fetched)
