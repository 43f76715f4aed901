"""The packs that come with qcbench load, and fit together."""

from __future__ import annotations

import datetime as dt

import pytest

from qcbench.instruments import InstrumentPack, available_packs, find_pack, product_category
from qcbench.instruments.models import SetupKey, setup_part


@pytest.fixture(params=sorted(available_packs()))
def pack(request: pytest.FixtureRequest) -> InstrumentPack:
    return find_pack(request.param)


def test_every_action_has_a_recipe_that_runs_with_python_alone(pack: InstrumentPack) -> None:
    for action in pack.rules.actions:
        assert action.recipe is not None
        assert "python" in {choice.engine for choice in pack.instrument.recipes[action.recipe].engines}


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
