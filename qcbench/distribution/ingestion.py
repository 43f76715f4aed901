"""ingestProducts: renamed products go into the archive, each once, under an id that is fixed beforehand.

Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.4 and 5.5.5.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from qcbench.archive import Archive
from qcbench.core.dates import iso_ut, time_of_mjd
from qcbench.core.errors import FrameError, QcbenchError
from qcbench.core.files import sha256
from qcbench.core.progress import progress_bar
from qcbench.distribution.headers import write_names
from qcbench.distribution.nights import Mode, Night
from qcbench.store import ABState, AssociationBlock, Product, advance, record_lasting
from qcbench.workbench import Workbench

TOOL = "ingest-products"
_MILLISECOND = dt.timedelta(milliseconds=1)


@dataclass(frozen=True)
class IngestResult:
    """What this call did: products that went in, ABs that are done, and what failed and why."""

    products: tuple[str, ...]
    ingested: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]


@dataclass
class _Outcome:
    sums: dict[int, str] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)


def ingest_products(bench: Workbench, instrument: str, date: dt.date, mode: Mode = "CALIB") -> IngestResult:
    """Bring the renamed products of a date into the archive.

    What fails becomes an event, and its AB stays renamed; a second call tries again.
    """
    night, archive = Night(bench, instrument, date, mode), bench.archive
    _fix_ids(night)
    with bench.store.read() as session:
        waiting = [ab for ab in night.blocks(session) if ab.state == ABState.RENAMED]
    products: list[str] = []
    ingested: list[str] = []
    problems: list[tuple[str, str]] = []
    with progress_bar(len(waiting), f"ingest {instrument} {date}") as step:
        for ab in waiting:
            outcome = _send(night, archive, ab)
            problems += outcome.problems
            products += [item.file_name for item in ab.products if item.id in outcome.sums]
            if _commit(night, ab.name, outcome):
                ingested.append(ab.name)
            step(ab.name)
    bench.write_texts()
    return IngestResult(tuple(products), tuple(ingested), tuple(problems))


def wanted_ids(prefix: str, mjd_obs: float) -> Iterator[str]:
    """Give the ids that a product may have: the one of its MJD-OBS (days, UTC), then those of the next ms."""
    when = time_of_mjd(mjd_obs) + _MILLISECOND / 2
    while True:
        yield f"M.{prefix}.{iso_ut(when, digits=3)}"
        when += _MILLISECOND


def _fix_ids(night: Night) -> None:
    """Give each product that is to be ingested its id, in the database, before any file is touched."""
    prefix = night.pack.instrument.archive_prefix
    with night.bench.store.write() as session:
        new = [
            product
            for ab in night.blocks(session)
            if ab.state == ABState.RENAMED
            for product in to_ingest(night, ab)
            if product.dp_id is None
        ]
        taken = _taken(session, prefix) if new else set()
        for product in sorted(new, key=lambda item: (item.mjd_obs, item.file_name)):
            dp_id = next(item for item in wanted_ids(prefix, product.mjd_obs) if item not in taken)
            product.dp_id = dp_id
            taken.add(dp_id)


def to_ingest(night: Night, ab: AssociationBlock) -> list[Product]:
    """Return the products of an AB that wait in the calibration folder for the archive."""
    return [item for item in ab.products if item.location == "calib" and night.rule(item).ingest]


def _taken(session: Session, prefix: str) -> set[str]:
    ids = session.scalars(
        select(Product.dp_id).where(Product.dp_id.startswith(f"M.{prefix}.", autoescape=True))
    )
    return {item for item in ids if item}


def _send(night: Night, archive: Archive, ab: AssociationBlock) -> _Outcome:
    """Write the names into the products of an AB and bring them into the archive.

    None goes in while the file of another one is lost or damaged: the AB could not be rejected any more.
    """
    outcome = _Outcome()
    ready: list[tuple[Product, str]] = []
    for product in to_ingest(night, ab):
        if product.dp_id is not None:  # else renamed since the ids were fixed: the next call takes it
            with _noted(outcome, ab, night.path_of(product)):
                ready.append((product, _prepare(night.path_of(product), product, product.dp_id)))
    for product, digest in [] if outcome.problems else ready:
        path = night.path_of(product)
        with _noted(outcome, ab, path):
            archive.ingest(str(product.dp_id), path, digest)
            outcome.sums[product.id] = digest
    return outcome


def _prepare(path: Path, product: Product, dp_id: str) -> str:
    """Write the names into the file of a product; return its SHA-256."""
    write_names(path, origfile=product.file_name, arcfile=dp_id)
    return sha256(path)


@contextmanager
def _noted(outcome: _Outcome, ab: AssociationBlock, path: Path) -> Iterator[None]:
    """Turn what goes wrong with a file into a problem of its AB."""
    try:
        yield
    except QcbenchError as err:
        outcome.problems.append((ab.name, str(err)))
    except OSError as err:
        outcome.problems.append((ab.name, str(FrameError(path, f"can't be ingested ({err})", "Call again"))))


def _commit(night: Night, ab_name: str, outcome: _Outcome) -> bool:
    """Note what went in; tell whether all of the AB is in now."""
    with night.bench.store.write() as session:
        ab = night.whole_block(session, ab_name, lock=True)
        for product in ab.products:
            if product.id in outcome.sums:
                product.location, product.sha256 = "archive", outcome.sums[product.id]
        if outcome.problems:
            record_lasting(session, TOOL, "ingest_failed", "; ".join(p for _, p in outcome.problems), ab=ab)
        if ab.state != ABState.RENAMED or to_ingest(night, ab):
            return False
        advance(session, ab, ABState.INGESTED, TOOL)
        night.flag_when_complete(session, TOOL, "cal_Ingested", ABState.INGESTED, ["ab_ingested"])
    return True
