"""Loading headers from the archive (the handbook's dataLoader -t h).

The archive is indexed first: each file is opened once, and again only when it changed. A file that can't be used
is kept in the index with the reason, so that it is listed and not tried every hour.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.1 and 5.5.1.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from qcbench.archive import RemoteFile
from qcbench.core.dates import dfo_date, mjd_of, utc_now
from qcbench.core.errors import ArchiveError, FrameError, QcbenchError
from qcbench.core.files import sha256, write_text
from qcbench.core.logs import get_logger
from qcbench.core.paths import safe_name
from qcbench.core.progress import Advance, silent
from qcbench.fits import FileHeader, Keys, check_keys, read_header
from qcbench.fits.qc0 import ALWAYS_NEEDED, check_structure
from qcbench.store import ArchiveFile, Frame, record_event
from qcbench.workbench import Workbench

TOOL = "data-loader"
BATCH = 100
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


@dataclass(frozen=True)
class ScanResult:
    """What a look into the archive found: files that are new or changed, and those of them that are unusable."""

    n_files: int
    n_new: int
    problems: tuple[str, ...]


@dataclass(frozen=True)
class LoadResult:
    """What was loaded for a date."""

    date: dt.date
    n_new: int
    n_known: int
    problems: tuple[str, ...]


_T = TypeVar("_T")


def batched(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    """Cut a sequence into pieces of a size: each is one transaction."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def scan_archive(bench: Workbench, advance: Advance = silent) -> ScanResult:
    """Index what is new or changed in the archive.

    Raises
    ------
    ArchiveError
        The archive can't be read.
    """
    with bench.store.read() as session:
        known = {
            uri: (size, stamp)
            for uri, size, stamp in session.execute(
                select(ArchiveFile.uri, ArchiveFile.size, ArchiveFile.stamp)
            )
        }
    codes = {code: name for name in bench.instruments for code in bench.pack(name).instrument.instrume}
    files = list(bench.archive.list_raw())
    new = [file for file in files if known.get(file.uri) != (file.size, file.stamp)]
    problems = []
    for batch in batched(new, BATCH):
        seen = [_look_at(bench, file, codes) for file in batch]
        with bench.store.write() as session:
            _index(session, seen)
        for item in seen:
            advance(item.file.uri)
            if item.problem:
                problems.append(f"{item.file.uri}: {item.problem}")
    return ScanResult(len(files), len(new), tuple(problems))


def load_headers(bench: Workbench, instrument: str, date: dt.date, advance: Advance = silent) -> LoadResult:
    """Load the headers of an instrument and date that the archive has got: header files and frames.

    Calling it again loads what is new only. The archive must have been scanned.
    """
    with bench.store.read() as session:
        usable = session.scalars(
            select(ArchiveFile)
            .where(
                ArchiveFile.instrument == instrument,
                ArchiveFile.dfo_date == date,
                ArchiveFile.problem.is_(None),
            )
            .order_by(ArchiveFile.uri)
        ).all()
        rows = session.execute(select(Frame.uri, Frame.stamp).where(Frame.dfo_date == date))
        frames = {uri: stamp for uri, stamp in rows}  # noqa: C416 (a row is not a pair to the type checker)
    new = [file for file in usable if frames.get(file.uri) != file.stamp]
    problems = []
    for batch in batched(new, BATCH):
        problems += _load(bench, batch, instrument, date)
        for file in batch:
            advance(file.uri)
    return LoadResult(date, len(new) - len(problems), len(usable) - len(new), tuple(problems))


@dataclass(frozen=True)
class _Seen:
    """What one look at a file of the archive told."""

    file: RemoteFile
    instrument: str | None
    date: dt.date | None
    arcfile: str | None
    problem: str | None


def _look_at(bench: Workbench, file: RemoteFile, codes: Mapping[str, str]) -> _Seen:
    """Open a file once: whose it is, and what makes it unusable."""
    keys: Keys = {}
    problem: str | None
    try:
        with bench.archive.header_file(file.uri) as path:
            header = read_header(path)
        keys, problem = header.keys, _unusable(header, codes)
    except FrameError as err:
        problem = err.problem
    return _Seen(
        file=file,
        instrument=codes.get(str(keys.get("INSTRUME"))),
        date=_date_of(keys, bench.settings.site.start_hour),
        arcfile=str(keys["ARCFILE"]) if "ARCFILE" in keys else None,
        problem=problem,
    )


def _index(session: Session, seen: Sequence[_Seen]) -> None:
    uris = [item.file.uri for item in seen]
    present = {row.uri: row for row in session.scalars(select(ArchiveFile).where(ArchiveFile.uri.in_(uris)))}
    for item in seen:
        row = present.get(item.file.uri) or ArchiveFile(uri=item.file.uri)
        row.size, row.stamp, row.seen_at = item.file.size, item.file.stamp, utc_now()
        row.instrument, row.dfo_date, row.problem = item.instrument, item.date, item.problem
        row.arcfile = item.arcfile
        session.add(row)
        if item.problem:
            _report(session, item.file.uri, item.problem, item.instrument, item.date)


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


def _unusable(header: FileHeader, codes: Mapping[str, str]) -> str | None:
    """Say why a file can't become a frame at all; None if it can."""
    keys = header.keys
    problems = check_keys(keys, (*ALWAYS_NEEDED, "INSTRUME", "DPR.CATG", "DPR.TYPE"))
    if problems:
        return "; ".join(problems)
    try:
        name = safe_name(str(keys["ARCFILE"]))
    except QcbenchError as err:
        return f"ARCFILE: {err}"
    if not name.endswith(".fits"):
        return f"ARCFILE {name!r} does not end with .fits"
    if keys["INSTRUME"] not in codes:
        ours = ", ".join(sorted(codes))
        return f"INSTRUME {keys['INSTRUME']!r} is of no instrument of this workbench ({ours})"
    return None


def _load(bench: Workbench, batch: Sequence[ArchiveFile], instrument: str, date: dt.date) -> list[str]:
    """Write header files, then frames in one transaction; return which files were not taken, and why."""
    with bench.store.read() as session:
        query = select(Frame.arcfile, Frame.uri).where(Frame.arcfile.in_([file.arcfile for file in batch]))
        taken = {arcfile: uri for arcfile, uri in session.execute(query)}  # noqa: C416
    problems, loaded = [], []
    for file in batch:
        try:
            header = _read_frame(bench, file, taken)
        except (FrameError, ArchiveError) as err:
            # it went or changed since it was indexed: the next look into the archive tells
            problems.append(f"{file.uri}: {err}")
            continue
        if isinstance(header, str):
            problems.append(f"{file.uri}: {header}")
            continue
        arcfile = str(header.keys["ARCFILE"])
        folder = bench.data(instrument).headers(date)
        write_text(folder / f"{arcfile.removesuffix('.fits')}.hdr", header.text)
        loaded.append((file, header))
    with bench.store.write() as session:
        for file, header in loaded:
            _keep_frame(session, file, header, instrument, date)
    for _, header in loaded:
        # pixels that were fetched from an earlier version of the file are fetched anew when they are needed
        (bench.data(instrument).raw(date) / str(header.keys["ARCFILE"])).unlink(missing_ok=True)
    return problems


def _read_frame(bench: Workbench, file: ArchiveFile, taken: dict[str, str]) -> FileHeader | str:
    """Read the headers of a file; if another file has its ARCFILE, return why it is refused."""
    with bench.archive.header_file(file.uri) as path:
        header = read_header(path)
        arcfile = str(header.keys["ARCFILE"])
        owner = taken.setdefault(arcfile, file.uri)
        if owner == file.uri:
            return header
        try:
            return _refuse_duplicate(bench, file.uri, path, arcfile, owner)
        except ArchiveError:
            # the file that had this ARCFILE has been moved or renamed in the archive: this is it now
            taken[arcfile] = file.uri
            return header


def _keep_frame(
    session: Session, file: ArchiveFile, header: FileHeader, instrument: str, date: dt.date
) -> None:
    keys = header.keys
    exptime, nexp = keys.get("EXPTIME"), keys.get("TPL.NEXP")
    structure = "; ".join(check_structure(header))
    arcfile = str(keys["ARCFILE"])
    frame = session.scalar(select(Frame).where(Frame.arcfile == arcfile)) or Frame(arcfile=arcfile)
    frame.instrument, frame.dfo_date = instrument, date
    frame.mjd_obs = float(keys["MJD-OBS"])
    frame.exptime = float(exptime) if isinstance(exptime, int | float) else 0.0
    frame.uri, frame.size, frame.stamp = file.uri, header.size, file.stamp
    frame.header_sha256 = header.sha256
    frame.dpr_catg, frame.dpr_type = str(keys["DPR.CATG"]), str(keys["DPR.TYPE"])
    frame.tpl_start = str(keys["TPL.START"]) if "TPL.START" in keys else None
    frame.tpl_nexp = nexp if isinstance(nexp, int) else None
    frame.problem = structure or None
    frame.keys = dict(keys)
    frame.loaded_at = utc_now()
    session.add(frame)
    if structure:
        text = f"{file.uri}: {structure}"
        record_event(session, TOOL, "frame_problem", text, instrument=instrument, date=date, level="warning")


def _refuse_duplicate(bench: Workbench, uri: str, path: Path, arcfile: str, taken_by: str) -> str:
    """Refuse a second file with an ARCFILE that a frame has; say whether it is the same file again."""
    with bench.archive.header_file(taken_by) as first:
        same = first.stat().st_size == path.stat().st_size and sha256(first) == sha256(path)
    problem = (
        f"the same file as {taken_by}, which is used"
        if same
        else f"ARCFILE {arcfile} is taken by {taken_by}, which has other content and is used"
    )
    with bench.store.write() as session:
        row = session.scalars(select(ArchiveFile).where(ArchiveFile.uri == uri)).one()
        row.problem = problem
        _report(session, uri, problem, row.instrument, row.dfo_date, level="info" if same else "error")
    return problem


def _report(
    session: Session,
    uri: str,
    problem: str,
    instrument: str | None,
    date: dt.date | None,
    level: str = "warning",
) -> None:
    message = f"{uri}: {problem}. The file stays in the archive; have it mended there and call again"
    if level != "info":
        get_logger().warning(message, tool=TOOL)
    record_event(session, TOOL, "file_problem", message, instrument=instrument, date=date, level=level)
