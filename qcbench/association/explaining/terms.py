"""Conditions in words: each term of a rule with the values that decided it."""

from __future__ import annotations

from difflib import SequenceMatcher
from pathlib import PurePath
from typing import Protocol

from qcbench.oca import ConditionResult, Validity, Value, Window
from qcbench.oca.expressions import INPUT_PREFIX, Comparison, Expression, Key, Literal
from qcbench.oca.validity import TIME_KEY


class Placed(Protocol):
    """A rule that knows where it stands."""

    @property
    def file(self) -> str:
        """The file, or what else the rules came from."""

    @property
    def line(self) -> int:
        """The line, from 1."""


def place_of(rule: Placed, source: str) -> str:
    """Return where a rule stands, such as ``rules.oca:35``."""
    return f"{PurePath(rule.file or source).name}:{rule.line}"


def value_words(value: Value) -> str:
    """Write a header value as a rule would; what is not there is ``missing``."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "T" if value else "F"
    return f'"{value}"' if isinstance(value, str) else f"{value!r}"


def found_words(term: ConditionResult, dt_days: float | None = None) -> str:
    """Say what a term of an association, or of a classification, has met."""
    names = {name.removeprefix(INPUT_PREFIX) for name, _ in term.values}
    # of an epoch it is the time itself that decides
    if {name for name, _ in term.values} == {TIME_KEY, INPUT_PREFIX + TIME_KEY} and dt_days is not None:
        return f"Δt {dt_days:+.2f} d"
    own = {
        name.removeprefix(INPUT_PREFIX): value for name, value in term.values if name.startswith(INPUT_PREFIX)
    }
    other = {name: value for name, value in term.values if not name.startswith(INPUT_PREFIX)}
    if len(names) == 1 and own and other:
        (name,) = names
        return f"AB {value_words(own[name])}, file {value_words(other[name])}"
    parts = [f"{name} of the AB is {value_words(value)}" for name, value in own.items()]
    parts += [f"{name} is {value_words(value)}" for name, value in other.items()]
    return ", ".join(parts)


def limits_words(validity: Validity) -> str:
    """Say how far in time a rule lets a file be."""
    parts = [f"calibration plan {_window_words(window)}" for window in validity.plan]
    if not validity.extended.is_open:
        beyond = "" if validity.extended.is_half_open else "not beyond "
        parts.append(f"{beyond}{_window_words(validity.extended)}")
    return ", ".join(parts) or "no limit in time"


def _window_words(window: Window) -> str:
    if not window.is_half_open:
        return f"{window} d"
    low, _, high = str(window).partition("/")
    return f"not later than {high} d" if high else f"not earlier than {low} d"


def likeness(condition: Expression, value: Value) -> float:
    """Tell how much a value looks like the text that a term wants: 0 to 1, for ``==`` with a text only."""
    match condition:
        case Comparison(operator="==", left=Key(), right=Literal(value=str(wanted))) if isinstance(
            value, str
        ):
            return SequenceMatcher(None, wanted, value).ratio()
    return 0.0
