"""A night whose recipes are processes that copy what the built-in recipes made, but for one that a fault befalls.

All else is real: QC0, the cascade, the engine that calls EsoRex and reads its answers, the database, the files. A
shell script stands in the place of EsoRex itself.
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
from qcbench.core.errors import QcbenchError
from qcbench.processing import Cascade, create_job, load_engines, recover_interrupted
from qcbench.processing.engines import RecipeJob, RecipeResult
from qcbench.processing.esorex import EsorexEngine
from qcbench.reports.report import _bring_to_scores
from qcbench.store import ABState, AssociationBlock
from qcbench.workbench import Workbench, open_workbench
from qcbench.workflow import run_job
from tests.nights import NIGHT, PYTHON_ENGINE, simulated_workbench
from tests.workflow.state import files, rows

module = import_module("qcbench.workflow.job")
INSTRUMENT = "hawki"
# at least as long as a recipe may take in these tests
TIMEOUT_S = 5
MEMORY_MB, DISK_MB = 300, 20
ESOREX = """\
#!/bin/sh
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
        """Every recipe is there."""
        return None

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

    `victim` makes what `child` needs.
    """

    root: Path
    victim: str
    child: str
    rows: dict[str, list[tuple[object, ...]]]
    files: set[str]

    def copy(self, target: Path) -> Workbench:
        """A workbench of its own, with a queue."""
        shutil.copytree(self.root / "bench", target)
        return opened(target)


def opened(root: Path) -> Workbench:
    """Open a workbench with the settings of these tests."""
    return open_workbench(root, {**os.environ, **PYTHON_ENGINE})


def build(root: Path) -> Rig:
    """Simulate a night, run it once with the built-in recipes to have their products, and once with the stand-in."""
    bench = simulated_workbench(root / "bench", environ=PYTHON_ENGINE)
    scan_archive(bench)
    load_headers(bench, INSTRUMENT, NIGHT)
    create_abs(bench, INSTRUMENT, NIGHT)
    create_job(bench, INSTRUMENT, NIGHT)
    bench.close()
    shutil.copytree(root / "bench", root / "first")
    # the first run of a recipe may take its time
    first = open_workbench(root / "first", {**os.environ, **PYTHON_ENGINE})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "load_engines", lambda: {"python": _Keeping(root / "kept")})
        ended = run_job(first, INSTRUMENT, NIGHT, show=False)
    assert not ended.failed
    with first.store.read() as session:
        flat = session.scalars(
            select(AssociationBlock).where(AssociationBlock.raw_type == "FLAT_TWILIGHT").limit(1)
        ).one()
        victim, child = flat.calibrations[0].product.maker.name, flat.name
    script = root / "bin" / "esorex"
    script.parent.mkdir()
    script.write_text(ESOREX)
    script.chmod(0o755)
    rig = Rig(root, victim.removesuffix(".ab"), child, {}, set())
    bench = rig.copy(root / "undisturbed")
    run(rig, bench)
    assert set(states(bench).values()) == {"scored"}
    rig = Rig(root, rig.victim, child, rows(bench), files(bench.settings.root))
    bench.close()
    return rig


@contextmanager
def recipes(rig: Rig, fault: Path | None = None) -> Iterator[None]:
    """Let ABs be processed by the stand-in, and that of the victim go as a piece of shell says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{rig.root / 'bin'}:{os.environ['PATH']}")
        patch.setenv("KEPT", str(rig.root / "kept"))
        patch.setenv("VICTIM", rig.victim)
        patch.setenv("FAULT", str(fault or "/none"))
        patch.setattr(module, "load_engines", lambda: {"python": StandIn()})
        patch.setattr(module, "process_qc", _bring_to_scores)
        yield


def run(rig: Rig, bench: Workbench, fault: Path | None = None) -> Cascade:
    """Run what is queued, as auto-daily does after a call that may have been killed; without its reports."""
    with recipes(rig, fault):
        recover_interrupted(bench)
        create_job(bench, INSTRUMENT, NIGHT)
        ended = run_job(bench, INSTRUMENT, NIGHT, show=False)
        module.catch_up(bench, INSTRUMENT, NIGHT)
        bench.write_texts()
    return ended


def attempt(rig: Rig, bench: Workbench, fault: Path | None = None) -> QcbenchError | None:
    """Run what is queued; return the error that ended it."""
    try:
        run(rig, bench, fault)
    except QcbenchError as err:
        return err
    return None


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


def ends_equal(rig: Rig, bench: Workbench) -> None:
    """The workbench has ended as one that no fault befell."""
    found = rows(bench)
    assert found.keys() == rig.rows.keys()
    for name, expected in rig.rows.items():
        assert found[name] == expected, f"table {name} differs"
    assert files(bench.settings.root) == rig.files


def only_the_victim_suffers(rig: Rig, bench: Workbench) -> None:
    """The victim has failed, its children wait, and all else is as without a fault."""
    found = states(bench)
    assert found[f"{rig.victim}.ab"] == ABState.FAILED
    waiting = {name for name, state in found.items() if state == ABState.QUEUED}
    assert rig.child in waiting
    others = found.keys() - waiting - {f"{rig.victim}.ab"}
    assert {found[name] for name in others} == {"scored"}
    with bench.store.read() as session:
        for name in waiting:
            ab = session.scalars(select(AssociationBlock).where(AssociationBlock.name == name)).one()
            assert f"{rig.victim}.ab" in {use.product.maker.name for use in ab.calibrations}
