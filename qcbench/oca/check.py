"""What is wrong with a rule set, before any file is looked at: `qcbench oca check`.

Every finding is certain: where it depends on headers whether a rule is of use, nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from difflib import get_close_matches
from itertools import chain

from qcbench.oca.cascade import Cascade, cascade_of
from qcbench.oca.check_categories import check_categories
from qcbench.oca.check_conditions import check_conditions
from qcbench.oca.expressions import Expression
from qcbench.oca.findings import Finding, Level, Rule, conditions_of, finding, name_of, place_of
from qcbench.oca.rules import Action, RuleSet

__all__ = ["Finding", "Level", "check_rules"]

# given to frames by qcbench, or looked at by it, whatever a dictionary says
_OWN_KEYS = frozenset({"ARCFILE", "MJD-OBS", "RAW.TYPE", "DO.CATG", "PRO.CATG", "PRO.EXT"})
_CLOSE = 0.85


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
    found = list(
        chain(
            _unknown_keys(rules, known_key, key_names) if known_key else (),
            check_conditions(rules),
            check_categories(rules, static),
            _actions(rules),
            _limits(rules),
            _cycles(rules, cascade_of(rules)),
        )
    )
    files = list(dict.fromkeys((rules.source, *(item.source for item in found))))
    return sorted(found, key=lambda item: (files.index(item.source), item.line, item.code))


def _unknown_keys(
    rules: RuleSet, known_key: Callable[[str], bool], key_names: Collection[str]
) -> Iterator[Finding]:
    own = _OWN_KEYS | {key for rule in rules.classifiers for key, _ in rule.assignments}
    first: dict[str, Rule] = {}
    for rule, name in _keys_read(rules):
        first.setdefault(name, rule)
    known = {name for name in first if name in own or known_key(name)}
    for name, rule in first.items():
        if name not in known:
            close = get_close_matches(name, {*known, *key_names}, n=1, cutoff=_CLOSE)
            remedy = f"was {close[0]} meant?" if close else "correct it, or add it to a dictionary of keys"
            yield finding("warning", rule, "unknown-key", f"no dictionary has the key {name}", remedy)


def _keys_read(rules: RuleSet) -> Iterator[tuple[Rule, str]]:
    for rule, expression in _expressions(rules):
        yield from ((rule, key.header_name) for key in expression.key_nodes() if not key.is_signal)
    for organizer in rules.organizers:
        yield from ((organizer, name) for name in organizer.group_by)


def _expressions(rules: RuleSet) -> Iterator[tuple[Rule, Expression]]:
    for classifier in rules.classifiers:
        yield from ((classifier, expression) for expression in classifier.expressions())
    yield from conditions_of(rules)
    for action in rules.actions:
        yield from ((action, value) for product in action.products for _, value in product.keys)


def _actions(rules: RuleSet) -> Iterator[Finding]:
    executed = {rule.action for rule in rules.organizers}
    defined: dict[str, Action] = {}
    for action in rules.actions:
        first = defined.setdefault(action.name, action)
        if first is not action:
            text = (
                f"action {action.name} is defined in {place_of(first, action)}, too; only the last one holds"
            )
            level: Level = "warning" if first == action else "error"
            yield finding(level, action, "double-action", text, "remove one of them, or rename it")
        if action.name not in executed:
            text = f"action {action.name} is never executed"
            yield finding("warning", action, "unused-action", text, "add 'select execute', or remove it")
    for organizer in rules.organizers:
        if organizer.action not in defined:
            text = f"there is no action {organizer.action}"
            remedy = f"add 'action {organizer.action} {{ … }}'"
            close = get_close_matches(organizer.action, defined, n=1, cutoff=_CLOSE)
            yield finding(
                "error", organizer, "no-action", text, f"was {close[0]} meant?" if close else remedy
            )
    idle = [action for action in defined.values() if action.recipe is None and action.name in executed]
    if idle:
        names = ", ".join(action.name for action in idle)
        text = f"no recipe, so that ABs are made, but not processed: {names}"
        yield finding("note", idle[0], "no-recipe", text, "add 'recipe NAME;' where they are to be processed")


def _limits(rules: RuleSet) -> Iterator[Finding]:
    for action in rules.actions:
        for rule in action.associations:
            if rule.min_ret > rule.max_ret:
                off = rule.max_ret == 0
                limits = f"minRet {rule.min_ret} is more than maxRet {rule.max_ret}"
                text = f"{name_of(rule)} of action {action.name}: {limits}"
                remedy = "write minRet = 0, too, to switch it off" if off else "correct one of the limits"
                yield finding("warning" if off else "error", rule, "limits", text, remedy)


def _cycles(rules: RuleSet, cascade: Cascade) -> Iterator[Finding]:
    for cycle in cascade.cycles:
        inner = [need for name in cycle for need in cascade.needs_of(name) if set(need.makers) & set(cycle)]
        needed = all(need.association.min_ret and set(need.makers) <= set(cycle) for need in inner)
        action = rules.action(cycle[0])
        if len(cycle) == 1:
            text = f"action {action.name} needs a product of its own: its first group finds none"
            remedy = "write minRet = 0, or have a first one in the archive"
            yield finding("warning" if needed else "note", action, "own-product", text, remedy)
        else:
            text = f"the actions {', '.join(cycle)} need each other's products"
            remedy = "break the cycle: select raw files, or make one need optional (minRet = 0)"
            yield finding("error" if needed else "warning", action, "cycle", text, remedy)
