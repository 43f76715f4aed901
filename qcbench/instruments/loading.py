"""Reading packs: YAML with line numbers, so that an error names file, line and key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from qcbench.core.errors import PackError
from qcbench.instruments.exceptions import BreakpointsFile, FiltersFile
from qcbench.instruments.keys import KeyDictionary, KeysFile
from qcbench.instruments.models import (
    InstrumentFile,
    InstrumentPack,
    NamesFile,
    ParameterScore,
    Qc1File,
    ScoresFile,
)
from qcbench.oca import Product, load_rules

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
    additions = site / name if site is not None and packs[name] != site / name else None
    return load_pack(packs[name], additions)


@cache
def load_pack(folder: Path, additions: Path | None = None) -> InstrumentPack:
    """Read a pack from its folder and check its files against each other.

    Parameters
    ----------
    additions : Path, optional
        A folder whose ``breakpoints.yaml`` and ``filters.yaml``, where they are there, add to those of the pack.

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
        keys=common_keys() | _own_keys(folder),
        breakpoints=tuple(
            item
            for path in _optional("breakpoints.yaml", folder, additions)
            for item in read_yaml(path, BreakpointsFile).breakpoints
        ),
        filters=tuple(
            item
            for path in _optional("filters.yaml", folder, additions)
            for item in read_yaml(path, FiltersFile).filters
        ),
    )
    for problem in _contradictions(pack):
        raise problem.error(folder)
    return pack


@cache
def common_keys() -> KeyDictionary:
    """Return the keys that headers of all instruments have."""
    return KeyDictionary(read_yaml(BUILT_IN / "keys.yaml", KeysFile).keys)


def _own_keys(folder: Path) -> KeyDictionary:
    """Return the keys of the instrument itself."""
    files = [read_yaml(path, KeysFile) for path in _optional("keys.yaml", folder)]
    return KeyDictionary({name: spec for file in files for name, spec in file.keys.items()})


def _optional(name: str, *folders: Path | None) -> Iterator[Path]:
    """Find the files of a name that are there."""
    for folder in folders:
        if folder is not None and (folder / name).is_file():
            yield folder / name


class _Loader(yaml.SafeLoader):
    """Leaves dates to the models, which name the key of one that there is not in the calendar."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (the library reads it)
        start: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for start, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_yaml(path: Path, model: type[_M]) -> _M:
    """Read a YAML file into a model.

    Raises
    ------
    PackError
        The file is missing, is not YAML, or does not fit the model.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=_Loader)
        _refuse_doubles(path, node)
        content = yaml.load(text, Loader=_Loader)
    except FileNotFoundError as err:
        raise PackError(path, "there is no such file; every pack needs it") from err
    except OSError as err:
        raise PackError(path, f"can't be read: {err.strerror}") from err
    except (UnicodeDecodeError, yaml.reader.ReaderError) as err:
        raise PackError(path, f"not a text file in UTF-8: {err}") from err
    except yaml.MarkedYAMLError as err:
        line = err.problem_mark.line + 1 if err.problem_mark else None
        raise PackError(path, f"not valid YAML: {err.problem or err.context}", line=line) from err
    if isinstance(content, dict):
        # names that start with a dot hold pieces that are used again below
        content = {key: value for key, value in content.items() if not str(key).startswith(".")}
    try:
        return model.model_validate(content)
    except ValidationError as err:
        # a key that is not known is a slip of the pen; the key that is missing follows from it
        first = min(err.errors(), key=lambda item: item["type"] != "extra_forbidden")
        place = first["loc"]
        key = ".".join(str(part) for part in place)
        problem = f"{first['msg']} (it is {first['input']!r})"
        raise PackError(path, problem, line=_line_of(node, place), key=key) from err


def _refuse_doubles(path: Path, node: yaml.Node | None) -> None:
    """Refuse a key that stands twice: YAML would silently keep the later one only."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_doubles(path, item)
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            name = str(key.value)
            if name in seen:
                raise PackError(path, f"the key stands in line {seen[name]} already", line=line, key=name)
            seen[name] = line
            _refuse_doubles(path, value)


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


@dataclass(frozen=True)
class _Problem:
    """Two files of a pack that contradict each other: what, and where to look first."""

    file: str
    place: tuple[str | int, ...]
    text: str

    def error(self, folder: Path) -> PackError:
        """Return the error; it names the line."""
        path = folder / self.file
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
        key = ".".join(str(part) for part in self.place)
        return PackError(path, self.text, line=_line_of(node, self.place), key=key)


def _contradictions(pack: InstrumentPack) -> Iterator[_Problem]:
    if pack.name != pack.folder.name:
        text = f"the pack is in a folder of another name, {pack.folder.name!r}"
        yield _Problem("instrument.yaml", ("name",), text)
    for number, score in enumerate(pack.scores):
        yield from _wrong_score(pack, score, ("scores", number))
    yield from _undefined(pack)


def _wrong_score(
    pack: InstrumentPack, score: ParameterScore, place: tuple[str | int, ...]
) -> Iterator[_Problem]:
    table = pack.tables.get(score.table)
    if table is None:
        yield _Problem("scores.yaml", (*place, "table"), f"no table '{score.table}' in qc1.yaml")
        return
    columns = {column.name: column for column in table.columns}
    for name in (score.parameter, *score.where):
        if name not in columns:
            key = "parameter" if name == score.parameter else "where"
            yield _Problem("scores.yaml", (*place, key), f"table '{score.table}' has no column '{name}'")
            return
    column = columns[score.parameter]
    if column.kind == "FILTER" or column.type == "text":
        problem = f"column '{column.name}' of table '{score.table}' is a filter or a text: it can't be scored"
        yield _Problem("scores.yaml", (*place, "parameter"), problem)
    for detector in score.detectors:
        if detector not in table.detectors.names:
            problem = f"table '{score.table}' has no detector '{detector}'"
            yield _Problem("scores.yaml", (*place, "detectors"), problem)


def _undefined(pack: InstrumentPack) -> Iterator[_Problem]:
    for action in pack.rules.actions:
        if action.recipe and action.recipe not in pack.instrument.recipes:
            problem = f"recipe '{action.recipe}' of rules.oca, line {action.line}, is not configured"
            yield _Problem("instrument.yaml", ("recipes",), problem)
        for product in action.products:
            category = product_category(product)
            if category not in pack.names:
                yield _Problem("names.yaml", ("products",), f"product '{category}' has no name")
    for name, table in pack.tables.items():
        if table.product not in pack.names:
            problem = f"table '{name}': no product '{table.product}' in names.yaml"
            yield _Problem("qc1.yaml", ("tables", name, "product"), problem)
