"""Reading packs: an error names file, line and key."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml

from qcbench.core.errors import PackError
from qcbench.instruments.contradictions import contradictions
from qcbench.instruments.exceptions import BreakpointsFile, FiltersFile
from qcbench.instruments.keys import KeyDictionary, KeysFile
from qcbench.instruments.models import InstrumentFile, InstrumentPack, NamesFile, Qc1File, ScoresFile
from qcbench.instruments.yamlfiles import key_of, line_of, read_yaml
from qcbench.oca import load_rules

BUILT_IN = Path(__file__).parent


def available_packs(site: Path | None = None) -> dict[str, Path]:
    """Return the packs by name: the built-in ones, and those of the site's own folder, which win."""
    found: dict[str, Path] = {}
    for parent in (BUILT_IN, site):
        if parent is not None and parent.is_dir():
            found |= {file.parent.name: file.parent for file in sorted(parent.glob("*/instrument.yaml"))}
    return found


def find_pack(name: str, site: Path | None = None) -> InstrumentPack:
    """Read a pack by its name; that of the site wins.

    Raises
    ------
    PackError
        There is no such pack, or one of its files is wrong.
    """
    # asked for with every step of every AB: the folders are not listed
    built_in, own = BUILT_IN / name, site / name if site is not None else None
    if own is not None and _is_pack(own):
        return load_pack(own)
    if _is_pack(built_in):
        return load_pack(built_in, own)
    known = ", ".join(available_packs(site))
    raise PackError(site or BUILT_IN, f"there is no instrument pack '{name}'; there is {known}")


def _is_pack(folder: Path) -> bool:
    return (folder / "instrument.yaml").is_file()


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
    for problem in contradictions(pack):
        path = folder / problem.file
        line = line_of(yaml.compose(path.read_text(encoding="utf-8")), problem.place)
        raise PackError(path, problem.text, line=line, key=key_of(problem.place))
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
