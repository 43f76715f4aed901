"""What rules say against what the other files of a pack know: raw types, recipes, general calibrations."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from qcbench.instruments.checking.draft import Draft
from qcbench.instruments.checking.rawtypes import raw_types_of
from qcbench.instruments.contradictions import INSTRUMENT, KEYS, NAMES
from qcbench.oca import Association, Classifier, Finding, check_rules, print_expression
from qcbench.oca.cascade import categories_of
from qcbench.oca.expressions import Key, Not
from qcbench.oca.reasoning import Term, alternatives

_CLOSE = 0.8
_CATEGORIES = frozenset({Key("PRO.CATG"), Key("DO.CATG")})
_INSTRUME = Key("INSTRUME")


def check_rule_set(draft: Draft) -> Iterator[Finding]:
    """Find what `qcbench oca check` finds, as far as the dictionary and the list of static ones can be read."""
    pack = draft.pack
    keys = pack.keys if KEYS not in draft.broken else None
    # a recipe may make more products than its action predicts; these have names, too
    made = pack.unannounced
    if keys is None:
        found = check_rules(pack.rules, static=made)
    else:
        found = check_rules(
            pack.rules,
            known_key=lambda key: keys.find(key) is not None,
            key_names=keys.specs,
            static=made,
        )
    for item in found:
        if not (item.code == "nothing-produces" and {INSTRUMENT, NAMES} & draft.broken):
            yield item


def check_instrume(draft: Draft) -> Iterator[Finding]:
    """Find classifiers that are true for no frame of the instrument, since they ask for another INSTRUME."""
    names = draft.pack.instrument.instrume
    asking = {rule: found for rule in draft.pack.rules.classifiers if (found := _instrume_terms(rule))}
    wrong = {
        rule: [term for terms in found for term in terms]
        for rule, found in asking.items()
        if not any(all(term.allows(_INSTRUME, name) for term in terms) for terms in found for name in names)
    }
    told = " or ".join(names)
    if wrong and len(wrong) == len(asking):
        text = f"no classifier of rules.oca is true for INSTRUME {told}: they ask for {_written(*wrong.values())}"
        remedy = "correct it here, or in rules.oca"
        yield draft.finding("error", INSTRUMENT, ("instrume",), "instrume", text, remedy)
        return
    for rule, terms in wrong.items():
        text = f"the classifier asks for {_written(terms)}; frames of this pack have INSTRUME {told}"
        remedy = "correct it, or add the name to instrume in instrument.yaml"
        yield Finding("error", rule.file, rule.line, None, "instrume", text, remedy)


def _instrume_terms(rule: Classifier) -> list[list[Term]]:
    """Return what each alternative of a condition asks of INSTRUME; nothing if one of them asks nothing."""
    found = [
        [term for term in terms if term.keys == {_INSTRUME}] for terms in alternatives(rule.condition) or ()
    ]
    return found if all(found) else []


def _written(*conditions: list[Term]) -> str:
    parts = (
        print_expression(term.condition if term.holds else Not(term.condition))
        for terms in conditions
        for term in terms
    )
    return ", ".join(dict.fromkeys(parts))


def check_types(draft: Draft) -> Iterator[Finding]:
    """Find raw types that no organizer selects, and setups that belong to none, or are missing."""
    types, rules = raw_types_of(draft.pack), draft.pack.rules
    for name, classifiers in types.assigned.items():
        if not any(types.selects(organizer, name) for organizer in rules.organizers):
            rule = classifiers[0]
            text = f"no organizer selects files of RAW.TYPE {name}: they never get into an AB"
            remedy = "add 'select execute(…)' where they are to be processed"
            yield Finding("note", rule.file, rule.line, None, "not-grouped", text, remedy)
    if INSTRUMENT not in draft.broken:
        yield from _setups(draft)


def _setups(draft: Draft) -> Iterator[Finding]:
    types, setups = raw_types_of(draft.pack), draft.pack.instrument.setups
    known = {*types.assigned, *types.of_actions}
    for name in setups:
        if name not in known and not types.open_ended:
            text = f"no rule assigns RAW.TYPE {name}"
            yield draft.finding(
                "warning", INSTRUMENT, ("setups", name), "setup-type", text, _meant(name, known)
            )
    missing = [
        name
        for name in types.assigned
        if name not in setups and any(types.selects(rule, name) for rule in draft.pack.rules.organizers)
    ]
    if missing:
        text = f"no setup, so that pages can't tell one from another: {', '.join(missing)}"
        remedy = "name the keys that tell setups apart: 'DARK: [{key: DET.DIT, prefix: DIT}]'"
        yield draft.finding("note", INSTRUMENT, ("setups",), "no-setup", text, remedy)


def check_recipes(draft: Draft) -> Iterator[Finding]:
    """Find recipes that no action uses, and general calibrations that none asks for."""
    pack = draft.pack
    used = {action.recipe for action in pack.rules.actions if action.recipe}
    for name in pack.instrument.recipes:
        if name not in used:
            text = f"no action of rules.oca uses the recipe {name}"
            remedy = f"{_meant(name, used)}; or write 'recipe {name};' in an action"
            yield draft.finding("warning", INSTRUMENT, ("recipes", name), "unused-recipe", text, remedy)
    rules = [rule for action in pack.rules.actions for rule in action.associations if rule.max_ret]
    asked = {category for rule in rules for category in categories_of(rule.condition)}
    for name in pack.instrument.static:
        if not any(_asks_for(rule, name) for rule in rules):
            text = f"no rule asks for the general calibration {name}"
            yield draft.finding(
                "warning", INSTRUMENT, ("static", name), "unused-static", text, _meant(name, asked)
            )


def _asks_for(rule: Association, category: str) -> bool:
    """Tell whether an association might choose a calibration of a category, and names categories at all."""
    found = alternatives(rule.condition)
    if found is None:
        return True
    named = ([term for term in terms if term.keys and term.keys <= _CATEGORIES] for terms in found)
    return any(
        terms and all(term.allows(key, category) for term in terms for key in term.keys) for terms in named
    )


def _meant(name: str, known: set[str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=_CLOSE)
    return f"was {close[0]} meant?" if close else "correct it, or remove it"
