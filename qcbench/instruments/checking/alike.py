"""What a pack shares with other packs, so that frames or products of two instruments can't be told apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from qcbench.instruments.models import InstrumentFile, InstrumentPack
from qcbench.instruments.yamlfiles import examine_yaml, line_of
from qcbench.oca import Finding

INSTRUMENT = "instrument.yaml"


def instrument_files(packs: Mapping[str, Path]) -> dict[str, InstrumentFile]:
    """Read what packs say of their instruments; one that can't be read is left out."""
    found = {name: examine_yaml(path / INSTRUMENT, InstrumentFile).content for name, path in packs.items()}
    return {name: content for name, content in found.items() if content is not None}


def check_alike(pack: InstrumentPack, others: Mapping[str, Path]) -> Iterator[Finding]:
    """Find other instruments whose products or raw frames can't be told from those of this one.

    Parameters
    ----------
    others : mapping of str to Path
        The folders of the other packs, by their names.
    """
    own, path = pack.instrument, pack.folder / INSTRUMENT
    node = examine_yaml(path, InstrumentFile).node
    for name, other in instrument_files(others).items():
        shared = [f"INSTRUME {value}" for value in own.instrume if value in other.instrume]
        shared += [f"code {own.code}"] if own.code == other.code else []
        if shared:
            key = "instrume" if "INSTRUME" in shared[0] else "code"
            text = f"{' and '.join(shared)}: the pack {name} has that, too"
            remedy = "take another code, or don't use both packs in one workbench"
            yield Finding("note", str(path), line_of(node, (key,)) or 1, None, "alike", text, remedy, key)
