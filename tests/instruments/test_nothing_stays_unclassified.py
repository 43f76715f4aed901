"""Every kind of raw frame that the rules of an installed pipeline know gets a raw type from our pack."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pytest

from qcbench.instruments import InstrumentPack, find_pack
from qcbench.oca import Classifier, classify
from qcbench.oca.expressions import Comparison, Expression, Key, Literal, Pattern
from qcbench.oca.reasoning import Term, alternatives
from tests.instruments.pipelines import Header, installed_rules

PIPELINES = {
    **{name: name for name in ("hawki", "naco", "uves", "muse", "vimos")},
    "giraffe": "giraf",
}
# by pack, tags of classes that are not for its frames
ELSEWHERE = {
    # vimos.oca was begun as a copy of that of FORS2, and these two ask for its frames
    "vimos": {"TEST", "ACQUISITION"},
}


def classes_of_raw_frames(pipeline: str) -> Iterator[tuple[str, Classifier]]:
    """Give the classifiers that tell raw frames by their headers, each with its tag."""
    assigned = {"DO.CATG", "RAW.TYPE"}
    for rule in installed_rules(pipeline).classifiers:
        tag = dict(rule.assignments).get("DO.CATG")
        keys = {key.name for key in rule.condition.key_nodes()}
        is_raw = any(key.startswith("DPR.") for key in keys)
        is_product = keys & assigned or any(key.startswith("PRO.") for key in keys)
        if isinstance(tag, Literal) and is_raw and not is_product:
            yield str(tag.value), rule


def headers_for(condition: Expression) -> Iterator[Header]:
    """Give headers for which a condition is true: one for each of its alternatives."""
    for terms in alternatives(condition) or ():
        keys = _header_for(terms)
        assert condition.evaluate(keys, keys) is True, f"this test can't make a header of {terms}"
        yield keys


def _header_for(terms: Iterable[Term]) -> Header:
    words: dict[str, list[str]] = {}
    values: Header = {}
    for term in terms:
        if equality := term.equality():
            values[equality[0].name] = equality[1]
        elif not term.holds:
            continue
        elif isinstance(term.condition, Pattern) and isinstance(term.condition.operand, Key):
            words.setdefault(term.condition.operand.name, []).append(_example(term.condition))
        elif isinstance(term.condition, Comparison) and isinstance(term.condition.right, Literal):
            limit, beyond = term.condition.right.value, {">": 1.0, "<": -1.0}
            for key in term.keys:
                values[key.name] = float(limit) + beyond.get(term.condition.operator, 0.0)
    return {key: ",".join(dict.fromkeys(found)) for key, found in words.items()} | values


def _example(pattern: Pattern) -> str:
    """Return a text that a pattern is true for; of a regular expression only sets of characters are understood."""
    if pattern.operator == "like":
        return pattern.pattern.replace("%", "")
    return re.sub(r"\[(.)[^]]*\]", r"\1", pattern.pattern)


def without_raw_type(pack: InstrumentPack, pipeline: str) -> dict[str, Header]:
    """Return headers that the rules of a pipeline give a tag, and those of our pack no raw type."""
    found: dict[str, Header] = {}
    for tag, rule in classes_of_raw_frames(pipeline):
        for keys in headers_for(rule.condition):
            known = {"INSTRUME": pack.instrument.instrume[0]} | keys
            if "RAW.TYPE" not in classify(pack.rules, known).assigned:
                found[tag] = known
    return found


@pytest.mark.esorex
@pytest.mark.parametrize("name", PIPELINES)
def test_every_class_of_the_installed_rules_has_a_raw_type(name: str) -> None:
    missing = without_raw_type(find_pack(name), PIPELINES[name])
    assert {tag: keys for tag, keys in missing.items() if tag not in ELSEWHERE.get(name, set())} == {}


@pytest.mark.esorex
@pytest.mark.parametrize("name", PIPELINES)
def test_there_are_classes_to_try(name: str) -> None:
    tags = {tag for tag, _ in classes_of_raw_frames(PIPELINES[name])}
    assert len(tags) > 10
    assert ELSEWHERE.get(name, set()) <= tags
