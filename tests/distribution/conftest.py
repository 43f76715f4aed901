from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from qcbench.certification import certify_products, decide
from qcbench.distribution import ingest_products, move_products, rename_products
from qcbench.workbench import Workbench
from tests.builders import DATE, INSTRUMENT, add_dark, add_flat, build_workbench, find_ab


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    built = build_workbench(tmp_path / "wb")
    yield built
    built.close()


@dataclass(frozen=True)
class DecidedNight:
    """A night on which all is decided: two good ABs, one rejected product, one rejected with its raw frames."""

    bench: Workbench
    dark: str
    flat: str
    bad_product: str
    bad_raw: str

    def up_to(self, step: str) -> DecidedNight:
        for name, function in (
            ("moved", move_products),
            ("renamed", rename_products),
            ("ingested", ingest_products),
        ):
            function(self.bench, INSTRUMENT, DATE)
            if name == step:
                break
        return self


def decide_a_night(bench: Workbench) -> DecidedNight:
    dark = add_dark(bench, 1, log_path="work/dark.log")
    (bench.tree.root / "work" / "dark.log").write_text("recipe finished\n")
    flat = add_flat(bench, 2, dark)
    bad_product, bad_raw = add_dark(bench, 3, ron=12.9), add_dark(bench, 4, ron=12.9)
    certify_products(bench, INSTRUMENT, DATE)
    decide(bench, bad_product, "rejected", by="ann", comment="pipeline problem")
    decide(bench, bad_raw, "rejected", by="ann", comment="saturated", scope="raw")
    return DecidedNight(bench, dark, flat, bad_product, bad_raw)


@pytest.fixture
def night(bench: Workbench) -> DecidedNight:
    return decide_a_night(bench)


def products_of(bench: Workbench, name: str) -> list[tuple[str, str, str | None]]:
    """PRO.CATG, location and path below the workbench of the products of an AB."""
    with bench.store.read() as session:
        return [
            (item.pro_catg, item.location, item.path and str(Path(item.path).relative_to(bench.tree.root)))
            for item in find_ab(session, name).products
        ]


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())
