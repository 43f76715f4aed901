"""Header files: the headers of the frames of a date as text, a card a line, derived from the archive.

One is written straight under its name, which takes a third of the time of a file that is renamed: the next call tells
a cut one by its size, and makes it again.
"""

from __future__ import annotations

import datetime as dt
import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import select

from qcbench.association.intake import CHANGED, header_name
from qcbench.core.errors import ArchiveError, FrameError
from qcbench.core.files import make_folder, write_error
from qcbench.core.progress import Advance, silent
from qcbench.fits import HEADER_LINE, HeaderReader
from qcbench.store import Frame
from qcbench.workbench import Workbench

# volumes take, and keep, what is written in multiples of this (bytes)
_SECTOR = 512


def write_header_files(
    bench: Workbench, instrument: str, date: dt.date, advance: Advance = silent
) -> list[str]:
    """Write the header files of a date that are missing or cut; return what the archive has not got any more.

    Raises
    ------
    FileWriteError
        The folder is not writable, the disk is full, and the like.
    """
    folder = bench.data(instrument).headers(date)
    missing = _missing(bench, instrument, date, folder)
    if missing:
        make_folder(folder)
    reader = HeaderReader()
    problems = []
    for arcfile, uri, sha256 in missing:
        try:
            with bench.archive.header_file(uri) as path:
                header = reader.read(path)
        except FrameError as err:
            problems.append(f"{uri}: {err.problem}")
        except ArchiveError as err:
            problems.append(f"{uri}: {err}")
        else:
            if header.sha256 == sha256:
                _write(folder / header_name(arcfile), header.content)
            else:
                problems.append(f"{uri}: {CHANGED}")
        advance(uri)
    return problems


def _missing(bench: Workbench, instrument: str, date: dt.date, folder: Path) -> list[tuple[str, str, str]]:
    """Return ARCFILE, URI and hash of the frames of a date that have no whole header file."""
    query = (
        select(Frame.arcfile, Frame.uri, Frame.header_sha256)
        .where(Frame.instrument == instrument, Frame.dfo_date == date)
        .order_by(Frame.uri)
    )
    whole = _whole(folder)
    with bench.store.read() as session:
        return [
            (arcfile, uri, sha256)
            for arcfile, uri, sha256 in session.execute(query)
            if header_name(arcfile) not in whole
        ]


def _whole(folder: Path) -> set[str]:
    """Return the names of the header files that are whole.

    A kill, or a power failure, leaves whole sectors, or nothing; a whole file has whole lines. The few that have both
    are taken as cut, and made again.
    """
    if not folder.is_dir():
        return set()
    with os.scandir(folder) as entries:
        sizes = [(entry.name, entry.stat().st_size) for entry in entries]
    return {name for name, size in sizes if size % HEADER_LINE == 0 and size % _SECTOR}


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as err:
        with suppress(OSError):
            path.unlink()
        raise write_error(path, err) from err
