"""The calibration cascade that a rule set describes: which action needs what another one makes.

Source: QC handbook (VLT-SPE-ESO-19600-3986), section 4.1.2.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from qcbench.oca.asking import asked_terms, categories_among
from qcbench.oca.expressions import And, Expression, Literal
from qcbench.oca.printer import print_expression
from qcbench.oca.reasoning import Alternative, alternatives, contradiction
from qcbench.oca.rules import Action, Association, Product, RuleSet
from qcbench.oca.tagging import CATEGORY_KEYS, Tags, may_hold
from qcbench.oca.validity import Validity, validity_of
from qcbench.oca.values import Keys, Value, as_number


@dataclass(frozen=True)
class Need:
    """A calibration that an action needs.

    Attributes
    ----------
    categories : frozenset of str
        The values of PRO.CATG, DO.CATG or RAW.TYPE that fit: those that the condition names, and those that the
        rules know where it has a pattern. Empty where it does not say, or where it is of none that they know.
    makers : tuple of str
        The actions that make a product of which the condition might be true, in the order of the rules; for raw
        files there are none.
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

    @property
    def condition(self) -> str:
        """Its conditions on the categories, as a rule file would write them; empty where it sets none."""
        terms = asked_terms(self.association.condition, CATEGORY_KEYS)
        return " and ".join(map(print_expression, terms))

    @property
    def wanted(self) -> str:
        """What it asks for, in words: its categories, else its conditions on them, else its tag."""
        return " or ".join(sorted(self.categories)) or self.condition or self.association.tag


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


def cascade_of(rules: RuleSet, static: Collection[str] = ()) -> Cascade:
    """Read the cascade of a rule set.

    Parameters
    ----------
    static : collection of str
        PRO.CATG that may be there though no action makes them: a pattern may ask for them.
    """
    # where a name is defined twice, the last one holds
    actions = {action.name: action for action in rules.actions}
    made = _Made(rules, actions.values(), static)
    needs = tuple(
        Need(
            action.name,
            association,
            made.categories(association),
            () if association.source == "rawFiles" else made.makers(association.condition),
            validity_of(association.condition),
        )
        for action in actions.values()
        for association in action.associations
        if association.max_ret > 0
    )
    return Cascade(needs, tuple(actions))


def product_categories(rules: RuleSet, product: Product) -> frozenset[str]:
    """Return the categories that a product may have: what the rules assign to it, and to files like it."""
    tags = product_tags(rules, product)
    return frozenset(str(value) for key in CATEGORY_KEYS for value in tags[key] if value is not None)


def product_tags(rules: RuleSet, product: Product) -> Tags:
    """Return the values that the keys of a product may have, as far as the rules say."""
    return rules.product_tagging(product_keys(product, {}))


def product_keys(product: Product, input_keys: Keys) -> dict[str, Value]:
    """Return the keys that an action gives to its product; without a category its name is its PRO.CATG."""
    keys: dict[str, Value] = {"PRO.CATG": product.name}
    for key, expression in product.keys:
        value = expression.evaluate(input_keys, input_keys)
        if value is not None:
            keys[key] = value
    return keys


def categories_of(condition: Expression) -> frozenset[str]:
    """Return the categories that a condition asks for by their names; empty where it does not name them."""
    return categories_among(condition, {})


class _Made:
    """All that the actions make, and what of it a condition might be true of."""

    def __init__(self, rules: RuleSet, actions: Iterable[Action], static: Collection[str]):
        self._products: list[tuple[str, Tags]] = []
        self._named: dict[tuple[str, Value], list[tuple[str, Tags]]] = defaultdict(list)
        for action in actions:
            for product in action.products:
                self._add(action.name, product_tags(rules, product))
        self._order = {action.name: number for number, action in enumerate(rules.actions)}
        self._keys = frozenset(key for _, tags in self._products for key in tags)
        self._known: dict[tuple[Expression, ...], tuple[str, ...]] = {}
        of_products = _by_key(
            (key, value) for _, tags in self._products for key in tags for value in tags[key]
        )
        of_raw = _by_key(
            (key, value.value)
            for rule in rules.classifiers
            for key, value in rule.assignments
            if isinstance(value, Literal)
        )
        of_products["PRO.CATG"] |= frozenset(static)
        both = {key: of_products.get(key, set()) | of_raw.get(key, set()) for key in CATEGORY_KEYS}
        self._among = {"calibFiles": of_products, "rawFiles": of_raw, "inputFiles": both}

    def _add(self, maker: str, tags: Tags) -> None:
        self._products.append((maker, tags))
        for key in CATEGORY_KEYS:
            for value in tags[key]:
                self._named[key, value].append((maker, tags))

    def categories(self, association: Association) -> frozenset[str]:
        """Return the categories that an association asks for: by name, or by a pattern that known ones fit."""
        always = ("PRO.CATG",) if association.source == "calibFiles" else ()
        return categories_among(association.condition, self._among[association.source], always=always)

    def makers(self, condition: Expression) -> tuple[str, ...]:
        """Return the actions of which a product might fulfil a condition, in the order of the rules."""
        terms = asked_terms(condition, self._keys)
        if terms not in self._known:
            # a condition with too many alternatives might be true of everything
            found = alternatives(And(terms)) or ((),)
            names = {name for part in found if contradiction(part) is None for name in self._makers(part)}
            self._known[terms] = tuple(sorted(names, key=self._order.__getitem__))
        return self._known[terms]

    def _makers(self, terms: Alternative) -> set[str]:
        return {maker for maker, tags in self._candidates(terms) if may_hold(terms, tags)}

    def _candidates(self, terms: Alternative) -> list[tuple[str, Tags]]:
        for term in terms:
            key, value = term.equality() or (None, None)
            if key and key.name in CATEGORY_KEYS and not key.of_input and as_number(value) is None:
                return self._named[key.name, value]
        return self._products


def _by_key(pairs: Iterable[tuple[str, Value]]) -> dict[str, set[Value]]:
    found: dict[str, set[Value]] = defaultdict(set)
    for key, value in pairs:
        if key in CATEGORY_KEYS and value is not None:
            found[key].add(value)
    return found
