"""General (static) calibrations: files that no recipe makes from raw frames, kept in a folder of the instrument.

The folder is looked at in each call of create-ab: what is new or changed there is taken, what is gone is forgotten.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.4 and 5.5.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from qcbench.association.candidates import GENERAL
from qcbench.core.errors import FrameError, QcbenchError
from qcbench.core.files import sha256
from qcbench.core.paths import safe_name
from qcbench.fits import read_header
from qcbench.store import Product, record_event, record_lasting
from qcbench.workbench import Workbench

TOOL = "create-ab"
_GONE = "purged"


@dataclass(frozen=True)
class _General:
    """A general calibration as it is in the folder."""

    name: str
    path: Path
    stamp: str
    sha256: str
    category: str
    mjd: float
    keys: dict[str, str | int | float | bool]


def index_general(bench: Workbench, instrument: str) -> list[str]:
    """Take the general calibrations that are new or changed; return what is wrong with those that can't be used."""
    folder = bench.data(instrument).general
    files = {path.name: path for path in sorted(folder.glob("*.fits"))} if folder.is_dir() else {}
    with bench.store.read() as session:
        known = {product.pipefile: product for product in session.scalars(_products(instrument))}
    problems: list[str] = []
    found: list[_General] = []
    for name, path in files.items():
        stamp = _stamp(path)
        old = known.get(name)
        if old is not None and old.stamp == stamp and old.location == GENERAL:
            continue
        try:
            found.append(_read(path, stamp, instrument, bench.pack(instrument).instrument.instrume))
        except QcbenchError as err:
            problems.append(f"{path}: {err.problem if isinstance(err, FrameError) else err}")
    gone = [name for name, product in known.items() if name not in files and product.location == GENERAL]
    if found or gone or problems:
        with bench.store.write() as session:
            problems += _keep(session, instrument, found)
            _forget(session, instrument, gone)
            for problem in problems:
                record_lasting(
                    session, TOOL, "general_problem", problem, instrument=instrument, level="warning"
                )
    return problems


def _products(instrument: str) -> Select[Product]:
    return select(Product).where(Product.instrument == instrument, Product.ab_id.is_(None))


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size}-{status.st_mtime_ns}"


def _read(path: Path, stamp: str, instrument: str, instrume: Iterable[str]) -> _General:
    """Read a general calibration.

    Raises
    ------
    QcbenchError
        It is not FITS, has no PRO.CATG, or is of another instrument.
    """
    name = safe_name(path.name)
    header = read_header(path)
    if header.is_truncated:
        raise FrameError(path, "it is cut short", "Copy it again")
    keys = dict(header.keys)
    category = keys.get("PRO.CATG")
    if not isinstance(category, str) or not category:
        raise FrameError(path, "it has no PRO.CATG, so that no rule can ask for it; add the keyword")
    if keys.get("INSTRUME", instrument) not in {instrument, *instrume}:
        raise FrameError(path, f"its INSTRUME is {keys['INSTRUME']!r}; it belongs to another instrument")
    mjd = keys.get("MJD-OBS")
    start = float(mjd) if isinstance(mjd, int | float) and not isinstance(mjd, bool) else 0.0
    return _General(name, path, stamp, sha256(path), category, start, keys)


def _keep(session: Session, instrument: str, found: Iterable[_General]) -> list[str]:
    problems = []
    for item in found:
        product = session.scalar(select(Product).where(Product.pipefile == item.name))
        if product is not None and (product.instrument != instrument or product.ab_id is not None):
            problems.append(f"{item.path}: there is another product of this name; rename the file")
            continue
        is_new = product is None or product.sha256 != item.sha256 or product.location != GENERAL
        if product is None:
            product = Product(instrument=instrument, position=0, pipefile=item.name)
            session.add(product)
        product.pro_catg, product.path, product.location = item.category, str(item.path), GENERAL
        product.sha256, product.stamp, product.mjd_obs = item.sha256, item.stamp, item.mjd
        product.keys = item.keys
        if is_new:
            text = f"{item.name} ({item.category}) is there as a general calibration"
            record_event(session, TOOL, "general_new", text, instrument=instrument)
    return problems


def _forget(session: Session, instrument: str, names: Iterable[str]) -> None:
    for name in names:
        product = session.scalars(_products(instrument).where(Product.pipefile == name)).one()
        product.location, product.path = _GONE, None
        text = f"{name} ({product.pro_catg}) was taken out of the general calibrations"
        record_event(session, TOOL, "general_gone", text, instrument=instrument, level="warning")
