"""A layered graph: boxes never overlap, edges go from left to right, and the drawing says what it shows."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from qcbench.core.errors import ReportError
from qcbench.look.graphs import Edge, Node, Row, graph, place
from qcbench.look.layers import Box, Layout, Link, lay_out

COLUMNS = 6


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Box], list[Link]]:
    sizes = st.floats(20.0, 300.0)
    columns = draw(st.lists(st.integers(0, COLUMNS), min_size=1, max_size=25))
    boxes = [
        Box(f"b{number}", column, draw(sizes), height := draw(sizes), height / 2)
        for number, column in enumerate(columns)
    ]
    ends = st.sampled_from(boxes)
    pairs = draw(st.lists(st.tuples(ends, ends), max_size=50))
    links = [Link(a.name, b.name, b.height / 3) for a, b in pairs]
    return boxes, links


def overlap(one: Box, other: Box, layout: Layout) -> bool:
    (x, y), (u, v) = layout.places[one.name], layout.places[other.name]
    return x < u + other.width and u < x + one.width and y < v + other.height and v < y + one.height


@given(graphs())
def test_no_two_boxes_overlap(drawn: tuple[list[Box], list[Link]]) -> None:
    boxes, links = drawn
    layout = lay_out(boxes, links)
    assert not [(a.name, b.name) for a, b in combinations(boxes, 2) if overlap(a, b, layout)]


@given(graphs())
def test_nothing_is_drawn_outside_of_the_drawing(drawn: tuple[list[Box], list[Link]]) -> None:
    layout = lay_out(*drawn)
    points = [point for route in layout.routes for point in route]
    assert all(0 < x < layout.width and 0 < y < layout.height for x, y in points)
    for box in drawn[0]:
        x, y = layout.places[box.name]
        assert x > 0
        assert y > 0
        assert x + box.width < layout.width
        assert y + box.height < layout.height


@given(graphs())
def test_edges_go_from_left_to_right_but_those_that_go_back(drawn: tuple[list[Box], list[Link]]) -> None:
    boxes, links = drawn
    columns = {box.name: box.column for box in boxes}
    layout = lay_out(boxes, links)
    for link, route in zip(links, layout.routes, strict=True):
        across = [x for x, _ in route]
        if columns[link.source] < columns[link.target]:
            assert across == sorted(across)
        else:
            assert across[0] > across[-1] or columns[link.source] == columns[link.target]


@given(graphs())
def test_an_edge_that_passes_a_column_is_drawn_behind_no_box_of_it(
    drawn: tuple[list[Box], list[Link]],
) -> None:
    boxes, links = drawn
    layout = lay_out(boxes, links)
    columns = {box.name: box.column for box in boxes}
    for link, route in zip(links, layout.routes, strict=True):
        if columns[link.source] >= columns[link.target]:
            continue
        for (left, height), (right, _) in zip(route[1:-1:2], route[2:-1:2], strict=True):
            for box in boxes:
                x, y = layout.places[box.name]
                assert not (left <= x < right and y < height < y + box.height)


@given(graphs())
def test_everything_is_within_the_drawing(drawn: tuple[list[Box], list[Link]]) -> None:
    boxes, links = drawn
    layout = lay_out(boxes, links)
    for box in boxes:
        x, y = layout.places[box.name]
        assert x >= 0
        assert y >= 0
        assert x + box.width <= layout.width
        assert y + box.height <= layout.height


@given(graphs())
def test_the_same_graph_is_drawn_in_the_same_way(drawn: tuple[list[Box], list[Link]]) -> None:
    assert lay_out(*drawn) == lay_out(*drawn)


def test_a_box_stands_at_the_height_of_what_it_is_connected_with() -> None:
    boxes = [Box(f"left{n}", 0, 50.0, 20.0, 10.0) for n in range(5)]
    boxes += [Box(f"right{n}", 1, 50.0, 20.0, 10.0) for n in range(5)]
    links = [Link(f"left{n}", f"right{4 - n}", 10.0) for n in range(5)]
    layout = lay_out(boxes, links)
    for route in layout.routes:
        assert route[0][1] == pytest.approx(route[-1][1], abs=1.0), "no edge has to climb"


def node(name: str, column: int, **options: object) -> Node:
    return Node(name, column, "action", name, Markup("about {}").format(name), **options)  # type: ignore[arg-type]


def test_a_box_is_as_wide_as_its_longest_text() -> None:
    row = Row("r", "A_LONG_NAME_OF_A_CATEGORY", "|-1/+1|-7/+7 ×0–1", Markup(""))
    made = node("N", 0, rows=(row,))
    assert made.width > (len(row.text) + len(row.note)) * 6.6
    assert made.port("r") > made.header


def test_the_drawing_is_well_formed_and_escapes_what_it_is_given() -> None:
    hostile = '"><script>alert(1)</script>'
    row = Row("row", hostile, hostile, Markup(""))
    nodes = [
        Node("a", 0, "product", hostile, Markup("")),
        Node("b", 1, "action", "B", Markup(""), lines=(hostile,), rows=(row,), mark=hostile),
    ]
    drawn = graph(
        nodes,
        [Edge("a", "b", "needs", row="row", label=hostile)],
        heads={1: hostile},
        label=hostile,
        hint=hostile,
    )
    assert "<script>alert" not in drawn
    svg = ElementTree.fromstring(drawn[drawn.index("<svg") : drawn.index("</svg>") + 6])
    assert svg.get("aria-label") == hostile


def test_the_kinds_of_lines_are_told_apart_without_colour() -> None:
    nodes = [node("a", 0), node("b", 1)]
    edges = [Edge("a", "b", "needs"), Edge("a", "b", "optional"), Edge("a", "b", "raw", in_cycle=True)]
    drawn = graph(nodes, edges, heads={}, label="g", hint="")
    for kind in ("edge needs", "edge optional", "edge raw cycle"):
        assert f'class="{kind}"' in drawn
    assert ".edge.optional{stroke-dasharray" in drawn


def test_an_edge_without_a_node_and_two_nodes_of_one_name_are_refused() -> None:
    with pytest.raises(ReportError, match="nowhere"):
        place([node("a", 0)], [Edge("a", "nowhere", "needs")])
    with pytest.raises(ReportError, match="same name"):
        place([node("a", 0), node("a", 1)], [])


def test_an_unknown_kind_of_box_is_refused() -> None:
    odd = Node("a", 0, "spaceship", "A", Markup(""))  # type: ignore[arg-type]
    with pytest.raises(ReportError, match="spaceship"):
        graph([odd], [], heads={}, label="g", hint="")


def test_an_empty_graph_is_a_drawing_too() -> None:
    assert "<svg" in graph([], [], heads={}, label="nothing", hint="There is nothing.")
