"""What calSelector answers: the cascade of raw files, masters where there are any, and what is missing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import select, update

from qcbench.association.calselector import CalSelector, FileEntry, parse_tree, print_tree
from qcbench.association.general import index_general
from qcbench.core.dates import utc_now
from qcbench.core.errors import NotFoundError
from qcbench.store import AssociationBlock, Decision, Frame, Product
from qcbench.workbench import Workbench
from tests.association.calsel_bench import ask, ingest, names_of, shape
from tests.association.observatory import (
    DATE,
    RULES,
    add_general,
    arrive,
    build,
    certify,
    create,
    frame,
    template,
)

DAY = dt.timedelta(days=1)
BIAS = template("BIAS", 12, 3)
FLATS = template("FLAT,SKY", 3, 3)
STARS = template("STD", 4, 3)
SCIENCE = template("OBJECT", 5, 3, catg="SCIENCE")
NIGHT = [*BIAS, *FLATS, *STARS, *SCIENCE]


def dp_ids(frames: list[Frame]) -> list[str]:
    return [item.arcfile.removesuffix(".fits") for item in frames]


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = build(tmp_path / "bench")
    arrive(bench, NIGHT)
    ingest(bench)
    return bench


def reject(bench: Workbench, raw_type: str, scope: str) -> None:
    with bench.store.write() as session:
        for ab in session.scalars(select(AssociationBlock).where(AssociationBlock.raw_type == raw_type)):
            ab.state = "rejected"
            values = {"by": "me", "at": utc_now(), "comment": "bad", "automatic": False, "policy": ""}
            session.add(Decision(ab=ab, verdict="rejected", scope=scope, **values))


def test_raw_files_are_followed_down_the_cascade(bench: Workbench) -> None:
    tree = ask(bench, SCIENCE[1])
    assert (tree.category, tree.mode, tree.match, tree.type) == ("SCI", "Raw2Raw", None, "main")
    assert tree.main_files == tuple(FileEntry("SCI", name) for name in dp_ids(SCIENCE))
    bias = ("BIAS", "calib_plan", [])
    flat = ("FLAT", "calib_plan", [bias])
    raw_flat = ("FLAT", "calib_plan", [])
    assert shape(tree) == ("SCI", None, [bias, ("STD", "calib_plan", [flat, raw_flat])])
    assert names_of(tree.children[0]) == dp_ids(BIAS)
    assert names_of(tree.children[1].children[0]) == dp_ids(FLATS)
    assert tree.complete
    assert parse_tree(print_tree(tree), "answer") == tree


def test_a_rule_for_raw_frames_gives_an_association_of_raw_frames(bench: Workbench) -> None:
    (star,) = [child for child in ask(bench, SCIENCE[0]).children if child.category == "STD"]
    raw = star.children[1]
    assert names_of(raw) == [dp_ids(FLATS)[2]]
    assert [entry.category for entry in raw.main_files] == ["FLAT"]


def test_raw_files_are_given_to_the_recipe_where_the_rule_takes_them_from_the_input(bench: Workbench) -> None:
    lamp = frame("ILLUM", 4.2)
    arrive(bench, [lamp])
    found = {child.category: child for child in ask(bench, STARS[0]).children}
    assert names_of(found["ILLUM"]) == dp_ids([lamp])
    assert (found["ILLUM"].match, found["ILLUM"].children) == ("calib_plan", ())


def test_beyond_the_calibration_plan_an_association_is_extended(tmp_path: Path) -> None:
    bench = build(tmp_path / "bench")
    flats = template("FLAT,SKY", 3, 3, date=DATE - 2 * DAY)
    arrive(bench, [*BIAS, *flats])
    ingest(bench)
    tree = ask(bench, flats[0])
    assert [child.match for child in tree.children] == ["extended"]
    assert tree.complete


def test_the_closest_data_set_is_taken_and_never_one_across_a_break(tmp_path: Path) -> None:
    breaks = f"breakpoints: [{{at: {DATE}T23:00:00, why: new detector}}]\n"
    for name, text, expected in (("as_is", "breakpoints: []\n", -1), ("broken", breaks, 1)):
        bench = build(tmp_path / name, breakpoints=text)
        far, near = template("BIAS", 12, 3), template("BIAS", 1, 3)
        flats = template("FLAT,SKY", 4, 3)
        arrive(bench, [*far, *near, *flats])
        ingest(bench)
        (child,) = ask(bench, flats[0]).children
        assert names_of(child) == dp_ids(near if expected < 0 else far)


def test_filtered_frames_and_rejected_raw_frames_are_never_given(bench: Workbench) -> None:
    arrive(bench, template("BIAS", 18, 3))
    create(bench)
    reject(bench, "BIAS", "product")
    assert names_of(ask(bench, SCIENCE[0]).children[0]) == dp_ids(BIAS)
    with bench.store.write() as session:
        first = session.scalars(select(AssociationBlock).order_by(AssociationBlock.mjd_obs)).all()
        bias = next(ab for ab in first if ab.raw_type == "BIAS")
        values = {"by": "me", "at": utc_now(), "comment": "bad", "automatic": False, "policy": ""}
        session.add(Decision(ab=bias, verdict="rejected", scope="raw", **values))
    assert names_of(ask(bench, SCIENCE[0]).children[0]) == dp_ids(template("BIAS", 18, 3))
    with bench.store.write() as session:
        session.execute(update(Frame).where(Frame.arcfile == SCIENCE[0].arcfile).values(filtered="clouds"))
    with pytest.raises(NotFoundError, match="is kept out of the system: clouds"):
        ask(bench, SCIENCE[0])


def test_a_general_calibration_has_no_validity_and_needs_nothing(bench: Workbench) -> None:
    arc = frame("WAVE", 14)
    arrive(bench, [arc])
    lacking = ask(bench, arc)
    assert not lacking.complete
    assert lacking.messages[0].startswith("LINE_CATALOG is missing for ARC TOY.")
    assert "it is required" in lacking.messages[0]

    add_general(bench, "lines.fits", HIERARCH_ESO_PRO_CATG="LINE_CATALOG")
    assert index_general(bench, "toy") == []
    tree = ask(bench, arc)
    assert tree.complete
    general = tree.children[1]
    assert (general.category, general.match, general.certified) == ("LINE_CATALOG", "N/A", True)
    assert general.main_files == (FileEntry("LINE_CATALOG", "lines"),)


def test_what_is_missing_further_down_makes_all_above_incomplete_where_it_is_required(tmp_path: Path) -> None:
    bench = build(tmp_path / "bench")
    arrive(bench, [*FLATS, *STARS, *SCIENCE])
    ingest(bench)
    tree = ask(bench, STARS[0])
    flat = tree.children[0]
    assert (tree.complete, flat.complete) == (False, False)
    assert "MASTER_BIAS is missing for FLAT" in flat.messages[0]
    assert f"line {RULES[: RULES.index('MASTER_BIAS from')].count(chr(10)) + 1}" in flat.messages[0]
    assert any("it is not required" in text for text in tree.messages)

    science = ask(bench, SCIENCE[0])
    assert [child.category for child in science.children] == ["STD"]
    assert "MASTER_BIAS is missing for SCI" in science.messages[0]


def test_a_group_that_is_too_small_is_incomplete(tmp_path: Path) -> None:
    bench = build(tmp_path / "bench")
    arrive(bench, BIAS[:2])
    ingest(bench)
    tree = ask(bench, BIAS[0])
    assert not tree.complete
    assert tree.messages == ("2 raw frames are there, 3 are wanted at least.",)


def test_certified_is_what_has_been_certified_down_to_the_last_file(bench: Workbench) -> None:
    assert not ask(bench, SCIENCE[0]).certified
    create(bench)
    certify(bench, "BIAS", "STD")
    tree = ask(bench, SCIENCE[0])
    bias, star = tree.children
    assert (tree.certified, bias.certified, star.certified) == (False, True, False)
    assert not ask(bench, FLATS[0]).certified
    certify(bench, "FLAT")
    assert ask(bench, SCIENCE[0]).certified
    assert ask(bench, FLATS[0]).certified


def test_masters_are_given_by_their_names_in_the_archive_and_need_nothing(bench: Workbench) -> None:
    create(bench)
    certify(bench, "BIAS", "FLAT", "STD")
    with bench.store.write() as session:
        for product in session.scalars(select(Product).where(Product.pro_catg == "MASTER_BIAS")):
            product.dp_id, product.location = "M.TOY.2026-11-11T09:00:00.000", "archive"
        for product in session.scalars(select(Product).where(Product.pro_catg == "ZEROPOINT")):
            product.final_name = "TY_PZPT_261110A.fits"
    tree = ask(bench, SCIENCE[0], "raw2master")
    assert shape(tree) == ("SCI", None, [("MASTER_BIAS", "calib_plan", []), ("ZEROPOINT", "calib_plan", [])])
    assert [names_of(child) for child in tree.children] == [
        ["M.TOY.2026-11-11T09:00:00.000"], ["TY_PZPT_261110A"],
    ]  # fmt: skip
    assert (tree.mode, tree.complete, tree.certified, tree.messages) == ("Raw2Master", True, True, ())


def test_a_required_master_that_is_missing_falls_back_to_raw_files(bench: Workbench) -> None:
    star = ask(bench, STARS[0], "raw2master")
    assert shape(star.children[0]) == ("FLAT", "calib_plan", [("BIAS", "calib_plan", [])])
    assert star.messages[0].startswith("MASTER_FLAT: no certified master fits")
    # what is not required has no stand-in
    science = ask(bench, SCIENCE[0], "raw2master")
    assert [child.category for child in science.children] == ["BIAS"]
    assert any(text.startswith("ZEROPOINT_MASSOC is missing") for text in science.messages)


def test_rules_that_go_round_in_a_circle_end_with_a_message(tmp_path: Path) -> None:
    bench = build(tmp_path / "bench")
    arrive(bench, NIGHT)
    circle = RULES.replace(
        "recipe make_bias;",
        'minRet = 0; maxRet = 1;\n  select file as FLAT_FOR_BIAS from calibFiles where PRO.CATG == "MASTER_FLAT";\n'
        "  recipe make_bias;",
    )
    ingest(bench, rules=circle)
    tree = ask(bench, BIAS[0])
    assert (tree.complete, tree.children) == (True, ())
    assert "Raw frames of FLAT are not followed: it needs what BIAS makes" in tree.messages[0]


def test_what_two_rules_take_from_one_data_set_is_given_once(tmp_path: Path) -> None:
    bench = build(tmp_path / "bench")
    arrive(bench, NIGHT)
    twice = RULES.replace(
        "recipe make_flat;",
        'select file as BIAS_MAP from calibFiles where PRO.CATG == "MASTER_BIAS"\n'
        "    and MJD-OBS tryBetween inputFile.MJD-OBS - 0.01 and inputFile.MJD-OBS + 0.01;\n  recipe make_flat;",
    )
    ingest(bench, rules=twice)
    assert shape(ask(bench, FLATS[0])) == ("FLAT", None, [("BIAS", "extended", [])])


@pytest.mark.parametrize("is_first", [True, False])
def test_a_rule_without_limits_does_not_take_the_validity_from_another_one(
    tmp_path: Path, is_first: bool
) -> None:
    bench = build(tmp_path / "bench")
    arrive(bench, NIGHT)
    own = RULES.index("action FLAT")
    place = "action FLAT\n{" if is_first else "recipe make_flat;"
    any_bias = ' select file as BIAS_MAP from calibFiles where PRO.CATG == "MASTER_BIAS"; '
    text = place + any_bias if is_first else any_bias + place
    ingest(bench, rules=RULES[:own] + RULES[own:].replace(place, text, 1))
    assert shape(ask(bench, FLATS[0])) == ("FLAT", None, [("BIAS", "calib_plan", [])])


def test_what_one_rule_takes_comes_in_the_order_of_time(tmp_path: Path) -> None:
    bench = build(tmp_path / "bench")
    biases = [template("BIAS", hours, 3) for hours in (1, 3.5, 12)]
    lamps = [frame("ILLUM", hours) for hours in (2, 4.2)]
    flats, stars = template("FLAT,SKY", 3, 3), template("STD", 4, 3)
    arrive(bench, [*(item for group in biases for item in group), *lamps, *flats, *stars])
    own = RULES.index("action FLAT")
    text = "action FLAT\n{ minRet = 1; maxRet = 3;"
    ingest(bench, rules=RULES[:own] + RULES[own:].replace("action FLAT\n{", text, 1))
    children = ask(bench, flats[0]).children
    # the second one is the closest
    assert [names_of(child)[0] for child in children] == [dp_ids(group)[0] for group in biases]
    found = {child.category: child for child in ask(bench, stars[0]).children}
    assert names_of(found["ILLUM"]) == dp_ids(lamps)


def test_frames_that_came_after_the_rules_are_known(bench: Workbench) -> None:
    closer = template("BIAS", 6, 3)
    assert names_of(ask(bench, SCIENCE[0]).children[0]) == dp_ids(BIAS)
    arrive(bench, closer)
    assert names_of(ask(bench, SCIENCE[0]).children[0]) == dp_ids(closer)


def test_an_answer_follows_the_rules_of_its_own_date(bench: Workbench) -> None:
    later = template("OBJECT", 5, 3, catg="SCIENCE", date=DATE + DAY)
    arrive(bench, later)
    wide = RULES.replace(
        "action SCI\n{",
        'action SCI\n{\n  select file as ANY_FLAT from calibFiles where PRO.CATG == "MASTER_FLAT";',
    )
    ingest(bench, DATE + DAY, rules=wide)
    assert "FLAT" not in [child.category for child in ask(bench, SCIENCE[0]).children]
    tree = ask(bench, later[0])
    # a rule without limits in time has no validity
    assert shape(tree)[2][0] == ("FLAT", "N/A", [("BIAS", "calib_plan", [])])  # type: ignore[index]


def test_a_frame_that_is_unknown_is_named_with_what_to_do(bench: Workbench) -> None:
    with pytest.raises(NotFoundError, match="qcbench data-loader -t h"):
        CalSelector(bench).answer("TOY.2020-01-01T00:00:00.000")
    focus = frame("FOCUS", 2)
    arrive(bench, [focus])
    with pytest.raises(NotFoundError, match=r"do not say what it is.*qcbench explain-frame"):
        ask(bench, focus)


def test_the_same_question_has_the_same_answer_whatever_was_asked_before(bench: Workbench) -> None:
    service = CalSelector(bench)
    first = [print_tree(service.answer(item.arcfile, "raw2raw").tree) for item in NIGHT]
    service = CalSelector(bench)
    again = [print_tree(service.answer(item.arcfile, "raw2raw").tree) for item in reversed(NIGHT)]
    assert first == again[::-1]
