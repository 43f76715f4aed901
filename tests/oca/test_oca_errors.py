"""A mistake in a rule file is shown with its place, what was expected, what was found, and the line."""

from pathlib import Path

import pytest

from qcbench.core.errors import RuleError
from qcbench.oca import check_rules, classify, load_rules, parse_rules, print_rules

MISTAKES = [
    ('if A = "x" then {}', 6, "expected a comparison operator, 'and', 'or' or 'then', found '='"),
    ('if A == "x" {}', 13, "expected 'and', 'or' or 'then', found '{'"),
    ("if A == then {}", 9, "expected a key or a value, found 'then'"),
    ("if and A then {}", 4, "expected a condition, found 'and'"),
    ('if T then { A = "c" }', 21, "expected a comparison operator, ';', 'and' or 'or', found '}'"),
    (
        "if A == 1 then {} nonsense",
        19,
        "expected a rule ('if', 'select execute' or 'action'), found 'nonsense'",
    ),
    ("if A between 1 or 2 then {}", 16, "expected 'and', found 'or'"),
    ("if A like B then {}", 11, "expected a quoted string, found 'B'"),
    ('if A regexp "[" then {}', 13, "expected a regular expression (unterminated character set"),
    ("if A == 1e999 then {}", 9, "expected a number that a double can hold, found '1e999'"),
    (
        "select execute(A) from rawFiles where T;",
        24,
        "expected 'calibFiles' or 'inputFiles', found 'rawFiles'",
    ),
    ("select execute(A) from inputFiles where T group by ;", 52, "expected a name, found ';'"),
    ("minRet = 3; action A {}", 13, "expected 'select', found 'action'"),
    ("action A { minRet = 1.5; }", 21, "expected a whole number, found '1.5'"),
    ("action A { recipe a; recipe b; }", 22, "expected no second recipe in action A, found 'recipe'"),
    ('action A { recipe a { "nifu=1"; } }', 23, 'expected recipe options ("--name=value"), found "nifu=1"'),
    ('if A == "x', 9, "expected a key or a value, found a string that is not closed on its line"),
    ("#include <rules.h>", 1, "expected a rule ('if', 'select execute' or 'action'), found '#'"),
    ("if A /* for ever", 6, "or 'then', found a comment that is never closed"),
    (f"if A == {'9' * 400} then {{}}", 9, f"expected a number that a double can hold, found '{'9' * 60}…'"),
    (f"if A == {'9' * 5000} then {{}}", 9, "expected a number that a double can hold, found '999"),
    (f"action A {{ minRet = {'9' * 5000}; }}", 21, "expected a whole number of at most 9 digits, found '999"),
    ('if A regexp "a{99999999999999}" then {}', 13, "expected a regular expression (the repetition number"),
    ('if A regexp "[[a]" then {}', 13, "expected a regular expression (Possible nested set"),
    (f"if {'not ' * 3000} A then {{}}", 11604, "expected nothing nested more than 100 deep"),
    (f"if A == {'- ' * 3000} 1 then {{}}", 5809, "expected nothing nested more than 100 deep"),
    (f"if {'A + ' * 500} A == 1 then {{}}", 402, "expected nothing nested more than 100 deep"),
    ("select execute(F) from inputFiles where T;", 16, "expected a name, found 'F', a reserved word"),
    ("action A { select file as product from calibFiles where T; }", 27, "found 'product', a reserved word"),
    ("/* for ever", 1, "found a comment that is never closed"),
]


@pytest.mark.parametrize(("text", "column", "problem"), MISTAKES)
def test_a_mistake_is_named_at_its_place(text, column, problem):
    with pytest.raises(RuleError) as caught:
        parse_rules(f"// first line\n{text}\n", "bad.oca")
    assert (caught.value.source, caught.value.line, caught.value.column) == ("bad.oca", 2, column)
    assert problem in caught.value.problem
    if len(text) <= 400:
        assert caught.value.problem.endswith(f"in: {text}")
    else:
        assert len(caught.value.problem) < 600
        assert "…" in caught.value.problem


def test_what_is_nested_as_deep_as_is_allowed_can_be_used():
    text = " and ".join(
        [f"{'not ' * 90} A", f"B == {'- ' * 90} 1", f"{'C + ' * 90} C == 91", f"{'(' * 500}D == 1{')' * 500}"]
    )
    rules = parse_rules(f'if {text} then {{ RAW.TYPE = "X"; }}', "deep.oca")
    keys = {"A": True, "B": 1, "C": 1, "D": 1}
    assert classify(rules, keys).assigned == {"RAW.TYPE": "X"}
    assert parse_rules(print_rules(rules), "printed") == rules
    assert [item.code for item in check_rules(rules)] == []
    assert len({rules.classifiers[0].condition}) == 1


def test_a_file_that_stops_short_is_reported_at_its_last_character():
    with pytest.raises(RuleError, match="found the end of the file, in: recipe r;") as caught:
        parse_rules("action A\n{\n  recipe r;\n\n", "bad.oca")
    assert (caught.value.line, caught.value.column) == (3, 12)


def test_a_file_that_is_not_there_is_a_rule_error(tmp_path: Path):
    with pytest.raises(RuleError, match="No such file"):
        load_rules(tmp_path / "none.oca")


def test_a_file_in_another_encoding_is_refused_with_the_place(tmp_path: Path):
    path = tmp_path / "latin.oca"
    path.write_bytes('// a\nif A == "\xe9" then {}'.encode("latin-1"))
    with pytest.raises(RuleError, match="UTF-8") as caught:
        load_rules(path)
    assert (caught.value.line, caught.value.column) == (2, 10)
