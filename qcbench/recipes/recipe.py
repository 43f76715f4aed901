"""What a recipe is: its inputs, parameters and products, and the call that makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qcbench.recipes.failures import RecipeRunError, bad_parameter
from qcbench.recipes.job import Run
from qcbench.recipes.products import Product

Value = str | int | float | bool
_KINDS: Mapping[type, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Parameter:
    """One recipe parameter; the type of its default is its type.

    Attributes
    ----------
    choices : tuple of str
        The only values that a text parameter takes; empty for any.
    minimum : float, optional
        Smallest value that a number takes.
    """

    name: str
    default: Value
    description: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None

    def parse(self, given: object) -> Value:
        """Return a given value (from JSON, or text from a pack) in the parameter's own type.

        Raises
        ------
        RecipeRunError
            The value has another type, is not one of the choices, or is below the minimum.
        """
        try:
            value = self._convert(given)
        except (TypeError, ValueError, KeyError) as err:
            kind = _KINDS[type(self.default)]
            raise bad_parameter(f"Parameter {self.name} is {given!r}: give {kind}") from err
        if self.choices and value not in self.choices:
            raise bad_parameter(f"Parameter {self.name} is {given!r}: give one of {', '.join(self.choices)}")
        if self.minimum is not None and not float(value) >= self.minimum:
            raise bad_parameter(f"Parameter {self.name} is {given!r}: give {self.minimum:g} or more")
        return value

    def _convert(self, given: object) -> Value:
        if isinstance(self.default, bool):
            return given if isinstance(given, bool) else _WORDS[str(given).lower()]
        if isinstance(given, bool):
            raise TypeError("a truth value where a number or a text is needed")
        return type(self.default)(str(given))


@dataclass(frozen=True)
class Input:
    """A kind of input frame; the parameter of this name says which tags (comma-separated) mean it."""

    parameter: str
    required: bool
    minimum: int
    description: str


@dataclass(frozen=True)
class Measurement:
    """A QC parameter that a recipe writes.

    Attributes
    ----------
    name : str
        Its name below ``ESO QC``; ``i`` stands for a number, ``{detector}`` for the name of a detector.
    """

    name: str
    unit: str
    description: str


@dataclass(frozen=True)
class Recipe:
    """A recipe: what it takes, what it makes, and the function that does it.

    Attributes
    ----------
    products : tuple of str
        Names of the parameters that hold the product categories.
    qc : tuple of Measurement
        QC parameters of its products; empty where the recipe does not tell.
    """

    name: str
    version: str
    summary: str
    inputs: tuple[Input, ...]
    parameters: tuple[Parameter, ...]
    products: tuple[str, ...]
    function: Callable[[Run], list[Product]]
    qc: tuple[Measurement, ...] = ()

    def settle(self, given: Mapping[str, object]) -> dict[str, Value]:
        """Return the value of every parameter: the given one or the default."""
        known = {parameter.name: parameter for parameter in self.parameters}
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise bad_parameter(
                f"Recipe {self.name} has no parameter {unknown[0]!r}; it has {', '.join(sorted(known))}"
            )
        return {
            name: parameter.parse(given[name]) if name in given else parameter.default
            for name, parameter in known.items()
        }

    def problems(self, given: Mapping[str, object]) -> dict[str, str]:
        """Return what is wrong with the values of parameters, by their names; unknown ones are left out."""
        found = {}
        for parameter in self.parameters:
            try:
                if parameter.name in given:
                    parameter.parse(given[parameter.name])
            except RecipeRunError as err:
                found[parameter.name] = str(err)
        return found

    def describe(self) -> dict[str, Any]:
        """Return the recipe's face as plain data, for ``list``."""
        defaults = {parameter.name: parameter.default for parameter in self.parameters}
        return {
            "name": self.name,
            "version": self.version,
            "summary": self.summary,
            "tags": [
                {
                    "parameter": item.parameter,
                    "tags": str(defaults[item.parameter]).split(","),
                    "required": item.required,
                    "minimum": item.minimum,
                    "description": item.description,
                }
                for item in self.inputs
            ],
            "parameters": [
                {
                    "name": parameter.name,
                    "default": parameter.default,
                    "type": type(parameter.default).__name__,
                    "choices": list(parameter.choices),
                    "minimum": parameter.minimum,
                    "description": parameter.description,
                }
                for parameter in self.parameters
            ],
            "products": [{"parameter": name, "category": str(defaults[name])} for name in self.products],
            "qc": [
                {
                    "key": f"QC.{item.name.replace(' ', '.')}",
                    "unit": item.unit,
                    "description": item.description,
                }
                for item in self.qc
            ],
        }
