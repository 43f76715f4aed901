"""renameProducts: the plan is written down first, then carried out.

Source: QC handbook (VLT-SPE-ESO-19600-3986), section 5.5.5; the plan is the ``rn_files`` of dfos.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from qcbench.core.errors import QcbenchError
from qcbench.core.files import write_text
from qcbench.core.paths import safe_name
from qcbench.distribution.naming import Rename, planned
from qcbench.distribution.nights import AFTER, Mode, Night
from qcbench.store import ABState, advance
from qcbench.workbench import Workbench

TOOL = "rename-products"


@dataclass(frozen=True)
class RenameResult:
    """The plan of this call, the file in which it can be read, the ABs that were renamed, and what failed."""

    plan: tuple[Rename, ...]
    plan_file: Path
    renamed: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]


def rename_products(
    bench: Workbench, instrument: str, date: dt.date, mode: Mode = "CALIB", *, dry_run: bool = False
) -> RenameResult:
    """Give the moved products of a date their final names.

    Parameters
    ----------
    dry_run : bool
        Only write the plan, for review.

    Raises
    ------
    PackError
        The pack has no name for a product; nothing was renamed.
    """
    night = Night(bench, instrument, date, mode)
    plan_file = bench.tree.jobs / f"rn_files_{safe_name(instrument).upper()}_{mode}_{date}"
    plan = _plan(night, plan_file, fix=not dry_run)
    renamed, problems = [], []
    for name in [] if dry_run else night.names({ABState.MOVED}):
        try:
            with bench.store.write() as session:
                if _carry_out(night, session, name):
                    renamed.append(name)
                night.flag_when_complete(session, TOOL, "cal_Renamed", ABState.RENAMED, ["ab_renamed"])
        except QcbenchError as err:
            problems.append((name, str(err)))
            night.record_failure(TOOL, "rename_failed", name, err)
    bench.write_texts()
    return RenameResult(plan, plan_file, tuple(renamed), tuple(problems))


def _plan(night: Night, plan_file: Path, *, fix: bool) -> tuple[Rename, ...]:
    """Write the plan; with `fix` also give the names in the database, so that a second call keeps them."""
    with night.bench.store.write() as session:
        all_names = planned(night, session, AFTER[ABState.MOVED])
        if all_names:
            write_text(plan_file, "".join(f"{rename}\n" for rename, _ in all_names))
        for rename, product in all_names if fix else ():
            product.final_name = rename.new
        moved = {ab.name for ab in night.blocks(session) if ab.state == ABState.MOVED}
    return tuple(rename for rename, _ in all_names if rename.ab_name in moved)


def _carry_out(night: Night, session: Session, name: str) -> bool:
    ab = night.whole_block(session, name, lock=True)
    named = [product for product in ab.products if product.location == "calib"]
    if ab.state != ABState.MOVED or any(product.final_name is None for product in named):
        return False
    for product in named:
        target = night.calib / safe_name(product.file_name)
        night.relocate(product, target)
        product.path = str(target)
    advance(session, ab, ABState.RENAMED, TOOL)
    return True
