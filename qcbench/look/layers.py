"""Layout of a layered graph: boxes in columns from left to right, and the way of each edge between them.

Pure geometry, in pixels. Edges of one source that go over several columns share their way through those in between,
so that nothing is drawn behind a box. Within a column, boxes stand as close as they can to the mean height of what
they are connected with: the order comes from sweeps over the columns, the places from an isotonic regression.
Source: K. Sugiyama, S. Tagawa, M. Toda, IEEE Trans. SMC 11, 109 (1981), for layers and sweeps; R. E. Barlow et al.,
Statistical Inference under Order Restrictions (1972), for pooling adjacent violators.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

GAP = 14.0
MARGIN = 12.0
HEAD = 28.0
_SWEEPS = 14
_TURN = 24.0
_LANE = 7.0
_LANE_GAP = 3.0
_NARROW, _WIDE, _PER_EDGE = 56.0, 150.0, 1.5

Point = tuple[float, float]
_Item = tuple[str, int]


@dataclass(frozen=True)
class Box:
    """What is placed: an identity, its column, its size (px), and where edges leave it (px from its top)."""

    name: str
    column: int
    width: float
    height: float
    out: float


@dataclass(frozen=True)
class Link:
    """An edge: from a box to a place (px from the top) at the left side of another."""

    source: str
    target: str
    port: float


@dataclass(frozen=True)
class Layout:
    """Where everything is.

    Attributes
    ----------
    places : dict
        Left and top of each box.
    routes : tuple of tuple of Point
        The points of each link, in the order of the links; straight between points 2 and 3, 4 and 5 and so on.
    columns : dict
        Left and right of each column.
    width, height : float
        Size of the drawing.
    """

    places: Mapping[str, Point]
    routes: tuple[tuple[Point, ...], ...]
    columns: Mapping[int, tuple[float, float]]
    width: float
    height: float


def lay_out(boxes: Sequence[Box], links: Sequence[Link]) -> Layout:
    """Place boxes and links; a link that does not go to the right is taken back around its boxes."""
    return _Drawing(boxes, links).layout()


class _Drawing:
    """The columns with their boxes and the lanes of edges that pass, while heights are found."""

    def __init__(self, boxes: Sequence[Box], links: Sequence[Link]):
        self.boxes = {box.name: box for box in boxes}
        self.links = links
        self.columns: dict[int, list[_Item]] = defaultdict(list)
        for box in boxes:
            self.columns[box.column].append((box.name, box.column))
        self.ports: dict[_Item, list[tuple[_Item, float, float, bool]]] = defaultdict(list)
        for link in links:
            self._connect(link)
        self.tops: dict[_Item, float] = {}
        for items in self.columns.values():
            self._stack(items, [0.0] * len(items), [1.0] * len(items))

    @property
    def _turn(self) -> float:
        """The room at the sides and below that links need which go back."""
        return _TURN if any(not self._way(link) for link in self.links) else 0.0

    def _way(self, link: Link) -> list[_Item]:
        """Return what a link passes: its source, the lanes, its target."""
        first, last = self.boxes[link.source].column, self.boxes[link.target].column
        if last <= first:
            return []
        used = [column for column in sorted(self.columns) if first < column < last]
        return [(link.source, first), *((link.source, column) for column in used), (link.target, last)]

    def _connect(self, link: Link) -> None:
        way = self._way(link)
        for item in way[1:-1]:
            if item not in self.columns[item[1]]:
                self.columns[item[1]].append(item)
        for left, right in pairwise(way):
            out = self._out(left)
            port = link.port if right == way[-1] else _LANE / 2
            self.ports[left].append((right, port, out, True))
            self.ports[right].append((left, out, port, False))

    def _is_lane(self, item: _Item) -> bool:
        return self.boxes[item[0]].column != item[1]

    def _out(self, item: _Item) -> float:
        return _LANE / 2 if self._is_lane(item) else self.boxes[item[0]].out

    def _height(self, item: _Item) -> float:
        return _LANE if self._is_lane(item) else self.boxes[item[0]].height

    def _step(self, item: _Item, following: _Item) -> float:
        lanes = self._is_lane(item) and self._is_lane(following)
        return self._height(item) + (_LANE_GAP if lanes else GAP)

    def layout(self) -> Layout:
        ordered = sorted(self.columns)
        for sweep in range(_SWEEPS):
            last = sweep >= _SWEEPS - 2
            for column in ordered if sweep % 2 == 0 else reversed(ordered):
                self._settle(column, to_left=None if last else sweep % 2 == 0)
        top = min(self.tops.values(), default=0.0)
        self.tops = {item: value - top + MARGIN + HEAD for item, value in self.tops.items()}
        sides = self._sides(ordered)
        places = {
            name: (sides[box.column][0], self.tops[(name, box.column)]) for name, box in self.boxes.items()
        }
        bottom = max((self.tops[item] + self._height(item) for item in self.tops), default=0.0)
        right = max((side[1] for side in sides.values()), default=0.0)
        routes = tuple(self._route(link, sides, bottom) for link in self.links)
        return Layout(places, routes, sides, right + MARGIN + self._turn, bottom + MARGIN + self._turn)

    def _settle(self, column: int, *, to_left: bool | None) -> None:
        """Bring a column near to what it is connected with: on its left, on its right, or (None) on both sides."""
        items = self.columns[column]
        wanted, weights = {}, {}
        for item in items:
            near = [
                self.tops[other] + there - here
                for other, there, here, goes_right in self.ports[item]
                if to_left is None or goes_right != to_left
            ]
            wanted[item] = sum(near) / len(near) if near else self.tops[item]
            weights[item] = float(len(near)) or 0.01
        items.sort(key=lambda item: (wanted[item] + self._height(item) / 2, item[0]))
        self._stack(items, [wanted[item] for item in items], [weights[item] for item in items])

    def _stack(self, items: Sequence[_Item], wanted: Sequence[float], weights: Sequence[float]) -> None:
        """Place items below each other, as near as they can to where they want to be (weighted least squares)."""
        offsets = [0.0]
        for item, following in pairwise(items):
            offsets.append(offsets[-1] + self._step(item, following))
        fitted = _isotonic([top - offset for top, offset in zip(wanted, offsets, strict=True)], weights)
        for item, top, offset in zip(items, fitted, offsets, strict=True):
            self.tops[item] = top + offset

    def _sides(self, ordered: Sequence[int]) -> dict[int, tuple[float, float]]:
        """Return left and right of each column: the more edges pass between two, the further they are apart."""
        sides: dict[int, tuple[float, float]] = {}
        left = MARGIN + self._turn
        for column in ordered:
            names = [name for name, own in self.columns[column] if self.boxes[name].column == own]
            width = max((self.boxes[name].width for name in names), default=0.0)
            sides[column] = (left, left + width)
            passing = sum(goes_right for item in self.columns[column] for *_, goes_right in self.ports[item])
            left += width + min(_NARROW + _PER_EDGE * passing, _WIDE)
        return sides

    def _route(
        self, link: Link, sides: Mapping[int, tuple[float, float]], bottom: float
    ) -> tuple[Point, ...]:
        source, target = self.boxes[link.source], self.boxes[link.target]
        way = self._way(link)
        start = (
            sides[source.column][0] + source.width,
            self.tops[(source.name, source.column)] + source.out,
        )
        end = (sides[target.column][0], self.tops[(target.name, target.column)] + link.port)
        if not way:
            under = bottom + _TURN / 2
            return (start, (start[0] + _TURN, under), (end[0] - _TURN, under), end)
        points = [start]
        for item in way[1:-1]:
            height = self.tops[item] + _LANE / 2
            points += [(sides[item[1]][0], height), (sides[item[1]][1], height)]
        return (*points, end)


def _isotonic(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the values that never fall and are closest to the given ones: pools of adjacent violators."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        pools.append((value, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (first, heavy, many), (second, light, few) = pools[-2:]
            total = heavy + light
            pools[-2:] = [((first * heavy + second * light) / total, total, many + few)]
    return [value for value, _, number in pools for _ in range(number)]
