"""What the tests of the packs ask of the installed pipelines and of a simulated night."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from astropy.table import Table

from qcbench.fits import Keys, read_header
from qcbench.instruments import InstrumentPack, find_pack
from qcbench.oca import RuleSet, Value, classify, group, load_rules
from qcbench.qc1 import measure
from qcbench.simulate import simulate

START = dt.date(2026, 11, 17)


@dataclass(frozen=True)
class Night:
    """The frames of a simulated night by their names in the archive, and the truth of them."""

    paths: Mapping[str, Path]
    truth: Table

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


def observe(pack: InstrumentPack, folder: Path, window: int | None) -> Night:
    """Observe a night with the instrument of a pack."""
    result = simulate(
        pack.folder / "simulate.yaml", folder / "archive", nights=1, start=START, seed=1, window=window
    )
    paths = {path.name: path for path in (folder / "archive").rglob("*.fits")}
    return Night(paths, Table.read(result.truth, format="ascii.ecsv"))


@cache
def installed_rules(name: str) -> RuleSet:
    """Read the rule file that comes with a pipeline."""
    (path,) = Path("/usr/share/cpl-plugins").glob(f"{name}-*/gasgano/config/{name}.oca")
    return load_rules(path)


def classified(rules: RuleSet, keys: Keys) -> dict[str, Value]:
    """Return the keys of a frame with what rules assign to it."""
    return {**keys, **classify(rules, keys).assigned}


def groups(rules: RuleSet, frames: Iterable[Keys]) -> dict[frozenset[str], str]:
    """Group frames by rules: the names of the frames of each group, and its action."""
    known = [classified(rules, keys) for keys in frames]
    found = group(rules, known).groups
    return {frozenset(str(known[i]["ARCFILE"]) for i in item.members): item.action for item in found}


def headers(night: Night) -> list[Keys]:
    """Return the primary headers of a night."""
    return [read_header(path).keys for path in night.paths.values()]


def run_recipe(recipe: str, frames: Iterable[tuple[Path, str]], folder: Path, *options: str) -> None:
    """Run a recipe of an installed pipeline in a folder of its own; its products stay there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "frames.sof").write_text("".join(f"{path} {tag}\n" for path, tag in frames))
    (plugin,) = Path("/usr/lib").glob(f"*/cpl/plugins/*/{recipe}.so")
    esorex = shutil.which("esorex")
    assert esorex
    where = [f"--recipe-dir={plugin.parent}", f"--output-dir={folder}", f"--log-dir={folder}"]
    answer = subprocess.run(
        [esorex, *where, recipe, *options, "frames.sof"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def category(path: Path) -> Value:
    """Return the PRO.CATG of a product."""
    return read_header(path).keys["PRO.CATG"]


def measured(pack: str, table: str, product: Path) -> dict[str, Value | None]:
    """Measure a product into the one row of a QC1 table."""
    (row,) = measure(read_header(product), find_pack(pack).tables[table])
    return dict(row.values)
