"""Expressions of the rule language: an immutable tree that compiles itself once to Python closures.

Each node answers two questions. `evaluate(candidate, input_keys)` is the value for the rules
proper, where a `tryBetween` filters nothing; `prefer(candidate, input_keys)` takes `tryBetween`
as `between`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property

from qcbench.oca import values
from qcbench.oca.values import Evaluator, Keys, Value

INPUT_PREFIX = "inputFile."
LAST_FRAME_PREFIX = "LF."
FRAME_SIGNAL = "SIG.FRAME"
SIGNAL_KEYS = frozenset({"SIG.TEMPLATE", FRAME_SIGNAL})

_COMPARE: dict[str, Callable[[Value, Value], bool]] = {
    "==": values.equal,
    "!=": values.unequal,
    "?=": values.equal_or_missing,
    "<": values.less,
    "<=": values.at_most,
    ">": lambda left, right: values.less(right, left),
    ">=": lambda left, right: values.at_most(right, left),
}


class Compiled:
    """A value that keeps its closures beside its fields, and leaves them behind when pickled."""

    def __getstate__(self) -> dict[str, object]:
        # only dataclasses are derived from it, which a type can't say
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]


class Expression(Compiled, ABC):
    """A node of the tree. Equal trees are equal values."""

    @abstractmethod
    def compile(self, neutral: bool | None) -> Evaluator:
        """Make the closure of this node.

        Parameters
        ----------
        neutral : bool or None
            What a `tryBetween` counts as so that it filters nothing: True, and False under an
            odd number of `not`. None evaluates it as `between`.
        """

    def children(self) -> tuple[Expression, ...]:
        """Give the nodes below this one, from left to right."""
        return ()

    @cached_property
    def depth(self) -> int:
        """How many nodes are below each other, this one included."""
        return 1 + max((child.depth for child in self.children()), default=0)

    @cached_property
    def evaluate(self) -> Evaluator:
        """The closure in which `tryBetween` filters nothing."""
        return self.compile(neutral=True)

    @cached_property
    def prefer(self) -> Evaluator:
        """The closure in which `tryBetween` is `between`."""
        return self.compile(neutral=None)

    def key_nodes(self) -> Iterator[Key]:
        """Walk over the keys of the tree, from left to right."""
        for child in self.children():
            yield from child.key_nodes()


@dataclass(frozen=True)
class Key(Expression):
    """A header key: of the candidate, or (`inputFile.KEY`) of the file that asks for it."""

    name: str
    of_input: bool = False

    def compile(self, neutral: bool | None) -> Evaluator:
        """Look the key up; signals count as raised. Without a group, the last frame is the frame itself."""
        if self.name in SIGNAL_KEYS:
            return lambda candidate, input_keys: 1
        name = self.header_name
        if self.of_last_frame:
            full = self.name
            return lambda candidate, input_keys: candidate.get(full if full in candidate else name)
        if self.of_input:
            return lambda candidate, input_keys: input_keys.get(name)
        return lambda candidate, input_keys: candidate.get(name)

    @property
    def header_name(self) -> str:
        """The key as it stands in the header, without the prefix of the last frame."""
        return self.name.removeprefix(LAST_FRAME_PREFIX)

    @property
    def is_signal(self) -> bool:
        """It is no header key, but says what set off the rule."""
        return self.name in SIGNAL_KEYS

    @property
    def of_last_frame(self) -> bool:
        """It is a key of the last frame of the group, `LF.KEY`."""
        return self.name.startswith(LAST_FRAME_PREFIX)

    def read(self, candidate: Keys, input_keys: Keys) -> Value:
        """Give the value that the expression sees."""
        return self.evaluate(candidate, input_keys)

    def key_nodes(self) -> Iterator[Key]:
        """Give this key."""
        yield self


@dataclass(frozen=True, eq=False)
class Literal(Expression):
    """A string, a number that is not negative, or a logical (T, F)."""

    value: str | int | float | bool

    def __eq__(self, other: object) -> bool:
        """Tell T from 1, which are equal in Python, but not in the rules."""
        if not isinstance(other, Literal):
            return NotImplemented
        return self.value == other.value and isinstance(self.value, bool) == isinstance(other.value, bool)

    def __hash__(self) -> int:
        return hash((self.value, isinstance(self.value, bool)))

    def compile(self, neutral: bool | None) -> Evaluator:
        """Give the value itself."""
        value = self.value
        return lambda candidate, input_keys: value


@dataclass(frozen=True)
class Negative(Expression):
    """A number with a minus in front."""

    operand: Expression

    def compile(self, neutral: bool | None) -> Evaluator:
        """Subtract from zero, so that what is no number stays missing."""
        operand = self.operand.compile(neutral)
        return lambda candidate, input_keys: values.calculate("-", 0, operand(candidate, input_keys))

    def children(self) -> tuple[Expression, ...]:
        """Give the operand."""
        return (self.operand,)


@dataclass(frozen=True)
class Arithmetic(Expression):
    """Two numbers and one of + - * /."""

    operator: str
    left: Expression
    right: Expression

    def compile(self, neutral: bool | None) -> Evaluator:
        """Combine the values of both sides."""
        left, right, operator = self.left.compile(neutral), self.right.compile(neutral), self.operator
        return lambda candidate, input_keys: values.calculate(
            operator, left(candidate, input_keys), right(candidate, input_keys)
        )

    def children(self) -> tuple[Expression, ...]:
        """Give both sides."""
        return (self.left, self.right)


@dataclass(frozen=True)
class Comparison(Expression):
    """Two values and one of == != ?= < <= > >=."""

    operator: str
    left: Expression
    right: Expression

    def compile(self, neutral: bool | None) -> Evaluator:
        """Compare the values of both sides."""
        left, right, compare = (
            self.left.compile(neutral),
            self.right.compile(neutral),
            _COMPARE[self.operator],
        )
        if self.operator == "==" and isinstance(self.right, Literal) and _is_plain_text(self.right.value):
            text = self.right.value
            return lambda candidate, input_keys: left(candidate, input_keys) == text
        return lambda candidate, input_keys: compare(
            left(candidate, input_keys), right(candidate, input_keys)
        )

    def children(self) -> tuple[Expression, ...]:
        """Give both sides."""
        return (self.left, self.right)


@dataclass(frozen=True)
class Pattern(Expression):
    """A string and a pattern: `like` (with %) or `regexp`."""

    operator: str
    operand: Expression
    pattern: str

    def compile(self, neutral: bool | None) -> Evaluator:
        """Test the value of the operand."""
        operand = self.operand.compile(neutral)
        test = values.like(self.pattern) if self.operator == "like" else values.regexp(self.pattern)
        return lambda candidate, input_keys: test(operand(candidate, input_keys))

    def children(self) -> tuple[Expression, ...]:
        """Give the operand."""
        return (self.operand,)


@dataclass(frozen=True)
class Kind(Expression):
    """A test of what a value is: `is undefined` or `is string`."""

    operand: Expression
    kind: str

    def compile(self, neutral: bool | None) -> Evaluator:
        """Test the value of the operand."""
        operand = self.operand.compile(neutral)
        if self.kind == "undefined":
            return lambda candidate, input_keys: operand(candidate, input_keys) is None
        return lambda candidate, input_keys: isinstance(operand(candidate, input_keys), str)

    def children(self) -> tuple[Expression, ...]:
        """Give the operand."""
        return (self.operand,)


@dataclass(frozen=True)
class Between(Expression):
    """A value within two limits, both included; as a preference (`tryBetween`) it filters nothing."""

    operand: Expression
    low: Expression
    high: Expression
    preference: bool = False

    def compile(self, neutral: bool | None) -> Evaluator:
        """Compare with both limits, or let everything pass."""
        if self.preference and neutral is not None:
            return lambda candidate, input_keys: neutral
        operand, low, high = (node.compile(neutral) for node in self.children())

        def within(candidate: Keys, input_keys: Keys) -> bool:
            value = operand(candidate, input_keys)
            return values.at_most(low(candidate, input_keys), value) and values.at_most(
                value, high(candidate, input_keys)
            )

        return within

    def children(self) -> tuple[Expression, ...]:
        """Give the operand and the two limits."""
        return (self.operand, self.low, self.high)


@dataclass(frozen=True)
class Not(Expression):
    """The opposite of a condition."""

    operand: Expression

    def compile(self, neutral: bool | None) -> Evaluator:
        """Turn the truth of the operand round."""
        operand = self.operand.compile(neutral if neutral is None else not neutral)
        return lambda candidate, input_keys: operand(candidate, input_keys) is not True

    def children(self) -> tuple[Expression, ...]:
        """Give the operand."""
        return (self.operand,)


@dataclass(frozen=True)
class And(Expression):
    """Two or more conditions that must all be true."""

    terms: tuple[Expression, ...]

    def compile(self, neutral: bool | None) -> Evaluator:
        """Stop at the first term that is not true."""
        tests = tuple(term.compile(neutral) for term in self.terms)

        def every(candidate: Keys, input_keys: Keys) -> bool:
            for test in tests:  # noqa: SIM110 - all() over a generator takes twice the time
                if test(candidate, input_keys) is not True:
                    return False
            return True

        return every

    def children(self) -> tuple[Expression, ...]:
        """Give the terms."""
        return self.terms


@dataclass(frozen=True)
class Or(Expression):
    """Two or more conditions of which one must be true."""

    terms: tuple[Expression, ...]

    def compile(self, neutral: bool | None) -> Evaluator:
        """Stop at the first term that is true."""
        tests = tuple(term.compile(neutral) for term in self.terms)

        def some(candidate: Keys, input_keys: Keys) -> bool:
            return any(test(candidate, input_keys) is True for test in tests)

        return some

    def children(self) -> tuple[Expression, ...]:
        """Give the terms."""
        return self.terms


def _is_plain_text(value: Value) -> bool:
    """Tell whether a value is a string that can't equal a number."""
    return isinstance(value, str) and values.as_number(value) is None


def terms_of(condition: Expression) -> Iterator[Expression]:
    """Walk over the terms of the outermost `and`, also of one within it."""
    if not isinstance(condition, And):
        yield condition
        return
    for term in condition.terms:
        yield from terms_of(term)


def has_preference(expression: Expression) -> bool:
    """Tell whether there is a `tryBetween` in it."""
    if isinstance(expression, Between) and expression.preference:
        return True
    return any(has_preference(child) for child in expression.children())
