"""What is printed reads back as the same rules."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qcbench.oca import Action, Association, Classifier, Organizer, Product, RuleSet, parse_rules, print_rules
from qcbench.oca.expressions import (
    And,
    Arithmetic,
    Between,
    Comparison,
    Key,
    Kind,
    Literal,
    Negative,
    Not,
    Or,
    Pattern,
)
from qcbench.oca.printer import print_expression

names = st.from_regex(r"[A-Z][A-Z0-9_]{0,3}(\.[A-Z0-9]{1,3}){0,2}(-[A-Z]{1,3})?", fullmatch=True).filter(
    lambda name: name not in {"T", "F"}
)
texts = st.text(st.characters(codec="utf-8", exclude_characters='"\r\n'), max_size=8)
literals = st.one_of(
    texts, st.booleans(), st.integers(0, 10**9), st.floats(0, allow_nan=False, allow_infinity=False)
).map(Literal)
leaves = st.one_of(st.builds(Key, names, st.booleans()), literals)


def larger(parts):
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(And, several),
        st.builds(Or, several),
        st.builds(Not, parts),
        st.builds(Negative, parts),
        st.builds(Arithmetic, st.sampled_from("+-*/"), parts, parts),
        st.builds(Comparison, st.sampled_from(["==", "!=", "?=", "<", "<=", ">", ">="]), parts, parts),
        st.builds(Pattern, st.just("like"), parts, texts),
        st.builds(Pattern, st.just("regexp"), parts, st.just("A[bc]+.*")),
        st.builds(Kind, parts, st.sampled_from(["undefined", "string"])),
        st.builds(Between, parts, parts, parts, st.booleans()),
    )


expressions = st.recursive(leaves, larger, max_leaves=12)
assignments = st.lists(st.tuples(names, expressions), max_size=2).map(tuple)
options = st.lists(
    st.tuples(names, texts.filter(lambda text: text == text.strip() and "--" not in text)), max_size=2
)
organizers = st.builds(
    lambda group_by, alias, **fields: Organizer(
        group_by=group_by, group_alias=alias if group_by else None, **fields
    ),
    group_by=st.lists(names, max_size=3).map(tuple),
    alias=st.none() | st.tuples(names, names),
    action=names,
    source=st.sampled_from(["inputFiles", "calibFiles"]),
    condition=expressions,
    min_ret=st.none() | st.integers(0, 9),
)
associations = st.builds(
    Association,
    names,
    st.sampled_from(["inputFiles", "calibFiles", "rawFiles"]),
    expressions,
    st.integers(0, 9),
    st.integers(0, 9),
)
actions = st.builds(
    lambda recipe, parameters, **fields: Action(
        recipe=recipe, parameters=tuple(parameters) if recipe else (), **fields
    ),
    recipe=st.none() | names,
    parameters=options,
    name=names,
    associations=st.lists(associations, max_size=2).map(tuple),
    products=st.lists(st.builds(Product, names, assignments), max_size=2).map(tuple),
    priority=st.none() | st.integers(0, 99),
)
rule_sets = st.builds(
    RuleSet,
    st.lists(st.builds(Classifier, expressions, assignments), max_size=2).map(tuple),
    st.lists(organizers, max_size=2).map(tuple),
    st.lists(actions, max_size=2).map(tuple),
)


@settings(deadline=None, max_examples=60)
@given(rule_sets)
def test_printed_rules_read_back_as_the_same_rules(rules):
    assert parse_rules(print_rules(rules), "printed") == rules


@settings(deadline=None, max_examples=150)
@given(expressions)
def test_a_printed_expression_reads_back_as_the_same_tree(expression):
    text = f"if {print_expression(expression)} then {{}}"
    assert parse_rules(text, "printed").classifiers[0].condition == expression


@pytest.mark.parametrize(
    "text",
    [
        'A == "x" and (B == 1 or C == 2.5)',
        "not (A == 1 and B == 2)",
        "(A - B) * 2 <= A - (B - 1)",
        "MJD-OBS between inputFile.MJD-OBS - 14.0 and inputFile.MJD-OBS + 14.0",
        "A is undefined or not B is string",
    ],
)
def test_an_expression_is_printed_with_no_more_parentheses_than_it_needs(text):
    rules = parse_rules(f"if ({text}) then {{}}", "test.oca")
    assert print_expression(rules.classifiers[0].condition) == text
