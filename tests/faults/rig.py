"""A night whose recipes are processes that copy what the built-in recipes made, but for one that a fault befalls.

It goes as far as `scored`, without the reports of ABs and of the date. All else is real: QC0, the cascade, the engine
that calls EsoRex and reads its answers, the database, the files. A shell script stands in the place of EsoRex itself.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy import select

from qcbench.association import create_abs, load_headers, scan_archive
from qcbench.core.files import sha256
from qcbench.processing import Cascade, create_job, load_engines, recover_interrupted
from qcbench.processing.engines import RecipeJob, RecipeResult
from qcbench.processing.esorex import EsorexEngine
from qcbench.reports.report import _bring_to_scores
from qcbench.store import AssociationBlock, Product
from qcbench.store.runs import RecipeRun, RunFile
from qcbench.workbench import Workbench, open_workbench
from qcbench.workflow import auto_daily, run_job
from tests.faults.operations import operations
from tests.nights import NIGHT, PYTHON_ENGINE, simulated_workbench
from tests.workflow.state import files, rows

module = import_module("qcbench.workflow.job")
stages = import_module("qcbench.workflow.auto_daily")
processing = import_module("qcbench.processing.process_ab")
Row = tuple[object, ...]
INSTRUMENT = "hawki"
# at least as long as a recipe may take in these tests
TIMEOUT_S = 5
MEMORY_MB, DISK_MB = 300, 20
ESOREX = """\
#!/bin/sh
# long enough to be met by a fault
sleep 0.1
# the working folder has the name of the AB, and some characters for the attempt
ab=$(basename "$PWD" | sed 's/-[0-9a-f]*$//')
make_products() { cp "$KEPT/$ab"/*.fits products/ && cp "$KEPT/$ab/products.json" .; }
if [ "$ab" = "$VICTIM" ] && [ -e "$FAULT" ]; then . "$FAULT"; fi
make_products
"""


class StandIn(EsorexEngine):
    """The engine of EsoRex, which takes the script in the path for it, under the name of the other engine."""

    name = "python"

    def problem(self, recipe: str) -> str | None:
        """Say what EsoRex says of the recipe that is missing; every other one is there."""
        return super().problem(recipe) if recipe == os.environ.get("MISSING") else None

    def version(self, recipe: str) -> str:
        """Return that it is none."""
        return "stand-in"

    def run(self, job: RecipeJob) -> RecipeResult:
        """Run the script, within limits that a test can wait for."""
        limits = replace(job.limits, timeout_s=TIMEOUT_S, memory_mb=MEMORY_MB, disk_mb=DISK_MB)
        return super().run(replace(job, limits=limits))


@dataclass(frozen=True)
class _Keeping:
    """Runs the built-in recipes, and keeps what they make."""

    folder: Path

    name = "python"

    def problem(self, recipe: str) -> str | None:
        return load_engines()["python"].problem(recipe)

    def version(self, recipe: str) -> str:
        return "stand-in"

    def run(self, job: RecipeJob) -> RecipeResult:
        result = load_engines()["python"].run(job)
        own = self.folder / job.ab_name.removesuffix(".ab")
        own.mkdir(parents=True)
        for path, _ in result.products:
            shutil.copy(path, own / path.name)
        listed = [{"name": path.name, "category": category} for path, category in result.products]
        (own / "products.json").write_text(json.dumps(listed))
        return result


@dataclass(frozen=True)
class Rig:
    """What every fault begins with: a workbench with a queue, products of its ABs, and how it ends without faults.

    `victim` makes what `child` needs; `operations` is how many changes of files, and commits, auto-daily makes.
    """

    root: Path
    victim: str
    child: str
    rows: dict[str, list[Row]]
    files: set[str]
    operations: int

    def copy(self, target: Path) -> Workbench:
        """A workbench of its own, with a queue."""
        shutil.copytree(self.root / "queued", target)
        return opened(target)

    def fresh(self, target: Path) -> Workbench:
        """A workbench of its own, which has not looked into its archive yet."""
        shutil.copytree(self.root / "fresh", target)
        return opened(target)


def opened(root: Path) -> Workbench:
    """Open a workbench with the settings of these tests."""
    return open_workbench(root, {**os.environ, **PYTHON_ENGINE})


def build(root: Path) -> Rig:
    """Simulate a night, run it once with the built-in recipes to have their products, and once with the stand-in."""
    simulated_workbench(root / "fresh", environ=PYTHON_ENGINE).close()
    shutil.copytree(root / "fresh", root / "queued")
    bench = opened(root / "queued")
    scan_archive(bench)
    load_headers(bench, INSTRUMENT, NIGHT)
    create_abs(bench, INSTRUMENT, NIGHT)
    create_job(bench, INSTRUMENT, NIGHT)
    with bench.store.read() as session:
        flats = select(AssociationBlock).where(AssociationBlock.raw_type == "FLAT_TWILIGHT")
        flat = session.scalars(flats.order_by(AssociationBlock.name).limit(1)).one()
        victim, child = flat.calibrations[0].product.maker.name, flat.name
    bench.close()
    shutil.copytree(root / "queued", root / "first")
    # the first run of a recipe may take its time
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "load_engines", lambda: {"python": _Keeping(root / "kept")})
        assert not run_job(opened(root / "first"), INSTRUMENT, NIGHT, show=False).failed
    script = root / "bin" / "esorex"
    script.parent.mkdir()
    script.write_text(ESOREX)
    script.chmod(0o755)
    rig = Rig(root, victim.removesuffix(".ab"), child, {}, set(), 0)
    bench = rig.fresh(root / "undisturbed")
    with recipes(rig), operations(bench.settings.root) as seen:
        auto_daily(bench, through="scored", show=False)
    assert set(states(bench).values()) == {"scored"}
    return replace(rig, rows=rows_of(bench), files=files(bench.settings.root), operations=seen.count)


@contextmanager
def recipes(rig: Rig, fault: Path | None = None, missing: str = "") -> Iterator[None]:
    """Let ABs be processed by the stand-in, the victim as a piece of shell says; a recipe may be missing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{rig.root / 'bin'}:{os.environ['PATH']}")
        patch.setenv("KEPT", str(rig.root / "kept"))
        patch.setenv("VICTIM", rig.victim)
        patch.setenv("FAULT", str(fault or "/none"))
        patch.setenv("MISSING", missing)
        for one in (module, processing):
            patch.setattr(one, "load_engines", lambda: {"python": StandIn()})
        patch.setattr(module, "process_qc", _bring_to_scores)
        patch.setattr(stages, "date_report", lambda *_: Path())
        yield


def run(rig: Rig, bench: Workbench, fault: Path | None = None, missing: str = "") -> Cascade:
    """Run what is queued, as auto-daily does after a call that may have been killed; without its reports."""
    with recipes(rig, fault, missing):
        recover_interrupted(bench)
        create_job(bench, INSTRUMENT, NIGHT)
        ended = run_job(bench, INSTRUMENT, NIGHT, show=False)
        module.catch_up(bench, INSTRUMENT, NIGHT)
        bench.write_texts()
    return ended


def states(bench: Workbench) -> dict[str, str]:
    """The state of each AB that has a recipe."""
    with bench.store.read() as session:
        query = select(AssociationBlock.name, AssociationBlock.state).where(AssociationBlock.recipe != "NONE")
        return {name: state for name, state in session.execute(query)}  # noqa: C416 (rows, not pairs)


def block(bench: Workbench, name: str) -> AssociationBlock:
    """An AB, by the name of its text form or without its ending."""
    with bench.store.read() as session:
        query = select(AssociationBlock).where(AssociationBlock.name == f"{name.removesuffix('.ab')}.ab")
        return session.scalars(query).one()


def rows_of(bench: Workbench) -> dict[str, list[Row]]:
    """All tables; the files of a run with the name of its AB."""
    query = (
        select(
            AssociationBlock.name,
            RunFile.is_output,
            RunFile.position,
            RunFile.name,
            RunFile.tag,
            RunFile.data_hash,
        )
        .join(RecipeRun, RecipeRun.id == RunFile.run_id)
        .join(AssociationBlock, AssociationBlock.id == RecipeRun.ab_id)
    )
    with bench.store.read() as session:
        of_runs: list[Row] = sorted((tuple(row) for row in session.execute(query)), key=str)
    return {**rows(bench), "run_files": of_runs}


def differences(rig: Rig, bench: Workbench) -> list[str]:
    """What differs from a workbench that no fault befell: tables, names of files, damaged products."""
    found = rows_of(bench)
    tables = [name for name in rig.rows.keys() | found.keys() if found.get(name) != rig.rows.get(name)]
    return sorted(tables) + sorted(rig.files ^ files(bench.settings.root)) + damaged(bench)


def damaged(bench: Workbench) -> list[str]:
    """The products that are not as they were written."""
    with bench.store.read() as session:
        products = session.scalars(select(Product).where(Product.sha256.is_not(None))).all()
    return [str(item.path) for item in products if sha256(Path(str(item.path))) != item.sha256]
