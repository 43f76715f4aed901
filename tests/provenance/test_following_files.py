"""From a product back to its raw frames, and from a file to all that was made with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from prov.model import ProvActivity, ProvDerivation, ProvDocument, ProvEntity, ProvUsage
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from qcbench.association import create_abs, load_headers, scan_archive
from qcbench.certification import decide
from qcbench.certification.rejection import impact
from qcbench.cli.parameters import RecipeParameter
from qcbench.core.dates import utc_now
from qcbench.core.errors import NotFoundError
from qcbench.processing import create_job, process_ab
from qcbench.provenance import Origin, find_file, lineage, prov_text, tree_lines, uses
from qcbench.store import AssociationBlock, Product, RecipeRun, RunFile
from qcbench.workbench import Workbench
from tests.builders import add_ab, add_product, build_workbench
from tests.cli.conftest import run_json, run_qcbench
from tests.nights import NIGHT, simulated_workbench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """A dark and a flat that were processed; the other ABs wait."""
    made = simulated_workbench(tmp_path_factory.mktemp("lineage"))
    scan_archive(made)
    load_headers(made, "hawki", NIGHT)
    create_abs(made, "hawki", NIGHT)
    create_job(made, "hawki", NIGHT)
    for raw_type, setup in (("DARK", "DIT10 NDIT1"), ("FLAT_TWILIGHT", "J DIT10")):
        assert process_ab(made, ab_of(made, raw_type, setup).name).ok
    yield made
    made.close()


def ab_of(bench: Workbench, raw_type: str, setup: str) -> AssociationBlock:
    with bench.store.read() as session:
        query = (
            select(AssociationBlock)
            .where(AssociationBlock.raw_type == raw_type, AssociationBlock.setup == setup)
            .options(selectinload(AssociationBlock.products), selectinload(AssociationBlock.inputs))
        )
        ab = session.scalars(query).one()
        assert all(item.frame for item in ab.inputs)
        return ab


def dark_and_flat(bench: Workbench) -> tuple[AssociationBlock, AssociationBlock]:
    return ab_of(bench, "DARK", "DIT10 NDIT1"), ab_of(bench, "FLAT_TWILIGHT", "J DIT10")


def history(bench: Workbench, name: str) -> Origin:
    with bench.store.read() as session:
        found = find_file(session, name)
        assert isinstance(found, Product)
        return lineage(session, found)


def test_a_flat_comes_from_its_raw_frames_and_from_a_dark_that_comes_from_its_own(bench):
    dark, flat = dark_and_flat(bench)
    told = history(bench, flat.products[0].pipefile)
    assert {item.name for item in told.origins if item.kind == "raw"} == {
        item.frame.arcfile for item in flat.inputs
    }
    (master,) = [item for item in told.origins if item.kind == "product"]
    assert (master.name, master.tag) == (dark.products[0].pipefile, "MASTER_DARK")
    assert (master.sha256, master.data_hash) == (dark.products[0].sha256, dark.products[0].data_hash)
    assert [item.name for item in master.origins] == [item.frame.arcfile for item in dark.inputs]
    assert not any(item.changed for item in told.walk())
    assert len(list(told.walk())) == 2 + len(flat.inputs) + len(dark.inputs)


def test_the_tree_names_recipe_versions_and_parameters_once(bench):
    dark, flat = dark_and_flat(bench)
    text = "\n".join(tree_lines(history(bench, flat.products[0].pipefile)))
    assert text.count(f"for {flat.name}") == text.count(f"for {dark.name}") == 1
    assert "lthr=4000.0" in text
    assert text.count("qcbench 0.") == 2
    assert text.count("raw frame") == len(flat.inputs) + len(dark.inputs)


def test_a_file_is_found_by_path_and_without_its_ending(bench):
    (_, flat) = dark_and_flat(bench)
    name = flat.products[0].pipefile
    for given in (name, name.removesuffix(".fits"), f"/some/where/{name}"):
        assert history(bench, given).name == name
    with bench.store.read() as session:
        frame = flat.inputs[0].frame.arcfile
        assert find_file(session, frame.removesuffix(".fits")).arcfile == frame
        with pytest.raises(NotFoundError, match=r"x\.fits: no product and no raw frame"):
            find_file(session, "x.fits")


def test_what_a_file_is_used_for_is_found_through_what_was_made_with_it(bench):
    dark, flat = dark_and_flat(bench)
    with bench.store.read() as session:
        found = uses(session, [find_file(session, dark.inputs[0].frame.arcfile)])
    by_name = {use.ab.name: use for use in found}
    assert by_name[dark.name].depth == 1
    assert (by_name[flat.name].depth, by_name[flat.name].times) == (2, 1)
    assert by_name[flat.name].via == dark.products[0].pipefile
    waiting = [use for use in found if use.ab.state == "queued" and use.depth == 2]
    assert waiting
    assert {use.times for use in waiting} == {0}
    assert [use.depth for use in found] == sorted(use.depth for use in found)


def test_what_a_rejection_touches_is_what_uses_the_products(bench):
    dark, flat = dark_and_flat(bench)
    with bench.store.read() as session:
        found = uses(session, [find_file(session, dark.products[0].pipefile)])
    assert sorted(use.ab.name for use in found) == sorted(impact(bench, dark.name))
    assert flat.name in impact(bench, dark.name)
    assert dark.name not in impact(bench, dark.name)


def test_the_w3c_document_has_the_same_history(bench):
    dark, flat = dark_and_flat(bench)
    told = history(bench, flat.products[0].pipefile)
    document = ProvDocument.deserialize(content=prov_text(told, "json"), format="json")
    files = len(list(told.walk()))
    assert len(list(document.get_records(ProvActivity))) == 2
    # each run has its recipe with the parameters, the plan, as an entity too
    assert len(list(document.get_records(ProvEntity))) == files + 2
    assert len(list(document.get_records(ProvUsage))) == files - 1
    assert len(list(document.get_records(ProvDerivation))) == files - 1
    text = prov_text(told, "provn")
    assert f'qcbench:sha256="{dark.products[0].sha256}"' in text
    assert text.startswith("document\n")


def test_a_name_with_odd_characters_is_a_name_in_the_document(bench):
    told = history(bench, dark_and_flat(bench)[0].products[0].pipefile)
    odd = Origin("raw", 'a b",{}.fits', "DARK", None, None)
    with_odd = Origin(**{**vars(told), "origins": (odd,)})
    document = json.loads(prov_text(with_odd, "json"))
    assert document["entity"]["qcbench:raw/a_b____.fits"]["prov:label"] == 'a b",{}.fits'
    assert ProvDocument.deserialize(content=prov_text(with_odd, "json"), format="json").get_records()


def test_the_commands_follow_a_file_both_ways(bench, tmp_path):
    dark, flat = dark_and_flat(bench)
    root, product = bench.settings.root, flat.products[0].pipefile
    told = run_json("provenance", product, workbench=root)
    assert told["run"]["ab"] == flat.name
    assert {item["kind"] for item in told["inputs"]} == {"raw", "product"}
    assert product in run_qcbench("provenance", product, workbench=root).stdout
    printed = run_qcbench("provenance", product, "--format", "provn", workbench=root)
    assert printed.stdout.rstrip().endswith("endDocument")
    file = tmp_path / "flat.prov.json"
    run_qcbench("provenance", product, "--format", "json", "-o", str(file), workbench=root)
    assert ProvDocument.deserialize(source=file, format="json").get_records()
    rows = run_json("uses", dark.inputs[0].frame.arcfile, workbench=root)["uses"]
    assert [(row["depth"], row["runs"]) for row in rows if row["ab"] in (dark.name, flat.name)] == [
        (1, 1),
        (2, 1),
    ]


def test_a_raw_frame_has_no_provenance_but_uses(bench):
    dark, _ = dark_and_flat(bench)
    name = dark.inputs[0].frame.arcfile
    answer = run_qcbench("provenance", name, workbench=bench.settings.root)
    assert answer.exit_code == NotFoundError.exit_code
    assert f"qcbench uses {name}" in answer.stderr


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("combtype=mean", ("combtype", "mean")),
        ("thresh=3", ("thresh", 3)),
        ("thresh=-2.5e1", ("thresh", -25.0)),
        ("flag=TRUE", ("flag", True)),
        ("text=nan", ("text", "nan")),
        ("text=1_0", ("text", "1_0")),
        ("text=a=b", ("text", "a=b")),
        ("thresh=", ("thresh", None)),
    ],
)
def test_a_parameter_is_read_as_what_it_is(given, read):
    value = RecipeParameter().convert(given, None, None)
    assert value == read
    assert type(value[1]) is type(read[1])


def test_a_parameter_of_one_ab_is_given_on_the_command_line(tmp_path):
    made = simulated_workbench(tmp_path)
    scan_archive(made)
    load_headers(made, "hawki", NIGHT)
    create_abs(made, "hawki", NIGHT)
    dark = ab_of(made, "DARK", "DIT10 NDIT1")
    answer = run_qcbench(
        "process-ab", "-a", dark.name, "-p", "combtype=mean", "-p", "thresh=4", workbench=tmp_path
    )
    assert answer.exit_code == 0
    told = run_json("provenance", dark.products[0].pipefile, workbench=tmp_path)
    assert (told["run"]["parameters"]["combtype"], told["run"]["parameters"]["thresh"]) == ("mean", 4)
    wrong = run_qcbench("process-ab", "-a", dark.name, "-p", "combtype", workbench=tmp_path)
    assert "not NAME=VALUE" in wrong.stderr


def test_a_master_that_was_made_anew_is_told_from_the_one_that_was_used(tmp_path):
    made = simulated_workbench(tmp_path)
    scan_archive(made)
    load_headers(made, "hawki", NIGHT)
    create_abs(made, "hawki", NIGHT)
    create_job(made, "hawki", NIGHT)
    dark, flat = dark_and_flat(made)
    assert process_ab(made, dark.name).ok
    assert process_ab(made, flat.name).ok
    before = dark_and_flat(made)[0].products[0].data_hash
    with made.store.write() as session:
        session.get_one(AssociationBlock, dark.id).state = "scored"
    decide(made, dark.name, "rejected", by="ann", comment="another method")
    again = process_ab(made, dark.name, again=True, parameters={"combtype": "mean"})
    assert again.ok, again.reason
    (master,) = [item for item in history(made, flat.products[0].pipefile).origins if item.kind == "product"]
    assert master.changed
    assert master.data_hash == before != dark_and_flat(made)[0].products[0].data_hash
    assert master.run.parameters.get("combtype") != "mean"
    assert "made anew since" in "\n".join(tree_lines(history(made, flat.products[0].pipefile)))
    assert history(made, dark.products[0].pipefile).run.parameters["combtype"] == "mean"


def add_run(session: Session, used: list[tuple[Product, str]], made: Product) -> None:
    """A run that was given products as their files were then, by SHA-256, and made another one."""
    run = RecipeRun(
        ab_id=made.ab_id,
        engine="python",
        recipe="any",
        parameters={},
        versions={},
        host="here",
        started_at=utc_now(),
        seconds=1.0,
        peak_mb=1.0,
        exit_code=0,
    )
    for position, (product, digest) in enumerate([*used, (made, str(made.sha256))]):
        run.files.append(
            RunFile(
                position=position,
                is_output=product is made,
                name=product.pipefile,
                tag=product.pro_catg,
                product_id=product.id,
                sha256=digest,
                data_hash=product.data_hash,
            )
        )
    session.add(run)
    session.flush()


def test_a_general_calibration_that_was_replaced_between_two_runs_is_two_files(tmp_path):
    bench = build_workbench(tmp_path)
    before, after = "a" * 64, "b" * 64
    with bench.store.write() as session:
        lines = Product(
            instrument="tiny",
            position=0,
            pipefile="LINES.fits",
            pro_catg="LINES",
            location="general",
            sha256=after,
            mjd_obs=0.0,
            keys={},
        )
        session.add(lines)
        dark = add_product(session, add_ab(session, 1), "MASTER_DARK", sha256="1" * 64, data_hash="2" * 64)
        flat = add_product(session, add_ab(session, 2), "MASTER_FLAT", sha256="3" * 64, data_hash="4" * 64)
        session.flush()
        add_run(session, [(lines, before)], dark)
        add_run(session, [(dark, str(dark.sha256)), (lines, after)], flat)
    told = history(bench, flat.pipefile)
    found = {item.sha256: item.changed for item in told.walk() if item.kind == "general"}
    assert found == {before: True, after: False}
    assert "\n".join(tree_lines(told)).count("made anew since") == 1
    document = json.loads(prov_text(told, "json"))
    named = {name for name in document["entity"] if name.startswith("qcbench:general/LINES.fits/")}
    assert named == {f"qcbench:general/LINES.fits/{digest[:16]}" for digest in (before, after)}


def test_of_a_product_without_a_run_only_the_file_is_known(tmp_path: Path):
    made = simulated_workbench(tmp_path)
    scan_archive(made)
    load_headers(made, "hawki", NIGHT)
    create_abs(made, "hawki", NIGHT)
    dark = ab_of(made, "DARK", "DIT10 NDIT1")
    told = history(made, dark.products[0].pipefile)
    assert (told.run, told.origins) == (None, ())
    assert "no run of a recipe is known" in "\n".join(tree_lines(told))
