"""What `oca check` says: a finding, and how rules are named in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from qcbench.oca.classification import Classifier
from qcbench.oca.expressions import Expression, Not
from qcbench.oca.printer import print_expression
from qcbench.oca.reasoning import Term
from qcbench.oca.rules import Action, Association, Organizer, RuleSet

Level = Literal["error", "warning", "note"]
Rule: TypeAlias = Classifier | Organizer | Action | Association


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


def finding(level: Level, rule: Rule, code: str, text: str, remedy: str) -> Finding:
    """Make the finding of a rule."""
    return Finding(level, rule.file, rule.line, None, code, text, remedy)


def conditions_of(rules: RuleSet) -> Iterator[tuple[Organizer | Association, Expression]]:
    """Walk over the conditions of organizers and associations."""
    for organizer in rules.organizers:
        yield organizer, organizer.condition
    for action in rules.actions:
        yield from ((association, association.condition) for association in action.associations)


def place_of(rule: Rule, seen_from: Rule) -> str:
    """Say where a rule stands; the file only where it is another one."""
    return f"line {rule.line}" if rule.file == seen_from.file else f"{rule.file}:{rule.line}"


def name_of(rule: Rule) -> str:
    """Name a rule."""
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


def written(term: Term) -> str:
    """Write a term as a rule would."""
    return print_expression(term.condition if term.holds else Not(term.condition))
