"""What a pack says of its recipes against the engines: built-in ones are known, others may be on another machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from qcbench.instruments import EngineChoice, InstrumentPack
from qcbench.instruments.checking import raw_types_of
from qcbench.instruments.models import InstrumentFile
from qcbench.instruments.yamlfiles import examine_yaml, line_of
from qcbench.oca import Action, Finding, product_keys
from qcbench.processing.engines import load_engines
from qcbench.processing.python import RUNNER

PYTHON = "python"


@dataclass(frozen=True)
class _Choice:
    """An engine that a pack names for a recipe, and where it does so."""

    recipe: str
    engine: EngineChoice
    file: str
    line: int
    key: str

    def error(self, code: str, text: str, remedy: str, part: str = "") -> Finding:
        return Finding("error", self.file, self.line, None, code, text, remedy, f"{self.key}{part}")


def check_engines(pack: InstrumentPack) -> Iterator[Finding]:
    """Find recipes that no engine has, and built-in ones that don't take, or don't make, what the rules say."""
    engines = load_engines()
    choices = list(_choices(pack))
    known = _python_recipes() if any(item.engine.engine == PYTHON for item in choices) else {}
    for item in choices:
        name, recipe = item.engine.engine, item.engine.recipe
        if name == PYTHON and name in engines:
            yield from _python_problems(pack, item, known)
            continue
        problem = engines[name].problem(recipe) if name in engines else "no such engine"
        if problem:
            remedy = "install its pipeline where it is to run; docs/user-guide/engines.md says how"
            text = f"{name} can't run {recipe} on this machine: {problem}"
            yield Finding("note", item.file, item.line, None, "not-installed", text, remedy, item.key)


def _choices(pack: InstrumentPack) -> Iterator[_Choice]:
    path = pack.folder / "instrument.yaml"
    node = examine_yaml(path, InstrumentFile).node
    for name, config in pack.instrument.recipes.items():
        for number, engine in enumerate(config.engines):
            line = line_of(node, ("recipes", name, "engines", number)) or 1
            yield _Choice(name, engine, str(path), line, f"recipes.{name}.engines.{number}")


def _python_recipes() -> dict[str, Any]:
    """Return what each recipe of the python engine takes and makes, as it describes itself."""
    command = [sys.executable, "-m", RUNNER, "list"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return {item["name"]: item for item in json.loads(answer.stdout)}


def _python_problems(pack: InstrumentPack, item: _Choice, known: Mapping[str, Any]) -> Iterator[Finding]:
    recipe = item.engine.recipe
    if recipe not in known:
        text = f"there is no Python recipe {recipe}"
        yield item.error("no-recipe", text, _meant(recipe, known))
        return
    described = known[recipe]
    parameters = {each["name"]: each["default"] for each in described["parameters"]}
    for name in item.engine.parameters:
        if name not in parameters:
            text = f"the Python recipe {recipe} has no parameter {name}"
            yield item.error("parameter", text, _meant(name, parameters), ".parameters")
    values = parameters | item.engine.parameters
    for action in pack.rules.actions:
        if action.recipe == item.recipe:
            yield from _input_problems(pack, item, action, described, values)
            yield from _product_problems(item, action, described, values)


def _input_problems(
    pack: InstrumentPack,
    item: _Choice,
    action: Action,
    described: Mapping[str, Any],
    values: Mapping[str, object],
) -> Iterator[Finding]:
    """Find input that a recipe needs, by tags that neither the frames nor the associations of an action have."""
    tags = raw_types_of(pack).tags_of(action.name)
    if tags is None:
        return
    given = tags | {rule.tag for rule in action.associations if rule.max_ret}
    for wanted in described["tags"]:
        name = wanted["parameter"]
        asked = _listed(values[name])
        if wanted["required"] and not given & asked:
            text = (
                f"the Python recipe {item.engine.recipe} takes files of the tag {' or '.join(sorted(asked))}; the "
                f"action {action.name} gives it {', '.join(sorted(given)) or 'none'}"
            )
            remedy = f"name the DO.CATG of its frames in parameters: {name}, or correct DO.CATG in rules.oca"
            yield item.error("recipe-tags", text, remedy, ".parameters")


def _product_problems(
    item: _Choice, action: Action, described: Mapping[str, Any], values: Mapping[str, object]
) -> Iterator[Finding]:
    """Find products that an action predicts, and its recipe does not make."""
    names = [each["parameter"] for each in described["products"]]
    made = {str(values[name]) for name in names}
    predicted = {str(product_keys(rule, {})["PRO.CATG"]) for rule in action.products}
    for category in sorted(predicted - made):
        text = (
            f"action {action.name} predicts {category}; the Python recipe {item.engine.recipe} makes "
            f"{', '.join(sorted(made))}"
        )
        remedy = f"name it in parameters: {' or '.join(names)}; or correct 'product' in rules.oca"
        yield item.error("recipe-products", text, remedy, ".parameters")


def _listed(value: object) -> set[str]:
    return {part.strip() for part in str(value).split(",")} - {""}


def _meant(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"was {close[0]} meant?" if close else f"there is {', '.join(sorted(known))}"
