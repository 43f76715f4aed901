"""What a pack says of its recipes against the engines: built-in ones are known, others may be on another machine."""

from __future__ import annotations

from collections.abc import Iterator

from qcbench.instruments import InstrumentPack
from qcbench.oca import Finding
from qcbench.processing.checking.builtin import check_python
from qcbench.processing.checking.choices import choices_of
from qcbench.processing.checking.pipelines import check_esorex
from qcbench.processing.engines import load_engines

__all__ = ["check_engines"]

_CHECKED = ("python", "esorex")


def check_engines(pack: InstrumentPack) -> Iterator[Finding]:
    """Find recipes that no engine has, and those that don't take, or don't make, what the rules say."""
    engines = load_engines()
    choices = list(choices_of(pack))
    for item in choices:
        name, recipe = item.engine.engine, item.engine.recipe
        if name not in engines:
            yield item.not_installed("no such engine")
        elif name not in _CHECKED and (problem := engines[name].problem(recipe)):
            yield item.not_installed(problem)
    for name, look in (("python", check_python), ("esorex", check_esorex)):
        if name in engines:
            yield from look(pack, [item for item in choices if item.engine.engine == name])
