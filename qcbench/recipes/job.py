"""The job of one recipe run: its file, its set of frames, and what the recipe gets to see of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qcbench.recipes.failures import Code, RecipeRunError, bad_parameter, missing
from qcbench.recipes.frames import Frame, open_frame, open_product


@dataclass(frozen=True)
class TaggedFile:
    """One line of a set of frames: a file and the tag that says what it is."""

    path: Path
    tag: str


@dataclass(frozen=True)
class Job:
    """What the engine asks for; see `load_job` for the file that holds it."""

    recipe: str
    sof: tuple[TaggedFile, ...]
    parameters: Mapping[str, object]
    output_dir: Path
    instrument_recipe: str
    product_names: Mapping[str, str]


def load_job(path: Path) -> Job:
    """Read a job file.

    Raises
    ------
    RecipeRunError
        The file can't be read, or a part of it is missing or of the wrong kind.
    """
    try:
        return _job(json.loads(path.read_text("utf-8")))
    except OSError as err:
        raise RecipeRunError(Code.FILE_NOT_FOUND, f"Job file {path} can't be read: {err.strerror}") from err
    except KeyError as err:
        raise bad_parameter(f"Job file {path} has no {err.args[0]!r}") from err
    except (ValueError, TypeError, AttributeError) as err:
        raise bad_parameter(f"Job file {path} is not a job: {err}") from err


def _job(raw: dict[str, Any]) -> Job:
    recipe = str(raw["recipe"])
    return Job(
        recipe=recipe,
        sof=tuple(TaggedFile(Path(line["path"]), str(line["tag"])) for line in raw["sof"]),
        parameters=dict(raw.get("parameters") or {}),
        output_dir=Path(raw["output_dir"]),
        instrument_recipe=str(raw.get("instrument_recipe") or recipe),
        product_names={str(k): plain_name(v) for k, v in (raw.get("product_names") or {}).items()},
    )


def plain_name(name: object) -> str:
    """Return a file name that stays in the output folder.

    Raises
    ------
    ValueError
        The name is empty, hidden or has a folder in it.
    """
    text = str(name)
    if not text or text != Path(text).name or text.startswith("."):
        raise ValueError(f"{text!r} is not a plain file name")
    return text


@dataclass(frozen=True)
class Run:
    """A recipe run as its function sees it: settled parameters and the frames by their role."""

    job: Job
    recipe_version: str
    parameters: Mapping[str, str | int | float | bool]

    def text(self, name: str) -> str:
        """Return a text parameter."""
        return str(self.parameters[name])

    def number(self, name: str) -> float:
        """Return a number parameter."""
        return float(self.parameters[name])

    def flag(self, name: str) -> bool:
        """Return a truth-value parameter."""
        return bool(self.parameters[name])

    def tags(self, parameter: str) -> list[str]:
        """Return the tags that a parameter lists, comma-separated."""
        return [tag.strip() for tag in self.text(parameter).split(",") if tag.strip()]

    def frames(self, parameter: str) -> list[Frame]:
        """Open the frames that carry one of the tags of a parameter, in the order of the set of frames.

        Raises
        ------
        RecipeRunError
            No frame has the tag, or a file is missing or unreadable.
        """
        frames = self.optional(parameter)
        if not frames:
            there = ", ".join(sorted({line.tag for line in self.job.sof})) or "none"
            raise missing(
                f"The list of {len(self.job.sof)} frame(s) has no frames with tag: "
                f"{' or '.join(self.tags(parameter))} (tags there: {there}; set with {parameter})"
            )
        return frames

    def optional(self, parameter: str) -> list[Frame]:
        """Open the frames of a role that need not be there."""
        tags = self.tags(parameter)
        return [open_frame(line.path, line.tag) for line in self.job.sof if line.tag in tags]

    def calibration(self, *parameters: str) -> Frame | None:
        """Open the first master calibration there is, of the roles in the order given."""
        for parameter in parameters:
            frames = self.optional(parameter)
            if frames:
                return frames[0]
        return None

    def spectrum(self, parameter: str) -> Frame | None:
        """Open the first product of spectra or tables that carries one of the tags of a parameter."""
        tags = self.tags(parameter)
        first = next((line for line in self.job.sof if line.tag in tags), None)
        return open_product(first.path, first.tag) if first else None
