"""The check of science ABs against calSelector (QC handbook, sections 5.5.6 and 5.7.4).

Stages are imported inside the command, see `qcbench.cli.daily`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from qcbench.cli.calsel import FILE, instrument_option, one_instrument
from qcbench.cli.exits import DIFFERENT, NOT_DONE
from qcbench.cli.invocation import Invocation, command, pass_invocation
from qcbench.cli.output import Answer, Table, count
from qcbench.cli.parameters import date_option

if TYPE_CHECKING:
    from qcbench.association.calselector import Difference
    from qcbench.association.verify import Verified, VerifyResult


@command(
    "verify-ab",
    "qcbench verify-ab -d 2026-11-19",
    "qcbench verify-ab -d 2026-11-19 -R --answers eso-answers",
    "qcbench verify-ab -f HAWKI.2026-11-19T23:40:11.000",
    "qcbench verify-ab --answers old.xml --against new.xml --limits BIAS=5 --limits FLAT_SKY=14",
)
@date_option(required=False)
@click.option("-f", "--file", "arcfile", metavar="ARCFILE", help="Only the AB of this science frame.")
@click.option("-R", "--raw2raw", is_flag=True, help="Compare raw files. Without it: certified masters.")
@click.option(
    "--answers",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="XML file of the archive's service, or a folder of such files. Without it: our own service is asked.",
)
@click.option("--against", type=FILE, metavar="FILE", help="Compare two trees: --answers FILE with this one.")
@click.option(
    "--limits",
    multiple=True,
    metavar="CATEGORY=DAYS",
    help="With --against: how far files of a category within the calibration plan may lie; can be given again.",
)
@instrument_option
@pass_invocation
def verify_ab(
    invocation: Invocation,
    date: dt.date | None,
    arcfile: str | None,
    raw2raw: bool,
    answers: Path | None,
    against: Path | None,
    limits: Sequence[str],
    instrument: str | None,
) -> None:
    """Compare the science ABs of a date with the answers of calSelector: names, validity, completeness.

    The ABs are those of qcbench create-ab -m SCIENCE. The differences of a date are also written into a file in its
    folder of logs. For developers of rules, --against compares two trees; it needs no workbench.

    If there are differences, the command ends with code 21; if an AB or a file of the answers could not be compared,
    with code 20.
    """
    if against is not None:
        if answers is None or date or arcfile:
            raise click.UsageError("--against FILE needs --answers FILE, and neither -d nor -f")
        _compare_files(invocation, answers, against, _limits(limits))
        return
    if limits:
        raise click.UsageError("--limits is for --against")
    if (date is None) == (arcfile is None):
        raise click.UsageError("give -d DATE or -f ARCFILE, or two trees: --answers FILE --against FILE")
    _verify(invocation, date, arcfile, "raw2raw" if raw2raw else "raw2master", answers, instrument)


def _verify(
    invocation: Invocation,
    date: dt.date | None,
    arcfile: str | None,
    mode: Literal["raw2raw", "raw2master"],
    answers: Path | None,
    instrument: str | None,
) -> None:
    from qcbench.association.verify import verify_abs, verify_frame

    bench = invocation.open()
    if date is None:
        results = [verify_frame(bench, str(arcfile), mode, answers=answers)]
    else:
        one = (
            (one_instrument(invocation, bench, instrument),) if instrument else invocation.instruments(bench)
        )
        results = [verify_abs(bench, name, date, mode, answers=answers) for name in one]
    _show_verified(invocation, results, mode)


def _show_verified(invocation: Invocation, results: Sequence[VerifyResult], mode: str) -> None:
    found = [item for result in results for item in result.abs]
    different = sum(result.n_different for result in results)
    left = sum(result.n_not_compared for result in results)
    unreadable = dict(item for result in results for item in result.unreadable)
    rows = [
        {
            "ab": item.ab,
            "result": "not compared" if item.problem else count(len(item.differences), "difference"),
            "compared_with": item.source,
            "problem": item.problem,
        }
        for item in found
    ]
    files = [result.diff for result in results if result.diff]
    said = f"{count(len(found), 'science AB')} ({mode}): {different} with differences, {left} not compared"
    if unreadable:
        said += f"; {count(len(unreadable), 'answer')} could not be compared"
    if not found and results:
        date = results[0].date
        said = f"There are no science ABs of {date}. Create them: qcbench create-ab -d {date} -m SCIENCE"
    invocation.show(
        Answer(
            said=(said, *_about_differences(results, files)),
            facts={"files": files, "mode": mode},
            tables=(
                Table("abs", rows, ("ab", "result", "compared_with", "problem")),
                Table(
                    "unreadable",
                    [{"answer": file, "problem": why} for file, why in unreadable.items()],
                    ("answer", "problem"),
                ),
                _differences_table([(item.ab, one) for item in found for one in item.differences]),
            ),
            next=_next(found),
        )
    )
    if different or left or unreadable:
        click.get_current_context().exit(DIFFERENT if different else NOT_DONE)


def _about_differences(results: Sequence[VerifyResult], files: Sequence[Path]) -> tuple[str, ...]:
    if not any(result.n_different for result in results):
        return ()
    return (
        'Below, "here" is the AB and "there" is calSelector',
        *(f"The same is in {file}" for file in files),
    )


def _next(found: Sequence[Verified]) -> str:
    different = next((item.ab for item in found if item.differences), None)
    return f"See why an AB has its calibrations: qcbench explain-ab {different}" if different else ""


def _compare_files(invocation: Invocation, ours: Path, theirs: Path, limits: dict[str, float]) -> None:
    from qcbench.association.calselector import compare_trees, read_tree, too_old

    mine = read_tree(ours)
    found = (*compare_trees(mine, read_tree(theirs)), *too_old(mine, limits))
    invocation.show(
        Answer(
            said=(f"{ours} (ours) and {theirs} (theirs): {count(len(found), 'difference')}",),
            tables=(_differences_table([("", item) for item in found]),),
            next="",
        )
    )
    if found:
        click.get_current_context().exit(DIFFERENT)


def _differences_table(found: Sequence[tuple[str, Difference]]) -> Table:
    rows = [
        {"ab": ab, "kind": item.kind, "where": "/".join(item.path), "difference": item.text, **asdict(item)}
        for ab, item in found
    ]
    columns = (
        ("ab", "kind", "where", "difference")
        if any(ab for ab, _ in found)
        else ("kind", "where", "difference")
    )
    return Table("differences", rows, columns)


def _limits(given: Sequence[str]) -> dict[str, float]:
    limits = {}
    for text in given:
        category, _, days = text.partition("=")
        try:
            limits[category] = float(days)
        except ValueError as err:
            raise click.UsageError(f"--limits {text}: expected CATEGORY=DAYS, such as BIAS=5") from err
    return limits
