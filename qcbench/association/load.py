"""Loading headers from the archive (the handbook's dataLoader -t h).

The archive is indexed first: each file is opened once, and again only when it changed. A file that can't be used
is kept in the index with the reason, so that it is listed and not tried every hour.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.1 and 5.5.1.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from qcbench.archive import RemoteFile
from qcbench.core.dates import dfo_date, utc_now
from qcbench.core.errors import FrameError, QcbenchError
from qcbench.core.files import sha256, write_text
from qcbench.core.logs import get_logger
from qcbench.core.paths import safe_name
from qcbench.core.progress import Advance, silent
from qcbench.fits import FileHeader, check_keys, read_header
from qcbench.fits.qc0 import ALWAYS_NEEDED, check_structure
from qcbench.store import ArchiveFile, Frame, record_event
from qcbench.workbench import Workbench

TOOL = "data-loader"


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
    n_files, n_new, problems = 0, 0, []
    for file in bench.archive.list_raw():
        n_files += 1
        if known.get(file.uri) == (file.size, file.stamp):
            continue
        n_new += 1
        if problem := _index(bench, file, codes):
            problems.append(f"{file.uri}: {problem}")
        advance(file.uri)
    return ScanResult(n_files, n_new, tuple(problems))


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
        rows = session.execute(select(Frame.uri, Frame.size).where(Frame.dfo_date == date))
        frames = {uri: size for uri, size in rows}  # noqa: C416 (a row is not a pair to the type checker)
    new = [file for file in usable if frames.get(file.uri) != file.size]
    problems = []
    for file in new:
        if problem := _load(bench, file.uri, instrument, date):
            problems.append(f"{file.uri}: {problem}")
        advance(file.uri)
    return LoadResult(date, len(new) - len(problems), len(usable) - len(new), tuple(problems))


def _index(bench: Workbench, file: RemoteFile, codes: Mapping[str, str]) -> str | None:
    """Open a file once and put it into the index; return what makes it unusable."""
    header: FileHeader | None = None
    problem: str | None
    try:
        with bench.archive.header_file(file.uri) as path:
            header = read_header(path)
        problem = _unusable(header, codes)
    except FrameError as err:
        problem = err.problem
    keys = header.keys if header else {}
    instrument = codes.get(str(keys.get("INSTRUME")))
    mjd = keys.get("MJD-OBS")
    date = None
    if isinstance(mjd, float | int) and not isinstance(mjd, bool):
        date = dfo_date(float(mjd), bench.settings.site.start_hour)
    with bench.store.write() as session:
        row = session.scalar(select(ArchiveFile).where(ArchiveFile.uri == file.uri)) or ArchiveFile(
            uri=file.uri
        )
        row.size, row.stamp, row.seen_at = file.size, file.stamp, utc_now()
        row.instrument, row.dfo_date, row.problem = instrument, date, problem
        row.arcfile = str(keys["ARCFILE"]) if "ARCFILE" in keys else None
        session.add(row)
        if problem:
            _report(session, file.uri, problem, instrument, date)
    return problem


def _unusable(header: FileHeader, codes: Mapping[str, str]) -> str | None:
    """Say why a file can't become a frame at all; None if it can."""
    keys = header.keys
    problems = check_keys(keys, (*ALWAYS_NEEDED, "INSTRUME", "DPR.CATG", "DPR.TYPE"))
    if problems:
        return "; ".join(problems)
    try:
        safe_name(str(keys["ARCFILE"]))
    except QcbenchError as err:
        return f"ARCFILE: {err}"
    if keys["INSTRUME"] not in codes:
        ours = ", ".join(sorted(codes))
        return f"INSTRUME {keys['INSTRUME']!r} is of no instrument of this workbench ({ours})"
    return None


def _load(bench: Workbench, uri: str, instrument: str, date: dt.date) -> str | None:
    """Write the header file, then the frame; return why the file was not taken."""
    with bench.archive.header_file(uri) as path:
        header = read_header(path)
        arcfile = str(header.keys["ARCFILE"])
        with bench.store.read() as session:
            taken = session.scalar(select(Frame).where(Frame.arcfile == arcfile))
        if taken is not None and taken.uri != uri:
            return _refuse_duplicate(bench, uri, path, taken)
    folder = bench.data(instrument).headers(date)
    write_text(folder / f"{arcfile.removesuffix('.fits')}.hdr", header.text)
    structure = check_structure(header)
    with bench.store.write() as session:
        frame = session.scalar(select(Frame).where(Frame.arcfile == arcfile)) or Frame(arcfile=arcfile)
        _fill(frame, header, uri, instrument, date, structure)
        session.add(frame)
        if structure:
            record_event(
                session, TOOL, "frame_problem", f"{uri}: {'; '.join(structure)}",
                instrument=instrument, date=date, level="warning",
            )  # fmt: skip
    return None


def _fill(
    frame: Frame, header: FileHeader, uri: str, instrument: str, date: dt.date, problems: Iterable[str]
) -> None:
    keys = header.keys
    exptime, nexp = keys.get("EXPTIME"), keys.get("TPL.NEXP")
    frame.instrument, frame.dfo_date = instrument, date
    frame.mjd_obs = float(keys["MJD-OBS"])
    frame.exptime = float(exptime) if isinstance(exptime, int | float) else 0.0
    frame.uri, frame.size, frame.header_sha256 = uri, header.size, header.sha256
    frame.dpr_catg, frame.dpr_type = str(keys["DPR.CATG"]), str(keys["DPR.TYPE"])
    frame.tpl_start = str(keys["TPL.START"]) if "TPL.START" in keys else None
    frame.tpl_nexp = nexp if isinstance(nexp, int) else None
    frame.problem = "; ".join(problems) or None
    frame.keys = dict(keys)
    frame.loaded_at = utc_now()


def _refuse_duplicate(bench: Workbench, uri: str, path: Path, taken: Frame) -> str:
    """Refuse a second file with an ARCFILE that a frame has; say whether it is the same file again."""
    with bench.archive.header_file(taken.uri) as first:
        same = first.stat().st_size == path.stat().st_size and sha256(first) == sha256(path)
    problem = (
        f"the same file as {taken.uri}, which is used"
        if same
        else f"ARCFILE {taken.arcfile} is taken by {taken.uri}, which has other content and is used"
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
