"""The command that accounts for every file and every AB."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import click

from qcbench.cli.exits import NOT_DONE
from qcbench.cli.invocation import Invocation, command, pass_invocation
from qcbench.cli.output import Answer, Row, Table
from qcbench.cli.parameters import date_option


@command(
    "account", "qcbench account", "qcbench account -d 2026-11-18 -d 2026-11-19 --instrument hawki --json"
)
@date_option("DFO date; can be given again. Without it: all dates.", required=False, multiple=True)
@pass_invocation
def account(invocation: Invocation, date: Sequence[dt.date]) -> None:
    """Account for every file of the archive and every calibration AB.

    ABs that were created have succeeded, have failed for a reason, or wait for something that is named; files are
    unusable, in an AB, or in none for a reason. Ends with code 20 if anything is unaccounted for.
    """
    from qcbench.workflow import account as account_for

    bench = invocation.open()
    files: list[Row] = []
    blocks: list[Row] = []
    failures: list[Row] = []
    waiting: list[Row] = []
    others: list[Row] = []
    for name in invocation.instruments(bench):
        of_files, of_abs = account_for(bench, name, list(date) or None)
        files.append(
            {
                "instrument": name,
                "files": of_files.files,
                "unusable": of_files.unusable,
                "in_abs": of_files.in_abs,
                "in_none": of_files.others.total(),
                "unaccounted": of_files.missing,
            }
        )
        blocks.append(
            {
                "instrument": name,
                "created": of_abs.created,
                "succeeded": of_abs.succeeded,
                "failed": of_abs.failures.total(),
                "waiting": len(of_abs.waiting),
                "listed_only": of_abs.listed_only,
                "unaccounted": of_abs.missing,
            }
        )
        own: Row = {"instrument": name}
        failures += [{**own, "abs": n, "failed": why} for why, n in of_abs.failures.most_common()]
        waiting += [{**own, "ab": ab, "waiting": why} for ab, why in of_abs.waiting.items()]
        others += [{**own, "files": n, "in_no_ab": why} for why, n in of_files.others.most_common()]
    is_complete = not any(row["unaccounted"] for row in (*files, *blocks))
    invocation.show(
        Answer(
            tables=(
                Table("abs", blocks, tuple(blocks[0]) if blocks else ()),
                Table("failures", failures, ("instrument", "abs", "failed")),
                Table("waiting", waiting, ("instrument", "ab", "waiting")),
                Table("files", files, tuple(files[0]) if files else ()),
                Table("others", others, ("instrument", "files", "in_no_ab")),
            ),
            next="Nothing is unaccounted for"
            if is_complete
            else "Something is unaccounted for: call qcbench auto-daily, then qcbench account again",
        )
    )
    if not is_complete:
        click.get_current_context().exit(NOT_DONE)
