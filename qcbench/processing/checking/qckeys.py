"""QC parameters that a table takes from products of the built-in recipes, and that these never write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from qcbench.instruments import InstrumentPack, TableSpec
from qcbench.instruments.checking import RawTypes, raw_types_of
from qcbench.instruments.models import Qc1File
from qcbench.instruments.yamlfiles import examine_yaml, key_of, line_of
from qcbench.oca import Finding
from qcbench.processing.checking.choices import Choice

_CLOSE = 0.8
_NUMBERED = re.compile(r"i(?=\\?\.|$)")


def check_qc_keys(
    pack: InstrumentPack, choices: Iterable[Choice], known: Mapping[str, Any]
) -> Iterator[Finding]:
    """Find columns of QC parameters that no recipe of their table writes.

    Parameters
    ----------
    choices : iterable of Choice
        Engines of built-in recipes.
    known : mapping
        What the recipes say of themselves, by their names.
    """
    written = {
        item.recipe: {each["key"] for each in known[item.engine.recipe]["qc"]}
        for item in choices
        if item.alone and item.engine.recipe in known
    }
    path = pack.folder / "qc1.yaml"
    node = examine_yaml(path, Qc1File).node
    types = raw_types_of(pack)
    for name, table in pack.tables.items():
        keys = _keys_for(pack, types, table, written)
        for number, column in enumerate(table.columns):
            if keys and column.key.startswith("QC.") and not _is_written(column.key, keys):
                place = ("tables", name, "columns", number, "key")
                close = get_close_matches(column.key, keys, n=1, cutoff=_CLOSE)
                text = f"{column.name} is always empty: the recipe of the table writes no {column.key}"
                remedy = f"was {close[0]} meant?" if close else f"it writes {', '.join(sorted(keys))}"
                line = line_of(node, place) or 1
                yield Finding("error", str(path), line, None, "qc-key", text, remedy, key_of(place))


def _keys_for(
    pack: InstrumentPack, types: RawTypes, table: TableSpec, written: Mapping[str, set[str]]
) -> set[str]:
    """Return all keys that recipes write for a table; none where one of them does not tell."""
    makers = {action for raw_type in table.raw_types for action in types.makers(raw_type)}
    recipes = {action.recipe for action in pack.rules.actions if action.name in makers and action.recipe}
    found = [written.get(recipe, set()) for recipe in recipes]
    return set().union(*found) if all(found) else set()


def _is_written(key: str, keys: Iterable[str]) -> bool:
    return any(re.fullmatch(_NUMBERED.sub(r"\\d+", re.escape(name)), key) for name in keys)
