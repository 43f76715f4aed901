"""Every construct of the rule language reads as the rule that it means."""

from pathlib import Path

import pytest

from qcbench.core.errors import RuleError
from qcbench.oca import RuleSet, load_rules, parse_rules
from qcbench.oca.expressions import And, Arithmetic, Between, Comparison, Key, Literal, Not, Or, Pattern

RULES = """
// classification
if DPR.CATG like "%CALIB%" and DPR.TYPE == "BIAS" /* all
   read modes */ then
{
  DO.CATG = "BIAS";
  RAW.TYPE = PRO.CATG;
}

minRet = 3;
select execute(BIAS_ACTION) from inputFiles where DO.CATG == "BIAS"
  group by DET.READ.MODE,TPL.START as (TPL_A,tpl);
select execute(ARC_ACTION) from inputFiles where DO.CATG == "ARC" group by ARCFILE;

action BIAS_ACTION
{
  minRet = 0; maxRet = 2;
  select file as BADPIX from calibFiles where PRO.CATG == "BADPIX";
  select file as BIAS_RASSOC from rawFiles where inputFile.OBS.ID == OBS.ID;
  minRet = 3;
  select file as PREVIOUS from inputFiles where T;
  minRet = 1; maxRet = 1;
  priority = 30;
  recipe make_bias { "--nifu=-1 --merge"; "--filter=white,V"; }
  product MASTER_BIAS { PRO.CATG = "MASTER_BIAS"; PRO.EXT = "tpl_0000.fits"; }
}
"""


@pytest.fixture
def rules() -> RuleSet:
    return parse_rules(RULES, "test.oca")


def condition(text: str):
    return parse_rules(f"if {text} then {{}}", "test.oca").classifiers[0].condition


def test_a_classifier_has_a_condition_and_assigns_strings_or_other_keys(rules):
    (rule,) = rules.classifiers
    assert rule.line == 3
    assert rule.condition == And(
        (
            Pattern("like", Key("DPR.CATG"), "%CALIB%"),
            Comparison("==", Key("DPR.TYPE"), Literal("BIAS")),
        )
    )
    assert rule.assignments == (("DO.CATG", Literal("BIAS")), ("RAW.TYPE", Key("PRO.CATG")))


def test_an_organizer_names_action_source_group_keys_tag_and_smallest_group(rules):
    first, second = rules.organizers
    assert (first.action, first.source, first.min_ret) == ("BIAS_ACTION", "inputFiles", 3)
    assert first.group_by == ("DET.READ.MODE", "TPL.START")
    assert first.group_alias == ("TPL_A", "tpl")
    assert (second.group_by, second.group_alias, second.min_ret) == (("ARCFILE",), None, None)
    assert (first.line, second.line) == (11, 13)


def test_limits_belong_to_the_next_select_alone(rules):
    action = rules.action("BIAS_ACTION")
    limits = [(rule.tag, rule.source, rule.min_ret, rule.max_ret) for rule in action.associations]
    assert limits == [
        ("BADPIX", "calibFiles", 0, 2),
        ("BIAS_RASSOC", "rawFiles", 1, 1),
        ("PREVIOUS", "inputFiles", 3, 3),
    ]


def test_an_action_names_recipe_options_priority_and_products(rules):
    action = rules.action("BIAS_ACTION")
    assert action.recipe == "make_bias"
    assert action.parameters == (("nifu", "-1"), ("merge", "true"), ("filter", "white,V"))
    assert action.priority == 30
    (product,) = action.products
    assert product.name == "MASTER_BIAS"
    assert dict(product.keys)["PRO.EXT"] == Literal("tpl_0000.fits")


def test_an_action_that_is_missing_is_reported_at_the_rule_that_asks_for_it(rules):
    with pytest.raises(RuleError, match="no action 'ARC_ACTION'") as caught:
        rules.action("ARC_ACTION")
    assert caught.value.line == 13


def test_the_keys_of_a_rule_set_are_all_that_it_reads(rules):
    assert rules.keys() == {
        "DPR.CATG", "DPR.TYPE", "PRO.CATG", "DO.CATG", "DET.READ.MODE", "TPL.START", "OBS.ID",
        "ARCFILE", "MJD-OBS",
    }  # fmt: skip


def test_pseudo_keys_are_no_header_keys():
    text = 'select execute(A) from inputFiles where SIG.TEMPLATE == 1 and LF.DO.CATG == "DARK";'
    assert parse_rules(text, "test.oca").keys() == {"DO.CATG", "TPL.START", "MJD-OBS", "ARCFILE"}


def test_and_binds_tighter_than_or_and_not_tighter_than_and():
    assert condition("A or B and not C") == Or((Key("A"), And((Key("B"), Not(Key("C"))))))
    assert condition('not DPR.TECH like "%POLA%"') == Not(Pattern("like", Key("DPR.TECH"), "%POLA%"))


def test_a_key_takes_its_hyphens_and_a_minus_stands_between_blanks():
    assert condition("inputFile.MJD-OBS - MJD-OBS < 0.3") == Comparison(
        "<", Arithmetic("-", Key("MJD-OBS", of_input=True), Key("MJD-OBS")), Literal(0.3)
    )


def test_arithmetic_goes_from_left_to_right_and_products_come_first():
    assert condition("A - B - C * 2 > 0").left == Arithmetic(
        "-", Arithmetic("-", Key("A"), Key("B")), Arithmetic("*", Key("C"), Literal(2))
    )


def test_between_takes_the_next_and_for_itself():
    assert condition("MJD-OBS between A and B and MJD-OBS tryBetween C and D") == And(
        (
            Between(Key("MJD-OBS"), Key("A"), Key("B")),
            Between(Key("MJD-OBS"), Key("C"), Key("D"), preference=True),
        )
    )


def test_a_number_may_end_in_a_point():
    assert condition("inputFile.MJD-OBS < 57823.") == Comparison(
        "<", Key("MJD-OBS", of_input=True), Literal(57823.0)
    )


def test_a_word_of_the_language_can_begin_a_name():
    assert condition("android == fromage") == Comparison("==", Key("android"), Key("fromage"))


def test_two_slashes_in_a_string_are_no_comment():
    assert condition('ORIGIN == "http://eso.org"') == Comparison(
        "==", Key("ORIGIN"), Literal("http://eso.org")
    )


def test_equal_rules_on_other_lines_are_equal():
    assert parse_rules(RULES, "a.oca") == parse_rules("\n\n" + RULES, "b.oca")


def test_an_empty_file_has_no_rules():
    assert parse_rules("// nothing yet\n", "test.oca") == RuleSet()


def test_a_rule_file_is_read_from_disk(tmp_path: Path):
    path = tmp_path / "rules.oca"
    path.write_text(RULES)
    assert load_rules(path).source == str(path)
