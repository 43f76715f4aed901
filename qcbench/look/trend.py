"""The trend of one QC parameter: points against UT date, with thresholds and breakpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import numpy as np
from astropy.stats import mad_std
from bokeh.models import ColumnDataSource, CustomJS, DatetimeTickFormatter, Range1d, TapTool
from bokeh.models.annotations import Label, Span
from bokeh.models.renderers import DataRenderer, GlyphRenderer
from bokeh.plotting import figure

from qcbench.core.errors import ReportError
from qcbench.look.detectors import widened
from qcbench.look.links import safe_url
from qcbench.look.marks import value_text
from qcbench.look.theme import hover, legend_above, panel
from qcbench.look.tokens import GLYPH_MUTED, GLYPH_NOK, SERIES

Status = Literal["certified", "rejected", "open"]

# Shape and filling tell the states apart, with or without colour.
_SHAPES: dict[Status, str] = {"certified": "circle", "rejected": "circle_x", "open": "diamond"}
_STYLES: dict[Status, dict[str, Any]] = {
    "certified": {"size": 6, "line_color": SERIES[0], "fill_color": SERIES[0]},
    "rejected": {"size": 10, "line_color": GLYPH_NOK, "fill_color": None, "line_width": 1.5},
    "open": {"size": 12, "line_color": SERIES[4], "fill_color": None, "line_width": 2},
}
_WORDS: dict[Status, str] = {"certified": "certified", "rejected": "rejected", "open": "not decided"}
# A point that lies further from the median than both of these does not set the scale: so many robust
# scatters, and so many times the way to the threshold (a point just outside its limits is to be seen).
_REACH_SCATTERS = 8.0
_REACH_LIMITS = 2.0
# Parts of the scale: free at either edge, free where points are pinned, and the pins' way from the edge.
_PAD, _PAD_PINNED, _PIN = 0.1, 0.2, 0.06


@dataclass(frozen=True)
class _Scale:
    """The y axis: its ends, and the values from which points are pinned."""

    bottom: float
    top: float
    low: float
    high: float

    def place(self, value: float) -> float:
        inset = _PIN * (self.top - self.bottom)
        if value > self.high:
            return self.top - inset
        return self.bottom + inset if value < self.low else value

    def marker(self, value: float, normal: str) -> str:
        if value > self.high:
            return "triangle"
        return "inverted_triangle" if value < self.low else normal


@dataclass(frozen=True)
class TrendPoint:
    """One value of a QC parameter: when (UT), what, of which AB, and how that was decided."""

    time: datetime
    value: float
    ab: str
    status: Status
    url: str = ""


def trend(
    points: Sequence[TrendPoint],
    *,
    name: str,
    unit: str,
    low: float | None = None,
    high: float | None = None,
    breakpoints: Sequence[datetime] = (),
    highlight: str | None = None,
) -> figure:
    """Draw the trend of a QC parameter.

    Parameters
    ----------
    points : sequence of TrendPoint
        Values; those that are not finite are left out. A tap opens the point's `url`.
    name, unit : str
        Parameter and its unit.
    low, high : float or None
        Thresholds, `unit`: dashed red.
    breakpoints : sequence of datetime
        When something changed at the instrument: dotted grey.
    highlight : str or None
        AB whose points are ringed.

    Notes
    -----
    Points far from the median, by their robust scatter and by the thresholds, are pinned to the edge as
    triangles with their count.
    """
    shown = [point for point in points if np.isfinite(point.value)]
    for point in shown:
        if point.status not in get_args(Status):
            raise ReportError(f"trend of {name}, AB {point.ab}: unknown status '{point.status}'")
    scale = _scale([point.value for point in shown], low, high)
    made = panel(
        f"{name} [{unit}]" if unit else name,
        x_label="UT",
        y_label="",
        x_axis_type="datetime",
        y_range=Range1d(start=scale.bottom, end=scale.top),
    )
    made.xaxis.formatter = _date_formatter()
    _draw_lines(made, (low, high), breakpoints)
    drawn = _draw_points(made, shown, unit, scale)
    _draw_counts(made, shown, scale)
    _draw_ring(made, [point for point in shown if point.ab == highlight], scale)
    tips = [("AB", "@ab"), ("value", "@text"), ("date", "@date"), ("state", "@state")]
    made.add_tools(
        hover(tips, renderers=drawn), TapTool(renderers=list[DataRenderer](drawn), callback=_open_page())
    )
    if drawn:
        legend_above(made)
    return made


def _scale(values: list[float], low: float | None, high: float | None) -> _Scale:
    limits = [limit for limit in (low, high) if limit is not None]
    near = _near(values, limits) or [0.0, 1.0][: 0 if limits else 2]
    bottom, top = widened(min([*limits, *near]), max([*limits, *near]))
    span = top - bottom
    return _Scale(
        bottom=bottom - span * (_PAD_PINNED if any(value < bottom for value in values) else _PAD),
        top=top + span * (_PAD_PINNED if any(value > top for value in values) else _PAD),
        low=bottom,
        high=top,
    )


def _near(values: list[float], limits: list[float]) -> list[float]:
    if not values:
        return []
    array = np.asarray(values)
    middle, scatter = float(np.median(array)), float(mad_std(array))
    to_limits = max((abs(limit - middle) for limit in limits), default=0.0)
    reach = max(_REACH_SCATTERS * scatter, _REACH_LIMITS * to_limits) or float(np.ptp(array))
    return [value for value in values if abs(value - middle) <= reach]


def _draw_points(
    made: figure, points: list[TrendPoint], unit: str, scale: _Scale
) -> list[GlyphRenderer[Any]]:
    drawn = []
    for status, style in _STYLES.items():
        some = [point for point in points if point.status == status]
        # The legend shows the first point of its group, which a pinned one would misrepresent.
        some.sort(key=lambda point: scale.place(point.value) != point.value)
        if some:
            source = _source(some, unit, scale)
            label = _WORDS[status]
            drawn.append(
                made.scatter(
                    "x", "y", marker="marker", source=source, legend_label=label, muted_alpha=0.1, **style
                )
            )
    return drawn


def _source(points: list[TrendPoint], unit: str, scale: _Scale) -> ColumnDataSource:
    return ColumnDataSource(
        {
            "x": [_milliseconds(point.time) for point in points],
            "y": [scale.place(point.value) for point in points],
            "marker": [scale.marker(point.value, _SHAPES[point.status]) for point in points],
            "ab": [point.ab for point in points],
            "text": [value_text(point.value, unit) for point in points],
            "date": [_in_ut(point.time).strftime("%Y-%m-%d %H:%M") for point in points],
            "state": [_WORDS[point.status] for point in points],
            "url": [safe_url(point.url) for point in points],
        }
    )


def _draw_counts(made: figure, points: list[TrendPoint], scale: _Scale) -> None:
    above = sum(point.value > scale.high for point in points)
    below = sum(point.value < scale.low for point in points)
    if above:
        _write(made, f"▲ {above} above", scale.top, "top")
    if below:
        _write(made, f"▼ {below} below", scale.bottom, "bottom")


def _write(made: figure, text: str, y: float, baseline: Literal["top", "bottom"]) -> None:
    offset = -4 if baseline == "top" else 4
    made.add_layout(Label(x=8, x_units="screen", y=y, y_offset=offset, text=text, text_baseline=baseline))


def _draw_ring(made: figure, points: list[TrendPoint], scale: _Scale) -> None:
    if points:
        made.scatter(
            [_milliseconds(point.time) for point in points],
            [scale.place(point.value) for point in points],
            marker="circle",
            size=20,
            line_color=SERIES[4],
            line_width=2,
            fill_color=None,
        )


def _draw_lines(
    made: figure, limits: tuple[float | None, float | None], breakpoints: Sequence[datetime]
) -> None:
    for limit in limits:
        if limit is not None:
            made.add_layout(Span(dimension="width", location=limit, line_color=GLYPH_NOK, line_dash="dashed"))
    for moment in breakpoints:
        at = _milliseconds(moment)
        made.add_layout(Span(dimension="height", location=at, line_color=GLYPH_MUTED, line_dash="dotted"))


def _open_page() -> CustomJS:
    # Bokeh's OpenURL encodes an address that is encoded already, and '%3A' is what an AB name holds.
    return CustomJS(
        code="""
        const source = cb_data.source;
        const index = source.selected.indices[0];
        const url = index === undefined ? "" : source.data.url[index];
        if (url) window.open(url, "_blank", "noopener");
        """
    )


def _date_formatter() -> DatetimeTickFormatter:
    return DatetimeTickFormatter(
        minutes="%H:%M", hourmin="%H:%M", hours="%m-%d %H:%M", days="%Y-%m-%d", months="%Y-%m", years="%Y"
    )


def _in_ut(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _milliseconds(moment: datetime) -> float:
    return _in_ut(moment).timestamp() * 1000
