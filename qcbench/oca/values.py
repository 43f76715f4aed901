"""Values of the rule language: what a header key can hold, and how two of them compare.

A value is a string, a number or a logical; `None` stands for a key that is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

Value: TypeAlias = str | int | float | bool | None
Keys: TypeAlias = Mapping[str, Value]
Evaluator: TypeAlias = Callable[[Keys, Keys], Value]

_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)


def as_number(value: Value) -> int | float | None:
    """Give the number that a value is or spells, else None. A logical is no number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return None


def equal(left: Value, right: Value) -> bool:
    """Tell whether two present values are equal.

    Strings compare exactly, logicals only with logicals, and a number with a string
    only when the string spells a number. A missing value equals nothing.
    """
    if left is None or right is None:
        return False
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, str) == isinstance(right, str):
        return left == right
    first, second = as_number(left), as_number(right)
    return first is not None and first == second


def unequal(left: Value, right: Value) -> bool:
    """Tell whether two values are both present and differ."""
    return left is not None and right is not None and not equal(left, right)


def equal_or_missing(left: Value, right: Value) -> bool:
    """Tell whether two values are equal or one of them is missing: the operator `?=`."""
    return left is None or right is None or equal(left, right)


def less(left: Value, right: Value) -> bool:
    """Tell whether `left` comes before `right`: two strings by character, else as numbers."""
    if isinstance(left, str) and isinstance(right, str):
        return left < right
    first, second = as_number(left), as_number(right)
    return first is not None and second is not None and first < second


def at_most(left: Value, right: Value) -> bool:
    """Tell whether `left` comes before `right` or is equal to it."""
    if isinstance(left, str) and isinstance(right, str):
        return left <= right
    first, second = as_number(left), as_number(right)
    return first is not None and second is not None and first <= second


def calculate(operator: str, left: Value, right: Value) -> Value:
    """Combine two numbers; missing when one is no number, or on a division by zero."""
    first, second = as_number(left), as_number(right)
    if first is None or second is None:
        return None
    if operator == "+":
        return first + second
    if operator == "-":
        return first - second
    if operator == "*":
        return first * second
    return first / second if second else None


def like(pattern: str) -> Callable[[Value], bool]:
    """Make the test of `like`: `%` stands for any characters, all else for itself, case counts."""
    core = pattern.strip("%")
    if "%" not in pattern:
        return lambda value: value == pattern
    if "%" in core or not core:
        parts = ".*".join(re.escape(part) for part in pattern.split("%"))
        match = re.compile(parts, re.DOTALL).fullmatch
        return lambda value: isinstance(value, str) and match(value) is not None
    if pattern.startswith("%") and pattern.endswith("%"):
        return lambda value: isinstance(value, str) and core in value
    if pattern.startswith("%"):
        return lambda value: isinstance(value, str) and value.endswith(core)
    return lambda value: isinstance(value, str) and value.startswith(core)


def regexp(pattern: str) -> Callable[[Value], bool]:
    """Make the test of `regexp`: the whole string must match the regular expression."""
    match = re.compile(pattern).fullmatch
    return lambda value: isinstance(value, str) and match(value) is not None
