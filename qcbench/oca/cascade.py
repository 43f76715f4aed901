"""The calibration cascade that a rule set describes: which action needs what another one makes.

Source: QC handbook (VLT-SPE-ESO-19600-3986), section 4.1.2.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from qcbench.oca.evaluate import classify
from qcbench.oca.expressions import Comparison, Expression, Key, Literal, Or, terms_of
from qcbench.oca.rules import Association, Product, RuleSet
from qcbench.oca.validity import Validity, validity_of
from qcbench.oca.values import Keys, Value

CATEGORY_KEYS = ("PRO.CATG", "DO.CATG", "RAW.TYPE")


@dataclass(frozen=True)
class Need:
    """A calibration that an action needs.

    Attributes
    ----------
    categories : frozenset of str
        The values of PRO.CATG, DO.CATG or RAW.TYPE that fit; empty where the condition does not say.
    makers : tuple of str
        The actions that make a product of these categories, in the order of the rules; for raw files
        there are none.
    """

    action: str
    association: Association
    categories: frozenset[str]
    makers: tuple[str, ...]
    validity: Validity

    @property
    def is_raw(self) -> bool:
        """It asks for raw files."""
        return self.association.source == "rawFiles"


@dataclass(frozen=True)
class Cascade:
    """All needs of a rule set, and the order that follows from them."""

    needs: tuple[Need, ...]
    actions: tuple[str, ...]

    def needs_of(self, action: str) -> tuple[Need, ...]:
        """Return what an action needs, in the order of its rules."""
        return self._needs.get(action, ())

    def depth(self, action: str) -> int:
        """Return how many actions must come before this one; actions of one cycle have the same depth."""
        return self._depths.get(action, 0)

    def in_cycle_with(self, action: str, other: str) -> bool:
        """Tell whether two actions need each other, directly or through others; an action may need itself."""
        return any(action in cycle and other in cycle for cycle in self.cycles)

    @cached_property
    def cycles(self) -> tuple[tuple[str, ...], ...]:
        """Actions that need each other, also an action that needs its own product, in the order of the rules."""
        found = {
            tuple(
                other
                for other in self.actions
                if action in self._above[other] and other in self._above[action]
            )
            for action in self.actions
        }
        return tuple(
            sorted((cycle for cycle in found if cycle), key=lambda cycle: self.actions.index(cycle[0]))
        )

    @cached_property
    def _needs(self) -> Mapping[str, tuple[Need, ...]]:
        found: dict[str, list[Need]] = defaultdict(list)
        for need in self.needs:
            found[need.action].append(need)
        return {action: tuple(needs) for action, needs in found.items()}

    @cached_property
    def _parents(self) -> Mapping[str, tuple[str, ...]]:
        known = set(self.actions)
        return {
            action: tuple(
                dict.fromkeys(
                    maker for need in self.needs_of(action) for maker in need.makers if maker in known
                )
            )
            for action in self.actions
        }

    @cached_property
    def _above(self) -> Mapping[str, frozenset[str]]:
        """All actions that must come before each action, directly or through others."""
        above = {action: set(parents) for action, parents in self._parents.items()}
        for middle in self.actions:  # Warshall's closure
            for reached in above.values():
                if middle in reached:
                    reached |= above[middle]
        return {action: frozenset(reached) for action, reached in above.items()}

    @cached_property
    def _depths(self) -> Mapping[str, int]:
        depths: dict[str, int] = {}
        # an action has fewer actions above it than any that needs it, unless they need each other
        for action in sorted(self.actions, key=lambda name: len(self._above[name])):
            before = self._above[action]
            depths[action] = max(
                (depths[name] + 1 for name in before if action not in self._above[name]), default=0
            )
        return depths


def cascade_of(rules: RuleSet) -> Cascade:
    """Read the cascade of a rule set."""
    # where a name is defined twice, the last one holds
    actions = {action.name: action for action in rules.actions}
    makers: dict[str, list[str]] = defaultdict(list)
    for action in actions.values():
        for product in action.products:
            for category in product_categories(rules, product):
                makers[category].append(action.name)
    needs = tuple(
        Need(
            action.name,
            association,
            categories := categories_of(association.condition),
            () if association.source == "rawFiles" else _makers(categories, makers),
            validity_of(association.condition),
        )
        for action in actions.values()
        for association in action.associations
        if association.max_ret > 0
    )
    return Cascade(needs, tuple(actions))


def product_categories(rules: RuleSet, product: Product) -> frozenset[str]:
    """Return the categories that a product will have: what the rules assign to it, and to files like it."""
    keys = product_keys(product, {})
    keys |= classify(rules, keys).assigned
    return frozenset(str(keys[key]) for key in CATEGORY_KEYS if key in keys)


def product_keys(product: Product, input_keys: Keys) -> dict[str, Value]:
    """Return the keys that an action gives to its product; without a category its name is its PRO.CATG."""
    keys: dict[str, Value] = {"PRO.CATG": product.name}
    for key, expression in product.keys:
        value = expression.evaluate(input_keys, input_keys)
        if value is not None:
            keys[key] = value
    return keys


def categories_of(condition: Expression) -> frozenset[str]:
    """Return the categories that a condition asks for; empty where it does not name them."""
    named = [found for term in terms_of(condition) if (found := _named(term))]
    return frozenset.intersection(*named) if named else frozenset()


def _named(term: Expression) -> frozenset[str]:
    """Return the categories that a term leaves: those of an equality, or of each branch of an `or`."""
    match term:
        case Comparison(operator="==", left=Key(of_input=False) as key, right=Literal(value=value)):
            return frozenset({str(value)}) if key.name in CATEGORY_KEYS else frozenset()
        case Or(terms=terms):
            branches = [categories_of(branch) for branch in terms]
            return frozenset().union(*branches) if all(branches) else frozenset()
    return frozenset()


def _makers(categories: frozenset[str], makers: Mapping[str, list[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for category in sorted(categories) for name in makers.get(category, ())))
