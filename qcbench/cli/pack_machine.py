"""What a pack says against this machine and the simulated observatory: the parts of a check that need other rooms."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from qcbench.core.errors import PackError
from qcbench.oca import Finding

if TYPE_CHECKING:
    from qcbench.instruments import EngineChoice, InstrumentPack
    from qcbench.instruments.models import InstrumentFile
    from qcbench.oca.check import Level
    from qcbench.simulate.description import Description
    from qcbench.simulate.schedule import Exposure

SIMULATE = "simulate.yaml"
_MANY = 4


def instrument_files(packs: Mapping[str, Path]) -> dict[str, InstrumentFile]:
    """Read what packs say of their instruments; one that can't be read is left out."""
    from qcbench.instruments.models import InstrumentFile
    from qcbench.instruments.yamlfiles import examine_yaml

    found = {
        name: examine_yaml(path / "instrument.yaml", InstrumentFile).content for name, path in packs.items()
    }
    return {name: content for name, content in found.items() if content is not None}


def check_alike(pack: InstrumentPack, others: Mapping[str, Path]) -> Iterator[Finding]:
    """Find other instruments whose products or raw frames can't be told from those of this one."""
    own = pack.instrument
    for name, other in instrument_files(others).items():
        shared = [f"INSTRUME {value}" for value in own.instrume if value in other.instrume]
        shared += [f"code {own.code}"] if own.code == other.code else []
        if shared:
            key = "instrume" if "INSTRUME" in shared[0] else "code"
            path = pack.folder / "instrument.yaml"
            text = f"{' and '.join(shared)}: the pack {name} has that, too"
            remedy = "take another code, or don't use both packs in one workbench"
            yield Finding("note", str(path), _line_with(path, f"{key}:"), None, "alike", text, remedy, key)


def check_engines(pack: InstrumentPack) -> Iterator[Finding]:
    """Find recipes that no engine has: built-in ones are known, others may be on another machine."""
    from qcbench.processing import load_engines

    engines = load_engines()
    path = pack.folder / "instrument.yaml"
    choices = [
        (name, number, choice)
        for name, config in pack.instrument.recipes.items()
        for number, choice in enumerate(config.engines)
    ]
    wants_python = any(choice.engine == "python" for _, _, choice in choices)
    known = _python_recipes() if wants_python and "python" in engines else {}
    lines = _lines(path)
    for name, number, choice in choices:
        key = f"recipes.{name}.engines.{number}"
        line = lines.get((name, number), 1)
        if choice.engine == "python" and choice.engine in engines:
            yield from _python_problems(choice, known, str(path), line, key)
            continue
        problem = (
            engines[choice.engine].problem(choice.recipe) if choice.engine in engines else "no such engine"
        )
        if problem:
            remedy = "install its pipeline where it is to run; docs/user-guide/engines.md says how"
            text = f"{choice.engine} can't run {choice.recipe} on this machine: {problem}"
            yield Finding("note", str(path), line, None, "not-installed", text, remedy, key)


def _python_problems(
    choice: EngineChoice, known: Mapping[str, set[str]], path: str, line: int, key: str
) -> Iterator[Finding]:
    if choice.recipe not in known:
        close = get_close_matches(choice.recipe, known, n=1)
        remedy = f"was {close[0]} meant?" if close else f"there is {', '.join(sorted(known))}"
        text = f"there is no Python recipe {choice.recipe}"
        yield Finding("error", path, line, None, "no-recipe", text, remedy, key)
        return
    for name in choice.parameters:
        if name not in known[choice.recipe]:
            close = get_close_matches(name, known[choice.recipe], n=1)
            there = ", ".join(sorted(known[choice.recipe]))
            remedy = f"was {close[0]} meant?" if close else f"there is {there}"
            text = f"the Python recipe {choice.recipe} has no parameter {name}"
            yield Finding("error", path, line, None, "parameter", text, remedy, f"{key}.parameters")


def _python_recipes() -> dict[str, set[str]]:
    """Return the names of the recipes that the python engine has, with those of their parameters."""
    command = [sys.executable, "-m", "qcbench.recipes", "list"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return {
        item["name"]: {parameter["name"] for parameter in item["parameters"]}
        for item in json.loads(answer.stdout)
    }


def _lines(path: Path) -> dict[tuple[str, int], int]:
    from qcbench.instruments.models import InstrumentFile
    from qcbench.instruments.yamlfiles import examine_yaml, line_of

    file = examine_yaml(path, InstrumentFile)
    recipes = file.content.recipes if file.content else {}
    return {
        (name, number): line_of(file.node, ("recipes", name, "engines", number)) or 1
        for name, config in recipes.items()
        for number in range(len(config.engines))
    }


def check_simulation(pack: InstrumentPack, today: dt.date) -> Iterator[Finding]:
    """Classify a simulated night, and find frames that the rules take for something else than they are."""
    from qcbench.instruments.checking.rawtypes import raw_types_of
    from qcbench.oca import classify
    from qcbench.simulate import load_description
    from qcbench.simulate.schedule import plan_night

    path = pack.folder / SIMULATE
    if not path.is_file():
        return
    try:
        plan = load_description(path)
    except PackError as err:
        remedy = "correct it: docs/reference/pack.md lists the keys of every file"
        yield Finding("error", str(path), err.line or 1, None, "file", err.problem, remedy, err.key or "")
        return
    wrong: dict[tuple[str, str], set[str]] = defaultdict(set)
    unknown: set[str] = set()
    for exposure in plan_night(plan, today, seed=0):
        keys = _keys(plan, exposure)
        assigned = classify(pack.rules, keys).assigned.get("RAW.TYPE")
        if assigned != exposure.raw_type:
            wrong[exposure.raw_type, str(assigned or "")].add(exposure.template.id)
        unknown |= {key for key in keys if pack.keys.find(key) is None}
    line = _line_with(path, "templates:")
    known = {str(name) for name in raw_types_of(pack).assigned}
    for (made, found), templates in wrong.items():
        # a simulation may tell kinds apart that the rules take for one; its truth table has its own names then
        level: Level = "note" if found and made not in known else "warning"
        text = f"{', '.join(sorted(templates))}: frames of raw type {made} are " + (
            f"{found} by the rules" if found else "known to no rule"
        )
        remedy = "correct raw_type here, or the classifiers in rules.oca"
        yield Finding(level, str(path), line, None, "simulated-type", text, remedy, "templates")
    if unknown:
        names = sorted(unknown)
        more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
        text = f"no dictionary has the keys {', '.join(names[:_MANY])}{more} of simulated frames"
        yield Finding("warning", str(path), 1, None, "unknown-key", text, "add them to keys.yaml", "keys")


def _keys(plan: Description, exposure: Exposure) -> dict[str, str | int | float | bool]:
    """Return the keys of the primary header of an exposure, whose pixels are never made."""
    from qcbench.fits import short_key
    from qcbench.simulate.detectors import readout
    from qcbench.simulate.headers import add_detector_cards, primary_header

    detector = next(item for item in plan.detectors if item.name in exposure.detectors)
    read = readout(detector, None)
    header = primary_header(plan, exposure, read, 0)
    if plan.layout_of(exposure.template) != "extensions":
        add_detector_cards(header, plan, exposure, read)
    return {short_key(key): value for key, value in header.items()}


def _line_with(path: Path, text: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.startswith(text)), 1)
