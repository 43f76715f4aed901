"""What the report of an AB is about: the AB, its products and raw frames, its scores, its previous master."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from qcbench.core.errors import FrameError
from qcbench.fits import FileHeader, read_header
from qcbench.instruments import InstrumentPack
from qcbench.qc1 import read_ab
from qcbench.reports.measure import product_path, products_by_category
from qcbench.reports.pixels import Content, read_content
from qcbench.scoring import Verdict, verdicts_of, worst_first
from qcbench.store import AssociationBlock, Frame, Product
from qcbench.store.queries import find_ab, previous_master
from qcbench.workbench import Workbench

MAX_RAW_SHOWN = 2


@dataclass(frozen=True)
class Subject:
    """An AB with all that its report shows; nothing in it needs the database any more.

    Attributes
    ----------
    verdicts : tuple of Verdict
        Worst first.
    rows : mapping
        Rows of the AB in each of its QC1 tables.
    previous : Product or None
        The certified product that the main one is compared with.
    """

    bench: Workbench
    pack: InstrumentPack
    ab: AssociationBlock
    verdicts: tuple[Verdict, ...]
    rows: Mapping[str, list[dict[str, object]]]
    product: Product | None
    previous: Product | None

    @property
    def folder(self) -> Path:
        """Where the report is written."""
        return self.bench.data(self.ab.instrument).plots(self.ab.dfo_date)

    @property
    def detectors(self) -> tuple[str, ...]:
        """Detectors of the AB's QC1 tables, in the order of the pack."""
        specs = self.pack.tables_of(self.ab.raw_type).values()
        return tuple(dict.fromkeys(name for spec in specs for name in spec.detectors.names))

    @property
    def absent_detectors(self) -> tuple[str, ...]:
        """Detectors that were measured nowhere in the products."""
        measured = {str(row["detector"]) for rows in self.rows.values() for row in rows}
        return tuple(name for name in self.detectors if name not in measured) if measured else ()

    @property
    def pixel_unit(self) -> str:
        """Unit of the pixels of the main product where its header has none."""
        rule = self.pack.names.get(self.product.pro_catg) if self.product else None
        return rule.unit if rule else "adu"

    @cached_property
    def content(self) -> Content | None:
        """What the main product holds; None where there is no product."""
        path = product_path(self.bench, self.product) if self.product else None
        return read_content(path, self.detectors, unit=self.pixel_unit) if path else None

    @cached_property
    def previous_content(self) -> Content | None:
        """What the previous master holds; None where there is none, or its file has gone."""
        path = product_path(self.bench, self.previous) if self.previous else None
        if path is None:
            return None
        try:
            return read_content(path, self.detectors, unit=self.pixel_unit)
        except FrameError:
            return None

    @cached_property
    def header(self) -> FileHeader | None:
        """Headers of the main product."""
        path = product_path(self.bench, self.product) if self.product else None
        return read_header(path) if path else None

    @cached_property
    def raw_contents(self) -> tuple[tuple[Frame, Content], ...]:
        """What the first and the last raw frame hold, as far as they can be read."""
        frames = [item.frame for item in self.ab.inputs if item.role == "RAWFILE"]
        chosen = frames[:1] + (frames[-1:] if len(frames) >= MAX_RAW_SHOWN else [])
        found = []
        for frame in chosen:
            path = raw_path(self.bench, frame)
            try:
                if path is not None:
                    level = self.pack.instrument.saturation_adu
                    found.append((frame, read_content(path, self.detectors, saturation=level)))
            except FrameError:
                continue
        return tuple(found)


def load_subject(bench: Workbench, ab_name: str) -> Subject:
    """Read all that the report of an AB needs from the database.

    Raises
    ------
    NotFoundError
        There is no such AB.
    """
    with bench.store.read() as session:
        ab = find_ab(session, ab_name, whole=True)
        pack = bench.pack(ab.instrument)
        tables = pack.tables_of(ab.raw_type)
        connection = session.connection()
        rows = {name: read_ab(connection, name, spec, ab.name) for name, spec in tables.items()}
        product = _main_product(pack, ab)
        previous = previous_master(session, ab, product) if product else None
    return Subject(bench, pack, ab, tuple(worst_first(verdicts_of(ab))), rows, product, previous)


def raw_path(bench: Workbench, frame: Frame) -> Path | None:
    """Return where a raw frame is in the data tree; None if it is not there (any more)."""
    folder = bench.data(frame.instrument).raw(frame.dfo_date)
    name = Path(frame.arcfile).name
    candidates = (folder / name, folder / f"{name}.fits")
    return next((path for path in candidates if path.is_file()), None)


def _main_product(pack: InstrumentPack, ab: AssociationBlock) -> Product | None:
    products = products_by_category(ab)
    named = [spec.product for spec in pack.tables_of(ab.raw_type).values()]
    return next((products[name] for name in named if name in products), next(iter(products.values()), None))
