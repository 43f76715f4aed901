"""Which categories a condition asks for, however it is written."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from qcbench.oca.expressions import And, Comparison, Expression, Key, Literal, Pattern, terms_of
from qcbench.oca.reasoning import Alternative, Term, alternatives, contradiction
from qcbench.oca.tagging import CATEGORY_KEYS
from qcbench.oca.values import Value

# no category has this name
_NO_CATEGORY = "\0"


def asked_terms(condition: Expression, keys: Collection[str]) -> tuple[Expression, ...]:
    """Return the terms of the outermost `and` that ask for one of some keys of the candidate."""
    return tuple(
        term
        for term in terms_of(condition)
        if any(key.name in keys and not key.of_input for key in term.key_nodes())
    )


def categories_among(
    condition: Expression, known: Mapping[str, Collection[Value]], *, always: Collection[str] = ()
) -> frozenset[str]:
    """Return the categories that fit a condition; empty where it does not say, or where none is known to fit.

    Parameters
    ----------
    known : Mapping
        The values of PRO.CATG, DO.CATG and RAW.TYPE that there are: of these are those that a pattern fits.
    always : collection of str
        Those of these keys that no candidate lacks. What a candidate without the key fulfils, too, says nothing.
    """
    found = alternatives(And(asked_terms(condition, CATEGORY_KEYS))) or ((),)
    named = [_names(terms, known, always) for terms in found if contradiction(terms) is None]
    return frozenset().union(*named) if all(named) else frozenset()


def _names(
    terms: Alternative, known: Mapping[str, Collection[Value]], always: Collection[str]
) -> frozenset[str]:
    """Return the categories that all terms leave, of the first key that has a name, else of one with a pattern."""
    of_keys = {name: [term for term in terms if term.keys == {Key(name)}] for name in CATEGORY_KEYS}
    of_keys = {
        name: own for name, own in of_keys.items() if name in always or not _all_allow(name, own, None)
    }
    for name, own in of_keys.items():
        value = next((value for term in own if (value := named_value(term)) is not None), None)
        if value is not None:
            return frozenset({str(value)} if _all_allow(name, own, value) else ())
    for name, own in of_keys.items():
        if own:
            return frozenset(str(value) for value in known.get(name, ()) if _all_allow(name, own, value))
    return frozenset()


def named_value(term: Term) -> Value:
    """Return the only value with which a term comes out as it has to, if the key is there at all."""
    value: Value = None
    match term.condition:
        case Comparison(operator="==" | "?=" | "!=", left=Key() as key, right=Literal(value=value)):
            pass
        case Comparison(operator="==" | "?=" | "!=", left=Literal(value=value), right=Key() as key):
            pass
        case Pattern(operand=Key() as key, operator=operator, pattern=pattern) if pattern == (
            re.escape(pattern) if operator == "regexp" else pattern.replace("%", "")
        ):
            value = pattern
        case _:
            return None
    return value if term.allows(key, value) and not term.allows(key, _NO_CATEGORY) else None


def named_text(terms: Collection[Term]) -> str | None:
    """Return the text that terms on one key name, if they do."""
    return next((value for term in terms if isinstance(value := named_value(term), str)), None)


def _all_allow(name: str, terms: Collection[Term], value: Value) -> bool:
    return all(term.allows(Key(name), value) for term in terms)
