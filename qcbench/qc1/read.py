"""Reading QC1 tables."""

from __future__ import annotations

import pandas as pd
from sqlalchemy import select
from sqlalchemy.engine import Connection

from qcbench.instruments import TableSpec
from qcbench.qc1.tables import qc1_table


def read_table(
    connection: Connection,
    name: str,
    spec: TableSpec,
    *,
    mjd_from: float | None = None,
    mjd_to: float | None = None,
) -> pd.DataFrame:
    """Return a QC1 table as a data frame, ordered by time.

    Parameters
    ----------
    mjd_from, mjd_to : float, optional
        First and last MJD-OBS (days); by default all rows.

    Returns
    -------
    pd.DataFrame
        A row for each AB and detector, with the columns of the table.
    """
    table = qc1_table(name, spec)
    query = select(table).order_by(table.c.mjd_obs, table.c.ab_name, table.c.detector)
    if mjd_from is not None:
        query = query.where(table.c.mjd_obs >= mjd_from)
    if mjd_to is not None:
        query = query.where(table.c.mjd_obs <= mjd_to)
    return pd.read_sql(query, connection)


def read_ab(connection: Connection, name: str, spec: TableSpec, ab_name: str) -> list[dict[str, object]]:
    """Return the rows of one AB, in the order of the detectors in the pack."""
    table = qc1_table(name, spec)
    rows = connection.execute(select(table).where(table.c.ab_name == ab_name)).mappings()
    order = {detector: index for index, detector in enumerate(spec.detectors.names)}
    return sorted((dict(row) for row in rows), key=lambda row: order.get(str(row["detector"]), len(order)))
