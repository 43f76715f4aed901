"""Association: which calibration an AB gets, why, and what it says when there is none."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import select

from qcbench.instruments.loading import load_pack
from qcbench.store import ABState, AssociationBlock, Event, Frame, Product, advance
from qcbench.workbench import Workbench
from qcbench.workflow import account
from tests.association.observatory import (
    DATE,
    RULES,
    add_general,
    arrive,
    block,
    blocks,
    build,
    certify,
    create,
    frame,
    mjd_at,
    template,
    texts,
    used,
)

NEXT = DATE + dt.timedelta(days=1)
DAY = 24.0


def name_of(bench: Workbench, raw_type: str, nth: int = 0) -> str:
    """The product of the nth AB of a raw type."""
    return [ab for ab in blocks(bench) if ab.raw_type == raw_type][nth].products[0].pipefile


def test_times_are_compared_at_the_middle_of_the_exposures_of_the_group(tmp_path: Path) -> None:
    bench = build(tmp_path)
    bias, flat = template("BIAS", 1.0, 3), template("FLAT,SKY", 5.0, 2)
    arrive(bench, [*bias, *flat])
    create(bench)
    middle = (mjd_at(1.0) + mjd_at(1.0 + 2 / 60)) / 2
    assert block(bench, "BIAS").mjd_obs_mod == pytest.approx(middle + 5 / 86400)
    (use,) = block(bench, "FLAT").calibrations
    wanted = middle - (mjd_at(5.0) + mjd_at(5.0 + 1 / 60)) / 2
    assert use.dt_days == pytest.approx(wanted, abs=1e-9)
    assert use.dt_days < 0, "calibration minus AB"


def test_the_closest_in_time_wins_on_either_side(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 5.0, 1), *template("BIAS", 8.0, 3)])
    create(bench)
    assert used(block(bench, "FLAT")) == {"MASTER_BIAS": name_of(bench, "BIAS", 1)}


def test_a_tie_is_broken_by_the_name_of_the_first_frame(tmp_path: Path) -> None:
    bench = build(tmp_path)
    twins = [*template("BIAS", 2.0, 3, TPL_START="second"), *template("BIAS", 2.0, 3, TPL_START="first")]
    for item, letter in zip(twins, "BBBAAA", strict=True):
        item.arcfile = item.keys["ARCFILE"] = f"TOY.{letter}{item.arcfile}"
    arrive(bench, [*twins, *template("FLAT,SKY", 5.0, 1)])
    create(bench)
    assert used(block(bench, "FLAT"))["MASTER_BIAS"].startswith("r.TOY.A")


def test_a_certified_master_goes_before_a_virtual_one_that_is_closer(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, template("BIAS", 1.0, 3))
    create(bench)
    certify(bench, "BIAS")
    arrive(bench, [*template("FLAT,SKY", 20.0, 1), *template("BIAS", 21.0, 3)])
    create(bench)
    (use,) = block(bench, "FLAT").calibrations
    assert (use.flag, use.level, use.evaluation) == ("REAL", 0, "OK")
    assert use.product.pipefile == name_of(bench, "BIAS", 0)


def test_the_calibration_plan_goes_before_what_is_certified(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, template("BIAS", 1.0, 3))
    create(bench)
    certify(bench, "BIAS")
    arrive(bench, [*template("FLAT,SKY", 3 * DAY, 1), *template("BIAS", 3 * DAY + 1, 3)])
    create(bench, DATE + dt.timedelta(days=3))
    (use,) = block(bench, "FLAT").calibrations
    assert (use.flag, use.level) == ("VIRTUAL", 0), (
        "the certified one is two days away, beyond the plan of 1.5"
    )


def test_beyond_the_plan_the_extended_validity_still_serves_and_is_marked(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 3 * DAY, 1)])
    create(bench)
    create(bench, DATE + dt.timedelta(days=3))
    (use,) = block(bench, "FLAT").calibrations
    assert (use.level, use.evaluation) == (1, "NOK")
    assert block(bench, "FLAT").completeness == "COMPLETE"


def test_beyond_the_extended_validity_nothing_serves(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 8 * DAY, 1)])
    create(bench)
    result = create(bench, DATE + dt.timedelta(days=8))
    flat = block(bench, "FLAT")
    assert (flat.completeness, flat.calibrations) == ("INCOMPLETE", [])
    assert flat.missing[0]["tag"] == "MASTER_BIAS"
    assert result.incomplete == [flat.name]


@pytest.mark.parametrize(
    ("limits", "found"),
    [("", True), ("raw_types: [FLAT]", False), ("products: [MASTER_BIAS]", False), ("raw_types: [STD]", True),
     ("products: [MASTER_FLAT]", True), ("raw_types: [FLAT]\n    products: [MASTER_FLAT]", True)],
)  # fmt: skip
def test_nothing_associates_across_a_breakpoint(tmp_path: Path, limits: str, found: bool) -> None:
    text = "breakpoints:\n  - at: 2026-11-11 00:00:00\n    why: new detector\n"
    everything = not limits
    bench = build(tmp_path, breakpoints=text + (f"    {limits}\n" if limits else ""))
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 5.0, 1)])
    create(bench)
    flat = block(bench, "FLAT")
    assert (flat.completeness == "COMPLETE") is (found and not everything)


def test_the_break_itself_belongs_to_what_comes_after(tmp_path: Path) -> None:
    bench = build(tmp_path, breakpoints="breakpoints: [{at: 2026-11-10 22:00:05, why: new detector}]\n")
    # a group of one frame of 10 s: its middle is at 22:00:05 sharp
    arrive(bench, [*template("WAVE", 1.0, 1), *template("BIAS", 5.0, 3)])
    add_general(bench, "TY_GLIN.fits", **{"HIERARCH ESO PRO CATG": "LINE_CATALOG"})
    create(bench)
    assert block(bench, "ARC").completeness == "COMPLETE"


def test_a_general_calibration_has_no_distance_in_time(tmp_path: Path) -> None:
    bench = build(tmp_path)
    add_general(bench, "TY_GLIN.fits", **{"HIERARCH ESO PRO CATG": "LINE_CATALOG"})
    arrive(bench, [*template("BIAS", 1.0, 3), *template("WAVE", 5.0, 1)])
    create(bench)
    use = next(use for use in block(bench, "ARC").calibrations if use.tag == "LINE_CATALOG")
    assert (use.product.pipefile, use.flag, use.level, use.dt_days) == ("TY_GLIN.fits", "REAL", 0, None)
    log = texts(bench)[f"{block(bench, 'ARC').root_name}.alog"]
    assert "OK MCALIB REAL TY_GLIN.fits LINE_CATALOG -" in log


def test_of_several_versions_the_general_calibration_in_force_is_taken(tmp_path: Path) -> None:
    bench = build(tmp_path)
    category = {"HIERARCH ESO PRO CATG": "LINE_CATALOG"}
    for name, hours in (("TY_OLD.fits", -900.0), ("TY_FORCE.fits", -40.0), ("TY_NEXT.fits", 20.0)):
        add_general(bench, name, **category, **{"MJD-OBS": mjd_at(hours)})
    add_general(bench, "TY_EVER.fits", **category)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("WAVE", 5.0, 1)])
    create(bench)
    assert used(block(bench, "ARC"))["LINE_CATALOG"] == "TY_FORCE.fits"


def test_a_general_calibration_that_goes_is_forgotten_and_said(tmp_path: Path) -> None:
    bench = build(tmp_path)
    path = add_general(bench, "TY_GLIN.fits", **{"HIERARCH ESO PRO CATG": "LINE_CATALOG"})
    arrive(bench, [*template("BIAS", 1.0, 3), *template("WAVE", 5.0, 1)])
    create(bench)
    path.unlink()
    create(bench)
    assert block(bench, "ARC").completeness == "INCOMPLETE"
    with bench.store.read() as session:
        said = session.scalars(select(Event.message).where(Event.flag == "general_gone")).all()
    assert said == ["TY_GLIN.fits (LINE_CATALOG) was taken out of the general calibrations"]


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({}, "it has no PRO.CATG"),
        ({"INSTRUME": "OTHER", "HIERARCH ESO PRO CATG": "X"}, "its INSTRUME is 'OTHER'"),
    ],
)
def test_a_general_calibration_that_cannot_be_used_is_said_once(
    tmp_path: Path, keys: dict[str, object], problem: str
) -> None:
    bench = build(tmp_path)
    add_general(bench, "TY_ODD.fits", **keys)
    (bench.data("toy").general / "TY_BAD.fits").write_bytes(b"no FITS at all")
    first, second = create(bench), create(bench)
    assert first.problems == second.problems
    assert any(problem in text for text in first.problems)
    assert any("TY_BAD.fits: not a readable FITS file" in text for text in first.problems)
    with bench.store.read() as session:
        assert session.scalars(select(Product)).all() == []


def test_raw_files_are_associated_without_being_given_to_the_recipe(tmp_path: Path) -> None:
    bench = build(tmp_path)
    frames = [
        *template("BIAS", 1.0, 3),
        *template("FLAT,SKY", 2.0, 2),
        *template("STD", 5.0, 1),
        *template("ILLUM", 6.0, 3),
    ]
    arrive(bench, frames)
    create(bench)
    standard = block(bench, "STD")
    roles = [(item.role, item.tag, item.frame.dpr_type) for item in standard.inputs]
    assert roles == [
        ("RAWFILE", "STD", "STD"),
        ("RCALIB", "ILLUM", "ILLUM"),
        ("RCALIB", "ILLUM", "ILLUM"),
        ("RASSOC", "SKY_RASSOC", "FLAT,SKY"),
    ]
    assert [item.frame.arcfile for item in standard.inputs[1:3]] == [frames[6].arcfile, frames[7].arcfile]
    assert standard.inputs[3].dt_days == pytest.approx(-3 / 24 + 1 / 1440, abs=1e-6)
    text = texts(bench)[standard.name].splitlines()
    assert [line.split()[0] for line in text if "fits" in line and line[:1] == "R"] == ["RAWFILE"] * 3 + [
        "RASSOC"
    ]


def test_science_is_associated_with_certified_masters_only(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("OBJECT", 5.0, 2, catg="SCIENCE")])
    create(bench)
    assert [ab.mode for ab in blocks(bench)] == ["CALIB"], "science has ABs of its own"
    result = create(bench, mode="SCIENCE")
    science = block(bench, "SCI")
    assert (result.created, science.completeness) == ([science.name], "INCOMPLETE")
    certify(bench, "BIAS")
    create(bench, mode="SCIENCE")
    science = block(bench, "SCI")
    assert (science.mode, science.completeness) == ("SCIENCE", "COMPLETE")
    assert [use.flag for use in science.calibrations] == ["REAL"]
    assert (bench.tree.monitor / f"AB_list_toy_SCIENCE_{DATE}").read_text() == f"{science.name}\n"
    with bench.store.read() as session:
        assert session.scalars(select(Event.flag).where(Event.flag.like("sci_%"))).all() == ["sci_AB"]


def test_what_is_associated_for_information_has_a_role_of_its_own(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 2.0, 2), *template("STD", 5.0, 1)])
    arrive(bench, template("OBJECT", 6.0, 1, catg="SCIENCE"))
    create(bench)
    certify(bench, "BIAS", "FLAT", "STD")
    create(bench, mode="SCIENCE")
    roles = {use.tag: use.role for use in block(bench, "SCI").calibrations}
    assert roles == {"MASTER_BIAS": "MCALIB", "ZEROPOINT_MASSOC": "MASSOC"}


def test_an_ab_whose_parent_is_incomplete_takes_another_one_or_is_incomplete(tmp_path: Path) -> None:
    bench = build(tmp_path)
    near = [*template("FLAT,SKY", 5.0, 2, DET_BIN=2), *template("STD", 6.0, 1, DET_BIN=2)]
    arrive(bench, near)
    create(bench)
    assert [ab.completeness for ab in blocks(bench)] == ["INCOMPLETE"] * 2, (
        "no bias, so no flat, so no standard"
    )
    arrive(bench, template("BIAS", 1.0, 3, DET_BIN=2))
    result = create(bench)
    assert [ab.completeness for ab in blocks(bench)] == ["COMPLETE"] * 3
    assert len(result.associated) == 2


def test_a_failed_parent_is_not_counted_on(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("BIAS", 20.0, 3), *template("FLAT,SKY", 5.0, 1)])
    create(bench)
    with bench.store.write() as session:
        first = session.scalars(select(AssociationBlock).order_by(AssociationBlock.mjd_obs)).first()
        advance(session, first, ABState.PROCESSING, "test")
        advance(session, first, ABState.FAILED, "test")
    create(bench)
    assert used(block(bench, "FLAT")) == {"MASTER_BIAS": name_of(bench, "BIAS", 1)}


def test_an_ab_whose_parent_failed_says_for_whom_it_waits_and_so_do_those_behind_it(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 5.0, 1), *template("STD", 6.0, 1)])
    create(bench)
    with bench.store.write() as session:
        bias = session.scalars(select(AssociationBlock).where(AssociationBlock.raw_type == "BIAS")).one()
        advance(session, bias, ABState.PROCESSING, "test")
        advance(session, bias, ABState.FAILED, "test")
    create(bench)
    bias, flat, standard = (block(bench, name) for name in ("BIAS", "FLAT", "STD"))
    waiting = account(bench, flat.instrument)[1].waiting
    assert f"it waits for MASTER_BIAS of {bias.name} (failed)" in waiting[flat.name]
    assert f"MASTER_FLAT of {flat.name} (incomplete)" in waiting[standard.name]
    assert f"it would be of {bias.name} (failed)" in flat.missing[0]["why"]
    with bench.store.write() as session:
        advance(session, session.get_one(AssociationBlock, bias.id), ABState.QUEUED, "test")
    create(bench)
    assert {ab.completeness for ab in blocks(bench)} == {"COMPLETE"}


def test_an_ab_that_somebody_works_on_keeps_what_it_has(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 5.0, 1)])
    create(bench)
    with bench.store.write() as session:
        flat = session.scalars(select(AssociationBlock).where(AssociationBlock.raw_type == "FLAT")).one()
        advance(session, flat, ABState.PROCESSING, "test")
    arrive(bench, template("BIAS", 4.5, 3))
    create(bench)
    assert used(block(bench, "FLAT")) == {"MASTER_BIAS": name_of(bench, "BIAS", 0)}


def test_a_thousand_candidates_make_one_choice(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, template("BIAS", 1.0, 3))
    create(bench)
    certify(bench, "BIAS")
    with bench.store.write() as session:
        bias = session.scalars(select(AssociationBlock)).one()
        probe = bias.products[0]
        for number in range(1, 1000):
            session.add(
                Product(
                    ab=bias,
                    instrument="toy",
                    position=number,
                    pro_catg="MASTER_BIAS",
                    location="calib",
                    pipefile=f"r.X{number:04d}.fits",
                    mjd_obs=probe.mjd_obs,
                    keys=dict(probe.keys),
                )
            )
    arrive(bench, template("FLAT,SKY", 5.0, 1))
    create(bench)
    assert used(block(bench, "FLAT")) == {"MASTER_BIAS": name_of(bench, "BIAS")}


def test_actions_that_need_each_other_count_on_what_is_made_only(tmp_path: Path) -> None:
    circle = RULES.replace(
        "action BIAS\n{",
        "action BIAS\n{\n  minRet = 0; maxRet = 1;"
        'select file as OLD_FLAT from calibFiles where DO.CATG == "MASTER_FLAT";',
    )
    bench = build(tmp_path, rules=circle)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 5.0, 1)])
    create(bench)
    assert used(block(bench, "BIAS")) == {}
    assert block(bench, "FLAT").completeness == "INCOMPLETE", "each would wait for the other one"
    certify(bench, "BIAS")
    create(bench)
    assert block(bench, "FLAT").completeness == "COMPLETE"


@pytest.mark.parametrize(
    "odd",
    [{"DET_BIN": None}, {"DET_BIN": "one"}, {"DET_BIN": True}, {"DET_BIN": "1.5"}, {"INS_FILT": "Bé中"}],
)
def test_missing_wrong_and_foreign_values_match_nothing_and_break_nothing(
    tmp_path: Path, odd: dict[str, object]
) -> None:
    bench = build(tmp_path)
    arrive(
        bench,
        [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 5.0, 1), *template("FLAT,SKY", 6.0, 1, **odd)],
    )
    create(bench)
    good, bad = (ab for ab in blocks(bench) if ab.raw_type == "FLAT")
    assert good.completeness == "COMPLETE"
    assert bad.completeness == ("COMPLETE" if "INS_FILT" in odd else "INCOMPLETE")


def test_frames_of_no_type_are_listed(tmp_path: Path) -> None:
    bench = build(tmp_path)
    odd = frame("BIAZ", 3.0)
    arrive(bench, [odd, *template("ILLUM", 4.0, 1)])
    result = create(bench)
    assert result.unclassified == [odd.arcfile]
    assert len(result.unsupported) == 1, "no rule groups ILLUM"


def test_a_template_that_goes_on_over_the_start_of_a_date_is_one_ab_of_its_first_frame(
    tmp_path: Path,
) -> None:
    bench = build(tmp_path)
    arrive(bench, template("BIAS", 23.98, 4))
    assert {item.dfo_date for item in _frames(bench)} == {DATE, NEXT}
    create(bench, NEXT)
    (ab,) = blocks(bench)
    assert (ab.dfo_date, len(ab.inputs)) == (DATE, 4)
    assert create(bench).created == []
    assert (bench.data("toy").logs(DATE) / ab.name).is_file()
    assert not list(bench.data("toy").logs(NEXT).glob("*"))


def _frames(bench: Workbench) -> list[Frame]:
    with bench.store.read() as session:
        return list(session.scalars(select(Frame)))


def test_virtual_calibrations_are_refreshed_when_the_rules_change(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 5.0, 1)])
    create(bench)
    more = 'product MASTER_BIAS { PRO.CATG = "MASTER_BIAS"; DET.GAIN = 2; }'
    more += ' product FLAG { PRO.CATG = "WAVE_MAP"; }'
    change_rules(bench, RULES.replace('product MASTER_BIAS { PRO.CATG = "MASTER_BIAS"; }', more))
    result = create(bench)
    bias = block(bench, "BIAS")
    assert result.associated == [bias.name]
    assert [(product.pro_catg, product.keys.get("DET.GAIN")) for product in bias.products] == [
        ("MASTER_BIAS", 2),
        ("WAVE_MAP", None),
    ]
    assert used(block(bench, "FLAT")) == {"MASTER_BIAS": bias.products[0].pipefile}
    change_rules(bench, RULES.replace('product MASTER_BIAS { PRO.CATG = "MASTER_BIAS"; }', ""))
    create(bench)
    assert block(bench, "BIAS").products == []
    assert block(bench, "FLAT").completeness == "INCOMPLETE"


def test_frames_that_the_rules_group_otherwise_now_get_other_abs(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, template("BIAS", 1.0, 4))
    create(bench)
    old = block(bench, "BIAS").name
    change_rules(bench, RULES.replace("execute(BIAS)", "execute(ZERO)").replace("action BIAS", "action ZERO"))
    result = create(bench)
    assert (result.dissolved, result.created) == ([old], [old]), "of the same frames, so of the same name"
    assert [ab.action for ab in blocks(bench)] == ["ZERO"]


def change_rules(bench: Workbench, rules: str) -> None:
    """Give the instrument other rules, as the next process would read them."""
    (bench.tree.config / "toy" / "rules.oca").write_text(rules)
    load_pack.cache_clear()


def test_raw_files_that_no_rule_limits_in_time_are_those_of_a_day(tmp_path: Path) -> None:
    unlimited = RULES.replace(
        'where RAW.TYPE == "ILLUM"\n    and MJD-OBS between inputFile.MJD-OBS - 0.5 and inputFile.MJD-OBS + 0.5;',
        'where RAW.TYPE == "ILLUM";',
    )
    assert unlimited != RULES
    bench = build(tmp_path, rules=unlimited)
    # an open AB of another day would bring its frames into reach
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 2.0, 1), *template("STD", 5.0, 1)])
    arrive(bench, [*template("ILLUM", 5.0 + 1.5 * DAY, 1), *template("STD", 3 * DAY, 1)])
    create(bench)
    create(bench, DATE + dt.timedelta(days=2))
    create(bench, DATE + dt.timedelta(days=3))
    first, last = (ab for ab in blocks(bench) if ab.raw_type == "STD")
    assert [item.role for item in first.inputs] == ["RAWFILE", "RASSOC"]
    assert last.inputs[0].role == "RAWFILE"
