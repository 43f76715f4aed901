"""Checks of a whole pack: each file by itself, and all of them against each other, in one go.

`load_pack` stops at the first thing that makes a pack unusable; here everything is found that can be found, also what
a pack works with, but not as it was meant.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from qcbench.instruments.checking.alike import check_alike, instrument_files
from qcbench.instruments.checking.described import check_keys, check_names, check_site
from qcbench.instruments.checking.draft import Draft, read_draft
from qcbench.instruments.checking.measured import check_scores, check_tables
from qcbench.instruments.checking.raw import check_raw
from qcbench.instruments.checking.rawtypes import RawTypes, raw_types_of
from qcbench.instruments.checking.ruled import check_instrume, check_recipes, check_rule_set, check_types
from qcbench.instruments.contradictions import INSTRUMENT, KEYS, NAMES, QC1, RULES, SCORES, contradictions
from qcbench.instruments.models import InstrumentPack
from qcbench.oca import Finding

__all__ = [
    "PackCheck",
    "RawTypes",
    "check_alike",
    "check_pack",
    "instrument_files",
    "raw_types_of",
    "sorted_findings",
]

_Look = Callable[[Draft], Iterator[Finding]]
_LOOKS: tuple[tuple[frozenset[str], _Look], ...] = (
    (frozenset({RULES}), check_rule_set),
    (frozenset({RULES, INSTRUMENT}), check_instrume),
    (frozenset({RULES}), check_types),
    (frozenset({RULES, INSTRUMENT}), check_recipes),
    (frozenset({RULES, NAMES, INSTRUMENT}), check_names),
    (frozenset({RULES, QC1}), check_tables),
    (frozenset({INSTRUMENT, KEYS, RULES}), check_keys),
    (frozenset({RULES}), check_site),
    (frozenset({RULES, INSTRUMENT}), check_raw),
)
_LEVELS = ("error", "warning", "note")


@dataclass(frozen=True)
class PackCheck:
    """What came of a check.

    Attributes
    ----------
    findings : tuple of Finding
        Errors first, then warnings, then notes; each in the order of files and lines.
    pack : InstrumentPack or None
        The pack; None where one of its files can't be read.
    broken : frozenset of str
        Files that can't be read, and so were not compared with the others.
    """

    findings: tuple[Finding, ...]
    pack: InstrumentPack | None
    broken: frozenset[str]


def check_pack(folder: Path, additions: Path | None = None, *, today: dt.date) -> PackCheck:
    """Find what is wrong with a pack, or looks wrong.

    Parameters
    ----------
    folder : Path
        The pack.
    additions : Path, optional
        A folder whose ``breakpoints.yaml`` and ``filters.yaml`` add to those of the pack.
    today : datetime.date
        Date on which every score must have limits.
    """
    draft = read_draft(folder.absolute(), additions)
    found = [
        *draft.problems(),
        *_strange_files(draft),
        *_contradicting(draft, draft.broken),
        *(item for files, look in _LOOKS if not files & draft.broken for item in look(draft)),
    ]
    if not {SCORES, QC1} & draft.broken:
        found += check_scores(draft, today)
    return PackCheck(sorted_findings(found), None if draft.broken else draft.pack, draft.broken)


def sorted_findings(findings: Collection[Finding]) -> tuple[Finding, ...]:
    """Return findings in the order in which a person mends them."""
    files = list(dict.fromkeys(item.source for item in findings))
    return tuple(
        sorted(findings, key=lambda item: (_LEVELS.index(item.level), files.index(item.source), item.line))
    )


def _contradicting(draft: Draft, broken: Collection[str]) -> Iterator[Finding]:
    for item in contradictions(draft.pack, but_not=broken):
        yield draft.finding("error", item.file, item.place, item.code, item.text, item.remedy)


def _strange_files(draft: Draft) -> Iterator[Finding]:
    """Find files that look as if they belonged to the pack, and are never read."""
    known = {*draft.files, "simulate.yaml"}
    for path in sorted(draft.folder.glob("*.y*ml")):
        if path.name not in known:
            text = f"no part of a pack is in a file of the name {path.name}: it is not read"
            yield Finding(
                "warning", str(path), 1, None, "strange-file", text, "correct its name, or remove it"
            )
