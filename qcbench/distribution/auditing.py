"""The audit after ingestion: what the database says is in the archive, and what is there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from qcbench.core.dates import dfo_date, mjd_of
from qcbench.core.progress import progress_bar
from qcbench.store import AssociationBlock, Product, record_lasting
from qcbench.workbench import Workbench

TOOL = "audit"


def audit(bench: Workbench, instrument: str | None = None, date: dt.date | None = None) -> list[str]:
    """Compare archive and database; return the differences in words, and note new ones as events.

    Every ingested product has to be in the archive with its SHA-256, read from the bytes that are there, and the
    archive must not hold a product that the database does not know as ingested.

    Parameters
    ----------
    instrument, date : optional
        Audit these alone; by default everything.
    """
    with bench.store.read() as session:
        ingested = _ingested(session, instrument, date)
    differences: list[tuple[str, AssociationBlock | None]] = []
    with progress_bar(len(ingested), "audit") as step:
        for dp_id, product in ingested.items():
            problem = _compare(dp_id, product, bench.archive.holding(dp_id))
            if problem:
                differences.append((problem, product.ab))
            step(dp_id)
    for dp_id in _strangers(bench, ingested, instrument, date):
        problem = (
            f"{dp_id}: it is in the archive, but the database does not know it as ingested. Call "
            f"ingest-products again; if it stays, find out who put it there"
        )
        differences.append((problem, None))
    _note(bench, differences, instrument, date)
    return [problem for problem, _ in differences]


def _note(
    bench: Workbench,
    differences: list[tuple[str, AssociationBlock | None]],
    instrument: str | None,
    date: dt.date | None,
) -> None:
    """Add an event for each AB with differences, and one for what belongs to none."""
    found: dict[str, list[str]] = {}
    owners: dict[str, AssociationBlock | None] = {}
    for problem, ab in differences:
        name = ab.name if ab else ""
        owners[name] = ab
        found.setdefault(name, []).append(problem)
    if not found:
        return
    with bench.store.write() as session:
        for name, problems in found.items():
            text = "; ".join(problems)
            record_lasting(session, TOOL, "audit", text, ab=owners[name], instrument=instrument, date=date)


def _ingested(session: Session, instrument: str | None, date: dt.date | None) -> dict[str, Product]:
    query = (
        select(Product)
        .join(Product.ab)
        .where(Product.location == "archive")
        .options(joinedload(Product.ab))
        .order_by(Product.dp_id)
    )
    if instrument is not None:
        query = query.where(AssociationBlock.instrument == instrument)
    if date is not None:
        query = query.where(AssociationBlock.dfo_date == date)
    return {str(product.dp_id): product for product in session.scalars(query)}


def _compare(dp_id: str, product: Product, present: str | None) -> str | None:
    name = f"{dp_id} ({product.file_name} of {product.maker.name})"
    if present is None:
        return f"{name}: the database says that it was ingested, but the archive has not got it. Restore it there"
    if present != product.sha256:
        return (
            f"{name}: what the archive holds is not what was ingested (SHA-256 {present} instead of "
            f"{product.sha256}). Restore it there"
        )
    return None


def _strangers(
    bench: Workbench, ingested: Mapping[str, Product], instrument: str | None, date: dt.date | None
) -> list[str]:
    """Return ids in the archive that nobody ingested, of the instrument and date that are audited."""
    prefix = f"M.{bench.pack(instrument).instrument.archive_prefix}." if instrument else ""
    found = [
        dp_id
        for dp_id in bench.archive.list_products()
        if dp_id not in ingested and dp_id.startswith(prefix) and _is_of(bench, dp_id, date)
    ]
    with bench.store.read() as session:
        # close to the end of a date an id may carry the next one: it is moved by a ms where two are the same
        known = select(Product.dp_id).where(Product.location == "archive", Product.dp_id.in_(found))
        of_others = set(session.scalars(known))
    return [dp_id for dp_id in found if dp_id not in of_others]


def _is_of(bench: Workbench, dp_id: str, date: dt.date | None) -> bool:
    if date is None:
        return True
    try:
        when = dt.datetime.fromisoformat(dp_id.split(".", 2)[2]).replace(tzinfo=dt.UTC)
    except (IndexError, ValueError):
        return False
    return dfo_date(mjd_of(when), bench.settings.site.start_hour) == date
