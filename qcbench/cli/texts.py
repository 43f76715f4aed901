"""The command that reads text forms of ABs, old ones and those of other places too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qcbench.cli.exits import NOT_DONE
from qcbench.cli.invocation import Invocation, command, pass_invocation
from qcbench.cli.output import Answer, Row, Table, count
from qcbench.core.errors import QcbenchError

if TYPE_CHECKING:
    from qcbench.blocks import BlockFile

_COLUMNS = ("ab", "qualifier", "flag", "file", "category", "evaluation", "dt_days")
_FIELDS = ("DATE", "RAW_TYPE", "RECIPE", "COMPLETENESS", "PROCESS_STATUS", "OBS_PROG_ID", "OBS_ID")


@command(
    "extract-ab",
    "qcbench extract-ab data/hawki/logs/2026-11-19/*.ab",
    "qcbench extract-ab old/GIRAF.2007-10-13T03:29:13.092.ab --print > new.ab",
)
@click.argument(
    "files",
    type=click.Path(path_type=Path),
    nargs=-1,
    required=True,
    metavar="FILE...",
)
@click.option("--print", "as_text", is_flag=True, help="Print each AB in the present text form instead.")
@pass_invocation
def extract_ab(invocation: Invocation, files: Sequence[Path], as_text: bool) -> None:
    """Read text forms of ABs, and list what they consist of: raw files, calibrations, products.

    Old ABs are read too: what they lack, or say in another way, is assumed, and a warning names it. A file that can't
    be read is listed with the reason, and the command ends with code 20, after all others have been read. No
    workbench is needed, and nothing is changed.
    """
    from qcbench.blocks import BlockError, print_block, read_block

    found: dict[Path, BlockFile] = {}
    unreadable: list[BlockError] = []
    for file in files:
        try:
            found[file] = read_block(file)
        except BlockError as err:
            unreadable.append(err)
    if as_text and not invocation.as_json:
        for block in found.values():
            click.echo(print_block(block), nl=False)
        for text in (*(text for block in found.values() for text in block.warnings), *map(str, unreadable)):
            click.echo(text, err=True)
    else:
        invocation.show(_answer(found, unreadable))
    if unreadable:
        click.get_current_context().exit(NOT_DONE)


def _answer(found: dict[Path, BlockFile], unreadable: Sequence[QcbenchError]) -> Answer:
    abs_ = [
        {"ab": block.field("AB_NAME"), **{name.lower(): block.field(name) for name in _FIELDS}}
        for block in found.values()
    ]
    warnings = [{"warning": text} for block in found.values() for text in block.warnings]
    wrong = [{"problem": str(err)} for err in unreadable]
    told = ", ".join(
        (count(len(found), "AB"), count(len(warnings), "warning"), f"{len(wrong)} that can't be read")
    )
    return Answer(
        said=(told,),
        tables=(
            Table("abs", abs_, ("ab", *(name.lower() for name in _FIELDS))),
            Table("files", [row for block in found.values() for row in _rows(block)], _COLUMNS),
            Table("warnings", warnings, ("warning",)),
            Table("unreadable", wrong, ("problem",)),
        ),
        next="",
    )


def _rows(block: BlockFile) -> Iterator[Row]:
    name = block.field("AB_NAME")
    for file, category in block.raw_files:
        yield {"ab": name, "qualifier": "RAWFILE", "file": file, "category": category}
    for raw in block.associated:
        yield {
            "ab": name,
            "qualifier": "RASSOC",
            "file": raw.file,
            "category": raw.tag,
            "evaluation": raw.evaluation,
            "dt_days": raw.dt_days,
        }
    for item in block.calibrations:
        yield {
            "ab": name,
            "qualifier": item.role,
            "flag": item.flag,
            "file": item.file,
            "category": item.tag,
            "evaluation": item.evaluation,
            "dt_days": item.dt_days,
        }
    for file, category in block.products:
        yield {"ab": name, "qualifier": "PRODUCTS", "file": file, "category": category}
