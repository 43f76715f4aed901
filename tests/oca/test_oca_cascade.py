"""The calibration cascade, read from the rules."""

from __future__ import annotations

from qcbench.oca import cascade_of, parse_rules

RULES = """
if PRO.CATG == "MASTER_BIAS" then { DO.CATG = "MBIAS"; }
select execute(FLAT) from inputFiles where RAW.TYPE == "FLAT";
action BIAS { recipe b; product MASTER_BIAS { PRO.CATG = "MASTER_BIAS"; } product BPM { } }
action FLAT { select file as B from calibFiles where DO.CATG == "MBIAS";
              select file as P from calibFiles where PRO.CATG == "BPM" or PRO.CATG == "OLD_BPM";
              recipe f; product MASTER_FLAT { } }
action SCI  { select file as FF from calibFiles where PRO.CATG == "MASTER_FLAT";
              select file as B from calibFiles where DO.CATG == "MBIAS";
              minRet = 0; maxRet = 0;
              select file as OFF from calibFiles where PRO.CATG == "MASTER_FLAT";
              select file as ACQ_RASSOC from rawFiles where RAW.TYPE == "ACQ";
              select file as FILE_X from calibFiles where PRO.CATG == "TABLE"; recipe s; product SCI { } }
"""


def test_each_need_names_its_categories_and_who_makes_them() -> None:
    cascade = cascade_of(parse_rules(RULES, "test"))
    assert [
        (need.association.tag, sorted(need.categories), need.makers) for need in cascade.needs_of("SCI")
    ] == [
        ("FF", ["MASTER_FLAT"], ("FLAT",)),
        ("B", ["MBIAS"], ("BIAS",)),
        ("ACQ_RASSOC", ["ACQ"], ()),
        ("FILE_X", ["TABLE"], ()),
    ], "what is switched off is not needed"
    assert [need.makers for need in cascade.needs_of("FLAT")] == [("BIAS",), ("BIAS",)]
    assert [need.is_raw for need in cascade.needs_of("SCI")] == [False, False, True, False]


def test_depth_is_the_longest_way_from_the_raw_frames() -> None:
    cascade = cascade_of(parse_rules(RULES, "test"))
    assert {action: cascade.depth(action) for action in cascade.actions} == {"BIAS": 0, "FLAT": 1, "SCI": 2}
    assert cascade.cycles == ()
    assert cascade.depth("NOT_THERE") == 0


def test_actions_that_need_each_other_are_a_cycle() -> None:
    text = RULES.replace(
        "action BIAS {", 'action BIAS { select file as FF from calibFiles where PRO.CATG == "MASTER_FLAT";'
    )
    cascade = cascade_of(parse_rules(text, "test"))
    assert cascade.cycles == (("BIAS", "FLAT"),)
    assert cascade.in_cycle_with("FLAT", "BIAS")
    assert not cascade.in_cycle_with("SCI", "BIAS")
    assert cascade.depth("BIAS") == cascade.depth("FLAT") == 0
    assert cascade.depth("SCI") == 1


def test_an_action_that_takes_its_own_product_is_a_cycle_of_one() -> None:
    text = 'action A { select file as REF from calibFiles where PRO.CATG == "M"; recipe a; product M { } }'
    cascade = cascade_of(parse_rules(text, "test"))
    assert cascade.cycles == (("A",),)
    assert cascade.in_cycle_with("A", "A")


def test_a_long_cascade_is_no_problem() -> None:
    links = "".join(
        f'action A{n} {{ select file as P from calibFiles where PRO.CATG == "P{n - 1}";'
        f" recipe r; product P{n} {{ }} }}"
        for n in range(300)
    )
    cascade = cascade_of(parse_rules(links, "test"))
    assert cascade.depth("A299") == 299
