"""Commands of calSelector: its rule sets and its answers.

Source: QC handbook, section 5.7.4. Stages are imported inside the commands, see `qcbench.cli.daily`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from qcbench.cli.exits import NOT_DONE
from qcbench.cli.invocation import Invocation, command, command_family, pass_invocation
from qcbench.cli.output import Answer, Table, count
from qcbench.cli.parameters import DfoDate

if TYPE_CHECKING:
    from qcbench.association.calselector import Answer as CalSelAnswer
    from qcbench.association.calselector import KnownRules
    from qcbench.workbench import Workbench

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
_COLUMNS = ("id", "instrument", "from", "to", "now", "used", "data_sets", "source", "added", "by")
instrument_option = click.option(
    "-i", "instrument", metavar="NAME", help="Instrument; not needed where the workbench has one only."
)


@command(
    "ingest",
    "qcbench calsel-manager ingest rules.oca -i hawki --from 2026-11-01",
    "qcbench calsel-manager ingest rules.oca -i hawki --from 2026-04-01 --to 2026-10-31",
    "qcbench calsel-manager ingest -i hawki --from 2026-11-01",
)
@click.argument("file", type=FILE, required=False)
@instrument_option
@click.option(
    "--from",
    "valid_from",
    type=DfoDate(),
    required=True,
    metavar="DATE",
    help="First DFO date on which it holds.",
)
@click.option(
    "--to",
    "valid_to",
    type=DfoDate(),
    metavar="DATE",
    help="Last date. Without it: until the next set starts.",
)
@pass_invocation
def ingest(
    invocation: Invocation,
    file: Path | None,
    instrument: str | None,
    valid_from: dt.date,
    valid_to: dt.date | None,
) -> None:
    """Put a set of calSelector rules into the database, with the dates on which it is in force.

    Without FILE, the rules of the instrument's pack are taken. Includes and macros are carried out first, so that the
    set is whole by itself; rules that can't work are refused. Then the frames of the database are grouped into
    virtual data sets.

    A set is in force until the next one starts, or until its own last date. On dates of which a frame was answered
    already, no other set can come into force. A call that was interrupted can be given again.
    """
    from qcbench.association.calselector import list_rules, read_rules, refresh, store_rules

    bench = invocation.open()
    name = one_instrument(invocation, bench, instrument)
    new = read_rules(bench.pack(name), file)
    number = store_rules(bench, name, new, valid_from, valid_to)
    refresh(bench, number)
    (known,) = [item for item in list_rules(bench, [name]) if item.id == number]
    warnings = tuple(f"▲ {item.source}:{item.line}: {item.text}; {item.remedy}" for item in new.findings)
    said = (
        f"Rule set {number} of {name} ({known.source}) is in force from {_range(known)}; "
        f"{count(known.n_datasets, 'virtual data set')}",
        *warnings,
    )
    invocation.show(
        Answer(
            said=said,
            facts={**_row(known, valid_from), "warnings": warnings},
            next="Ask it: qcbench calselector ARCFILE",
        )
    )


@command("list", "qcbench calsel-manager list", "qcbench calsel-manager list -i hawki --on 2026-11-19")
@instrument_option
@click.option(
    "--on", type=DfoDate(), metavar="DATE", help="Mark the set in force on this date. Without it: today."
)
@pass_invocation
def list_sets(invocation: Invocation, instrument: str | None, on: dt.date | None) -> None:
    """List the rule sets with their dates, which one is in force, and whether it was used.

    A set that was used can't be deleted, and no other one can take its place on the dates of its answers.
    """
    from qcbench.association.calselector import list_rules
    from qcbench.core.dates import dfo_date, mjd_of, utc_now

    bench = invocation.open()
    date = on or dfo_date(mjd_of(utc_now()), bench.settings.site.start_hour)
    names = [one_instrument(invocation, bench, instrument)] if instrument else invocation.instruments(bench)
    sets = list_rules(bench, names)
    without = [
        name for name in names if not any(item.instrument == name and item.holds_on(date) for item in sets)
    ]
    invocation.show(
        Answer(
            tables=(
                Table(
                    "rule_sets", [_row(item, date) for item in sets], _COLUMNS, "There are no rule sets yet."
                ),
            ),
            facts={"on": date},
            next="\n".join(
                f"On {date} none is in force for {name}: qcbench calsel-manager ingest [FILE] -i {name} --from DATE"
                for name in without
            ),
        )
    )


@command(
    "download",
    "qcbench calsel-manager download 3 -o rules.oca",
    "qcbench calsel-manager download --on 2026-11-19 -i hawki",
)
@click.argument("number", type=int, required=False, metavar="[ID]")
@click.option("--on", type=DfoDate(), metavar="DATE", help="The set that is in force on this date.")
@instrument_option
@click.option("-o", "--output", type=FILE, metavar="FILE", help="Write it there. Without it: print it.")
@pass_invocation
def download(
    invocation: Invocation,
    number: int | None,
    on: dt.date | None,
    instrument: str | None,
    output: Path | None,
) -> None:
    """Give the text of a rule set, byte by byte as it was ingested (with includes and macros carried out)."""
    from qcbench.association.calselector import download_rules, rules_on
    from qcbench.core.files import write_bytes

    if (number is None) == (on is None):
        raise click.UsageError("give the ID of a rule set, or --on DATE")
    bench = invocation.open()
    if on is not None:
        name = one_instrument(invocation, bench, instrument)
        with bench.store.read() as session:
            number = rules_on(session, name, on).id
    content = download_rules(bench, int(number or 0)).encode()
    if output:
        write_bytes(output, content)
        invocation.show(Answer(said=(f"Rule set {number} is in {output}",), facts={"file": output}, next=""))
    elif invocation.as_json:
        invocation.show(Answer(facts={"id": number, "rules": content.decode()}, next=""))
    else:
        click.echo(content, nl=False)


@command("delete", "qcbench calsel-manager delete 3")
@click.argument("number", type=int, metavar="ID")
@pass_invocation
def delete(invocation: Invocation, number: int) -> None:
    """Delete a rule set that was never used; its virtual data sets go with it."""
    from qcbench.association.calselector import delete_rules

    bench = invocation.open()
    known = delete_rules(bench, number)
    invocation.show(
        Answer(
            said=(f"Rule set {number} of {known.instrument} ({known.source}) is deleted",),
            facts={"id": number},
            next="See which are left: qcbench calsel-manager list",
        )
    )


calsel_manager = command_family(
    "calsel-manager",
    "Ingest, list, download and delete the rules of calSelector, each in force on dates of its own.",
    ingest, list_sets, download, delete,
)  # fmt: skip


@command(
    "calselector",
    "qcbench calselector HAWKI.2026-11-19T23:40:11.000 --mode raw2raw",
    "qcbench calselector HAWKI.2026-11-19T23:40:11.000.fits -o answer.xml",
    "qcbench calselector HAWKI.2026-11-19T23:40:11.000 --mode raw2master --package my-frame",
)
@click.argument("arcfile", metavar="ARCFILE")
@click.option(
    "--mode",
    type=click.Choice(["raw2raw", "raw2master"]),
    default="raw2master",
    show_default=True,
    help="Raw calibrations and what they need; or certified masters, and raw files where there is none.",
)
@click.option("-o", "--output", type=FILE, metavar="FILE", help="Write the XML there. Without it: print it.")
@click.option(
    "--package", type=FOLDER, metavar="DIR", help="Gather the files there, with the XML, a list and a README."
)
@pass_invocation
def calselector(
    invocation: Invocation,
    arcfile: str,
    mode: Literal["raw2raw", "raw2master"],
    output: Path | None,
    package: Path | None,
) -> None:
    """Say which calibrations a frame needs, as the archive's calSelector service does.

    The rules are those that are in force on the frame's DFO date. The answer is a tree as XML: each association with
    its files and with what these need. Missing calibrations are named in it.

    With --package, a second call copies only what is missing or differs. If a file can't be had, the others are
    gathered all the same, and the command ends with code 20.
    """
    from qcbench.association.calselector import CalSelector, print_tree
    from qcbench.core.files import write_text

    bench = invocation.open()
    answer = CalSelector(bench).answer(arcfile, mode)
    text = print_tree(answer.tree)
    if output:
        write_text(output, text)
    if package:
        _show_package(invocation, bench, answer, package)
    elif output or invocation.as_json:
        said = (*_about(answer), *((f"The tree is in {output}",) if output else ()))
        facts = _answer_facts(answer) | ({"file": output} if output else {"xml": text})
        invocation.show(Answer(said=said, facts=facts, next=""))
    else:
        click.echo(text, nl=False)


def _show_package(invocation: Invocation, bench: Workbench, answer: CalSelAnswer, folder: Path) -> None:
    from qcbench.association.calselector.package import make_package

    made = make_package(bench, answer, folder)
    n_files = len(made.copied) + len(made.kept)
    missing = [{"file": name, "reason": reason} for name, reason in made.missing]
    again = f"Call again when they are there: only what is missing in {folder} is copied"
    invocation.show(
        Answer(
            said=(
                *_about(answer),
                f"{count(n_files, 'file')} in {folder}, {len(made.copied)} of them new; {made.tree.name} is the "
                f"tree, README.txt says what is what",
            ),
            facts={**_answer_facts(answer), "folder": folder, "copied": made.copied, "kept": made.kept},
            tables=(Table("missing", missing, ("file", "reason")),),
            next=again if missing else "",
        )
    )
    if missing:
        click.get_current_context().exit(NOT_DONE)


def one_instrument(invocation: Invocation, bench: Workbench, given: str | None) -> str:
    """Return the instrument that was named with -i or --instrument, or the only one of the workbench."""
    names = (given,) if given else invocation.named or bench.instruments
    if len(names) != 1:
        raise click.UsageError(f"name the instrument with -i: {', '.join(names)}")
    return bench.pack(names[0]).name


def _range(known: KnownRules) -> str:
    return f"{known.valid_from} to {known.in_force_to}" if known.in_force_to else f"{known.valid_from} on"


def _row(known: KnownRules, date: dt.date) -> dict[str, Any]:
    return {
        **asdict(known),
        "from": known.valid_from,
        "to": known.in_force_to or "",
        "now": "in force" if known.holds_on(date) else "",
        "used": known.used_at or "",
        "data_sets": known.n_datasets if known.is_whole else f"{known.n_datasets}, unfinished",
        "added": known.added_at,
        "by": known.added_by,
    }


def _about(answer: CalSelAnswer) -> tuple[str, ...]:
    """Say in words what was answered, and what is missing."""
    tree = answer.tree
    state = "complete" if tree.complete else "NOT complete"
    certified = "all certified" if tree.certified else "not all certified"
    numbers = f"{count(tree.n_associations, 'association')}, {count(len(tree.distinct_files), 'file')}"
    head = f"{answer.arcfile}: {tree.category}, {answer.mode} under {answer.rules.name}: {numbers}"
    messages = dict.fromkeys(text for _, one in tree.walk() for text in one.messages)
    return (f"{head}; {state}, {certified}", *messages)


def _answer_facts(answer: CalSelAnswer) -> dict[str, object]:
    from qcbench.association.calselector import download_rows, gather

    return {
        "arcfile": answer.arcfile,
        "date": answer.date,
        "mode": answer.mode,
        "rule_set": answer.rules.id,
        "category": answer.tree.category,
        "complete": answer.tree.complete,
        "certified": answer.tree.certified,
        "messages": list(_about(answer)[1:]),
        "files": download_rows(gather(answer.tree)),
    }
