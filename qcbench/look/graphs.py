"""A layered graph for a page: boxes with ports, edges between them, what can be asked of it by pointing.

It is drawn as SVG: its texts stay sharp and can be searched, selected and read aloud, its colours are the page's
tokens in the light and the dark scheme, and it needs no script to be seen. The script that comes with it chooses,
searches and hides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal, get_args

from markupsafe import Markup

from qcbench.core.errors import ReportError
from qcbench.look.layers import HEAD, MARGIN, Box, Layout, Link, Point, lay_out

NodeKind = Literal["action", "science", "product", "general", "unmade", "raw"]
EdgeKind = Literal["needs", "optional", "raw", "makes"]

# a monospaced face of 11 px: its characters are 0.602 em wide, or narrower
_CHARACTER = 6.65
_PAD = 10.0
_TITLE, _LINE, _ROW = 20.0, 15.0, 18.0
_NOTE_GAP = 14.0
_MIN_WIDTH = 96.0


@dataclass(frozen=True)
class Row:
    """A line in a box at which an edge ends: what it is, and a note at its right."""

    name: str
    text: str
    note: str
    details: Markup


@dataclass(frozen=True)
class Node:
    """A box.

    Attributes
    ----------
    name : str
        Identity; must be the only one of this name.
    column : int
        Columns run from left to right.
    lines : tuple of str
        Smaller text below the title.
    mark : str
        A word at the right of the title, such as ``cycle``.
    details : Markup
        What is shown when it is chosen.
    """

    name: str
    column: int
    kind: NodeKind
    title: str
    details: Markup
    lines: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    mark: str = ""

    @property
    def header(self) -> float:
        """Height above the rows, px."""
        return _TITLE + _LINE * len(self.lines) + 6.0

    @property
    def height(self) -> float:
        """Height, px."""
        return self.header + _ROW * len(self.rows) + (4.0 if self.rows else 0.0)

    @property
    def width(self) -> float:
        """Width that its texts need, px."""
        title = len(self.title) + (len(self.mark) + 2 if self.mark else 0)
        plain = max(title, *(len(line) for line in self.lines), 0) * _CHARACTER
        rows = max((len(row.text) + len(row.note) for row in self.rows), default=0) * _CHARACTER
        return max(plain, rows + _NOTE_GAP if self.rows else 0.0, _MIN_WIDTH) + 2 * _PAD

    def port(self, row: str | None) -> float:
        """Return where an edge ends, px from the top: at a row, else at the middle of the header."""
        for number, item in enumerate(self.rows):
            if item.name == row:
                return self.header + _ROW * (number + 0.5)
        return self.header / 2


@dataclass(frozen=True)
class Edge:
    """A line from a box to a row of another; `in_cycle` marks one that closes a circle."""

    source: str
    target: str
    kind: EdgeKind
    row: str | None = None
    label: str = ""
    in_cycle: bool = False


def place(nodes: Sequence[Node], edges: Sequence[Edge]) -> Layout:
    """Return where boxes and edges are, px.

    Raises
    ------
    ReportError
        Two nodes have one name, or an edge has an end that is no node.
    """
    known = {node.name: node for node in nodes}
    if len(known) < len(nodes):
        raise ReportError("graph: two nodes have the same name")
    for edge in edges:
        for end in (edge.source, edge.target):
            if end not in known:
                raise ReportError(f"graph: an edge ends at '{end}', which is no node")
    # boxes of a column are of one width, so that edges leave and arrive along one line
    widths: dict[int, float] = {}
    for node in nodes:
        widths[node.column] = max(widths.get(node.column, 0.0), node.width)
    boxes = [Box(node.name, node.column, widths[node.column], node.height, node.header / 2) for node in nodes]
    links = [Link(edge.source, edge.target, known[edge.target].port(edge.row)) for edge in edges]
    return lay_out(boxes, links)


def graph(
    nodes: Sequence[Node], edges: Sequence[Edge], *, heads: Mapping[int, str], label: str, hint: str
) -> Markup:
    """Draw a graph with its search field, and the panel that shows what is chosen.

    Parameters
    ----------
    heads : dict
        What stands above columns.
    label : str
        Name of the graph, for who can't see it.
    hint : str
        What the panel says before anything is chosen.
    """
    for node in nodes:
        if node.kind not in get_args(NodeKind):
            raise ReportError(f"graph: node '{node.name}' is of unknown kind '{node.kind}'")
    layout = place(nodes, edges)
    known = {node.name: node for node in nodes}
    drawn = Markup("").join(
        _edge(edge, route, known) for edge, route in zip(edges, layout.routes, strict=True)
    )
    boxes = Markup("").join(_node(node, layout) for node in sorted(nodes, key=lambda node: node.column))
    titles = Markup("").join(
        _HEAD.format(x=sum(layout.columns[column]) / 2, y=MARGIN + HEAD / 2, text=text)
        for column, text in heads.items()
        if column in layout.columns
    )
    return _GRAPH.format(
        css=Markup(_resource("graph.css")),
        script=Markup(_resource("graph.js")),
        label=label,
        hint=hint,
        width=round(layout.width),
        height=round(layout.height),
        heads=titles,
        edges=drawn,
        nodes=boxes,
        names=Markup("").join(Markup('<option value="{}">').format(node.title) for node in nodes),
        details=Markup("").join(
            _DETAILS.format(name=name, text=text) for node in nodes for name, text in _all_details(node)
        ),
    )


_HEAD = Markup('<text class="head" x="{x:.1f}" y="{y:.1f}">{text}</text>')
_DETAILS = Markup('<template data-of="{name}">{text}</template>')
_GRAPH = Markup(
    """<style>{css}</style>
<div class="graph" data-graph>
<div class="graph-tools">
<label>Find <input type="search" list="graph-names" placeholder="action, recipe, product, key …"></label>
<datalist id="graph-names">{names}</datalist>
<label><input type="checkbox" data-only> only what is connected with it</label>
<span class="graph-zoom" role="group" aria-label="Size">
<button type="button" data-zoom="-1" aria-label="smaller">−</button>
<button type="button" data-zoom="0">100 %</button>
<button type="button" data-zoom="1" aria-label="larger">+</button>
<button type="button" data-zoom="fit">fit</button></span>
<button type="button" data-clear>Show all</button>
<span class="graph-count muted" role="status"></span>
</div>
<div class="graph-body">
<div class="graph-view" tabindex="0">
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"
 role="group" aria-label="{label}">
<defs><marker id="graph-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"
 markerUnits="userSpaceOnUse" orient="auto">
<path d="M0 0L8 4L0 8z"/></marker></defs>
<g class="heads">{heads}</g><g class="edges">{edges}</g><g class="nodes">{nodes}</g>
</svg>
</div>
<aside class="graph-panel" aria-live="polite"><p class="muted" data-hint>{hint}</p></aside>
</div>
{details}
</div>
<script>{script}</script>"""
)
_EDGE = Markup(
    '<path class="edge {kind}{cycle}" d="{path}" data-from="{source}" data-to="{target}" data-row="{row}"'
    ' data-out="{out:.1f}" data-port="{port:.1f}"{tip}><title>{label}</title></path>'
)
_NODE = Markup(
    '<g class="node {kind}" tabindex="0" role="button" aria-label="{title}" data-name="{name}" data-column="{column}"'
    ' data-words="{words}" data-height="{height:.1f}" data-width="{width:.1f}"'
    ' transform="translate({x:.1f} {y:.1f})">'
    '<title>{tip}</title><rect width="{width:.1f}" height="{height:.1f}" rx="6"/>'
    '<text class="title" x="{pad}" y="17">{title}</text>{mark}{lines}{rows}</g>'
)
_MARK = Markup('<text class="mark" x="{x:.1f}" y="17">{text}</text>')
_TEXT = Markup('<text class="line" x="{x}" y="{y:.1f}">{text}</text>')
_ROW_OF = Markup(
    '<g class="row" data-name="{name}"><rect x="1" y="{top:.1f}" width="{width:.1f}" height="{height}"/>'
    '<text x="{pad}" y="{y:.1f}">{text}</text><text class="note" x="{right:.1f}" y="{y:.1f}">{note}</text></g>'
)


def _node(node: Node, layout: Layout) -> Markup:
    x, y = layout.places[node.name]
    left, right = layout.columns[node.column]
    width = right - left
    lines = Markup("").join(
        _TEXT.format(x=_PAD, y=_TITLE + _LINE * (number + 1) - 3, text=text)
        for number, text in enumerate(node.lines)
    )
    rows = Markup("").join(_row(node, number, width) for number in range(len(node.rows)))
    words = " ".join([node.title, *node.lines, *(row.text for row in node.rows)]).lower()
    return _NODE.format(
        kind=node.kind,
        name=node.name,
        title=node.title,
        tip=", ".join([node.title, *node.lines]),
        column=node.column,
        words=words,
        x=x,
        y=y,
        width=width,
        height=node.height,
        pad=_PAD,
        mark=_MARK.format(x=width - _PAD, text=node.mark) if node.mark else "",
        lines=lines,
        rows=rows,
    )


def _row(node: Node, number: int, width: float) -> Markup:
    row = node.rows[number]
    top = node.header + _ROW * number
    return _ROW_OF.format(
        name=row.name,
        top=top,
        width=width - 2,
        height=_ROW,
        pad=_PAD,
        y=top + 13,
        right=width - _PAD,
        text=row.text,
        note=row.note,
    )


def _edge(edge: Edge, route: Sequence[Point], known: Mapping[str, Node]) -> Markup:
    return _EDGE.format(
        kind=edge.kind,
        cycle=" cycle" if edge.in_cycle else "",
        path=_path(route),
        source=edge.source,
        target=edge.target,
        row=edge.row or "",
        out=known[edge.source].header / 2,
        port=known[edge.target].port(edge.row),
        tip="" if edge.kind == "makes" else Markup(' marker-end="url(#graph-tip)"'),
        label=edge.label,
    )


def _path(route: Sequence[Point]) -> str:
    """Return curves from column to column that start and end level, and straight lines through columns."""
    (x, y), *others = route
    parts = [f"M{x:.1f} {y:.1f}"]
    for number, (right, height) in enumerate(others):
        if number % 2 == 0:
            middle = (x + right) / 2
            parts.append(f"C{middle:.1f} {y:.1f} {middle:.1f} {height:.1f} {right:.1f} {height:.1f}")
        else:
            parts.append(f"L{right:.1f} {height:.1f}")
        x, y = right, height
    return "".join(parts)


def _all_details(node: Node) -> list[tuple[str, Markup]]:
    return [(node.name, node.details), *((row.name, row.details) for row in node.rows)]


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
