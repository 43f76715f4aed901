"""updateAB: virtual names of calibrations are replaced by the real ones.

Source: QC handbook (VLT-SPE-ESO-19600-3986), section 5.5.5.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from qcbench.distribution.nights import Mode, Night
from qcbench.store import ABState, mark_date, record_event
from qcbench.workbench import Workbench

TOOL = "update-ab"
_CERTIFIED_AND_PRESENT = ("calib", "archive")
_CHANGES = ("ab_renamed", "ab_updated")


@dataclass(frozen=True)
class UpdateResult:
    """ABs whose calibrations became real in this call, and those that still wait for some."""

    updated: tuple[str, ...]
    virtual: tuple[str, ...]


def update_abs(bench: Workbench, instrument: str, date: dt.date, mode: Mode = "CALIB") -> UpdateResult:
    """Make the virtual calibrations real whose products are certified and present; rewrite the ABs' texts."""
    night = Night(bench, instrument, date, mode)
    updated, virtual = [], []
    with bench.store.write() as session:
        for ab in night.whole_blocks(session):
            flags = [item.flag for item in ab.calibrations]
            for item in ab.calibrations:
                if item.product.location in _CERTIFIED_AND_PRESENT:
                    item.flag = "REAL"
            now = [item.flag for item in ab.calibrations]
            if now != flags:
                updated.append(ab.name)
                n_real = now.count("REAL")
                record_event(
                    session, TOOL, "ab_updated", f"{n_real} of {len(now)} calibrations are real", ab=ab
                )
            if "VIRTUAL" in now:
                virtual.append(ab.name)
        night.flag_when_complete(session, TOOL, "cal_Updated", ABState.RENAMED, _CHANGES)
        # a text that somebody removed is written again
        mark_date(session, instrument, date)
    bench.write_texts()
    return UpdateResult(tuple(updated), tuple(virtual))
