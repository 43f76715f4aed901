"""What every step of the distribution asks of a date: its ABs, and whether a status flag is due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from qcbench.blocks.model import RAW
from qcbench.core.errors import FrameError, PackError, QcbenchError
from qcbench.core.files import move_file
from qcbench.instruments import InstrumentPack, NameRule
from qcbench.store import (
    ABCalibration,
    ABInput,
    ABState,
    AssociationBlock,
    Event,
    Product,
    record_event,
    record_lasting,
)
from qcbench.store.models import NO_RECIPE
from qcbench.store.states import OPEN_STATES, TO_REVIEW
from qcbench.workbench import Workbench

Mode = Literal["CALIB"]
_NEXT_STEP = {
    ABState.CERTIFIED: "move-products",
    ABState.MOVED: "rename-products",
    ABState.RENAMED: "ingest-products",
}
AFTER = {
    ABState.MOVED: frozenset({ABState.MOVED, ABState.RENAMED, ABState.INGESTED}),
    ABState.RENAMED: frozenset({ABState.RENAMED, ABState.INGESTED}),
    ABState.INGESTED: frozenset({ABState.INGESTED}),
}


@dataclass(frozen=True)
class Night:
    """A date of an instrument in a mode: what a distribution step works on."""

    bench: Workbench
    instrument: str
    date: dt.date
    mode: Mode

    @cached_property
    def pack(self) -> InstrumentPack:
        """The pack of the instrument."""
        return self.bench.pack(self.instrument)

    @property
    def calib(self) -> Path:
        """The folder of the certified products."""
        return self.bench.data(self.instrument).calib(self.date)

    @property
    def logs(self) -> Path:
        """The folder of logs, ABs and association logs."""
        return self.bench.data(self.instrument).logs(self.date)

    def path_of(self, product: Product) -> Path:
        """Return where the file of a product is; stored paths may be relative to the workbench."""
        return self.bench.tree.root / (product.path or product.pipefile)

    def relocate(self, product: Product, target: Path) -> None:
        """Move the file of a product, where that was not done already; the caller notes its new path.

        Raises
        ------
        FrameError
            The file is lost.
        FileWriteError
            It can't be moved.
        """
        source = self.path_of(product)
        if not source.exists() and not target.exists():
            raise FrameError(
                source, "the file of this product is gone", "Restore it or reject its AB, then call again"
            )
        move_file(source, target)

    def rule(self, product: Product) -> NameRule:
        """Return how a product is named, kept and archived.

        Raises
        ------
        PackError
            The pack does not say it.
        """
        pack = self.pack
        if product.pro_catg not in pack.names:
            raise PackError(
                pack.folder / "names.yaml",
                f"product '{product.pro_catg}' ({product.pipefile}) has no name. Add it and call again",
                key="products",
            )
        return pack.names[product.pro_catg]

    def names(self, states: Collection[ABState]) -> list[str]:
        """Name the ABs that are in one of some states, by time."""
        with self.bench.store.read() as session:
            return [ab.name for ab in self.blocks(session) if ABState(ab.state) in states]

    def blocks(self, session: Session) -> list[AssociationBlock]:
        """Read the ABs with their products, by time."""
        return self._read(session, (selectinload(AssociationBlock.products),))

    def whole_blocks(self, session: Session) -> list[AssociationBlock]:
        """Read the ABs with all that their text forms hold, by time."""
        return self._read(session, _whole_block())

    def _read(self, session: Session, options: tuple[ORMOption, ...]) -> list[AssociationBlock]:
        query = (
            select(AssociationBlock)
            .where(
                AssociationBlock.instrument == self.instrument,
                AssociationBlock.dfo_date == self.date,
                AssociationBlock.mode == self.mode,
            )
            .options(*options)
            .order_by(AssociationBlock.mjd_obs, AssociationBlock.name)
        )
        return list(session.scalars(query))

    def whole_block(self, session: Session, ab_name: str, *, lock: bool = False) -> AssociationBlock:
        """Read an AB with all that its text form holds; with `lock` for a change in this transaction."""
        query = select(AssociationBlock).where(AssociationBlock.name == ab_name).options(*_whole_block())
        return session.scalars(query.with_for_update() if lock else query).one()

    def flag_when_complete(
        self, session: Session, tool: str, flag: str, reached: ABState, changes: Iterable[str]
    ) -> None:
        """Write a status flag in the caller's transaction, if no AB is left to be done and none was written since.

        Parameters
        ----------
        reached : ABState
            The state that ends the step. Rejected ABs, and ones that lack calibrations, are not waited for.
        changes : iterable of str
            Flags of the events after which the status flag is due again.
        """
        session.flush()
        done = AFTER[reached] | {ABState.REJECTED}
        left = [
            ab
            for ab in self.blocks(session)
            if ABState(ab.state) not in done and not is_stuck(ab) and not is_listed_only(ab)
        ]
        changed = self.last_event(session, changes)
        if not left and changed > self.last_event(session, [flag]):
            message = f"{self.mode}: no AB is left"
            record_event(session, tool, flag, message, instrument=self.instrument, date=self.date)

    def last_event(self, session: Session, flags: Iterable[str]) -> int:
        """Return the id of the last event of the date with one of some flags; 0 if there is none."""
        found = session.scalar(
            select(func.max(Event.id)).where(
                Event.flag.in_(tuple(flags)),
                Event.instrument == self.instrument,
                Event.dfo_date == self.date,
            )
        )
        return found or 0

    def record_failure(self, tool: str, flag: str, ab_name: str, err: QcbenchError) -> None:
        """Note, once, that an AB could not be handled; the others go on."""
        with self.bench.store.write() as session:
            ab = session.scalars(select(AssociationBlock).where(AssociationBlock.name == ab_name)).one()
            record_lasting(session, tool, flag, str(err), ab=ab)


def _whole_block() -> tuple[ORMOption, ...]:
    """Return the loading options for all that the text form of an AB holds."""
    return (
        selectinload(AssociationBlock.products),
        selectinload(AssociationBlock.inputs).joinedload(ABInput.frame),
        selectinload(AssociationBlock.calibrations).joinedload(ABCalibration.product),
    )


def is_listed_only(ab: AssociationBlock) -> bool:
    """Tell whether an AB has no recipe: it is there to be seen, and nothing is to be done with it."""
    return ab.recipe == NO_RECIPE


def is_stuck(ab: AssociationBlock) -> bool:
    """Tell whether an AB lacks calibrations, so that it can't even be processed."""
    return ab.state == ABState.CREATED and ab.completeness == "INCOMPLETE"


def blockers_of(session: Session, ab_ids: Sequence[int]) -> dict[int, list[str]]:
    """Return, by the id of an AB, the ABs whose products it needs and which have not made them yet."""
    uses = session.scalars(
        select(ABCalibration)
        .join(ABCalibration.product)
        .where(ABCalibration.ab_id.in_(ab_ids), Product.location == "virtual", ABCalibration.role == "MCALIB")
        .options(joinedload(ABCalibration.product).joinedload(Product.ab))
        .order_by(ABCalibration.ab_id, ABCalibration.position)
    )
    found: dict[int, list[str]] = {}
    for use in uses:
        owner = use.product.maker
        found.setdefault(use.ab_id, []).append(f"{owner.name} ({owner.state})")
    return found


def _what_lacks(missing: Mapping[str, Any]) -> str:
    if missing["tag"] == RAW:
        return "more raw frames"
    of = missing.get("of")
    return f"{missing['tag']} of {of}" if of else str(missing["tag"])


def what_waits(ab: AssociationBlock, blockers: Collection[str]) -> str:
    """Say in words what an AB that is not at its end waits for."""
    state = ABState(ab.state)
    if is_stuck(ab):
        tags = ", ".join(_what_lacks(item) for item in ab.missing if item["required"]) or "a calibration"
        return f"incomplete, it waits for {tags}. Reject it if that will not come"
    if state in OPEN_STATES:
        return f"{state}, it waits for {', '.join(blockers) or 'its turn in process-ab'}"
    if state in TO_REVIEW:
        return f"{state}, it waits for a decision" + (f" ({ab.review})" if ab.review else "")
    return f"{state}, it waits for {_NEXT_STEP[state]}"
