"""The engine that runs the pipelines of ESO through EsoRex.

Each call has its own working directory, since recipes write there before EsoRex moves the products away, and its own
home: what EsoRex finds in the home of whoever calls, and in variables, would change parameters of recipes unseen.
The exit code of EsoRex is the recipe's CPL error code; the error trail is in its output.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from functools import cache
from itertools import takewhile
from pathlib import Path

from qcbench.core.errors import RecipeError
from qcbench.core.files import make_folder, write_text
from qcbench.processing.engines import RecipeJob, RecipeResult
from qcbench.processing.running import Ended, describe_end, run_process

# "[1/5] 'text' (10) at function:file.c:123": the first entry is the root cause, if it says more than its code
_TRAIL = re.compile(r"\[(?P<number>\d+)/\d+\] '(?P<text>.*?)' \(\d+\) at ")
_ERROR = re.compile(r"\[ ERROR \] \S+: (?P<text>.+)")
MAX_REASON = 300
_MOST_OF_LOG = 2**20
# What CPL says of its error codes (CPL 7.2.3, cpl_error_get_message_default); 255 is EsoRex itself
_MEANINGS = {
    1: "unspecified error",
    2: "the actual error was lost",
    5: "file read or write error",
    6: "bad file format",
    7: "file already open",
    8: "file can't be created",
    9: "file not found",
    10: "data not found",
    11: "access beyond boundaries",
    12: "null input",
    13: "input data do not match",
    14: "illegal input",
    15: "illegal output",
    16: "unsupported mode",
    17: "singular matrix",
    18: "division by zero",
    19: "type mismatch",
    20: "invalid type",
    21: "the iteration did not converge",
    22: "no world coordinates",
    255: "EsoRex refused its options",
}
_PLUGIN_PARENTS = (
    "/usr/lib/*/cpl/plugins/*",
    "/usr/lib*/esopipes-plugins/*",
    "/usr/local/lib/esopipes-plugins/*",
)


class EsorexEngine:
    """Runs recipes as ``esorex recipe sof``."""

    name = "esorex"

    def problem(self, recipe: str) -> str | None:
        """Say whether EsoRex or the recipe is missing."""
        if shutil.which("esorex") is None:
            return "esorex is not installed"
        return None if plugin_folder(recipe) else f"no installed pipeline has the recipe {recipe}"

    def version(self, recipe: str) -> str:
        """Return name and version of the pipeline, as its folder of plugins has them."""
        folder = plugin_folder(recipe)
        return folder.name.replace("-", " ", 1) if folder else ""

    def run(self, job: RecipeJob) -> RecipeResult:
        """Run a recipe; the products are those that EsoRex lists."""
        sof = "".join(f"{_linked(job, path)} {tag}\n" for path, tag in job.sof)
        write_text(job.work_dir / "input.sof", sof)
        command = [
            "esorex",
            f"--recipe-dir={plugin_folder(job.recipe)}",
            f"--output-dir={job.output_dir.relative_to(job.work_dir)}",
            "--log-dir=.",
            "--products-sof=products.json",
            "--check-sof-exist=TRUE",
            job.recipe,
            *(f"--{name}={_text(value)}" for name, value in job.parameters.items()),
            "input.sof",
        ]
        ended = run_process(
            command,
            cwd=job.work_dir,
            log=job.log,
            limits=job.limits,
            env={**environment(job.work_dir), "OMP_NUM_THREADS": "1"},
        )
        reason = describe_end(ended, _cause(ended.code, job.log))
        return result_of(ended, reason, job.work_dir / "products.json", job.output_dir)


def environment(home: Path) -> dict[str, str]:
    """Return the environment for a call of EsoRex: this one without what is set for EsoRex, and with another home.

    An option can't do that: with ``--recipe-config`` EsoRex reads the file of the home as well.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ESOREX_")}
    return {**kept, "HOME": str(home)}


def _linked(job: RecipeJob, path: Path) -> str:
    """Link an input into the working directory: a set of frames can't hold a path with a blank."""
    folder = make_folder(job.work_dir / "input")
    (folder / path.name).symlink_to(path)
    return f"{folder.name}/{path.name}"


@cache
def plugin_folder(recipe: str) -> Path | None:
    """Return the folder of the pipeline that has a recipe, found by the names of its plugin files."""
    return next((folder for folder in plugin_folders() if (folder / f"{recipe}.so").is_file()), None)


def plugin_folders() -> list[Path]:
    """Return the folders of the installed pipelines, the newest of each first."""
    return [
        folder
        for pattern in _PLUGIN_PARENTS
        for folder in sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)
    ]


def result_of(ended: Ended, reason: str | None, listed: Path, folder: Path) -> RecipeResult:
    """Return what came of a call; a list of products that can't be read is a failure."""
    products: tuple[tuple[Path, str], ...] = ()
    if reason is None:
        try:
            products = read_products(listed, folder)
        except RecipeError as err:
            reason = str(err)
    return RecipeResult(ended.code, reason, products, ended.seconds, ended.peak_mb)


def read_products(listed: Path, folder: Path) -> tuple[tuple[Path, str], ...]:
    """Read a list of products, ``[{"name": …, "category": …}]``; nothing if there is no list.

    Raises
    ------
    RecipeError
        It is no such list.
    """
    if not listed.is_file():
        return ()
    try:
        items = json.loads(listed.read_text(encoding="utf-8"))
        return tuple((folder / Path(item["name"]).name, str(item["category"])) for item in items)
    except (ValueError, TypeError, KeyError) as err:
        raise RecipeError(f"the recipe ended well, but its list of products can't be read ({err})") from err


def _cause(code: int, log: Path) -> str:
    """Return the root cause of a failure, else what its exit code means."""
    return root_cause(log) or _MEANINGS.get(code, "")


def root_cause(log: Path) -> str:
    """Return what a log says of the cause of a failure: its error trail, else its errors, else its last line."""
    if not log.is_file():
        return ""
    with log.open("rb") as stream:
        # of a log that a recipe filled without end
        stream.seek(max(0, log.stat().st_size - _MOST_OF_LOG))
        text = stream.read(_MOST_OF_LOG).decode(errors="replace")
    if found := _trail(text):
        return next((entry for entry in found if ": " in entry and "Propagating" not in entry), found[0])
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return (_first_of_last_errors(lines) or next(reversed(lines), ""))[:MAX_REASON]


def _trail(text: str) -> list[str]:
    """Return the entries of the first error trail of CPL in a log, the deepest first."""
    entries: list[str] = []
    for found in _TRAIL.finditer(text):
        if entries and found["number"] == "1":
            break
        entries.append(found["text"])
    return entries


def _first_of_last_errors(lines: list[str]) -> str:
    """Return the first of the error lines that stand together last: the others follow from it."""
    errors = [found["text"] if (found := _ERROR.match(line)) else "" for line in lines]
    while errors and not errors[-1]:
        errors.pop()
    return next(reversed(list(takewhile(bool, reversed(errors)))), "")


def _text(value: str | int | float | bool) -> str:
    return str(value).upper() if isinstance(value, bool) else str(value)
