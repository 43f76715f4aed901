"""The tree that calSelector answers: a frame, the calibrations that it needs, those that these need, and so on.

The form is that of ESO's service (docs of the archive; a real answer is among the real data of the tests).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

CALIB_PLAN = "calib_plan"
EXTENDED = "extended"
NOT_APPLICABLE = "N/A"

_ENDINGS = (".Z", ".gz", ".fz", ".fits")


@dataclass(frozen=True)
class FileEntry:
    """A file of an association: its category (DO.CATG or PRO.CATG) and its name in the archive."""

    category: str
    name: str


@dataclass(frozen=True)
class AssociationTree:
    """An association: its files, and the associations of what these need.

    Attributes
    ----------
    category : str
        What it is; that of the root says the setup too.
    certified, complete : bool
        Whether all of it is certified; whether nothing that it needs is missing.
    mode : str or None
        ``Raw2Raw`` or ``Raw2Master``; only the root has one.
    match : str or None
        ``calib_plan`` within the calibration plan, ``extended`` beyond it but within the limits of the rule, ``N/A``
        for what has no validity; only nested ones have one.
    """

    category: str
    certified: bool = True
    complete: bool = True
    mode: str | None = None
    match: str | None = None
    type: str = "main"
    main_files: tuple[FileEntry, ...] = ()
    messages: tuple[str, ...] = ()
    children: tuple[AssociationTree, ...] = ()

    def walk(self) -> Iterator[tuple[tuple[AssociationTree, ...], AssociationTree]]:
        """Give each association in the order of the text, the root too, with those above it from the root on."""
        todo: list[tuple[tuple[AssociationTree, ...], AssociationTree]] = [((), self)]
        while todo:
            above, tree = todo.pop()
            yield above, tree
            todo += [((*above, tree), child) for child in reversed(tree.children)]

    def entries(self) -> Iterator[FileEntry]:
        """Give the files of all associations in the order of the text, each as often as it is there."""
        for _, tree in self.walk():
            yield from tree.main_files

    @property
    def n_associations(self) -> int:
        """The number of associations, the root included."""
        return sum(1 for _ in self.walk())

    @property
    def distinct_files(self) -> tuple[FileEntry, ...]:
        """The files without duplicates, in the order in which they come first."""
        return tuple({entry.name: entry for entry in reversed(tuple(self.entries()))}.values())[::-1]


@dataclass(frozen=True)
class Download:
    """A file to download: what it is, and the associations that need it, each as the chain from the root."""

    dp_id: str
    category: str
    used_by: tuple[tuple[str, ...], ...]


def gather(tree: AssociationTree) -> tuple[Download, ...]:
    """Return the files of a tree to download, each once, in the order in which they come first."""
    users: dict[str, list[tuple[str, ...]]] = {}
    categories: dict[str, str] = {}
    for above, association in tree.walk():
        path = path_of(above, association)
        for entry in association.main_files:
            dp_id = dp_id_of(entry.name)
            categories.setdefault(dp_id, entry.category)
            users.setdefault(dp_id, []).append(path)
    return tuple(
        Download(dp_id, category, tuple(dict.fromkeys(users[dp_id])))
        for dp_id, category in categories.items()
    )


def download_text(files: tuple[Download, ...]) -> str:
    """Return the download list as text: a dp_id a line."""
    return "".join(f"{file.dp_id}\n" for file in files)


def download_rows(files: tuple[Download, ...]) -> list[dict[str, object]]:
    """Return the download list as rows that JSON can hold: dp_id, category, and the associations that need it."""
    return [
        {"dp_id": file.dp_id, "category": file.category, "used_by": [list(path) for path in file.used_by]}
        for file in files
    ]


def worse_match(one: str, other: str) -> str:
    """Return the match of what is taken twice: the one further out; what sets no limit in time does not count."""
    for match in (NOT_APPLICABLE, CALIB_PLAN):
        if one == match:
            return other
        if other == match:
            return one
    return one


def path_of(above: tuple[AssociationTree, ...], association: AssociationTree) -> tuple[str, ...]:
    """Return the chain of categories from the root to an association."""
    return tuple(tree.category for tree in (*above, association))


def dp_id_of(name: str) -> str:
    """Return the name of a file in the archive: without the ending that a copy on disk has."""
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name
