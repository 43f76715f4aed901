"""The calibration cascade, read from the rules."""

from __future__ import annotations

import pytest

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


TAGGED = """
if INSTRUME == "X" and PRO.CATG == "M_{0}" then {{ DO.CATG = "{0}_TAG"; }}
if DPR.TYPE == "{0}" then {{ DO.CATG = "{0}"; RAW.TYPE = "{0}"; }}
if not DPR.TYPE == "OBJECT" and INS.MODE == "IMG" then {{ DO.CATG = "OTHER"; }}
action {0} {{ select file as NEED from calibFiles where {1}; recipe r; product M_{0} {{ }} }}
"""


@pytest.mark.parametrize(
    "condition",
    [
        'PRO.CATG == "M_{0}"',
        '"M_{0}" == PRO.CATG',
        'PRO.CATG like "M_{0}"',
        'PRO.CATG like "%_{0}"',
        'PRO.CATG regexp "M_{0}"',
        'PRO.CATG regexp "[MN]_{0}"',
        'PRO.CATG ?= "M_{0}"',
        'not PRO.CATG != "M_{0}"',
        'DO.CATG == "{0}_TAG"',
        'PRO.CATG == "M_{0}" and DO.CATG == "{0}_TAG"',
        'DO.CATG like "{0}%" and INS.MODE == inputFile.INS.MODE',
        '(PRO.CATG == "NEVER_MADE" or PRO.CATG == "M_{0}")',
    ],
)
def test_a_need_is_met_by_whom_it_might_take_a_product_of_however_it_is_written(condition: str) -> None:
    text = TAGGED.format("A", condition.format("B")) + TAGGED.format("B", condition.format("A"))
    cascade = cascade_of(parse_rules(text, "test"))
    assert [(need.action, need.makers) for need in cascade.needs] == [("A", ("B",)), ("B", ("A",))]
    assert cascade.cycles == (("A", "B"),)


@pytest.mark.parametrize(
    "condition",
    [
        'PRO.CATG == "OLD_B"',
        'PRO.CATG == "M_B" and DO.CATG == "A_TAG"',
        'PRO.CATG like "M_%" and not PRO.CATG like "%_B" and not PRO.CATG == "M_A"',
        'DO.CATG == "B"',  # those are raw frames
        'DO.CATG == "OTHER"',  # of a classifier that says nothing of products
        'PRO.CATG == "M_B" and PRO.CATG == "M_A"',
    ],
)
def test_what_no_product_can_be_is_made_by_nobody(condition: str) -> None:
    text = TAGGED.format("A", condition) + TAGGED.format("B", 'PRO.CATG == "M_A"')
    (need, _) = cascade_of(parse_rules(text, "test")).needs
    assert need.makers == ()


@pytest.mark.parametrize(
    ("condition", "categories", "wanted"),
    [
        ('PRO.CATG like "M_%"', ["M_A", "M_B"], "M_A or M_B"),
        ('PRO.CATG like "LINE%"', ["LINE_CATALOG"], "LINE_CATALOG"),
        ('PRO.CATG == "M_B" and DO.CATG == "B_TAG"', ["M_B"], "M_B"),
        ('DO.CATG like "%_TAG" and not DO.CATG == "A_TAG"', ["B_TAG"], "B_TAG"),
        ('PRO.CATG like "GAIN%" and DET.DIT == 1', [], 'PRO.CATG like "GAIN%"'),
        ('PRO.CATG ?= "M_B"', ["M_B"], "M_B"),
        ('DO.CATG ?= "M_B"', [], 'DO.CATG ?= "M_B"'),  # what has no DO.CATG fits, too
        ('PRO.CATG >= "M_B"', ["M_B"], "M_B"),
        ("DET.DIT == 1", [], "NEED"),
    ],
)
def test_a_pattern_stands_for_the_categories_that_are_known(
    condition: str, categories: list[str], wanted: str
) -> None:
    text = TAGGED.format("A", condition) + TAGGED.format("B", 'PRO.CATG == "M_A"')
    (need, _) = cascade_of(parse_rules(text, "test"), ["LINE_CATALOG"]).needs
    assert (sorted(need.categories), need.wanted) == (categories, wanted)


def test_a_need_that_names_no_category_might_take_any_product() -> None:
    text = TAGGED.format("A", 'INSTRUME == "X"') + TAGGED.format("B", 'PRO.CATG == "M_A"')
    (need, _) = cascade_of(parse_rules(text, "test")).needs
    assert (need.categories, need.makers) == (frozenset(), ("A", "B"))
