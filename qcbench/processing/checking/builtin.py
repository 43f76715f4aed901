"""The built-in Python recipes: whether there are such, and whether they take and make what the rules say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qcbench.instruments import InstrumentPack
from qcbench.instruments.checking import raw_types_of
from qcbench.oca import Action, Finding, product_keys
from qcbench.processing.checking.choices import Choice, actions_of, associations_for, meant
from qcbench.processing.checking.qckeys import check_qc_keys
from qcbench.processing.python import RUNNER


def check_python(pack: InstrumentPack, choices: Sequence[Choice]) -> Iterator[Finding]:
    """Find recipes, parameters, values, tags and products that the built-in recipes don't know."""
    known = _python_recipes() if choices else {}
    there = [item for item in choices if item.engine.recipe in known]
    for item in choices:
        if item not in there:
            text = f"there is no Python recipe {item.engine.recipe}"
            yield item.error("no-recipe", text, meant(item.engine.recipe, known))
    for item, wrong in zip(there, _wrong_values(there), strict=True):
        for problem in wrong.values():
            text, _, remedy = problem.rpartition(": ")
            yield item.error(
                "parameter", f"{text} for the Python recipe {item.engine.recipe}", remedy, ".parameters"
            )
        yield from _problems(pack, item, known[item.engine.recipe])
    yield from check_qc_keys(pack, choices, known)


def _python_recipes() -> dict[str, Any]:
    """Return what each recipe of the python engine takes and makes, as it describes itself."""
    command = [sys.executable, "-m", RUNNER, "list"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return {item["name"]: item for item in json.loads(answer.stdout)}


def _wrong_values(choices: Sequence[Choice]) -> list[dict[str, str]]:
    """Return for each engine what its recipe says of the values of parameters."""
    asked = [{"recipe": item.engine.recipe, "parameters": item.engine.parameters} for item in choices]
    command = [sys.executable, "-m", RUNNER, "check"]
    answer = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)
    found: list[dict[str, str]] = json.loads(answer.stdout)
    return found


def _problems(pack: InstrumentPack, item: Choice, described: Mapping[str, Any]) -> Iterator[Finding]:
    recipe = item.engine.recipe
    parameters = {each["name"]: each["default"] for each in described["parameters"]}
    for name in item.engine.parameters:
        if name not in parameters:
            text = f"the Python recipe {recipe} has no parameter {name}"
            yield item.error("parameter", text, meant(name, parameters), ".parameters")
    values = parameters | item.engine.parameters
    for action in actions_of(pack, item):
        yield from _input_problems(pack, item, action, described, values)
        yield from _idle_problems(item, action, described, values)
        yield from _product_problems(item, action, described, values)


def _input_problems(
    pack: InstrumentPack,
    item: Choice,
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


def _idle_problems(
    item: Choice, action: Action, described: Mapping[str, Any], values: Mapping[str, object]
) -> Iterator[Finding]:
    """Find calibrations that an action asks for, and its recipe would leave aside."""
    if not item.alone:
        return  # they may be for the pipeline
    known = {each["parameter"]: _listed(values[each["parameter"]]) for each in described["tags"]}
    taken = "; ".join(f"{name}: {', '.join(sorted(tags))}" for name, tags in known.items())
    for rule in associations_for(action):
        if not any(rule.tag in tags for tags in known.values()):
            text = (
                f"the Python recipe {item.engine.recipe} does not know the tag {rule.tag}: action {action.name} "
                "asks for the file, and the recipe leaves it aside"
            )
            remedy = (
                f"write a tag that it takes ({taken}), or name this one in the parameters of {item.recipe}; "
                "a tag for information ends in _MASSOC"
            )
            yield Finding("error", rule.file, rule.line, None, "recipe-tags", text, remedy)


def _product_problems(
    item: Choice, action: Action, described: Mapping[str, Any], values: Mapping[str, object]
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
