"""The cascades of the installed pipelines run through the workflow, and find what was put into the frames.

Small frames of the three instruments whose recipes take them; whole detectors of all six are the long tests.
"""

from __future__ import annotations

from collections import defaultdict

import pytest
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from qcbench.store import RecipeRun, RunFile
from qcbench.workbench import Workbench
from validation.cascades import FULL, SMALL, Cascade, run
from validation.comparing import COMPARISONS, compare, runs

pytestmark = pytest.mark.esorex
LONG = [pytest.mark.long, pytest.mark.timeout(3600)]
CASCADES = [
    *(pytest.param(item, id=f"{item.instrument}-small") for item in SMALL),
    *(pytest.param(item, id=f"{item.instrument}-full", marks=LONG) for item in FULL),
]


@pytest.fixture(scope="module", params=CASCADES)
def done(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Cascade, Workbench]:
    cascade: Cascade = request.param
    return cascade, run(cascade, tmp_path_factory.mktemp(cascade.instrument))


def test_each_step_is_scored_and_makes_its_products_with_the_masters_of_the_cascade(done):
    cascade, bench = done
    uses: dict[str, set[str]] = defaultdict(set)
    makes: dict[str, set[str]] = defaultdict(set)
    for ab, last in runs(bench):
        done = "ingested" if cascade.science and ab.mode == "CALIB" else "scored"
        assert ab.state == done, f"{ab.name} ({ab.raw_type}): {ab.reason or ab.state}"
        assert last.exit_code == 0
        uses[ab.raw_type] |= made_by(bench, last)
        makes[ab.raw_type] |= {file.tag for file in files(bench, last) if file.is_output}
    assert dict(uses) == {step.raw_type: set(step.uses) for step in cascade.steps}
    assert dict(makes) == {step.raw_type: set(step.makes) for step in cascade.steps}


def files(bench: Workbench, last: RecipeRun) -> list[RunFile]:
    loaded = selectinload(RecipeRun.files).selectinload(RunFile.product)
    with bench.store.read() as session:
        return list(
            session.scalars(select(RecipeRun).where(RecipeRun.id == last.id).options(loaded)).one().files
        )


def made_by(bench: Workbench, last: RecipeRun) -> set[str]:
    """The raw types of the ABs that made what a run was given; `general` for what none made."""
    raw_types = {ab.id: ab.raw_type for ab, _ in runs(bench)}
    return {
        raw_types.get(file.product.ab_id, "general")
        for file in files(bench, last)
        if file.product is not None and not file.is_output
    }


def test_what_is_measured_is_what_was_put_in(done):
    cascade, bench = done
    found = list(compare(bench, cascade))
    assert {(item.comparison.table, item.comparison.column) for item in found} == {
        (item.table, item.column) for item in COMPARISONS[cascade.instrument]
    }
    for item in found:
        assert item.agrees, (
            f"{item.ab.name} {item.detector}: {item.comparison.table}.{item.comparison.column} is {item.value}, "
            f"{item.truth} was put in, and {item.tolerance} is allowed ({item.comparison.why})"
        )
