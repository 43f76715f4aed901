"""Reading packs: YAML with line numbers, so that an error names file, line and key."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from qcbench.core.errors import PackError
from qcbench.instruments.models import (
    InstrumentFile,
    InstrumentPack,
    NamesFile,
    Qc1File,
    ScoresFile,
)
from qcbench.oca import Product, RuleSet, load_rules

BUILT_IN = Path(__file__).parent
_M = TypeVar("_M", bound=BaseModel)


def available_packs(site: Path | None = None) -> dict[str, Path]:
    """Return the packs by name: the built-in ones, and those of the site's own folder, which win."""
    found: dict[str, Path] = {}
    for parent in (BUILT_IN, site):
        if parent is not None and parent.is_dir():
            found |= {file.parent.name: file.parent for file in sorted(parent.glob("*/instrument.yaml"))}
    return found


def find_pack(name: str, site: Path | None = None) -> InstrumentPack:
    """Read a pack by its name.

    Raises
    ------
    PackError
        There is no such pack, or one of its files is wrong.
    """
    packs = available_packs(site)
    if name not in packs:
        raise PackError(
            site or BUILT_IN, f"there is no instrument pack '{name}'; there is {', '.join(packs)}"
        )
    return load_pack(packs[name])


@cache
def load_pack(folder: Path) -> InstrumentPack:
    """Read a pack from its folder and check its files against each other.

    Raises
    ------
    PackError, RuleError
        A file is missing or wrong; file, line and key are named.
    """
    pack = InstrumentPack(
        folder=folder,
        instrument=read_yaml(folder / "instrument.yaml", InstrumentFile),
        names=read_yaml(folder / "names.yaml", NamesFile).products,
        tables=read_yaml(folder / "qc1.yaml", Qc1File).tables,
        scores=read_yaml(folder / "scores.yaml", ScoresFile).scores,
        rules=load_rules(folder / "rules.oca"),
    )
    for error in _contradictions(pack):
        raise error
    return pack


def read_yaml(path: Path, model: type[_M]) -> _M:
    """Read a YAML file into a model.

    Raises
    ------
    PackError
        The file is missing, is not YAML, or does not fit the model.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except FileNotFoundError as err:
        raise PackError(path, "there is no such file; every pack needs it") from err
    except yaml.MarkedYAMLError as err:
        line = err.problem_mark.line + 1 if err.problem_mark else None
        raise PackError(path, f"not valid YAML: {err.problem or err.context}", line=line) from err
    if isinstance(content, dict):
        # names that start with a dot hold pieces that are used again below
        content = {key: value for key, value in content.items() if not str(key).startswith(".")}
    try:
        return model.model_validate(content)
    except ValidationError as err:
        first = err.errors()[0]
        place = first["loc"]
        key = ".".join(str(part) for part in place)
        problem = f"{first['msg']} (it is {first['input']!r})"
        raise PackError(path, problem, line=_line_of(node, place), key=key) from err


def _line_of(node: yaml.Node | None, place: tuple[str | int, ...]) -> int | None:
    """Return the line (from 1) of the deepest part of a place that is in the file."""
    line = node.start_mark.line + 1 if node else None
    for part in place:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def product_category(product: Product) -> str:
    """Return the PRO.CATG of a product of an action; its name where the rules say none."""
    assigned = dict(product.keys).get("PRO.CATG")
    value = assigned.evaluate({}, {}) if assigned else None
    return str(value) if value is not None else product.name


def _contradictions(pack: InstrumentPack) -> Iterator[PackError]:
    scores = pack.folder / "scores.yaml"
    for score in pack.scores:
        table = pack.tables.get(score.table)
        if table is None:
            yield PackError(scores, f"no table '{score.table}' in qc1.yaml", key="table")
            continue
        names = {column.name for column in table.columns}
        for name in (score.parameter, *score.where):
            if name not in names:
                yield PackError(scores, f"table '{score.table}' has no column '{name}'", key="parameter")
        for detector in score.detectors:
            if detector not in table.detectors.names:
                yield PackError(
                    scores, f"table '{score.table}' has no detector '{detector}'", key="detectors"
                )
    yield from _undefined(pack, pack.rules)


def _undefined(pack: InstrumentPack, rules: RuleSet) -> Iterator[PackError]:
    for action in rules.actions:
        if action.recipe and action.recipe not in pack.instrument.recipes:
            problem = f"recipe '{action.recipe}' of rules.oca, line {action.line}, is not configured"
            yield PackError(pack.folder / "instrument.yaml", problem, key="recipes")
        for product in action.products:
            category = product_category(product)
            if category not in pack.names:
                yield PackError(
                    pack.folder / "names.yaml", f"product '{category}' has no name", key="products"
                )
    for name, table in pack.tables.items():
        if table.product not in pack.names:
            problem = f"table '{name}': no product '{table.product}' in names.yaml"
            yield PackError(pack.folder / "qc1.yaml", problem, key=f"tables.{name}.product")
