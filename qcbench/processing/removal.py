"""What can be had again goes: raw frames that no AB needs, archived masters outside the moving window.

Nothing that an open AB needs is removed, and the database need not know: the next AB that wants a file fetches it.
Who removes holds a lock while it asks the database and removes; an AB passes through it once it is claimed, before
it looks for its files. So it finds them, or finds them gone, but never sees them go.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.6, 4.1.9 and 4.1.10; PHOENIX manual
(VLT-MAN-ESO-19600-6104), section 4.6.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from sqlalchemy.orm import Session

from qcbench.archive import remove_parts
from qcbench.core.errors import ArchiveError
from qcbench.core.files import write_error
from qcbench.core.locks import REMOVAL, waiting
from qcbench.core.logs import get_logger
from qcbench.processing.pixels import raw_path
from qcbench.store import Product, record_event
from qcbench.store.needs import (
    archived_products,
    frames_of,
    needed_among,
    needed_frames,
    needed_products,
    used_frames,
)
from qcbench.workbench import Workbench

TOOL = "moving-window"


def pass_removals(bench: Workbench) -> None:
    """Wait until a removal that is going on has ended: the next one sees what the database says now."""
    settings = bench.settings.processing
    if not settings.keep_raw or settings.masters_days:
        with waiting(bench.tree.locks, REMOVAL):
            pass


def remove_raw_of(bench: Workbench, ab_name: str) -> tuple[str, ...]:
    """Remove the raw frames of an AB that no AB needs any more, unless raw frames are kept; name them."""
    if bench.settings.processing.keep_raw:
        return ()
    with waiting(bench.tree.locks, REMOVAL), bench.store.read() as session:
        frames = frames_of(session, ab_name)
        needed = needed_among(session, [frame.id for frame in frames])
        spent = [raw_path(bench, frame) for frame in frames if frame.id not in needed]
        return tuple(path.name for path in spent if _remove(path))


def tidy_raw(bench: Workbench, instrument: str) -> tuple[str, ...]:
    """Remove what killed calls left in the raw folders of an instrument; name the raw frames among it.

    Fetches that were killed are kept for ABs that need the frame. Frames that belong to no AB were put there by
    somebody: they stay until the night is finished.
    """
    removed: list[str] = []
    for folder, date in _dated(bench.data(instrument).root / "raw"):
        with waiting(bench.tree.locks, REMOVAL), bench.store.read() as session:
            removed += _tidy_date(bench, session, instrument, folder, date)
        # another process may just put something into it
        with suppress(OSError):
            folder.rmdir()
    return tuple(removed)


def _tidy_date(bench: Workbench, session: Session, instrument: str, folder: Path, date: dt.date) -> list[str]:
    is_kept = bench.settings.processing.keep_raw
    if is_kept and not any(folder.glob(".part-*")):
        return []
    needed = needed_frames(session, instrument, date)
    remove_parts(folder, bench.tree.locks, keep=needed)
    spent = set() if is_kept else used_frames(session, instrument, date) - needed
    return [name for name in sorted(spent) if _remove(folder / name)]


def keep_window(bench: Workbench, instrument: str, open_dates: Collection[dt.date]) -> tuple[str, ...]:
    """Remove archived masters that are further from all open dates than the window is wide; name them.

    One stays if an AB needs it, or if the archive does not hold the same content, by its hash. While no date is open,
    all stay.
    """
    days = bench.settings.processing.masters_days
    removed: list[str] = []
    if days and open_dates:
        for folder, date in _dated(bench.data(instrument).root / "calib"):
            if min(abs(date - other) for other in open_dates) > dt.timedelta(days):
                removed += _clear_masters(bench, instrument, folder, date)
    if removed:
        text = f"{len(removed)} masters, further than {days} days from all open dates; the archive has them"
        with bench.store.write() as session:
            record_event(session, TOOL, "masters_removed", text, instrument=instrument)
    return tuple(removed)


def _clear_masters(bench: Workbench, instrument: str, folder: Path, date: dt.date) -> list[str]:
    """Remove the masters of a date that may go."""
    with bench.store.read() as session:
        archived = archived_products(session, instrument, date)
        needed = needed_products(session, [product.id for product in archived])
    home = {product.id: bench.tree.root / str(product.path) for product in archived}
    removed = []
    for product in archived:
        path = home[product.id]
        if product.id not in needed and path.is_file() and _is_in_archive(bench, product):
            with waiting(bench.tree.locks, REMOVAL), bench.store.read() as session:
                if not needed_products(session, [product.id]) and _remove(path):
                    removed.append(path.name)
    remove_parts(folder, bench.tree.locks, keep={home[number].name for number in needed})
    with suppress(OSError):
        folder.rmdir()
    return removed


def _is_in_archive(bench: Workbench, product: Product) -> bool:
    """Tell whether the archive holds a product with the content that the database knows, read from its bytes."""
    try:
        found = bench.archive.holding(str(product.dp_id))
    except ArchiveError as err:
        get_logger().warning(f"{product.file_name} stays: {err}", tool=TOOL)
        return False
    if found is None or found != product.sha256:
        get_logger().warning(
            f"{product.file_name} stays: the archive does not hold it. Call audit", tool=TOOL
        )
        return False
    return True


def _dated(parent: Path) -> Iterator[tuple[Path, dt.date]]:
    """Give the folders of dates."""
    for folder in sorted(parent.iterdir()) if parent.is_dir() else []:
        with suppress(ValueError):
            yield folder, dt.date.fromisoformat(folder.name)


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as err:
        raise write_error(path, err) from err
    return True
