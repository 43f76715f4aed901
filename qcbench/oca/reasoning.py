"""What can be said of a condition without looking at any file: that it is never true, or follows from another.

A condition is taken apart into alternatives (an `or` of `and`s). What is not certain is not said: a condition with
too many alternatives, or one that compares keys with each other, counts as possible.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from qcbench.oca.expressions import And, Between, Comparison, Expression, Key, Kind, Not, Or, Pattern
from qcbench.oca.validity import window_of
from qcbench.oca.values import Value, as_number, like

MAX_ALTERNATIVES = 2000
_SWAPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True)
class Term:
    """A condition with no `and`, `or` and `not` inside, and whether it has to be true or not."""

    condition: Expression
    holds: bool = True

    @cached_property
    def keys(self) -> frozenset[Key]:
        """The keys that it reads."""
        return frozenset(self.condition.key_nodes())

    def allows(self, key: Key, value: Value) -> bool:
        """Tell whether it comes out as it has to where its only key has a value."""
        known = {key.name: value}
        return (self.condition.evaluate(known, known) is True) == self.holds

    def equality(self) -> tuple[Key, Value] | None:
        """Return the key and the value where it says that a key has a value."""
        compared = _comparison(self)
        if compared and compared[1] == "==":
            return compared[0], compared[2]
        match self.condition:
            case Key() if self.holds:
                return self.condition, True
            case Pattern(operator="like", operand=Key() as key, pattern=text) if (
                self.holds and "%" not in text
            ):
                return key, text
        return None


Alternative = tuple[Term, ...]


def alternatives(condition: Expression) -> tuple[Alternative, ...] | None:
    """Take a condition apart: it is true when all terms of an alternative are; None where there are too many."""
    found = _split(condition, holds=True)
    return None if found is None else tuple(tuple(dict.fromkeys(terms)) for terms in found)


def is_possible(condition: Expression) -> bool:
    """Tell whether a condition might be true; False only where it can't be."""
    found = alternatives(condition)
    return found is None or any(contradiction(terms) is None for terms in found)


def why_impossible(condition: Expression) -> tuple[Term, ...]:
    """Return terms that contradict each other, in a condition that can't be true."""
    for terms in alternatives(condition) or ():
        wrong = contradiction(terms)
        if wrong is not None:
            return wrong
    return ()


def implies(condition: Expression, other: Expression) -> bool:
    """Tell whether another condition is certainly true whenever a condition is."""
    found, others = alternatives(condition), alternatives(other)
    return found is not None and others is not None and implied(found, others)


def implied(found: Iterable[Alternative], others: Sequence[Alternative]) -> bool:
    """Tell whether one of other alternatives is certainly true whenever one of some alternatives is."""
    return all(any(_covers(terms, wanted) for wanted in others) for terms in found)


def contradiction(terms: Alternative) -> tuple[Term, ...] | None:
    """Return terms of an alternative that can't all come out as they have to; None where none are found."""
    for term in terms:
        if not term.keys - _signals(term) and (term.condition.evaluate({}, {}) is True) != term.holds:
            return (term,)
        if Term(term.condition, not term.holds) in terms:
            return (term, Term(term.condition, not term.holds))
    for key in dict.fromkeys(key for term in terms for key in term.keys):
        wrong = _contradiction_of(key, [term for term in terms if term.keys == {key}])
        if wrong is not None:
            return wrong
    return _no_time(terms)


def _no_time(terms: Alternative) -> tuple[Term, ...] | None:
    """Find limits of the time between candidate and input that leave none."""
    limits = [(term, window) for term in terms if term.holds and (window := window_of(term.condition))]
    for number, (term, window) in enumerate(limits):
        for other, another in limits[number:]:
            if (window & another).is_empty:
                return tuple(dict.fromkeys((term, other)))
    return None


def _split(condition: Expression, *, holds: bool) -> list[Alternative] | None:
    match condition:
        case Not(operand):
            return _split(operand, holds=not holds)
        case And(terms) | Or(terms):
            parts = [_split(term, holds=holds) for term in terms]
            known = [part for part in parts if part is not None]
            if len(known) < len(parts):
                return None
            if isinstance(condition, And) == holds:
                return _all_of(known)
            joined = [alternative for part in known for alternative in part]
            return joined if len(joined) <= MAX_ALTERNATIVES else None
        case Between(preference=True):
            return [()]  # it filters nothing
    return [(Term(condition, holds),)]


def _all_of(parts: list[list[Alternative]]) -> list[Alternative] | None:
    if math.prod(map(len, parts)) > MAX_ALTERNATIVES:
        return None
    return [tuple(term for alternative in chosen for term in alternative) for chosen in product(*parts)]


def _signals(term: Term) -> frozenset[Key]:
    return frozenset(key for key in term.keys if key.is_signal)


def _contradiction_of(key: Key, terms: list[Term]) -> tuple[Term, ...] | None:
    """Look for a contradiction among terms that read one and the same key."""
    for term in terms:
        values = _only_values(term, terms)
        if values is not None:
            others = [other for other in terms if not any(other.allows(key, value) for value in values)]
            if others:
                return (term, others[0])
            if not any(all(other.allows(key, value) for other in terms) for value in values):
                return tuple(terms)
            return None
    return _empty_range(terms) or _two_starts(terms)


def _only_values(term: Term, terms: Iterable[Term]) -> list[Value] | None:
    """Return the only values that a key can have where a term holds; None where there are more."""
    if term.holds and isinstance(term.condition, Kind) and term.condition.kind == "undefined":
        return [None] if isinstance(term.condition.operand, Key) else None
    equality = term.equality()
    if equality is None:
        return None
    value = equality[1]
    number = as_number(value)
    if isinstance(value, str):
        return [value] if number is None else [value, number]
    if isinstance(value, bool):
        return [value]
    # a number can be spelt as text in many ways, and texts compare by character
    if any(not _is_numeric(other) for other in terms):
        return None
    return [value, repr(value)]


def _is_numeric(term: Term) -> bool:
    """Tell whether a term can't tell two spellings of a number apart."""
    if isinstance(term.condition, Kind):
        return True
    if isinstance(term.condition, Between):
        return isinstance(term.condition.operand, Key) and len(list(_limits(Term(term.condition)))) == 2
    compared = _comparison(Term(term.condition))
    return compared is not None and not isinstance(compared[2], str)


def _comparison(term: Term) -> tuple[Key, str, Value] | None:
    """Return key, operator and value of a comparison of a key with a constant that has to hold."""
    if not term.holds or not isinstance(term.condition, Comparison):
        return None
    left, operator, right = term.condition.left, term.condition.operator, term.condition.right
    if not isinstance(left, Key) and operator in _SWAPPED:
        left, operator, right = right, _SWAPPED[operator], left
    if not isinstance(left, Key) or not _is_constant(right):
        return None
    return left, operator, right.evaluate({}, {})


def _is_constant(expression: Expression) -> bool:
    return not any(True for _ in expression.key_nodes())


def _empty_range(terms: Iterable[Term]) -> tuple[Term, ...] | None:
    """Find limits of a number between which there is none."""
    low, high = (-math.inf, False), (math.inf, False)
    lowest = highest = None
    for term in terms:
        for limit, is_low, strict in _limits(term):
            if is_low and (limit, strict) > low:
                low, lowest = (limit, strict), term
            if not is_low and (-limit, strict) > (-high[0], high[1]):
                high, highest = (limit, strict), term
    if lowest is None or highest is None:
        return None
    empty = low[0] > high[0] or (low[0] == high[0] and (low[1] or high[1]))
    return tuple(dict.fromkeys((lowest, highest))) if empty else None


def _limits(term: Term) -> Iterator[tuple[float, bool, bool]]:
    """Give the limits that a term sets to a number: each limit, whether it is the lower one and is itself out."""
    compared = _comparison(term)
    if compared and compared[1] in ("<", "<=", ">", ">=") and not isinstance(compared[2], str):
        number = as_number(compared[2])
        if number is not None:
            yield number, compared[1] in (">", ">="), compared[1] in ("<", ">")
    if term.holds and isinstance(term.condition, Between) and isinstance(term.condition.operand, Key):
        for limit, is_low in ((term.condition.low, True), (term.condition.high, False)):
            if _is_constant(limit) and not isinstance(value := limit.evaluate({}, {}), str):
                number = as_number(value)
                if number is not None:
                    yield number, is_low, False


def _two_starts(terms: Iterable[Term]) -> tuple[Term, ...] | None:
    """Find two patterns that want a text to begin, or to end, in two ways."""
    likes = [term for term in terms if term.holds and _like(term) is not None]
    for number, term in enumerate(likes):
        for other in likes[number + 1 :]:
            first, second = str(_like(term)), str(_like(other))
            starts = first.partition("%")[0], second.partition("%")[0]
            ends = first.rpartition("%")[2], second.rpartition("%")[2]
            fit_starts = starts[0].startswith(starts[1]) or starts[1].startswith(starts[0])
            fit_ends = ends[0].endswith(ends[1]) or ends[1].endswith(ends[0])
            if not fit_starts or not fit_ends:
                return (term, other)
    return None


def _like(term: Term) -> str | None:
    """Return the pattern of a `like` of a key."""
    match term.condition:
        case Pattern(operator="like", operand=Key(), pattern=pattern):
            return pattern
    return None


def _covers(terms: Alternative, wanted: Alternative) -> bool:
    """Tell whether all wanted terms come out as they have to where all terms do."""
    return all(
        _is_always_true(other) or any(_entails(term, other) for term in terms) or _is_within(terms, other)
        for other in wanted
    )


def _entails(term: Term, other: Term) -> bool:
    if term == other:
        return True
    equality = term.equality()
    if equality and other.keys == {equality[0]}:
        values = _only_values(term, (term, other))
        return values is not None and all(other.allows(equality[0], value) for value in values)
    return term.holds and other.holds and term.keys == other.keys and _contains(_like(term), _like(other))


def _contains(pattern: str | None, other: str | None) -> bool:
    """Tell whether a text that is like a pattern is certainly like another one."""
    # of the other's signs only its % fit the % of the pattern, whatever that stands for
    return pattern is not None and other is not None and like(other)(pattern)


def _is_always_true(term: Term) -> bool:
    return not term.keys and (term.condition.evaluate({}, {}) is True) == term.holds


def _is_within(terms: Alternative, other: Term) -> bool:
    """Tell whether the limits that terms set to a number lie within those of another term."""
    own = [limit for term in terms if term.keys == other.keys for limit in _limits(term)]
    wanted = list(_limits(other)) if other.holds else []
    whole = len(wanted) == (2 if isinstance(other.condition, Between) else 1)
    return whole and all(any(_is_tighter(limit, needed) for limit in own) for needed in wanted)


def _is_tighter(limit: tuple[float, bool, bool], other: tuple[float, bool, bool]) -> bool:
    (value, is_low, strict), (wanted, wants_low, wants_strict) = limit, other
    beyond = value > wanted if is_low else value < wanted
    return is_low == wants_low and (beyond or (value == wanted and (strict or not wants_strict)))
