"""A night of a pack's simulated observatory, as headers; and what every pack's rules have to be."""

from __future__ import annotations

import datetime as dt
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml

from qcbench.fits import read_header
from qcbench.instruments import InstrumentPack, product_category
from qcbench.oca import Action, Group, RuleSet, Value, classify, group, load_rules, matches
from qcbench.oca.cascade import cascade_of
from qcbench.processing.esorex import plugin_folder
from qcbench.simulate import simulate

Header = dict[str, Value]
DATE = dt.date(2026, 11, 17)


def observe(
    pack: InstrumentPack,
    folder: Path,
    window: int | None,
    raw_types: Iterable[str] = (),
    nexp: int | None = None,
) -> list[Path]:
    """Simulate a night and return its files: of all templates, or of `raw_types` with `nexp` exposures each."""
    description = pack.folder / "simulate.yaml"
    if wanted := list(raw_types):
        content = yaml.safe_load(description.read_text())
        content = {key: value for key, value in content.items() if not key.startswith(".")}
        content["templates"] = [
            item | ({"nexp": nexp} if nexp else {})
            for item in content["templates"]
            if item["raw_type"] in wanted
        ]
        description = folder / "simulate.yaml"
        description.write_text(yaml.safe_dump(content))
    simulate(description, folder / "archive", nights=1, start=DATE, seed=1, window=window)
    return sorted((folder / "archive" / "raw" / DATE.isoformat()).glob("*.fits"))


def headers(pack: InstrumentPack, files: Iterable[Path]) -> list[Header]:
    """Return the headers of files, classified."""
    found: list[Header] = [dict(read_header(path).keys) for path in files]
    return [keys | classify(pack.rules, keys).assigned for keys in found]


def raw_types(pack: InstrumentPack) -> set[str]:
    """Return the raw types that the rules assign."""
    return {
        str(value.evaluate({}, {}))
        for rule in pack.rules.classifiers
        for key, value in rule.assignments
        if key == "RAW.TYPE"
    }


def unmet_needs(pack: InstrumentPack, frames: list[Header]) -> list[tuple[str, str]]:
    """Return (action, tag) of required calibrations that no group of a night would make, general ones left out."""
    groups = group(pack.rules, frames).groups
    products = [
        frames[made.members[0]] | {"PRO.CATG": product_category(product)}
        for made in groups
        for product in pack.rules.action(made.action).products
    ]
    products = [keys | _shared_keys(pack, keys) for keys in products]
    return [
        (made.action, association.tag)
        for made in groups
        for association in pack.rules.action(made.action).associations
        if association.source == "calibFiles" and association.min_ret
        if association.tag not in pack.instrument.static
        if not any(matches(association.condition, keys, frames[made.members[0]]) for keys in products)
    ]


def _shared_keys(pack: InstrumentPack, product: Header) -> Header:
    assigned = classify(pack.rules, product).assigned
    return {key: value for key, value in assigned.items() if key not in ("RAW.TYPE", "DO.CATG")}


def open_ended(pack: InstrumentPack) -> set[tuple[str, str]]:
    """Return (action, tag) of associations without a limit in time, other than those of general calibrations."""
    return {
        (need.action, need.association.tag)
        for need in cascade_of(pack.rules).needs
        if need.validity.extended.is_open and not need.categories <= pack.instrument.static.keys()
    }


def without_source(pack: InstrumentPack) -> set[tuple[str, str]]:
    """Return (action, tag) of associations whose calibration nothing makes."""
    return {
        (need.action, need.association.tag)
        for need in cascade_of(pack.rules).needs
        if need.association.source == "calibFiles"
        if not need.makers and not need.categories <= pack.instrument.static.keys()
    }


def groups_by_action(pack: InstrumentPack, frames: list[Header]) -> dict[str, list[Group]]:
    found: dict[str, list[Group]] = {}
    for made in group(pack.rules, frames).groups:
        found.setdefault(made.action, []).append(made)
    return found


def installed_category(name: str, keys: Header) -> str | None:
    """Return the DO.CATG that the rules of the installed pipeline give a file."""
    assigned = classify(_installed(name), keys).assigned
    return str(assigned["DO.CATG"]) if "DO.CATG" in assigned else None


@cache
def _installed(name: str) -> RuleSet:
    (path,) = Path("/usr/share/cpl-plugins").glob(f"{name}-*/gasgano/config/{name}.oca")
    return load_rules(path)


def unknown_to_the_recipe(action: Action, raw_tags: Iterable[str]) -> set[str]:
    """Return the tags that the recipe of an action does not name in its help; tags for information are left out."""
    tags = {rule.tag for rule in action.associations if not rule.tag.endswith("_MASSOC")} | set(raw_tags)
    words = _help(str(action.recipe))
    return {tag for tag in tags if tag not in words}


@cache
def _help(recipe: str) -> frozenset[str]:
    command = ["esorex", f"--recipe-dir={plugin_folder(recipe)}", "--man-page", recipe]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return frozenset(answer.stdout.replace(",", " ").replace('"', " ").split())


def run_recipe(recipe: str, frames: Iterable[tuple[Path, str]], folder: Path, *options: str) -> None:
    """Run a recipe of the installed pipeline in a folder; its products stay there."""
    folder.mkdir(exist_ok=True)
    (folder / "frames.sof").write_text("".join(f"{path} {tag}\n" for path, tag in frames))
    where = [f"--recipe-dir={plugin_folder(recipe)}", f"--output-dir={folder}", f"--log-dir={folder}"]
    answer = subprocess.run(
        ["esorex", *where, recipe, *options, "frames.sof"], cwd=folder, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr[-2000:]
