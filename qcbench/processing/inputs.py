"""What a recipe is given: raw frames that are here and have passed QC0, and masters where they are now.

Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 5.5.3 and 6.1.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import select

from qcbench.archive import fetch_missing
from qcbench.core.errors import FrameError, WaitingError
from qcbench.core.logs import get_logger
from qcbench.fits import check_frame, read_header
from qcbench.instruments import InstrumentFile
from qcbench.processing.runs import Given
from qcbench.store import AssociationBlock, Product
from qcbench.workbench import Workbench

TOOL = "process-ab"


def fetch_raw_of(bench: Workbench, ab: AssociationBlock) -> tuple[Given, ...]:
    """Fetch the pixels of an AB that are not here yet; a file of another size than announced is fetched again.

    Raises
    ------
    ArchiveError
        The archive has not got a file any more.
    """
    data = bench.data(ab.instrument)
    fetched = []
    for item in ab.inputs:
        if item.role == "RASSOC":
            continue
        path = data.raw(item.frame.dfo_date) / item.frame.arcfile
        fetch_missing(bench.archive, item.frame.uri, item.frame.size, path, bench.tree.locks)
        fetched.append(Given(path, item.tag, item.frame.arcfile, frame_id=item.frame_id))
    return tuple(fetched)


def check_raw(raw: Iterable[Path], instrument: InstrumentFile, raw_type: str) -> None:
    """Refuse input that QC0 finds fault with: recipes don't look. The next call fetches such a file again.

    Raises
    ------
    FrameError
        What is wrong with the first file that can't be used.
    """
    for path in raw:
        found = check_frame(path, instrument.required_keys, instrument.expected(raw_type))
        if found.problems:
            path.unlink()
            raise FrameError(
                path.name, "; ".join(found.problems), "Have it transferred again, or have it hidden"
            )
        for remark in found.remarks:
            get_logger().info(f"{path.name}: {remark}", tool=TOOL)


def smallest_side(path: Path) -> int:
    """Return the shortest side of the images of a file (pixels); 0 where it has none."""
    return min((min(hdu.shape) for hdu in read_header(path).hdus if hdu.is_image and hdu.shape), default=0)


def masters_of(bench: Workbench, ab: AssociationBlock) -> tuple[Given, ...]:
    """Return the calibrations where they are now: they may have been moved since the AB was claimed.

    Raises
    ------
    WaitingError
        One is not there.
    """
    wanted = {item.product_id: item.tag for item in ab.calibrations if item.role == "MCALIB"}
    with bench.store.read() as session:
        products = session.scalars(select(Product).where(Product.id.in_(wanted))).all()
    masters = []
    for product in products:
        if product.path is None or not Path(product.path).is_file():
            raise WaitingError(
                f"{product.file_name} ({wanted[product.id]}) is not there yet, or not any more. "
                "Process the AB that makes it, then call again"
            )
        masters.append(
            Given(
                Path(product.path),
                wanted[product.id],
                product.pipefile,
                product_id=product.id,
                sha256=product.sha256,
                data_hash=product.data_hash,
            )
        )
    return tuple(masters)
