"""The text form of an AB and its association log, in the log folder of their date."""

from __future__ import annotations

from pathlib import Path

from qcbench.blocks import block_of, log_text, print_block
from qcbench.core.files import write_text
from qcbench.core.paths import safe_name
from qcbench.store import AssociationBlock


def write_block(ab: AssociationBlock, folder: Path) -> None:
    """Write ``<AB>`` and ``<AB without .ab>.alog``; a file that says the same already is left alone."""
    write_text(folder / safe_name(ab.name), print_block(block_of(ab)))
    write_text(folder / f"{safe_name(ab.root_name)}.alog", log_text(ab))
