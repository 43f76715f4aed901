"""From product headers to rows of QC1 tables (the handbook's writeQC and qc1Ingest).

Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 5.5.4 and 6.2.1.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.engine import Connection

from qcbench.core.errors import FrameError
from qcbench.fits import FileHeader, Keys, Value
from qcbench.instruments import Column, TableSpec
from qcbench.qc1.tables import qc1_table

# the largest one of every database that tables may be in
MAX_INTEGER = 2**31 - 1


@dataclass(frozen=True)
class Measurement:
    """The QC parameters of one detector in one product.

    Attributes
    ----------
    values : Mapping[str, Value | None]
        By column; None where the product has not got the key.
    """

    detector: str
    values: Mapping[str, Value | None]


def measure(header: FileHeader, spec: TableSpec) -> list[Measurement]:
    """Read the QC parameters of each detector from the headers of a product.

    A detector that the product has not got is passed over. A product of one detector alone has its values in the
    primary header, which has the name of the detector then (MUSE, one IFU at a time).

    Raises
    ------
    FrameError
        The product has none of the detectors, or a value is not of its column's type.
    """
    extensions = {hdu.name: hdu.keys for hdu in header.hdus}
    # a key of the primary header goes before one of the same name in an extension
    anywhere = ChainMap(*(dict(hdu.keys) for hdu in header.hdus))
    shared = header.keys if spec.detectors.found_in == "extension" else anywhere
    found = []
    for detector in spec.detectors.names:
        own = _own(header, extensions, detector) if spec.detectors.found_in == "extension" else {}
        if own is None:
            continue
        values = {column.name: _value(header.path, column, detector, own, shared) for column in spec.columns}
        if any(values[column.name] is not None for column in spec.columns if column.kind != "FILTER"):
            found.append(Measurement(detector, values))
    if not found:
        raise FrameError(
            header.path,
            f"no QC parameter of detectors {', '.join(spec.detectors.names)} in its headers",
            "Compare the keys in the product with qc1.yaml of the instrument",
        )
    return found


def _own(header: FileHeader, extensions: Mapping[str, Keys], detector: str) -> Keys | None:
    """Return the keys of a detector: of its extension, or of a file that is of this detector alone."""
    alone = header.hdus[0].name == detector.partition(".")[0]
    return extensions.get(detector, header.keys if alone else None)


def ingest(
    connection: Connection,
    name: str,
    spec: TableSpec,
    measurements: Sequence[Measurement],
    *,
    ab_name: str,
    product: str,
    dfo_date: dt.date,
    mjd_obs: float,
) -> None:
    """Put measurements into a QC1 table, in the caller's transaction; those of the same AB are replaced."""
    table = qc1_table(name, spec)
    connection.execute(delete(table).where(table.c.ab_name == ab_name))
    fixed: dict[str, Any] = {
        "ab_name": ab_name,
        "product": product,
        "dfo_date": dfo_date,
        "mjd_obs": mjd_obs,
    }
    rows = [{**fixed, "detector": item.detector, **item.values} for item in measurements]
    if rows:
        connection.execute(insert(table), rows)


def _value(path: Path, column: Column, detector: str, own: Keys, shared: Keys) -> Value | None:
    key = column.key.replace("{detector}", detector.replace(".", "-"))
    value = own.get(key, shared.get(key))
    if value is None:
        return None
    if column.type == "text":
        return str(value)
    try:
        number = float(value)
    except (ValueError, OverflowError) as err:
        raise FrameError(path, f"key {key} is not a number: {value!r}") from err
    if isinstance(value, bool) or not math.isfinite(number):
        raise FrameError(path, f"key {key} is not a number: {value!r}")
    if column.type == "float":
        return number
    if not number.is_integer() or abs(number) > MAX_INTEGER:
        raise FrameError(path, f"key {key} is not an integer that a table can hold: {value!r}")
    return int(number)
