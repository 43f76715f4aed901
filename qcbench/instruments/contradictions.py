"""Where the files of a pack contradict each other, so that it can't be used."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from qcbench.instruments.models import Column, InstrumentPack, ParameterScore, Scalar
from qcbench.instruments.yamlfiles import Place
from qcbench.oca import Product

INSTRUMENT, NAMES, QC1, SCORES, RULES, KEYS, BREAKPOINTS, FILTERS = (
    "instrument.yaml",
    "names.yaml",
    "qc1.yaml",
    "scores.yaml",
    "rules.oca",
    "keys.yaml",
    "breakpoints.yaml",
    "filters.yaml",
)


@dataclass(frozen=True)
class Contradiction:
    """Two files that don't go together: where to look first, what is wrong, and what mends it."""

    file: str
    place: Place
    code: str
    text: str
    remedy: str


def contradictions(pack: InstrumentPack, but_not: Collection[str] = ()) -> Iterator[Contradiction]:
    """Find the contradictions of a pack, but for those of files that are left out."""
    for files, look in _LOOKS:
        if not files & frozenset(but_not):
            yield from look(pack)


def product_category(product: Product) -> str:
    """Return the PRO.CATG of a product of an action; its name where the rules say none."""
    assigned = dict(product.keys).get("PRO.CATG")
    value = assigned.evaluate({}, {}) if assigned else None
    return str(value) if value is not None else product.name


def _folder(pack: InstrumentPack) -> Iterator[Contradiction]:
    if pack.name != pack.folder.name:
        text = f"the pack is in a folder of another name, {pack.folder.name!r}"
        yield Contradiction(INSTRUMENT, ("name",), "name", text, "rename the folder, or correct the name")


def _scores(pack: InstrumentPack) -> Iterator[Contradiction]:
    for number, score in enumerate(pack.scores):
        yield from _wrong_score(pack, score, ("scores", number))


def _wrong_score(pack: InstrumentPack, score: ParameterScore, place: Place) -> Iterator[Contradiction]:
    def wrong(key: str, text: str, remedy: str) -> Contradiction:
        return Contradiction(SCORES, (*place, key), "score", text, remedy)

    table = pack.tables.get(score.table)
    if table is None:
        yield wrong("table", f"no table '{score.table}' in qc1.yaml", f"there is {', '.join(pack.tables)}")
        return
    columns = {column.name: column for column in table.columns}
    column = columns.get(score.parameter)
    if column is None:
        text = f"table '{score.table}' has no column '{score.parameter}'"
        yield wrong("parameter", text, f"there is {', '.join(columns)}")
    elif column.kind == "FILTER" or column.type == "text":
        text = f"column '{column.name}' of table '{score.table}' is a filter or a text: it can't be scored"
        yield wrong("parameter", text, "score a column that is measured")
    for name, value in score.where.items():
        if name not in columns:
            text = f"table '{score.table}' has no column '{name}'"
            yield wrong("where", text, f"there is {', '.join(columns)}")
        elif isinstance(value, str) != (columns[name].type == "text") or isinstance(value, bool):
            yield wrong("where", *_never_equal(columns[name], value))
    for detector in score.detectors:
        if detector not in table.detectors.names:
            text = f"table '{score.table}' has no detector '{detector}'"
            yield wrong("detectors", text, f"there is {', '.join(table.detectors.names)}")


def _never_equal(column: Column, value: Scalar) -> tuple[str, str]:
    """Say that a column can't have a value, and what mends it."""
    if column.type == "text":
        return f"column '{column.name}' holds a text, {value!r} is none", f'write it in quotes: "{value}"'
    return f"column '{column.name}' holds a number, {value!r} is none", "write a number, without quotes"


def _recipes(pack: InstrumentPack) -> Iterator[Contradiction]:
    for action in pack.rules.actions:
        if action.recipe and action.recipe not in pack.instrument.recipes:
            text = f"recipe '{action.recipe}' of rules.oca, line {action.line}, is not configured"
            remedy = f"add '{action.recipe}: {{engines: …}}' to recipes, or correct rules.oca"
            yield Contradiction(INSTRUMENT, ("recipes",), "recipe", text, remedy)


def _names(pack: InstrumentPack) -> Iterator[Contradiction]:
    made = (product_category(product) for action in pack.rules.actions for product in action.products)
    for category in dict.fromkeys(made):
        if category not in pack.names:
            text = f"product '{category}' has no name"
            remedy = f"add '{category}: {{code: …}}', or correct its PRO.CATG in rules.oca"
            yield Contradiction(NAMES, ("products",), "no-name", text, remedy)


def _tables(pack: InstrumentPack) -> Iterator[Contradiction]:
    for name, table in pack.tables.items():
        if table.product not in pack.names:
            text = f"table '{name}': no product '{table.product}' in names.yaml"
            remedy = "add it to names.yaml, or correct it here"
            yield Contradiction(QC1, ("tables", name, "product"), "table-product", text, remedy)


_LOOKS: tuple[tuple[frozenset[str], Callable[[InstrumentPack], Iterator[Contradiction]]], ...] = (
    (frozenset({INSTRUMENT}), _folder),
    (frozenset({SCORES, QC1}), _scores),
    (frozenset({RULES, INSTRUMENT}), _recipes),
    (frozenset({RULES, NAMES}), _names),
    (frozenset({QC1, NAMES}), _tables),
)
