"""Association trees for tests: small ones by hand, random ones, and changes of single files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

from hypothesis import strategies as st

from qcbench.association.calselector import AssociationTree, FileEntry

Change = Callable[[FileEntry], FileEntry | None]
START = dt.datetime(2026, 11, 19, tzinfo=dt.UTC)


def name_at(hours: float, letter: str = "") -> str:
    """The archive name of a raw file, some hours after a start."""
    time = START + dt.timedelta(hours=hours)
    return f"TINY{letter}.{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}"


def tree_of(
    category: str, *hours: float, children: tuple[AssociationTree, ...] = (), **values: object
) -> AssociationTree:
    """An association whose files were taken some hours after a start."""
    files = tuple(FileEntry(category, name_at(hour)) for hour in hours)
    return replace(AssociationTree(category, main_files=files, children=children), **values)  # type: ignore[arg-type]


def change_files(tree: AssociationTree, changes: dict[tuple[int, int], Change]) -> AssociationTree:
    """Change files; the key of a change is the number of the association in the text, and that of the file in it."""
    counter = iter(range(tree.n_associations))

    def changed(one: AssociationTree) -> AssociationTree:
        number = next(counter)
        files = [
            changes.get((number, i), lambda entry: entry)(entry) for i, entry in enumerate(one.main_files)
        ]
        kept = tuple(entry for entry in files if entry is not None)
        return replace(one, main_files=kept, children=tuple(changed(child) for child in one.children))

    return changed(tree)


def removed(entry: FileEntry) -> None:
    """No file."""


def swapped(entry: FileEntry) -> FileEntry:
    """Another file of the same time."""
    return replace(entry, name=entry.name.replace("TINY.", "TINYB."))


def aged(entry: FileEntry) -> FileEntry:
    """A file taken 30 days earlier."""
    prefix, time = entry.name[:-23], entry.name[-23:]
    older = dt.datetime.fromisoformat(time) - dt.timedelta(days=30)
    return replace(entry, name=f"{prefix}{older:%Y-%m-%dT%H:%M:%S}.{older.microsecond // 1000:03d}")


xml_text = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=8,
) | st.sampled_from(['a"b', "a'b", "\"'", "<&>", "a\nb\tc", "]]>", "&amp;"])
names = st.from_regex(r"[A-Z][A-Za-z0-9_.:+-]{0,20}", fullmatch=True)
texts = xml_text.map(lambda text: " ".join(text.split()))


def _nodes(children: st.SearchStrategy[tuple[AssociationTree, ...]]) -> st.SearchStrategy[AssociationTree]:
    return st.builds(
        AssociationTree,
        category=xml_text,
        certified=st.booleans(),
        complete=st.booleans(),
        match=st.none() | xml_text,
        type=xml_text,
        main_files=st.lists(st.builds(FileEntry, xml_text, names), max_size=3).map(tuple),
        messages=st.lists(texts, max_size=2).map(tuple),
        children=children,
    )


hostile_trees = st.builds(
    lambda tree, mode: replace(tree, match=None, mode=mode),
    st.recursive(
        _nodes(st.just(())), lambda inner: _nodes(st.lists(inner, max_size=3).map(tuple)), max_leaves=8
    ),
    st.none() | xml_text,
)

_few = st.sampled_from(["BIAS", "FLAT"])
_crowded = st.builds(
    AssociationTree,
    category=_few,
    certified=st.booleans(),
    match=st.sampled_from(["calib_plan", "N/A"]),
    main_files=st.lists(st.builds(FileEntry, _few, st.sampled_from("abc")), max_size=3).map(tuple),
)
crowded_trees = st.recursive(
    _crowded,
    lambda inner: st.builds(
        lambda tree, children: replace(tree, children=tuple(children)), _crowded, st.lists(inner, max_size=4)
    ),
    max_leaves=10,
)


@st.composite
def plain_trees(draw: st.DrawFn) -> AssociationTree:
    """Trees of distinct files, whose associations below one parent have distinct categories."""
    hours = iter(range(1000))

    def node(depth: int, category: str) -> AssociationTree:
        files = [next(hours) / 8 for _ in range(draw(st.integers(1, 4)))]
        wanted = draw(
            st.lists(st.sampled_from(["BIAS", "DARK", "FLAT"]), unique=True, max_size=2 if depth else 0)
        )
        return tree_of(category, *files, children=tuple(node(depth - 1, name) for name in wanted))

    return node(2, "SCIENCE")
