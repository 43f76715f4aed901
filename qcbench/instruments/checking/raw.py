"""What a pack asks of raw frames (QC0): limits of raw types that there are, and conditions that a frame can meet."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from qcbench.instruments.checking.draft import Draft
from qcbench.instruments.checking.rawtypes import raw_types_of
from qcbench.instruments.contradictions import INSTRUMENT
from qcbench.instruments.yamlfiles import Place
from qcbench.oca import Expression, Finding
from qcbench.oca.reasoning import is_possible

_CLOSE = 0.8


def conditions_of(draft: Draft) -> Iterator[tuple[Place, Expression]]:
    """Give each condition of the part `qc0` with its place."""
    qc0 = draft.pack.instrument.qc0
    for number, item in enumerate(qc0.images):
        if item.condition is not None:
            yield ("qc0", "images", number, "when"), item.condition
    for number, rule in enumerate(qc0.sizes):
        yield ("qc0", "sizes", number, "condition"), rule.expression


def check_raw(draft: Draft) -> Iterator[Finding]:
    """Find limits that hold for nothing, and conditions that no frame meets."""
    instrument, types = draft.pack.instrument, raw_types_of(draft.pack)
    known = {*types.assigned, *types.of_actions}
    for name in instrument.qc0.saturated_of:
        if name not in known and not types.open_ended:
            close = get_close_matches(name, known, n=1, cutoff=_CLOSE)
            remedy = f"was {close[0]} meant?" if close else "correct it, or remove it"
            text, place = f"there is no raw type {name}", ("qc0", "saturated_of", name)
            yield draft.finding("warning", INSTRUMENT, place, "unknown-name", text, remedy)
    limits = (instrument.qc0.saturated, *instrument.qc0.saturated_of.values())
    if instrument.saturation_adu is None and min(limits) < 1:
        text = "how much may be saturated is said, but not from which value on a pixel is"
        remedy = "give saturation_adu, or remove saturated and saturated_of"
        yield draft.finding("warning", INSTRUMENT, ("qc0",), "no-saturation", text, remedy)
    for where, condition in conditions_of(draft):
        if not is_possible(condition):
            text = "no frame meets this condition"
            yield draft.finding("warning", INSTRUMENT, where, "never-true", text, "correct it")
