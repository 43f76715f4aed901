"""A QC parameter over time, from its QC1 table, with what became of the ABs.

Source: QC handbook (VLT-SPE-ESO-19600-3986), section 6.2.4.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Select, Table, exists, select

from qcbench.core.dates import mjd_of, time_of_mjd, utc_now
from qcbench.core.errors import NotFoundError
from qcbench.instruments import Column, TableSpec
from qcbench.qc1 import qc1_table
from qcbench.store import ABState, AssociationBlock
from qcbench.store.states import DISTRIBUTED
from qcbench.workbench import Workbench

Status = Literal["certified", "rejected", "open"]
_CERTIFIED = frozenset({ABState.CERTIFIED}) | DISTRIBUTED


@dataclass(frozen=True)
class SeriesPoint:
    """One value of a QC parameter, in the unit of its column.

    Attributes
    ----------
    time : datetime
        MJD-OBS of the AB as UT.
    status : {"certified", "rejected", "open"}
        How the AB was decided.
    report : str or None
        Where the AB's report is.
    """

    value: float
    time: dt.datetime
    ab: str
    detector: str
    status: Status
    report: str | None = None


def series(
    bench: Workbench,
    instrument: str,
    table: str,
    parameter: str,
    *,
    detector: str | None = None,
    where: Mapping[str, object] | None = None,
    days: float | None = None,
    until: dt.datetime | None = None,
) -> list[SeriesPoint]:
    """Return the values of a QC parameter, ordered by time and detector; missing values are left out.

    Parameters
    ----------
    table, parameter : str
        QC1 table (as in qc1.yaml) and its column.
    detector : str, optional
        One detector; by default all.
    where : mapping, optional
        Values that columns of the table must have, such as a filter's.
    days : float, optional
        Length of the range that ends at `until` (days); by default all that is before it.
    until : datetime, optional
        End of the range, included; by default no end, and now where `days` is given.

    Raises
    ------
    NotFoundError
        The pack has no such table or column, or the column holds no numbers.
    """
    spec = _spec(bench, instrument, table)
    if _column(table, spec, parameter).type == "text":
        raise NotFoundError(f"QC1 table '{table}': column '{parameter}' holds text, there is nothing to plot")
    core = qc1_table(table, spec)
    query = (
        select(
            core.c[parameter],
            core.c.mjd_obs,
            core.c.ab_name,
            core.c.detector,
            AssociationBlock.state,
            AssociationBlock.report_path,
        )
        .join(AssociationBlock, AssociationBlock.name == core.c.ab_name, isouter=True)
        .where(core.c[parameter].is_not(None))
        .order_by(core.c.mjd_obs, core.c.ab_name, core.c.detector)
    )
    if detector is not None:
        query = query.where(core.c.detector == detector)
    for name, wanted in (where or {}).items():
        query = query.where(core.c[_column(table, spec, name).name] == wanted)
    if until is None and days is not None:
        until = utc_now()
    if until is not None:
        query = query.where(core.c.mjd_obs <= mjd_of(until) + 1e-9)
        if days is not None:
            query = query.where(core.c.mjd_obs >= mjd_of(until) - days)
    with bench.store.read() as session:
        return [
            SeriesPoint(float(value), time_of_mjd(mjd), ab, where_, _status(state), report)
            for value, mjd, ab, where_, state, report in session.execute(query)
        ]


def filled_tables(bench: Workbench, instrument: str) -> dict[str, TableSpec]:
    """Return the QC1 tables of an instrument that have rows, in the order of its pack."""
    tables = bench.pack(instrument).tables
    with bench.store.read() as session:
        return {
            name: spec for name, spec in tables.items() if session.scalar(_has_rows(qc1_table(name, spec)))
        }


def first_kpi(spec: TableSpec) -> Column:
    """Return the first key performance indicator of a table, or its first number where it has none."""
    numbers = [column for column in spec.columns if column.type != "text" and column.kind != "FILTER"]
    if not numbers:
        raise NotFoundError("the QC1 table has no column with numbers, there is nothing to plot")
    return next((column for column in numbers if column.kind == "KPI"), numbers[0])


def _has_rows(table: Table) -> Select[tuple[bool]]:
    return select(exists(select(table.c.id)))


def _spec(bench: Workbench, instrument: str, table: str) -> TableSpec:
    tables = bench.pack(instrument).tables
    if table not in tables:
        raise NotFoundError(f"{instrument} has no QC1 table '{table}'; it has {', '.join(tables)}")
    return tables[table]


def _column(table: str, spec: TableSpec, name: str) -> Column:
    for column in spec.columns:
        if column.name == name:
            return column
    names = ", ".join(column.name for column in spec.columns)
    raise NotFoundError(f"QC1 table '{table}' has no column '{name}'; it has {names}")


def _status(state: str | None) -> Status:
    if state in _CERTIFIED:
        return "certified"
    return "rejected" if state == ABState.REJECTED else "open"
