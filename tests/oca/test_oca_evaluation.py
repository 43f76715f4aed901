"""What each operator means, and what a rule answers when it is asked why."""

import pickle

import pytest

from qcbench.oca import classify, explain, matches, parse_rules, preferred


def condition(text: str):
    return parse_rules(f"if {text} then {{}}", "test.oca").classifiers[0].condition


def holds(text: str, candidate=None, input_keys=None) -> bool:
    return matches(condition(text), candidate or {}, input_keys or {})


@pytest.mark.parametrize(
    ("text", "candidate", "truth"),
    [
        ('A == "x"', {"A": "x"}, True),
        ('A == "x"', {"A": "X"}, False),  # strings compare exactly
        ('A == "x"', {"A": "x "}, False),
        ('A != "x"', {"A": "y"}, True),
        ("A == 2", {"A": 2.0}, True),
        ("A == 2", {"A": "2"}, True),  # a string that spells a number compares with numbers
        ('A == "2"', {"A": 2}, True),
        ('A == "2"', {"A": "2.0"}, False),  # but two strings stay strings
        ("A == 2", {"A": "two"}, False),
        ("A < 3", {"A": "10"}, False),
        ('A < "2020-02"', {"A": "2020-01-31"}, True),
        ("A >= 3", {"A": 3}, True),
        ("A > 3", {"A": 3}, False),
        ("A <= 3", {"A": 3.5}, False),
        ("A == T", {"A": True}, True),
        ("A == T", {"A": 1}, False),  # a logical is no number
        ("A == 1", {"A": True}, False),
        ("A", {"A": True}, True),
        ("A", {"A": "T"}, False),
        ("T", {}, True),
        ("F", {}, False),
        ("not F", {}, True),
        ("T and F or T", {}, True),
        ("T and (F or F)", {}, False),
        ("A + 1 == 3 and A * 3 == 6 and A / 4 == 0.5 and -A < 0", {"A": 2}, True),
        ("A / 0 is undefined", {"A": 2}, True),
        ("A + 1 is undefined", {"A": "x"}, True),
        ("A is string", {"A": "x"}, True),
        ("A is string", {"A": 1}, False),
        ("A is string", {}, False),
        ("A is undefined", {}, True),
        ("A is undefined", {"A": None}, True),
        ("A is undefined", {"A": ""}, False),
        ("A between 1 and 3", {"A": 3}, True),  # both limits belong to the range
        ("A between 1 and 3", {"A": 3.01}, False),
    ],
)
def test_an_operator_decides_on_values(text, candidate, truth):
    assert holds(text, candidate) is truth


@pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">="])
def test_a_comparison_with_a_missing_key_is_false(operator):
    assert not holds(f"A {operator} 1")
    assert not holds(f"1 {operator} A")
    assert not holds(f"inputFile.A {operator} A")


def test_between_and_patterns_are_false_for_a_missing_key():
    assert not holds("A between 1 and 3")
    assert not holds('A like "%"')
    assert not holds('A regexp ".*"')
    assert holds('not A like "%POLA%"')


@pytest.mark.parametrize(
    ("pattern", "value", "truth"),
    [
        ("%BIAS%", "SKY,BIAS,X", True),
        ("%BIAS%", "bias", False),  # rules that want both cases write both
        ("Blue%", "Blue2", True),
        ("Blue%", "NoBlue", False),
        ("%SKY", "FLAT,SKY", True),
        ("FLAT%SKY", "FLAT,LAMP,SKY", True),
        ("BIAS", "BIAS", True),
        ("BIAS", "BIAS,X", False),
        ("%A_B%", "AxB", False),  # only % is a wildcard
        ("%A.B%", "AxB", False),
        ("%", "", True),
        ("%1%", 11, False),  # only strings are like something
    ],
)
def test_like_takes_percent_for_any_characters(pattern, value, truth):
    assert holds(f'A like "{pattern}"', {"A": value}) is truth


def test_regexp_must_match_the_whole_value():
    template = 'TPL.ID regexp "MUSE_[wn]fm_cal_specflat"'
    assert holds(template, {"TPL.ID": "MUSE_wfm_cal_specflat"})
    assert not holds(template, {"TPL.ID": "MUSE_wfm_cal_specflat_2"})


def test_maybe_equal_is_true_when_either_side_is_missing():
    rule = "inputFile.INS.FILT1.ID?=INS.FILT1.ID"
    assert holds(rule, {"INS.FILT1.ID": "V"}, {"INS.FILT1.ID": "V"})
    assert holds(rule, {}, {"INS.FILT1.ID": "V"})
    assert holds(rule, {"INS.FILT1.ID": "V"}, {})
    assert not holds(rule, {"INS.FILT1.ID": "V"}, {"INS.FILT1.ID": "R"})


def test_bare_keys_are_the_candidates_and_input_keys_the_blocks():
    window = "MJD-OBS between inputFile.MJD-OBS - 14.0 and inputFile.MJD-OBS + 14.0"
    assert holds(window, {"MJD-OBS": 57010.0}, {"MJD-OBS": 57000.0})
    assert not holds(window, {"MJD-OBS": 57015.0}, {"MJD-OBS": 57000.0})


def test_try_between_prefers_and_never_filters():
    rule = condition('PRO.CATG == "BIAS" and MJD-OBS tryBetween 10 and 20')
    near, far = {"PRO.CATG": "BIAS", "MJD-OBS": 15}, {"PRO.CATG": "BIAS", "MJD-OBS": 25}
    assert matches(rule, near, {})
    assert matches(rule, far, {})
    assert preferred(rule, near, {})
    assert not preferred(rule, far, {})
    assert not matches(rule, {"PRO.CATG": "DARK", "MJD-OBS": 15}, {})


def test_a_try_between_that_is_negated_filters_nothing_either():
    rule = condition("not MJD-OBS tryBetween 10 and 20")
    assert matches(rule, {"MJD-OBS": 15}, {})
    assert not preferred(rule, {"MJD-OBS": 15}, {})


def test_explain_says_which_term_failed_and_on_which_values():
    rule = condition(
        'PRO.CATG=="BIAS" and (inputFile.BIN==BIN and (A == 1 or B == 1)) and M tryBetween 1 and 2'
    )
    results = explain(rule, {"PRO.CATG": "BIAS", "BIN": 1, "B": 1, "M": 5}, {"BIN": 2})
    assert [(result.text, result.truth, result.preferred) for result in results] == [
        ('PRO.CATG == "BIAS"', True, True),
        ("inputFile.BIN == BIN", False, False),
        ("A == 1 or B == 1", True, True),
        ("M tryBetween 1 and 2", True, False),
    ]
    assert results[1].values == (("inputFile.BIN", 2), ("BIN", 1))
    assert results[2].values == (("A", None), ("B", 1))


def test_explain_of_a_match_is_all_true():
    rule = condition("A == 1 and B == 2")
    assert matches(rule, {"A": 1, "B": 2}, {})
    assert all(result.truth for result in explain(rule, {"A": 1, "B": 2}, {}))


CASCADE = """
if (T) then { CATG = "UNDEFINED"; }
if DPR.TYPE like "%FLAT%" then { CATG = "FLAT"; BLUE = INS.NAME like "Blue%"; }
if CATG == "FLAT" and DPR.TYPE like "%SKY%" then { CATG = "SKY_FLAT"; }
if PRO.CATG is string then { CATG = PRO.CATG; }
if DPR.TYPE == "GHOST" then { CATG = PRO.CATG; }
"""


def test_rules_run_top_to_bottom_and_a_later_one_overwrites():
    result = classify(parse_rules(CASCADE, "test.oca"), {"DPR.TYPE": "FLAT,SKY", "INS.NAME": "Blue1"})
    assert result.assigned == {"CATG": "SKY_FLAT", "BLUE": True}
    assert result.fired == (
        (2, (("CATG", "UNDEFINED"),)),
        (3, (("CATG", "FLAT"), ("BLUE", True))),
        (4, (("CATG", "SKY_FLAT"),)),
    )


def test_the_value_of_a_missing_key_is_not_assigned():
    rules = parse_rules(CASCADE, "test.oca")
    assert classify(rules, {"DPR.TYPE": "GHOST"}).assigned == {"CATG": "UNDEFINED"}
    assert classify(rules, {"PRO.CATG": "MASTER_BIAS"}).assigned == {"CATG": "MASTER_BIAS"}


def test_classification_tells_equal_python_values_of_other_types_apart():
    rules = parse_rules("if A == 1 then { B = A; }", "test.oca")
    assert classify(rules, {"A": True}).assigned == {}
    assert classify(rules, {"A": 1}).assigned == {"B": 1}
    assert isinstance(classify(rules, {"A": 1.0}).assigned["B"], float)


def test_what_a_caller_does_to_one_result_changes_no_other():
    rules = parse_rules(CASCADE, "test.oca")
    classify(rules, {}).assigned["CATG"] = "spoiled"
    assert classify(rules, {}).assigned == {"CATG": "UNDEFINED"}


def test_used_rules_can_go_to_another_process():
    rules = parse_rules(CASCADE, "test.oca")
    classify(rules, {"DPR.TYPE": "FLAT"})
    copy = pickle.loads(pickle.dumps(rules))
    assert copy == rules
    assert classify(copy, {"DPR.TYPE": "FLAT,SKY"}).assigned["CATG"] == "SKY_FLAT"
