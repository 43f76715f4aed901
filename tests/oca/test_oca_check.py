"""What `oca check` finds in rules that somebody got wrong, and where it keeps silent."""

import pytest

from qcbench.oca import check_rules, load_rules, parse_expression, parse_rules
from qcbench.oca.reasoning import implies, is_possible, why_impossible

GOOD = """
if DPR.TYPE == "DARK" then { RAW.TYPE = "DARK"; DO.CATG = "DARK"; }
if DPR.TYPE == "FLAT" then { RAW.TYPE = "FLAT"; DO.CATG = "FLAT"; }
select execute(DARK) from inputFiles where RAW.TYPE == "DARK" group by DET.DIT, TPL.START as (TPL_A, tpl);
select execute(FLAT) from inputFiles where RAW.TYPE == "FLAT" group by TPL.START as (TPL_A, tpl);
action DARK { recipe make_dark; product MASTER_DARK { PRO.CATG = "MASTER_DARK"; } }
action FLAT {
  minRet = 1; maxRet = 1;
  select file as MASTER_DARK from calibFiles where PRO.CATG == "MASTER_DARK" and inputFile.DET.DIT == DET.DIT;
  recipe make_flat;
  product MASTER_FLAT { PRO.CATG = "MASTER_FLAT"; }
}
"""
KEYS = {"DPR.TYPE", "DET.DIT", "TPL.START"}


def found(text: str, **options):
    return [(item.level, item.code, item.line) for item in check_rules(parse_rules(text, "x.oca"), **options)]


def only(text: str, **options):
    (finding,) = check_rules(parse_rules(text, "x.oca"), **options)
    return finding


def test_nothing_is_found_in_good_rules():
    assert found(GOOD, known_key=KEYS.__contains__) == []


IMPOSSIBLE = [
    'K == "a" and K == "b"',
    'K == "a" and (K == "b" or K == "c")',
    'K == "a" and K like "b%"',
    'K like "a%" and K == "b"',
    'K like "abc" and K == "abd"',
    'K like "A%" and K like "B%"',
    'K like "%A" and K like "%B"',
    'K is undefined and K == "a"',
    "K is undefined and K is string",
    "K is undefined and K < 3",
    "K == 2 and K > 3",
    "K == 2 and K == 3",
    'K == "2" and K > 3',
    'K == "two" and K > 1',
    "K == T and K == 1",
    "K and K == F",
    "K < 3 and K > 3",
    "K < 3 and K >= 3",
    "3 > K and K between 4 and 5",
    "K between 5 and 4",
    "K between 1 and 2 and K between 3 and 4",
    'K == "a" and not K like "a%"',
    'K == "a" and K != "a"',
    'K == "a" and K regexp "[bc]"',
    'K == "a" and not K == "a"',
    "A == B and not A == B",
    'not (K == "a" or not K == "a")',
    "F",
    "T and F",
    "not T",
    '(A == 1 and F) or (B == 2 and B == "x")',
    'LF.DO.CATG == "a" and LF.DO.CATG == "b"',
    "SIG.FRAME == 0",
    "K == 5 and K between 6 and 7",
    "MJD-OBS between inputFile.MJD-OBS + 7 and inputFile.MJD-OBS - 7",
    "MJD-OBS < inputFile.MJD-OBS - 5 and MJD-OBS > inputFile.MJD-OBS",
    "MJD-OBS - inputFile.MJD-OBS > 2 and inputFile.MJD-OBS between MJD-OBS - 1 and MJD-OBS + 1",
]
POSSIBLE = [
    'K == "a" and L == "b"',
    'K == "a" or K == "b"',
    'K like "%A%" and K like "%B%"',
    'K like "A%" and K like "AB%"',
    'K like "%A" and K like "BA"',
    "K == 2 and K == 2.0",
    "K == T and not K == 1",
    'K == 2 and K == "2"',
    'K == 2 and K == "2.0"',
    'K == 2 and K like "2.%"',
    'K == 2 and K is string',
    "K > 2 and K < 3",
    "K >= 3 and K <= 3",
    "K == 5 and K between 4 and L",
    "MJD-OBS between inputFile.MJD-OBS - 7 and inputFile.MJD-OBS + 7",
    "MJD-OBS between inputFile.MJD-OBS and inputFile.MJD-OBS",
    "MJD-OBS tryBetween inputFile.MJD-OBS + 7 and inputFile.MJD-OBS - 7",
    "MJD-OBS < inputFile.MJD-OBS - 5 and inputFile.MJD-OBS > 57000",
    "not MJD-OBS < inputFile.MJD-OBS - 5 and MJD-OBS < inputFile.MJD-OBS",
    "K between 3 and 3",
    "K between 1 and L",
    'K == "a" and inputFile.K == "b"',
    'LF.DO.CATG == "a" and DO.CATG == "b"',
    "SIG.TEMPLATE == 1 and SIG.FRAME == 1",
    "not K is undefined and not K == 1",
    "K is undefined and K ?= 1",
    "K is undefined and not K == 1",
    'K > "b" and K < "c"',
    "A == B and B == C and A != C and A - B == 1",
    "K tryBetween 5 and 4",
    "K tryBetween 1 and 2 and K tryBetween 3 and 4",
    'not K == "a" and not K == "b"',
    " and ".join(f"(A{n} == 1 or B{n} == 1)" for n in range(30)),  # too much to go through
]  # fmt: skip


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_a_condition_that_can_not_be_true_is_found(text):
    assert not is_possible(parse_expression(text, "test"))


@pytest.mark.parametrize("text", POSSIBLE)
def test_a_condition_that_might_be_true_is_left_alone(text):
    assert is_possible(parse_expression(text, "test"))


def test_the_terms_that_contradict_each_other_are_named():
    condition = parse_expression('A == 1 and K == "a" and B == 2 and K like "b%"', "test")
    assert {str(term.condition.operand if hasattr(term.condition, "operand") else term.condition.left) for term in
            why_impossible(condition)} == {"Key(name='K', of_input=False)"}  # fmt: skip
    finding = only('if A == 1 and K == "a" and K like "b%" then { C = 1; }')
    assert finding.text == 'the classifier of C = 1 is never true: K == "a" and K like "b%"'


@pytest.mark.parametrize(
    ("condition", "other", "follows"),
    [
        ('A == "x" and B == 1', 'A == "x"', True),
        ('A == "x"', 'A == "x" and B == 1', False),
        ('A == "x"', 'A like "%x%"', True),
        ('A like "%FLAT,SKY%"', 'A like "%SKY%"', True),
        ('A like "%FLAT%"', 'A like "FLAT%"', False),
        ('A like "%SKY%"', 'A like "%FLAT,SKY%"', False),
        ('(A == 1 or A == 2) and B == "y"', 'B == "y"', True),
        ('A == "x"', 'A == "y" or A == "x"', True),
        ("A == 1 or B == 1", "A == 1", False),
        ("A == 1", "A > 0", True),
        ('A == "x"', "T", True),
        ('A == "x"', "not F", True),
        ('A == "x"', "F", False),
        ('A like "abc%"', 'A like "a%"', True),
        ('A like "a%"', 'A like "abc%"', False),
        ('A like "a%b%c"', 'A like "a%c"', True),
        ('A like "a%c"', 'A like "a%b%c"', False),
        ("A > 5", "A > 3", True),
        ("A > 3", "A >= 3", True),
        ("A >= 3", "A > 3", False),
        ("A > 3", "A < 5", False),
        ("A > 5", "B > 3", False),
        ("A >= 1 and A < 2", "A between 1 and 2", True),
        ("A between 1 and 2", "A <= 2", True),
        ("A > 1", "A between 1 and 2", False),
        ("A > 1", "A between 1 and B", False),
        ("A == 1", 'A like "1%"', False),  # it may be a number
    ],
)
def test_a_condition_follows_from_another_only_if_it_certainly_does(condition, other, follows):
    assert implies(parse_expression(condition, "test"), parse_expression(other, "test")) is follows


def test_a_key_that_no_dictionary_has_is_named_once_with_what_was_meant():
    text = GOOD.replace("DET.DIT, TPL", "DET.DITT, TPL").replace(
        'DPR.TYPE == "FLAT"', 'DPR.TPYE == "FLAT" and DPR.TPYE like "%F%"'
    )
    findings = check_rules(parse_rules(text, "x.oca"), known_key=KEYS.__contains__)
    assert [(item.code, item.line, item.text, item.remedy) for item in findings] == [
        ("unknown-key", 3, "no dictionary has the key DPR.TPYE", "was DPR.TYPE meant?"),
        ("unknown-key", 4, "no dictionary has the key DET.DITT", "was DET.DIT meant?"),
    ]
    assert "add it to a dictionary" in only(GOOD, known_key=(KEYS - {"TPL.START"}).__contains__).remedy


def test_keys_that_classifiers_assign_are_known():
    text = GOOD.replace('{ RAW.TYPE = "DARK"', '{ MY.KEY = DPR.TYPE like "D%"; RAW.TYPE = "DARK"')
    assert (
        found(
            text.replace('RAW.TYPE == "DARK"', 'RAW.TYPE == "DARK" and MY.KEY'), known_key=KEYS.__contains__
        )
        == []
    )


def test_a_classifier_of_which_nothing_is_left_is_found():
    text = 'if A == "xy" and B == 1 then { C = "1"; }\nif A like "%x%" then { C = "2"; }'
    assert found(text) == [("warning", "overwritten", 1)]


@pytest.mark.parametrize(
    "text",
    [
        'if A == "x" then { C = "1"; D = "1"; }\nif A == "x" then { C = "2"; }',  # D is left
        'if A == "x" then { C = "1"; }\nif C == "1" then { D = "1"; }\nif A == "x" then { C = "2"; }',  # C was of use
        'if A == "x" then { C = "1"; }\nif A == "x" then { C = PRO.CATG; }',  # PRO.CATG may be missing
        'if A == "x" then { C = "1"; A = "y"; }\nif A == "x" then { C = "2"; A = "y"; }',  # it is no longer x
        'if A == "x" then { C = "1"; }\nif A == "x" and B == 1 then { C = "2"; }',
    ],
)
def test_a_classifier_of_which_something_may_be_left_is_not_complained_of(text):
    assert found(text) == []


def test_a_classifier_for_all_the_rest_belongs_above_the_special_ones():
    special, rest = 'if A == "x" then { C = "1"; }\n', 'if T then { C = "2"; }\n'
    assert found(special + rest) == [("warning", "overwritten", 1)]
    assert found(rest + special) == []


def test_a_classifier_that_asks_for_a_type_which_none_above_assigns_is_found():
    text = GOOD + 'if DO.CATG == "DRAK" then { RAW.TYPE = "ODD"; }'
    finding = only(text)
    assert (finding.level, finding.code, finding.line) == ("warning", "no-category", 13)
    assert finding.text.endswith(
        'asks for DO.CATG = "DRAK", which no classifier above assigns, so it is never true'
    )
    assert found(text.replace("DRAK", "DARK")) == []
    assert found('if RAW.TYPE like "FL%" then { DO.CATG = "LATE"; }' + GOOD) == [
        ("warning", "no-category", 1)
    ]
    assert found(text.replace('"DRAK"', '"DARK" or DO.CATG == "DRAK"'))[0][1] == "no-category"


@pytest.mark.parametrize(
    "text",
    [
        GOOD + 'if not DO.CATG == "DRAK" then { X = "ODD"; }',
        GOOD + 'if DO.CATG ?= "DRAK" then { X = "ODD"; }',
        GOOD + 'if PRO.CATG == "OLD" then { DO.CATG = PRO.CATG; }\nif DO.CATG == "OLD" then { X = "ODD"; }',
        GOOD.replace('PRO.CATG = "MASTER_DARK";', 'PRO.CATG = "MASTER_DARK"; DO.CATG = "M";')
        + 'if DO.CATG == "M" then { X = "ODD"; }',
    ],
)
def test_a_classifier_that_might_be_true_of_some_file_is_left_alone(text):
    assert found(text) == []


def test_two_types_that_no_file_gets_together_are_found():
    text = GOOD.replace('where RAW.TYPE == "FLAT"', 'where RAW.TYPE == "FLAT" and DO.CATG == "DARK"')
    finding = only(text)
    assert (finding.code, finding.line) == ("no-category", 5)
    assert 'DO.CATG = "DARK" and RAW.TYPE = "FLAT", which no file gets together' in finding.text
    assert found(text.replace('DO.CATG == "DARK"', 'DO.CATG == "FLAT"')) == []
    assert found(text.replace('and DO.CATG == "DARK"', 'and LF.DO.CATG == "DARK"')) == []
    assert found(text + 'if DPR.TECH == "LAMP" then { DO.CATG = "DARK"; }') == []
    assert found(text + "if DPR.TECH is string then { DO.CATG = DPR.TECH; }") == []


PLAN = """and MJD-OBS between inputFile.MJD-OBS - 1 and inputFile.MJD-OBS + 1
    and MJD-OBS tryBetween inputFile.MJD-OBS {} and inputFile.MJD-OBS {} and inputFile"""


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [("- 7", "+ 7", "is wider than its limit -1/+1 d"), ("+ 2", "+ 7", "lies outside of its limit -1/+1 d"),
     ("- 0.5", "+ 0.5", ""), ("- 1", "+ 1", ""), ("- 7", "+ 0.5", "")],
)  # fmt: skip
def test_a_calibration_plan_that_decides_nothing_is_found(low, high, told):
    findings = check_rules(parse_rules(GOOD.replace("and inputFile", PLAN.format(low, high)), "x.oca"))
    assert [(item.level, item.code, told in item.text) for item in findings] == (
        [("warning", "wide-plan", True)] if told else []
    )


def test_a_plan_to_both_sides_of_the_previous_one_is_fine():
    text = GOOD.replace("and inputFile", PLAN.format("- 2", "+ 2"))
    assert (
        found(text.replace("between inputFile.MJD-OBS - 1 and inputFile.MJD-OBS + 1", "< inputFile.MJD-OBS"))
        == []
    )


def test_a_category_that_no_classifier_assigns_is_found():
    finding = only(GOOD.replace('where RAW.TYPE == "FLAT"', 'where RAW.TYPE == "FLATT"'))
    assert (finding.level, finding.code, finding.line) == ("warning", "no-category", 5)
    assert finding.text.startswith(
        'the rule that executes FLAT asks for RAW.TYPE = "FLATT", which no classifier'
    )
    assert finding.text.endswith(", so it never gets a file")
    finding = only(
        GOOD.replace('where RAW.TYPE == "FLAT"', 'where (RAW.TYPE == "FLAT" or LF.DO.CATG == "FLATT")')
    )
    assert finding.text.endswith("which no classifier assigns")


def test_a_raw_association_of_a_category_that_no_classifier_assigns_is_found():
    raw = 'select file as X from rawFiles where RAW.TYPE == "ARC"; recipe make_dark;'
    assert found(GOOD.replace("recipe make_dark;", raw)) == [("warning", "no-category", 6)]


def test_a_calibration_that_nothing_produces_is_an_error_where_it_is_needed():
    text = GOOD.replace('PRO.CATG == "MASTER_DARK" and', 'PRO.CATG == "MASTER_DRAK" and')
    finding = only(text)
    assert (finding.level, finding.code, finding.line) == ("error", "nothing-produces", 9)
    assert finding.text == (
        'the association MASTER_DARK of action FLAT asks for PRO.CATG = "MASTER_DRAK": nothing produces it'
    )
    assert only(text.replace("minRet = 1;", "minRet = 0;")).level == "warning"
    assert found(text.replace("maxRet = 1;", "maxRet = 0;").replace("minRet = 1;", "minRet = 0;")) == []
    assert found(text, static={"MASTER_DRAK"}) == []


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ('PRO.CATG like "MASTER_DRAK%"', 'PRO.CATG like "MASTER_DRAK%"'),
        ('PRO.CATG regexp "MASTER_DR.*"', 'PRO.CATG regexp "MASTER_DR.*"'),
        ('PRO.CATG like "MASTER_DRAK"', 'PRO.CATG = "MASTER_DRAK"'),
        ('"MASTER_DRAK" == PRO.CATG', 'PRO.CATG = "MASTER_DRAK"'),
        (
            'PRO.CATG like "%DARK%" and not PRO.CATG like "MASTER%"',
            'PRO.CATG like "%DARK%" and not PRO.CATG like "M',
        ),
    ],
)
def test_a_pattern_that_nothing_fits_is_found_too(condition, told):
    finding = only(GOOD.replace('PRO.CATG == "MASTER_DARK" and', condition + " and"))
    assert finding.code == "nothing-produces"
    assert f"asks for {told}" in finding.text
    assert found(GOOD.replace('PRO.CATG == "MASTER_DARK" and', 'PRO.CATG like "%DARK" and')) == []
    static = {"MASTER_DRAK_OTHER_DARK", "MASTER_DRAK", "OLD_DARK"}
    text = GOOD.replace('PRO.CATG == "MASTER_DARK" and', condition + " and")
    assert found(text, static=static) == []


def test_a_pattern_of_types_that_no_classifier_assigns_is_found():
    finding = only(GOOD.replace('where RAW.TYPE == "FLAT"', 'where RAW.TYPE like "%ARC%"'))
    assert 'asks for RAW.TYPE like "%ARC%", which no classifier assigns, so it never gets' in finding.text
    assert found(GOOD.replace('where RAW.TYPE == "FLAT"', 'where RAW.TYPE like "%LAT%"')) == []


def test_a_product_is_known_by_what_the_classifiers_make_of_it():
    text = GOOD.replace('PRO.CATG == "MASTER_DARK" and', 'DO.CATG == "MASTER_DARK" and')
    assert found(text) == [("error", "nothing-produces", 9)]
    assert found(text + "if PRO.CATG is string then { DO.CATG = PRO.CATG; }") == []


WITHOUT_PRODUCTS = """
if PRO.CATG like "%MASTER_DARK%" then { DO.CATG = "M_DARK"; }
if PRO.CATG == "MASTER_BIAS" then { DO.CATG = "M_BIAS"; }
if DPR.TYPE == "FLAT" then { DO.CATG = "FLAT"; }
select execute(FLAT) from inputFiles where SIG.TEMPLATE == 1 and LF.DO.CATG == "FLAT";
action FLAT { select file as D from calibFiles where CONDITION; recipe make_flat; }
"""


@pytest.mark.parametrize(
    ("condition", "codes"),
    [
        ('DO.CATG == "M_DARK"', []),
        ('PRO.CATG == "MASTER_DARK"', []),
        ('PRO.CATG == "OUR_MASTER_DARK_2"', []),
        ('PRO.CATG == "MASTER_BIAS"', []),
        ('PRO.CATG == "MASTER_FLAT"', ["nothing-produces"]),
        ('DO.CATG == "M_FLAT"', ["nothing-produces"]),
        ('DO.CATG == "M_FLAT" or DO.CATG == "M_BIAS"', []),
        ('DO.CATG == "M_BIAS" and PRO.CATG == "MASTER_FLAT"', ["nothing-produces"]),
    ],
)
def test_rules_without_products_count_as_made_what_they_classify(condition, codes):
    text = WITHOUT_PRODUCTS.replace("CONDITION", condition)
    assert [code for _, code, _ in found(text)] == codes


def test_rules_that_copy_categories_or_name_none_say_nothing_of_products():
    text = WITHOUT_PRODUCTS.replace("CONDITION", 'DO.CATG == "X" and PRO.CATG == "Y"')
    assert found(text + "if PRO.CATG is string then { DO.CATG = PRO.CATG; }") == []
    assert (
        found(
            "\n".join(line for line in text.splitlines() if "if PRO" not in line).replace(
                'DO.CATG == "X" and', ""
            )
        )
        == []
    )


def test_actions_and_what_executes_them_have_to_fit():
    text = GOOD.replace("action DARK {", "action DARKS {") + "action ARC { recipe make_arc; }"
    assert found(text) == [
        ("error", "no-action", 4),
        ("warning", "unused-action", 6),
        ("warning", "unused-action", 13),
    ]
    assert check_rules(parse_rules(text, "x.oca"))[0].remedy == "was DARKS meant?"


def test_an_action_that_is_defined_twice_is_an_error_if_the_definitions_differ():
    assert found(
        GOOD + 'action DARK { recipe make_dark; product MASTER_DARK { PRO.CATG = "MASTER_DARK"; } }'
    ) == [("warning", "double-action", 13)]
    findings = check_rules(
        parse_rules(GOOD + 'action DARK { recipe other; product M { PRO.CATG = "MASTER_DARK"; } }', "x")
    )
    assert [item.text for item in findings] == [
        "action DARK is defined in line 6, too; only the last one holds"
    ]
    assert findings[0].level == "error"


def test_actions_without_recipe_are_noted_together():
    finding = only(GOOD.replace("recipe make_dark;", "").replace("recipe make_flat;", ""))
    assert (finding.level, finding.code, finding.line) == ("note", "no-recipe", 6)
    assert finding.text.endswith("DARK, FLAT")


def test_limits_that_exclude_each_other_are_an_error():
    assert found(GOOD.replace("minRet = 1; maxRet = 1;", "minRet = 3; maxRet = 2;")) == [
        ("error", "limits", 9)
    ]
    assert found(GOOD.replace("minRet = 1; maxRet = 1;", "minRet = 1; maxRet = 0;")) == [
        ("warning", "limits", 9)
    ]


def test_actions_that_need_each_other_are_an_error():
    flat = 'select file as OLD from calibFiles where PRO.CATG == "MASTER_FLAT"; recipe make_dark;'
    finding = only(GOOD.replace("recipe make_dark;", flat))
    assert (finding.level, finding.code) == ("error", "cycle")
    assert finding.text == "the actions DARK, FLAT need each other's products"
    assert only(GOOD.replace("recipe make_dark;", "minRet = 0; " + flat)).level == "warning"


def test_a_cycle_by_patterns_is_an_error():
    flat = 'select file as OLD from calibFiles where PRO.CATG like "%FLAT"; recipe make_dark;'
    text = GOOD.replace("recipe make_dark;", flat).replace(
        'PRO.CATG == "MASTER_DARK" and', 'PRO.CATG like "%DARK%" and'
    )
    assert [(level, code) for level, code, _ in found(text)] == [("error", "cycle")]


def test_an_action_may_compare_with_its_own_earlier_product():
    own = 'minRet = 0; select file as REF from calibFiles where PRO.CATG == "MASTER_DARK"; recipe make_dark;'
    assert found(GOOD.replace("recipe make_dark;", own)) == [("note", "own-product", 6)]
    assert found(GOOD.replace("recipe make_dark;", own.replace("minRet = 0;", ""))) == [
        ("warning", "own-product", 6)
    ]


def test_rules_that_are_switched_off_are_not_complained_of():
    assert found(GOOD + "if F then { A = 1; }\nselect execute(DARK) from inputFiles where F;") == []


def test_findings_in_included_files_name_the_file(tmp_path):
    (tmp_path / "classes.h").write_text('\nif A == "x" and A == "y" then { B = "z"; }\n')
    (tmp_path / "x.oca").write_text('#include "classes.h"\n' + GOOD)
    (finding,) = check_rules(load_rules(tmp_path / "x.oca"))
    assert (finding.source, finding.line) == (str(tmp_path / "classes.h"), 2)
