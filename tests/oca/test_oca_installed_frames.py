"""Frames as eight instruments take them: the rules of their pipelines give them the tags that the recipes ask for.

The templates are in headers/<instrument>.yaml. What a recipe asks for is read from the program itself.
"""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from qcbench.oca import classify, group, load_rules

HEADERS = sorted((Path(__file__).parent / "headers").glob("*.yaml"))
PLUGINS = Path("/usr/share/cpl-plugins")
TABLES = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in HEADERS}
TEMPLATES = [
    pytest.param(name, template, id=f"{name}: {template['name']}")
    for name, table in TABLES.items()
    for template in table["templates"]
]
# the rules execute recipes that the pipelines do not bring along
NOT_INSTALLED = {"detmon_ir_lg", "detmon_opt_lg", "detmon_opt_lg_mr", "vmimflatscreen"}
# renamed inside: it takes any frame that the rules give it
TAKES_ALL = {"visir_util_repack"}

pytestmark = pytest.mark.esorex


@cache
def rules_of(instrument: str):
    return load_rules(next(PLUGINS.glob(f"{instrument}-*/gasgano/config/{instrument}.oca")))


def headers_of(instrument: str, template: dict[str, Any]):
    """The headers of a template, each with the tag that is expected."""
    entries = [entry for entry in template["frames"] for _ in range(entry["n"])]
    for number, entry in enumerate(entries):
        keys = {
            "ARCFILE": f"X.{number:03d}.fits",
            "MJD-OBS": template.get("start", 58000.0) + number / 1000,
            "TPL.START": "2020-01-10T00:00:00",
            **TABLES[instrument]["common"],
            **{key: value for key, value in entry.items() if key not in ("n", "is")},
        }
        yield {key: value for key, value in keys.items() if value is not None}, entry["is"]


def test_all_eight_rule_files_have_frames():
    assert set(TABLES) == {path.stem for path in PLUGINS.glob("*/gasgano/config/*.oca")}


@pytest.mark.parametrize(("instrument", "template"), TEMPLATES)
def test_frames_get_their_tags_and_their_recipe(instrument, template):
    rules = rules_of(instrument)
    frames = [(keys | classify(rules, keys).assigned, tag) for keys, tag in headers_of(instrument, template)]
    assert [keys.get("DO.CATG") for keys, _ in frames] == [tag for _, tag in frames]
    found = group(rules, [keys for keys, _ in frames])
    made = [[item.action, rules.action(item.action).recipe, len(item.members)] for item in found.groups]
    assert sorted(made) == sorted(template["groups"])
    if not template["groups"]:
        assert len(found.ungrouped) == len(frames)


@pytest.mark.parametrize("instrument", sorted(TABLES))
def test_the_recipes_know_the_tags(instrument):
    library = b"".join(path.read_bytes() for path in Path("/usr/lib").glob(f"*/{instrument}*/*.so"))
    recipes = {path.stem: path for path in Path("/usr/lib").glob(f"*/cpl/plugins/{instrument}*/*.so")}
    wanted = {
        (recipe, tag)
        for template in TABLES[instrument]["templates"]
        for _, recipe, _ in template["groups"]
        for tag in tags_of(instrument, recipe)
    }
    unknown = [
        (recipe, tag)
        for recipe, tag in sorted(wanted)
        if recipe in recipes and recipe not in TAKES_ALL
        if tag.encode() not in library + recipes[recipe].read_bytes()
    ]
    assert unknown == []
    assert {recipe for recipe, _ in wanted if recipe not in recipes} <= NOT_INSTALLED


def tags_of(instrument: str, recipe: str) -> set[str]:
    templates = [
        item for item in TABLES[instrument]["templates"] if any(made[1] == recipe for made in item["groups"])
    ]
    return {entry["is"] for item in templates for entry in item["frames"]}
