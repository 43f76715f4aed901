"""Commands of the automatic part of the day, from headers to scores (handbook, sections 5.5.1 to 5.5.4).

Stages are imported inside the commands: `qcbench --help`, shell completion and a mistyped option must not wait the
seconds that astropy, SQLAlchemy and Bokeh take to load.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from qcbench.cli.advice import advice
from qcbench.cli.exits import NOT_DONE
from qcbench.cli.invocation import Invocation, command, pass_invocation
from qcbench.cli.output import Answer, Table, count, score_text
from qcbench.cli.parameters import RecipeParameter, ab_option, date_option, known_ab, mode_option

if TYPE_CHECKING:
    from qcbench.blocks import Mode
    from qcbench.instruments import Scalar

_ALWAYS_SHOWN = ("created", "associated", "incomplete", "waiting", "unclassified", "unsupported")
_MARKS = {0: "✓", 1: "✕", None: "–"}


@command("data-loader", "qcbench data-loader -t h -d 2026-11-19", "qcbench data-loader -t r -d yesterday")
@click.option(
    "-t", "--type", "what", type=click.Choice(["h", "r"]), required=True, help="h: headers; r: raw pixels."
)
@date_option()
@pass_invocation
def data_loader(invocation: Invocation, what: str, date: dt.date) -> None:
    """Load the headers, or the raw pixels, of a date from the archive.

    With -t h, files that are new in the archive are read once; one that can't be used is listed with the reason.
    """
    (_load_headers if what == "h" else _fetch_raw)(invocation, date)


def _load_headers(invocation: Invocation, date: dt.date) -> None:
    from qcbench.association import load_headers, scan_archive

    bench = invocation.open()
    scan = scan_archive(bench, wanted=lambda found: found == date)
    loaded = {name: load_headers(bench, name, date, scan=scan) for name in invocation.instruments(bench)}
    problems = [*scan.problems, *(text for result in loaded.values() for text in result.problems)]
    rows = [
        {"instrument": name, "date": date, "new": result.n_new, "known": result.n_known}
        for name, result in loaded.items()
    ]
    invocation.show(
        Answer(
            said=(f"{count(scan.n_new, 'file')} of {scan.n_files} in the archive new or changed",),
            facts={"n_files": scan.n_files, "n_new": scan.n_new},
            tables=(
                Table("frames", rows, ("instrument", "date", "new", "known")),
                Table("not_usable", [{"not_usable": text} for text in problems], ("not_usable",)),
            ),
            next=advice(bench, loaded, date),
        )
    )


def _fetch_raw(invocation: Invocation, date: dt.date) -> None:
    from qcbench.association import fetch_raw

    bench = invocation.open()
    names = invocation.instruments(bench)
    fetched = {name: fetch_raw(bench, name, date) for name in names}
    rows = [
        {"instrument": name, "date": date, "fetched": len(files), "folder": bench.data(name).raw(date)}
        for name, files in fetched.items()
    ]
    invocation.show(
        Answer(
            tables=(Table("raw", rows, ("instrument", "date", "fetched", "folder")),),
            next=advice(bench, names, date),
        )
    )


@command("create-report", "qcbench create-report -d 2026-11-19")
@date_option()
@pass_invocation
def create_report(invocation: Invocation, date: dt.date) -> None:
    """Write the data report of a date.

    It lists the frames with their keys, and the files that can't be used.
    """
    from qcbench.reports import data_report

    bench = invocation.open()
    names = invocation.instruments(bench)
    rows = [{"instrument": name, "date": date, "report": data_report(bench, name, date)} for name in names]
    invocation.show(
        Answer(
            tables=(Table("reports", rows, ("instrument", "date", "report")),),
            next=advice(bench, names, date),
        )
    )


@command(
    "create-ab",
    "qcbench create-ab -d 2026-11-19 -m CALIB",
    "qcbench create-ab -d today -m CALIB -i",
    "qcbench create-ab -d 2026-11-19 -m SCIENCE",
)
@date_option()
@mode_option(science=True)
@click.option(
    "-i",
    "--incremental",
    is_flag=True,
    expose_value=False,
    help="Add to the ABs that are there. That is how it always works; the option is the handbook's.",
)
@pass_invocation
def create_ab(invocation: Invocation, date: dt.date, mode: Mode) -> None:
    """Create the Association Blocks (ABs) of a date.

    Its frames are filtered, classified, grouped and associated. No AB is formed twice. A template that is still being
    taken is left for the next call, and an AB without a calibration that it needs is tried again. Science ABs take
    certified masters only; they are made to be verified and kept. auto-daily leaves them alone: create-job -m SCIENCE
    queues those of a date.
    """
    from qcbench.association import create_abs

    bench = invocation.open()
    results = {name: create_abs(bench, name, date, mode) for name in invocation.instruments(bench)}
    kinds = (
        "created",
        "associated",
        "dissolved",
        "incomplete",
        "waiting",
        "filtered",
        "unclassified",
        "unsupported",
        "late",
        "problems",
    )
    found = [
        (name, kind, item) for name, made in results.items() for kind in kinds for item in getattr(made, kind)
    ]
    counts = [
        {"instrument": name, "date": date, **{kind: len(getattr(made, kind)) for kind in kinds}}
        for name, made in results.items()
    ]
    # most nights have nothing to say of the rest
    shown = [kind for kind in kinds if kind in _ALWAYS_SHOWN or any(row[kind] for row in counts)]
    listed = [{"instrument": name, "what": kind, "name": item} for name, kind, item in found]
    invocation.show(
        Answer(
            tables=(
                Table("counts", counts, ("instrument", "date", *shown)),
                Table("items", listed, ("instrument", "what", "name")),
            ),
            next=advice(bench, results, date, created=True),
        )
    )


@command(
    "create-job",
    "qcbench create-job -d 2026-11-19 -m CALIB",
    "qcbench create-job -d 2026-11-19 -m CALIB --run",
    "qcbench create-job -d 2026-11-19 -m SCIENCE --run",
)
@date_option()
@mode_option(science=True)
@click.option("--run", is_flag=True, help="Run the job now: process, measure, score and report each AB.")
@pass_invocation
def create_job(invocation: Invocation, date: dt.date, mode: Mode, run: bool) -> None:
    """Queue the complete ABs of a date and write the job file.

    An AB waits for the ABs that make its virtual calibrations. With --run, an AB that fails does not end the job.
    Science ABs, made by create-ab -m SCIENCE, are processed with certified masters.
    """
    from qcbench.processing import create_job as make_job
    from qcbench.processing import recover_interrupted
    from qcbench.workbench import prepare_tables
    from qcbench.workflow import run_job

    bench = invocation.open()
    recover_interrupted(bench)
    if run:
        prepare_tables(bench)
    names = invocation.instruments(bench)
    rows, abs_ = [], []
    for name in names:
        job = make_job(bench, name, date, mode)
        row = {"instrument": name, "date": date, "queued": len(job.queued), "job": job.file}
        abs_ += [{"instrument": name, "ab": ab} for ab in job.queued]
        if run:
            cascade = run_job(bench, name, date, mode)
            row |= {"done": len(cascade.done), "failed": len(cascade.failed), "waiting": len(cascade.waiting)}
        rows.append(row)
    columns = ("instrument", "date", "queued", *(("done", "failed", "waiting") if run else ("job",)))
    shown = () if run else ("instrument", "ab")
    invocation.show(
        Answer(
            tables=(Table("jobs", rows, columns), Table("abs", abs_, shown)), next=advice(bench, names, date)
        )
    )


@command(
    "process-ab",
    "qcbench process-ab -a HAWKI.2026-11-19T10:31:05.120_tpl",
    "qcbench process-ab -a HAWKI.2026-11-19T10:31:05.120_tpl --again -p stack.method=median",
)
@ab_option()
@click.option("--again", is_flag=True, help="Process a failed AB once more.")
@click.option(
    "-p",
    "--parameter",
    "parameters",
    type=RecipeParameter(),
    multiple=True,
    help="Parameter of the recipe, NAME=VALUE, for this AB alone and from now on; NAME= takes it back.",
)
@pass_invocation
def process_ab(
    invocation: Invocation, ab: str, again: bool, parameters: tuple[tuple[str, Scalar | None], ...]
) -> None:
    """Process an AB: fetch its frames, check them, run its recipe.

    An AB that fails keeps the reason and its log, and the command ends with code 20.
    """
    from qcbench.processing import process_ab as process
    from qcbench.processing import recover_interrupted

    bench = invocation.open()
    known_ab(bench, ab)
    recover_interrupted(bench)
    result = process(bench, ab, again=again, parameters=dict(parameters))
    if result.ok:
        said = f"{ab}: processed by {result.engine} in {result.seconds:.1f} s"
        todo = f"Measure and score it: qcbench process-qc -a {ab}"
    else:
        said = f"{ab}: failed: {result.reason}"
        todo = f"See its log and decide: qcbench serve; or try once more: qcbench process-ab -a {ab} --again"
    invocation.show(Answer(said=(said,), facts=asdict(result), next=todo))
    if not result.ok:
        click.get_current_context().exit(NOT_DONE)


@command(
    "process-job",
    "qcbench process-job -a HAWKI.2026-11-19T10:31:05.120_tpl -a HAWKI.2026-11-19T10:40:11.003_tpl",
)
@ab_option(multiple=True)
@click.option("--recipe/--no-recipe", "with_recipe", default=True, help="Process the ABs.")
@click.option("--qc/--no-qc", "with_qc", default=True, help="Measure, score and report what is processed.")
@pass_invocation
def process_job(invocation: Invocation, ab: tuple[str, ...], with_recipe: bool, with_qc: bool) -> None:
    """Process and measure ABs as a job of a pool: what an earlier start of it has done is kept.

    An AB that fails keeps the reason, one that waits stays in the queue. Code 20 says that the machine was at fault,
    and that the same job, started again, may do better. An AB of a host that is gone is taken up, too.
    """
    from qcbench.workflow import run_pool_job

    bench = invocation.open()
    blocks = [known_ab(bench, name) for name in ab]
    problems = run_pool_job(bench, ab, with_recipe=with_recipe, with_qc=with_qc)
    todo = advice(bench, (blocks[0].instrument,), blocks[0].dfo_date)
    invocation.show(Answer(said=tuple(problems), facts={"abs": ab, "problems": problems}, next=todo))
    if problems:
        click.get_current_context().exit(NOT_DONE)


@command("process-qc", "qcbench process-qc -a HAWKI.2026-11-19T10:31:05.120_tpl")
@ab_option()
@pass_invocation
def process_qc(invocation: Invocation, ab: str) -> None:
    """Measure a processed AB, score it, and make its QC report."""
    from qcbench.processing import remove_raw_of
    from qcbench.reports import process_qc as run_qc
    from qcbench.workbench import prepare_tables

    bench = invocation.open()
    # a pack may have got tables and columns since
    prepare_tables(bench)
    block = known_ab(bench, ab)
    result = run_qc(bench, ab)
    remove_raw_of(bench, block.name)
    said = [f"{ab}: {result.state}, score {result.score}"]
    said += [f"Report: {result.report}"] if result.report else []
    said += [f"Problem: {result.problem}"] if result.problem else []
    todo = advice(bench, (block.instrument,), block.dfo_date)
    invocation.show(Answer(said=tuple(said), facts=asdict(result), next=todo))
    if result.problem:
        click.get_current_context().exit(NOT_DONE)


@command("score-qc", "qcbench score-qc -a HAWKI.2026-11-19T10:31:05.120_tpl")
@ab_option()
@pass_invocation
def score_qc(invocation: Invocation, ab: str) -> None:
    """Score the stored QC parameters of an AB again.

    The thresholds of its date count; nothing is processed again.
    """
    from qcbench.reports import score_ab
    from qcbench.store.queries import find_ab

    bench = invocation.open()
    score = score_ab(bench, ab)
    with bench.store.read() as session:
        block = find_ab(session, ab, whole=True)
    rows = [
        {
            "table": item.qc1_table,
            "parameter": item.parameter,
            "detector": item.detector,
            "value": item.value,
            "unit": item.unit,
            "low": item.low,
            "high": item.high,
            "verdict": item.verdict,
            "score": _MARKS[item.verdict],
            "why": item.why,
        }
        for item in sorted(block.scores, key=lambda item: (-(item.verdict or 0), item.id))
    ]
    columns = ("table", "parameter", "detector", "value", "unit", "low", "high", "score")
    invocation.show(
        Answer(
            said=(f"{block.name}: {score_text(score.n_red, score.n_scored)}",),
            facts={"ab": block.name, "n_red": score.n_red, "n_scored": score.n_scored},
            tables=(Table("scores", rows, columns, "No QC parameter is stored"),),
            next=advice(bench, (block.instrument,), block.dfo_date),
        )
    )
