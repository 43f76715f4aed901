"""Figures of detector images: the grid, and the comparison with a previous master."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from bokeh.layouts import column, gridplot
from bokeh.models import (
    BasicTicker,
    BoxZoomTool,
    LayoutDOM,
    LinearColorMapper,
    PanTool,
    Range1d,
    ResetTool,
    SaveTool,
)
from bokeh.models.annotations import Title
from bokeh.palettes import gray
from bokeh.plotting import figure
from numpy.typing import NDArray

from qcbench.core.errors import ReportError
from qcbench.look.detectors import (
    DetectorImage,
    block_mean,
    check_images,
    comparison,
    grid_side,
    median,
    saturated_fraction,
    widened,
    zscale_cuts,
)
from qcbench.look.marks import value_text
from qcbench.look.profiles import histogram
from qcbench.look.theme import hover, plain, wheel_zoom
from qcbench.look.tokens import SERIES

_MAX_WIDTHS = {1: 560, 2: 480, 3: 420, 4: 380}
_LABEL_LINE = 22


def image_grid(
    images: Sequence[DetectorImage],
    *,
    max_side: int = 512,
    lower_upper: tuple[float, float] | None = None,
    labels: Sequence[str] | None = None,
) -> LayoutDOM:
    """Draw the detectors side by side, on one grey scale, with linked pan and zoom.

    Parameters
    ----------
    images : sequence of DetectorImage
        Detectors, in reading order.
    max_side : int
        Longest side of an image in the page, pixels; larger detectors are averaged in blocks, and
        more so where many of them share the page.
    lower_upper : (float, float) or None
        Cuts, in the unit of the images; None takes zscale over all detectors.
    labels : sequence of str or None
        Text below each image; None says name, median and saturated part.
    """
    check_images(images)
    low, high = widened(*lower_upper) if lower_upper else zscale_cuts(images)
    mapper = LinearColorMapper(palette=gray(256), low=low, high=high, nan_color=SERIES[0])
    side = grid_side(len(images), max_side)
    texts = labels if labels is not None else [_label(image) for image in images]
    n_columns = _n_columns(len(images))
    ny, nx = (max(image.data.shape[axis] for image in images) for axis in (0, 1))
    ranges = Range1d(start=0.5, end=nx + 0.5), Range1d(start=0.5, end=ny + 0.5)
    width = _MAX_WIDTHS.get(n_columns, 200)
    n_lines = 1 + max(text.count("\n") for text in texts)
    height = round(width * ny / nx) + n_lines * _LABEL_LINE
    panels = [_frame(ranges, width, height) for _ in images]
    for made, image, text in zip(panels, images, texts, strict=True):
        _draw(made, image, mapper, side)
        made.title = Title(text=plain(text))
    grid = gridplot(
        list[Any | None](panels),
        ncols=n_columns,
        toolbar_location="right",
        sizing_mode="scale_width",
        toolbar_options={"logo": None, "autohide": True},
    )
    grid.update(spacing=8)
    grid.styles = {"max-width": f"{(width + 8) * n_columns + 30}px"}
    return column(grid, _colour_bar(mapper, low, high, images[0].unit), sizing_mode="stretch_width")


def ratio_or_difference(
    images: Sequence[DetectorImage],
    previous: Sequence[DetectorImage],
    kind: Literal["difference", "ratio"] = "difference",
) -> LayoutDOM:
    """Compare detectors with those of the previous certified master.

    Parameters
    ----------
    images, previous : sequence of DetectorImage
        New and previous; matched by name.
    kind : {"difference", "ratio"}
        New minus previous, or new over previous (NaN where previous is 0).

    Returns
    -------
    LayoutDOM
        Images with median, scatter and part beyond 5 scatters below each, and the histogram of them all.

    Raises
    ------
    ReportError
        Where a detector has no counterpart of the same shape.
    """
    check_images(images)
    before = {image.name: image for image in previous}
    compared = [_compared(image, before.get(image.name), kind) for image in images]
    labels = [_comparison_label(image) for image in compared]
    return column(
        image_grid(compared, labels=labels), histogram(compared, title=kind), sizing_mode="stretch_width"
    )


def _compared(image: DetectorImage, previous: DetectorImage | None, kind: str) -> DetectorImage:
    if previous is None:
        raise ReportError(f"image '{image.name}': the previous master has no such detector to compare with")
    if previous.data.shape != image.data.shape:
        shapes = f"{image.data.shape}, the previous master's {previous.data.shape}"
        raise ReportError(f"image '{image.name}': its shape is {shapes}; compare masters of the same readout")
    new, old = image.data.astype(np.float64), previous.data.astype(np.float64)
    if kind == "difference":
        return DetectorImage(image.name, new - old, image.unit)
    if kind != "ratio":
        raise ReportError(f"image '{image.name}': no comparison of kind '{kind}'; use difference or ratio")
    ratio: NDArray[np.float64] = np.full(new.shape, np.nan)
    np.divide(new, old, out=ratio, where=old != 0)
    return DetectorImage(image.name, ratio, "")


def _label(image: DetectorImage) -> str:
    text = f"{image.name} · median {value_text(median(image.data), image.unit, 3)}"
    saturated = saturated_fraction(image)
    return f"{text} · {value_text(100 * saturated, '%', 2)} saturated" if saturated else text


def _comparison_label(image: DetectorImage) -> str:
    found = comparison(image.data)
    middle, scatter = (value_text(value, image.unit, 3) for value in (found.median, found.scatter))
    beyond = value_text(100 * found.beyond, "%", 2)
    return f"{image.name} · median {middle}\nσ {scatter} · {beyond} beyond 5σ"


def _n_columns(n_images: int) -> int:
    if n_images <= 4:
        return n_images
    return 4 if n_images <= 8 else 8


def _coloured(mapper: LinearColorMapper) -> dict[str, Any]:
    # Bokeh takes it, and its own typing does not know it.
    return {"color_mapper": mapper}


def _frame(ranges: tuple[Range1d, Range1d], width: int, height: int) -> figure:
    """Return an empty frame; the colour is drawn on shared ranges, so that all pan and zoom as one."""
    x_range, y_range = ranges
    made = figure(
        x_range=x_range,
        y_range=y_range,
        width=width,
        height=height,
        min_border=0,
        tools=[PanTool(), BoxZoomTool(match_aspect=True), wheel_zoom(), ResetTool(), SaveTool()],
        title_location="below",
        toolbar_location=None,
        # else a frame is never narrower than its label, and the last ones fall off a narrow page
        styles={"min-width": "0"},
    )
    made.axis.visible = False
    made.grid.visible = False
    return made


def _draw(made: figure, image: DetectorImage, mapper: LinearColorMapper, side: int) -> None:
    blocks, step = block_mean(image.data, side)
    ny, nx = blocks.shape
    data: dict[str, Any] = {
        "image": [blocks],
        "dw": [nx * step],
        "dh": [ny * step],
        "unit": [image.unit],
        "name": [image.name],
    }
    drawn = made.image("image", x=0.5, y=0.5, dw="dw", dh="dh", source=data, **_coloured(mapper))
    value = "@image{0.[000]} @unit" + (f" (mean of {step} × {step})" if step > 1 else "")
    made.add_tools(hover([("", "@name"), ("x, y", "$x{0}, $y{0}"), ("value", value)], renderers=[drawn]))


def _colour_bar(mapper: LinearColorMapper, low: float, high: float, unit: str) -> figure:
    # The text of Bokeh's own ColorBar is out of reach of the page's stylesheet: unreadable on a dark page.
    made = figure(
        x_range=Range1d(start=low, end=high),
        width=380,
        height=52,
        min_border=0,
        min_border_top=6,
        min_border_right=24,
        tools="",
        toolbar_location=None,
    )
    ramp = [np.linspace(low, high, 256, dtype=np.float32)[np.newaxis, :]]
    made.image(ramp, x=low, y=0, dw=high - low, dh=1, **_coloured(mapper))
    made.y_range = Range1d(start=0, end=1)
    made.yaxis.visible = False
    made.grid.visible = False
    made.xaxis.ticker = BasicTicker(desired_num_ticks=6)
    made.xaxis.axis_label = plain(unit)
    made.xaxis.axis_label_standoff = 0
    return made
