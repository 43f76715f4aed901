"""Why: explain-frame and explain-ab say what decided, with the values, and for what is missing what failed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path
from unittest.mock import Mock

import pytest
from sqlalchemy import select

from qcbench import oca
from qcbench.association.explaining import (
    ABExplanation,
    FrameExplanation,
    ab_lines,
    explain_ab,
    explain_frame,
    frame_lines,
)
from qcbench.core.dates import time_of_mjd, utc_now
from qcbench.core.errors import NotFoundError
from qcbench.store import ABState, ArchiveFile, AssociationBlock, Product
from qcbench.workbench import Workbench
from tests.association.observatory import (
    DATE,
    INSTRUMENT,
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
)

DAY = 24.0


def why_frame(bench: Workbench, name: str, **options: dt.datetime) -> tuple[FrameExplanation, str]:
    told = explain_frame(bench, name, **options)
    return told, "\n".join(frame_lines(told))


def why_ab(bench: Workbench, name: str) -> tuple[ABExplanation, str]:
    told = explain_ab(bench, name)
    return told, "\n".join(ab_lines(told))


# ------------------------------------------------------------------------------------------------- frames


def test_a_frame_tells_the_rule_that_typed_it_with_line_terms_and_values(tmp_path: Path) -> None:
    bench = build(tmp_path)
    flats = template("FLAT,SKY", 5.0, 2)
    arrive(bench, flats)
    create(bench)
    told, text = why_frame(bench, flats[0].arcfile.removesuffix(".fits"))
    (rule,) = told.fired
    line = (
        RULES.splitlines().index('if DPR.TYPE == "FLAT,SKY" then { RAW.TYPE = "FLAT"; DO.CATG = "FLAT"; }')
        + 1
    )
    assert rule.place == f"rules.oca:{line}"
    assert [term.values for term in rule.terms] == [(("DPR.TYPE", "FLAT,SKY"),)]
    assert (told.raw_type, told.do_catg) == ("FLAT", "FLAT")
    assert told.blocks[0].ab == block(bench, "FLAT").name
    assert 'DPR.TYPE == "FLAT,SKY"  DPR.TYPE is "FLAT,SKY"' in text


def test_an_assignment_that_a_later_rule_overwrites_says_which(tmp_path: Path) -> None:
    first = 'if DPR.TYPE like "%SKY%" then { RAW.TYPE = "SKY"; }\n'
    bench = build(tmp_path, rules=first + RULES)
    sky = frame("FLAT,SKY", 1.0)
    arrive(bench, [sky])
    told, text = why_frame(bench, sky.arcfile)
    earlier, later = told.fired
    assert earlier.assignments[0].overwritten_by == later.place
    assert later.assignments[0].overwritten_by is None
    assert f'RAW.TYPE = "SKY" (overwritten by {later.place})' in text
    assert told.raw_type == "FLAT"


def test_a_misspelt_type_shows_the_nearest_rules_first_the_one_that_looks_like_it(tmp_path: Path) -> None:
    bench = build(tmp_path)
    odd = frame("BIASS", 1.0)
    arrive(bench, [odd])
    create(bench)
    told, text = why_frame(bench, odd.arcfile)
    assert told.answer.startswith("Unclassified")
    assert told.nearest[0].gives == 'RAW.TYPE = "BIAS", DO.CATG = "BIAS"'
    assert 'DPR.TYPE == "BIAS"  DPR.TYPE is "BIASS"' in text
    assert len(told.nearest) == 5


def test_nearest_rules_are_ranked_by_the_number_of_conditions_fulfilled(tmp_path: Path) -> None:
    rule = 'if INSTRUME == "TOY" and DPR.CATG == "CALIB" and DPR.TYPE == "RARE" then { RAW.TYPE = "RARE"; }\n'
    bench = build(tmp_path, rules=rule + RULES)
    odd = frame("BIASS", 1.0)
    arrive(bench, [odd])
    told, _ = why_frame(bench, odd.arcfile)
    assert [near.n_met for near in told.nearest] == [2, 0, 0, 0, 0]
    assert told.nearest[0].failing[0].text == 'DPR.TYPE == "RARE"'


def test_a_filter_that_keeps_a_frame_out_gives_its_reason(tmp_path: Path) -> None:
    bench = build(tmp_path, filters='filters: [{files: ["*"], when: DET.BIN == 2, why: test exposure}]\n')
    bad = frame("BIAS", 1.0, DET_BIN=2)
    arrive(bench, [bad])
    create(bench)
    told, text = why_frame(bench, bad.arcfile)
    assert (told.filtered, told.blocks) == ("test exposure", ())
    assert "Kept out by a filter: test exposure." in text


def test_a_frame_that_no_organizer_selects_shows_the_nearest_organizers(tmp_path: Path) -> None:
    bench = build(tmp_path)
    lamp = frame("ILLUM", 1.0)
    arrive(bench, [lamp])
    create(bench)
    told, text = why_frame(bench, lamp.arcfile)
    assert told.answer == "ILLUM, in no AB: no organizer selects it."
    assert 'RAW.TYPE is "ILLUM"' in text
    assert {near.gives for near in told.near_organizers} == {
        f"a group for {name}" for name in ("BIAS", "FLAT", "ARC", "STD", "SCI")
    }


def test_a_template_that_is_still_being_taken_says_how_long_it_is_waited_for(tmp_path: Path) -> None:
    bench = build(tmp_path)
    frames = template("FLAT,SKY", 1.0, 5)[:2]
    arrive(bench, frames)
    now = time_of_mjd(mjd_at(1.1))
    create(bench, now=now)
    told, text = why_frame(bench, frames[0].arcfile, now=now)
    assert told.waiting is not None
    assert (told.waiting.here, told.waiting.wanted) == (2, 5)
    assert "in no AB yet: its template is still being taken: 2 of 5 frames are there" in text
    later, _ = why_frame(bench, frames[0].arcfile, now=now + dt.timedelta(days=3))
    assert later.waiting is None
    assert later.next == f"qcbench create-ab -d {DATE} -m CALIB"


def test_too_few_frames_are_said_with_the_number_that_the_rule_wants(tmp_path: Path) -> None:
    bench = build(tmp_path)
    frames = template("BIAS", 1.0, 2)
    arrive(bench, frames)
    create(bench)
    told, text = why_frame(bench, frames[0].arcfile)
    assert (told.selections[0].least, len(told.selections[0].frames)) == (3, 2)
    assert "▲ at least 3 are needed, there are 2 frames" in text
    assert told.blocks[0].lacks == ("2 of at least 3 raw frames",)


def test_frames_that_are_neither_calibration_nor_science_form_no_AB(tmp_path: Path) -> None:
    bench = build(tmp_path)
    test = frame("BIAS", 1.0, catg="TEST")
    arrive(bench, [test])
    assert "its DPR.CATG is 'TEST'" in why_frame(bench, test.arcfile)[1]


def test_an_unknown_name_gets_near_names_and_the_tool_for_files_elsewhere(tmp_path: Path) -> None:
    bench = build(tmp_path)
    known = frame("BIAS", 1.0)
    arrive(bench, [known])
    with pytest.raises(NotFoundError) as caught:
        explain_frame(bench, known.arcfile.replace("T22:00", "T22:10"))
    assert known.arcfile in str(caught.value)
    assert "qcbench oca classify" in str(caught.value)


@pytest.mark.parametrize(
    ("problem", "said"), [("truncated", "can't be used: truncated"), (None, "not loaded")]
)
def test_a_file_of_the_archive_that_is_no_frame_is_explained(
    tmp_path: Path, problem: str | None, said: str
) -> None:
    bench = build(tmp_path)
    with bench.store.write() as session:
        file = ArchiveFile(uri="2026-11-10/TOY.X.fits", size=1, stamp="1", seen_at=utc_now(), dfo_date=DATE)
        file.problem = problem
        session.add(file)
    for name in ("TOY.X", "TOY.X.fits"):
        assert said in why_frame(bench, name)[1]


def test_a_hostile_value_is_shown_and_nothing_else(tmp_path: Path) -> None:
    bench = build(tmp_path)
    odd = frame('BIAS\x1b[2J"; DROP TABLE frames; --', 1.0)
    arrive(bench, [odd])
    told, _ = why_frame(bench, odd.arcfile)
    assert dict(told.header)["DPR.TYPE"] == odd.dpr_type


# ---------------------------------------------------------------------------------------------------- ABs


def test_the_chosen_file_has_distance_level_and_both_values_of_each_condition(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 25.0, 1)])
    create(bench)
    create(bench, DATE + dt.timedelta(days=1))
    told, text = why_ab(bench, block(bench, "FLAT").root_name)
    (item,) = told.associations
    (file,) = item.chosen
    assert (item.legend, file.level, file.flag) == ("|-1.5/+1.5|-7/+7", 0, "VIRTUAL")
    assert file.dt_days == pytest.approx(-1.0, abs=0.01)
    assert ("inputFile.DET.BIN", 1) in file.terms[1].values
    assert "level 0, within the calibration plan" in text
    assert "AB 1, file 1" in text
    assert told.answer == "COMPLETE: every file that the rules require is there."


def test_outside_the_calibration_plan_is_said_in_words(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 3 * DAY, 1)])
    create(bench)
    create(bench, DATE + dt.timedelta(days=3))
    told, text = why_ab(bench, block(bench, "FLAT").name)
    assert "MASTER_BIAS only outside the calibration plan" in told.answer
    assert "level 1, outside the calibration plan, within the extended validity" in text


@pytest.mark.parametrize(
    ("second", "certified", "reason"),
    [
        (8.0, False, "the closest in time is taken"),
        (5 * DAY, False, "what is within the calibration plan goes before what is not"),
        (26.0, True, "what is certified goes before what is to be made"),
    ],
)
def test_the_runner_up_is_named_with_what_decided(
    tmp_path: Path, second: float, certified: bool, reason: str
) -> None:
    bench = build(tmp_path)
    arrive(bench, template("BIAS", 2.0, 3))
    create(bench)
    if certified:
        certify(bench, "BIAS")
    arrive(
        bench,
        [*template("FLAT,SKY", 24.5, 1), *template("BIAS", 24.5 - second if second < 20 else second, 3)],
    )
    for days in range(6):
        create(bench, DATE + dt.timedelta(days=days))
    (item,) = why_ab(bench, block(bench, "FLAT").name)[0].associations
    assert item.runner_up is not None
    assert item.decided_by == reason


def test_two_candidates_at_the_same_time_are_told_apart_by_their_names(tmp_path: Path) -> None:
    bench = build(tmp_path)
    twins = [*template("BIAS", 2.0, 3, TPL_START="second"), *template("BIAS", 2.0, 3, TPL_START="first")]
    for item, letter in zip(twins, "BBBAAA", strict=True):
        item.arcfile = item.keys["ARCFILE"] = f"TOY.{letter}{item.arcfile}"
    arrive(bench, [*twins, *template("FLAT,SKY", 5.0, 1)])
    create(bench)
    (item,) = why_ab(bench, block(bench, "FLAT").name)[0].associations
    assert item.chosen[0].name.startswith("r.TOY.A")
    assert item.decided_by == "both are equally close, and the first in the order of names is taken"


def test_what_is_missing_shows_the_nearest_candidates_and_all_that_they_fail(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(
        bench,
        [
            *template("BIAS", 1.0, 3, DET_BIN=2),
            *template("BIAS", -9 * DAY, 3),
            *template("BIAS", -10 * DAY, 3, DET_BIN=2),
            *template("FLAT,SKY", 5.0, 1),
        ],
    )
    for days in (-10, -9, 0):
        create(bench, DATE + dt.timedelta(days=days))
    told, text = why_ab(bench, block(bench, "FLAT").name)
    (item,) = told.associations
    assert [[term.text.split()[0] for term in near.failing] for near in item.nearest] == [
        ["inputFile.DET.BIN"],
        ["MJD-OBS"],
        ["inputFile.DET.BIN", "MJD-OBS"],
    ], "fewest failing conditions first, then the closest in time"
    assert "AB 1, file 2" in text
    assert "Δt -9.21 d" in text
    assert told.answer == "INCOMPLETE: MASTER_BIAS is missing."
    assert "BIAS makes MASTER_BIAS: 1 group within 7 d" in text


def test_no_more_than_five_candidates_are_shown(tmp_path: Path) -> None:
    bench = build(tmp_path)
    biases = [item for hour in range(1, 8) for item in template("BIAS", float(hour), 3, DET_BIN=2)]
    arrive(bench, [*biases, *template("FLAT,SKY", 9.0, 1)])
    create(bench)
    (item,) = why_ab(bench, block(bench, "FLAT").name)[0].associations
    gaps = [abs(near.dt_days or 0.0) for near in item.nearest]
    assert len(gaps) == 5
    assert gaps == sorted(gaps)


def test_a_breakpoint_a_failed_maker_and_too_few_frames_are_refusals_in_words(tmp_path: Path) -> None:
    text = "breakpoints:\n  - {at: 2026-11-09 12:00:00, why: new detector}\n"
    bench = build(tmp_path, breakpoints=text)
    arrive(bench, [*template("BIAS", -40.0, 3), *template("BIAS", 1.0, 3), *template("FLAT,SKY", 5.0, 1)])
    create(bench, DATE - dt.timedelta(days=2))
    create(bench)
    with bench.store.write() as session:
        made = session.scalars(select(AssociationBlock).where(AssociationBlock.dfo_date == DATE)).all()
        (bias,) = [ab for ab in made if ab.raw_type == "BIAS"]
        bias.state, bias.reason = ABState.FAILED, "no disk space"
    arrive(bench, template("BIAS", 2.0, 2))
    create(bench)
    (item,) = why_ab(bench, block(bench, "FLAT").name)[0].associations
    refusals = {str(near.refusal).partition(".ab ")[2] or str(near.refusal) for near in item.nearest}
    assert refusals == {
        "failed: no disk space",
        "has too few raw frames",
        "the instrument changed between, on 2026-11-09 12:00 UT: new detector",
    }


def test_what_was_rejected_and_what_an_incomplete_AB_would_make_is_said(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 5.0, 1), *template("STD", 6.0, 1)])
    create(bench)
    with bench.store.write() as session:
        bias = session.scalars(select(AssociationBlock).where(AssociationBlock.raw_type == "BIAS")).one()
        bias.state, bias.products[0].location = ABState.REJECTED, "purged"
    create(bench)
    (flat,) = why_ab(bench, block(bench, "FLAT").name)[0].associations
    assert [near.refusal for near in flat.nearest] == [f"{block(bench, 'BIAS').name} was rejected"]
    told, text = why_ab(bench, block(bench, "STD").name)
    assert told.associations[0].nearest[0].refusal == "its AB is incomplete"
    assert "it would fit, but its AB is incomplete" in text


def test_science_says_that_it_takes_certified_masters_only(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("OBJECT", 5.0, 1, catg="SCIENCE")])
    create(bench)
    create(bench, mode="SCIENCE")
    told, text = why_ab(bench, block(bench, "SCI").name)
    assert "it would fit, but it is not certified, and science takes certified masters only" in text
    certify(bench, "BIAS")
    told, _ = why_ab(bench, told.name)
    assert told.answer == "INCOMPLETE: MASTER_BIAS is missing; by now MASTER_BIAS can be had."
    assert told.next == f"qcbench create-ab -d {DATE} -m SCIENCE"


def test_a_general_calibration_that_is_missing_says_where_to_put_it(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("WAVE", 5.0, 1)])
    create(bench)
    told, text = why_ab(bench, block(bench, "ARC").name)
    assert "LINE_CATALOG is a general calibration (Wavelengths of arc lines)" in text
    assert "put it into data/toy/calib/general" in text
    add_general(bench, "TY_GLIN.fits", **{"HIERARCH ESO PRO CATG": "LINE_CATALOG"})
    create(bench)
    told, text = why_ab(bench, told.name)
    assert "TY_GLIN.fits  REAL  general\n      the rule sets no limit in time" in text
    assert told.associations[1].legend == "GT"


def test_without_groups_the_frames_that_would_make_it_are_counted(tmp_path: Path) -> None:
    bench = build(tmp_path)
    flats = template("FLAT,SKY", 5.0, 1)
    arrive(bench, flats)
    create(bench)
    _, text = why_ab(bench, block(bench, "FLAT").name)
    assert "There is no MASTER_BIAS at all." in text
    assert "BIAS makes MASTER_BIAS: 0 groups within 7 d; 0 frames of BIAS within 7 d" in text


def test_an_AB_that_was_processed_is_explained_by_what_it_used(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 5.0, 1)])
    create(bench)
    old = block(bench, "FLAT").calibrations[0].product.pipefile
    with bench.store.write() as session:
        flat = session.scalars(select(AssociationBlock).where(AssociationBlock.raw_type == "FLAT")).one()
        flat.state = ABState.SCORED
    arrive(bench, template("BIAS", 4.0, 3))
    create(bench)
    told, text = why_ab(bench, block(bench, "FLAT").name)
    (item,) = told.associations
    assert [file.name for file in item.chosen] == [old]
    assert item.today is not None
    assert f"today's choice would be {item.today[0]}" in text
    assert "but it is scored already" in told.answer


def test_raw_frames_that_are_associated_are_explained_too(tmp_path: Path) -> None:
    bench = build(tmp_path)
    arrive(
        bench,
        [
            *template("BIAS", 1.0, 3),
            *template("FLAT,SKY", 3.0, 2),
            frame("ILLUM", 5.2),
            *template("STD", 5.0, 1),
        ],
    )
    create(bench)
    told, _ = why_ab(bench, block(bench, "STD").name)
    assert {item.tag: item.role for item in told.associations} == {
        "MASTER_FLAT": "MCALIB",
        "ILLUM": "RCALIB",
        "SKY_RASSOC": "RASSOC",
    }
    assert [len(item.chosen) for item in told.associations] == [1, 1, 1]


def test_two_rules_of_one_tag_have_each_their_own_file(tmp_path: Path) -> None:
    second = """minRet = 0; maxRet = 1;
  select file as MASTER_BIAS from calibFiles where DO.CATG == "MASTER_BIAS" and DET.BIN == 2;
  recipe make_flat;"""
    bench = build(tmp_path, rules=RULES.replace("recipe make_flat;", second))
    biases = [*template("BIAS", 1.0, 3), *template("BIAS", 2.0, 3, DET_BIN=2)]
    arrive(bench, [*biases, *template("FLAT,SKY", 5.0, 1)])
    create(bench)
    told, _ = why_ab(bench, block(bench, "FLAT").name)
    chosen = [[file.name for file in item.chosen] for item in told.associations]
    assert [len(names) for names in chosen] == [1, 1]
    assert chosen[0] != chosen[1]
    assert (told.others, [item.today for item in told.associations]) == ((), [None, None])


def test_explanations_are_plain_frozen_data(tmp_path: Path) -> None:
    bench = build(tmp_path)
    flats = template("FLAT,SKY", 5.0, 1)
    arrive(bench, [*template("BIAS", 1.0, 3), *flats])
    create(bench)
    for told in (explain_ab(bench, block(bench, "FLAT").name), explain_frame(bench, flats[0].arcfile)):
        assert json.loads(json.dumps(dataclasses.asdict(told), default=str))["rules"].endswith("rules.oca")
        with pytest.raises(dataclasses.FrozenInstanceError):
            told.answer = ""  # type: ignore[misc]


def test_to_explain_changes_nothing(tmp_path: Path) -> None:
    bench = build(tmp_path)
    odd, flats = frame("BIASS", 1.0), template("FLAT,SKY", 5.0, 1)
    arrive(bench, [odd, *flats])
    create(bench)
    before = [(ab.updated_at, ab.missing) for ab in blocks(bench)]
    explain_frame(bench, odd.arcfile)
    explain_ab(bench, block(bench, "FLAT").name)
    assert [(ab.updated_at, ab.missing) for ab in blocks(bench)] == before


def test_of_twenty_thousand_products_only_the_nearest_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = build(tmp_path)
    start, names = mjd_at(0.0), ("MASTER_BIAS", "MASTER_FLAT", "WAVE_MAP", "ZEROPOINT")
    keys = {"DET.BIN": 2, "INS.FILT": "V", **{f"DET.CHIP{number}.ID": float(number) for number in range(40)}}
    with bench.store.write() as session:
        for number in range(20_000):
            session.add(
                Product(
                    instrument=INSTRUMENT,
                    position=0,
                    pro_catg=names[number % 4],
                    pipefile=f"p{number}.fits",
                    location="calib",
                    mjd_obs=start - number / 20,
                    keys=keys,
                )
            )
    arrive(bench, template("FLAT,SKY", 5.0, 1))
    create(bench)
    name = block(bench, "FLAT").name
    explained = Mock(wraps=oca.explain)
    monkeypatch.setattr("qcbench.association.explaining.candidates.explain", explained)
    told = explain_ab(bench, name)
    assert len(told.associations[0].nearest) == 5
    assert 5 <= explained.call_count <= 20


PATTERNS = RULES.replace('DO.CATG == "MASTER_BIAS"', 'DO.CATG like "MASTER_B%"').replace(
    "recipe make_bias;",
    'select file as MASTER_FLAT from calibFiles where PRO.CATG like "%_FLAT"; recipe make_bias;',
)


def test_blocks_that_need_each_other_by_patterns_do_not_count_on_each_other(tmp_path: Path) -> None:
    bench = build(tmp_path, rules=PATTERNS)
    arrive(bench, [*template("BIAS", 1.0, 3), *template("FLAT,SKY", 5.0, 2)])
    create(bench)
    told, text = why_ab(bench, block(bench, "FLAT").name)
    assert told.answer == "INCOMPLETE: MASTER_BIAS is missing."
    assert {item.completeness for item in blocks(bench)} == {"INCOMPLETE"}
    assert "Nearest of MASTER_BIAS:" in text
    assert "BIAS makes MASTER_BIAS: 1 group within 7 d" in text


def test_a_pattern_that_nothing_fits_is_told_as_it_is_written(tmp_path: Path) -> None:
    bench = build(tmp_path, rules=RULES.replace('DO.CATG == "MASTER_BIAS"', 'DO.CATG like "MASTER_BX%"'))
    arrive(bench, template("FLAT,SKY", 5.0, 2))
    create(bench)
    _, text = why_ab(bench, block(bench, "FLAT").name)
    assert 'Nearest of DO.CATG like "MASTER_BX%":' in text
    assert 'No rule makes DO.CATG like "MASTER_BX%"' in text
