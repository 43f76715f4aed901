"""An AB that is processed again has the products of its last run, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest
from astropy.io import fits
from sqlalchemy import select

from qcbench.core.files import sha256
from qcbench.processing import ProcessResult, process_ab
from qcbench.processing.engines import RecipeJob, RecipeResult
from qcbench.store import ABCalibration, ABState, AssociationBlock, Product, advance
from qcbench.workbench import Workbench
from tests.nights import NIGHT
from tests.processing.test_processing_an_ab import ab_of, engine, prepared, runs_of, write_product

module = import_module("qcbench.processing.process_ab")
# the rules predict the first of them alone
DARK, BPM = "MASTER_DARK", "MASTER_BPM"


def process(bench: Workbench, number: int, categories: Sequence[str]) -> ProcessResult:
    """Process the darks with a recipe that writes files of these categories; those of each run have its number."""

    def act(job: RecipeJob) -> RecipeResult:
        made = [
            write_product(job, category, name=f"{index}.fits", pixels=(float(index), float(number)))
            for index, category in enumerate(categories)
        ]
        return RecipeResult(0, None, tuple(made), 0.1)

    dark = ab_of(bench, "DARK")
    if dark.state == ABState.PROCESSED:
        with bench.store.write() as session:
            ab = session.get_one(AssociationBlock, dark.id)
            advance(session, ab, ABState.FAILED, "process-qc", "no QC")
    return process_ab(bench, dark.name, engines=engine(act), again=True)


def products(bench: Workbench) -> list[tuple[str, int]]:
    """Category of each product and the run that made it; the files in the certification area are these."""
    rows = ab_of(bench, "DARK").products
    folder = bench.data("hawki").product("DARK", NIGHT)
    assert {path.name: sha256(path) for path in folder.iterdir()} == {
        row.pipefile: row.sha256 for row in rows if row.location == "product"
    }
    return [(row.pro_catg, int(fits.getdata(row.path)[0, 1])) for row in rows if row.location == "product"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((DARK, BPM), (DARK,)),
        ((DARK, DARK), (DARK, DARK)),
        ((DARK, DARK, DARK), (DARK, DARK)),
        ((DARK, BPM, BPM), (DARK, DARK, BPM)),
    ],
)
def test_the_products_are_those_of_the_last_run(tmp_path, first, second):
    bench = prepared(tmp_path)
    assert process(bench, 1, first).ok
    assert products(bench) == [(category, 1) for category in sorted(first, reverse=True)]
    result = process(bench, 2, second)
    assert result.ok, result.reason
    assert sorted(products(bench)) == [(category, 2) for category in sorted(second)]
    assert len(ab_of(bench, "DARK").products) == len(second)
    kept = [[item.tag for item in run.outputs] for run in runs_of(bench, ab_of(bench, "DARK").name)]
    assert [sorted(tags) for tags in kept] == [sorted(first), sorted(second)]


def test_a_product_that_the_rules_predict_has_to_be_made_again(tmp_path):
    bench = prepared(tmp_path)
    assert process(bench, 1, (DARK, BPM)).ok
    assert process(bench, 2, (BPM,)).reason == "the recipe ended well but wrote no MASTER_DARK"
    assert products(bench) == [(DARK, 1), (BPM, 1)]


@pytest.mark.parametrize("step", ["remove_others", "keep_run"])
def test_what_a_run_left_that_was_ended_before_the_database_was_told_is_mended(tmp_path, monkeypatch, step):
    bench = prepared(tmp_path)
    assert process(bench, 1, (DARK, BPM)).ok

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, step, end)
        with pytest.raises(KeyboardInterrupt):
            process(bench, 2, (DARK, DARK, DARK))
    assert process(bench, 3, (DARK, BPM)).ok
    assert products(bench) == [(DARK, 3), (BPM, 3)]


def test_a_product_that_another_ab_counts_on_is_remembered_until_it_is_made_again(tmp_path):
    bench = prepared(tmp_path)
    assert process(bench, 1, (DARK, BPM)).ok
    mask, flat = ab_of(bench, "DARK").products[1], ab_of(bench, "FLAT_TWILIGHT")
    with bench.store.write() as session:
        fields = {"role": "MCALIB", "tag": BPM, "flag": "VIRTUAL", "evaluation": "", "position": 9}
        session.add(ABCalibration(ab_id=flat.id, product_id=mask.id, **fields))
    assert process(bench, 2, (DARK, DARK)).ok
    with bench.store.read() as session:
        gone = session.scalars(select(Product).where(Product.id == mask.id)).one()
    assert (gone.location, gone.path) == ("purged", None)
    assert not Path(mask.path).exists()
    assert products(bench) == [(DARK, 2), (DARK, 2)]
    assert process(bench, 3, (DARK, BPM)).ok
    assert [row.id for row in ab_of(bench, "DARK").products if row.pro_catg == BPM] == [mask.id]
    assert products(bench) == [(DARK, 3), (BPM, 3)]
