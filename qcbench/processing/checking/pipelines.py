"""Recipes of installed pipelines: whether there are such, and what their manual pages say of parameters and tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from qcbench.instruments import InstrumentPack
from qcbench.instruments.checking import raw_types_of
from qcbench.oca import Action, Finding
from qcbench.processing.checking.choices import Choice, actions_of, associations_for, meant
from qcbench.processing.esorex import EsorexEngine
from qcbench.processing.esorexhelp import RecipeHelp, installed_recipes, recipe_help

_CLOSE = 0.85


def check_esorex(pack: InstrumentPack, choices: Iterable[Choice]) -> Iterator[Finding]:
    """Find misspelt recipes, and parameters and tags that installed ones don't know."""
    for item in choices:
        recipe = item.engine.recipe
        problem = EsorexEngine().problem(recipe)
        if problem:
            yield _missing(item, problem)
        elif found := recipe_help(recipe):
            for name in item.engine.parameters:
                if name not in found.parameters:
                    text = f"the recipe {recipe} has no parameter {name}"
                    yield item.error("parameter", text, meant(name, found.parameters), ".parameters")
            for action in actions_of(pack, item):
                yield from _unknown_tags(pack, item, action, found)


def _missing(item: Choice, problem: str) -> Finding:
    close = get_close_matches(item.engine.recipe, installed_recipes(), n=1, cutoff=_CLOSE)
    if close:
        return item.warning("no-recipe", problem, f"was {close[0]} meant?")
    return item.not_installed(problem)


def _unknown_tags(pack: InstrumentPack, item: Choice, action: Action, found: RecipeHelp) -> Iterator[Finding]:
    """Find calibrations by tags that the manual page of a recipe does not name; many pages name none."""
    rules = associations_for(action)
    tags = (raw_types_of(pack).tags_of(action.name) or set()) | {rule.tag for rule in rules}
    if not found.names_tags or not tags & found.words:
        return
    recipe = item.engine.recipe
    for rule in rules:
        if rule.tag not in found.words:
            text = f"the manual page of {recipe} has no tag {rule.tag}, which action {action.name} gives it"
            close = get_close_matches(rule.tag, found.words, n=1, cutoff=_CLOSE)
            remedy = (
                f"was {close[0]} meant?"
                if close
                else f"correct it: esorex --man-page {recipe}; a tag for information ends in _MASSOC"
            )
            yield Finding("warning", rule.file, rule.line, None, "recipe-tags", text, remedy)
