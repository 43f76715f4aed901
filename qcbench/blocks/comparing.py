"""The text of an AB against its rows: it is written from the database, and what was edited in it is not taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from qcbench.blocks.lines import quoted
from qcbench.blocks.model import BlockError, BlockFile
from qcbench.blocks.reading import read_block
from qcbench.blocks.writing import block_of
from qcbench.store import AssociationBlock

# the text was perhaps written by an older version, or before the last update
_MAY_DIFFER = frozenset({"TOOL_VERSION", "CONFIG_VERSION", "PROCESS_STATUS"})
_LISTS = (
    ("RAWFILE", "raw_files"),
    ("RASSOC", "associated"),
    ("MCALIB and MASSOC", "calibrations"),
    ("PRODUCTS", "products"),
    ("RAW_MATCH_KEY", "match_keys"),
)


def check_text(path: Path, ab: AssociationBlock) -> None:
    """Make sure that the text of an AB says what the database says.

    Raises
    ------
    BlockError
        It can't be read, is of another AB, or was edited: what differs, and the remedy.
    """
    differences = list(_differences(read_block(path), block_of(ab)))
    if differences:
        raise BlockError(
            path,
            None,
            f"{'; '.join(differences)}. Texts are written from the database, and edits in them are not taken: "
            f"change rules or frames, or have the text written again by qcbench update-ab -d {ab.dfo_date}",
        )


def _differences(text: BlockFile, rows: BlockFile) -> Iterator[str]:
    for name, value in rows.fields:
        if name not in _MAY_DIFFER and text.field(name) != value:
            yield f"{name} is {quoted(text.field(name))}, in the database {quoted(value)}"
    for name, attribute in _LISTS:
        if set(getattr(text, attribute)) != set(getattr(rows, attribute)):
            yield f"the lines {name} are not those of the database"
