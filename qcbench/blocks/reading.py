"""Reading an Association Block from its historical text form, old ones and those edited by hand too.

What an old AB lacks or says in another way is read with a warning that names what was assumed; nonsense is an error.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from qcbench.blocks.assumptions import (
    CannotAssumeError,
    likely_qualifier,
    missing_qualifiers,
    qualifier_of,
)
from qcbench.blocks.contradictions import ContradictionError, odd_things, once
from qcbench.blocks.escapes import unescape, unescape_key, unescape_word
from qcbench.blocks.lines import (
    choice_of,
    days_of,
    file_of,
    number_of,
    numbered,
    quoted,
    read_form,
    without_comment,
    words_of,
)
from qcbench.blocks.model import (
    ASSOCIATED,
    CALIBRATION_ROLES,
    COMPLETENESS,
    EVALUATIONS,
    FLAGS,
    MATCH_KEY,
    PRODUCT,
    RAW,
    SINGLE,
    AssociatedLine,
    BlockError,
    BlockFile,
    CalibrationLine,
)
from qcbench.core.dates import parse_date

_QUALIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_UPDATED = re.compile(r"#\s*updated\s+(\S+)")
# from the first exposures on photographic plates to a time that no reader of this will see
_MJD_RANGE = (-50_000.0, 150_000.0)
# flag, file, category, evaluation and DT
_WITH_FLAG = 5
_FILES = ("AB_NAME", "PROD_ROOT_NAME", "LOG_NAME")
_CHOICES = {
    "COMPLETENESS": COMPLETENESS,
    "PROCESS_STATUS": ("CREATED", "SUCCESSFUL", "FAILED"),
    "DRS_TYPE": ("CPL", "CON", "INT", "RBS", "REI"),
}


def read_block(path: Path) -> BlockFile:
    """Read the text form of an AB from a file.

    Raises
    ------
    BlockError
        It can't be read or is not an AB: file, line, what was expected, and the remedy.
    """
    return parse_block(read_form(path), str(path))


def parse_block(text: str, source: str) -> BlockFile:
    """Read the text form of an AB; `warnings` of the result tells what was assumed, and in which line.

    Parameters
    ----------
    text : str
        One qualifier a line, with its columns.
    source : str
        Where the text comes from, for messages; the AB's name may follow from it.

    Raises
    ------
    BlockError
        A line is nonsense, there is no raw file, or something is missing that nothing else tells.
    """
    reader = _Reader(source)
    for number, line in numbered(text, source):
        reader.take(number, line)
    return reader.block()


@dataclass
class _Reader:
    """The AB as far as it is read."""

    source: str
    single: dict[str, tuple[int, str]] = field(default_factory=dict)
    match_keys: list[tuple[str, str]] = field(default_factory=list)
    raw_files: list[tuple[str, str]] = field(default_factory=list)
    associated: list[AssociatedLine] = field(default_factory=list)
    calibrations: list[CalibrationLine] = field(default_factory=list)
    products: list[tuple[str, str]] = field(default_factory=list)
    others: list[tuple[str, str]] = field(default_factory=list)
    updated: dt.datetime | None = None
    warnings: list[str] = field(default_factory=list)

    def take(self, number: int, line: str) -> None:
        """Take a line."""
        if line.startswith("#"):
            self._take_comment(number, line)
            return
        content = without_comment(line)
        if content != line:
            self._warn(number, f"{quoted(line[len(content) :].strip())} was taken for a comment")
        name = words_of(content)[0]
        value = content[len(name) :].strip(" \t")
        qualifier = self._qualifier(number, name)
        if qualifier == MATCH_KEY:
            self._take_match_key(number, value)
        elif qualifier in (RAW, PRODUCT):
            (self.raw_files if qualifier == RAW else self.products).append(
                self._pair(number, qualifier, words_of(value))
            )
        elif qualifier == ASSOCIATED:
            self.associated.append(AssociatedLine(*self._file_columns(number, qualifier, words_of(value))))
        elif qualifier in CALIBRATION_ROLES:
            self._take_calibration(number, qualifier, words_of(value))
        elif qualifier in SINGLE:
            self._take_single(number, qualifier, unescape(value))
        else:
            self.others.append((qualifier, unescape(value)))

    def block(self) -> BlockFile:
        """Return the AB, with what had to be assumed."""
        if not self.raw_files:
            raise self._error(
                None, f"expected at least one {RAW}, found none: this is no AB, or its end is lost"
            )
        known = {name: value for name, (_, value) in self.single.items()}
        try:
            for name, value, reason in missing_qualifiers(known, self.raw_files[0][0], self.source):
                self.single[name] = (0, value)
                self._check(None, name, value)
                self._warn(None, f"{name} is missing: assumed {quoted(value)} ({reason})")
        except CannotAssumeError as err:
            problem = f"{err} is missing, and the name of the first raw file tells no time. Add a line {err}"
            raise self._error(None, problem) from err
        fields = {name: self.single[name][1] for name in SINGLE}
        try:
            for odd in odd_things(fields, self.raw_files):
                self._warn(None, odd)
            match_keys = self._once(MATCH_KEY, self.match_keys)
            raw_files = self._once(RAW, self.raw_files)
            products = self._once(PRODUCT, self.products)
        except ContradictionError as err:
            raise self._error(None, str(err)) from err
        calibrations = sorted(
            dict.fromkeys(self.calibrations), key=lambda item: CALIBRATION_ROLES.index(item.role)
        )
        return BlockFile(
            fields=tuple(fields.items()),
            match_keys=match_keys,
            raw_files=raw_files,
            associated=tuple(dict.fromkeys(self.associated)),
            calibrations=tuple(calibrations),
            products=products,
            updated=self.updated,
            others=tuple(self.others),
            warnings=tuple(self.warnings),
        )

    def _once(self, what: str, pairs: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Return pairs of name and value, each once."""
        kept, again = once(pairs, what)
        for name in again:
            self._warn(None, f"{what} {quoted(name)} is there twice with the same value: taken once")
        return tuple(pairs[position] for position in kept)

    def _error(self, number: int | None, problem: str) -> BlockError:
        return BlockError(self.source, number, problem)

    def _warn(self, number: int | None, text: str) -> None:
        where = self.source if number is None else f"{self.source}, line {number}"
        self.warnings.append(f"{where}: {text}")

    def _take_comment(self, number: int, line: str) -> None:
        found = _UPDATED.fullmatch(line)
        if found is None:
            return
        try:
            self.updated = dt.datetime.fromisoformat(found[1]).replace(tzinfo=dt.UTC)
        except ValueError:
            self._warn(number, f"{quoted(found[1])} is no time: taken as never updated")

    def _qualifier(self, number: int, name: str) -> str:
        """Return the documented qualifier; an unknown name stays, unless it is a misspelt one or nonsense."""
        if not _QUALIFIER.fullmatch(name):
            raise self._error(
                number,
                f"expected a qualifier such as {RAW}, found {quoted(name)}: remove or correct the line",
            )
        known = qualifier_of(name)
        if known is not None:
            if known != name:
                self._warn(number, f"{name} was taken for {known}")
            return known
        if name != name.upper():
            raise self._error(number, f"{quoted(name)} is no qualifier of an AB: remove or correct the line")
        if meant := likely_qualifier(name):
            raise self._error(number, f"{name} is no qualifier of an AB. Write {meant}, or remove the line")
        self._warn(number, f"{name} is not documented: kept, but not used")
        return name

    def _take_single(self, number: int, name: str, value: str) -> None:
        value = self._plain(number, name, value)
        self._check(number, name, value)
        before = self.single.setdefault(name, (number, value))
        if before[0] == number:
            return
        if before[1] != value:
            problem = (
                f"{name} is {quoted(value)}, but {quoted(before[1])} in line {before[0]}. Remove one of them"
            )
            raise self._error(number, problem)
        self._warn(number, f"{name} is there twice with the same value: taken once")

    def _check(self, number: int | None, name: str, value: str) -> None:
        """Refuse a value that its qualifier can't have."""
        expected = ""
        if name == "DATE":
            try:
                parse_date(value)
            except ValueError:
                expected = "a date of the form YYYY-MM-DD"
        elif name in ("MJD-OBS", "MJD-OBS_MOD"):
            mjd = number_of(value)
            if mjd is None or not _MJD_RANGE[0] < mjd < _MJD_RANGE[1]:
                expected = "a Modified Julian Date in days, such as 54386.14528"
        elif name in _CHOICES and value not in _CHOICES[name]:
            expected = " or ".join(_CHOICES[name])
        elif name == "PROD_PATH" and ".." in PurePosixPath(value).parts:
            expected = "a folder without .."
        if expected:
            raise self._error(number, f"{name}: expected {expected}, found {quoted(value)}. Correct the line")

    def _plain(self, number: int, name: str, value: str) -> str:
        """Return a name that has to be one of a file, without the folder that some have in front of it."""
        if name not in _FILES or (not value and name != "AB_NAME"):
            return value
        return self._file(number, value)

    def _take_match_key(self, number: int, value: str) -> None:
        key, sign, wanted = value.partition("=")
        if not sign or not key.strip():
            problem = f"{MATCH_KEY}: expected KEY=value, found {quoted(value)}. Correct the line"
            raise self._error(number, problem)
        self.match_keys.append((unescape_key(key.strip(" \t")), unescape(wanted.strip(" \t"))))

    def _file(self, number: int, text: str) -> str:
        name, folder = file_of(text, self.source, number)
        if folder:
            self._warn(number, f"the folder {quoted(folder)} was left out: files are known by name")
        return name

    def _pair(self, number: int, qualifier: str, words: list[str]) -> tuple[str, str]:
        """Read file and tag."""
        if not words or len(words) > 2:
            raise self._columns_error(number, qualifier, "file and category", words)
        if len(words) == 1:
            self._warn(number, f"{qualifier} has no category: assumed to be unknown")
        return self._file(number, unescape_word(words[0])), unescape_word(words[1]) if len(words) == 2 else ""

    def _file_columns(
        self, number: int, qualifier: str, words: list[str]
    ) -> tuple[str, str, str, float | None]:
        """Read file, tag, evaluation and time difference; the last two may be missing together."""
        if len(words) not in (1, 2, 4):
            raise self._columns_error(number, qualifier, "file, category, evaluation and DT", words)
        file, tag = self._pair(number, qualifier, words[:2])
        if len(words) < 4:
            self._warn(number, f"{qualifier} has no evaluation and no DT: assumed OK, and DT unknown")
            return file, tag, "OK", None
        evaluation = choice_of(words[2], EVALUATIONS, "evaluation", self.source, number)
        return file, tag, evaluation, days_of(words[3], self.source, number)

    def _take_calibration(self, number: int, role: str, words: list[str]) -> None:
        flag = FLAGS[0]
        if words and words[0].upper() in FLAGS:
            flag, words = words[0].upper(), words[1:]
        elif len(words) == _WITH_FLAG:
            raise self._error(
                number, f"{role}: expected REAL or VIRTUAL, found {quoted(words[0])}. Correct the line"
            )
        else:
            self._warn(number, f"{role} has no flag: assumed {flag}")
        self.calibrations.append(CalibrationLine(role, flag, *self._file_columns(number, role, words)))

    def _columns_error(self, number: int, qualifier: str, expected: str, words: list[str]) -> BlockError:
        found = quoted(" ".join(words)) if words else "nothing"
        return self._error(number, f"{qualifier}: expected {expected}, found {found}. Correct the line")
