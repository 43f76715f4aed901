"""A simulated night of a pack, and what the tests of the packs ask of it and of the installed pipelines."""

from __future__ import annotations

import datetime as dt
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import yaml
from astropy.table import Table

from qcbench.fits import Keys, read_header
from qcbench.instruments import InstrumentPack, find_pack, product_category
from qcbench.oca import Action, Group, RuleSet, Value, cascade_of, classify, group, load_rules, matches
from qcbench.processing.esorex import plugin_folder
from qcbench.qc1 import measure
from qcbench.simulate import simulate

Header = dict[str, Value]
START = dt.date(2026, 11, 17)


@dataclass(frozen=True)
class Night:
    """The frames of a simulated night by their names in the archive, and the truth of them."""

    pack: InstrumentPack
    paths: Mapping[str, Path]
    truth: Table

    @cached_property
    def headers(self) -> list[Header]:
        """The primary headers as they are in the files, in the order of `paths`."""
        return [dict(read_header(path).keys) for path in self.paths.values()]

    @cached_property
    def frames(self) -> list[Header]:
        """The primary headers with what the rules of the pack assign to them, in the order of `paths`."""
        return [classified(self.pack.rules, keys) for keys in self.headers]

    def of(self, raw_type: str) -> Table:
        """Return the truth of one raw type."""
        return self.truth[self.truth["raw_type"] == raw_type]

    def files(self, raw_type: str, template: int = 0) -> list[Path]:
        """Return the files of a template (from 0) of a raw type."""
        rows = self.of(raw_type)
        start = sorted(set(rows["tpl_start"]))[template]
        return [self.paths[name] for name in sorted(set(rows["arcfile"][rows["tpl_start"] == start]))]

    def ron(self, raw_type: str, detector: str) -> float:
        """Return the true readout noise of a detector, adu."""
        rows = self.of(raw_type)
        return float(rows["ron"][rows["detector"] == detector][0])

    def groups_by_action(self) -> dict[str, list[Group]]:
        """Return the groups of the night; their members are places in `frames`."""
        found: dict[str, list[Group]] = {}
        for made in group(self.pack.rules, self.frames).groups:
            found.setdefault(made.action, []).append(made)
        return found


def observe(
    pack: InstrumentPack,
    folder: Path,
    window: int | None,
    raw_types: Iterable[str] = (),
    nexp: int | None = None,
) -> Night:
    """Observe a night: all templates of a pack, or those of `raw_types` with `nexp` exposures each."""
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
    result = simulate(description, folder / "archive", nights=1, start=START, seed=1, window=window)
    paths = {path.name: path for path in sorted((folder / "archive").rglob("*.fits"))}
    return Night(pack, paths, Table.read(result.truth, format="ascii.ecsv"))


@cache
def installed_rules(name: str) -> RuleSet:
    """Read the rule file that comes with a pipeline."""
    (path,) = Path("/usr/share/cpl-plugins").glob(f"{name}-*/gasgano/config/{name}.oca")
    return load_rules(path)


def classified(rules: RuleSet, keys: Keys) -> Header:
    """Return the keys of a frame with what rules assign to it."""
    return {**keys, **classify(rules, keys).assigned}


def groups(rules: RuleSet, headers: Iterable[Keys]) -> set[frozenset[str]]:
    """Group frames by rules: the names of the frames of each group."""
    known = [classified(rules, keys) for keys in headers]
    return {frozenset(str(known[i]["ARCFILE"]) for i in made.members) for made in group(rules, known).groups}


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
    made_groups = group(pack.rules, frames).groups
    products = [
        frames[made.members[0]] | {"PRO.CATG": product_category(product)}
        for made in made_groups
        for product in pack.rules.action(made.action).products
    ]
    products = [keys | _shared_keys(pack, keys) for keys in products]
    return [
        (made.action, association.tag)
        for made in made_groups
        for association in pack.rules.action(made.action).associations
        if association.source == "calibFiles" and association.min_ret
        if association.tag not in pack.instrument.static
        if not any(matches(association.condition, keys, frames[made.members[0]]) for keys in products)
    ]


def _shared_keys(pack: InstrumentPack, product: Header) -> Header:
    assigned = classify(pack.rules, product).assigned
    return {key: value for key, value in assigned.items() if key not in ("RAW.TYPE", "DO.CATG")}


def without_source(pack: InstrumentPack) -> set[tuple[str, str]]:
    """Return (action, tag) of associations whose calibration nothing makes."""
    return {
        (need.action, need.association.tag)
        for need in cascade_of(pack.rules).needs
        if need.association.source == "calibFiles"
        if not need.makers and not need.categories <= pack.instrument.static.keys()
    }


def unknown_to_the_recipe(action: Action, raw_tags: Iterable[str]) -> set[str]:
    """Return the tags that the recipe of an action does not name in its help; tags for information are left out."""
    tags = {rule.tag for rule in action.associations if not rule.tag.endswith("_MASSOC")} | set(raw_tags)
    return tags - _words_of_the_help(str(action.recipe))


@cache
def _words_of_the_help(recipe: str) -> frozenset[str]:
    command = ["esorex", f"--recipe-dir={plugin_folder(recipe)}", "--man-page", recipe]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return frozenset(answer.stdout.replace(",", " ").replace('"', " ").split())


def run_recipe(recipe: str, frames: Iterable[tuple[Path, str]], folder: Path, *options: str) -> None:
    """Run a recipe of an installed pipeline in a folder; its products stay there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "frames.sof").write_text("".join(f"{path} {tag}\n" for path, tag in frames))
    where = [f"--recipe-dir={plugin_folder(recipe)}", f"--output-dir={folder}", f"--log-dir={folder}"]
    command = ["esorex", *where, recipe, *options, "frames.sof"]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def category(path: Path) -> Value:
    """Return the PRO.CATG of a product."""
    return read_header(path).keys["PRO.CATG"]


def measured(pack: str, table: str, product: Path) -> dict[str, Value | None]:
    """Measure a product into the one row of a QC1 table."""
    (row,) = measure(read_header(product), find_pack(pack).tables[table])
    return dict(row.values)
