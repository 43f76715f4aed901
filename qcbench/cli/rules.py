"""Commands for people who write OCA rules: check a file, see what it makes of frames, see it without its macros.

They need no workbench; where there is one, its own packs are known, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qcbench.cli.exits import NOT_DONE
from qcbench.cli.invocation import Invocation, command, command_family, pass_invocation
from qcbench.cli.output import Answer, Row, Table, count
from qcbench.cli.parameters import include_option
from qcbench.core.errors import FrameError, RuleError

if TYPE_CHECKING:
    from qcbench.instruments import InstrumentPack, KeyDictionary
    from qcbench.oca import Finding, Grouping, Keys, RuleSet

FILE = click.Path(dir_okay=False, path_type=Path)
_MARKS = {"error": "✕", "warning": "▲", "note": "·"}
# what tells a person why no rule knows a file
_TELLING = ("INSTRUME", "DPR.CATG", "DPR.TYPE", "DPR.TECH", "PRO.CATG")


@command(
    "check",
    "qcbench oca check rules.oca --instrument hawki",
    "qcbench oca check rules.oca --dictionary ESO-VLT-DIC.HAWKI_ICS --dictionary ESO-VLT-DIC.NGCDCS",
    "qcbench oca check --instrument hawki --json",
)
@click.argument("file", type=FILE, required=False)
@click.option(
    "--dictionary",
    "dictionaries",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="Dictionary of header keys in ESO's form (ESO-VLT-DIC.*); can be given again.",
)
@include_option()
@pass_invocation
def check(
    invocation: Invocation, file: Path | None, dictionaries: Sequence[Path], folders: Sequence[Path]
) -> None:
    """Find what is wrong with a rule file before it meets a frame.

    Syntax; conditions that are never true; classifiers that have no effect; categories that no rule assigns or that
    nothing produces; actions that are missing, defined twice or never executed; limits; cycles in the cascade.

    Keys are looked up in the dictionaries that are given and in those of --instrument, which also says what
    is static. Without FILE the rules of --instrument are checked. Errors end the command with code 4; warnings and
    notes don't.
    """
    from qcbench.oca import check_rules, examine_rules

    pack = _pack(invocation)
    keys = _dictionary(pack, dictionaries)
    static = pack.unannounced if pack else ()
    rules, mistakes = examine_rules(file, folders) if file else (_rules(pack, None, ()), ())
    if rules is None:
        invocation.show(_findings_answer(str(file), "can't be read as rules", mistakes, looked_up=True))
        click.get_current_context().exit(RuleError.exit_code)
    if keys is None:
        findings = check_rules(rules, static=static)
    else:
        findings = check_rules(
            rules, known_key=lambda key: keys.find(key) is not None, key_names=keys.specs, static=static
        )
    said = ", ".join(
        (
            count(len(rules.classifiers), "classifier"),
            count(len(rules.organizers), "organizer"),
            count(len(rules.actions), "action"),
        )
    )
    invocation.show(_findings_answer(rules.source, said, findings, looked_up=keys is not None))
    if any(finding.level == "error" for finding in findings):
        click.get_current_context().exit(RuleError.exit_code)


@command(
    "classify",
    "qcbench oca classify raw/*.fits --instrument hawki",
    "qcbench oca classify raw --rules rules.oca --json",
)
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="FILE...")
@click.option("--rules", "file", type=FILE, help="Rule file; without it the rules of --instrument.")
@include_option()
@pass_invocation
def classify(
    invocation: Invocation, files: Sequence[Path], file: Path | None, folders: Sequence[Path]
) -> None:
    """See what rules make of FITS files: the type of each, the groups, and what is done with them.

    A folder stands for all files .fits and .fits.fz in it and below. Files that no rule knows, and files that
    can't be read, are listed last. If a file can't be read, the command ends with code 20, after all others have
    been classified.
    """
    rules = _rules(_pack(invocation), file, folders)
    frames, unreadable = _read(all_files(files))
    invocation.show(_classified_answer(rules, frames, unreadable))
    if unreadable:
        click.get_current_context().exit(NOT_DONE)


@command("print", "qcbench oca print rules.oca", "qcbench oca print rules.oca -I ../common > expanded.oca")
@click.argument("file", type=FILE)
@include_option()
@pass_invocation
def print_(invocation: Invocation, file: Path, folders: Sequence[Path]) -> None:
    """Print a rule file in one form, with its includes and macros carried out."""
    from qcbench.oca import load_rules, print_rules

    text = print_rules(load_rules(file, folders))
    if invocation.as_json:
        invocation.show(Answer(facts={"rules": text}, next=""))
    else:
        click.echo(text, nl=False)


oca = command_family(
    "oca", "Check, try out and print OCA rules: how frames become ABs.", check, classify, print_
)


def _pack(invocation: Invocation) -> InstrumentPack | None:
    """Return the pack that --instrument names; the workbench, where there is one, may have its own."""
    from qcbench.core.paths import WorkbenchTree
    from qcbench.instruments import find_pack

    if not invocation.named:
        return None
    if len(invocation.named) > 1:
        raise click.UsageError("rules are those of one instrument: give --instrument once")
    return find_pack(invocation.named[0], WorkbenchTree(invocation.root).config)


def _rules(pack: InstrumentPack | None, file: Path | None, folders: Sequence[Path]) -> RuleSet:
    from qcbench.oca import load_rules

    if file is not None:
        return load_rules(file, folders)
    if pack is None:
        raise click.UsageError("which rules? Name a rule file, or an instrument with --instrument NAME")
    return pack.rules


def _dictionary(pack: InstrumentPack | None, files: Sequence[Path]) -> KeyDictionary | None:
    """Return all keys that are known; None where no dictionary was given."""
    from qcbench.instruments import common_keys, read_dictionary

    if pack is None and not files:
        return None
    keys = pack.keys if pack else common_keys()
    for file in files:
        keys |= read_dictionary(file)
    return keys


def _findings_answer(source: str, said: str, findings: Sequence[Finding], *, looked_up: bool) -> Answer:
    numbers = {level: sum(finding.level == level for finding in findings) for level in _MARKS}
    result = ", ".join(count(number, level) for level, number in numbers.items() if number) or "nothing wrong"
    lines = [
        f"{_MARKS[item.level]} {item.place}: {item.text}\n    {item.code}: {item.remedy}" for item in findings
    ]
    todo = "" if looked_up else "Keys were not looked up: give --instrument or --dictionary for that"
    if numbers["error"]:
        todo = "Correct what is marked ✕; then check again"
    return Answer(
        said=(f"{source}: {said}; {result}", *lines),
        tables=(Table("findings", [asdict(item) for item in findings], ()),),
        facts={"rules": source, "counts": numbers},
        next=todo,
    )


def all_files(paths: Iterable[Path]) -> list[Path]:
    """Return each file once; for a folder, all FITS files in it and below, compressed images too."""
    found = (file for path in paths for file in (_fits_in(path) if path.is_dir() else (path,)))
    return list(dict.fromkeys(found))


def _fits_in(folder: Path) -> list[Path]:
    return sorted(path for pattern in ("*.fits", "*.fits.fz") for path in folder.rglob(pattern))


def _read(paths: Sequence[Path]) -> tuple[dict[Path, Keys], list[FrameError]]:
    """Read the headers of files; what can't be read is returned, too."""
    from qcbench.core.progress import progress_bar
    from qcbench.fits import read_header

    frames: dict[Path, Keys] = {}
    unreadable = []
    with progress_bar(len(paths), "read headers") as advance:
        for path in paths:
            try:
                frames[path] = {"ARCFILE": path.name, **read_header(path).keys}
            except FrameError as err:
                unreadable.append(err)
            advance(path.name)
    return frames, unreadable


def _classified_answer(
    rules: RuleSet, frames: Mapping[Path, Keys], unreadable: Sequence[FrameError]
) -> Answer:
    from qcbench.oca import TYPE_KEYS, group
    from qcbench.oca import classify as classify_keys

    names = list(frames)
    found = [classify_keys(rules, frames[name]) for name in names]
    grouping = group(
        rules, [{**frames[name], **item.assigned} for name, item in zip(names, found, strict=True)]
    )
    memberships = Counter(index for made in grouping.groups for index in made.members)
    rows = [
        {
            "file": names[index],
            **{key: item.assigned.get(key) for key in TYPE_KEYS},
            "more": ", ".join(
                f"{key}={value}" for key, value in item.assigned.items() if key not in TYPE_KEYS
            ),
            "groups": memberships[index],
            "assigned": item.assigned,
            "fired": [f"{rule.file}:{rule.line}" for rule in item.rules],
        }
        for index, item in enumerate(found)
        if item.has_type
    ]
    unknown = [
        {"file": names[index], **{key: frames[names[index]].get(key) for key in _TELLING}}
        for index, item in enumerate(found)
        if not item.has_type
    ]
    wrong = [{"file": err.path, "reason": err.problem, "remedy": err.remedy} for err in unreadable]
    groups = list(_group_rows(rules, grouping, names))
    numbers = {"classified": len(rows), "unclassified": len(unknown), "unreadable": len(wrong)}
    counted = ", ".join(f"{number} {what}" for what, number in numbers.items())
    return Answer(
        said=(
            f"{count(len(names) + len(wrong), 'file')}: {counted}; {count(len(grouping.groups), 'group')}",
        ),
        tables=(
            Table("files", rows, ("file", *TYPE_KEYS, "more", "groups"), "No file was classified."),
            Table(
                "groups", groups, ("action", "recipe", "files", "first", "by", "state"), "There is no group."
            ),
            Table("unclassified", unknown, ("file", *_TELLING)),
            Table("unreadable", wrong, ("file", "reason", "remedy")),
        ),
        facts={"rules": rules.source, "counts": {**numbers, "groups": len(grouping.groups)}},
        next=_advice(rules, numbers),
    )


def _group_rows(rules: RuleSet, grouping: Grouping, names: Sequence[Path]) -> Iterator[Row]:
    actions = {action.name: action for action in rules.actions}
    for made in (*grouping.groups, *grouping.too_small):
        action = actions.get(made.action)
        least = made.organizer.min_ret or 0
        state = f"{least} files are needed" if len(made.members) < least else ""
        yield {
            "action": made.action,
            "recipe": action.recipe if action else None,
            "files": len(made.members),
            "first": names[made.members[0]],
            "by": ", ".join(f"{key}={value}" for key, value in made.key_values if value is not None),
            "state": state if action else "there is no such action",
            "members": [names[index] for index in made.members],
            "rule": f"{made.organizer.file}:{made.organizer.line}",
        }


def _advice(rules: RuleSet, numbers: Mapping[str, int]) -> str:
    if numbers["unreadable"]:
        return "The column remedy says what to do with the files that can't be read"
    if numbers["unclassified"]:
        return f"No rule of {rules.source} is true for the unclassified files: add one, or leave them out"
    return ""
