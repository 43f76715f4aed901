"""Reading rule files: the grammar gives the order of words, this module builds the rules."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, UnexpectedToken

from qcbench.core.errors import RuleError
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
from qcbench.oca.messages import found, rule_error, syntax_error
from qcbench.oca.rules import Action, Association, Organizer, Product, RuleSet
from qcbench.oca.sourcetext import SourceText, decode, needs_preprocessor

MAX_DEPTH = 100
_MOST_DIGITS = 9
_Node = TypeVar("_Node", bound=Expression)
_Rule = TypeVar("_Rule", Classifier, Organizer, Association, Action)


def parse_rules(text: str, source: str) -> RuleSet:
    """Read the text of a rule file.

    Parameters
    ----------
    text : str
        Classifiers, organizers and actions.
    source : str
        Where the text comes from, for messages.

    Raises
    ------
    RuleError
        The text is not in the language: what was expected and found, where, and that line. A line that begins
        with # is not: only a file can have directives, see `load_rules`.
    """
    return rules_of(SourceText(text, source))


def parse_expression(text: str, source: str) -> Expression:
    """Read a condition or a value that stands alone, such as ``DPR.TYPE like "%TEST%"``.

    Raises
    ------
    RuleError
        The text is not an expression of the language.
    """
    expression: Expression = _parse(SourceText(text, source), "expression")
    return expression


def load_rules(path: Path, folders: Sequence[Path] = ()) -> RuleSet:
    """Read a rule file; directives (`#include`, `#define`, `#if`, …) are carried out first.

    Parameters
    ----------
    folders : sequence of Path
        Folders besides the file's own from which files may be included.

    Raises
    ------
    RuleError
        The file, or one that it includes, can't be read, is not UTF-8 text, or is not in the language; or a
        directive can't be carried out. File, line and column are those where the mistake stands.
    """
    return rules_of(read_source(path, folders))


def read_source(path: Path, folders: Sequence[Path]) -> SourceText:
    """Read the text of a rule file, with its directives carried out.

    Raises
    ------
    RuleError
        A file can't be read, or is not UTF-8 text; or a directive can't be carried out.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RuleError(
            path, 1, 1, f"can't be read: {error.strerror}; check the path and its rights"
        ) from error
    text = decode(content, str(path))
    if needs_preprocessor(text):
        # its library takes a while to load, and few rules need it
        from qcbench.oca.preprocessor import preprocess

        return preprocess(text, path, folders)
    return SourceText(text, str(path))


def rules_of(text: SourceText) -> RuleSet:
    """Read rules from a text.

    Raises
    ------
    SyntaxMistakeError
        The text is not in the language.
    """
    statements = _parse(text, "start")
    return RuleSet(
        classifiers=tuple(_placed(rule, text) for rule in statements if isinstance(rule, Classifier)),
        organizers=tuple(_placed(rule, text) for rule in statements if isinstance(rule, Organizer)),
        actions=tuple(_placed_action(rule, text) for rule in statements if isinstance(rule, Action)),
        source=text.source,
    )


def _parse(text: SourceText, start: str) -> Any:
    try:
        return _parser().parse(text.text, start=start)
    except UnexpectedInput as error:
        raise syntax_error(error, _accepted(error, text.text, start), text) from error
    except _WrongTokenError as error:
        place = (error.token.line or 1, error.token.column or 1)
        raise rule_error(text, place, error.expected, found(error.token)) from error


def _placed(rule: _Rule, text: SourceText) -> _Rule:
    """Tell a rule the file and the line that it was written in."""
    file, line = text.origin(rule.line)
    return replace(rule, file=file, line=line)


def _placed_action(action: Action, text: SourceText) -> Action:
    associations = tuple(_placed(association, text) for association in action.associations)
    return replace(_placed(action, text), associations=associations)


class _WrongTokenError(Exception):
    """A token that the grammar takes, but that means nothing in its place."""

    def __init__(self, token: Token, expected: str):
        self.token, self.expected = token, expected
        super().__init__(f"expected {expected}, found {token}")


@cache
def _parser() -> Lark:
    grammar = resources.files("qcbench.oca").joinpath("grammar.lark").read_text(encoding="utf-8")
    # The basic lexer keeps words reserved everywhere, so that an error shows at the word that is wrong.
    return Lark(grammar, parser="lalr", lexer="basic", transformer=_Builder(), start=["start", "expression"])


def _accepted(error: UnexpectedInput, text: str, start: str) -> set[str]:
    """Name the terminals that could stand where the parser stopped."""
    if isinstance(error, UnexpectedToken):
        return set(error.accepts)
    before = _parser().parse_interactive(text[: error.pos_in_stream], start=start)
    before.exhaust_lexer()
    # lark gives this method no types
    return set(before.accepts())  # type: ignore[no-untyped-call]


class _Builder(Transformer[Token, tuple[Any, ...]]):
    """One method a rule of the grammar; each gets what its parts gave, tokens included."""

    def start(self, parts: list[Any]) -> tuple[Any, ...]:
        return tuple(parts)

    def classifier(self, parts: list[Any]) -> Classifier:
        word, condition, _, _, *assignments, _ = parts
        return Classifier(condition, tuple(assignments), line=word.line)

    def assignment(self, parts: list[Any]) -> tuple[str, Expression]:
        return str(parts[0]), parts[2]

    def organizer(self, parts: list[Any]) -> Organizer:
        minimum = parts.pop(0) if isinstance(parts[0], int) else None
        word, _, _, name, _, _, place, _, condition, *rest = parts
        group_by, alias = rest[0] if len(rest) == 2 else ((), None)
        return Organizer(str(name), str(place), condition, group_by, alias, minimum, line=word.line)

    def minimum(self, parts: list[Token]) -> int:
        return _whole(parts[2])

    def group(self, parts: list[Any]) -> tuple[tuple[str, ...], tuple[str, str] | None]:
        alias = parts.pop() if isinstance(parts[-1], tuple) else None
        return tuple(str(part) for part in parts if part.type == "NAME"), alias

    def alias(self, parts: list[Token]) -> tuple[str, str]:
        return str(parts[2]), str(parts[4])

    def action(self, parts: list[Any]) -> Action:
        word, name, _, *statements, _ = parts
        return _build_action(word, str(name), statements)

    def limit(self, parts: list[Token]) -> tuple[str, int]:
        return parts[0].type, _whole(parts[2])

    def association(self, parts: list[Any]) -> Association:
        word, _, _, tag, _, place, _, condition, _ = parts
        return Association(str(tag), str(place), condition, line=word.line)

    def recipe(self, parts: list[Token]) -> _Recipe:
        word, name, *rest = parts
        strings = [token for token in rest if token.type == "STRING"]
        return _Recipe(word, str(name), tuple(pair for token in strings for pair in _parameters(token)))

    def product(self, parts: list[Any]) -> Product:
        _, name, _, *keys, _ = parts
        return Product(str(name), tuple(keys))

    def either(self, parts: list[Any]) -> Expression:
        return parts[0] if len(parts) == 1 else _not_too_deep(Or(tuple(parts[::2])), parts[1])

    def both(self, parts: list[Any]) -> Expression:
        return parts[0] if len(parts) == 1 else _not_too_deep(And(tuple(parts[::2])), parts[1])

    def negated(self, parts: list[Any]) -> Expression:
        return _not_too_deep(Not(parts[1]), parts[0])

    def compared(self, parts: list[Any]) -> Expression:
        left, operator, right = parts
        return Comparison(str(operator), left, right)

    def like(self, parts: list[Any]) -> Expression:
        operand, operator, pattern = parts
        return Pattern(str(operator), operand, _unquoted(pattern))

    def regexp(self, parts: list[Any]) -> Expression:
        operand, operator, pattern = parts
        try:
            with warnings.catch_warnings():
                # what Python may come to read otherwise is not certain to mean the same tomorrow
                warnings.simplefilter("error")
                re.compile(_unquoted(pattern))
        except (re.error, OverflowError, RecursionError, Warning) as error:
            raise _WrongTokenError(pattern, f"a regular expression ({error})") from error
        return Pattern(str(operator), operand, _unquoted(pattern))

    def kind(self, parts: list[Any]) -> Expression:
        return Kind(parts[0], str(parts[2]))

    def between(self, parts: list[Any]) -> Expression:
        operand, word, low, _, high = parts
        return Between(operand, low, high, preference=word.type == "TRYBETWEEN")

    def arithmetic(self, parts: list[Any]) -> Expression:
        left, operator, right = parts
        return _not_too_deep(Arithmetic(str(operator), left, right), operator)

    def negative(self, parts: list[Any]) -> Expression:
        return _not_too_deep(Negative(parts[1]), parts[0])

    def key(self, parts: list[Token]) -> Expression:
        name = str(parts[0])
        return Key(name.removeprefix(INPUT_PREFIX), of_input=name.startswith(INPUT_PREFIX))

    def string(self, parts: list[Token]) -> Expression:
        return Literal(_unquoted(parts[0]))

    def number(self, parts: list[Token]) -> Expression:
        (token,) = parts
        value = float(token)
        if not math.isfinite(value):
            raise _WrongTokenError(token, "a number that a double can hold")
        return Literal(int(token) if token.isdigit() else value)

    def logical(self, parts: list[Token]) -> Expression:
        return Literal(parts[0].type == "TRUE")

    def inner(self, parts: list[Any]) -> Expression:
        expression: Expression = parts[1]
        return expression


class _Recipe:
    """The recipe statement of an action, with the token that an error would point at."""

    def __init__(self, word: Token, name: str, parameters: tuple[tuple[str, str], ...]):
        self.word, self.name, self.parameters = word, name, parameters


def _build_action(word: Token, name: str, statements: Iterable[Any]) -> Action:
    """Put the statements of an action together; limits belong to the next select alone."""
    associations: list[Association] = []
    products: list[Product] = []
    recipe: _Recipe | None = None
    limits: dict[str, int] = {}
    priority = None
    for statement in statements:
        match statement:
            case Association():
                associations.append(_with_limits(statement, limits))
                limits = {}
            case Product():
                products.append(statement)
            case _Recipe():
                if recipe is not None:
                    raise _WrongTokenError(statement.word, f"no second recipe in action {name}")
                recipe = statement
            case ("PRIORITY", value):
                priority = value
            case (kind, value):
                limits[kind] = value
    return Action(
        name,
        tuple(associations),
        recipe.name if recipe else None,
        recipe.parameters if recipe else (),
        tuple(products),
        priority,
        line=word.line or 0,
    )


def _with_limits(rule: Association, limits: dict[str, int]) -> Association:
    minimum = limits.get("MINRET", 1)
    maximum = limits.get("MAXRET", max(1, minimum))
    return Association(rule.tag, rule.source, rule.condition, minimum, maximum, line=rule.line)


def _parameters(token: Token) -> list[tuple[str, str]]:
    """Split the options of one string; an option without a value is a switch that is turned on."""
    pairs = []
    for option in re.split(r"\s+(?=--)", _unquoted(token).strip()):
        name, equals, value = option.removeprefix("--").partition("=")
        if not option.startswith("--") or not name:
            raise _WrongTokenError(token, 'recipe options ("--name=value")')
        pairs.append((name, value if equals else "true"))
    return pairs


def _unquoted(token: Token) -> str:
    return str(token)[1:-1]


def _whole(token: Token) -> int:
    if not token.isdigit():
        raise _WrongTokenError(token, "a whole number")
    if len(token) > _MOST_DIGITS:
        raise _WrongTokenError(token, f"a whole number of at most {_MOST_DIGITS} digits")
    return int(token)


def _not_too_deep(expression: _Node, word: Token) -> _Node:
    """Refuse an expression that Python could not walk through."""
    if expression.depth > MAX_DEPTH:
        raise _WrongTokenError(
            word,
            f"nothing nested more than {MAX_DEPTH} deep (assign a part of it to a key in a classifier of its own)",
        )
    return expression
