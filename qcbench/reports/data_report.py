"""The data report of a date: one line a frame (the handbook's createReport).

Source: QC handbook (VLT-SPE-ESO-19600-3986), section 5.5.1.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup
from sqlalchemy import select

from qcbench.core.addresses import relative_url
from qcbench.core.dates import iso_ut, time_of_mjd, utc_now
from qcbench.core.files import write_text
from qcbench.instruments import InstrumentPack
from qcbench.look.marks import state_tag
from qcbench.look.pages import Cell, Column, HeadlineKind, Link, render_page, table
from qcbench.oca import classify
from qcbench.reports.sections import card
from qcbench.reports.subject import raw_path
from qcbench.store import ArchiveFile, Frame, record_lasting
from qcbench.store.queries import problem_files
from qcbench.workbench import Workbench

TOOL = "create-report"
FLAG = "report_Exist"
_MARK = "<!-- content {digest} -->"


def data_report(bench: Workbench, instrument: str, date: dt.date) -> Path:
    """Write the data report of a date: ARCFILE, keys and raw type of each frame, unusable files below.

    A report whose content did not change is left alone; one that did adds the flag ``report_Exist``.
    """
    pack = bench.pack(instrument)
    tree = bench.data(instrument)
    path = tree.listings / f"list_{pack.instrument.name.upper()}_{date}_data.html"
    with bench.store.read() as session:
        query = select(Frame).where(Frame.instrument == instrument, Frame.dfo_date == date)
        frames = session.scalars(query.order_by(Frame.mjd_obs, Frame.arcfile)).all()
        files = problem_files(session, instrument, date, bench.settings.site.start_hour)
    types = [_type_of(pack, frame) for frame in frames]
    body = _frames(bench, pack, frames, types, tree.listings) + _files(files)
    headline, kind = _headline(frames, types, files)
    digest = hashlib.sha256(f"{headline}{body}".encode()).hexdigest()
    mark = _MARK.format(digest=digest)
    if path.is_file() and mark in path.read_text(encoding="utf-8"):
        _flag(bench, instrument, date, headline)
        return path
    page = render_page(
        f"Data report {date}",
        headline=headline,
        headline_kind=kind,
        body=body + Markup(mark),
        crumbs=[(pack.instrument.title, None), (date.isoformat(), None)],
        generated=utc_now(),
    )
    write_text(path, page)
    _flag(bench, instrument, date, headline)
    return path


def _flag(bench: Workbench, instrument: str, date: dt.date, headline: str) -> None:
    """Write the flag unless it says so already: a call that was killed before it left it to the next."""
    with bench.store.write() as session:
        record_lasting(session, TOOL, FLAG, headline, instrument=instrument, date=date, level="info")


def _type_of(pack: InstrumentPack, frame: Frame) -> str | None:
    """Return the raw type, also before create-ab has looked at the frame; else its tag."""
    known = {"RAW.TYPE": frame.raw_type, "DO.CATG": frame.do_catg}
    assigned = known if any(known.values()) else classify(pack.rules, frame.keys).assigned
    found = assigned.get("RAW.TYPE") or assigned.get("DO.CATG")
    return None if found is None else str(found)


def _frames(
    bench: Workbench,
    pack: InstrumentPack,
    frames: Sequence[Frame],
    types: Sequence[str | None],
    folder: Path,
) -> Markup:
    keys = pack.instrument.report_keys
    numeric = {key for key in keys if any(isinstance(frame.keys.get(key), int | float) for frame in frames)}
    columns = [
        Column("ARCFILE", name_like=True),
        Column("Start", "UT"),
        Column("RAW.TYPE"),
        Column("Problem"),
        *(Column(key, numeric=key in numeric) for key in keys),
    ]
    rows: list[list[Cell]] = []
    for frame, raw_type in zip(frames, types, strict=True):
        path = raw_path(bench, frame)
        rows.append(
            [
                Link(frame.arcfile, relative_url(path, folder)) if path else frame.arcfile,
                iso_ut(time_of_mjd(frame.mjd_obs))[11:],
                raw_type or state_tag("not classified", "warn"),
                state_tag(frame.problem, "nok") if frame.problem else "",
                *(_cell(frame.keys.get(key)) for key in keys),
            ]
        )
    empty = "No frame of this date was loaded. Load them: qcbench data-loader"
    return card("Frames", table(columns, rows, empty=empty), note=str(len(rows))).html


def _files(files: Sequence[ArchiveFile]) -> Markup:
    if not files:
        return Markup("")
    columns = (Column("File"), Column("Problem"), Column("Bytes", numeric=True))
    rows = [(file.uri, file.problem, file.size) for file in files]
    return card("Files that can't be used", table(columns, rows), note=str(len(rows))).html


def _headline(
    frames: Sequence[Frame], types: Sequence[str | None], files: Sequence[ArchiveFile]
) -> tuple[str, HeadlineKind]:
    if not frames and not files:
        return "No frames.", "none"
    kinds = Counter(raw_type or "not classified" for raw_type in types)
    text = f"{_n(len(frames), 'frame')}: " + ", ".join(f"{n} {name}" for name, n in sorted(kinds.items()))
    bad = [f"{_n(len(files), 'file')} can't be used"] if files else []
    n_bad = sum(frame.problem is not None for frame in frames)
    bad += [f"{_n(n_bad, 'frame')} with a problem"] if n_bad else []
    if bad or kinds["not classified"]:
        return ". ".join([text, *bad]) + ".", "warn"
    return f"{text}.", "ok"


def _n(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _cell(value: object) -> Cell:
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, int | float):
        return value
    return "" if value is None else str(value)
