"""Commands for people who write instrument packs: a first pack from raw frames, and a check of all its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qcbench.cli.invocation import Invocation, command, command_family, pass_invocation
from qcbench.cli.output import Answer, Table, count
from qcbench.cli.rules import all_files
from qcbench.core.errors import FrameError, PackError

if TYPE_CHECKING:
    from qcbench.instruments.checking import PackCheck
    from qcbench.instruments.skeleton import Survey
    from qcbench.oca import Finding

_MARKS = {"error": "✕", "warning": "▲", "note": "·"}


@command(
    "new",
    "qcbench instrument new mycam",
    "qcbench instrument new mycam --from-frames raw/*.fits --code MC -o packs",
    "qcbench instrument new mycam --from-frames raw",
)
@click.argument("name")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, metavar="[FILE]...")
@click.option(
    "--from-frames",
    "from_frames",
    is_flag=True,
    help="Read the headers of the FILEs, raw frames of the instrument; a folder stands for all files .fits and "
    ".fits.fz in it.",
)
@click.option(
    "--code", metavar="XX", help="Two letters with which names of products begin; without it of NAME."
)
@click.option(
    "-o",
    "--output",
    "parent",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder in which the folder NAME is made. Without it: config of the workbench, else this folder.",
)
@pass_invocation
def new(
    invocation: Invocation,
    name: str,
    files: Sequence[Path],
    from_frames: bool,
    code: str | None,
    parent: Path | None,
) -> None:
    """Write a commented first pack of an instrument: all its files, which pass the check as they stand.

    With --from-frames the headers of some raw frames fill it in: INSTRUME and the prefix of names in the archive, a
    classifier for each combination of DPR keys, the dictionary of keys, the keys that tell setups apart, detectors.
    The calibrations of a day and a few science frames are enough; frames that can't be read are named, and left out.

    Nothing is overwritten.
    """
    from qcbench.instruments.checking import instrument_files
    from qcbench.instruments.skeleton import EXAMPLE, free_code, survey_frames, write_skeleton

    if bool(files) != from_frames:
        raise click.UsageError(
            "which frames? Name them behind --from-frames"
            if from_frames
            else "FILEs stand behind --from-frames"
        )
    packs = _packs(invocation)
    folder = (parent or _home(invocation)) / name
    if name in packs and packs[name] != folder.absolute():
        raise PackError(
            packs[name],
            f"there is a pack {name!r} already; choose another name. To change that pack for your site, copy its "
            f"folder to {invocation.root / 'config' / name}",
        )
    survey = survey_frames(_frames(files)) if from_frames else EXAMPLE
    written = write_skeleton(
        folder, code or free_code(name, {item.code for item in instrument_files(packs).values()}), survey
    )
    invocation.show(_new_answer(folder, written, survey))


@command(
    "check",
    "qcbench instrument check hawki",
    "qcbench instrument check config/mycam",
    "qcbench instrument check mycam --json",
)
@click.argument("target", metavar="NAME|DIR")
@pass_invocation
def check(invocation: Invocation, target: str) -> None:
    """Find all that is wrong with an instrument pack: each file by itself, and all of them together.

    Keys that no dictionary has; tags that a rule uses and no name, table or recipe knows; measurements without unit
    or description, key figures without score, limits that are not in force today; recipes that nothing uses or that
    are not there; simulated frames that the rules take for something else.

    A pack of the workbench (config/NAME) wins over one that comes with qcbench; no workbench is needed. Errors end
    the command with code 4; warnings and notes don't.
    """
    from qcbench.core.dates import utc_now
    from qcbench.instruments.checking import check_alike, check_pack, sorted_findings
    from qcbench.processing import check_engines
    from qcbench.simulate import check_simulation

    folder, additions = _folder(invocation, target)
    today = utc_now().date()
    result = check_pack(folder, additions, today=today)
    findings = list(result.findings)
    if result.pack is not None:
        others = {name: path for name, path in _packs(invocation).items() if name != folder.name}
        findings += check_alike(result.pack, others)
        findings += [*check_engines(result.pack), *check_simulation(result.pack, today)]
    findings = list(sorted_findings(findings))
    invocation.show(_answer(folder, result, findings, in_use=_is_in_use(invocation, folder)))
    if any(item.level == "error" for item in findings):
        click.get_current_context().exit(PackError.exit_code)


def _frames(named: Sequence[Path]) -> list[Path]:
    """Return the files that were named, and those of folders."""
    found = all_files(named)
    if not found:
        raise FrameError(
            named[0], "there is no file .fits or .fits.fz in the folder", "Name a folder of raw frames"
        )
    return found


def _folder(invocation: Invocation, target: str) -> tuple[Path, Path | None]:
    """Return the folder of a pack, and that of what a site adds to a built-in one."""
    packs = _packs(invocation)
    own = _site(invocation) / target
    if target in packs:
        return packs[target], own if packs[target] != own and own.is_dir() else None
    for folder in (own, Path(target)):
        if folder.is_dir():
            return folder.resolve(), None
    raise PackError(
        target,
        f"there is neither a pack nor a folder of this name; there is {', '.join(packs)}. "
        "To begin a new one: qcbench instrument new NAME",
    )


def _site(invocation: Invocation) -> Path:
    from qcbench.core.paths import WorkbenchTree

    return WorkbenchTree(invocation.root).config


def _packs(invocation: Invocation) -> dict[str, Path]:
    from qcbench.instruments import available_packs

    return available_packs(_site(invocation))


def _is_in_use(invocation: Invocation, folder: Path) -> bool:
    """Tell whether the workbench looks after the instrument of a pack, and finds it in this folder."""
    known = _packs(invocation).get(folder.name)
    if (
        not (invocation.root / "qcbench.toml").is_file()
        or known is None
        or known.resolve() != folder.resolve()
    ):
        return False
    return folder.name in invocation.settings().workbench.instruments


def _home(invocation: Invocation) -> Path:
    """Return where a new pack goes: into the workbench, where there is one."""
    site = _site(invocation)
    return site if (invocation.root / "qcbench.toml").is_file() else Path()


def _new_answer(folder: Path, written: Sequence[Path], survey: Survey) -> Answer:
    said = [f"{folder}: {count(len(written), 'file')} written, {', '.join(path.name for path in written)}"]
    if survey.n_frames:
        said.append(
            f"From {count(survey.n_frames, 'frame')} of {', '.join(survey.instrume)}: "
            f"{count(len(survey.kinds), 'raw type')}, {count(len(survey.keys), 'key')} of its own, detectors "
            f"{', '.join(survey.extensions) or 'in the primary HDU'}"
        )
    if survey.unnamed:
        said.append(f"{count(survey.unnamed, 'frame')} without DPR.TYPE: write classifiers for them yourself")
    kinds = [
        {
            "raw_type": kind.raw_type,
            "frames": kind.n_frames,
            "DPR.CATG": kind.catg,
            "DPR.TYPE": kind.type,
            "DPR.TECH": kind.tech,
            "setup": ", ".join(kind.setup),
            "recipe": "" if kind.role == "other" else kind.role,
        }
        for kind in survey.kinds
        if survey.n_frames
    ]
    wrong = [{"file": err.path, "reason": err.problem, "remedy": err.remedy} for err in survey.unreadable]
    return Answer(
        said=tuple(said),
        tables=(
            Table(
                "raw_types",
                kinds,
                ("raw_type", "frames", "DPR.CATG", "DPR.TYPE", "DPR.TECH", "setup", "recipe"),
            ),
            Table("left_out", wrong, ("file", "reason", "remedy")),
        ),
        facts={"pack": folder.name, "folder": str(folder), "files": [str(path) for path in written]},
        next=f"Read and complete {folder / 'rules.oca'} and {folder / 'instrument.yaml'}; then: "
        f"qcbench instrument check {folder}",
    )


def _answer(folder: Path, result: PackCheck, findings: Sequence[Finding], *, in_use: bool) -> Answer:
    numbers = {level: sum(item.level == level for item in findings) for level in _MARKS}
    told = ", ".join(count(number, level) for level, number in numbers.items() if number) or "nothing wrong"
    lines = [f"{folder}: {told}", *(_line(item, folder) for item in findings)]
    if numbers["error"]:
        todo = "Correct what is marked ✕; then check again"
    elif numbers["warning"]:
        todo = "The pack can be used; look at what is marked ▲"
    elif in_use:
        todo = "The pack can be used, and qcbench.toml names it"
    else:
        todo = f"The pack can be used: add {folder.name!r} to instruments in qcbench.toml"
    if result.broken:
        todo += f". Until then {', '.join(sorted(result.broken))} can't be compared with the other files"
    return Answer(
        said=tuple(lines),
        tables=(Table("findings", [asdict(item) for item in findings], ()),),
        facts={
            "pack": folder.name,
            "folder": str(folder),
            "counts": numbers,
            "broken": sorted(result.broken),
        },
        next=todo,
    )


def _line(item: Finding, folder: Path) -> str:
    where = item.place.removeprefix(f"{folder}/")
    key = f", {item.key}" if item.key else ""
    return f"{_MARKS[item.level]} {where}{key}: {item.text}\n    {item.code}: {item.remedy}"


instrument = command_family(
    "instrument", "Begin and check an instrument pack: all that qcbench knows of an instrument.", new, check
)
