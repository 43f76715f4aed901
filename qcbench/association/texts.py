"""The text forms of the ABs of a date: one file and one association log each, and the list of all."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from qcbench.blocks import block_of, list_text, log_text, print_block
from qcbench.core.files import write_text
from qcbench.store import ABCalibration, ABInput, AssociationBlock
from qcbench.workbench import Workbench


def write_texts(bench: Workbench, instrument: str, date: dt.date) -> None:
    """Write the texts of a date that are not as the database has it; remove those of ABs that are no more."""
    folder = bench.data(instrument).logs(date)
    with bench.store.read() as session:
        query = (
            select(AssociationBlock)
            .where(AssociationBlock.instrument == instrument, AssociationBlock.dfo_date == date)
            .options(
                selectinload(AssociationBlock.inputs).selectinload(ABInput.frame),
                selectinload(AssociationBlock.calibrations).selectinload(ABCalibration.product),
                selectinload(AssociationBlock.products),
            )
            .order_by(AssociationBlock.mjd_obs, AssociationBlock.name)
        )
        blocks = session.scalars(query).all()
        for ab in blocks:
            _write(folder / ab.name, print_block(block_of(ab)))
            _write(folder / f"{ab.root_name}.alog", log_text(ab))
        names = {ab.name for ab in blocks}
        for mode in sorted({ab.mode for ab in blocks}):
            text = list_text([ab for ab in blocks if ab.mode == mode])
            _write(bench.tree.monitor / f"AB_list_{instrument}_{mode}_{date}", text)
    for stale in [path for path in folder.glob("*.ab") if path.name not in names]:
        for path in (stale.with_suffix(".alog"), stale):
            with suppress(FileNotFoundError):
                path.unlink()


def _write(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
