"""Commands of the person's part and of what follows it, from certification to the end of the night.

Source: QC handbook, sections 5.5.5 to 5.5.7. Stages are imported inside the commands, see `qcbench.cli.daily`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from qcbench.cli.advice import advice, before_distribution, review_line
from qcbench.cli.exits import NOT_DONE
from qcbench.cli.invocation import Invocation, command, pass_invocation
from qcbench.cli.output import Answer, Table, score_text
from qcbench.cli.parameters import ABName, date_option, known_ab, mode_option
from qcbench.core.errors import AuditError, DecisionError, NotFoundError

if TYPE_CHECKING:
    from qcbench.workbench import Workbench


@command(
    "certify-products",
    "qcbench certify-products -d 2026-11-19 -m CALIB",
    "qcbench certify-products -d 2026-11-19 -m CALIB --list",
    "qcbench certify-products --certify HAWKI.2026-11-19T10:31:05.120_tpl --comment 'drawn for the sample, is fine'",
    "qcbench certify-products --reject HAWKI.2026-11-19T10:31:05.120_tpl --comment 'lamp was off' --scope raw",
)
@date_option(required=False)
@mode_option()
@click.option("--list", "listed", is_flag=True, help="List what waits for a person, of all dates without -d.")
@click.option(
    "--certify", type=ABName(), multiple=True, metavar="AB", help="Certify this AB; can be given again."
)
@click.option(
    "--reject", type=ABName(), multiple=True, metavar="AB", help="Reject this AB; can be given again."
)
@click.option("--comment", default="", metavar="TEXT", help="Why; needed for a rejection and for a red AB.")
@click.option(
    "--scope",
    type=click.Choice(["product", "raw"]),
    default="product",
    show_default=True,
    help="What is rejected: the products, or the raw frames too, which are then asked to be hidden.",
)
@pass_invocation
def certify_products(
    invocation: Invocation,
    date: dt.date | None,
    listed: bool,
    certify: Sequence[str],
    reject: Sequence[str],
    comment: str,
    scope: str,
) -> None:
    """Certify the green ABs of a date, or decide on single ABs.

    Without --list, --certify and --reject, ABs whose scores are all green are certified, but for those that are
    drawn for the sample; the others are marked for review. Decisions carry the name of the user who runs the command.
    """
    if sum(map(bool, (listed, certify, reject))) > 1:
        raise click.UsageError("--list, --certify and --reject do not go together: call once for each")
    if certify or reject:
        _decide(invocation, certify or reject, "certified" if certify else "rejected", comment, scope)
    elif listed:
        _list(invocation, date)
    elif date is None:
        raise click.UsageError("-d DATE is needed to certify a date; --list lists what waits of all dates")
    else:
        _certify(invocation, date)


def _certify(invocation: Invocation, date: dt.date) -> None:
    from qcbench.certification import certify_products as certify

    bench = invocation.open()
    results = {name: certify(bench, name, date) for name in invocation.instruments(bench)}
    counts = [
        {
            "instrument": name,
            "date": date,
            "certified": len(result.certified),
            "for_review": len(result.for_review),
            "open": len(result.open),
        }
        for name, result in results.items()
    ]
    rows = [
        *(
            {"instrument": name, "ab": ab, "what": "certified"}
            for name, r in results.items()
            for ab in r.certified
        ),
        *(
            {"instrument": name, "ab": ab, "what": f"for review: {why}"}
            for name, r in results.items()
            for ab, why in r.for_review
        ),
        *(
            {"instrument": name, "ab": ab, "what": "not scored yet"}
            for name, r in results.items()
            for ab in r.open
        ),
    ]
    invocation.show(
        Answer(
            tables=(
                Table("counts", counts, ("instrument", "date", "certified", "for_review", "open")),
                Table("abs", rows, ("instrument", "ab", "what")),
            ),
            next=advice(bench, results, date),
        )
    )


def _list(invocation: Invocation, date: dt.date | None) -> None:
    from qcbench.certification import queue

    bench = invocation.open()
    items = [item for name in invocation.instruments(bench) for item in queue(bench, name, date)]
    rows = [
        {
            "instrument": item.instrument,
            "date": item.date,
            "ab": item.ab_name,
            "raw_type": item.raw_type,
            "setup": item.setup,
            "n_red": item.score.n_red,
            "n_scored": item.score.n_scored,
            "score": score_text(item.score.n_red, item.score.n_scored, failed=item.state == "failed"),
            "tag": item.tag,
            "age": item.age,
            "why": item.why,
        }
        for item in items
    ]
    columns = ("date", "ab", "raw_type", "setup", "score", "tag", "age", "why")
    invocation.show(Answer(tables=(Table("queue", rows, columns),), next=review_line(len(items), date)))


def _decide(invocation: Invocation, abs_: Sequence[str], verdict: Any, comment: str, scope: Any) -> None:
    """Decide on ABs one by one; of several, one that is refused does not keep the others from being decided."""
    from qcbench.certification import decide, impact
    from qcbench.core.identity import current_user

    bench = invocation.open()
    decisions, refused, touched = [], [], []
    for ab in abs_:
        try:
            known_ab(bench, ab)
            users = impact(bench, ab) if verdict == "rejected" else []
            decision = decide(bench, ab, verdict, by=current_user(), comment=comment, scope=scope)
        except (DecisionError, NotFoundError) as err:
            if len(abs_) == 1:
                raise
            refused.append({"ab": ab, "refused": str(err)})
            continue
        decisions.append(
            {"ab": ab, "verdict": decision.verdict, "scope": decision.scope, "by": decision.by,
             "at": decision.at, "comment": decision.comment}
        )  # fmt: skip
        touched += [{"ab": ab, "used_by": user} for user in users]
    invocation.show(
        Answer(
            tables=(
                Table("decisions", decisions, ("ab", "verdict", "scope", "by", "at", "comment")),
                Table("refused", refused, ("ab", "refused")),
                Table("impact", touched, ("ab", "used_by")),
            ),
            next=_after_decision(bench, abs_, [str(row["ab"]) for row in decisions]),
        )
    )
    if refused:
        click.get_current_context().exit(NOT_DONE)


def _after_decision(bench: Workbench, asked: Sequence[str], decided: Sequence[str]) -> str:
    if not decided:
        return f"Nothing was decided on {len(asked)} ABs; names: qcbench certify-products --list"
    last = known_ab(bench, decided[-1])
    return advice(bench, (last.instrument,), last.dfo_date)


def _distribute(
    invocation: Invocation,
    date: dt.date,
    stage: Callable[[Workbench, str, dt.date], tuple[list[str], Iterable[tuple[str, str]]]],
    todo: str,
) -> None:
    """Run a step of the distribution for each instrument; it gives lines of what it did, and what failed and why."""
    bench = invocation.open()
    done, problems = [], []
    names = invocation.instruments(bench)
    for name in names:
        texts, failed = stage(bench, name, date)
        done += [{"instrument": name, "done": text} for text in texts]
        problems += [{"instrument": name, "ab": ab, "problem": why} for ab, why in failed]
    hint = "" if done or problems else before_distribution(bench, names, date)
    invocation.show(
        Answer(
            tables=(
                Table("done", done, ("instrument", "done"), "Nothing was left to do"),
                Table("problems", problems, ("instrument", "ab", "problem")),
            ),
            next=hint or f"{todo} -d {date} -m CALIB",
        )
    )
    if problems:
        click.get_current_context().exit(NOT_DONE)


@command("move-products", "qcbench move-products -d 2026-11-19 -m CALIB")
@date_option()
@mode_option()
@pass_invocation
def move_products(invocation: Invocation, date: dt.date) -> None:
    """Move the certified products of a date, and purge the rejected ones."""

    def stage(bench: Workbench, name: str, date: dt.date) -> tuple[list[str], Iterable[tuple[str, str]]]:
        from qcbench.distribution import move_products as move

        result = move(bench, name, date)
        texts = [*(f"{ab} moved" for ab in result.moved), *(f"{file} purged" for file in result.purged)]
        return texts, result.problems

    _distribute(invocation, date, stage, "Name them: qcbench rename-products")


@command(
    "rename-products",
    "qcbench rename-products -d 2026-11-19 -m CALIB --dry-run",
    "qcbench rename-products -d 2026-11-19 -m CALIB",
)
@date_option()
@mode_option()
@click.option("--dry-run", is_flag=True, help="Only write and show the plan.")
@pass_invocation
def rename_products(invocation: Invocation, date: dt.date, dry_run: bool) -> None:
    """Give the moved products of a date their final names."""

    def stage(bench: Workbench, name: str, date: dt.date) -> tuple[list[str], Iterable[tuple[str, str]]]:
        from qcbench.distribution import rename_products as rename

        result = rename(bench, name, date, dry_run=dry_run)
        return [str(item) for item in result.plan], result.problems

    again = "This was the plan, nothing is renamed yet: qcbench rename-products"
    _distribute(invocation, date, stage, again if dry_run else "Archive them: qcbench ingest-products")


@command("ingest-products", "qcbench ingest-products -d 2026-11-19 -m CALIB")
@date_option()
@mode_option()
@pass_invocation
def ingest_products(invocation: Invocation, date: dt.date) -> None:
    """Bring the renamed products of a date into the archive.

    What is there already is not sent again.
    """

    def stage(bench: Workbench, name: str, date: dt.date) -> tuple[list[str], Iterable[tuple[str, str]]]:
        from qcbench.distribution import ingest_products as ingest

        result = ingest(bench, name, date)
        texts = [
            *(f"{file} archived" for file in result.products),
            *(f"{ab} ingested" for ab in result.ingested),
        ]
        return texts, result.problems

    _distribute(invocation, date, stage, "Replace virtual names: qcbench update-ab")


@command("update-ab", "qcbench update-ab -d 2026-11-19 -m CALIB")
@date_option()
@mode_option()
@pass_invocation
def update_ab(invocation: Invocation, date: dt.date) -> None:
    """Replace the virtual calibrations in the ABs of a date by the certified ones."""
    from qcbench.distribution import update_abs

    bench = invocation.open()
    results = {name: update_abs(bench, name, date) for name in invocation.instruments(bench)}
    rows = [
        *(
            {"instrument": name, "ab": ab, "calibrations": "real"}
            for name, r in results.items()
            for ab in r.updated
        ),
        *(
            {"instrument": name, "ab": ab, "calibrations": "some are virtual"}
            for name, r in results.items()
            for ab in r.virtual
        ),
    ]
    table = Table("abs", rows, ("instrument", "ab", "calibrations"), "Nothing was left to update")
    invocation.show(Answer(tables=(table,), next=advice(bench, results, date)))


@command("finish-night", "qcbench finish-night -d 2026-11-19", "qcbench finish-night -d 2026-11-19 -c")
@date_option()
@click.option(
    "-c", "--cleanup-only", is_flag=True, help="Only remove what is left over; the date stays open."
)
@pass_invocation
def finish_night(invocation: Invocation, date: dt.date, cleanup_only: bool) -> None:
    """Finish a date: purge its certification area and count its ABs.

    Nothing is deleted while an AB is open, undecided or not archived: then it is said what waits for whom.
    """
    from qcbench.distribution import finish_night as finish

    bench = invocation.open()
    results = {
        name: finish(bench, name, date, cleanup_only=cleanup_only) for name in invocation.instruments(bench)
    }
    rows = [
        {
            "instrument": name,
            "date": date,
            "finished": result.finished,
            "deleted_files": result.deleted,
            "statistics": result.statistics.text if result.statistics else "",
        }
        for name, result in results.items()
    ]
    waiting = [{"instrument": name, "waiting": text} for name, r in results.items() for text in r.waiting]
    finished = all(result.finished for result in results.values())
    invocation.show(
        Answer(
            tables=(
                Table("nights", rows, ("instrument", "date", "finished", "deleted_files", "statistics")),
                Table("waiting", waiting, ("instrument", "waiting")),
            ),
            next="Compare archive and database: qcbench audit" if finished else advice(bench, results, date),
        )
    )
    if not finished and not cleanup_only:
        click.get_current_context().exit(NOT_DONE)


@command("audit", "qcbench audit", "qcbench audit -d 2026-11-19 --json")
@date_option("Audit this DFO date alone.", required=False)
@pass_invocation
def audit(invocation: Invocation, date: dt.date | None) -> None:
    """Compare what the database says was archived with the bytes that the archive holds."""
    from qcbench.distribution import audit as compare

    bench = invocation.open()
    scopes = invocation.instruments(bench) if invocation.named else (None,)
    differences = [text for name in scopes for text in compare(bench, name, date)]
    rows = [{"difference": text} for text in differences]
    todo = "Mend each difference, then call qcbench audit again" if differences else "Nothing is to be done"
    table = Table("differences", rows, ("difference",), "Archive and database agree")
    invocation.show(Answer(tables=(table,), next=todo))
    if differences:
        raise AuditError(
            f"{len(differences)} differences between database and archive; they are listed above"
        )
