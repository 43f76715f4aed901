"""What classifiers may make of a product of which only some keys are known: those that its action gives it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

from qcbench.oca.classification import Classifier
from qcbench.oca.expressions import Expression, Key, Literal
from qcbench.oca.reasoning import Alternative, Term, alternatives, contradiction
from qcbench.oca.values import Keys, Value

CATEGORY_KEYS = ("PRO.CATG", "DO.CATG", "RAW.TYPE")
Tags: TypeAlias = dict[str, frozenset[Value]]

_OF_RAW = "DPR."
_MISSING: frozenset[Value] = frozenset({None})


class ProductTagging:
    """The classifiers of a rule set, asked about products.

    A product has no DPR keys: those that its header has are of the frames that it was made from. What else its
    header will have is not known; a classifier that asks for that may be true if it also asks for something that the
    product is known to have, such as its PRO.CATG.
    """

    def __init__(self, classifiers: Sequence[Classifier]):
        self._rules = tuple(map(_Prepared, classifiers))

    def __call__(self, keys: Keys) -> Tags:
        """Return the values that each key of a product may have, None where it may be missing.

        Parameters
        ----------
        keys : Mapping
            What the action says of it; its PRO.CATG stays as it is.
        """
        tags: Tags = dict.fromkeys(CATEGORY_KEYS, _MISSING)
        tags |= {key: frozenset({value}) for key, value in keys.items()}
        for rule in self._rules:
            known = {name: found for name in rule.names if (found := _values(name, tags)) is not None}
            definite = {name: next(iter(found)) for name, found in known.items() if len(found) == 1}
            is_true = rule.classifier.condition.evaluate(definite, definite) is True
            if is_true or rule.may_be_true(known):
                certain = is_true and len(definite) == len(rule.names)
                _assign(rule.classifier, tags, certain=certain)
        return tags


class _Prepared:
    """A classifier with the keys that it reads, and the alternatives of its condition."""

    def __init__(self, classifier: Classifier):
        self.classifier = classifier
        nodes = set(classifier.condition.key_nodes())
        self.names = frozenset(key.header_name for key in nodes if not key.is_signal)

    @cached_property
    def _alternatives(self) -> tuple[tuple[Alternative, frozenset[str]], ...]:
        return tuple(
            (terms, frozenset(key.header_name for term in terms for key in term.keys))
            for terms in alternatives(self.classifier.condition) or ()
            if contradiction(terms) is None
        )

    def may_be_true(self, known: Tags) -> bool:
        """Tell whether it might be true, and asks for something that a product is known to have."""
        there = {name for name, values in known.items() if values != _MISSING}
        return bool(there) and any(
            not there.isdisjoint(names) and may_hold(terms, known) for terms, names in self._alternatives
        )


def may_hold(terms: Alternative, known: Mapping[str, Collection[Value]]) -> bool:
    """Tell whether terms might come out as they have to, where some keys can only have certain values."""
    by_key: dict[Key, list[Term]] = defaultdict(list)
    for term in terms:
        if len(term.keys) == 1:
            (key,) = term.keys
            if not key.of_input:
                by_key[key].append(term)
    return all(
        any(all(term.allows(key, value) for term in own) for value in known[key.header_name])
        for key, own in by_key.items()
        if key.header_name in known
    )


def _values(name: str, tags: Tags) -> frozenset[Value] | None:
    """Return the values that a key may have; None where that is not known."""
    return _MISSING if name.startswith(_OF_RAW) else tags.get(name)


def _assign(rule: Classifier, tags: Tags, *, certain: bool) -> None:
    given = [(key, frozenset(_assigned(value, tags))) for key, value in rule.assignments if key != "PRO.CATG"]
    for key, values in given:
        if values:
            before = frozenset() if certain else tags.get(key)
            # what a header may have besides is not known
            if before is not None:
                tags[key] = before | values


def _assigned(value: Expression, tags: Tags) -> Iterator[Value]:
    """Give the values that an assignment may give; none where they depend on what is not known."""
    if isinstance(value, Literal):
        yield value.value
    elif isinstance(value, Key):
        yield from (tags.get(value.header_name) or _MISSING) - _MISSING
    else:
        known = {key.header_name: tags.get(key.header_name, frozenset()) for key in value.key_nodes()}
        if all(len(values) == 1 for values in known.values()):
            definite = {name: next(iter(values)) for name, values in known.items()}
            found = value.evaluate(definite, definite)
            if found is not None:
                yield found
