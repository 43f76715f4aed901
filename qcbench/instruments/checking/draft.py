"""A pack that is being written: what of it can be read, where each thing stands, and what can't be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from qcbench.core.errors import PackError
from qcbench.instruments.contradictions import (
    BREAKPOINTS,
    FILTERS,
    INSTRUMENT,
    KEYS,
    NAMES,
    QC1,
    RULES,
    SCORES,
)
from qcbench.instruments.exceptions import BreakpointsFile, FiltersFile
from qcbench.instruments.keys import KeyDictionary, KeysFile
from qcbench.instruments.loading import common_keys
from qcbench.instruments.models import InstrumentFile, InstrumentPack, NamesFile, Qc1File, ScoresFile
from qcbench.instruments.yamlfiles import Place, YamlFile, examine_yaml, key_of, line_of
from qcbench.oca import Finding, RuleSet, examine_rules
from qcbench.oca.check import Level

_M = TypeVar("_M", bound=BaseModel)
_MODELS: tuple[tuple[str, type[BaseModel]], ...] = (
    (INSTRUMENT, InstrumentFile),
    (NAMES, NamesFile),
    (QC1, Qc1File),
    (SCORES, ScoresFile),
)
_OPTIONAL: tuple[tuple[str, type[BaseModel]], ...] = (
    (KEYS, KeysFile),
    (BREAKPOINTS, BreakpointsFile),
    (FILTERS, FiltersFile),
)


@dataclass(frozen=True)
class Draft:
    """The files of a pack, as far as they can be read.

    Attributes
    ----------
    folder : Path
        The pack.
    files : mapping of str to YamlFile
        Those that are there, by their names.
    rules : RuleSet or None
        None where the rules can't be read.
    mistakes : tuple of Finding
        Why not.
    """

    folder: Path
    files: Mapping[str, YamlFile[BaseModel]]
    rules: RuleSet | None
    mistakes: tuple[Finding, ...]

    @cached_property
    def broken(self) -> frozenset[str]:
        """Names of the files that can't be used."""
        wrong = {name for name, file in self.files.items() if file.content is None}
        return frozenset(wrong | ({RULES} if self.rules is None else set()))

    @cached_property
    def pack(self) -> InstrumentPack:
        """The pack; what a broken file would say is empty in it, and not to be looked at."""
        keys = self._content(KEYS, KeysFile)
        names, tables, scores = (
            self._content(NAMES, NamesFile),
            self._content(QC1, Qc1File),
            self._content(SCORES, ScoresFile),
        )
        breakpoints, filters = (
            self._content(BREAKPOINTS, BreakpointsFile),
            self._content(FILTERS, FiltersFile),
        )
        return InstrumentPack(
            folder=self.folder,
            instrument=self._content(INSTRUMENT, InstrumentFile) or _nothing_known(self.folder),
            names=names.products if names else {},
            tables=tables.tables if tables else {},
            scores=scores.scores if scores else (),
            rules=self.rules or RuleSet(),
            keys=common_keys() | KeyDictionary(keys.keys if keys else {}),
            breakpoints=breakpoints.breakpoints if breakpoints else (),
            filters=filters.filters if filters else (),
        )

    def problems(self) -> Iterator[Finding]:
        """Give what is wrong with each file by itself."""
        for file in self.files.values():
            for problem in file.problems:
                yield self._unreadable(problem)
        yield from self.mistakes

    def finding(self, level: Level, file: str, place: Place, code: str, text: str, remedy: str) -> Finding:
        """Return a finding at a place of a YAML file."""
        line = line_of(self.files[file].node, place) or 1
        return Finding(level, str(self.files[file].path), line, None, code, text, remedy, key_of(place))

    def _content(self, name: str, model: type[_M]) -> _M | None:
        content = self.files[name].content if name in self.files else None
        return content if isinstance(content, model) else None

    def _unreadable(self, problem: PackError) -> Finding:
        remedy = "correct it: docs/reference/pack.md lists the keys of every file"
        return Finding(
            "error",
            str(problem.path),
            problem.line or 1,
            None,
            "file",
            problem.problem,
            remedy,
            problem.key or "",
        )


def read_draft(folder: Path, additions: Path | None = None) -> Draft:
    """Read the files of a pack as far as they can be read.

    Parameters
    ----------
    additions : Path, optional
        A folder whose ``breakpoints.yaml`` and ``filters.yaml`` add to those of the pack.
    """
    files: dict[str, YamlFile[BaseModel]] = {
        name: examine_yaml(folder / name, model) for name, model in _MODELS
    }
    for name, model in _OPTIONAL:
        places = [folder / name, *([additions / name] if additions and name != KEYS else [])]
        # those of a site add to those of the pack, which was checked without them
        there = [path for path in places if path.is_file()]
        if there:
            files[name] = examine_yaml(there[-1], model)
    rules, mistakes = examine_rules(folder / RULES)
    return Draft(folder, files, rules, mistakes)


def _nothing_known(folder: Path) -> InstrumentFile:
    return InstrumentFile(name="unknown", title=folder.name, instrume=("",), code="XX", archive_prefix="X")
