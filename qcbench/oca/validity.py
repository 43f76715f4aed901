"""Validity in time: how far from a group a calibration may lie, as the condition of an association says it.

`between` is the extended validity, a hard limit; `tryBetween` is the calibration plan, a preference.
Source: dfos documentation (OCA_syntax.html, createCalibMap.html); the signs of the legend are its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce

from qcbench.oca.expressions import (
    Arithmetic,
    Between,
    Comparison,
    Expression,
    Key,
    Literal,
    Negative,
    terms_of,
)

TIME_KEY = "MJD-OBS"


@dataclass(frozen=True)
class Window:
    """Limits of calibration minus input, in days; infinite where there is none."""

    low: float = -math.inf
    high: float = math.inf

    def __contains__(self, dt_days: float) -> bool:
        return self.low <= dt_days <= self.high

    def __and__(self, other: Window) -> Window:
        """Return what is in both."""
        return Window(max(self.low, other.low), min(self.high, other.high))

    @property
    def is_open(self) -> bool:
        """Nothing is outside."""
        return self.low == -math.inf and self.high == math.inf

    @property
    def reach(self) -> float:
        """The largest distance in time that is inside, days."""
        return max(abs(self.low), abs(self.high))

    def __str__(self) -> str:
        return f"{_signed(self.low)}/{_signed(self.high)}"


ALWAYS = Window()


@dataclass(frozen=True)
class Validity:
    """Limits in time of an association.

    Attributes
    ----------
    plan : tuple of Window
        The calibration plan: each `tryBetween` on the time, in the order of the rule.
    extended : Window
        The hard limit: each `between` and comparison of the times.
    """

    plan: tuple[Window, ...] = ()
    extended: Window = ALWAYS

    def legend(self, *, static: bool = False) -> str:
        """Return the validity as the calibration map shows it.

        ``T`` no limit, ``GT`` a general calibration without limit, ``<`` the previous one, ``[-1/+1]`` calibration
        plan, ``(-7/+7)`` extended validity, ``|-1/+1|-7/+7`` both.
        """
        plan = "|".join(str(window) for window in self.plan)
        if self.extended.is_open:
            return f"[{plan}]" if plan else ("GT" if static else "T")
        if self.extended.low == -math.inf and self.extended.high == 0:
            return f"<[{plan}]" if plan else "<"
        return f"|{plan}|{self.extended}" if plan else f"({self.extended})"


def validity_of(condition: Expression) -> Validity:
    """Read the limits in time from the terms of the outermost `and`; any other form does not limit the time."""
    plan: list[Window] = []
    hard: list[Window] = []
    for term in terms_of(condition):
        match term:
            case Between(operand=Key(name="MJD-OBS", of_input=False), low=low, high=high):
                window = Window(_offset(low, -math.inf), _offset(high, math.inf))
                (plan if term.preference else hard).append(window)
            case Comparison():
                hard.append(_compared(term))
    return Validity(
        tuple(window for window in plan if not window.is_open),
        reduce(Window.__and__, hard, ALWAYS),
    )


def _offset(expression: Expression, default: float) -> float:
    """Return what is added to the time of the input (days); the default where it is something else."""
    match expression:
        case Key(name="MJD-OBS", of_input=True):
            return 0.0
        case Arithmetic(operator=("+" | "-") as operator, left=left, right=right):
            base, step = _offset(left, default), _number(right)
            if math.isfinite(base) and step is not None:
                return base + step if operator == "+" else base - step
    return default


def _number(expression: Expression) -> float | None:
    match expression:
        case Literal(value=bool()):
            return None
        case Literal(value=int() | float() as value):
            return float(value)
        case Negative(operand=operand):
            return _calculated("-", 0.0, _number(operand))
        case Arithmetic(operator=operator, left=left, right=right):
            return _calculated(operator, _number(left), _number(right))
    return None


def _calculated(operator: str, left: float | None, right: float | None) -> float | None:
    if left is None or right is None or (operator == "/" and right == 0):
        return None
    return {"+": left + right, "-": left - right, "*": left * right}.get(
        operator, left / right if right else None
    )


def _compared(term: Comparison) -> Window:
    """Return the window of a comparison of two times, or of their difference with a number."""
    forward = {"<": "<", "<=": "<", ">": ">", ">=": ">"}.get(term.operator)
    if forward is None:
        return ALWAYS
    backward = "<" if forward == ">" else ">"
    match term.left, term.right:
        case Key(name="MJD-OBS", of_input=False), right:
            return _half(forward, _offset(right, math.nan))
        case left, Key(name="MJD-OBS", of_input=False):
            return _half(backward, _offset(left, math.nan))
        case Arithmetic(operator="-", left=first, right=second), limit:
            return _difference(forward, first, second, _number(limit))
        case limit, Arithmetic(operator="-", left=first, right=second):
            return _difference(backward, first, second, _number(limit))
    return ALWAYS


def _difference(operator: str, first: Expression, second: Expression, limit: float | None) -> Window:
    if limit is None:
        return ALWAYS
    match first, second:
        case Key(name="MJD-OBS", of_input=False), Key(name="MJD-OBS", of_input=True):
            return _half(operator, limit)
        case Key(name="MJD-OBS", of_input=True), Key(name="MJD-OBS", of_input=False):
            return _half("<" if operator == ">" else ">", -limit)
    return ALWAYS


def _half(operator: str, limit: float) -> Window:
    if math.isnan(limit):
        return ALWAYS
    return Window(high=limit) if operator == "<" else Window(low=limit)


def _signed(days: float) -> str:
    return "" if math.isinf(days) else f"{days + 0.0:+g}"  # no minus in front of a zero
