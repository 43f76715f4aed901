"""Commands that say why: why a frame is in an AB or in none, why an AB has its calibrations, and the cascade."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import click

from qcbench.cli.invocation import Invocation, command, pass_invocation
from qcbench.cli.output import Answer
from qcbench.cli.parameters import ABName, include_option
from qcbench.core.errors import FrameError, NotFoundError

if TYPE_CHECKING:
    from qcbench.association.explaining import FrameExplanation
    from qcbench.workbench import Workbench


@command(
    "explain-frame",
    "qcbench explain-frame HAWKI.2026-11-19T21:40:11.000",
    "qcbench explain-frame HAWKI.2026-11-19T21:40:11.000.fits --json",
)
@click.argument("arcfile", metavar="ARCFILE")
@pass_invocation
def explain_frame(invocation: Invocation, arcfile: str) -> None:
    """Say why a raw frame has its type, and why it is in an AB or in none.

    The rules that fired, in order, with the values that decided; the filter that keeps it out; the organizers that
    select it, its group and its ABs. For a frame that no rule knows: the nearest rules, and the conditions that it
    fails. Files of the archive that can't be used are explained, too.

    ARCFILE may stand with or without .fits, or with a path. The rules are asked as they are now; nothing is written.
    """
    from qcbench.association.explaining import frame_lines

    bench = invocation.open()
    told = _explain(bench, arcfile)
    invocation.show(Answer(said=tuple(frame_lines(told)), facts=asdict(told), next=told.next))


@command(
    "explain-ab",
    "qcbench explain-ab HAWKI.2026-11-19T21:40:11.000_tpl",
    "qcbench explain-ab HAWKI.2026-11-19T21:40:11.000_tpl.ab --json",
)
@click.argument("ab", type=ABName(), metavar="AB")
@pass_invocation
def explain_ab(invocation: Invocation, ab: str) -> None:
    """Say why an AB has its calibrations, and of what is missing which candidates came closest.

    Each association in the order of the rules: the rule, its validity, the chosen file with signed Δt (file minus
    AB, days) and level, each condition with the values of both sides, and what would have been taken next. For a
    missing one: the nearest candidates with every condition that they fail, and what makes such a file.

    What is stored is explained; where the rules would choose otherwise by now, that is said. Nothing is written.
    """
    from qcbench.association.explaining import ab_lines
    from qcbench.association.explaining import explain_ab as explain

    told = explain(invocation.open(), ab)
    invocation.show(Answer(said=tuple(ab_lines(told)), facts=asdict(told), next=told.next))


def _explain(bench: Workbench, name: str) -> FrameExplanation:
    """Explain a frame by its name, or by the name that a file of it says that it has."""
    from qcbench.association.explaining import explain_frame as explain

    file = Path(name)
    if not file.is_file():
        return explain(bench, PurePath(name).name)
    try:
        return explain(bench, _name_in(file))
    except NotFoundError as err:
        raise NotFoundError(
            f"{file}: the workbench has no such frame; to see what the rules make of it: qcbench oca classify {file}"
        ) from err


def _name_in(file: Path) -> str:
    """Return ARCFILE of a file; its own name where it says none."""
    from qcbench.fits import read_header

    with suppress(FrameError):
        return str(read_header(file).keys.get("ARCFILE", file.name))
    return file.name


@command(
    "create-calib-map",
    "qcbench create-calib-map -i hawki",
    "qcbench create-calib-map -i uves -o uves.html",
    "qcbench create-calib-map --rules rules.oca -o map.html",
)
@click.option("-i", "short", metavar="NAME", help="Instrument; the same as --instrument.")
@click.option(
    "--rules",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Rule file of no pack; what is static is then that of --instrument, if it is given.",
)
@include_option()
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The page to write. Without it: calib_map.html with the listings of the instrument, or in this folder.",
)
@pass_invocation
def create_calib_map(
    invocation: Invocation,
    short: str | None,
    file: Path | None,
    folders: Sequence[Path],
    output: Path | None,
) -> None:
    """Draw the calibration cascade of a rule set as one page: what needs what, for how long, and what makes it.

    The page works without a network. Click on a box or an association to see its rule and what comes before and after
    it. With neither instrument nor rule file: all instruments of the workbench.
    """
    from qcbench.instruments import find_pack
    from qcbench.monitors import calib_map as maps
    from qcbench.oca import load_rules

    names = tuple(dict.fromkeys((*invocation.named, *([short] if short else ()))))
    if output and len(names) > 1:
        raise click.UsageError("-o names one page: give one instrument, or leave -o out")
    if file:
        static = find_pack(names[0], _site(invocation)).instrument.static if names else {}
        found = maps.rules_map(load_rules(file, folders), static)
        pages = [maps.write_map(found, file.name, output or Path(f"calib_map_{file.stem}.html"))]
    elif output and names:
        pack = find_pack(names[0], _site(invocation))
        pages = [maps.write_map(maps.pack_map(pack), pack.instrument.title, output)]
    else:
        bench = invocation.open()
        names = names or bench.instruments
        if output and len(names) > 1:
            raise click.UsageError("-o names one page: say which instrument with -i, or leave -o out")
        pages = [maps.calib_map(bench, name, output) for name in names]
    shown = [str(page) for page in pages]
    invocation.show(Answer(said=tuple(shown), facts={"pages": shown}, next="Open the page in a browser"))


def _site(invocation: Invocation) -> Path:
    """Return the folder in which a workbench, where there is one, has its own packs."""
    from qcbench.core.paths import WorkbenchTree

    return WorkbenchTree(invocation.root).config
