"""From products to QC parameters, and from QC parameters to scores: the two steps before every report.

Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 5.5.4, 6.2.1 and 6.3.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from qcbench.core.errors import FrameError
from qcbench.core.logs import get_logger, log_context
from qcbench.fits import read_header
from qcbench.instruments import InstrumentPack, TableSpec
from qcbench.qc1 import Measurement, ingest, measure, read_ab
from qcbench.scoring import ScoreCount, Verdict, count_scores, score_row, score_rows
from qcbench.store import ABState, AssociationBlock, Product, Score, advance, insert_rows, record_event
from qcbench.store.queries import find_ab
from qcbench.workbench import Workbench

TOOL = "process-qc"
SCORED_STATES = frozenset(ABState) - {
    ABState.CREATED,
    ABState.QUEUED,
    ABState.PROCESSING,
    ABState.PROCESSED,
    ABState.FAILED,
    ABState.MEASURED,
}


@dataclass(frozen=True)
class _Measured:
    table: str
    spec: TableSpec
    product: str
    rows: list[Measurement]


def measure_ab(bench: Workbench, ab_name: str, *, score: bool = False) -> bool:
    """Read the QC parameters of an AB's products into the QC1 tables: processed → measured, or → failed.

    An AB whose product is missing or can't be read fails with the reason. Return whether it could be measured.

    Parameters
    ----------
    score : bool
        Score it as well, in the same transaction.

    Raises
    ------
    NotFoundError
        There is no such AB.
    TransitionError
        The AB is not processed, or another process has measured it meanwhile.
    """
    with bench.store.read() as session:
        ab = find_ab(session, ab_name)
        products = products_by_category(ab)
    pack = bench.pack(ab.instrument)
    with log_context(instrument=ab.instrument, date=ab.dfo_date, ab=ab.name):
        try:
            measured = _read_products(bench, pack, ab, products)
        except FrameError as err:
            # The AB says which product it is; the folder is no help in a table.
            remedy = f". {err.remedy}" if err.remedy else ""
            _fail(bench, ab.name, f"{err.path.name}: {err.problem}{remedy}")
            return False
        with bench.store.write() as session:
            ab = find_ab(session, ab.name)
            _store(session, ab, measured)
            if score:
                _score(session, pack, ab)
    return True


def score_ab(bench: Workbench, ab_name: str) -> ScoreCount:
    """Score the stored QC parameters of an AB; its earlier scores are replaced.

    The first time measured → scored; an AB that was scored before keeps its state.

    Raises
    ------
    NotFoundError
        There is no such AB.
    TransitionError
        The AB is not measured yet.
    """
    with bench.store.write() as session:
        ab = find_ab(session, ab_name)
        return _score(session, bench.pack(ab.instrument), ab)


def _score(session: Session, pack: InstrumentPack, ab: AssociationBlock) -> ScoreCount:
    verdicts = _verdicts(session, pack, ab)
    new = count_scores(verdict.verdict for verdict in verdicts)
    if ab.state not in SCORED_STATES:
        advance(session, ab, ABState.SCORED, TOOL, f"score {new.text}")
    elif new != (old := count_scores(score.verdict for score in ab.scores)):
        record_event(session, TOOL, "ab_rescored", f"score {old.text} → {new.text}", ab=ab)
    session.execute(delete(Score).where(Score.ab_id == ab.id))
    insert_rows(session, Score, [score_row(ab.id, verdict) for verdict in verdicts])
    return new


def rescore(bench: Workbench, instrument: str, date: dt.date) -> dict[str, ScoreCount]:
    """Score all ABs of a date again that were scored before, as after a change of thresholds."""
    query = (
        select(AssociationBlock.name)
        .where(
            AssociationBlock.instrument == instrument,
            AssociationBlock.dfo_date == date,
            AssociationBlock.state.in_(SCORED_STATES),
        )
        .order_by(AssociationBlock.mjd_obs, AssociationBlock.name)
    )
    with bench.store.read() as session:
        names = session.scalars(query).all()
    return {name: score_ab(bench, name) for name in names}


def _read_products(
    bench: Workbench, pack: InstrumentPack, ab: AssociationBlock, products: Mapping[str, Product]
) -> list[_Measured]:
    measured = []
    for name, spec in pack.tables_of(ab.raw_type).items():
        product = products.get(spec.product)
        if product is None or product.path is None:
            made = ", ".join(products) or "none"
            raise FrameError(
                ab.name,
                f"no product {spec.product}, from which QC1 table '{name}' is measured (products: {made})",
                "See the log of the recipe",
            )
        header = read_header(bench.settings.root / product.path)
        measured.append(_Measured(name, spec, product.file_name, measure(header, spec)))
    return measured


def products_by_category(ab: AssociationBlock) -> Mapping[str, Product]:
    """Return the products of an AB that are there; of two of one PRO.CATG the first counts."""
    found: dict[str, Product] = {}
    for product in ab.products:
        if product.location not in ("virtual", "purged"):
            found.setdefault(product.pro_catg, product)
    return found


def product_path(bench: Workbench, product: Product) -> Path | None:
    """Return where a product's file is; None if it is not there."""
    path = bench.settings.root / product.path if product.path else None
    return path if path and path.is_file() else None


def _store(session: Session, ab: AssociationBlock, measured: list[_Measured]) -> None:
    advance(session, ab, ABState.MEASURED, TOOL, f"{len(measured)} QC1 tables")
    for item in measured:
        ingest(
            session.connection(),
            item.table,
            item.spec,
            item.rows,
            ab_name=ab.name,
            product=item.product,
            dfo_date=ab.dfo_date,
            mjd_obs=ab.mjd_obs,
        )


def _fail(bench: Workbench, ab_name: str, reason: str) -> None:
    with bench.store.write() as session:
        ab = find_ab(session, ab_name)
        ab.reason = reason
        advance(session, ab, ABState.FAILED, TOOL, reason, level="error")
    get_logger().warning("can't be measured", reason=reason)


def _verdicts(session: Session, pack: InstrumentPack, ab: AssociationBlock) -> list[Verdict]:
    connection = session.connection()
    return [
        verdict
        for name, spec in pack.tables_of(ab.raw_type).items()
        for verdict in score_rows(
            name, spec, read_ab(connection, name, spec, ab.name), pack.scores, ab.dfo_date
        )
    ]
