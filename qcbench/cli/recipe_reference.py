"""The reference page of the Python recipes, from what they say of themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

_TYPES = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
_ABOUT = (
    "The recipes that come with qcbench. A pack names them in `recipes` of `instrument.yaml`: "
    "`{engine: python, recipe: bias, parameters: {raw_tags: BIAS}}`; parameters that it does not name have the value "
    "under *default*. [How to add an instrument](../how-to/add-an-instrument.md) says what is named where.\n\n"
    "*Input* are files of the set of frames by their tags: DO.CATG of raw frames, `as TAG` of calibrations in "
    "`rules.oca`. Files with other tags are left aside. In QC keys `i` stands for a number (the pair of frames), "
    "`{detector}` for the name of a detector; a key is in the header of the extension of its detector.\n"
)


def recipe_parts(table: Callable[[Sequence[str], Iterable[Sequence[str]]], str]) -> Iterator[str]:
    """Give the parts of the page below its title.

    Parameters
    ----------
    table : callable
        Makes the text of a table from heads and rows.
    """
    yield _ABOUT
    command = [sys.executable, "-m", "qcbench.recipes", "list"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    for recipe in json.loads(answer.stdout):
        yield f"## {recipe['name']}\n\n{recipe['summary']}. Version {recipe['version']}.\n"
        inputs = (
            (f"`{item['parameter']}`", item["description"], _tags(item["tags"]), _number(item))
            for item in recipe["tags"]
        )
        yield table(("input", "what it is", "tags, by default", "files"), inputs)
        parameters = (
            (f"`{item['name']}`", _kind(item), f"`{_value(item['default'])}`", item["description"])
            for item in recipe["parameters"]
        )
        yield table(("parameter", "type", "default", "meaning"), parameters)
        products = ((f"`{item['category']}`", f"`{item['parameter']}`") for item in recipe["products"])
        yield table(("product (PRO.CATG), by default", "parameter that names it"), products)
        measured = ((f"`{item['key']}`", item["unit"], item["description"]) for item in recipe["qc"])
        yield table(("QC key", "unit", "meaning"), measured)


def _tags(tags: Sequence[str]) -> str:
    return ", ".join(f"`{tag}`" for tag in tags)


def _number(item: Mapping[str, Any]) -> str:
    return f"{item['minimum']} or more" if item["required"] else "if there are any"


def _kind(item: Mapping[str, Any]) -> str:
    if item["choices"]:
        return " or ".join(f"`{choice}`" for choice in item["choices"])
    return _TYPES[item["type"]] + (f", {item['minimum']:g} or more" if item["minimum"] is not None else "")


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
