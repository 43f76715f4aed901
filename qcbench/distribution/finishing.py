"""finishNight: the date is cleaned up and counted, once nothing of it waits any more.

Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.6 and 5.5.7.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, selectinload

from qcbench.core.files import remove_leftovers, write_error
from qcbench.core.locks import REMOVAL, waiting
from qcbench.distribution.moving import delete_purged
from qcbench.distribution.nights import Night, blockers_of, is_listed_only, what_waits
from qcbench.store import (
    ABState,
    ArchiveFile,
    AssociationBlock,
    Frame,
    Product,
    record_event,
)
from qcbench.store.needs import needed_frames
from qcbench.store.states import DISTRIBUTED
from qcbench.workbench import Workbench

TOOL = "finish-night"
_ENDS = frozenset({ABState.INGESTED, ABState.REJECTED})


@dataclass(frozen=True)
class NightStatistics:
    """The daily statistics: how many ABs were created, and how they ended."""

    created: int
    successful: int
    failed: int
    certified: int
    rejected: int
    ingested: int

    @property
    def text(self) -> str:
        """One line, such as ``created=12 successful=11 …``."""
        return " ".join(f"{name}={value}" for name, value in asdict(self).items())


@dataclass(frozen=True)
class FinishResult:
    """Whether this call finished the night; if not, what waits for whom: files, then a line for each AB.

    `deleted` counts files.
    """

    finished: bool
    waiting: tuple[str, ...]
    deleted: int
    statistics: NightStatistics | None


def finish_night(
    bench: Workbench, instrument: str, date: dt.date, *, cleanup_only: bool = False
) -> FinishResult:
    """Finish a date: purge its certification area, and the raw files if they are not kept; count its ABs.

    Nothing is done while a file of the archive is not loaded, or an AB is open, undecided, or not ingested.

    Parameters
    ----------
    cleanup_only : bool
        Clean up what may go already, also while ABs wait; no statistics, no flag.
    """
    night = Night(bench, instrument, date, "CALIB")
    with bench.store.read() as session:
        waiting = tuple(_waiting(night, session))
    if waiting and not cleanup_only:
        return FinishResult(False, waiting, 0, None)
    deleted = len(delete_purged(night)) + _remove_leftovers(night)
    if not waiting:
        deleted += _purge(night)
    if cleanup_only:
        return FinishResult(False, waiting, deleted, None)
    with bench.store.write() as session:
        statistics = _count(night, session)
        _flag(night, session, statistics)
    return FinishResult(True, (), deleted, statistics)


def _waiting(night: Night, session: Session) -> Iterator[str]:
    unloaded = _n_unloaded(night, session)
    if unloaded:
        files = "1 file of the archive waits" if unloaded == 1 else f"{unloaded} files of the archive wait"
        yield (
            f"{night.date}: {files} to be loaded. Call qcbench auto-daily, or qcbench data-loader -t h -d "
            f"{night.date}"
        )
    abs_of_night = [
        ab for ab in night.blocks(session) if ABState(ab.state) not in _ENDS and not is_listed_only(ab)
    ]
    blockers = blockers_of(session, [ab.id for ab in abs_of_night])
    for ab in abs_of_night:
        yield f"{ab.name}: {what_waits(ab, blockers.get(ab.id, ()))}"


def _n_unloaded(night: Night, session: Session) -> int:
    """Count the usable files of the date that are indexed, but not loaded as they are now.

    A file whose frame came from another place is none of them: it was moved inside the archive.
    """
    same_file = (Frame.uri == ArchiveFile.uri) & (Frame.stamp == ArchiveFile.stamp)
    moved = (Frame.arcfile == ArchiveFile.arcfile) & (Frame.uri != ArchiveFile.uri)
    count = session.scalar(
        select(func.count()).where(
            ArchiveFile.instrument == night.instrument,
            ArchiveFile.dfo_date == night.date,
            ArchiveFile.problem.is_(None),
            ~exists().where(same_file | moved),
        )
    )
    return count or 0


def _remove_leftovers(night: Night) -> int:
    data = night.bench.data(night.instrument)
    folders = (night.calib, night.logs, data.plots(night.date), data.raw(night.date))
    return sum(remove_leftovers(folder) for folder in folders if folder.is_dir())


def _purge(night: Night) -> int:
    """Empty the certification area of the date but for products that are still in it, and the raw files."""
    data = night.bench.data(night.instrument)
    with night.bench.store.read() as session:
        present = session.scalars(
            select(Product).where(Product.instrument == night.instrument, Product.location == "product")
        )
        keep = {night.path_of(product) for product in present}
    folders = sorted((data.root / "product").glob(f"*/{night.date}"))
    return sum(_empty(folder, keep) for folder in folders) + _purge_raw(night)


def _purge_raw(night: Night) -> int:
    """Remove the raw files, if they are not kept, but for frames that an AB of another date needs."""
    bench, folder = night.bench, night.bench.data(night.instrument).raw(night.date)
    if bench.settings.processing.keep_raw:
        return 0
    with waiting(bench.tree.locks, REMOVAL), bench.store.read() as session:
        needed = needed_frames(session, night.instrument, night.date)
        return _empty(folder, {folder / name for name in needed})


def _empty(folder: Path, keep: set[Path]) -> int:
    """Delete the files in a folder but for some, and the folders that are empty then; return how many files."""
    count = 0
    # deepest first, so that a folder comes after what is in it
    for path in sorted(folder.rglob("*"), reverse=True):
        try:
            if path.is_dir() and not path.is_symlink():
                _remove_if_empty(path)
            elif path not in keep:
                path.unlink(missing_ok=True)
                count += 1
        except OSError as err:
            raise write_error(path, err) from err
    _remove_if_empty(folder)
    return count


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _count(night: Night, session: Session) -> NightStatistics:
    blocks = [ab for ab in night.blocks(session) if not is_listed_only(ab)]
    decided = session.scalars(
        select(AssociationBlock)
        .where(AssociationBlock.id.in_([ab.id for ab in blocks]))
        .options(selectinload(AssociationBlock.decisions))
    ).all()
    # of an AB that was processed again the last decision counts
    endings = {ab.id: ab.decisions[-1].policy for ab in decided if ab.decisions}
    states = [ABState(ab.state) for ab in blocks]
    failed = sum(endings.get(ab.id) == "failed" for ab in blocks)
    never_run = sum(endings.get(ab.id) == "incomplete" for ab in blocks)
    return NightStatistics(
        created=len(blocks),
        successful=len(blocks) - failed - never_run,
        failed=failed,
        certified=sum(state in DISTRIBUTED for state in states),
        rejected=states.count(ABState.REJECTED),
        ingested=states.count(ABState.INGESTED),
    )


def _flag(night: Night, session: Session, statistics: NightStatistics) -> None:
    last = night.last_event(session, ["finished"])
    if last and night.last_event(session, [f"ab_{state}" for state in ABState]) <= last:
        return
    for flag, message in (("daily_stat", statistics.text), ("finished", "the night is finished")):
        record_event(session, TOOL, flag, message, instrument=night.instrument, date=night.date)
