"""All mistakes in the text of a rule file: after each one, reading goes on with the next statement."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from pathlib import Path

from qcbench.core.errors import RuleError
from qcbench.oca.check import Finding
from qcbench.oca.messages import SyntaxMistakeError
from qcbench.oca.parser import read_source, rules_of
from qcbench.oca.rules import RuleSet

_STATEMENT = re.compile(r"^[ \t]*((?:minRet\s*=\s*\w+\s*;\s*)?(?:if\b|action\b|select\s+execute\b))", re.M)
_COMMENT = re.compile(r'"[^"\n]*"|//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/')
_MOST = 50


def examine_rules(path: Path, folders: Sequence[Path] = ()) -> tuple[RuleSet | None, tuple[Finding, ...]]:
    """Read a rule file as `load_rules` does; if it can't be read, find all mistakes in its statements.

    Returns
    -------
    tuple
        The rules, or None; and the mistakes, in the order in which they stand: at most 50, then a note that there
        are more.
    """
    try:
        text = read_source(path, folders)
    except RuleError as error:
        return None, (_finding(error),)
    mistakes: list[SyntaxMistakeError] = []
    rest = copy(text)
    while True:
        try:
            rules = rules_of(rest)
        except SyntaxMistakeError as error:
            if len(mistakes) == _MOST:
                return None, (*map(_finding, mistakes), _more(error))
            mistakes.append(error)
            without = _without_statement(rest.text, error.offset)
            if without == rest.text:
                break
            rest.text = without
        else:
            if not mistakes:
                return rules, ()
            break
    return None, tuple(map(_finding, mistakes))


def _more(error: RuleError) -> Finding:
    """Say that there are more mistakes than are listed."""
    text = f"there are at least {_MOST + 1} mistakes, of which the first {_MOST} are listed; the next is here"
    return Finding(
        "note", error.source, error.line, error.column, "syntax", text, "correct those above first"
    )


def _without_statement(text: str, offset: int) -> str:
    """Blank out the statement in which something is wrong; a mistake at the start of one is of the one before."""
    words = _COMMENT.sub(_blank_comment, text)
    starts = [match.start(1) for match in _STATEMENT.finditer(words)]
    begin = max((start for start in starts if start < offset), default=0)
    end = min((start for start in starts if start >= offset and start > begin), default=len(text))
    return text[:begin] + _blank(text[begin:end]) + text[end:]


def _blank_comment(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith('"') else _blank(match[0])


def _blank(text: str) -> str:
    """Leave nothing but the ends of lines."""
    return re.sub(r"[^\n]", " ", text)


def _finding(error: RuleError) -> Finding:
    remedy = "correct it: docs/reference/oca.md has the language"
    return Finding("error", error.source, error.line, error.column, "syntax", error.problem, remedy)
