"""Categories that rules ask for, and that no file has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from itertools import chain
from typing import TypeAlias

from qcbench.oca.asking import named_text
from qcbench.oca.categories import Categories
from qcbench.oca.classification import TYPE_KEYS
from qcbench.oca.expressions import LAST_FRAME_PREFIX, Expression, Key
from qcbench.oca.findings import Finding, conditions_of, finding, name_of, written
from qcbench.oca.reasoning import Alternative, Term, alternatives
from qcbench.oca.rules import Association, Organizer, RuleSet
from qcbench.oca.tagging import CATEGORY_KEYS

# what terms ask of one key of categories
_Asked: TypeAlias = tuple[Key, tuple[Term, ...]]


def check_categories(rules: RuleSet, static: Collection[str]) -> Iterator[Finding]:
    """Find rules that ask for a category which no file gets."""
    categories = Categories(rules, static)
    yield from _classifiers(rules, categories)
    yield from _no_category(rules, categories)
    yield from _nothing_produces(rules, categories)


def _classifiers(rules: RuleSet, categories: Categories) -> Iterator[Finding]:
    """Find classifiers that ask for a type which no classifier above them assigns."""
    for number, rule in enumerate(rules.classifiers):

        def can_be(asked: _Asked, number: int = number) -> bool:
            key, terms = asked
            return key.header_name not in TYPE_KEYS or categories.can_be_before(number, key, terms)

        wrong, never = _wrong(rule.condition, can_be)
        if wrong:
            follows = ", so it is never true" if never else ""
            text = f"{name_of(rule)} asks for {_listed(wrong)}, which no classifier above assigns{follows}"
            remedy = "correct the value, or put it below the one that assigns it"
            yield finding("warning", rule, "no-category", text, remedy)


def _no_category(rules: RuleSet, categories: Categories) -> Iterator[Finding]:
    """Find organizers, and selections of raw files, that ask for a category which no file gets."""
    for rule, condition in conditions_of(rules):
        if isinstance(rule, Association) and rule.source == "calibFiles":
            continue
        wrong, never = _wrong(condition, lambda asked: categories.can_fulfil(*asked))
        apart = "" if wrong or _takes_products(rule) else _never_together(condition, categories)
        if wrong:
            follows = ", so it never gets a file" if never else ""
            text = f"{name_of(rule)} asks for {_listed(wrong)}, which no classifier assigns{follows}"
            yield finding("warning", rule, "no-category", text, "correct the value, or add a classifier")
        elif apart:
            text = f"{name_of(rule)} asks for {apart}, which no file gets together, so it never gets a file"
            yield finding("warning", rule, "no-category", text, "correct one of the values")


def _nothing_produces(rules: RuleSet, categories: Categories) -> Iterator[Finding]:
    for action in rules.actions:
        for rule in action.associations:
            if rule.source != "calibFiles" or rule.max_ret == 0:
                continue
            wrong, never = _wrong(rule.condition, lambda asked: categories.can_fulfil(*asked))
            if wrong and never:
                text = (
                    f"{name_of(rule)} of action {action.name} asks for {_listed(wrong)}: nothing produces it"
                )
                remedy = "correct it, add the product or its classifier, or list it as static"
                yield finding("error" if rule.min_ret else "warning", rule, "nothing-produces", text, remedy)


def _wrong(condition: Expression, can_be: Callable[[_Asked], bool]) -> tuple[list[_Asked], bool]:
    """Return what a condition asks for in vain, and whether each of its alternatives does."""
    wanted = [list(_asked(terms)) for terms in alternatives(condition) or ()]
    wrong = [asked for asked in dict.fromkeys(chain(*wanted)) if not can_be(asked)]
    return wrong, all(any(asked in wrong for asked in some) for some in wanted)


def _asked(terms: Alternative) -> Iterator[_Asked]:
    """Give what an alternative asks of the categories of the candidate, key by key, and that has to be there."""
    found: dict[Key, list[Term]] = defaultdict(list)
    for term in terms:
        if len(term.keys) == 1:
            (key,) = term.keys
            if key.header_name in CATEGORY_KEYS and not key.of_input:
                found[key].append(term)
    for key, own in found.items():
        if not all(term.allows(key, None) for term in own):
            yield key, tuple(own)


def _listed(wrong: list[_Asked]) -> str:
    return " or ".join(map(_in_words, wrong))


def _in_words(asked: _Asked) -> str:
    key, terms = asked
    named = named_text(terms)
    return f'{key.header_name} = "{named}"' if named else " and ".join(map(written, terms))


def _takes_products(rule: Organizer | Association) -> bool:
    return isinstance(rule, Association) and rule.source == "inputFiles"


def _never_together(condition: Expression, categories: Categories) -> str:
    """Return the types of which a condition wants two on one file, if no file can have both; else nothing."""
    found = ""
    for terms in alternatives(condition) or ():
        apart = next((pair for pair in _pairs(terms) if not categories.can_be_together(*pair)), None)
        if apart is None:
            return ""
        found = " and ".join(f'{key} = "{value}"' for key, value in apart)
    return found


def _pairs(terms: Alternative) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """Give the pairs of RAW.TYPE and DO.CATG that one frame has to have: a bare pair, and one of the last frame."""
    asked = {own[0].name: named_text(own[1]) for own in _asked(terms)}
    for prefix in ("", LAST_FRAME_PREFIX):
        raw_type, do_catg = (asked.get(prefix + key) for key in TYPE_KEYS)
        if do_catg and raw_type:
            yield ("DO.CATG", do_catg), ("RAW.TYPE", raw_type)
