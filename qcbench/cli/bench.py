"""Commands that make, examine, run and show a workbench.

Stages are imported inside the commands, see `qcbench.cli.daily`.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import Any

import click

from qcbench.cli.advice import advice, after_daily
from qcbench.cli.exits import NOT_DONE
from qcbench.cli.invocation import Invocation, command, pass_invocation
from qcbench.cli.output import Answer, Table, count, program, score_text
from qcbench.cli.parameters import date_option
from qcbench.core.errors import AuditError

_DOCTOR_MARKS = {"ok": "✓", "warning": "▲", "missing": "✕"}
FOLDER = click.Path(file_okay=False, path_type=Path)


@command("init", "qcbench init my-workbench --instrument hawki", "qcbench init my-workbench --upgrade")
@click.argument("directory", metavar="[DIR]", required=False, type=FOLDER)
@click.option(
    "--upgrade", is_flag=True, help="Only bring a workbench that is there to this version of qcbench."
)
@pass_invocation
def init(invocation: Invocation, directory: Path | None, upgrade: bool) -> None:
    """Make a workbench in DIR: settings, folders, database. Without --instrument it gets all that qcbench knows.

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
    then = f"{program()} -w {quote(str(root))} auto-daily"
    todo = f"Put raw frames into {bench.settings.archive_path / 'raw'}, then: {then}"
    invocation.show(Answer(said=(said,), facts={"folder": root, "instruments": bench.instruments}, next=todo))


@command("doctor", "qcbench doctor", "qcbench doctor -w my-workbench --json")
@pass_invocation
def doctor(invocation: Invocation) -> None:
    """Check all that the workbench needs.

    Says what is missing, what then does not work, and how to get it. Ends with code 1 if something needed is missing.
    A warning is no reason to worry: another engine does the work.
    """
    from qcbench.monitors.doctor import examine
    from qcbench.processing import Pool, load_engines

    engines = load_engines()

    def problem(engine: str, recipe: str) -> str | None:
        return engines[engine].problem(recipe) if engine in engines else "there is no such engine"

    checks = examine(invocation.root, os.environ, problem, lambda settings: Pool(settings).answer())
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


@command("get-status-ab", "qcbench get-status-ab -d 2026-11-19", "qcbench get-status-ab -d today --json")
@date_option()
@pass_invocation
def get_status_ab(invocation: Invocation, date: dt.date) -> None:
    """Show the ABs of a date with their states and scores, and write the AB monitor.

    No page is written for a date that has neither frames nor ABs.
    """
    from qcbench.monitors.ab_monitor import ab_monitor, ab_rows
    from qcbench.workflow import summarize

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
    stand = [summarize(bench, name, date) for name in names]
    with_data = [item.instrument for item in stand if item.frames or item.abs]
    pages = [{"instrument": name, "page": ab_monitor(bench, name, date)} for name in with_data]
    columns = (
        "name",
        "raw_type",
        "setup",
        "completeness",
        "state",
        "exec_s",
        "score",
        "review",
        "decision",
        "note",
    )
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
    waiting = [
        {
            "instrument": item.summary.instrument,
            "date": item.summary.date,
            "ab": ab,
            "waits_for": ", ".join(roots or item.waiting[ab]),
        }
        for item in result.dates
        for ab, roots in item.waits_for.items()
    ]
    columns = tuple(rows[0]) if rows else ()
    invocation.show(
        Answer(
            tables=(
                Table("dates", rows, columns, "No date is open: there are no frames that were not worked on"),
                Table(
                    "not_usable", [{"not_usable": text} for text in result.unusable_files], ("not_usable",)
                ),
                Table("waiting", waiting, ("instrument", "date", "ab", "waits_for")),
                Table("problems", problems, ("instrument", "date", "problem")),
                Table("audit", [{"audit": text} for text in result.audit], ("audit",)),
            ),
            next=after_daily([item.summary for item in result.dates]),
        )
    )
    if result.audit:
        raise AuditError(
            f"{count(len(result.audit), 'difference')} between database and archive, listed above"
        )
    if problems:
        click.get_current_context().exit(NOT_DONE)


@command("serve", "qcbench serve", "qcbench serve my-workbench --port 8899 --no-browser")
@click.argument("directory", metavar="[DIR]", required=False, type=FOLDER)
@click.option(
    "--port", type=click.IntRange(1, 65535), metavar="PORT", help="Port at localhost. Without it: a free one."
)
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open a browser.")
@pass_invocation
def serve(invocation: Invocation, directory: Path | None, port: int | None, browser: bool) -> None:
    """Serve review queue, reports and monitors at localhost. Ctrl-C ends it.

    The workbench is that in DIR; without it, as all commands find it.
    """
    invocation.folder = directory or invocation.folder
    run_server(invocation, port, browser)


def run_server(invocation: Invocation, port: int | None, browser: bool) -> None:
    """Serve the workbench of a call until it is interrupted."""
    from qcbench.apps.serve import serve as run

    chosen = {} if port is None else {"port": port}
    run(invocation.open(), open_browser=browser, **chosen)
