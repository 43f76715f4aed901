"""A simulated night against the rules of its pack: frames that the rules take for something else than they are."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from qcbench.core.errors import PackError
from qcbench.fits import short_key
from qcbench.instruments import InstrumentPack
from qcbench.instruments.checking import raw_types_of
from qcbench.oca import Finding, classify
from qcbench.oca.check import Level
from qcbench.simulate.description import Description, load_description
from qcbench.simulate.detectors import readout
from qcbench.simulate.headers import add_detector_cards, primary_header
from qcbench.simulate.schedule import Exposure, plan_night

SIMULATE = "simulate.yaml"
_MANY = 4


def check_simulation(pack: InstrumentPack, today: dt.date) -> Iterator[Finding]:
    """Classify a simulated night, and find frames that the rules take for something else than they are."""
    path = pack.folder / SIMULATE
    if not path.is_file():
        return
    try:
        plan = load_description(path)
    except PackError as err:
        remedy = "correct it: docs/reference/pack.md lists the keys of every file"
        yield Finding("error", str(path), err.line or 1, None, "file", err.problem, remedy, err.key or "")
        return
    wrong: dict[tuple[str, str], set[str]] = defaultdict(set)
    unknown: set[str] = set()
    for exposure in plan_night(plan, today, seed=0):
        keys = _keys(plan, exposure)
        assigned = classify(pack.rules, keys).assigned.get("RAW.TYPE")
        if assigned != exposure.raw_type:
            wrong[exposure.raw_type, str(assigned or "")].add(exposure.template.id)
        unknown |= {key for key in keys if pack.keys.find(key) is None}
    line = _line_with(path, "templates:")
    known = {str(name) for name in raw_types_of(pack).assigned}
    for (made, found), templates in wrong.items():
        # a simulation may tell kinds apart that the rules take for one; its truth table has its own names then
        level: Level = "note" if found and made not in known else "warning"
        text = f"{', '.join(sorted(templates))}: frames of raw type {made} are " + (
            f"{found} by the rules" if found else "known to no rule"
        )
        remedy = "correct raw_type here, or the classifiers in rules.oca"
        yield Finding(level, str(path), line, None, "simulated-type", text, remedy, "templates")
    if unknown:
        names = sorted(unknown)
        more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
        text = f"no dictionary has the keys {', '.join(names[:_MANY])}{more} of simulated frames"
        yield Finding("warning", str(path), 1, None, "unknown-key", text, "add them to keys.yaml", "keys")


def _keys(plan: Description, exposure: Exposure) -> dict[str, str | int | float | bool]:
    """Return the keys of the primary header of an exposure, whose pixels are never made."""
    detector = next(item for item in plan.detectors if item.name in exposure.detectors)
    read = readout(detector, None)
    header = primary_header(plan, exposure, read, 0)
    if plan.layout_of(exposure.template) != "extensions":
        add_detector_cards(header, plan, exposure, read)
    return {short_key(key): value for key, value in header.items()}


def _line_with(path: Path, text: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.startswith(text)), 1)
