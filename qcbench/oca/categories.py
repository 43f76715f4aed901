"""Which categories files can have under a rule set: what its classifiers assign, and what its products are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property

from qcbench.oca.cascade import product_tags
from qcbench.oca.expressions import Comparison, Expression, Key, Literal, Pattern
from qcbench.oca.reasoning import Term, alternatives
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
