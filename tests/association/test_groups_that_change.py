"""Groups that change after their AB was formed: split, of another action, over two dates, with late frames."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy import select

from qcbench.association.explaining import explain_ab, explain_frame
from qcbench.store import ABState, AssociationBlock, Frame, advance
from qcbench.workbench import Workbench
from tests.association.observatory import (
    DATE,
    RULES,
    add_general,
    arrive,
    block,
    blocks,
    build,
    create,
    frame,
    summary,
    template,
    used,
)

NEXT = DATE + dt.timedelta(days=1)


def mend(bench: Workbench, frames: list[Frame], keys: Mapping[str, object]) -> None:
    """Let headers of frames have other keys, as if they were mended in the archive."""
    with bench.store.write() as session:
        for item in session.scalars(
            select(Frame).where(Frame.arcfile.in_([item.arcfile for item in frames]))
        ):
            item.keys = item.keys | keys


def process(bench: Workbench, raw_type: str) -> None:
    with bench.store.write() as session:
        for ab in session.scalars(select(AssociationBlock).where(AssociationBlock.raw_type == raw_type)):
            advance(session, ab, ABState.QUEUED, "test")
            advance(session, ab, ABState.PROCESSING, "test")


def test_a_group_that_splits_is_two_abs_in_one_call(tmp_path: Path) -> None:
    bench = build(tmp_path)
    biases = template("BIAS", 1.0, 6)
    arrive(bench, biases)
    (before,) = create(bench).created
    mend(bench, biases[3:], {"DET.BIN": 2})
    result = create(bench)
    assert [len(ab.inputs) for ab in blocks(bench)] == [3, 3]
    assert [ab.name for ab in blocks(bench)] == sorted([before, *result.created])
    assert result.associated == [before]
    once = summary(bench)
    assert create(bench).created == []
    assert summary(bench) == once


def test_an_ab_whose_action_the_rules_have_no_more_is_told_and_formed_anew(tmp_path: Path) -> None:
    bench = build(tmp_path / "before")
    arrive(bench, [*template("BIAS", 1.0, 3), *template("BIAS", 1.0, 3, date=NEXT)])
    assert len(create(bench).created) + len(create(bench, NEXT).created) == 2
    after = build(
        tmp_path / "after",
        rules=RULES.replace("execute(BIAS)", "execute(ZERO)").replace("action BIAS", "action ZERO"),
    )
    # the database of the first workbench with the rules of the second one
    before_settings = Workbench(after.settings, bench.store)
    first = create(before_settings)
    assert (len(first.created), len(first.dissolved)) == (1, 1)
    told = {ab.dfo_date: ab for ab in blocks(before_settings)}
    assert (told[DATE].action, told[DATE].completeness) == ("ZERO", "COMPLETE")
    assert (told[NEXT].action, told[NEXT].completeness) == ("BIAS", "INCOMPLETE")
    assert "no action BIAS any more" in told[NEXT].missing[0]["why"]
    assert "have no action BIAS" in explain_ab(before_settings, told[NEXT].name).answer
    create(before_settings, NEXT)
    assert {ab.action for ab in blocks(before_settings)} == {"ZERO"}


def test_science_over_the_start_of_a_date_is_associated_from_either_date(tmp_path: Path) -> None:
    for date in (DATE, NEXT):
        bench = build(tmp_path / str(date))
        science = template("OBJECT", 23.99, 3, catg="SCIENCE")
        assert {item.dfo_date for item in science} == {DATE, NEXT}
        arrive(bench, science)
        create(bench, date, "SCIENCE")
        (ab,) = blocks(bench)
        assert (ab.dfo_date, [item["tag"] for item in ab.missing if item["required"]]) == (
            DATE,
            ["MASTER_BIAS"],
        )


def test_frames_that_come_too_late_are_listed_in_each_call(tmp_path: Path) -> None:
    bench = build(tmp_path)
    biases = template("BIAS", 1.0, 5)
    arrive(bench, biases[:4])
    create(bench)
    process(bench, "BIAS")
    arrive(bench, biases[4:])
    assert create(bench).late == [biases[4].arcfile]
    assert create(bench).late == [biases[4].arcfile]
    assert explain_frame(bench, biases[4].arcfile).answer.startswith("BIAS, in no AB: it came after ")


def test_a_filter_does_not_promise_to_take_a_frame_out_of_an_ab_that_was_processed(tmp_path: Path) -> None:
    bench = build(tmp_path / "before")
    biases = template("BIAS", 1.0, 4)
    arrive(bench, biases)
    create(bench)
    process(bench, "BIAS")
    rule = f"filters: [{{files: [{biases[0].arcfile}], why: shutter test}}]\n"
    filtered = Workbench(build(tmp_path / "after", filters=rule).settings, bench.store)
    create(filtered)
    told = explain_frame(filtered, biases[0].arcfile)
    name = block(filtered, "BIAS").name
    assert told.answer == (
        f"Kept out by a filter: shutter test; {name} was processed with it, reject that AB if it must not be used."
    )


@pytest.mark.parametrize("names", [("A.fits", "B.fits"), ("B.fits", "A.fits")])
def test_of_general_calibrations_of_one_time_the_first_by_name_is_taken(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    bench = build(tmp_path)
    for name in names:
        add_general(bench, name, **{"HIERARCH ESO PRO CATG": "LINE_CATALOG", "MJD_OBS": 61000.0})
    with_time = template("BIAS", 1.0, 3)
    arrive(bench, [*with_time, frame("WAVE", 5.0)])
    create(bench)
    assert used(block(bench, "ARC"))["LINE_CATALOG"] == "A.fits"
