"""Commands that follow files through runs of recipes: back to the raw frames, and on to what was made with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from qcbench.cli.invocation import Invocation, command, pass_invocation
from qcbench.cli.output import Answer, Table, count
from qcbench.core.errors import NotFoundError

if TYPE_CHECKING:
    from qcbench.provenance import Origin


@command(
    "provenance",
    "qcbench provenance HA_MDRK_261116A_DIT10.fits",
    "qcbench provenance r.HAWKI.2026-11-16T23:18:56.334_tpl_0000.fits --format json -o flat.prov.json",
)
@click.argument("file", metavar="FILE")
@click.option(
    "--format",
    "form",
    type=click.Choice(["tree", "json", "provn"]),
    default="tree",
    show_default=True,
    help="A tree to read; or W3C PROV, as PROV-JSON or PROV-N.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it there. Without it: print it.",
)
@pass_invocation
def provenance(
    invocation: Invocation, file: str, form: Literal["tree", "json", "provn"], output: Path | None
) -> None:
    """Say where a product comes from: raw frames, masters, recipes, parameters, versions.

    FILE is a product by any name that it has, or its path. Masters stand with the hash of what was used; where one
    was made anew since, that is said. Of what was made before qcbench kept its runs only the file itself is known.
    """
    from qcbench.core.files import write_text
    from qcbench.provenance import find_file, lineage, prov_text, tree_lines
    from qcbench.store import Product

    bench = invocation.open()
    with bench.store.read() as session:
        product = find_file(session, file)
        if not isinstance(product, Product):
            raise NotFoundError(
                f"{product.arcfile} is a raw frame: it comes from the telescope. "
                f"What was made with it: qcbench uses {product.arcfile}"
            )
        origin = lineage(session, product)
        lines = tuple(tree_lines(origin))
        todo = f"What was made with it: qcbench uses {origin.name}"
        text = "\n".join(lines) + "\n" if form == "tree" else prov_text(origin, form)
    if output:
        write_text(output, text)
        known = count(sum(1 for _ in origin.walk()), "file")
        invocation.show(Answer(said=(f"{output}: the history of {origin.name}, {known}",), next=todo))
    elif form == "tree":
        invocation.show(Answer(said=lines, facts=_facts(origin), next=todo))
    else:
        click.echo(text, nl=False)


def _facts(origin: Origin) -> dict[str, Any]:
    run = origin.run
    return {
        "file": origin.name,
        "kind": origin.kind,
        "category": origin.tag,
        "sha256": origin.sha256,
        "data_sha256": origin.data_hash,
        "state": origin.state,
        "made_anew_since": origin.changed,
        "run": run
        and {
            "ab": run.ab.name,
            "recipe": run.recipe,
            "engine": run.engine,
            "parameters": run.parameters,
            "versions": run.versions,
            "started": run.started_at,
            "seconds": run.seconds,
            "peak_mb": run.peak_mb,
            "host": run.host,
        },
        "inputs": [_facts(item) for item in origin.origins],
    }


@command(
    "uses",
    "qcbench uses HA_MDRK_261116A_DIT10.fits",
    "qcbench uses HAWKI.2026-11-16T12:00:20.062.fits",
)
@click.argument("file", metavar="FILE")
@pass_invocation
def uses(invocation: Invocation, file: str) -> None:
    """List all that was made with a file, directly or through others: what its rejection would touch.

    FILE is a product or a raw frame by any name that it has, or its path. ABs that are not processed yet, but count
    on it, are among them, with 0 runs.
    """
    from qcbench.provenance import find_file
    from qcbench.provenance import uses as users_of

    bench = invocation.open()
    with bench.store.read() as session:
        found = users_of(session, [find_file(session, file)])
    rows = [
        {
            "depth": use.depth,
            "ab": use.ab.name,
            "raw_type": use.ab.raw_type,
            "state": use.ab.state,
            "uses": use.via,
            "runs": use.times,
            "makes": ", ".join(use.products),
        }
        for use in found
    ]
    columns = ("depth", "ab", "raw_type", "state", "uses", "runs", "makes")
    invocation.show(
        Answer(
            said=(f"{count(len(rows), 'AB')} {'uses' if len(rows) == 1 else 'use'} {file}",),
            tables=(Table("uses", rows, columns, "Nothing was made with it, and nothing counts on it."),),
            next=f"Where it comes from: qcbench provenance {file}",
        )
    )
