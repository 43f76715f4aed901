"""YAML files into models, with the line of whatever is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from qcbench.core.errors import PackError
from qcbench.instruments.wording import mistakes

Place = tuple[str | int, ...]
_M = TypeVar("_M", bound=BaseModel)
_CLOSE = 0.7


@dataclass(frozen=True)
class YamlFile(Generic[_M]):
    """A YAML file as it was found.

    Attributes
    ----------
    content : BaseModel or None
        What it says; None where something is wrong.
    node : yaml.Node or None
        Its text as a tree, which knows the lines.
    problems : tuple of PackError
        All that is wrong with it, what explains the rest first.
    """

    path: Path
    content: _M | None
    node: yaml.Node | None
    problems: tuple[PackError, ...] = ()


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
    found = examine_yaml(path, model)
    if found.content is None:
        raise found.problems[0]
    return found.content


def examine_yaml(path: Path, model: type[_M]) -> YamlFile[_M]:
    """Read a YAML file into a model, and find all that is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=_Loader)
        content = yaml.load(text, Loader=_Loader)
    except FileNotFoundError:
        return _unreadable(PackError(path, "there is no such file; every pack needs it"))
    except OSError as err:
        return _unreadable(PackError(path, f"can't be read: {err.strerror}"))
    except (UnicodeDecodeError, yaml.reader.ReaderError) as err:
        return _unreadable(PackError(path, f"not a text file in UTF-8: {err}"))
    except yaml.MarkedYAMLError as err:
        line = err.problem_mark.line + 1 if err.problem_mark else None
        return _unreadable(PackError(path, f"not valid YAML: {err.problem or err.context}", line=line))
    if content is None:
        needed = [name for name, field in model.model_fields.items() if field.is_required()]
        if needed:
            return _unreadable(PackError(path, f"nothing is in the file; it needs {', '.join(needed)}"))
        content = {}
    if isinstance(content, dict):
        # names that start with a dot hold pieces that are used again below
        content = {key: value for key, value in content.items() if not str(key).startswith(".")}
    problems = list(_doubles(path, node))
    try:
        read = model.model_validate(content)
    except ValidationError as err:
        # a key that is not known is a slip of the pen; the key that is missing follows from it
        found = sorted(err.errors(), key=lambda item: item["type"] != "extra_forbidden")
        problems += [_misfit(path, node, model, item, text) for item, text in mistakes(found)]
        return YamlFile(path, None, node, tuple(problems))
    return YamlFile(path, None if problems else read, node, tuple(problems))


def line_of(node: yaml.Node | None, place: Place) -> int | None:
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


def key_of(place: Place) -> str:
    """Return a place as people read it: ``tables.hawki_dark.columns.0``."""
    return ".".join(str(part) for part in place)


def _unreadable(problem: PackError) -> YamlFile[Any]:
    return YamlFile(problem.path, None, None, (problem,))


def _misfit(path: Path, node: yaml.Node | None, model: type[BaseModel], item: Any, problem: str) -> PackError:
    place: Place = tuple(part for part in item["loc"] if part != "[key]")
    if item["type"] == "extra_forbidden":
        known = _fields_at(model, place[:-1])
        close = get_close_matches(str(place[-1]), known, n=1, cutoff=_CLOSE)
        problem = "there is no such key; " + (
            f"was {close[0]} meant?" if close else f"there is {', '.join(known)}"
        )
    return PackError(path, problem, line=line_of(node, place), key=key_of(place))


def _fields_at(model: type[BaseModel], place: Place) -> Sequence[str]:
    """Return the keys that may stand at a place."""
    for part in place:
        found = model.model_fields.get(str(part))
        if found is None:
            continue  # a name of its own, or the number of an item
        inner = [kind for kind in _kinds(found.annotation) if issubclass(kind, BaseModel)]
        if inner:
            model = inner[0]
    return tuple(model.model_fields)


def _kinds(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for part in get_args(annotation):
        yield from _kinds(part)


def _doubles(path: Path, node: yaml.Node | None) -> Iterator[PackError]:
    """Find keys that stand twice: YAML would silently keep the later one only."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _doubles(path, item)
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line, name = key.start_mark.line + 1, str(key.value)
            if name in seen:
                yield PackError(path, f"the key stands in line {seen[name]} already", line=line, key=name)
            seen[name] = line
            yield from _doubles(path, value)
