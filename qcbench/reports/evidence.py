"""What a verdict is judged by: trends, images, histogram, cuts, spectra, and the previous master."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import numpy as np
from bokeh.models import Range1d
from bokeh.plotting import figure
from markupsafe import Markup

from qcbench.core.addresses import relative_url
from qcbench.core.dates import time_of_mjd
from qcbench.instruments import TableSpec
from qcbench.look.figures import (
    TrendPoint,
    cuts,
    histogram,
    image_grid,
    ratio_or_difference,
    spectrum,
    trend,
)
from qcbench.look.marks import age, state_box
from qcbench.look.pages import Column, table
from qcbench.reports.pixels import Content, TableContent, same_shape
from qcbench.reports.sections import Section, card, drawn, padded
from qcbench.reports.subject import Subject
from qcbench.scoring import Verdict
from qcbench.trending import first_kpi, series

TREND_DAYS = 90.0
MAX_TRENDS = 2
# Two grids of images in one page, at most: together they keep a page below 3 MB.
IMAGE_SIDE = 250


def trends(subject: Subject) -> Section:
    """Return the trends of the worst red parameters, else of the first key performance indicator."""
    parts = [_trend(subject, verdict) for verdict in _chosen(subject)]
    if not parts:
        return Section(Markup(""))
    return card("Trend", Markup("").join(parts), note=f"the last {TREND_DAYS:g} days", narrow=True)


def images(subject: Subject) -> Section:
    """Return the images of the main product; where it has none, those of its raw frames."""
    content = subject.content
    if content is not None and content.images:
        return card("Image", _grid(content), note=f"{_name(subject)}{_thinned(content)}")
    grids = [
        Markup('<p class="muted" style="margin:12px 16px 0">{}</p>').format(
            f"{frame.arcfile} · {frame.exptime:g} s{_thinned(found)}"
        )
        + _grid(found)
        for frame, found in subject.raw_contents
        if found.images
    ]
    if grids:
        return card(
            "Raw frames", Markup("").join(grids), note="the product has no image: first and last frame"
        )
    if content is not None and (content.spectra or content.tables):
        return Section(Markup(""))
    box = state_box(
        "empty",
        "There is no image",
        since="The product has none, and its raw frames are not in the data tree any more.",
        todo="Have the raw frames downloaded again, then make the report again.",
    )
    return card("Image", padded(box))


def distribution(subject: Subject) -> Section:
    """Return the histogram of the pixels."""
    content = _imaged(subject)
    if content is None:
        return Section(Markup(""))
    made = histogram(content.images)
    _wrap_legend(made)
    return card("Histogram", drawn(made), narrow=True)


def profile(subject: Subject, axis: Literal["row", "column"]) -> Section:
    """Return the cut along the rows or the columns, with that of the previous master in grey."""
    content = _imaged(subject)
    if content is None:
        return Section(Markup(""))
    before = subject.previous_content if content is subject.content else None
    reference = same_shape(before.images, content.images) if before else []
    made = cuts(content.images, axis, reference)
    _wrap_legend(made)
    return card(
        f"Cut along {axis}s", drawn(made), note="previous master in grey" if reference else "", narrow=True
    )


def spectra(subject: Subject) -> Section:
    """Return the spectra of the main product, and its tables where it has no spectrum."""
    content = subject.content
    if content is None or not (content.spectra or content.tables):
        return Section(Markup(""))
    parts = [
        Markup('<p class="muted" style="margin:12px 16px 0">{}</p>').format(
            f"{item.name} · {len(item.lines)} lines"
        )
        + drawn(spectrum(item.x, item.flux, item.lines, x_unit=item.x_unit, y_unit=item.unit))
        for item in content.spectra
    ]
    parts += [
        table(
            [Column(name, unit, isinstance(cell, int | float)) for (name, unit), cell in _columns(item)],
            item.rows,
            caption=f"{item.name}: {item.n_rows} rows"
            + (", the first of them" if item.n_rows > len(item.rows) else ""),
        )
        for item in content.tables
    ]
    return card("Spectrum" if content.spectra else "Table", Markup("").join(parts), note=_name(subject))


def previous(subject: Subject) -> Section:
    """Return the comparison with the previous certified master of the same setup."""
    title = "Against the previous master"
    content, before = subject.content, subject.previous_content
    setup = " ".join(part for part in (subject.ab.raw_type, subject.ab.setup) if part)
    if subject.product is None or content is None or not content.images:
        return Section(Markup(""))
    if subject.previous is None or before is None:
        gone = subject.previous is not None
        box = state_box(
            "empty",
            "Its file is not here any more" if gone else "There is nothing to compare with",
            since=f"No earlier certified {subject.product.pro_catg} of {setup} is at hand.",
            todo="This one becomes the reference of the next, once it is certified.",
        )
        return card(title, padded(box))
    pairs = same_shape(content.images, before.images)
    if not pairs or content.step != before.step:
        box = state_box(
            "stale",
            "The previous master has another format",
            since=f"{subject.previous.file_name} has other detectors or another window.",
            todo="Compare with one of the same readout by hand.",
        )
        return card(title, padded(box))
    kind: Literal["ratio", "difference"] = "ratio" if _is_normalised(content) else "difference"
    elapsed = time_of_mjd(subject.product.mjd_obs) - time_of_mjd(subject.previous.mjd_obs)
    note = f"{kind} with {subject.previous.file_name}, {age(elapsed)} before"
    return card(title, drawn(ratio_or_difference(pairs, before.images, kind)), note=note)


def _chosen(subject: Subject) -> list[Verdict]:
    """Return the worst red value of up to so many parameters; else the first key performance indicator."""
    red: dict[tuple[str, str], Verdict] = {}
    for verdict in subject.verdicts:
        if verdict.verdict == 1:
            red.setdefault((verdict.table, verdict.parameter), verdict)
    if red:
        return list(red.values())[:MAX_TRENDS]
    for name, spec in subject.pack.tables_of(subject.ab.raw_type).items():
        parameter = first_kpi(spec).name
        for verdict in subject.verdicts:
            if (verdict.table, verdict.parameter) == (name, parameter):
                return [verdict]
    return []


def _trend(subject: Subject, verdict: Verdict) -> Markup:
    ab = subject.ab
    spec = subject.pack.tables[verdict.table]
    end = time_of_mjd(ab.mjd_obs)
    where = _filters(spec, subject.rows.get(verdict.table, []), verdict.detector)
    points = series(
        subject.bench,
        ab.instrument,
        verdict.table,
        verdict.parameter,
        detector=verdict.detector,
        where=where,
        days=TREND_DAYS,
        until=end,
    )
    made = trend(
        [
            TrendPoint(point.time, point.value, point.ab, point.status, _report_url(subject, point.report))
            for point in points
        ],
        name=f"{verdict.label} · {verdict.detector}",
        unit=verdict.unit,
        low=verdict.low,
        high=verdict.high,
        highlight=ab.name,
    )
    # Of one width for all, so that a lone point is seen as one.
    made.x_range = Range1d(start=end - dt.timedelta(days=TREND_DAYS), end=end + dt.timedelta(days=2))
    return drawn(made)


def _filters(spec: TableSpec, rows: list[dict[str, object]], detector: str) -> dict[str, object]:
    """Return the values of the keys that filter, so that a trend holds what can be compared."""
    own = next((row for row in rows if row["detector"] == detector), {})
    names = [column.name for column in spec.columns if column.kind == "FILTER"]
    return {name: own[name] for name in names if own.get(name) is not None}


def _report_url(subject: Subject, report: str | None) -> str:
    return relative_url(subject.bench.settings.root / report, subject.folder) if report else ""


def _imaged(subject: Subject) -> Content | None:
    """Return what images there are: those of the product, else those of the first raw frame."""
    contents = [subject.content, *(content for _, content in subject.raw_contents)]
    return next((content for content in contents if content is not None and content.images), None)


def _wrap_legend(made: figure) -> None:
    """Keep the legend of a narrow card inside it."""
    made.legend[0].ncols = 3


def _grid(content: Content) -> Markup:
    return drawn(image_grid(content.images, max_side=IMAGE_SIDE))


def _name(subject: Subject) -> str:
    return f"{subject.product.pro_catg} · {subject.product.file_name}" if subject.product else ""


def _thinned(content: Content) -> str:
    return f" · every {content.step}th row and column" if content.step > 1 else ""


def _columns(item: TableContent) -> list[tuple[tuple[str, str], str | float]]:
    first = item.rows[0] if item.rows else ("",) * len(item.columns)
    return list(zip(item.columns, first, strict=True))


def _is_normalised(content: Content) -> bool:
    """Tell whether the images are normalised to 1, so that a ratio says more than a difference."""
    return 0.5 < float(np.nanmedian(content.images[0].data[::8, ::8])) < 2.0
