"""Figures of one-dimensional data: histogram, cuts across a detector, and the spectrum of an arc."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from bokeh.models import ColumnDataSource, DataRange1d
from bokeh.models.annotations import Span
from bokeh.plotting import figure
from numpy.typing import ArrayLike, NDArray

from qcbench.core.errors import ReportError
from qcbench.look.detectors import DetectorImage, check_images, finite_sample, profile, widened
from qcbench.look.theme import DASHES, hover, legend_above, panel
from qcbench.look.tokens import GLYPH_MUTED, GLYPH_NOK, SERIES


@dataclass(frozen=True)
class SpectralLine:
    """A line of an arc: where it lies, what it is, and whether the recipe used it."""

    position: float
    name: str
    used: bool = True


def histogram(
    images: Sequence[DetectorImage],
    *,
    bins: int | Sequence[float] = 128,
    log: bool = True,
    title: str = "histogram",
) -> figure:
    """Draw how the pixels of each detector are distributed.

    Parameters
    ----------
    images : sequence of DetectorImage
        Detectors.
    bins : int or sequence of float
        Number of bins over the inner 99.8 % of all pixels, or their edges in the unit of the images.
    log : bool
        Logarithmic counts.
    title : str
        Title of the figure.
    """
    check_images(images)
    samples = [finite_sample(image.data) for image in images]
    edges = _edges(samples) if isinstance(bins, int) else np.asarray(bins, dtype=np.float64)
    if isinstance(bins, int):
        edges = np.linspace(edges[0], edges[-1], bins + 1)
    floor = 0.5 if log else 0.0
    made = panel(
        title,
        x_label=_pixel_label(images),
        y_label="pixels",
        y_axis_type="log" if log else "linear",
        y_range=DataRange1d(start=floor),
    )
    for index, (image, sample) in enumerate(zip(images, samples, strict=True)):
        counts = np.histogram(sample, edges)[0] * (image.data.size / max(1, sample.size))
        # Drawn as the outline of its bars: Bokeh's own steps know no hover.
        outline = np.repeat(np.maximum(counts, floor), 2)
        _line(made, image.name, np.repeat(edges, 2)[1:-1], outline, index, width=1.5)
    for level in {image.saturation for image in images if image.saturation is not None}:
        if edges[0] <= level <= edges[-1]:
            made.add_layout(
                Span(dimension="height", location=level, line_color=GLYPH_NOK, line_dash="dashed")
            )
    _finish(made, [("value", "@x{0.[000]}"), ("pixels", "@y{0}")])
    return made


def cuts(
    images: Sequence[DetectorImage],
    axis: Literal["row", "column"] = "row",
    reference: Sequence[DetectorImage] | None = None,
    *,
    central: bool = False,
) -> figure:
    """Draw a cut across each detector.

    Parameters
    ----------
    images : sequence of DetectorImage
        Detectors.
    axis : {"row", "column"}
        Along the rows (against x) or along the columns (against y).
    reference : sequence of DetectorImage or None
        The same of a previous master, drawn in grey.
    central : bool
        The central row or column in place of the median of all of them.
    """
    check_images(images)
    letter = "x" if axis == "row" else "y"
    how = f"central {axis}" if central else f"median of all {axis}s"
    made = panel(
        f"cut along {letter}, {how}",
        x_label=f"{letter} [pixel]",
        y_label=_pixel_label(images),
        x_range=DataRange1d(range_padding=0),
    )
    for image in reference or ():
        x, y = profile(image, axis, central=central)
        made.line(x, y, line_color=GLYPH_MUTED, line_alpha=0.7, legend_label="previous")
    for index, image in enumerate(images):
        x, y = profile(image, axis, central=central)
        _line(made, image.name, x, y, index, width=1)
    _finish(made, [(letter, "@x{0}"), ("value", "@y{0.[000]}")])
    return made


def spectrum(
    x: ArrayLike, y: ArrayLike, lines: Sequence[SpectralLine], *, x_unit: str = "", y_unit: str = ""
) -> figure:
    """Draw the spectrum of an arc with its lines.

    Parameters
    ----------
    x, y : (n,) array
        Wavelength (or pixel) and flux.
    lines : sequence of SpectralLine
        Lines: used ones filled, unused ones hollow, at the top of the frame; hover names them.
    x_unit, y_unit : str
        Units.
    """
    across, flux = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if across.shape != flux.shape or across.ndim != 1 or not across.size:
        raise ReportError(
            f"spectrum: x has the shape {across.shape} and y {flux.shape}; both need (n,), n > 0"
        )
    made = panel(
        "spectrum",
        x_label=_labelled("x", x_unit),
        y_label=_labelled("flux", y_unit),
        x_range=DataRange1d(range_padding=0),
    )
    made.line(across, flux, line_color=SERIES[0])
    finite = flux[np.isfinite(flux)]
    low, high = widened(float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    top = high + 0.08 * (high - low)
    for used, word in ((True, "used"), (False, "not used")):
        some = [line for line in lines if line.used is used]
        if some:
            data: dict[str, Any] = {
                "x": [line.position for line in some],
                "y": [top] * len(some),
                "name": [line.name for line in some],
            }
            marks = made.scatter(
                "x",
                "y",
                source=ColumnDataSource(data),
                marker="inverted_triangle",
                size=7,
                line_color=SERIES[1],
                fill_color=SERIES[1],
                fill_alpha=1.0 if used else 0.0,
                legend_label=word,
            )
            made.add_tools(hover([("line", "@name"), ("at", "@x{0.[0000]}")], renderers=[marks]))
    if made.legend:
        legend_above(made)
    return made


def _line(
    made: figure, name: str, x: NDArray[np.float64], y: NDArray[np.float64], index: int, *, width: float
) -> None:
    data: dict[str, Any] = {"x": x.astype(np.float32), "y": y.astype(np.float32), "name": [name] * x.size}
    made.line(
        "x",
        "y",
        source=ColumnDataSource(data),
        line_color=SERIES[index % len(SERIES)],
        line_dash=DASHES[index % len(DASHES)],
        line_width=width,
        muted_alpha=0.15,
        legend_label=name,
    )


def _finish(made: figure, tips: list[tuple[str, str]]) -> None:
    made.add_tools(hover([("", "@name"), *tips]))
    legend_above(made)


def _edges(samples: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    every = np.concatenate(samples)
    if not every.size:
        return np.array([0.0, 1.0])
    low, high = np.percentile(every, (0.1, 99.9))
    return np.array(widened(float(low), float(high)))


def _pixel_label(images: Sequence[DetectorImage]) -> str:
    return _labelled("pixel value", images[0].unit)


def _labelled(name: str, unit: str) -> str:
    return f"{name} [{unit}]" if unit else name
