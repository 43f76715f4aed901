"""Which categories files can have under a rule set: what its classifiers assign, and what its products are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

from qcbench.oca.asking import named_text
from qcbench.oca.cascade import product_tags
from qcbench.oca.classification import Classifier
from qcbench.oca.expressions import Comparison, Expression, Key, Literal, Pattern
from qcbench.oca.reasoning import Alternative, Term, alternatives, contradiction
from qcbench.oca.rules import RuleSet
from qcbench.oca.tagging import CATEGORY_KEYS
from qcbench.oca.values import Value


class Categories:
    """The categories of a rule set.

    Parameters
    ----------
    static : collection of str
        Categories of general calibrations, which no action makes.
    """

    def __init__(self, rules: RuleSet, static: Collection[str]):
        self._rules, self._static = rules, frozenset(static)

    def can_be(self, key: str, value: Value) -> bool:
        """Tell whether a file might have a category.

        The rules that come with a pipeline say nothing of products; there, every PRO.CATG that a classifier
        asks for counts as made by somebody.
        """
        if key not in CATEGORY_KEYS or value in self._static:
            return True
        if value in self._assigned[key] or value in self._of_products[key]:
            return True
        if self._has_products:
            return self._is_copied(key, but_not_from="PRO.CATG")
        return self._is_copied(key) or (key == "PRO.CATG" and self._is_asked_for(value))

    def can_fulfil(self, key: Key, terms: Sequence[Term]) -> bool:
        """Tell whether a file might have a category of which some terms come out as they have to."""
        name = key.header_name
        named = named_text(terms)
        if named is not None:
            return self.can_be(name, named)
        if self._is_open(name):
            return True
        known = {None, *self._static, *self._assigned[name], *self._of_products[name]}
        return _some_fulfils(key, terms, known)

    def can_be_before(self, number: int, key: Key, terms: Sequence[Term]) -> bool:
        """Tell whether a file might have a category when the classifier of a number (from 0) is asked."""
        name = key.header_name
        above = [
            pair for rule in self._rules.classifiers[:number] for pair in rule.assignments if pair[0] == name
        ]
        if not all(isinstance(value, Literal) for _, value in above):
            return True
        known = {None, *self._static, *self._declared(name)}
        known |= {value.value for _, value in above if isinstance(value, Literal)}
        return _some_fulfils(key, terms, known)

    def can_be_together(self, first: tuple[str, str], second: tuple[str, str]) -> bool:
        """Tell whether a raw frame might have two categories at once."""
        if not (self._is_only_assigned(*first) and self._is_only_assigned(*second)):
            return True
        return any(
            self._can_both_fire(one, other)
            for one in self._assigning(*first)
            for other in self._assigning(*second)
        )

    def _is_only_assigned(self, key: str, value: str) -> bool:
        """Tell whether a file has a category only if a classifier names it."""
        is_given = value in self._static or value in self._declared(key)
        return not is_given and not self._is_copied(key)

    def _assigning(self, key: str, value: str) -> list[Classifier]:
        return [rule for rule in self._rules.classifiers if (key, Literal(value)) in rule.assignments]

    def _can_both_fire(self, rule: Classifier, other: Classifier) -> bool:
        both = self._of_header(rule), self._of_header(other)
        if rule is other or None in both:
            return True
        return any(contradiction(one + two) is None for one in both[0] or () for two in both[1] or ())

    def _of_header(self, rule: Classifier) -> list[Alternative] | None:
        """Return the alternatives of a classifier, without what it asks of keys that rules assign."""
        found = alternatives(rule.condition)
        assigned = {key for key, _ in self._assignments()}
        if found is None:
            return None
        return [
            tuple(term for term in terms if not any(key.header_name in assigned for key in term.keys))
            for terms in found
        ]

    def _is_open(self, key: str) -> bool:
        """Tell whether a file may have a category that the rules don't name."""
        if self._has_products:
            return self._is_copied(key, but_not_from="PRO.CATG")
        return self._is_copied(key) or key == "PRO.CATG"

    def _declared(self, key: str) -> set[Value]:
        """Return the values that product clauses give to a key."""
        return {
            value.value
            for action in self._rules.actions
            for product in action.products
            for name, value in product.keys
            if name == key and isinstance(value, Literal)
        }

    @cached_property
    def _has_products(self) -> bool:
        return any(action.products for action in self._rules.actions)

    @cached_property
    def _assigned(self) -> dict[str, set[Value]]:
        found: dict[str, set[Value]] = {key: set() for key in CATEGORY_KEYS}
        for key, value in self._assignments():
            if key in found and isinstance(value, Literal):
                found[key].add(value.value)
        return found

    @cached_property
    def _of_products(self) -> dict[str, set[Value]]:
        found: dict[str, set[Value]] = {key: set() for key in CATEGORY_KEYS}
        for action in self._rules.actions:
            for product in action.products:
                tags = product_tags(self._rules, product)
                for key in CATEGORY_KEYS:
                    found[key] |= tags[key]
        return found

    def _is_copied(self, key: str, but_not_from: str = "") -> bool:
        """Tell whether a classifier assigns to a key what another key holds."""
        return any(
            name == key and any(node.name != but_not_from for node in value.key_nodes())
            for name, value in self._assignments()
        )

    def _is_asked_for(self, value: Value) -> bool:
        """Tell whether a classifier would take a product of this PRO.CATG."""
        asked = [term for rule in self._rules.classifiers for term in _terms_on(rule.condition, "PRO.CATG")]
        named = [term for term in asked if isinstance(term.condition, Comparison | Pattern)]
        # a file that never names a PRO.CATG says nothing of products at all
        open_to_all = len(named) < len(asked) or not named
        return open_to_all or any(term.allows(Key("PRO.CATG"), value) for term in named)

    def _assignments(self) -> Iterator[tuple[str, Expression]]:
        for rule in self._rules.classifiers:
            yield from rule.assignments


def _terms_on(condition: Expression, key: str) -> Iterator[Term]:
    for terms in alternatives(condition) or ():
        yield from (term for term in terms if term.holds and term.keys == {Key(key)})


def _some_fulfils(key: Key, terms: Sequence[Term], values: Collection[Value]) -> bool:
    return any(all(term.allows(key, value) for term in terms) for value in values)
