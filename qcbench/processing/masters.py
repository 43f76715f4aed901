"""The calibrations that a recipe is given: links of its own to files that are what was made.

Masters are moved, renamed, given names in their headers, made anew and removed while recipes read them. A hard link
is the file as it was, and takes no room.
Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 5.5.3 and 6.1.1.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import defer, joinedload

from qcbench.archive import fetch_missing_product
from qcbench.core.errors import FileWriteError, FrameError, WaitingError
from qcbench.core.files import copy_file, link_file
from qcbench.fits import data_hash
from qcbench.processing.jobs import is_to_make
from qcbench.processing.runs import Given
from qcbench.processing.sums import Sums
from qcbench.store import AssociationBlock, Product
from qcbench.workbench import Workbench


@dataclass(frozen=True)
class MasterFolder:
    """The calibrations of one attempt.

    Attributes
    ----------
    path : Path
        Made when there are some; whoever makes the attempt removes it.
    sums : Sums
        Those that the job knows.
    """

    bench: Workbench
    path: Path
    sums: Sums

    def bring(self, ab: AssociationBlock, raw: Sequence[Given]) -> tuple[Given, ...]:
        """Put the calibrations of an AB into the folder.

        Parameters
        ----------
        raw : sequence of Given
            What its recipe gets besides: no two files get one name.

        Raises
        ------
        WaitingError
            One is not made yet, is being made anew, or is lost.
        ArchiveError
            One is in the archive alone, and can't be had from there as it was ingested.
        FrameError
            One is not what its AB has made.
        FileWriteError
            One can't be written.
        """
        tags = {item.product_id: item.tag for item in ab.calibrations if item.role == "MCALIB"}
        names = {item.path.name for item in raw}
        given = []
        for product in self._read(tags) if tags else ():
            try:
                found = self._give(product, tags[product.id], names)
            except (WaitingError, FrameError, FileWriteError):
                # it may have been moved, or made anew, since the database was asked
                (now,) = self._read([product.id])
                found = self._give(now, tags[product.id], names)
            names.add(found.path.name)
            given.append(found)
        return tuple(given)

    def _read(self, product_ids: Collection[int]) -> Sequence[Product]:
        """Read products with their ABs; without the keys, of which a header has hundreds."""
        query = (
            select(Product)
            .where(Product.id.in_(product_ids))
            .options(defer(Product.keys), joinedload(Product.ab).defer(AssociationBlock.keys))
            .order_by(Product.id)
        )
        with self.bench.store.read() as session:
            return session.scalars(query).all()

    def _give(self, product: Product, tag: str, names: Collection[str]) -> Given:
        """Link a calibration to a name that is free, and look whether it is what was made."""
        source = self._present(product, tag)
        own = self.path / (f"{product.id}-{source.name}" if source.name in names else source.name)
        if not link_file(source, own):
            copy_file(source, own)
        digest = self.sums.of(own)
        if product.ab is not None and not self._is_as_made(product, own, digest):
            if is_to_make(product.ab):
                raise WaitingError(
                    f"{product.file_name} is made anew now by {product.ab.name}. Call again then"
                )
            raise FrameError(source, f"it is not what {product.ab.name} has made (SHA-256)", _remedy(product))
        return Given(own, tag, product.pipefile, None, product.id, digest, product.data_hash)

    def _present(self, product: Product, tag: str) -> Path:
        """Return where a calibration is, fetched where the archive alone has it."""
        path = Path(product.path) if product.path else None
        if path and path.is_file():
            return path
        if path and product.location == "archive" and product.dp_id and product.sha256:
            # it left the moving window
            fetch_missing_product(
                self.bench.archive, product.dp_id, path, product.sha256, self.bench.tree.locks
            )
            return path
        raise WaitingError(
            f"{product.file_name} ({tag}) is not there yet, or not any more. "
            "Process the AB that makes it, then call again"
        )

    def _is_as_made(self, product: Product, path: Path, digest: str) -> bool:
        if product.sha256 in (digest, None):
            return True
        if product.location != "calib" or product.dp_id is None:
            return False
        # on its way to the archive its header gets names, before the database knows the new SHA-256
        try:
            return self.sums.of(path, data_hash) == product.data_hash
        except (FrameError, OSError):
            # cut short: not the same data
            return False


def _remedy(product: Product) -> str:
    if product.location == "archive":
        return (
            "Delete it, then process again what needs it (process-ab --again): it is fetched from the archive"
        )
    maker = product.maker.name
    return (
        f"Restore it; or delete it, call qcbench certify-products --reject {maker} --comment 'file is damaged' and "
        f"qcbench process-ab -a {maker} --again. Then process again what needs it"
    )
