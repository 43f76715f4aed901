"""What a model says of wrong values, in words for people who write YAML: one sentence for one mistake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_SHOWN = 60
_SCALARS = frozenset({"str", "int", "float", "bool"})
_ANY_SCALAR = "scalar_type"  # a text, a number or a truth value was asked for
_TEXTS: Mapping[str, str] = {
    _ANY_SCALAR: "give a text, a number, or true or false",
    "missing": "this key is missing",
    "model_type": "give keys and values, each key in a line of its own below",
    "dict_type": "give names, each in a line of its own below, as NAME: …",
    "tuple_type": "give a list: [first, second]",
    "string_type": "give a text, in quotes where it looks like a number, a date or a truth value",
    "string_too_short": "give a text",
    "bool_type": "give true or false",
    "bool_parsing": "give true or false",
    "float_type": "give a number",
    "float_parsing": "give a number",
    "finite_number": "give a number that is not infinite and not nan",
    "int_type": "give a whole number",
    "int_parsing": "give a whole number",
    "int_from_float": "give a whole number",
}
# by the patterns of the models
_PATTERNS: Mapping[str, str] = {
    r"^[a-z][a-z0-9_]*$": "give a small letter, then small letters, digits and _ as you like",
    r"^[a-z][a-z0-9_]{0,59}$": "give a small letter, then small letters, digits and _, 60 characters at most",
    r"^[A-Z][A-Z0-9]$": "give two characters: a capital letter, then a capital letter or a digit",
    r"^[A-Z0-9]+$": "give capital letters and digits alone",
    r"^[A-Z][A-Z0-9_]{1,7}$": "give a capital letter, then 1 to 7 capital letters, digits and _",
}


def mistakes(errors: Sequence[Any]) -> Iterator[tuple[Any, str]]:
    """Give each mistake among the errors of a model, and what it is in words.

    Parameters
    ----------
    errors : sequence of ErrorDetails
        As a ValidationError has them.
    """
    for item in _without_doubles(errors):
        follows = item["type"] == "too_short" and any(
            other["loc"][: len(item["loc"])] == item["loc"] and other is not item for other in errors
        )
        if not follows:  # a list is short of an item that is wrong itself
            yield item, f"{_text(item)}{_shown(item)}"


def _without_doubles(errors: Sequence[Any]) -> Iterator[Any]:
    """Give the errors; one for all kinds of value that a key might have had."""
    seen: set[tuple[str | int, ...]] = set()
    for item in errors:
        place = item["loc"]
        if not place or place[-1] not in _SCALARS or item["type"] not in _TEXTS:
            yield item
        elif place[:-1] not in seen:
            seen.add(place[:-1])
            yield {**item, "loc": place[:-1], "type": _ANY_SCALAR}


def _text(item: Any) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind in _TEXTS:
        return _TEXTS[kind]
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], f"give a text that matches {context['pattern']}")
    if kind == "literal_error":
        return f"give {context['expected']}"
    if kind == "too_short":
        return "give at least one"
    if kind.startswith(("datetime_", "date_")):
        example = "time (UT), as 2026-11-19T12:00" if kind.startswith("datetime_") else "date, as 2026-11-19"
        return f"give a {example}" + (f": {context['error']}" if "error" in context else "")
    return str(item["msg"]).replace("Input should be", "give a value that is")


def _shown(item: Any) -> str:
    """Return what stands there now, where that is short and not said yet."""
    value = item["input"]
    if item["type"] in ("missing", "value_error") or isinstance(value, dict | list | tuple):
        return ""
    if value is None:
        return " (there is nothing)"
    text = repr(value)
    return f" (it is {text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'})"
