"""The packs that come with qcbench load, and fit together."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from qcbench.fits import read_header
from qcbench.instruments import InstrumentPack, available_packs, find_pack, product_category
from qcbench.instruments.models import SetupKey, setup_part
from qcbench.oca import cascade_of
from qcbench.processing.esorex import plugin_folder
from tests.instruments.pipelines import observe


@pytest.fixture(params=sorted(available_packs()))
def pack(request: pytest.FixtureRequest) -> InstrumentPack:
    return find_pack(request.param)


@pytest.mark.parametrize("name", ["hawki", "efosc2"])
def test_every_recipe_of_calibrations_runs_with_python_alone(name: str) -> None:
    pack = find_pack(name)
    recipes = {action.recipe for action in pack.rules.actions if action.recipe}
    for recipe in sorted(recipes):
        if pack.instrument.recipes[recipe].science:
            continue
        assert "python" in {choice.engine for choice in pack.instrument.recipes[recipe].engines}


def test_every_recipe_of_a_rule_has_an_engine_and_every_engine_has_a_rule(pack: InstrumentPack) -> None:
    named = {action.recipe for action in pack.rules.actions if action.recipe}
    assert named == set(pack.instrument.recipes)


@pytest.mark.esorex
@pytest.mark.parametrize("name", ["hawki", "naco", "uves", "giraffe", "muse", "vimos"])
def test_the_recipes_are_those_of_the_installed_pipeline(name: str) -> None:
    engines = [choice for recipe in find_pack(name).instrument.recipes.values() for choice in recipe.engines]
    wanted = {choice.recipe for choice in engines if choice.engine == "esorex"}
    assert {recipe for recipe in wanted if plugin_folder(recipe) is None} == set()


def test_every_organizer_and_every_action_have_each_other(pack: InstrumentPack) -> None:
    assert {rule.action for rule in pack.rules.organizers} == {action.name for action in pack.rules.actions}


def test_every_calibration_is_made_by_an_action_or_static(pack: InstrumentPack) -> None:
    for need in cascade_of(pack.rules).needs:
        if need.association.source == "calibFiles":
            # what a recipe writes besides has a name at least
            known = pack.instrument.static.keys() | pack.names.keys()
            assert need.makers or need.categories <= known, need.association.tag


def test_every_association_has_an_extended_validity_unless_it_is_static(pack: InstrumentPack) -> None:
    for need in cascade_of(pack.rules).needs:
        static = bool(need.categories) and need.categories <= set(pack.instrument.static)
        assert need.validity.extended.is_open == static, f"{need.action}: {need.association.tag}"


def test_every_key_that_a_pack_names_is_in_its_dictionary(pack: InstrumentPack) -> None:
    instrument = pack.instrument
    assigned = {key for rule in pack.rules.classifiers for key, _ in rule.assignments}
    setups = [item for keys in instrument.setups.values() for item in keys]
    names = [item for rule in pack.names.values() for item in rule.parameters]
    filters = {c.key for table in pack.tables.values() for c in table.columns if c.kind == "FILTER"}
    # what a recipe writes is described by the column itself
    filters = {key for key in filters if not key.startswith("QC.")}
    named = {
        *(pack.rules.keys() - assigned),
        *instrument.required_keys,
        *instrument.report_keys,
        *(item.key for item in setups + names),
        *filters,
    }
    assert {key for key in named if pack.keys.find(key) is None} == set()


@pytest.mark.parametrize("name", sorted(available_packs()))
def test_every_key_of_a_simulated_frame_is_in_the_dictionary(name: str, tmp_path: Path) -> None:
    pack = find_pack(name)
    night = observe(pack, tmp_path, 32)
    assert {key for path in night.paths.values() for key in unknown_keys(pack, path)} == set()


@pytest.mark.real
def test_every_key_of_a_real_frame_is_in_the_dictionary(real_data: Path) -> None:
    frames = sorted((real_data / "efosc2-pessto").rglob("*.fits"))
    assert len(frames) == 8
    assert {key for path in frames for key in unknown_keys(find_pack("efosc2"), path)} == set()


def unknown_keys(pack: InstrumentPack, frame: Path) -> set[str]:
    hdus = read_header(frame).hdus
    return {key for hdu in hdus for key in hdu.keys if pack.keys.find(key) is None}


def test_every_table_is_fed_by_a_raw_type_whose_action_makes_its_product(pack: InstrumentPack) -> None:
    makes = {
        action.name: {product_category(product) for product in action.products}
        for action in pack.rules.actions
    }
    for table in pack.tables.values():
        for raw_type in table.raw_types:
            assert table.product in makes[raw_type]
            assert table in pack.tables_of(raw_type).values()


def test_every_key_figure_of_performance_is_scored(pack: InstrumentPack) -> None:
    scored = {(score.table, score.parameter) for score in pack.scores}
    figures = {
        (name, column.name)
        for name, table in pack.tables.items()
        for column in table.columns
        if column.kind == "KPI"
    }
    assert figures <= scored


def test_limits_are_in_force_from_their_first_day_on(pack: InstrumentPack) -> None:
    for score in pack.scores:
        first = min(threshold.valid_from for threshold in score.thresholds)
        assert score.in_force(first - dt.timedelta(days=1)) is None
        assert score.in_force(first) is not None
        assert score.remedy


def test_names_of_products_are_told_apart_by_their_codes(pack: InstrumentPack) -> None:
    codes = [rule.code for rule in pack.names.values()]
    assert len(codes) == len(set(codes))


def test_a_raw_type_that_feeds_no_table_has_none(pack: InstrumentPack) -> None:
    assert pack.tables_of("NO_SUCH_TYPE") == {}
    assert pack.setup_text("NO_SUCH_TYPE", {}) == ""


@pytest.mark.parametrize(
    ("name", "raw_type", "keys", "text"),
    [
        ("hawki", "DARK", {"DET.DIT": 10.0, "DET.NDIT": 3}, "DIT10 NDIT3"),
        ("hawki", "DARK", {"DET.DIT": 1.6762, "DET.NDIT": 3}, "DIT1.6762 NDIT3"),
        ("hawki", "DARK", {"DET.NDIT": 3}, "NDIT3"),
        ("efosc2", "SKY_FLAT", {"INS.FILT1.NAME": "V#641"}, "V#641"),
    ],
)
def test_a_setup_is_shown_as_people_read_it(
    name: str, raw_type: str, keys: dict[str, object], text: str
) -> None:
    assert find_pack(name).setup_text(raw_type, keys) == text


@pytest.mark.parametrize("value", [10, 10.0])
def test_a_number_is_shown_alike_whether_the_header_has_it_with_a_point_or_not(value: float) -> None:
    assert setup_part(SetupKey(key="DET.DIT"), {"DET.DIT": value}) == "10"
    assert setup_part(SetupKey(key="DET.DIT", prefix="DIT", decimals=2), {"DET.DIT": value}) == "DIT10.00"
