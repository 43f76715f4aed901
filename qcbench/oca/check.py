"""What is wrong with a rule set, before any file is looked at: `qcbench oca check`.

Every finding is certain: where it depends on headers whether a rule is of use, nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from typing import Literal

from qcbench.oca.cascade import Cascade, cascade_of
from qcbench.oca.categories import Categories
from qcbench.oca.classification import Classifier
from qcbench.oca.expressions import Expression, Not
from qcbench.oca.expressions import Literal as Constant
from qcbench.oca.printer import print_expression
from qcbench.oca.reasoning import Term, alternatives, implied, is_possible, why_impossible
from qcbench.oca.rules import Action, Association, Organizer, RuleSet

Level = Literal["error", "warning", "note"]
_Rule = Classifier | Organizer | Action | Association
# given to frames by qcbench, or looked at by it, whatever a dictionary says
_OWN_KEYS = frozenset({"ARCFILE", "MJD-OBS", "RAW.TYPE", "DO.CATG", "PRO.CATG", "PRO.EXT"})
_CLOSE = 0.85


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or looks wrong.

    Attributes
    ----------
    level : str
        ``error``: the rules can't work as they are; ``warning``: a part of them is of no use; ``note``: is allowed.
    source, line, column : str, int, int or None
        Where the rule begins.
    code : str
        Short name of the kind of finding.
    key : str
        In a YAML file: the key that it is about.
    """

    level: Level
    source: str
    line: int
    column: int | None
    code: str
    text: str
    remedy: str
    key: str = ""

    @property
    def place(self) -> str:
        """File, line and, where it is known, column."""
        return f"{self.source}:{self.line}" + ("" if self.column is None else f":{self.column}")


def check_rules(
    rules: RuleSet,
    *,
    known_key: Callable[[str], bool] | None = None,
    static: Collection[str] = (),
    key_names: Collection[str] = (),
) -> list[Finding]:
    """Find what is wrong with rules.

    Parameters
    ----------
    known_key : callable, optional
        Tells whether a dictionary has a header key; without it keys are not looked up.
    static : collection of str
        Categories of general calibrations, which no action makes.
    key_names : collection of str
        Keys that a misspelt one may have been meant to be, besides those of the rules that are known.

    Returns
    -------
    list of Finding
        In the order of the rules.
    """
    categories = Categories(rules, static)
    found = list(
        chain(
            _unknown_keys(rules, known_key, key_names) if known_key else (),
            _never_true(rules),
            _overwritten(rules),
            _no_category(rules, categories),
            _nothing_produces(rules, categories),
            _actions(rules),
            _limits(rules),
            _cycles(rules, cascade_of(rules)),
        )
    )
    files = list(dict.fromkeys((rules.source, *(finding.source for finding in found))))
    return sorted(found, key=lambda finding: (files.index(finding.source), finding.line, finding.code))


def _finding(level: Level, rule: _Rule, code: str, text: str, remedy: str) -> Finding:
    return Finding(level, rule.file, rule.line, None, code, text, remedy)


def _unknown_keys(
    rules: RuleSet, known_key: Callable[[str], bool], key_names: Collection[str]
) -> Iterator[Finding]:
    own = _OWN_KEYS | {key for rule in rules.classifiers for key, _ in rule.assignments}
    first: dict[str, _Rule] = {}
    for rule, name in _keys_read(rules):
        first.setdefault(name, rule)
    known = {name for name in first if name in own or known_key(name)}
    for name, rule in first.items():
        if name not in known:
            close = get_close_matches(name, {*known, *key_names}, n=1, cutoff=_CLOSE)
            remedy = f"was {close[0]} meant?" if close else "correct it, or add it to a dictionary of keys"
            yield _finding("warning", rule, "unknown-key", f"no dictionary has the key {name}", remedy)


def _keys_read(rules: RuleSet) -> Iterator[tuple[_Rule, str]]:
    for rule, expression in _expressions(rules):
        yield from ((rule, key.header_name) for key in expression.key_nodes() if not key.is_signal)
    for organizer in rules.organizers:
        yield from ((organizer, name) for name in organizer.group_by)


def _expressions(rules: RuleSet) -> Iterator[tuple[_Rule, Expression]]:
    for classifier in rules.classifiers:
        yield from ((classifier, expression) for expression in classifier.expressions())
    yield from _conditions(rules)
    for action in rules.actions:
        yield from ((action, value) for product in action.products for _, value in product.keys)


def _conditions(rules: RuleSet) -> Iterator[tuple[Organizer | Association, Expression]]:
    for organizer in rules.organizers:
        yield organizer, organizer.condition
    for action in rules.actions:
        yield from ((association, association.condition) for association in action.associations)


def _never_true(rules: RuleSet) -> Iterator[Finding]:
    conditions = chain(((rule, rule.condition) for rule in rules.classifiers), _conditions(rules))
    for rule, condition in conditions:
        # F is how a rule is switched off
        if condition != Constant(value=False) and not is_possible(condition):
            why = " and ".join(dict.fromkeys(map(_written, why_impossible(condition))))
            yield _finding(
                "warning", rule, "never-true", f"{_name(rule)} is never true: {why}", "correct the condition"
            )


def _overwritten(rules: RuleSet) -> Iterator[Finding]:
    """Find classifiers of which nothing is left, whenever they are true, once a later one has run."""
    assigned = {key for rule in rules.classifiers for key, _ in rule.assignments}
    found = [alternatives(rule.condition) for rule in rules.classifiers]
    read = [
        {key.name for part in rule.expressions() for key in part.key_nodes()} for rule in rules.classifiers
    ]
    for number, rule in enumerate(rules.classifiers):
        names, terms = {key for key, _ in rule.assignments}, found[number]
        if not names or terms is None or not is_possible(rule.condition):
            continue
        for other, later in enumerate(rules.classifiers[number + 1 :], number + 1):
            if names & read[other]:
                break  # what it assigned was of use
            certain = {key for key, value in later.assignments if isinstance(value, Constant)}
            others = found[other]
            # where it tests what rules assign, it may be another value by then
            if others and names <= certain and not read[other] & assigned and implied(terms, others):
                yield _finding(
                    "warning",
                    rule,
                    "overwritten",
                    f"{_name(rule)} has no effect: whenever it is true, so is the one in {_place(later, rule)}, "
                    f"which assigns {', '.join(sorted(names))} again",
                    "remove it, put it below, or tell the two conditions apart",
                )
                break


def _no_category(rules: RuleSet, categories: Categories) -> Iterator[Finding]:
    """Find organizers, and selections of raw files, that ask for a category which no file gets."""
    asking = [
        rule for rule, _ in _conditions(rules) if isinstance(rule, Organizer) or rule.source != "calibFiles"
    ]
    for rule in asking:
        wanted = _wanted(rule.condition)
        wrong = [pair for pair in dict.fromkeys(chain(*wanted)) if not categories.can_be(*pair)]
        if wrong:
            what = " or ".join(f'{key} = "{value}"' for key, value in wrong)
            never = all(any(pair in wrong for pair in pairs) for pairs in wanted)
            follows = ", so it never gets a file" if never else ""
            text = f"{_name(rule)} asks for {what}, which no classifier assigns{follows}"
            yield _finding("warning", rule, "no-category", text, "correct the value, or add a classifier")


def _nothing_produces(rules: RuleSet, categories: Categories) -> Iterator[Finding]:
    for action in rules.actions:
        for rule in action.associations:
            if rule.source != "calibFiles" or rule.max_ret == 0:
                continue
            wanted = _wanted(rule.condition)
            wrong = [pair for pair in dict.fromkeys(chain(*wanted)) if not categories.can_be(*pair)]
            if wrong and all(any(pair in wrong for pair in pairs) for pairs in wanted):
                what = " or ".join(f'{key} = "{value}"' for key, value in wrong)
                text = f"{_name(rule)} of action {action.name} asks for {what}: nothing produces it"
                remedy = "correct it, add the product or its classifier, or list it as static"
                yield _finding("error" if rule.min_ret else "warning", rule, "nothing-produces", text, remedy)


def _wanted(condition: Expression) -> list[list[tuple[str, str]]]:
    """Return the key and value of each equality with a text, for each alternative of a condition."""
    found = []
    for terms in alternatives(condition) or ():
        pairs = [pair for term in terms if (pair := term.equality()) and not pair[0].of_input]
        found.append([(key.header_name, value) for key, value in pairs if isinstance(value, str)])
    return found


def _actions(rules: RuleSet) -> Iterator[Finding]:
    executed = {rule.action for rule in rules.organizers}
    defined: dict[str, Action] = {}
    for action in rules.actions:
        first = defined.setdefault(action.name, action)
        if first is not action:
            text = f"action {action.name} is defined in {_place(first, action)}, too; only the last one holds"
            level: Level = "warning" if first == action else "error"
            yield _finding(level, action, "double-action", text, "remove one of them, or rename it")
        if action.name not in executed:
            text = f"action {action.name} is never executed"
            yield _finding("warning", action, "unused-action", text, "add 'select execute', or remove it")
    for organizer in rules.organizers:
        if organizer.action not in defined:
            text = f"there is no action {organizer.action}"
            remedy = f"add 'action {organizer.action} {{ … }}'"
            close = get_close_matches(organizer.action, defined, n=1, cutoff=_CLOSE)
            yield _finding(
                "error", organizer, "no-action", text, f"was {close[0]} meant?" if close else remedy
            )
    idle = [action for action in defined.values() if action.recipe is None and action.name in executed]
    if idle:
        names = ", ".join(action.name for action in idle)
        text = f"no recipe, so that ABs are made, but not processed: {names}"
        yield _finding(
            "note", idle[0], "no-recipe", text, "add 'recipe NAME;' where they are to be processed"
        )


def _limits(rules: RuleSet) -> Iterator[Finding]:
    for action in rules.actions:
        for rule in action.associations:
            if rule.min_ret > rule.max_ret:
                off = rule.max_ret == 0
                limits = f"minRet {rule.min_ret} is more than maxRet {rule.max_ret}"
                text = f"{_name(rule)} of action {action.name}: {limits}"
                remedy = "write minRet = 0, too, to switch it off" if off else "correct one of the limits"
                yield _finding("warning" if off else "error", rule, "limits", text, remedy)


def _cycles(rules: RuleSet, cascade: Cascade) -> Iterator[Finding]:
    for cycle in cascade.cycles:
        inner = [need for name in cycle for need in cascade.needs_of(name) if set(need.makers) & set(cycle)]
        needed = all(need.association.min_ret and set(need.makers) <= set(cycle) for need in inner)
        action = rules.action(cycle[0])
        if len(cycle) == 1:
            text = f"action {action.name} needs a product of its own: its first group finds none"
            remedy = "write minRet = 0, or have a first one in the archive"
            yield _finding("warning" if needed else "note", action, "own-product", text, remedy)
        else:
            text = f"the actions {', '.join(cycle)} need each other's products"
            remedy = "break the cycle: select raw files, or make one need optional (minRet = 0)"
            yield _finding("error" if needed else "warning", action, "cycle", text, remedy)


def _place(rule: _Rule, seen_from: _Rule) -> str:
    return f"line {rule.line}" if rule.file == seen_from.file else f"{rule.file}:{rule.line}"


def _name(rule: _Rule) -> str:
    match rule:
        case Classifier():
            assigned = ", ".join(f"{key} = {print_expression(value)}" for key, value in rule.assignments)
            return f"the classifier of {assigned}" if assigned else "a classifier that assigns nothing"
        case Organizer():
            return f"the rule that executes {rule.action}"
        case Action():
            return f"action {rule.name}"
        case Association():
            return f"the association {rule.tag}"


def _written(term: Term) -> str:
    return print_expression(term.condition if term.holds else Not(term.condition))
