"""Comparing two association trees, or two sets of names, as verifyAB does (QC handbook, section 5.5.6)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from qcbench.association.calselector.matching import match_associations
from qcbench.association.calselector.tree import AssociationTree, FileEntry, dp_id_of
from qcbench.blocks import BlockFile, time_of_name
from qcbench.blocks.escapes import UNKNOWN, escape_text, escape_word

MISSING_FILE, ADDITIONAL_FILE, OTHER_FILE = "missing file", "additional file", "other file"
MISSING_ASSOCIATION, ADDITIONAL_ASSOCIATION = "missing association", "additional association"
OTHER_CATEGORY, VALIDITY = "other category", "validity"
_ATTRIBUTES = (
    (VALIDITY, "match"),
    ("completeness", "complete"),
    ("certified", "certified"),
    ("mode", "mode"),
    ("type", "type"),
)
_Path = tuple[str, ...]
_LATE = float("inf")


@dataclass(frozen=True)
class Difference:
    """A difference between our association and another one.

    Attributes
    ----------
    kind : str
        missing file, additional file, other file, other category, missing association, additional association,
        validity, completeness, certified, mode, or type.
    path : tuple of str
        Where: the chain of categories from the root.
    ours, theirs : str
        What either side has; empty if it has nothing.
    text : str
        The same in words.
    """

    kind: str
    path: tuple[str, ...]
    ours: str
    theirs: str
    text: str


@dataclass(frozen=True)
class NameSets:
    """The names that verifyAB compares: those of raw files (RAWFILE and RASSOC), and of masters (MCALIB, MASSOC)."""

    raw: frozenset[str]
    calibrations: frozenset[str]

    @classmethod
    def of_block(cls, block: BlockFile, dp_ids: Mapping[str, str]) -> NameSets:
        """Return the names that an AB has; `dp_ids` gives the archive's name of a calibration's file name."""
        raw = [file for file, _ in block.raw_files] + [item.file for item in block.associated]
        masters = [dp_ids.get(item.file, item.file) for item in block.calibrations]
        return cls(frozenset(map(dp_id_of, raw)), frozenset(map(dp_id_of, masters)))

    @classmethod
    def of_tree(cls, tree: AssociationTree) -> NameSets:
        """Return the names at the root of a tree and directly below: what those need is no part of an AB."""
        names = {dp_id_of(entry.name) for one in (tree, *tree.children) for entry in one.main_files}
        masters = frozenset(name for name in names if is_master(name))
        return cls(frozenset(names) - masters, masters)


def is_master(dp_id: str) -> bool:
    """Tell whether the archive's name of a file is that of a product."""
    return dp_id.startswith("M.")


def compare_trees(ours: AssociationTree, theirs: AssociationTree) -> tuple[Difference, ...]:
    """Return the differences of two trees; the order of files and of associations does not count.

    Associations under one parent are matched by category, and among those of one category by their files.
    """
    return tuple(_compare((ours.category,), ours, theirs))


def compare_names(ours: NameSets, theirs: NameSets) -> tuple[Difference, ...]:
    """Return the names that either side has alone."""
    sides = (
        ("RAWFILE+RASSOC", ours.raw, theirs.raw),
        ("MCALIB+MASSOC", ours.calibrations, theirs.calibrations),
    )
    return tuple(
        difference
        for what, have, wanted in sides
        for difference in (
            *(_missing_file((what,), name) for name in sorted(wanted - have)),
            *(_additional_file((what,), name) for name in sorted(have - wanted)),
        )
    )


def diff_text(differences: Sequence[Difference]) -> str:
    """Return the DIFF file: kind, chain of categories, ours, theirs, and in a comment the same in words."""
    lines = [f"# {len(differences)} differences: kind, association, ours, theirs"]
    for item in differences:
        path = "/".join(escape_word(part).replace("/", "%2F") for part in item.path) or UNKNOWN
        columns = (item.kind.replace(" ", "_"), path, escape_word(item.ours), escape_word(item.theirs))
        lines.append(f"{' '.join(columns)} # {escape_text(item.text)}")
    return "\n".join(lines) + "\n"


def age_text(ours: str, theirs: str) -> str:
    """Say how much older one file is than another, by the times in their names; nothing where they tell none."""
    first, second = time_of_name(ours), time_of_name(theirs)
    if first is None or second is None:
        return ""
    days = (first - second).total_seconds() / 86400.0
    return f", {abs(days):.3f} d {'older' if days < 0 else 'younger'} by its name"


def _compare(path: _Path, ours: AssociationTree, theirs: AssociationTree) -> Iterator[Difference]:
    if ours.category != theirs.category:
        text = f"the association is {ours.category} here, {theirs.category} there"
        yield Difference(OTHER_CATEGORY, path, ours.category, theirs.category, text)
    for kind, name in _ATTRIBUTES:
        have, wanted = _shown(getattr(ours, name)), _shown(getattr(theirs, name))
        if have != wanted:
            yield Difference(
                kind,
                path,
                have,
                wanted,
                f"{name} is {have or 'not given'} here, {wanted or 'not given'} there",
            )
    yield from _compare_files(path, ours.main_files, theirs.main_files)
    yield from _compare_children(path, ours.children, theirs.children)


def _shown(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _compare_files(
    path: _Path, ours: Sequence[FileEntry], theirs: Sequence[FileEntry]
) -> Iterator[Difference]:
    """Compare files by name; of those that differ, one here and one there of one category are a swap."""
    have = Counter((entry.category, dp_id_of(entry.name)) for entry in ours)
    wanted = Counter((entry.category, dp_id_of(entry.name)) for entry in theirs)
    additional, missing = list((have - wanted).elements()), list((wanted - have).elements())
    same_name, additional, missing = _take_pairs(additional, missing, 1)
    for mine, other in same_name:
        text = f"{mine[1]} is {mine[0]} here, {other[0]} there"
        yield Difference(OTHER_CATEGORY, path, mine[0], other[0], text)
    swapped, additional, missing = _take_pairs(additional, missing, 0)
    for mine, other in swapped:
        text = f"{mine[1]} here, {other[1]} there{age_text(mine[1], other[1])}"
        yield Difference(OTHER_FILE, path, mine[1], other[1], text)
    yield from (_missing_file(path, name) for _, name in missing)
    yield from (_additional_file(path, name) for _, name in additional)


_Entry = tuple[str, str]
_Pairs = list[tuple[_Entry, _Entry]]


def _take_pairs(
    ours: list[_Entry], theirs: list[_Entry], column: int
) -> tuple[_Pairs, list[_Entry], list[_Entry]]:
    """Pair entries that agree in a column, in order of time; return the pairs, and what is left of either side."""
    sides: dict[str, tuple[list[_Entry], list[_Entry]]] = defaultdict(lambda: ([], []))
    for side, entries in enumerate((ours, theirs)):
        for entry in sorted(entries, key=_by_time):
            sides[entry[column]][side].append(entry)
    pairs: _Pairs = []
    left_ours: list[_Entry] = []
    left_theirs: list[_Entry] = []
    for mine, others in sides.values():
        n_pairs = min(len(mine), len(others))
        pairs += zip(mine, others, strict=False)
        left_ours += mine[n_pairs:]
        left_theirs += others[n_pairs:]
    return pairs, left_ours, left_theirs


def _by_time(entry: _Entry) -> tuple[float, str, str]:
    time = time_of_name(entry[1])
    return (_LATE if time is None else time.timestamp(), entry[1], entry[0])


def _compare_children(
    path: _Path, ours: Sequence[AssociationTree], theirs: Sequence[AssociationTree]
) -> Iterator[Difference]:
    found = match_associations(ours, theirs)
    for mine, other in found.pairs:
        yield from _compare((*path, mine.category), mine, other)
    for tree in found.theirs:
        text = f"{tree.category} with {len(tree.main_files)} files is not here"
        yield Difference(MISSING_ASSOCIATION, (*path, tree.category), "", tree.category, text)
    for tree in found.ours:
        text = f"{tree.category} with {len(tree.main_files)} files is here alone"
        yield Difference(ADDITIONAL_ASSOCIATION, (*path, tree.category), tree.category, "", text)


def _missing_file(path: _Path, name: str) -> Difference:
    return Difference(MISSING_FILE, path, "", name, f"{name} is not here")


def _additional_file(path: _Path, name: str) -> Difference:
    return Difference(ADDITIONAL_FILE, path, name, "", f"{name} is here alone")
