"""The reference page of instrument packs: every key of every file, from the models that read them."""

from __future__ import annotations

import datetime as dt
import inspect
import re
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from qcbench.instruments.exceptions import BreakpointsFile, FiltersFile
from qcbench.instruments.keys import KeysFile
from qcbench.instruments.models import InstrumentFile, NamesFile, Qc1File, ScoresFile
from qcbench.simulate import Description

Row = tuple[str, str, str, str]
HEADS = ("key", "type", "if it is left out", "meaning")
FILES: tuple[tuple[str, type[BaseModel], str], ...] = (
    ("instrument.yaml", InstrumentFile, "The instrument itself. Every pack needs it."),
    ("names.yaml", NamesFile, "Names of products. Every pack needs it."),
    ("qc1.yaml", Qc1File, "QC1 tables: what is measured. Every pack needs it."),
    ("scores.yaml", ScoresFile, "Limits of what is measured. Every pack needs it."),
    ("keys.yaml", KeysFile, "Header keys of the instrument, besides those that all instruments share."),
    (
        "breakpoints.yaml",
        BreakpointsFile,
        "Times across which no calibration is used. A site may have its own.",
    ),
    ("filters.yaml", FiltersFile, "Raw frames that are kept out. A site may have its own."),
    (
        "simulate.yaml",
        Description,
        "The simulated observatory of the instrument: what `qcbench simulate` writes.",
    ),
)
_WORDS: Mapping[Any, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    dt.date: "date",
    dt.datetime: "time (UT)",
    type(None): "nothing",
}


def pack_rows(model: type[BaseModel], parent: str = "") -> Iterator[Row]:
    """Give key, type, default and meaning of each key of a file, those of its parts below it."""
    meanings = _attributes(model)
    for name, info in model.model_fields.items():
        path, parts = f"{parent}{name}", list(_parts(info.annotation))
        meaning = info.description or meanings.get(name, "") or (_summary(parts[0][1]) if parts else "")
        if name == "kind" and not meaning:
            meaning = _summary(model)  # it says which one of several this is
        yield f"`{path}`", _type(info.annotation), _default(info), meaning.replace("``", "`")
        for suffix, part in parts:
            yield from pack_rows(part, f"{path}{suffix}.")


def _summary(model: type[BaseModel]) -> str:
    return inspect.cleandoc(model.__doc__ or "").partition("\n")[0]


def _type(annotation: Any) -> str:
    """Return what a key holds, in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation in _WORDS:
        return _WORDS[annotation]
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return "keys below"
    if origin is Annotated:
        return _type(inner[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(part) for part in inner if part is not type(None)))
    if origin is tuple:
        if inner[-1] is Ellipsis:
            return f"list: {_type(inner[0])}"
        return f"list of {len(inner)}: {_type(inner[0])}"
    if origin is dict:
        return f"names, for each: {_type(inner[1])}"
    return "text"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "needed"
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is None or value in ((), {}, "") or isinstance(value, BaseModel):
        return "nothing"
    if isinstance(value, tuple):
        value = list(value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _parts(annotation: Any, suffix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Give the models inside a type, with what stands between the key and theirs."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield suffix, annotation
        return
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is tuple:
        yield from _parts(inner[0], f"{suffix}[]")
    elif origin is dict:
        yield from _parts(inner[1], f"{suffix}.NAME")
    elif origin in (Union, types.UnionType, Annotated):
        for part in inner:
            yield from _parts(part, suffix)


def _attributes(model: type[BaseModel]) -> dict[str, str]:
    """Return what the section Attributes of a docstring says of each field."""
    _, _, section = inspect.cleandoc(model.__doc__ or "").partition("Attributes\n----------\n")
    found: dict[str, str] = {}
    for names, text in re.findall(r"^(\S[^:\n]*) : [^\n]*\n((?:    [^\n]*\n?)+)", section, re.M):
        found |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return found
