"""The engines that a pack names for its recipes, where it does so, and what actions give to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from qcbench.instruments import EngineChoice, InstrumentPack
from qcbench.instruments.models import InstrumentFile
from qcbench.instruments.yamlfiles import examine_yaml, line_of
from qcbench.oca import Action, Association, Finding

# calibrations of science ABs that are told for information, and that no recipe takes
_TOLD_ONLY = ("_MASSOC", "_RASSOC")


@dataclass(frozen=True)
class Choice:
    """An engine that a pack names for a recipe, and where it does so.

    Attributes
    ----------
    alone : bool
        No engine of another name can run the recipe.
    """

    recipe: str
    engine: EngineChoice
    alone: bool
    file: str
    line: int
    key: str

    def error(self, code: str, text: str, remedy: str, part: str = "") -> Finding:
        """Return an error at this place."""
        return Finding("error", self.file, self.line, None, code, text, remedy, f"{self.key}{part}")

    def warning(self, code: str, text: str, remedy: str) -> Finding:
        """Return a warning at this place."""
        return Finding("warning", self.file, self.line, None, code, text, remedy, self.key)

    def not_installed(self, problem: str) -> Finding:
        """Return the note that the recipe has to run on another machine."""
        remedy = "install its pipeline where it is to run; docs/user-guide/engines.md says how"
        text = f"{self.engine.engine} can't run {self.engine.recipe} on this machine: {problem}"
        return Finding("note", self.file, self.line, None, "not-installed", text, remedy, self.key)


def choices_of(pack: InstrumentPack) -> Iterator[Choice]:
    """Give the engines of all recipes of a pack."""
    path = pack.folder / "instrument.yaml"
    node = examine_yaml(path, InstrumentFile).node
    for name, config in pack.instrument.recipes.items():
        alone = len({engine.engine for engine in config.engines}) == 1
        for number, engine in enumerate(config.engines):
            line = line_of(node, ("recipes", name, "engines", number)) or 1
            yield Choice(name, engine, alone, str(path), line, f"recipes.{name}.engines.{number}")


def actions_of(pack: InstrumentPack, choice: Choice) -> list[Action]:
    """Return the actions whose recipe an engine was chosen for."""
    return [action for action in pack.rules.actions if action.recipe == choice.recipe]


def associations_for(action: Action) -> list[Association]:
    """Return the rules of an action whose files its recipe is to take."""
    return [
        rule
        for rule in action.associations
        if rule.max_ret and rule.source != "rawFiles" and not rule.tag.endswith(_TOLD_ONLY)
    ]


def meant(name: str, known: Collection[str]) -> str:
    """Say which name may have been meant, or which there are."""
    close = get_close_matches(name, known, n=1)
    return f"was {close[0]} meant?" if close else f"there is {', '.join(sorted(known))}"
