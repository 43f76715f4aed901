"""The calibration map shows the whole cascade of a rule set: what needs what, how long it is valid, what makes it."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import nbformat
import papermill
import pytest

from qcbench.core.resources import notebook
from qcbench.instruments import available_packs, find_pack
from qcbench.look.graphs import place
from qcbench.monitors import ab_monitor
from qcbench.monitors.calib_map import calib_map, map_file, map_page, pack_map, rules_map, write_map
from qcbench.monitors.cascade_graph import CascadeGraph
from qcbench.oca import parse_rules
from tests.association.observatory import DATE, INSTRUMENT, RULES, build

STATIC = {"LINE_CATALOG": "Wavelengths of arc lines"}
CYCLE = """
select execute(A) from inputFiles where RAW.TYPE == "A" group by TPL.START;
select execute(B) from inputFiles where RAW.TYPE == "B" group by TPL.START;
action A { select file as OF_B from calibFiles where PRO.CATG == "OF_B"; recipe a; product OF_A { } }
action B { select file as OF_A from calibFiles where PRO.CATG == "OF_A"; recipe b; product OF_B { } }
"""


def toy(text: str = RULES) -> CascadeGraph:
    return rules_map(parse_rules(text, "rules.oca"), STATIC)


def test_every_action_product_and_need_is_a_box_of_its_kind() -> None:
    kinds = {node.title: node.kind for node in toy().nodes()}
    assert kinds == {
        "BIAS": "action",
        "FLAT": "raw",
        "ARC": "action",
        "STD": "action",
        "SCI": "science",
        "MASTER_BIAS": "product",
        "MASTER_FLAT": "product",
        "WAVE_MAP": "product",
        "ZEROPOINT": "product",
        "SCI_IMAGE": "product",
        "LINE_CATALOG": "general",
        "ILLUM": "raw",
    }
    assert [node.kind for node in toy().nodes() if node.title == "FLAT"] == ["action", "raw"]


def test_boxes_stand_in_the_order_of_the_cascade() -> None:
    columns = {node.name: node.column for node in toy().nodes()}
    chain = (
        "action BIAS",
        "file MASTER_BIAS",
        "action FLAT",
        "file MASTER_FLAT",
        "action STD",
        "file ZEROPOINT",
    )
    places = [columns[name] for name in chain]
    assert places == sorted(set(places))
    assert toy().heads()[columns["action FLAT"]] == "depth 1"


def test_lines_say_what_is_required_optional_and_raw() -> None:
    kinds = {(edge.source, edge.target): edge.kind for edge in toy().edges()}
    assert kinds["file MASTER_FLAT", "action STD"] == "needs"
    assert kinds["file ZEROPOINT", "action SCI"] == "optional"
    assert kinds["raw FLAT", "action STD"] == "raw"
    assert kinds["action BIAS", "file MASTER_BIAS"] == "makes"


def test_an_association_shows_the_legend_of_its_validity_and_its_number() -> None:
    (std,) = [node for node in toy().nodes() if node.name == "action STD"]
    assert [(row.text, row.note) for row in std.rows] == [
        ("MASTER_FLAT", "|-2/+2|-5/+5"),
        ("ILLUM", "(-0.5/+0.5) ×0–2"),
        ("SKY_RASSOC", "(-1/+1) ×0–1"),
    ]
    (arc,) = [node for node in toy().nodes() if node.name == "action ARC"]
    assert {row.text: row.note for row in arc.rows}["LINE_CATALOG"] == "GT"


def test_details_of_an_association_give_rule_keys_and_conditions() -> None:
    (flat,) = [node for node in toy().nodes() if node.name == "action FLAT"]
    details = flat.rows[0].details
    for text in ("rules.oca:", "BIAS", "DET.BIN", "DO.CATG == &#34;MASTER_BIAS&#34;", "tryBetween"):
        assert text in details
    assert "group by TPL.START, DET.BIN, INS.FILT" in flat.details


def test_actions_that_need_each_other_are_marked_and_named() -> None:
    found = toy(CYCLE)
    assert {node.mark for node in found.nodes() if node.kind == "action"} == {"cycle"}
    assert [edge.in_cycle for edge in found.edges() if edge.kind == "needs"] == [True, True]
    assert "1 cycle: A, B." in map_page(found, "cycle")


def test_the_table_has_every_association() -> None:
    rows = toy().associations()
    assert len(rows) == 8
    assert [(row.tag, row.makers) for row in rows if row.action == "ARC"] == [
        ("MASTER_BIAS", "BIAS"),
        ("LINE_CATALOG", "general calibration"),
    ]
    assert {row.makers for row in rows if row.action == "STD"} == {"FLAT", "raw frames"}


def test_types_that_are_classified_and_never_grouped_are_named() -> None:
    assert toy().without_action == ("ILLUM",)
    assert "Classified, and in no group: ILLUM." in map_page(toy(), "toy")


def test_rules_without_products_say_so() -> None:
    text = RULES.replace("product", "// product")
    assert "The rules name no products" in map_page(toy(text), "toy")


def test_the_page_asks_nothing_of_the_network_and_explains_its_signs() -> None:
    page = map_page(toy(), "toy")
    assert "src=" not in page
    assert "https://" not in page
    assert "dfos, createCalibMap" in page
    assert "our reading" in page
    assert page.count("<h2>") == 4


@pytest.mark.parametrize("name", sorted(available_packs()))
def test_the_map_of_every_pack_overlaps_nowhere(name: str) -> None:
    found = pack_map(find_pack(name))
    nodes, edges = found.nodes(), found.edges()
    layout = place(nodes, edges)
    columns = layout.columns
    for one, other in combinations(nodes, 2):
        if one.column == other.column:
            (_, y), (_, v) = layout.places[one.name], layout.places[other.name]
            assert y + one.height <= v or v + other.height <= y
    for node in nodes:
        left, right = columns[node.column]
        assert node.width <= right - left + 1e-6, "its texts have room"
    by_name = {node.name: node for node in nodes}
    assert all(
        by_name[edge.source].column < by_name[edge.target].column for edge in edges if not edge.in_cycle
    )


def test_it_is_kept_with_the_listings_and_the_AB_monitor_leads_to_it(tmp_path: Path) -> None:
    bench = build(tmp_path)
    before = ab_monitor(bench, INSTRUMENT, DATE).read_text()
    page = calib_map(bench, INSTRUMENT)
    assert page == map_file(bench.data(INSTRUMENT))
    assert "calibration map" not in before
    assert "listings/REPORT/calib_map.html" in ab_monitor(bench, INSTRUMENT, DATE).read_text()


def test_a_page_can_be_written_anywhere(tmp_path: Path) -> None:
    page = write_map(toy(), "toy", tmp_path / "map.html")
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.long
def test_the_notebook_shows_the_map_and_the_associations(tmp_path: Path) -> None:
    made = tmp_path / "made.ipynb"
    parameters = {"workbench": str(tmp_path), "instrument": "hawki"}
    papermill.execute_notebook(notebook("calib_map"), made, parameters, progress_bar=False)
    outputs = [
        str(output.get("data", {}))
        for cell in nbformat.read(made, as_version=4).cells
        for output in cell.get("outputs", ())
    ]
    assert any("srcdoc" in text and "MASTER_DARK" in text for text in outputs)
    assert any("FLAT_TWILIGHT" in text and "text/plain" in text for text in outputs)


def test_the_lines_of_a_cycle_are_drawn_within_the_picture() -> None:
    found = toy(CYCLE)
    layout = place(found.nodes(), found.edges())
    assert all(0 < x < layout.width and 0 < y < layout.height for route in layout.routes for x, y in route)


def test_what_a_pattern_asks_for_is_drawn_as_what_it_is() -> None:
    text = CYCLE.replace('PRO.CATG == "OF_B"', 'PRO.CATG like "%_B"').replace(
        "recipe a;",
        'select file as LINES from calibFiles where PRO.CATG like "LINE_%";'
        ' select file as GONE from calibFiles where PRO.CATG like "GONE%"; recipe a;',
    )
    found = toy(text)
    assert found.cascade.cycles == (("A", "B"),)
    kinds = {node.title: node.kind for node in found.nodes()}
    assert (kinds["OF_B"], kinds["LINE_CATALOG"]) == ("product", "general")
    assert kinds['PRO.CATG like "GONE%"'] == "unmade"
    rows = {row.tag: (row.categories, row.makers) for row in found.associations()}
    assert rows["OF_B"] == ("OF_B", "B")
    assert rows["GONE"] == ('PRO.CATG like "GONE%"', "no rule here makes it")
    map_page(found, "toy")


def test_a_need_that_names_no_category_is_drawn_from_all_that_might_meet_it() -> None:
    found = toy(CYCLE.replace('PRO.CATG == "OF_B"', "DET.DIT == inputFile.DET.DIT"))
    sources = {edge.source for edge in found.edges() if edge.target == "file any for OF_B"}
    assert sources == {"action A", "action B"}
    map_page(found, "toy")
