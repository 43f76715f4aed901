"""createAB: classification, grouping, association; incremental, complete or said why not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from qcbench.association import create_abs, load_headers, scan_archive
from qcbench.association.create_ab import CreateResult
from qcbench.blocks import block_of, parse_block, print_block
from qcbench.processing import create_job
from qcbench.store import (
    ABCalibration,
    ABState,
    ArchiveFile,
    AssociationBlock,
    Event,
    Frame,
    Product,
    advance,
)
from qcbench.workbench import Workbench
from tests.nights import NIGHT, real_efosc2_workbench, simulated_workbench

NEXT_NIGHT = NIGHT + dt.timedelta(days=1)


def create(bench: Workbench, date: dt.date = NIGHT, **options: object) -> CreateResult:
    scan_archive(bench)
    load_headers(bench, bench.instruments[0], date)
    return create_abs(bench, bench.instruments[0], date, **options)


def abs_of(bench: Workbench, raw_type: str | None = None) -> list[AssociationBlock]:
    with bench.store.read() as session:
        query = (
            select(AssociationBlock)
            .options(
                selectinload(AssociationBlock.inputs),
                selectinload(AssociationBlock.products),
                selectinload(AssociationBlock.calibrations)
                .selectinload(ABCalibration.product)
                .selectinload(Product.ab),
            )
            .order_by(AssociationBlock.mjd_obs)
        )
        found = session.scalars(query).all()
        return [ab for ab in found if raw_type in (None, ab.raw_type)]


def hide(bench: Workbench, names: list[str]) -> list[tuple[Path, bytes]]:
    """Take frames out of the archive, as if they had not arrived yet."""
    folder = bench.settings.archive_path / "raw" / NIGHT.isoformat()
    kept = [(folder / name, (folder / name).read_bytes()) for name in names]
    for path, _ in kept:
        path.unlink()
    return kept


def template(bench: Workbench, raw_type: str) -> list[str]:
    """File names of the first template of a raw type, in time order."""
    probe = abs_of(bench, raw_type)[0]
    with bench.store.read() as session:
        ids = [item.frame_id for item in probe.inputs]
        return list(session.scalars(select(Frame.arcfile).where(Frame.id.in_(ids)).order_by(Frame.mjd_obs)))


def test_each_template_makes_one_ab_of_its_raw_type(tmp_path):
    bench = simulated_workbench(tmp_path)
    result = create(bench)
    found = [(ab.raw_type, ab.setup, len(ab.inputs)) for ab in abs_of(bench)]
    assert sorted(found) == [
        ("DARK", "DIT10 NDIT1", 5),
        ("DARK", "DIT2 NDIT1", 5),
        ("DARK", "DIT30 NDIT1", 5),
        ("DETECTOR_NOISE", "DIT10", 4),
        ("FLAT_TWILIGHT", "J DIT10", 6),
        ("FLAT_TWILIGHT", "Ks DIT10", 6),
        ("STD", "Ks DIT2 NDIT1", 4),
    ]
    assert len(result.created) == 7
    assert not result.incomplete


def test_an_ab_is_named_after_its_first_raw_frame_and_the_grouping_tag(tmp_path):
    bench = simulated_workbench(tmp_path)
    create(bench)
    for ab in abs_of(bench):
        first = min(template_frames(bench, ab), key=lambda frame: frame.mjd_obs)
        assert ab.name == first.arcfile.replace(".fits", "_tpl.ab")
        if ab.raw_type != "STD":
            root = "r." + first.arcfile.replace(".fits", "_tpl")
            n_products = 2 if ab.raw_type == "FLAT_TWILIGHT" else 1
            names = [f"{root}_{number:04d}.fits" for number in range(n_products)]
            assert [product.pipefile for product in ab.products] == names


def template_frames(bench: Workbench, ab: AssociationBlock) -> list[Frame]:
    with bench.store.read() as session:
        return list(session.scalars(select(Frame).where(Frame.id.in_([item.frame_id for item in ab.inputs]))))


def test_the_detector_noise_set_brings_darks_and_flats_with_the_tags_of_the_recipe(tmp_path):
    bench = simulated_workbench(tmp_path)
    create(bench)
    (noise,) = abs_of(bench, "DETECTOR_NOISE")
    assert [item.tag for item in noise.inputs] == ["DARK", "DARK", "FLAT_TWILIGHT", "FLAT_TWILIGHT"]


def test_frames_without_a_recipe_make_an_ab_that_is_listed_and_not_processed(tmp_path):
    bench = simulated_workbench(tmp_path)
    result = create(bench)
    assert result.unsupported == []
    (standard,) = abs_of(bench, "STD")
    assert (standard.recipe, len(standard.inputs), standard.products) == ("NONE", 4, [])
    assert standard.name not in create_job(bench, "hawki", NIGHT).queued


def test_science_frames_are_not_calibration_abs(tmp_path):
    bench = simulated_workbench(tmp_path)
    create(bench)
    assert "SCI_IMAGE" not in {ab.raw_type for ab in abs_of(bench)}


def test_creating_again_forms_nothing_twice(tmp_path):
    bench = simulated_workbench(tmp_path)
    create(bench)
    before = [(ab.name, ab.updated_at) for ab in abs_of(bench)]
    again = create(bench)
    assert (again.created, again.associated) == ([], [])
    assert [(ab.name, ab.updated_at) for ab in abs_of(bench)] == before


def test_a_flat_waits_for_the_virtual_dark_of_its_night(tmp_path):
    bench = simulated_workbench(tmp_path)
    create(bench)
    for flat in abs_of(bench, "FLAT_TWILIGHT"):
        (used,) = flat.calibrations
        assert (used.flag, used.tag, used.evaluation) == ("VIRTUAL", "MASTER_DARK", "OK")
        assert used.product.ab.setup == "DIT10 NDIT1"
        assert used.dt_days == pytest.approx(0.53, abs=0.02)


def test_a_certified_master_goes_before_a_virtual_one(tmp_path):
    bench = simulated_workbench(tmp_path, nights=2)
    create(bench)
    with bench.store.write() as session:
        dark = session.scalars(select(Product).where(Product.pro_catg == "MASTER_DARK")).all()
        for product in dark:
            product.location = "calib"
    create(bench, NEXT_NIGHT)
    flats = [ab for ab in abs_of(bench, "FLAT_TWILIGHT") if ab.dfo_date == NEXT_NIGHT]
    assert [(flat.calibrations[0].flag, flat.calibrations[0].product.ab.dfo_date) for flat in flats] == [
        ("REAL", NIGHT)
    ] * 2
    assert all(flat.calibrations[0].dt_days < 0 for flat in flats), "the master is older than the flat"


def test_a_product_of_a_failed_ab_is_no_candidate(tmp_path):
    bench = simulated_workbench(tmp_path)
    create(bench)
    with bench.store.write() as session:
        dark = session.scalars(select(AssociationBlock).where(AssociationBlock.setup == "DIT10 NDIT1")).one()
        advance(session, dark, ABState.QUEUED, "test")
        advance(session, dark, ABState.FAILED, "test")
    result = create(bench)
    flats = abs_of(bench, "FLAT_TWILIGHT")
    assert {flat.completeness for flat in flats} == {"INCOMPLETE"}
    assert all("no MASTER_DARK fits" in flat.missing[0]["why"] for flat in flats)
    assert {flat.name for flat in flats} <= set(result.incomplete)


def test_an_incomplete_ab_is_tried_again_and_becomes_complete(tmp_path):
    bench = simulated_workbench(tmp_path)
    create(bench)
    darks = template(bench, "DARK")
    fresh = simulated_workbench(tmp_path / "late")
    missing = hide(fresh, darks)
    create(fresh)
    assert {ab.completeness for ab in abs_of(fresh, "FLAT_TWILIGHT")} == {"INCOMPLETE"}
    for path, content in missing:
        path.write_bytes(content)
    create(fresh)
    assert {ab.completeness for ab in abs_of(fresh, "FLAT_TWILIGHT")} == {"COMPLETE"}


def test_a_template_that_is_still_being_taken_waits(tmp_path):
    bench = simulated_workbench(tmp_path)
    create(bench)
    darks = template(bench, "DARK")
    fresh = simulated_workbench(tmp_path / "now")
    late = hide(fresh, darks[3:])
    during = dt.datetime(2026, 11, 17, 12, 10, tzinfo=dt.UTC)
    result = create(fresh, now=during)
    assert result.waiting == [darks[0]]
    for path, content in late:
        path.write_bytes(content)
    create(fresh, now=during)
    complete = next(ab for ab in abs_of(fresh, "DARK") if ab.name.startswith(darks[0][:-5]))
    assert len(complete.inputs) == 5


def test_a_template_that_was_broken_off_is_not_waited_for_and_said(tmp_path):
    bench = simulated_workbench(tmp_path)
    create(bench)
    darks = template(bench, "DARK")
    fresh = simulated_workbench(tmp_path / "short")
    hide(fresh, darks[3:])
    create(fresh)
    (short,) = [ab for ab in abs_of(fresh, "DARK") if len(ab.inputs) == 3]
    assert short.completeness == "COMPLETE", "three darks are enough for the rule"
    with fresh.store.read() as session:
        said = session.scalars(
            select(Event).where(Event.ab_name == short.name, Event.flag == "ab_created")
        ).one()
    assert said.level == "warning"
    assert "3 raw frames of 5" in said.message


def test_too_few_frames_make_an_incomplete_ab_that_says_so(tmp_path):
    bench = simulated_workbench(tmp_path)
    create(bench)
    darks = template(bench, "DARK")
    fresh = simulated_workbench(tmp_path / "few")
    hide(fresh, darks[2:])
    result = create(fresh)
    (few,) = [ab for ab in abs_of(fresh, "DARK") if len(ab.inputs) == 2]
    assert few.completeness == "INCOMPLETE"
    assert few.missing[0]["why"] == "2 of at least 3 raw frames"
    assert few.name in result.incomplete


def test_frames_that_come_late_join_an_ab_that_nobody_worked_on(tmp_path):
    bench = simulated_workbench(tmp_path)
    create(bench)
    darks = template(bench, "DARK")
    fresh = simulated_workbench(tmp_path / "late")
    late = hide(fresh, darks[2:])
    create(fresh)
    for path, content in late:
        path.write_bytes(content)
    create(fresh)
    complete = next(ab for ab in abs_of(fresh, "DARK") if ab.name.startswith(darks[0][:-5]))
    assert len(complete.inputs) == 5
    assert complete.completeness == "COMPLETE"


def test_frames_that_come_after_processing_are_marked_once(tmp_path):
    bench = simulated_workbench(tmp_path)
    create(bench)
    darks = template(bench, "DARK")
    fresh = simulated_workbench(tmp_path / "late")
    late = hide(fresh, darks[4:])
    create(fresh)
    with fresh.store.write() as session:
        query = select(AssociationBlock).where(AssociationBlock.name == darks[0].replace(".fits", "_tpl.ab"))
        ab = session.scalars(query).one()
        advance(session, ab, ABState.PROCESSING, "test")
    late[0][0].write_bytes(late[0][1])
    create(fresh)
    create(fresh)
    with fresh.store.read() as session:
        frame = session.scalars(select(Frame).where(Frame.arcfile == darks[4])).one()
        said = session.scalars(select(Event).where(Event.flag == "late_frame")).all()
    assert "was processed" in frame.problem
    assert len(said) == 1


def test_the_text_form_and_the_association_log_are_written(tmp_path):
    bench = simulated_workbench(tmp_path)
    create(bench)
    flat = abs_of(bench, "FLAT_TWILIGHT")[0]
    folder = bench.data("hawki").logs(NIGHT)
    text = (folder / flat.name).read_text()
    with bench.store.read() as session:
        row = session.scalars(select(AssociationBlock).where(AssociationBlock.id == flat.id)).one()
        assert print_block(block_of(row)) == text
    assert print_block(parse_block(text, flat.name)) == text
    log = (folder / f"{flat.root_name}.alog").read_text().splitlines()
    assert log[0] == f"{flat.name} FLAT_TWILIGHT J_DIT10 COMPLETE"
    assert log[1].startswith("OK MCALIB VIRTUAL r.HAWKI.")
    listed = (bench.tree.monitor / f"AB_list_hawki_CALIB_{NIGHT}").read_text().split()
    assert listed == [ab.name for ab in abs_of(bench)]


@pytest.mark.real
def test_the_eight_real_efosc2_frames_make_eight_abs(tmp_path, real_data):
    bench = real_efosc2_workbench(tmp_path, real_data)
    scan_archive(bench)
    with bench.store.read() as session:
        dates = sorted(session.scalars(select(ArchiveFile.dfo_date).distinct()))
    assert len(dates) == 5, "the flats of one evening, and four arcs"
    created = []
    for date in dates:
        load_headers(bench, "efosc2", date)
        result = create_abs(bench, "efosc2", date)
        created += result.created
        assert not result.unclassified
        assert not result.incomplete
        assert not result.waiting
    assert len(created) == 8
    assert sorted((ab.raw_type, ab.setup) for ab in abs_of(bench))[4:] == [
        ("SKY_FLAT", "B#639"),
        ("SKY_FLAT", "R#642"),
        ("SKY_FLAT", "V#641"),
        ("SKY_FLAT", "i#705"),
    ]


def test_a_dark_with_too_few_frames_is_no_virtual_calibration(tmp_path):
    bench = simulated_workbench(tmp_path)
    create(bench)
    darks = template(bench, "DARK")
    fresh = simulated_workbench(tmp_path / "few")
    hide(fresh, darks[2:])
    result = create(fresh)
    flats = abs_of(fresh, "FLAT_TWILIGHT")
    assert {flat.completeness for flat in flats} == {"INCOMPLETE"}
    assert not any(flat.calibrations for flat in flats)
    assert {flat.name for flat in flats} < set(result.incomplete)


def test_frames_that_come_late_do_not_make_too_few_enough(tmp_path):
    bench = simulated_workbench(tmp_path)
    create(bench)
    darks = template(bench, "DARK")
    fresh = simulated_workbench(tmp_path / "few")
    late = hide(fresh, darks[1:])
    create(fresh)
    late[0][0].write_bytes(late[0][1])
    create(fresh)
    few = next(ab for ab in abs_of(fresh, "DARK") if ab.name.startswith(darks[0][:-5]))
    assert (len(few.inputs), few.completeness) == (2, "INCOMPLETE")
    assert few.missing[0]["why"] == "2 of at least 3 raw frames"


def test_a_first_frame_that_comes_last_joins_the_ab_of_its_template(tmp_path):
    bench = simulated_workbench(tmp_path)
    create(bench)
    darks = template(bench, "DARK")
    fresh = simulated_workbench(tmp_path / "late")
    late = hide(fresh, darks[:1])
    create(fresh)
    late[0][0].write_bytes(late[0][1])
    create(fresh)
    assert len(abs_of(fresh, "DARK")) == 3
    (ab,) = [ab for ab in abs_of(fresh, "DARK") if ab.name.startswith(darks[0][:-5])]
    assert [item.tag for item in ab.inputs] == ["DARK"] * 5
    assert ab.products[0].pipefile == f"r.{ab.root_name}_0000.fits"
    texts = {path.name for path in fresh.data("hawki").logs(NIGHT).iterdir()}
    assert texts == {name for one in abs_of(fresh) for name in (one.name, f"{one.root_name}.alog")}


def test_texts_that_a_killed_call_left_out_are_written_by_the_next(tmp_path):
    bench = simulated_workbench(tmp_path)
    create(bench)
    folder = bench.data("hawki").logs(NIGHT)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for path in list(folder.iterdir())[:4]:
        path.unlink()
    create(bench)
    create(bench)
    assert {path.name for path in folder.glob("*.alog")} == {
        name for name in before if name.endswith(".alog")
    }
