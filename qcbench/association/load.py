"""Loading headers from the archive (the handbook's dataLoader -t h).

Each file of the archive is read once, and again only when it changed: it is indexed, and loaded into the database at
the same time where its date is wanted. A file that can't be used is kept in the index with the reason, so that it is
listed and not tried every hour. The header files of a date are derived from the archive when the date is loaded.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.1 and 5.5.1.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from sqlalchemy import exists, select

from qcbench.archive import RemoteFile
from qcbench.association.header_files import write_header_files
from qcbench.association.intake import Intake, Night
from qcbench.core.progress import Advance, silent
from qcbench.store import ArchiveFile, Frame
from qcbench.workbench import Workbench

BATCH = 500


@dataclass(frozen=True)
class ScanResult:
    """What a look into the archive found.

    Attributes
    ----------
    n_files, n_new : int
        All files, and those that are new or changed.
    problems : tuple of str
        Of the files that are new or changed those that are unusable, with the reason.
    loaded : mapping of (instrument, DFO date) to int
        How many frames were loaded.
    """

    n_files: int
    n_new: int
    problems: tuple[str, ...]
    loaded: Mapping[Night, int] = field(default_factory=dict)


@dataclass(frozen=True)
class LoadResult:
    """What was loaded for a date."""

    date: dt.date
    n_new: int
    n_known: int
    problems: tuple[str, ...]


_T = TypeVar("_T")


def batched(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Cut what comes into pieces of a size: each is one transaction."""
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


def no_date(_date: dt.date) -> bool:
    """Want no date loaded."""
    return False


def scan_archive(
    bench: Workbench, advance: Advance = silent, *, wanted: Callable[[dt.date], bool] = no_date
) -> ScanResult:
    """Index what is new or changed in the archive.

    Parameters
    ----------
    wanted : callable
        Tells for a DFO date whether the headers of its new frames are loaded at once.

    Raises
    ------
    ArchiveError
        The archive can't be read.
    """
    intake = Intake(bench, wanted)
    n_files, n_new = 0, 0
    problems: list[str] = []
    loaded: Counter[Night] = Counter()
    for batch in batched(bench.archive.list_raw(), BATCH):
        n_files += len(batch)
        seen = [item for file in _new_of(bench, intake, batch) if (item := intake.look_at(file))]
        if not seen:
            continue
        accepted = intake.accept(seen)
        intake.store(accepted, seen)
        n_new += len(seen)
        loaded.update((item.instrument, item.date) for item in accepted if item.instrument and item.date)
        problems += [item.told() for item in seen if item.problem]
        for item in seen:
            advance(item.file.uri)
    return ScanResult(n_files, n_new, tuple(problems), loaded)


def load_headers(
    bench: Workbench,
    instrument: str,
    date: dt.date,
    advance: Advance = silent,
    *,
    scan: ScanResult | None = None,
) -> LoadResult:
    """Load the headers of an instrument and date that the archive has got: frames, then header files.

    Calling it again loads what is new only, and makes lost header files again. The archive must have been scanned.

    Parameters
    ----------
    scan : ScanResult, optional
        What it loaded of the date counts as new.

    Raises
    ------
    FileWriteError
        A header file can't be written; the frames are kept, and the next call goes on with the header files.
    """
    intake = Intake(bench, lambda found: found == date)
    n_usable, pending = _pending(bench, instrument, date)
    problems: list[str] = []
    n_loaded = 0
    for batch in batched(pending, BATCH):
        seen = [intake.look_again(file, (instrument, date)) for file in batch]
        # what went or changed since it was indexed is told by the next look into the archive
        there = [item for item in seen if not item.problem]
        accepted = intake.accept(there)
        intake.store(accepted, [item for item in there if item.problem])
        n_loaded += len(accepted)
        problems += [item.told() for item in seen if item.problem]
        for file in batch:
            advance(file.uri)
    problems += write_header_files(bench, instrument, date, advance)
    by_scan = scan.loaded.get((instrument, date), 0) if scan else 0
    return LoadResult(date, n_loaded + by_scan, n_usable - len(pending) - by_scan, tuple(problems))


def _new_of(bench: Workbench, intake: Intake, files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """Return those files that are not in the index as they are, or that another choice of instruments refused."""
    query = select(ArchiveFile.uri, ArchiveFile.size, ArchiveFile.stamp, ArchiveFile.problem).where(
        ArchiveFile.uri.in_([file.uri for file in files])
    )
    with bench.store.read() as session:
        known = {
            uri: (size, stamp)
            for uri, size, stamp, problem in session.execute(query)
            if not intake.may_be_ours_now(problem)
        }
    return [file for file in files if known.get(file.uri) != (file.size, file.stamp)]


def _pending(bench: Workbench, instrument: str, date: dt.date) -> tuple[int, list[RemoteFile]]:
    """Return how many usable files a date has, and those of them without frame."""
    is_loaded = exists().where(
        Frame.arcfile == ArchiveFile.arcfile, Frame.uri == ArchiveFile.uri, Frame.stamp == ArchiveFile.stamp
    )
    query = (
        select(ArchiveFile.uri, ArchiveFile.size, ArchiveFile.stamp, is_loaded)
        .where(
            ArchiveFile.instrument == instrument, ArchiveFile.dfo_date == date, ArchiveFile.problem.is_(None)
        )
        .order_by(ArchiveFile.uri)
    )
    with bench.store.read() as session:
        rows = session.execute(query).all()
    return len(rows), [RemoteFile(uri, size, stamp) for uri, size, stamp, loaded in rows if not loaded]
