"""What installed pipelines say of their recipes: which there are, their parameters, and the words of their help."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from qcbench.processing.esorex import environment, plugin_folder, plugin_folders

_OPTION = re.compile(r"^  --(\S+)", re.M)
_WORD = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z0-9_]")
_PLACEHOLDER = re.compile(r"[A-Z]_(x{2,}|[%<*$])")
_SECONDS = 60.0


@dataclass(frozen=True)
class RecipeHelp:
    """What a recipe takes, as far as its manual page says so.

    Attributes
    ----------
    parameters : frozenset of str
        Names of its parameters.
    words : frozenset of str
        All words of its description, tags among them.
    names_tags : bool
        Tags are written out; False where the page has placeholders, such as MASTER_BIAS_xxxx.
    """

    parameters: frozenset[str]
    words: frozenset[str]
    names_tags: bool


def installed_recipes() -> list[str]:
    """Return the names of the recipes of all installed pipelines, sorted."""
    if shutil.which("esorex") is None:
        return []
    return sorted({file.stem for folder in plugin_folders() for file in folder.glob("*.so")})


@cache
def recipe_help(recipe: str) -> RecipeHelp | None:
    """Return what an installed recipe says of itself; None where it is not installed, or can't be asked."""
    folder = plugin_folder(recipe)
    if folder is None or shutil.which("esorex") is None:
        return None
    try:
        page = _manual_page(recipe, folder)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError):
        return None
    before, _, after = page.partition("\nOPTIONS\n")
    description = before.partition("\nDESCRIPTION\n")[2]
    return RecipeHelp(
        parameters=frozenset(_OPTION.findall(after.partition("\nAUTHOR\n")[0])),
        words=frozenset(_WORD.findall(description)),
        names_tags=_PLACEHOLDER.search(description) is None,
    )


def _manual_page(recipe: str, folder: Path) -> str:
    command = ["esorex", f"--recipe-dir={folder}", "--man-page", recipe]
    # EsoRex writes its log where it is called
    with tempfile.TemporaryDirectory() as home:
        answer = subprocess.run(
            command,
            cwd=home,
            env=environment(Path(home)),
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS,
        )
    return answer.stdout
