"""Header keys that a pack names, names of products, and what a site says of single days and files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from difflib import get_close_matches

from qcbench.instruments.checking.draft import Draft
from qcbench.instruments.checking.raw import conditions_of
from qcbench.instruments.checking.rawtypes import raw_types_of
from qcbench.instruments.checking.units import unit_problem
from qcbench.instruments.contradictions import (
    BREAKPOINTS,
    FILTERS,
    INSTRUMENT,
    KEYS,
    NAMES,
    QC1,
    product_category,
)
from qcbench.instruments.keys import KeyDictionary, KeysFile
from qcbench.instruments.yamlfiles import Place
from qcbench.oca import Finding

_CLOSE = 0.85
# a group has one value of these, but no two setups differ in them alone
_NO_SETUP = frozenset({"ARCFILE", "MJD-OBS", "DATE-OBS", "NAXIS1", "NAXIS2", "NAXIS3"})
# what says when, by whom or for what something was taken, not how
_NO_SETUP_ROOTS = ("TPL.", "OBS.", "RAW.", "DO.", "DPR.")


def check_keys(draft: Draft) -> Iterator[Finding]:
    """Find keys that no dictionary has, and units of keys that are none."""
    pack = draft.pack
    own = {key for rule in pack.rules.classifiers for key, _ in rule.assignments}
    for file, place, key in _keys_named(draft):
        if file not in draft.broken and key not in own and pack.keys.find(key) is None:
            text = f"no dictionary has the key {key}"
            remedy = _key_remedy(key, pack.keys)
            yield draft.finding("warning", file, place, "unknown-key", text, remedy)
    content = draft.files[KEYS].content if KEYS in draft.files else None
    if isinstance(content, KeysFile):
        for name, spec in content.keys.items():
            wrong = unit_problem(spec.unit)
            if wrong:
                remedy = "write it as astropy.units does: s, pix, deg, um, adu, e-/adu"
                yield draft.finding("warning", KEYS, ("keys", name, "unit"), "unit", wrong, remedy)


def _keys_named(draft: Draft) -> Iterator[tuple[str, Place, str]]:
    instrument = draft.pack.instrument
    for number, key in enumerate(instrument.required_keys):
        yield INSTRUMENT, ("required_keys", number), key
    for number, key in enumerate(instrument.report_keys):
        yield INSTRUMENT, ("report_keys", number), key
    for raw_type, setup in instrument.setups.items():
        for number, item in enumerate(setup):
            yield INSTRUMENT, ("setups", raw_type, number), item.key
    for place, condition in conditions_of(draft):
        for node in condition.key_nodes():
            yield INSTRUMENT, place, node.header_name
    for category, rule in draft.pack.names.items():
        for number, item in enumerate(rule.parameters):
            yield NAMES, ("products", category, "parameters", number), item.key
    for name, table in draft.pack.tables.items():
        for number, column in enumerate(table.columns):
            # what a recipe writes is described by the column itself
            if column.kind == "FILTER" and not column.key.startswith("QC."):
                yield QC1, ("tables", name, "columns", number, "key"), column.key
    for number, found in enumerate(draft.pack.filters):
        for node in found.condition.key_nodes() if found.condition else ():
            yield FILTERS, ("filters", number, "when"), node.header_name


def _key_remedy(key: str, keys: KeyDictionary) -> str:
    close = get_close_matches(key, keys.specs, n=1, cutoff=_CLOSE)
    return f"was {close[0]} meant?" if close else "correct it, or add it to keys.yaml"


def check_names(draft: Draft) -> Iterator[Finding]:
    """Find codes that stand for two products, names of what nobody makes, and setups that names don't show."""
    pack = draft.pack
    first: dict[str, str] = {}
    for category, rule in pack.names.items():
        other = first.setdefault(rule.code, category)
        if other != category:
            text = f"{category} has the code {rule.code}, as {other} has: their names can't be told apart"
            place = ("products", category, "code")
            yield draft.finding("warning", NAMES, place, "double-code", text, "give each its own code")
    if pack.instrument.code and not {NAMES, INSTRUMENT} & draft.broken:
        made = {product_category(item) for action in pack.rules.actions for item in action.products}
        idle = [name for name in pack.names if name not in made and name not in pack.instrument.static]
        if idle:
            text = f"no action makes {', '.join(idle)}"
            remedy = "is right for further products of a recipe, and general calibrations; else correct it"
            yield draft.finding("note", NAMES, ("products", idle[0]), "not-made", text, remedy)
    yield from _lost_setups(draft)


def _lost_setups(draft: Draft) -> Iterator[Finding]:
    """Find groups of different setups whose products differ in nothing of their names but the version letter."""
    lost: dict[tuple[str, ...], list[str]] = defaultdict(list)
    actions = {action.name: action for action in draft.pack.rules.actions}
    for organizer in draft.pack.rules.organizers:
        keys = [key for key in organizer.group_keys if _is_setup(key)]
        action = actions.get(organizer.action)
        for product in action.products if action else ():
            category = product_category(product)
            rule = draft.pack.names.get(category)
            if rule and rule.ingest:
                shown = {item.key for item in rule.parameters}
                missing = tuple(key for key in keys if not any(_alike(key, other) for other in shown))
                if missing and category not in lost[missing]:
                    lost[missing].append(category)
    for missing, categories in lost.items():
        if categories:
            text = (
                f"groups that differ in {', '.join(missing)} alone get the same name but for the version "
                f"letter: {', '.join(categories)}"
            )
            place = ("products", categories[0])
            yield draft.finding(
                "note", NAMES, place, "lost-setup", text, "add the key to parameters where people need it"
            )


def _is_setup(key: str) -> bool:
    return key not in _NO_SETUP and not key.startswith(_NO_SETUP_ROOTS)


def _alike(key: str, other: str) -> bool:
    """Tell whether two keys describe one thing, such as ``INS.FILT1.ID`` and ``INS.FILT1.NAME``."""
    return key == other or key.rpartition(".")[0] == other.rpartition(".")[0] != ""


def check_site(draft: Draft) -> Iterator[Finding]:
    """Find breakpoints of raw types and products that there are not."""
    types = raw_types_of(draft.pack)
    raw_types = {*types.assigned, *types.of_actions}
    products = {*draft.pack.names, *draft.pack.instrument.static}
    if BREAKPOINTS in draft.broken:
        return
    for number, item in enumerate(draft.pack.breakpoints):
        wanted = [("raw_types", name, raw_types) for name in item.raw_types if not types.open_ended]
        if not {NAMES, INSTRUMENT} & draft.broken:
            wanted += [("products", name, products) for name in item.products]
        for key, name, known in wanted:
            if name not in known:
                close = get_close_matches(name, known, n=1, cutoff=_CLOSE)
                text = f"there is no {'raw type' if key == 'raw_types' else 'product'} {name}"
                remedy = f"was {close[0]} meant?" if close else "correct it"
                place = ("breakpoints", number, key)
                yield draft.finding("warning", BREAKPOINTS, place, "unknown-name", text, remedy)
