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
    def is_half_open(self) -> bool:
        """Only one side has a limit."""
        return math.isinf(self.low) != math.isinf(self.high)

    @property
    def is_empty(self) -> bool:
        """Everything is outside."""
        return self.low > self.high

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
        window = window_of(term)
        if window is not None:
            (plan if isinstance(term, Between) and term.preference else hard).append(window)
    return Validity(tuple(plan), reduce(Window.__and__, hard, ALWAYS))


def window_of(term: Expression) -> Window | None:
    """Return the limits that a term sets to the time between candidate and input, however it is written."""
    match term:
        case Between(operand=operand, low=low, high=high):
            window = _at_most(low, operand) & _at_most(operand, high)
        case Comparison(operator="<" | "<=", left=left, right=right):
            window = _at_most(left, right)
        case Comparison(operator=">" | ">=", left=left, right=right):
            window = _at_most(right, left)
        case _:
            return None
    return None if window.is_open else window


@dataclass(frozen=True)
class _Linear:
    """A sum of times: `candidate` times that of the candidate, `asking` times that of the input, and days."""

    candidate: float = 0.0
    asking: float = 0.0
    days: float = 0.0

    def __add__(self, other: _Linear) -> _Linear:
        return _Linear(self.candidate + other.candidate, self.asking + other.asking, self.days + other.days)

    def times(self, factor: float) -> _Linear:
        return _Linear(self.candidate * factor, self.asking * factor, self.days * factor)

    @property
    def is_number(self) -> bool:
        return self.candidate == self.asking == 0


def _at_most(left: Expression, right: Expression) -> Window:
    """Return the window of `left <= right`; that of anything but two times has no limit."""
    first, second = _linear(left), _linear(right)
    if first is None or second is None:
        return ALWAYS
    difference = first + second.times(-1)
    if difference.candidate == 0 or difference.candidate != -difference.asking:
        return ALWAYS
    limit = -difference.days / difference.candidate
    if not math.isfinite(limit):
        return ALWAYS
    return Window(high=limit) if difference.candidate > 0 else Window(low=limit)


def _linear(expression: Expression) -> _Linear | None:
    """Read a sum of times and numbers; None where it is something else."""
    match expression:
        case Key(name="MJD-OBS", of_input=of_input):
            return _Linear(asking=1) if of_input else _Linear(candidate=1)
        case Literal(value=bool()):
            return None
        case Literal(value=int() | float() as value):
            return _Linear(days=float(value))
        case Negative(operand=operand):
            part = _linear(operand)
            return part and part.times(-1)
        case Arithmetic(operator=operator, left=left, right=right):
            first, second = _linear(left), _linear(right)
            return None if first is None or second is None else _calculated(operator, first, second)
    return None


def _calculated(operator: str, left: _Linear, right: _Linear) -> _Linear | None:
    if operator == "+":
        return left + right
    if operator == "-":
        return left + right.times(-1)
    if operator == "*" and left.is_number:
        return right.times(left.days)
    if operator == "*" and right.is_number:
        return left.times(right.days)
    if operator == "/" and right.is_number and right.days:
        return _Linear(left.candidate / right.days, left.asking / right.days, left.days / right.days)
    return None


def _signed(days: float) -> str:
    return "" if math.isinf(days) else f"{days + 0.0:+g}"  # no minus in front of a zero
