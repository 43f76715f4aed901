"""Commands that make, examine, fill and show a workbench.

Stages are imported inside the commands, see `qcbench.cli.daily`.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qcbench.cli.advice import advice, review_line
from qcbench.cli.exits import NOT_DONE
from qcbench.cli.invocation import Invocation, command, pass_invocation
from qcbench.cli.output import Answer, Table, count, score_text
from qcbench.cli.parameters import DfoDate, date_option
from qcbench.core.errors import AuditError

if TYPE_CHECKING:
    from qcbench.workflow.demo import DemoPlan

DEMO_FOLDER = Path("demo-workbench")
_DOCTOR_MARKS = {"ok": "✓", "warning": "▲", "missing": "✕"}
_FOLDER = click.Path(file_okay=False, path_type=Path)


@command("init", "qcbench init my-workbench --instrument hawki", "qcbench init my-workbench --upgrade")
@click.argument("directory", metavar="[DIR]", required=False, type=_FOLDER)
@click.option(
    "--upgrade", is_flag=True, help="Only bring a workbench that is there to this version of qcbench."
)
@pass_invocation
def init(invocation: Invocation, directory: Path | None, upgrade: bool) -> None:
    """Make a workbench: settings, folders, database. Without --instrument it gets all that qcbench knows.

    What is there is kept: settings are never overwritten, missing folders, tables and columns are added.
    """
    from qcbench.instruments import available_packs
    from qcbench.workbench import make_workbench

    invocation.folder = directory or invocation.folder
    if upgrade:
        invocation.settings()
    elif invocation.folder is None:
        raise click.UsageError("Missing argument 'DIR'. Say in which folder the workbench is to be made")
    root = invocation.root.absolute()
    is_new = not (root / "qcbench.toml").exists()
    names = invocation.named or (tuple(available_packs()) if is_new else ())
    bench = invocation.keep(make_workbench(root, names, os.environ))
    said = f"{root}: workbench of {', '.join(bench.instruments)}"
    todo = f"Put raw frames into {bench.settings.archive_path / 'raw'}, then: qcbench -w {root} auto-daily"
    invocation.show(Answer(said=(said,), facts={"folder": root, "instruments": bench.instruments}, next=todo))


@command("doctor", "qcbench doctor", "qcbench doctor -w my-workbench --json")
@pass_invocation
def doctor(invocation: Invocation) -> None:
    """Check all that the workbench needs.

    Says what is missing, what then does not work, and how to get it. Ends with code 1 if something needed is missing.
    A warning is no reason to worry: another engine does the work.
    """
    from qcbench.monitors.doctor import examine
    from qcbench.processing import load_engines

    engines = load_engines()

    def problem(engine: str, recipe: str) -> str | None:
        return engines[engine].problem(recipe) if engine in engines else "there is no such engine"

    checks = examine(invocation.root, os.environ, problem)
    missing = [check for check in checks if check.status == "missing"]
    rows = [{"mark": _DOCTOR_MARKS[check.status], **asdict(check)} for check in checks]
    hints = [row for row in rows if row["status"] != "ok"]
    todo = "All that is needed is there: qcbench auto-daily"
    if missing:
        todo = f"{count(len(missing), 'thing')} missing; the column remedy says how to get it"
    invocation.show(
        Answer(
            tables=(
                Table("checks", rows, ("mark", "name", "found")),
                Table("hints", hints, ("mark", "name", "without", "remedy")),
            ),
            next=todo,
        )
    )
    if missing:
        click.get_current_context().exit(1)


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
    "--anomalies",
    multiple=True,
    metavar="NAME[:NIGHT[:TEMPLATE]]",
    help="Something that goes wrong, counted from 1; can be given again, or several with commas. "
    "An unknown name lists those that there are.",
)
@click.option(
    "--archive", type=_FOLDER, metavar="DIR", help="Folder of the archive; without it that of the workbench."
)
@pass_invocation
def simulate(
    invocation: Invocation,
    nights: int,
    start: dt.date,
    seed: int,
    window: int | None,
    anomalies: Sequence[str],
    archive: Path | None,
) -> None:
    """Put the raw frames of simulated nights into an archive.

    The truth behind them is written beside the archive.
    """
    from qcbench.core.paths import WorkbenchTree
    from qcbench.core.progress import progress_bar
    from qcbench.instruments import available_packs
    from qcbench.simulate import simulate as observe

    if archive is None:
        settings = invocation.settings()
        archive, site = settings.archive_path, WorkbenchTree(settings.root).config
        names = invocation.named or settings.workbench.instruments
    else:
        names, site = invocation.named, None
    if not names:
        raise click.UsageError("--instrument NAME is needed with --archive")
    packs = available_packs(site)
    unknown = [name for name in names if name not in packs]
    if unknown:
        raise click.UsageError(f"there is no instrument '{unknown[0]}'; there is {', '.join(packs)}")
    wanted = [part for text in anomalies for part in text.split(",")]
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


@command("get-status-ab", "qcbench get-status-ab -d 2026-11-19", "qcbench get-status-ab -d today --json")
@date_option()
@pass_invocation
def get_status_ab(invocation: Invocation, date: dt.date) -> None:
    """Show the ABs of a date with their states and scores, and write the AB monitor."""
    from qcbench.monitors.ab_monitor import ab_monitor, ab_rows

    bench = invocation.open()
    names = invocation.instruments(bench)
    rows = []
    for name in names:
        for item in ab_rows(bench, name, date):
            score = score_text(item.n_red, item.n_scored, failed=item.state == "failed")
            note = item.reason or ("lacks " + ", ".join(item.missing) if item.missing else item.comment)
            rows.append(
                {"instrument": name, **asdict(item), "score": score, "exec_s": item.t_exec, "note": note}
            )
    pages = [{"instrument": name, "page": ab_monitor(bench, name, date)} for name in names]
    columns = ("name", "raw_type", "setup", "completeness", "state", "exec_s", "score", "review", "decision", "note")
    invocation.show(
        Answer(
            tables=(
                Table("abs", rows, columns, f"No ABs of {date}"),
                Table("monitors", pages, ("instrument", "page")),
            ),
            next=advice(bench, names, date),
        )
    )


@command(
    "auto-daily",
    "qcbench auto-daily",
    "qcbench auto-daily --through ingested -d 2026-11-19",
    "qcbench auto-daily --json",
)
@date_option(
    "Work on this DFO date alone; can be given again. Without it: all open dates.",
    required=False,
    multiple=True,
)
@click.option(
    "--through",
    type=click.Choice(["scored", "certified", "ingested"]),
    help="How far to go. Without it: as [auto_daily] through in the settings says.",
)
@pass_invocation
def auto_daily(invocation: Invocation, date: Sequence[dt.date], through: Any) -> None:
    """Run the automatic part of the day: from new frames to scored ABs, or further.

    Made to be called every hour by cron: it goes on where it was, and a younger call gives way to an older one. An AB
    that fails is listed and does not end the run.
    """
    from qcbench.workflow import auto_daily as run

    bench = invocation.open()
    names = invocation.instruments(bench)
    result = run(bench, instruments=names, dates=date or None, through=through)
    rows = [item.summary.as_dict() for item in result.dates]
    problems = [
        {"instrument": item.summary.instrument, "date": item.summary.date, "problem": text}
        for item in result.dates
        for text in item.problems
    ]
    columns = tuple(rows[0]) if rows else ()
    waiting = sum(item.summary.to_review for item in result.dates)
    invocation.show(
        Answer(
            tables=(
                Table("dates", rows, columns, "No date is open: there are no frames that were not worked on"),
                Table(
                    "not_usable", [{"not_usable": text} for text in result.unusable_files], ("not_usable",)
                ),
                Table("problems", problems, ("instrument", "date", "problem")),
                Table("audit", [{"audit": text} for text in result.audit], ("audit",)),
            ),
            next=_after_daily(
                waiting, [item.summary.date for item in result.dates if item.summary.to_review]
            ),
        )
    )
    if result.audit:
        raise AuditError(
            f"{count(len(result.audit), 'difference')} between database and archive, listed above"
        )
    if problems:
        click.get_current_context().exit(NOT_DONE)


def _after_daily(waiting: int, dates: Sequence[dt.date]) -> str:
    return review_line(waiting, dates[0] if len(set(dates)) == 1 else None)


@command("serve", "qcbench serve", "qcbench serve my-workbench --port 8899 --no-browser")
@click.argument("directory", metavar="[DIR]", required=False, type=_FOLDER)
@click.option(
    "--port", type=click.IntRange(1, 65535), metavar="PORT", help="Port at localhost. Without it: a free one."
)
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open a browser.")
@pass_invocation
def serve(invocation: Invocation, directory: Path | None, port: int | None, browser: bool) -> None:
    """Serve review queue, reports and monitors at localhost. Ctrl-C ends it."""
    invocation.folder = directory or invocation.folder
    _serve(invocation, port, browser)


def _serve(invocation: Invocation, port: int | None, browser: bool) -> None:
    from qcbench.apps.serve import serve as run

    chosen = {} if port is None else {"port": port}
    run(invocation.open(), open_browser=browser, **chosen)


@command("demo", "qcbench demo", "qcbench demo my-demo --window 128 --no-serve")
@click.argument("directory", metavar="[DIR]", required=False, type=_FOLDER)
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

    Makes a workbench in DIR (demo-workbench).     Called again on the same folder, it goes on where it was.
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
            next=f"Look at it: qcbench serve {root}",
        )
    )
    if served and not invocation.as_json:
        _serve(invocation, port, browser)


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
