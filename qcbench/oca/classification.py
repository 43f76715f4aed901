"""Classification: the first step of AB creation gives each file its type from its header."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from qcbench.oca.expressions import SIGNAL_KEYS, Expression
from qcbench.oca.values import Evaluator, Keys, Value

_REMEMBERED = 4096

# the categories by which rules know a raw file
TYPE_KEYS = ("RAW.TYPE", "DO.CATG")


@dataclass(frozen=True)
class Classifier:
    """A rule `if condition then { key = value; … }`."""

    condition: Expression
    assignments: tuple[tuple[str, Expression], ...] = ()
    line: int = field(default=0, compare=False)
    file: str = field(default="", compare=False)

    def expressions(self) -> Iterator[Expression]:
        """Walk over the condition and the assigned values."""
        yield self.condition
        for _, value in self.assignments:
            yield value


Fired = tuple[int, tuple[tuple[str, Value], ...]]


@dataclass(frozen=True)
class Classification:
    """What the rules say of one file.

    Attributes
    ----------
    assigned : dict
        Each key that was assigned, with the value of the last rule that assigned it.
    fired : tuple of (line, assignments)
        Each rule that was true, in the order of the rules, with what it assigned.
    rules : tuple of Classifier
        The rules of `fired`: they know the file, too, which matters where files are included.
    """

    assigned: dict[str, Value]
    fired: tuple[Fired, ...]
    rules: tuple[Classifier, ...] = ()

    @property
    def has_type(self) -> bool:
        """The file got one of the categories by which rules know it; other keys alone don't make a type."""
        return any(key in self.assigned for key in TYPE_KEYS)


class ClassifierProgram:
    """The classifiers of one rule set as closures.

    Frames of one setup agree in all keys that the classifiers read, so the outcome is
    remembered by the values of those keys.
    """

    def __init__(self, classifiers: tuple[Classifier, ...]):
        self._steps: tuple[tuple[Evaluator, tuple[tuple[str, Evaluator], ...], Classifier], ...] = tuple(
            (
                rule.condition.evaluate,
                tuple((key, value.evaluate) for key, value in rule.assignments),
                rule,
            )
            for rule in classifiers
        )
        nodes = (node for rule in classifiers for value in rule.expressions() for node in value.key_nodes())
        self._keys = tuple(sorted({node.header_name for node in nodes if node.name not in SIGNAL_KEYS}))
        # typed: 1, 1.0 and T are equal in Python, but not in the rules
        self._remembered = lru_cache(maxsize=_REMEMBERED, typed=True)(self._run)

    def __call__(self, keys: Keys) -> Classification:
        """Classify a file by its header keys."""
        fired, rules = self._remembered(*map(keys.get, self._keys))
        return Classification(dict(pair for _, pairs in fired for pair in pairs), fired, rules)

    def _run(self, *read: Value) -> tuple[tuple[Fired, ...], tuple[Classifier, ...]]:
        known: dict[str, Value] = dict(zip(self._keys, read, strict=True))
        fired, rules = [], []
        for condition, assignments, rule in self._steps:
            if condition(known, known) is not True:
                continue
            pairs = tuple((key, value(known, known)) for key, value in assignments)
            present = tuple(pair for pair in pairs if pair[1] is not None)
            known.update(present)
            fired.append((rule.line, present))
            rules.append(rule)
        return tuple(fired), tuple(rules)
