"""The state of a workbench as plain values, to compare runs: rows without times and identifiers, and files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from astropy.io import fits
from sqlalchemy import MetaData, select

from qcbench.core.files import TMP_PREFIX
from qcbench.workbench import Workbench

# what differs between two runs that did the same: identifiers, times, names of processes, and the bytes of
# files that carry their time of writing
_VOLATILE = {
    "id", "seen_at", "loaded_at", "created_at", "updated_at", "at", "claim", "exec_seconds", "sha256",
    "stamp", "keys", "ab_id", "frame_id", "product_id", "run_id", "started_at", "seconds", "peak_mb",
}  # fmt: skip
_UNCOMPARED_TABLES = {"events", "alembic_version", "ab_inputs", "ab_calibrations", "sqlite_sequence"}
_UNCOMPARED_FILES = (".db", ".db-wal", ".db-shm", ".jsonl", ".lock", "qcbench.toml")


def rows(bench: Workbench) -> dict[str, list[tuple[Any, ...]]]:
    """All tables, each row as sorted (column, value) pairs; rows of an AB name it."""
    metadata = MetaData()
    found: dict[str, list[tuple[Any, ...]]] = {}
    with bench.store.engine.connect() as connection:
        metadata.reflect(connection)
        names = dict(connection.exec_driver_sql("SELECT id, name FROM abs").all())
        for table in metadata.sorted_tables:
            if table.name in _UNCOMPARED_TABLES:
                continue
            content = connection.execute(select(table)).mappings().all()
            found[table.name] = sorted(_plain(dict(row), bench.settings.root, names) for row in content)
        links = connection.exec_driver_sql(
            "SELECT abs.name, products.pipefile, c.role, c.flag, c.tag, c.evaluation, c.position, c.dt_days "
            "FROM ab_calibrations c JOIN abs ON abs.id = c.ab_id JOIN products ON products.id = c.product_id"
        ).all()
        found["ab_calibrations"] = sorted(tuple(link) for link in links)
        inputs = connection.exec_driver_sql(
            "SELECT abs.name, frames.arcfile, i.role, i.tag, i.position FROM ab_inputs i "
            "JOIN abs ON abs.id = i.ab_id JOIN frames ON frames.id = i.frame_id"
        ).all()
        found["ab_inputs"] = sorted(tuple(link) for link in inputs)
    return found


def _plain(row: dict[str, Any], root: Path, names: dict[int, str]) -> tuple[Any, ...]:
    if row.get("ab_id") in names:
        row["ab"] = names[row["ab_id"]]
    return tuple(
        (key, str(value).replace(str(root), "<root>"))
        for key, value in sorted(row.items())
        if key not in _VOLATILE
    )


def files(root: Path) -> set[str]:
    """Names of all files of a workbench, but for the database, logs and locks."""
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and not path.name.endswith(_UNCOMPARED_FILES)
    }


def age_leftovers(root: Path) -> None:
    """Make old what killed processes left, as it is when cron calls again: then it is nobody's."""
    for path in root.rglob(f"{TMP_PREFIX}*"):
        os.utime(path, (0, 0), follow_symlinks=False)


def stamps(root: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of each file."""
    found = {}
    for name in files(root):
        status = (root / name).stat()
        found[name] = status.st_size, status.st_mtime_ns
    return found


def archived_pixels(bench: Workbench) -> dict[str, list[bytes]]:
    """The data of every product in the archive, HDU by HDU."""
    found = {}
    for path in sorted((bench.settings.archive_path / "products").glob("*.fits")):
        with fits.open(path, memmap=False) as hdus:
            found[path.name] = [hdu.data.tobytes() for hdu in hdus if hdu.data is not None]
    return found
