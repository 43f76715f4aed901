"""The Bokeh theme of the tokens, and how a figure goes into a page."""

from __future__ import annotations

from typing import Any

from bokeh.embed import components as embed_components
from bokeh.models import HoverTool, InlineStyleSheet, LayoutDOM, PlainText, WheelZoomTool
from bokeh.models.annotations import Title
from bokeh.plotting import figure
from bokeh.themes import Theme
from markupsafe import Markup

from qcbench.look.tokens import GLYPH_MUTED, LIGHT, SANS

DASHES = ("solid", "dashed", "dotdash", "dotted", "dashdot")
_SMALL = "11px"
# Bokeh keeps its tooltips white on any page, and its own labels in them are too pale to read.
_TIP = Markup(
    '<div style="display:grid;grid-template-columns:auto auto;gap:0 8px;font:12px/1.4 monospace;color:{ink}">'
    "{lines}</div>"
)
_TIP_LINE = Markup('<span style="color:{muted}">{label}</span><span>{value}</span>')


def bokeh_theme() -> Theme:
    """Return the theme: light tokens, which the page's stylesheet turns dark."""
    text = {"text_font": SANS, "text_font_size": _SMALL, "text_font_style": "normal"}
    return Theme(
        json={
            "attrs": {
                "Plot": {
                    # Opaque: after a resize Bokeh paints over what it drew before, and clears nothing.
                    "background_fill_color": LIGHT.card,
                    "border_fill_color": LIGHT.card,
                    "outline_line_color": LIGHT.line,
                    "border_line_color": None,
                    "min_border": 4,
                },
                "Title": {**text, "text_font_size": "12px", "text_color": LIGHT.ink, "standoff": 6},
                "Label": {**text, "text_color": LIGHT.ink},
                "Grid": {"grid_line_color": LIGHT.row},
                "Axis": {
                    **_prefixed("axis_label_", text),
                    **_prefixed("major_label_", text),
                    "axis_label_text_color": LIGHT.muted,
                    "major_label_text_color": LIGHT.muted,
                    "axis_line_color": None,
                    "major_tick_line_color": LIGHT.none,
                    "minor_tick_line_color": None,
                    "major_tick_in": 0,
                    "major_tick_out": 4,
                    "axis_label_standoff": 6,
                },
                "Legend": {
                    **_prefixed("label_", text),
                    "label_text_color": LIGHT.ink,
                    "background_fill_alpha": 0,
                    "border_line_color": None,
                    "padding": 0,
                    "margin": 4,
                    "spacing": 12,
                    "label_standoff": 4,
                    "glyph_width": 20,
                },
            }
        }
    )


def components(layout: LayoutDOM) -> tuple[Markup, Markup]:
    """Return the script and the div of a figure or layout, in our theme, for the body of a page."""
    script, div = embed_components(layout, theme=bokeh_theme())
    return Markup(script), Markup(div)


def plain(text: str) -> PlainText:
    """Return text that Bokeh draws as it is: a pair of dollar signs in it is no formula."""
    return PlainText(text=text)


def panel(title: str, *, x_label: str, y_label: str, height: int = 280, **options: Any) -> figure:
    """Return an empty figure as wide as its place, with the tools that every figure has.

    Parameters
    ----------
    title, x_label, y_label : str
        Texts, drawn as they are.
    height : int
        Height, px.
    **options
        Passed to `bokeh.plotting.figure`.
    """
    made = figure(
        height=height,
        sizing_mode="stretch_width",
        tools=["pan", "box_zoom", "reset", "save"],
        active_drag="box_zoom",
        **options,
    )
    made.title = Title(text=plain(title))
    made.xaxis.axis_label = plain(x_label)
    made.yaxis.axis_label = plain(y_label)
    made.add_tools(wheel_zoom())
    made.toolbar.logo = None
    made.toolbar.autohide = True
    return made


def wheel_zoom() -> WheelZoomTool:
    """Return a zoom by Ctrl and wheel: the wheel alone still scrolls the page."""
    return WheelZoomTool(modifiers={"ctrl": True})


def hover(tooltips: list[tuple[str, str]], **options: Any) -> HoverTool:
    """Return a hover tool.

    Parameters
    ----------
    tooltips : list of (str, str)
        Fixed label and fixed column reference: values reach the page only through columns, which
        Bokeh escapes.
    **options
        Passed to `bokeh.models.HoverTool`.
    """
    lines = Markup("").join(
        _TIP_LINE.format(muted=LIGHT.muted, label=label, value=value) for label, value in tooltips
    )
    return HoverTool(tooltips=str(_TIP.format(ink=LIGHT.ink, lines=lines)), **options)


def legend_above(made: figure) -> None:
    """Put the legend in one line over the frame, where it hides no point; a click mutes its entry."""
    legend = made.legend[0]
    legend.orientation = "horizontal"
    legend.location = "left"
    legend.click_policy = "mute"
    legend.stylesheets = [InlineStyleSheet(css=f".bk-label{{color:var(--ink,{LIGHT.ink})!important}}")]
    legend.inactive_fill_color = GLYPH_MUTED
    legend.inactive_fill_alpha = 0.2
    made.add_layout(legend, "above")


def _prefixed(prefix: str, values: dict[str, str]) -> dict[str, str]:
    return {prefix + name: value for name, value in values.items()}
