"""Conditions that are never true, classifiers of which nothing is left, plans that mean nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from qcbench.oca.expressions import Literal
from qcbench.oca.findings import Finding, conditions_of, finding, name_of, place_of, written
from qcbench.oca.reasoning import alternatives, implied, is_possible, why_impossible
from qcbench.oca.rules import Association, RuleSet
from qcbench.oca.validity import Validity, validity_of


def check_conditions(rules: RuleSet) -> Iterator[Finding]:
    """Find conditions that are never true, classifiers of which nothing is left, plans that mean nothing."""
    yield from _never_true(rules)
    yield from _overwritten(rules)
    yield from _plans(rules)


def _never_true(rules: RuleSet) -> Iterator[Finding]:
    conditions = chain(((rule, rule.condition) for rule in rules.classifiers), conditions_of(rules))
    for rule, condition in conditions:
        # F is how a rule is switched off
        if condition != Literal(value=False) and not is_possible(condition):
            why = " and ".join(dict.fromkeys(map(written, why_impossible(condition))))
            yield finding(
                "warning",
                rule,
                "never-true",
                f"{name_of(rule)} is never true: {why}",
                "correct the condition",
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
            certain = {key for key, value in later.assignments if isinstance(value, Literal)}
            others = found[other]
            # where it tests what rules assign, it may be another value by then
            if others and names <= certain and not read[other] & assigned and implied(terms, others):
                yield finding(
                    "warning",
                    rule,
                    "overwritten",
                    f"{name_of(rule)} has no effect: whenever it is true, so is the one in {place_of(later, rule)}, "
                    f"which assigns {', '.join(sorted(names))} again",
                    "remove it, put it below, or tell the two conditions apart",
                )
                break


def _plans(rules: RuleSet) -> Iterator[Finding]:
    """Find calibration plans that every candidate within the hard limit fulfils, or none."""
    for rule, condition in conditions_of(rules):
        if not isinstance(rule, Association) or not is_possible(condition):
            continue
        what = _useless_plan(validity_of(condition))
        if what:
            text = f"{name_of(rule)}: {what}"
            remedy = "narrow the plan; or were between and tryBetween mixed up?"
            yield finding("warning", rule, "wide-plan", text, remedy)


def _useless_plan(validity: Validity) -> str:
    """Say what is wrong with a calibration plan, seen beside the hard limit; nothing where it is of use."""
    hard = validity.extended
    for plan in validity.plan:
        if plan & hard == hard and plan != hard and not hard.is_half_open:
            return (
                f"the calibration plan {plan} d is wider than its limit {hard} d, so that it prefers nothing"
            )
        if (plan & hard).is_empty:
            return f"the calibration plan {plan} d lies outside of its limit {hard} d, so that nothing fulfils it"
    return ""
