"""Commands that work on simulated nights: `simulate` and `demo`.

Stages are imported inside the commands, see `qcbench.cli.daily`.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from qcbench.cli.bench import FOLDER, run_server
from qcbench.cli.invocation import Invocation, command, pass_invocation
from qcbench.cli.output import Answer, Table, program
from qcbench.cli.parameters import DfoDate

if TYPE_CHECKING:
    from qcbench.workflow.demo import DemoPlan

DEMO_FOLDER = Path("demo-workbench")


class _Anomalies(click.Option):
    """An option that names, in its help, what the simulator knows; it is asked only then."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from qcbench.simulate import known_anomalies

        record = super().get_help_record(ctx)
        return record and (record[0], f"{record[1]} Names: {', '.join(known_anomalies())}.")


@command(
    "simulate",
    "qcbench simulate --instrument hawki --nights 3 --start 2026-11-16 --seed 1 --window 256",
    "qcbench simulate --instrument hawki --nights 1 --start 2026-11-19 --seed 1 --anomalies noise-jump:1 "
    "--archive my-archive",
)
@click.option(
    "--nights",
    type=click.IntRange(min=1),
    metavar="N",
    default=1,
    show_default=True,
    help="DFO dates to observe.",
)
@click.option("--start", type=DfoDate(), required=True, metavar="DATE", help="First DFO date.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    default=1,
    show_default=True,
    help="The same seed, the same frames.",
)
@click.option(
    "--window",
    type=click.IntRange(min=16),
    metavar="PIXELS",
    help="Side of the part of each detector that is read.",
)
@click.option(
    "--raw-type",
    "raw_types",
    multiple=True,
    metavar="NAME",
    help="Only this raw type, by its name in simulate.yaml; can be given again.",
)
@click.option(
    "--anomalies",
    cls=_Anomalies,
    multiple=True,
    metavar="NAME[:NIGHT[:TEMPLATE]]",
    help="Something that goes wrong, counted from 1; can be given again, or several with commas.",
)
@click.option(
    "--archive", type=FOLDER, metavar="DIR", help="Folder of the archive; without it that of the workbench."
)
@pass_invocation
def simulate(
    invocation: Invocation,
    nights: int,
    start: dt.date,
    seed: int,
    window: int | None,
    raw_types: Sequence[str],
    anomalies: Sequence[str],
    archive: Path | None,
) -> None:
    """Put the raw frames of simulated nights into an archive.

    The truth behind them is written beside the archive.
    """
    from qcbench.core.paths import WorkbenchTree
    from qcbench.core.progress import progress_bar
    from qcbench.core.settings import FILE_NAME
    from qcbench.instruments import available_packs
    from qcbench.simulate import simulate as observe
    from qcbench.simulate.anomalies import parse_anomalies

    wanted = [part for text in anomalies for part in text.split(",")]
    parse_anomalies(wanted, nights)
    names, site = invocation.named, None
    if archive is None or (invocation.root / FILE_NAME).is_file():
        settings = invocation.settings()
        archive, site = archive or settings.archive_path, WorkbenchTree(settings.root).config
        names = names or settings.workbench.instruments
    if not names:
        raise click.UsageError("--instrument NAME is needed with --archive outside of a workbench")
    packs = available_packs(site)
    unknown = [name for name in names if name not in packs]
    if unknown:
        raise click.UsageError(f"there is no instrument '{unknown[0]}'; there is {', '.join(packs)}")
    rows = []
    with progress_bar(nights * len(names), "simulate") as advance:
        for name in names:
            result = observe(
                packs[name] / "simulate.yaml",
                archive,
                nights=nights,
                start=start,
                seed=seed,
                window=window,
                raw_types=raw_types,
                anomalies=wanted,
                progress=advance,
            )
            rows.append(
                {"instrument": name, "frames": result.n_frames, "new": result.n_written,
                 "templates": result.n_templates, "truth": result.truth}
            )  # fmt: skip
    columns = ("instrument", "frames", "new", "templates", "truth")
    invocation.show(
        Answer(tables=(Table("simulated", rows, columns),), next="Work on them: qcbench auto-daily")
    )


@command("demo", "qcbench demo", "qcbench demo my-demo --window 128 --no-serve")
@click.argument("directory", metavar="[DIR]", required=False, type=FOLDER)
@click.option("--nights", type=click.IntRange(min=1), metavar="N", help="Nights to simulate. Without it: 3.")
@click.option(
    "--window",
    type=click.IntRange(min=64),
    metavar="PIXELS",
    help="Side of the detector window. Without it: 256.",
)
@click.option(
    "--serve/--no-serve",
    "served",
    default=True,
    show_default=True,
    help="Serve the workbench afterwards; not with --json.",
)
@click.option(
    "--port", type=click.IntRange(1, 65535), metavar="PORT", help="Port at localhost. Without it: a free one."
)
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open a browser.")
@pass_invocation
def demo(
    invocation: Invocation,
    directory: Path | None,
    nights: int | None,
    window: int | None,
    served: bool,
    port: int | None,
    browser: bool,
) -> None:
    """Run the whole job on simulated nights, and serve the result.

    Makes a workbench in DIR (demo-workbench). Called again on the same folder, it goes on where it was.
    """
    from qcbench.core.logs import set_up_logging
    from qcbench.core.paths import WorkbenchTree
    from qcbench.workflow.demo import run_demo

    invocation.folder = root = (directory or invocation.folder or DEMO_FOLDER).absolute()
    set_up_logging(WorkbenchTree(root).monitor, verbose=invocation.verbose)
    summary = run_demo(root, _simulate_plan, os.environ, nights=nights, window=window)
    click.get_current_context().call_on_close(summary.bench.close)
    dates = [item.summary.as_dict() for item in summary.daily.dates]
    invocation.show(
        Answer(
            said=tuple(summary.lines()),
            facts={"folder": root, "engines": dict(summary.engines), "unusable": summary.unusable},
            tables=(Table("dates", dates, ()),),
            next=f"Look at it: {program()} serve {quote(str(root))}",
        )
    )
    if served and not invocation.as_json:
        run_server(invocation, port, browser)


def _simulate_plan(archive: Path, plan: DemoPlan) -> object:
    from qcbench.core.progress import progress_bar
    from qcbench.instruments import available_packs
    from qcbench.simulate import simulate as observe

    with progress_bar(plan.nights, "simulate") as advance:
        return observe(
            available_packs()[plan.instrument] / "simulate.yaml",
            archive,
            nights=plan.nights,
            start=plan.start,
            seed=plan.seed,
            window=plan.window,
            anomalies=plan.anomalies,
            progress=advance,
        )
