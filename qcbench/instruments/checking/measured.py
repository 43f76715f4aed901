"""QC1 tables against the rules that feed them, their columns, and the scores of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from difflib import get_close_matches

from qcbench.instruments.checking.draft import Draft
from qcbench.instruments.checking.rawtypes import RawTypes, raw_types_of
from qcbench.instruments.checking.units import needs_unit, same_unit, unit_problem
from qcbench.instruments.contradictions import KEYS, QC1, SCORES, product_category
from qcbench.instruments.models import Column, ParameterScore, TableSpec
from qcbench.instruments.yamlfiles import Place
from qcbench.oca import Finding

_CLOSE = 0.8


def check_tables(draft: Draft) -> Iterator[Finding]:
    """Find tables that never get a row, and columns whose unit or description is missing or wrong."""
    types = raw_types_of(draft.pack)
    for name, table in draft.pack.tables.items():
        yield from _feeding(draft, name, table, types)
        for number, column in enumerate(table.columns):
            yield from _column(draft, ("tables", name, "columns", number), column)


def check_scores(draft: Draft, today: dt.date) -> Iterator[Finding]:
    """Find what nobody scores, and scores that say nothing today, or not what to do."""
    scored = {(score.table, score.parameter) for score in draft.pack.scores}
    for name, table in draft.pack.tables.items():
        for number, column in enumerate(table.columns):
            if column.kind == "KPI" and (name, column.name) not in scored:
                place = ("tables", name, "columns", number)
                text = f"{column.name} is a key performance indicator, and has no score"
                remedy = "add its limits to scores.yaml, or make it another kind: HC, CAL, ENG"
                yield draft.finding("warning", QC1, place, "kpi-without-score", text, remedy)
    for number, score in enumerate(draft.pack.scores):
        yield from _score(draft, ("scores", number), score, today)


def _feeding(draft: Draft, name: str, table: TableSpec, types: RawTypes) -> Iterator[Finding]:
    made = {
        action.name: {product_category(product) for product in action.products}
        for action in draft.pack.rules.actions
    }
    for raw_type in table.raw_types:
        makers = types.makers(raw_type)
        if not makers:
            close = get_close_matches(raw_type, {*types.assigned, *made}, n=1, cutoff=_CLOSE)
            text = f"table {name} is of raw type {raw_type}, of which no action makes an AB"
            remedy = f"was {close[0]} meant?" if close else "correct it, or add an organizer and an action"
            yield draft.finding("error", QC1, ("tables", name, "raw_types"), "table-type", text, remedy)
        elif not any(table.product in made[action] for action in makers):
            text = f"table {name} is measured on {table.product}, which action {' or '.join(makers)} does not make"
            there = sorted(set().union(*(made[action] for action in makers)))
            remedy = f"it makes {', '.join(there)}" if there else "add 'product' to the action"
            yield draft.finding("error", QC1, ("tables", name, "product"), "table-product", text, remedy)


def _column(draft: Draft, place: Place, column: Column) -> Iterator[Finding]:
    wrong = unit_problem(column.unit)
    if wrong:
        remedy = "write it as astropy.units does: adu, adu/s, e-/adu, pix, Angstrom, s, mag"
        yield draft.finding("error", QC1, (*place, "unit"), "unit", f"{column.name}: {wrong}", remedy)
    elif not column.unit and needs_unit(column):
        text = f"{column.name} is measured and has no unit"
        remedy = "give its unit; for a pure number say in the description what it is: a fraction, a ratio, …"
        yield draft.finding("warning", QC1, (*place, "unit"), "no-unit", text, remedy)
    yield from _other_unit(draft, place, column)
    if not column.description.strip():
        text = f"{column.name} has no description"
        remedy = "say what it is and how it is measured: people read it beside its plot"
        yield draft.finding("warning", QC1, (*place, "description"), "no-description", text, remedy)


def _other_unit(draft: Draft, place: Place, column: Column) -> Iterator[Finding]:
    """Find a column that has another unit than the key whose value it takes."""
    spec = draft.pack.keys.find(column.key) if KEYS not in draft.broken else None
    if spec and spec.unit and not same_unit(column.unit, spec.unit):
        own = f"the unit {column.unit}" if column.unit else "no unit"
        text = f"{column.name} has {own}; its key {column.key} has {spec.unit}"
        remedy = f"write {spec.unit} here, or correct the key in keys.yaml: values are taken as they are"
        yield draft.finding("warning", QC1, (*place, "unit"), "key-unit", text, remedy)


def _score(draft: Draft, place: Place, score: ParameterScore, today: dt.date) -> Iterator[Finding]:
    name = f"{score.table}.{score.parameter}"
    if not score.remedy.strip():
        text, remedy = f"the score of {name} has no remedy", "say what to do when it is red"
        yield draft.finding("warning", SCORES, (*place, "remedy"), "no-remedy", text, remedy)
    if score.in_force(today) is None:
        first = min(threshold.valid_from for threshold in score.thresholds)
        text = f"{name} has no limits today: the first ones are valid from {first}"
        remedy = "add limits that are valid from an earlier date"
        yield draft.finding("warning", SCORES, (*place, "thresholds"), "no-limits", text, remedy)
    for number, threshold in enumerate(score.thresholds):
        if not threshold.why.strip():
            text, remedy = f"nobody can see where limits of {name} come from", "say so in why"
            where = (*place, "thresholds", number)
            yield draft.finding("warning", SCORES, where, "no-why", text, remedy)
