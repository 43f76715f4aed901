"""Taking files of the archive in: one look at each gives its row in the index, and the row of its frame."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from qcbench.archive import RemoteFile
from qcbench.core.dates import dfo_bounds, dfo_date, mjd_of, utc_now
from qcbench.core.errors import ArchiveError, FrameError, QcbenchError
from qcbench.core.files import sha256
from qcbench.core.logs import get_logger
from qcbench.core.paths import safe_name
from qcbench.fits import FileHeader, HeaderReader, Keys, check_keys
from qcbench.fits.qc0 import ALWAYS_NEEDED, check_structure
from qcbench.store import ArchiveFile, Event, Frame, record_event, upsert
from qcbench.workbench import Workbench

TOOL = "data-loader"
_NEEDED = (*ALWAYS_NEEDED, "INSTRUME", "DPR.CATG", "DPR.TYPE")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
OF_NO_INSTRUMENT = "is of no instrument of this workbench"
CHANGED = "it changed since it was indexed: the next look into the archive tells"

Night = tuple[str, dt.date]
Row = dict[str, Any]


@dataclass(slots=True)
class Seen:
    """What one look at a file of the archive told; a problem makes it unusable.

    Attributes
    ----------
    frame : dict, optional
        The row of the frame that it becomes; None where there is a problem, or its date is not wanted.
    """

    file: RemoteFile
    instrument: str | None = None
    date: dt.date | None = None
    arcfile: str | None = None
    problem: str | None = None
    level: str = "warning"
    frame: Row | None = None

    def told(self) -> str:
        """Return the file with its problem."""
        return f"{self.file.uri}: {self.problem}"


class Intake:
    """Takes files of the archive in, a batch at a time.

    Parameters
    ----------
    wanted : callable
        Tells for a DFO date whether files become frames.
    """

    def __init__(self, bench: Workbench, wanted: Callable[[dt.date], bool]):
        self._bench = bench
        self._wanted = wanted
        self._reader = HeaderReader()
        self._start_hour = bench.settings.site.start_hour
        # the date of the last file, with its first MJD and that of the next one
        self._date: tuple[float, float, dt.date | None] = (math.inf, -math.inf, None)
        self._codes = {
            code: name for name in bench.instruments for code in bench.pack(name).instrument.instrume
        }

    def may_be_ours_now(self, problem: str | None) -> bool:
        """Tell whether a file was refused for its instrument, when the workbench had others than it has now."""
        return (
            problem is not None
            and OF_NO_INSTRUMENT in problem
            and not problem.endswith(f"({_listed(self._codes)})")
        )

    def look_at(self, file: RemoteFile) -> Seen | None:
        """Open a file that was just listed; None if it has gone since.

        Raises
        ------
        ArchiveError
            The archive itself can't be read.
        """
        try:
            return self._look_at(file)
        except ArchiveError as err:
            if self._bench.archive.problem():
                raise
            get_logger().warning("a file of the archive is passed over", uri=file.uri, problem=str(err))
            return None

    def look_again(self, file: RemoteFile, night: Night) -> Seen:
        """Open a file that the index knows as one of a night; that it is no more so is a problem."""
        try:
            item = self._look_at(file)
        except ArchiveError as err:
            return Seen(file, problem=str(err))
        if not item.problem and (item.instrument, item.date) != night:
            item.problem, item.frame = CHANGED, None
        return item

    def _look_at(self, file: RemoteFile) -> Seen:
        try:
            with self._bench.archive.header_file(file.uri) as path:
                header = self._reader.read(path)
        except FrameError as err:
            return Seen(file, problem=err.problem)
        keys = header.keys
        item = Seen(
            file=file,
            instrument=self._codes.get(str(keys.get("INSTRUME"))),
            date=self._date_of(keys),
            arcfile=str(keys["ARCFILE"]) if "ARCFILE" in keys else None,
            problem=_unusable(keys, self._codes),
        )
        # at once, while the header is at hand: of thousands only the rows are kept
        if item.date and not item.problem and self._wanted(item.date):
            item.frame = _frame_row(item, header)
        return item

    def _date_of(self, keys: Keys) -> dt.date | None:
        """Return the DFO date of a file: mostly it is that of the file before."""
        mjd = keys.get("MJD-OBS")
        first, end, date = self._date
        if isinstance(mjd, float) and first <= mjd < end:
            return date
        date = _date_of(keys, self._start_hour)
        if date and isinstance(mjd, float):
            self._date = (*dfo_bounds(date, self._start_hour), date)
        return date

    def accept(self, seen: Sequence[Seen]) -> list[Seen]:
        """Return those files that become frames.

        A file whose ARCFILE another one has gets that as its problem. What was made of an earlier version of a file
        is removed: header file and pixels are made and fetched anew when they are needed.
        """
        with self._bench.store.read() as session:
            query = select(Frame.arcfile, Frame.uri).where(
                Frame.arcfile.in_([item.arcfile for item in seen if item.frame])
            )
            known = {arcfile: uri for arcfile, uri in session.execute(query)}  # noqa: C416
        taken = dict(known)
        accepted = []
        for item in seen:
            if item.frame is None or item.arcfile is None:
                continue
            owner = taken.setdefault(item.arcfile, item.file.uri)
            if owner != item.file.uri and (refusal := self._compare(item, owner)):
                item.problem, item.level = refusal
                continue
            taken[item.arcfile] = item.file.uri
            if item.arcfile in known:
                self._forget_old(item.frame)
            accepted.append(item)
        return accepted

    def _compare(self, item: Seen, owner: str) -> tuple[str, str] | None:
        """Compare a file with the one that has its ARCFILE: why it is refused, and how bad that is.

        None if the other file has gone: it was moved or renamed, and this is it now.
        """
        archive = self._bench.archive
        try:
            with archive.header_file(owner) as first, archive.header_file(item.file.uri) as second:
                same = first.stat().st_size == second.stat().st_size and sha256(first) == sha256(second)
        except ArchiveError:
            return None
        if same:
            return f"the same file as {owner}, which is used", "info"
        return f"ARCFILE {item.arcfile} is taken by {owner}, which has other content and is used", "error"

    def _forget_old(self, row: Row) -> None:
        data, date, arcfile = self._bench.data(row["instrument"]), row["dfo_date"], row["arcfile"]
        for path in (data.headers(date) / header_name(arcfile), data.raw(date) / arcfile):
            path.unlink(missing_ok=True)

    def store(self, accepted: Sequence[Seen], seen: Sequence[Seen]) -> None:
        """Keep frames, and rows of the index, in one transaction."""
        now = utc_now()
        rows = [{**item.frame, "loaded_at": now} for item in accepted if item.frame]
        with self._bench.store.write() as session:
            connection = session.connection()
            finished = _finished(session, {item.date for item in seen if item.date})
            index = [
                _index_row(item, max(now, finished.get((item.instrument, item.date), now))) for item in seen
            ]
            upsert(connection, ArchiveFile, "uri", index)
            upsert(connection, Frame, "arcfile", rows)
            for item in seen:
                if item.problem:
                    _report(session, item)
            for row in rows:
                if row["problem"]:
                    _report_frame(session, row)


def _finished(
    session: Session, dates: Iterable[dt.date]
) -> dict[tuple[str | None, dt.date | None], dt.datetime]:
    """Return when nights were finished: what is seen later opens them again, even if the clock was set back."""
    query = (
        select(Event.instrument, Event.dfo_date, func.max(Event.at, type_=Event.at.type))
        .where(Event.flag == "finished", Event.dfo_date.in_(dates))
        .group_by(Event.instrument, Event.dfo_date)
    )
    return {(instrument, date): at for instrument, date, at in session.execute(query)}


def header_name(arcfile: str) -> str:
    """Return the name of the header file of a frame."""
    return f"{arcfile.removesuffix('.fits')}.hdr"


def _date_of(keys: Keys, start_hour: int) -> dt.date | None:
    """Return the DFO date of a file; of an unusable one as well as DATE-OBS or ARCFILE tell it."""
    mjd = keys.get("MJD-OBS")
    if isinstance(mjd, float | int) and not isinstance(mjd, bool):
        with suppress(OverflowError, ValueError):
            return dfo_date(float(mjd), start_hour)
    for key in ("DATE-OBS", "ARCFILE"):
        if found := _TIME.search(str(keys.get(key, ""))):
            with suppress(ValueError):
                when = dt.datetime.fromisoformat(found[0]).replace(tzinfo=dt.UTC)
                return dfo_date(mjd_of(when), start_hour)
    return None


def _unusable(keys: Keys, codes: Mapping[str, str]) -> str | None:
    """Say why a file can't become a frame at all; None if it can."""
    problems = check_keys(keys, _NEEDED)
    if problems:
        return "; ".join(problems)
    try:
        name = safe_name(str(keys["ARCFILE"]))
    except QcbenchError as err:
        return f"ARCFILE: {err}"
    if not name.endswith(".fits"):
        return f"ARCFILE {name!r} does not end with .fits"
    if keys["INSTRUME"] not in codes:
        return f"INSTRUME {keys['INSTRUME']!r} {OF_NO_INSTRUMENT} ({_listed(codes)})"
    return None


def _listed(codes: Iterable[str]) -> str:
    return ", ".join(sorted(codes))


def _index_row(item: Seen, now: dt.datetime) -> Row:
    return {
        "uri": item.file.uri,
        "size": item.file.size,
        "stamp": item.file.stamp,
        "instrument": item.instrument,
        "dfo_date": item.date,
        "arcfile": item.arcfile,
        "problem": item.problem,
        "available_at": item.file.available_at,
        "seen_at": now,
    }


def _frame_row(item: Seen, header: FileHeader) -> Row:
    keys = header.keys
    exptime, nexp = keys.get("EXPTIME"), keys.get("TPL.NEXP")
    return {
        "arcfile": item.arcfile,
        "instrument": item.instrument,
        "dfo_date": item.date,
        "mjd_obs": float(keys["MJD-OBS"]),
        "exptime": float(exptime) if isinstance(exptime, int | float) else 0.0,
        "uri": item.file.uri,
        "size": header.size,
        "stamp": item.file.stamp,
        "header_sha256": header.sha256,
        "dpr_catg": str(keys["DPR.CATG"]),
        "dpr_type": str(keys["DPR.TYPE"]),
        "tpl_start": str(keys["TPL.START"]) if "TPL.START" in keys else None,
        "tpl_nexp": nexp if isinstance(nexp, int) else None,
        "problem": "; ".join(check_structure(header)) or None,
        "keys": keys,
    }


def _report(session: Session, item: Seen) -> None:
    message = f"{item.told()}. The file stays in the archive; have it mended there and call again"
    if item.level != "info":
        get_logger().warning(message, tool=TOOL)
    record_event(
        session, TOOL, "file_problem", message, instrument=item.instrument, date=item.date, level=item.level
    )


def _report_frame(session: Session, row: Mapping[str, Any]) -> None:
    text = f"{row['uri']}: {row['problem']}"
    instrument, date = row["instrument"], row["dfo_date"]
    record_event(session, TOOL, "frame_problem", text, instrument=instrument, date=date, level="warning")
