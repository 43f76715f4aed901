"""Rules back to text: what is printed reads back as the same rules."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from qcbench.oca.classification import Classifier
from qcbench.oca.expressions import (
    INPUT_PREFIX,
    And,
    Arithmetic,
    Between,
    Comparison,
    Expression,
    Key,
    Kind,
    Literal,
    Negative,
    Not,
    Or,
    Pattern,
)
from qcbench.oca.rules import Action, Association, Organizer, Product, RuleSet

# How tightly a construct binds: a part that binds less tightly than its place asks for gets parentheses.
_OR, _AND, _NOT, _COMPARE, _SUM, _TERM, _FACTOR, _ATOM = range(8)


def print_rules(rules: RuleSet) -> str:
    """Write a rule set as text that parses back to an equal rule set."""
    blocks = chain(
        map(_classifier, rules.classifiers), map(_organizer, rules.organizers), map(_action, rules.actions)
    )
    return "\n".join(blocks)


def print_expression(expression: Expression) -> str:
    """Write an expression as a rule file would, with no more parentheses than it needs."""
    return _print(expression)[0]


def _within(expression: Expression, least: int) -> str:
    text, binding = _print(expression)
    return text if binding >= least else f"({text})"


def _print(expression: Expression) -> tuple[str, int]:
    """Give the text and how tightly it binds."""
    match expression:
        case Or(terms):
            return " or ".join(_within(term, _AND) for term in terms), _OR
        case And(terms):
            return " and ".join(_within(term, _NOT) for term in terms), _AND
        case Not(operand):
            return f"not {_within(operand, _NOT)}", _NOT
        case Comparison() | Pattern() | Kind() | Between():
            return _comparison(expression), _COMPARE
        case Arithmetic(operator, left, right):
            level = _SUM if operator in "+-" else _TERM
            return f"{_within(left, level)} {operator} {_within(right, level + 1)}", level
        case Negative(operand):
            return f"-{_within(operand, _FACTOR)}", _FACTOR
        case _:
            return _atom(expression), _ATOM


def _comparison(expression: Comparison | Pattern | Kind | Between) -> str:
    match expression:
        case Comparison(operator, left, right):
            return f"{_within(left, _SUM)} {operator} {_within(right, _SUM)}"
        case Pattern(operator, operand, pattern):
            return f'{_within(operand, _SUM)} {operator} "{pattern}"'
        case Kind(operand, kind):
            return f"{_within(operand, _SUM)} is {kind}"
        case Between(operand, low, high, preference):
            word = "tryBetween" if preference else "between"
            return f"{_within(operand, _SUM)} {word} {_within(low, _SUM)} and {_within(high, _SUM)}"


def _atom(expression: Expression) -> str:
    match expression:
        case Key(name, of_input):
            return (INPUT_PREFIX if of_input else "") + name
        case Literal(bool(value)):
            return "T" if value else "F"
        case Literal(str(value)):
            return f'"{value}"'
        case Literal(value):
            return repr(value)
    raise TypeError(f"no text for {type(expression).__name__}")


def _classifier(rule: Classifier) -> str:
    lines = "".join(f"  {line}\n" for line in _assignments(rule.assignments))
    return f"if {print_expression(rule.condition)} then\n{{\n{lines}}}\n"


def _organizer(rule: Organizer) -> str:
    minimum = "" if rule.min_ret is None else f"minRet = {rule.min_ret};\n"
    by = f"\n  group by {', '.join(rule.group_by)}" if rule.group_by else ""
    alias = f" as ({', '.join(rule.group_alias)})" if rule.group_alias else ""
    where = print_expression(rule.condition)
    return f"{minimum}select execute({rule.action}) from {rule.source} where {where}{by}{alias};\n"


def _action(action: Action) -> str:
    lines = chain(
        *map(_association, action.associations),
        [] if action.priority is None else [f"priority = {action.priority};"],
        _recipe(action),
        *map(_product, action.products),
    )
    return f"action {action.name}\n{{\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def _association(rule: Association) -> Iterator[str]:
    yield f"minRet = {rule.min_ret}; maxRet = {rule.max_ret};"
    yield f"select file as {rule.tag} from {rule.source} where {print_expression(rule.condition)};"


def _recipe(action: Action) -> Iterator[str]:
    if action.recipe is None:
        return
    if not action.parameters:
        yield f"recipe {action.recipe};"
        return
    yield f"recipe {action.recipe} {{"
    for name, value in action.parameters:
        yield f'  "--{name}={value}";'
    yield "}"


def _product(product: Product) -> Iterator[str]:
    yield f"product {product.name} {{"
    for line in _assignments(product.keys):
        yield f"  {line}"
    yield "}"


def _assignments(pairs: tuple[tuple[str, Expression], ...]) -> Iterator[str]:
    return (f"{key} = {print_expression(value)};" for key, value in pairs)
