"""Syntax errors in words: where the text stops making sense, and what could have stood there."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from qcbench.core.errors import RuleError
from qcbench.oca.sourcetext import Place, SourceText

_MOST_SHOWN = 60
_MOST_OF_LINE = 400
_ARITHMETIC = frozenset({"PLUS", "MINUS", "TIMES", "OVER"})
_COMPARISON = frozenset(
    {"EQUAL", "UNEQUAL", "ATMOST", "ATLEAST", "LESS", "MORE", "MAYBE"}
    | {"LIKE", "REGEXP", "IS", "BETWEEN", "TRYBETWEEN"}
)
_VALUE = frozenset({"NAME", "STRING", "NUMBER", "TRUE", "FALSE", "LPAR", "MINUS"})
# Terminals that a reader thinks of as one thing; the first that fits names them.
_GROUPS = (
    (_COMPARISON, "a comparison operator"),
    (_VALUE | {"NOT"}, "a condition"),
    (_VALUE, "a key or a value"),
)
_WORDS = {
    "NAME": "a name",
    "STRING": "a quoted string",
    "NUMBER": "a number",
    "STRINGTYPE": "'string'",
    "MINRET": "'minRet'",
    "MAXRET": "'maxRet'",
    "INPUT": "'inputFiles'",
    "CALIB": "'calibFiles'",
    "RAW": "'rawFiles'",
    "ASSIGN": "'='",
    "LPAR": "'('",
    "RPAR": "')'",
    "LBRACE": "'{'",
    "RBRACE": "'}'",
    "COMMA": "','",
    "SEMICOLON": "';'",
    "$END": "the end of the file",
}


class SyntaxMistakeError(RuleError):
    """A mistake in a text of rules.

    Attributes
    ----------
    offset : int
        Where in the text, with includes and macros carried out, it was found (characters).
    """

    def __init__(self, source: str, line: int, column: int, problem: str, offset: int):
        super().__init__(source, line, column, problem)
        self.offset = offset


def syntax_error(error: UnexpectedInput, accepted: Collection[str], text: SourceText) -> SyntaxMistakeError:
    """Turn what the parser says into a rule error with position, words and the line's text.

    Parameters
    ----------
    error : UnexpectedInput
        What the parser raised.
    accepted : collection of str
        The terminals that could have stood there.
    """
    line, column, what = error.line, error.column, "something else"
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        written = text.text.rstrip()
        line = written.count("\n") + 1
        column = len(written) - written.rfind("\n")
        what = "the end of the file"
    elif isinstance(error, UnexpectedToken):
        what = found(error.token) + (", a reserved word" if _is_reserved(error.token, accepted) else "")
    elif isinstance(error, UnexpectedCharacters):
        what = _bad_start(text.text[error.pos_in_stream :])
    return rule_error(text, (line, column), in_words(accepted), what)


def rule_error(text: SourceText, place: tuple[int, int], expected: str, what: str) -> SyntaxMistakeError:
    """Make a rule error of the form "expected …, found …" that shows the line.

    Parameters
    ----------
    place : (int, int)
        Line and column in the text, from 1.
    """
    written = text.place(*place)
    out_of = f" out of the macro {written.macro}" if written.macro else ""
    problem = f"expected {expected}, found {what}{out_of}, in: {_shown(written)}"
    line, column = place
    offset = sum(len(before) + 1 for before in text.text.split("\n")[: line - 1]) + column - 1
    return SyntaxMistakeError(written.source, written.line, written.column, problem, offset)


def _shown(written: Place) -> str:
    """Return the line, or what of a very long one stands around the mistake."""
    text, at = written.text.strip(), written.column - 1
    if len(text) <= _MOST_OF_LINE:
        return text
    begin = max(0, min(at, len(written.text)) - _MOST_OF_LINE // 2)
    part = written.text[begin : begin + _MOST_OF_LINE]
    return f"{'…' if begin else ''}{part.strip()}{'…' if begin + _MOST_OF_LINE < len(written.text) else ''}"


def found(token: Token) -> str:
    """Name a token as it stands in the text; of a very long one the beginning."""
    text = str(token) if len(token) <= _MOST_SHOWN else f"{token[:_MOST_SHOWN]}…"
    return text if token.type == "STRING" else f"'{text}'"


def _is_reserved(token: Token, accepted: Collection[str]) -> bool:
    """Tell whether a word stands where only a name of one's own can."""
    return "NAME" in accepted and "STRING" not in accepted and token.type != "NAME" and token[:1].isalpha()


def in_words(accepted: Iterable[str]) -> str:
    """Say which terminals could have stood at a place."""
    expected = frozenset(accepted)
    if expected >= {"IF", "SELECT", "ACTION"}:
        return "a rule ('if', 'select execute' or 'action')"
    if "PLUS" in expected:  # possible after every value, and hardly ever what is missing
        expected -= _ARITHMETIC
    words = []
    for members, name in _GROUPS:
        if members <= expected:
            words.append(name)
            expected -= members
    words += sorted(_WORDS.get(terminal, f"'{terminal.lower()}'") for terminal in expected)
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _bad_start(rest: str) -> str:
    if rest.startswith('"'):
        return "a string that is not closed on its line"
    if rest.startswith("/*"):
        return "a comment that is never closed"
    return f"'{rest[:1]}'"
