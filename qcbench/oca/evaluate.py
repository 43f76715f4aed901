"""Evaluation of rules: classify a file, match an association, and say why."""

from __future__ import annotations

from dataclasses import dataclass

from qcbench.oca.classification import Classification
from qcbench.oca.expressions import INPUT_PREFIX, Expression, terms_of
from qcbench.oca.printer import print_expression
from qcbench.oca.rules import RuleSet
from qcbench.oca.values import Keys, Value


@dataclass(frozen=True)
class ConditionResult:
    """One term of a condition and how it came out.

    Attributes
    ----------
    text : str
        The term as a rule file would write it.
    truth : bool
        Whether the candidate passes; a `tryBetween` lets every candidate pass.
    preferred : bool
        Whether it also passes with `tryBetween` taken as `between`.
    values : tuple of (key, value)
        The keys of the term as they are written and what they held; None where missing.
    """

    text: str
    truth: bool
    preferred: bool
    values: tuple[tuple[str, Value], ...]


def classify(rules: RuleSet, keys: Keys) -> Classification:
    """Give a file its type: rules run top to bottom, and a later one overwrites an earlier one."""
    return rules.classifier_program(keys)


def matches(condition: Expression, candidate: Keys, input_keys: Keys) -> bool:
    """Tell whether a candidate fulfils a condition.

    Parameters
    ----------
    candidate : Mapping
        Keys of the file that may be taken: those that the rule names bare.
    input_keys : Mapping
        Keys of the AB that needs it: those that the rule names `inputFile.KEY`.
    """
    return condition.evaluate(candidate, input_keys) is True


def preferred(condition: Expression, candidate: Keys, input_keys: Keys) -> bool:
    """Tell whether a candidate fulfils a condition with `tryBetween` taken as `between`."""
    return condition.prefer(candidate, input_keys) is True


def explain(condition: Expression, candidate: Keys, input_keys: Keys) -> list[ConditionResult]:
    """Evaluate each term of the outermost `and` by itself, and say which values decided it."""
    return [_explain_term(term, candidate, input_keys) for term in terms_of(condition)]


def _explain_term(term: Expression, candidate: Keys, input_keys: Keys) -> ConditionResult:
    read = {
        (INPUT_PREFIX if key.of_input else "") + key.name: key.read(candidate, input_keys)
        for key in term.key_nodes()
    }
    return ConditionResult(
        text=print_expression(term),
        truth=matches(term, candidate, input_keys),
        preferred=preferred(term, candidate, input_keys),
        values=tuple(read.items()),
    )
