"""Why a frame has its type: the classifiers that fired, and, where none did, those that came closest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from qcbench.association.explaining.terms import likeness, place_of
from qcbench.oca import Classifier, ConditionResult, Keys, RuleSet, Value, classify, explain, print_expression
from qcbench.oca.classification import Fired
from qcbench.oca.expressions import Expression, terms_of

CATEGORIES = ("RAW.TYPE", "DO.CATG")
MOST_NEAR = 5


@dataclass(frozen=True)
class Assignment:
    """A key that a classifier assigned; `overwritten_by` is the place of the later rule that changed it."""

    key: str
    value: Value
    overwritten_by: str | None


@dataclass(frozen=True)
class FiredRule:
    """A classifier that was true."""

    place: str
    terms: tuple[ConditionResult, ...]
    assignments: tuple[Assignment, ...]


@dataclass(frozen=True)
class NearRule:
    """A rule that was not true: how many of its conditions are fulfilled, and what it would have given."""

    place: str
    gives: str
    n_met: int
    terms: tuple[ConditionResult, ...]

    @property
    def failing(self) -> tuple[ConditionResult, ...]:
        """The conditions that are not fulfilled."""
        return tuple(term for term in self.terms if not term.truth)


@dataclass(frozen=True)
class Typing:
    """What the classifiers make of a frame."""

    assigned: dict[str, Value]
    fired: tuple[FiredRule, ...]
    nearest: tuple[NearRule, ...]

    def category(self, key: str) -> str | None:
        """Return RAW.TYPE or DO.CATG; None where no rule assigned it."""
        return str(self.assigned[key]) if key in self.assigned else None

    @property
    def is_known(self) -> bool:
        """Some rule gave it a type."""
        return any(key in self.assigned for key in CATEGORIES)


def explain_type(rules: RuleSet, keys: Keys) -> Typing:
    """Say which classifiers give a frame its type, in their order; if none does, which came closest."""
    found = classify(rules, keys)
    typing = Typing(found.assigned, tuple(_fired(rules, keys)), ())
    if typing.is_known:
        return typing
    known = {**keys, **found.assigned}
    return Typing(typing.assigned, typing.fired, tuple(_nearest(rules, known)))


def deciding_keys(typing: Typing) -> tuple[tuple[str, Value], ...]:
    """Return the header values that decided, each once, in the order in which the rules ask for them."""
    rules: Iterable[FiredRule | NearRule] = (*typing.fired, *typing.nearest)
    pairs = (pair for rule in rules for term in rule.terms for pair in term.values)
    return tuple(dict(pairs).items())


def ranked(rules: Iterable[tuple[NearRule, float]]) -> list[NearRule]:
    """Order rules by how many conditions are fulfilled, how few are not, and how alike the failing values are."""
    order = sorted(rules, key=lambda pair: (-pair[0].n_met, len(pair[0].failing), -pair[1]))
    return [rule for rule, _ in order[:MOST_NEAR]]


def near_rule(condition: Expression, known: Keys, place: str, gives: str) -> tuple[NearRule, float]:
    """Return a rule that is not true, and how alike its failing conditions are to the values (0 to 1)."""
    terms = explain(condition, known, known)
    alike = [
        likeness(term, told.values[0][1])
        for term, told in zip(terms_of(condition), terms, strict=True)
        if not told.truth and told.values
    ]
    met = sum(term.truth for term in terms)
    return NearRule(place, gives, met, tuple(terms)), max(alike, default=0.0)


def _fired(rules: RuleSet, keys: Keys) -> Iterator[FiredRule]:
    found = classify(rules, keys)
    places = [place_of(rule, rules.source) for rule in found.rules]
    known: dict[str, Value] = dict(keys)
    for number, (rule, (_, pairs)) in enumerate(zip(found.rules, found.fired, strict=True)):
        terms = tuple(explain(rule.condition, known, known))
        known.update(pairs)
        assignments = tuple(
            Assignment(key, value, _overwritten(found.fired, places, number, key)) for key, value in pairs
        )
        yield FiredRule(places[number], terms, assignments)


def _overwritten(fired: Sequence[Fired], places: Sequence[str], number: int, key: str) -> str | None:
    """Return the place of the next rule that assigned a key again."""
    later = range(number + 1, len(fired))
    return next((places[index] for index in later if key in dict(fired[index][1])), None)


def _nearest(rules: RuleSet, known: Keys) -> list[NearRule]:
    typing = [rule for rule in rules.classifiers if any(key in CATEGORIES for key, _ in rule.assignments)]
    return ranked(
        near_rule(rule.condition, known, place_of(rule, rules.source), _gives(rule)) for rule in typing
    )


def _gives(rule: Classifier) -> str:
    pairs = (pair for pair in rule.assignments if pair[0] in CATEGORIES)
    return ", ".join(f"{key} = {print_expression(value)}" for key, value in pairs)
