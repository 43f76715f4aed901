"""The preprocessor of rule files: `#include`, `#define`, `#if` and their like, as in C.

dfos wrote its rules as headers with macros and had the C compiler put them together; such files are read as they are.
The work is done by the library pcpp; this module decides which files may be included, and keeps for every piece of
the text where it was written.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pcpp import Action, OutputDirective, Preprocessor

from qcbench.core.errors import RuleError
from qcbench.oca.sourcetext import Origin, PreprocessedText, decode

_MOST_TOKENS = 20_000
_MOST_INCLUDES = 200
# Python's splitlines(), by which pcpp counts lines, ends a line at these, too
_ODD_LINE_ENDS = re.compile("[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_NEEDS_NAME = frozenset({"define", "undef", "ifdef", "ifndef"})
_KNOWN = "#include, #define, #undef, #if, #ifdef, #ifndef, #elif, #else, #endif, #error or #pragma once"
# their values would make the same rules differ from day to day, or from place to place
_CHANGING_MACROS = ("__DATE__", "__TIME__")


def preprocess(text: str, path: Path, folders: Sequence[Path] = ()) -> PreprocessedText:
    """Carry out the directives of a rule file.

    Parameters
    ----------
    text : str
        What the file holds.
    path : Path
        The file. What it includes must lie in its folder or below.
    folders : sequence of Path
        Further folders that may be included from; files are looked for there after the folder of the file that
        includes them.

    Raises
    ------
    RuleError
        A directive is wrong, or a file that it includes is not there, is not text, lies elsewhere or includes
        itself.
    """
    return _Layout(_Preprocessor(path, folders), text).text()


class _Preprocessor(Preprocessor):
    """pcpp, with errors of ours and with the files that may be included."""

    def __init__(self, path: Path, folders: Sequence[Path]):
        super().__init__()
        self.rewrite_paths: list[tuple[str, str]] = []
        for name in _CHANGING_MACROS:
            self.undef(name)
        self.root = os.path.abspath(path)  # noqa: PTH100 - pcpp's way to name files; links stay as they are
        self.folders = tuple(folder.absolute() for folder in (path.parent, *folders))
        self.path = [str(folder) for folder in self.folders]
        self.names = {self.root: str(path)}
        self.lines: dict[str, list[str]] = {}
        self.open_files: list[str] = []
        self.included = 0

    def parsegen(self, input: str, source: str | None = None, abssource: str | None = None) -> Iterator[Any]:
        """Give the tokens of a file; while they are given the file is open, and must not be opened again."""
        file = str(abssource)
        text = _ODD_LINE_ENDS.sub(" ", input)
        self.lines[file] = text.split("\n")
        self.open_files.append(file)
        yield from super().parsegen(text, source, abssource)
        self.open_files.pop()

    def expand_macros(self, tokens: list[Any], expanding_from: Sequence[str] = ()) -> list[Any]:
        """Expand the macros of some tokens; macros of macros must not fill the memory."""
        found: list[Any] = super().expand_macros(tokens, list(expanding_from))
        if expanding_from and len(found) > _MOST_TOKENS:
            name = expanding_from[-1]
            macro = self.macros[name]
            raise self.error(
                macro.source, macro.lineno, f"macro {name} gives more than {_MOST_TOKENS} words", name
            )
        return found

    def error(self, file: str, line: int, problem: str, word: str = "") -> RuleError:
        """Make the error of a line; it points at a word, else at the first character."""
        text = self.line(file, line)
        found = re.search(rf"(?<!\w){re.escape(word)}(?!\w)" if word else r"\S", text)
        column = found.start() + 1 if found else 1
        return RuleError(self.names.get(file, file), line, column, f"{problem}, in: {text.strip()}")

    def line(self, file: str, line: int) -> str:
        """Return a line of a file that was read."""
        lines = self.lines.get(file, [])
        return lines[line - 1] if 0 < line <= len(lines) else ""

    def on_error(self, file: str, line: int, msg: str) -> None:
        """Stop at what pcpp finds wrong."""
        if file not in self.lines:
            file, line = self.lastdirective.source, self.lastdirective.lineno
        problem, word = _in_words(msg)
        raise self.error(file, line, problem, word)

    def on_directive_handle(
        self, directive: Any, toks: Sequence[Any], ifpassthru: bool, precedingtoks: Sequence[Any]
    ) -> bool | None:
        """Refuse a directive that lacks what it is about."""
        self.lastdirective = directive
        name = directive.value
        if name in _NEEDS_NAME and (not toks or toks[0].type != self.t_ID):
            raise self._wrong(f"expected the name of a macro after #{name}")
        if name in ("if", "elif") and (not toks or [token.value for token in toks] == ["!"]):
            raise self._wrong(f"expected a condition after #{name}")
        if name == "pragma" and not toks:
            raise OutputDirective(Action.IgnoreAndRemove)
        if name == "include" and not toks:
            raise self._wrong('expected the name of a file, "FILE", after #include')
        return True

    def on_directive_unknown(
        self, directive: Any, toks: Sequence[Any], ifpassthru: bool, precedingtoks: Sequence[Any]
    ) -> bool:
        """Stop at `#error`, and at what is no directive; a `#pragma` or `#warning` changes nothing."""
        self.lastdirective = directive
        if directive.value in ("pragma", "warning"):
            return True
        if directive.value == "error":
            raise self._wrong("".join(token.value for token in toks) or "the file says #error")
        raise self._wrong(f"expected {_KNOWN}, found '#{directive.value}'")

    def on_include_not_found(
        self, is_malformed: bool, is_system_include: bool, curdir: str, includepath: str
    ) -> str:
        """Stop at an include of no file."""
        if is_malformed:
            raise self._wrong('expected #include "FILE"')
        folder = curdir or "the folder of the rule file"
        others = [place for place in self.path if curdir or Path(place) != self.folders[0]]
        places = ", ".join(dict.fromkeys((folder, *others) if not is_system_include else self.path))
        raise self._wrong(f"there is no file '{includepath}' in {places}")

    def on_file_open(self, is_system_include: bool, includepath: str) -> io.StringIO:
        """Read a file that is included.

        Raises
        ------
        OSError
            There is no such file; pcpp then looks in the next folder.
        RuleError
            The file is there, but can't be included.
        """
        path = Path(includepath)
        inside = [folder for folder in self.folders if path.resolve().is_relative_to(folder.resolve())]
        if not inside:
            raise self._wrong(
                f"the file lies outside of {', '.join(map(str, self.folders))}; put it there, or allow its folder"
            )
        if includepath in self.open_files:
            start = self.open_files.index(includepath)
            chain = " includes ".join(self.names[file] for file in (*self.open_files[start:], includepath))
            raise self._wrong(f"a file can't include itself: {chain}")
        self.included += 1
        if self.included > _MOST_INCLUDES:
            raise self._wrong(f"more than {_MOST_INCLUDES} files are included; include each only once")
        # names are shown relative to the rule file, as the person who called named it
        base = Path(self.names[self.root]).parent
        self.names[includepath] = str(base / os.path.relpath(includepath, Path(self.root).parent))
        return io.StringIO(decode(path.read_bytes(), self.names[includepath]))

    def include(self, tokens: Sequence[Any], original_line: Sequence[Any]) -> Iterator[Any]:
        """Include a file whose name is relative."""
        name = "".join(token.value for token in tokens).strip('"<>')
        if Path(name).is_absolute():
            raise self._wrong("expected the name of a file relative to this one, found an absolute path")
        yield from super().include(tokens, original_line)

    def described(self, macro: str) -> str:
        """Name a macro and where it is defined."""
        found = self.macros.get(macro)
        if found is None or found.source not in self.names:
            return macro
        return f"{macro}, defined in {self.names[found.source]}:{found.lineno}"

    def _wrong(self, problem: str) -> RuleError:
        return self.error(self.lastdirective.source, self.lastdirective.lineno, problem)


class _Layout:
    """Lines of text from the tokens of pcpp: each holds pieces of one line of one file only."""

    def __init__(self, preprocessor: _Preprocessor, text: str):
        self._preprocessor, self._input = preprocessor, text
        self._lines: list[str] = []
        self._origins: list[Origin] = []
        self._parts: list[str] = []
        self._pieces: list[tuple[int, int, str]] = []
        self._place: tuple[str, int] = (preprocessor.root, 1)
        self._width = 0
        self._starts: Mapping[str, list[int]] = {}

    def text(self) -> PreprocessedText:
        """Run the preprocessor."""
        machine = self._preprocessor
        for token in machine.parsegen(self._input, machine.names[machine.root], machine.root):
            self._add(token)
        self._end_line()
        return PreprocessedText("\n".join(self._lines), machine.names[machine.root], self._origins)

    def _add(self, token: Any) -> None:
        if "\n" in token.value and not token.value.strip():
            self._end_line()
            return
        place = (token.source, token.lineno)
        if place != self._place and token.value.strip():
            if any(part.strip() for part in self._parts):
                self._end_line()
            self._place = place
        self._pieces.append((self._width + 1, *self._origin(token)))
        # a string that goes on after a \ stays on its line
        self._parts.append(token.value.replace("\n", " "))
        self._width += len(token.value)

    def _origin(self, token: Any) -> tuple[int, str]:
        """Return the column (from 1) at which a token, or the macro that gave it, is written, and that macro."""
        text = self._preprocessor.line(token.source, token.lineno)
        given_by = getattr(token, "expanded_from", ())
        if given_by:
            name = given_by[-1]
            last = max((column for _, column, macro in self._pieces if not macro), default=0)
            found = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)").search(text, last)
            return (found.start() + 1 if found else 1), self._preprocessor.described(name)
        return self._column(token), ""

    def _column(self, token: Any) -> int:
        """Return the column of a token; pcpp counts from the start of the file, without blanks at line ends."""
        starts = self._starts.get(token.source)
        if starts is None:
            starts, position = [], 0
            for line in self._preprocessor.lines[token.source]:
                starts.append(position)
                position += len(line.rstrip()) + 1
            self._starts = {**self._starts, token.source: starts}
        return int(token.lexpos) - starts[token.lineno - 1] + 1 if token.lineno <= len(starts) else 1

    def _end_line(self) -> None:
        source, number = self._place
        machine = self._preprocessor
        self._lines.append("".join(self._parts))
        self._origins.append(
            Origin(
                machine.names.get(source, source), number, machine.line(source, number), tuple(self._pieces)
            )
        )
        self._parts, self._pieces, self._width = [], [], 0
        self._place = (source, number + 1)


def _in_words(message: str) -> tuple[str, str]:
    """Say in our words what pcpp complains of, and which word it is about."""
    counted = re.fullmatch(r"Macro (\w+) (?:requires|must have at least) (\d+) arguments?(.*)", message)
    if counted:
        name, number, rest = counted.groups()
        passed = rest.rpartition(" ")[2]
        return f"expected {number} arguments of macro {name}, found {passed or 'fewer'}", name
    if message.startswith("Unterminated"):
        return "expected #endif before the end of the file, for this line", ""
    if message.startswith("Misplaced"):
        return f"expected #if before {message.rpartition(' ')[2]}", ""
    if message.startswith("Could not evaluate"):
        return "expected a condition of numbers and names after #if", ""
    return message[:1].lower() + message[1:], ""
