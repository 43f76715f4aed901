"""Which association of one tree is which of another, below the same parent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from qcbench.association.calselector.tree import AssociationTree, dp_id_of

# a file that so many associations of both trees need does not tell which is which
MAX_PAIRS = 10_000


@dataclass(frozen=True)
class Matches:
    """Pairs of associations (ours, theirs), and those that have no counterpart."""

    pairs: tuple[tuple[AssociationTree, AssociationTree], ...]
    ours: tuple[AssociationTree, ...]
    theirs: tuple[AssociationTree, ...]


def match_associations(ours: Sequence[AssociationTree], theirs: Sequence[AssociationTree]) -> Matches:
    """Match associations: equal ones first, then those of one category, then those that share a file.

    Within a category, those that share most files come first, then those that share files further down, then the
    rest in order of their names. The result does not depend on the order of either side, and is the same the other
    way round.
    """
    pairs: list[tuple[_Facts, _Facts]] = []
    mine, others = [_Facts.of(tree) for tree in ours], [_Facts.of(tree) for tree in theirs]
    for step in (
        partial(_in_order, key=lambda facts: facts.canonical),
        partial(_by_files, key=lambda facts: [(facts.tree.category, file) for file in facts.files]),
        partial(_by_files, key=lambda facts: [(facts.tree.category, file) for file in facts.below]),
        partial(_in_order, key=lambda facts: facts.tree.category),
        partial(_by_files, key=lambda facts: facts.files),
    ):
        found = step(mine, others)
        pairs += found
        taken = {id(facts) for pair in found for facts in pair}
        mine, others = ([facts for facts in side if id(facts) not in taken] for side in (mine, others))
    return Matches(
        tuple((one.tree, other.tree) for one, other in pairs),
        tuple(facts.tree for facts in mine),
        tuple(facts.tree for facts in others),
    )


@dataclass(frozen=True)
class _Facts:
    """What counts of an association: `canonical` and `order` don't depend on the order of its parts."""

    tree: AssociationTree
    canonical: Hashable
    order: str
    files: frozenset[str]
    below: frozenset[str]

    @classmethod
    def of(cls, tree: AssociationTree) -> _Facts:
        files, below = (
            frozenset(dp_id_of(entry.name) for entry in entries)
            for entries in (tree.main_files, tree.entries())
        )
        canonical = _canonical(tree)
        return cls(tree, canonical, repr((sorted(files), canonical)), files, below)


def _canonical(tree: AssociationTree) -> Hashable:
    return (
        (tree.category, tree.certified, tree.complete, tree.mode or "", tree.match or "", tree.type),
        tuple(sorted((entry.category, dp_id_of(entry.name)) for entry in tree.main_files)),
        tuple(sorted((_canonical(child) for child in tree.children), key=repr)),
    )


_Side = Sequence[_Facts]
_Pairs = list[tuple[_Facts, _Facts]]


def _in_order(ours: _Side, theirs: _Side, key: Callable[[_Facts], Hashable]) -> _Pairs:
    """Pair those that agree in a key, in order of their names."""
    places: dict[Hashable, tuple[list[_Facts], list[_Facts]]] = defaultdict(lambda: ([], []))
    for side, all_facts in enumerate((ours, theirs)):
        for facts in sorted(all_facts, key=lambda facts: facts.order):
            places[key(facts)][side].append(facts)
    return [pair for mine, others in places.values() for pair in zip(mine, others, strict=False)]


def _by_files(ours: _Side, theirs: _Side, key: Callable[[_Facts], Iterable[Hashable]]) -> _Pairs:
    """Pair those that have keys in common, those with most in common first, each association once."""
    holders: dict[Hashable, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, all_facts in enumerate((ours, theirs)):
        for position, facts in enumerate(all_facts):
            for item in key(facts):
                holders[item][side].append(position)
    telling = [pair for pair in holders.values() if len(pair[0]) * len(pair[1]) <= MAX_PAIRS]
    likely = {(i, j) for mine, others in telling for i in mine for j in others}
    pairs: _Pairs = []
    taken: tuple[set[int], set[int]] = set(), set()
    for i, j in sorted(likely, key=lambda pair: _unlikeness(ours[pair[0]], theirs[pair[1]])):
        if i not in taken[0] and j not in taken[1]:
            pairs.append((ours[i], theirs[j]))
            taken[0].add(i)
            taken[1].add(j)
    return pairs


def _unlikeness(one: _Facts, other: _Facts) -> tuple[int, int, str, str]:
    """Return what sorts those that have most in common first; the same whichever of them is ours."""
    first, second = sorted((one.order, other.order))
    return -len(one.files & other.files), -len(one.below & other.below), first, second
