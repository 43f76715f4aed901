"""Each kind of figure: shape besides colour, what is pinned is counted, and no text is believed."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from bokeh.models import HoverTool, PlainText, Plot, Range1d, Scatter, TapTool
from bokeh.models.annotations import Label, Legend, Span, Title

from qcbench.core.errors import ReportError
from qcbench.look.figures import (
    DetectorImage,
    SpectralLine,
    TrendPoint,
    components,
    cuts,
    histogram,
    image_grid,
    ratio_or_difference,
    spectrum,
    trend,
)
from qcbench.look.marks import value_text

HOSTILE = '<script>alert(1)</script>" onmouseover="alert(2)\' $$\\alpha$$'
START = datetime(2026, 8, 20, tzinfo=UTC)


def detectors(n=4, names=None, shape=(40, 50), level=100.0):
    rng = np.random.default_rng(1)
    names = names or [f"chip {i + 1}" for i in range(n)]
    return [DetectorImage(name, rng.normal(level, 3, shape), "adu", 60000.0) for name in names]


def points(values, status="certified"):
    return [
        TrendPoint(START + timedelta(days=i), value, f"AB{i}.ab", status, f"HAWKI.T21:00:{i}.html")
        for i, value in enumerate(values)
    ]


def models(layout, kind):
    return list(layout.select({"type": kind}))


def titles(layout):
    return [title.text.text for title in models(layout, Title) if isinstance(title.text, PlainText)]


def columns(figure, name):
    return [value for drawn in figure.renderers for value in drawn.data_source.data.get(name, [])]


def test_detectors_pan_and_zoom_together_and_say_their_median():
    images = detectors()
    grid = image_grid(images)
    plots = [plot for plot in models(grid, Plot) if models(plot, HoverTool)]
    assert len(plots) == 4
    assert {id(plot.x_range) for plot in plots} == {id(plots[0].x_range)}
    assert {id(plot.y_range) for plot in plots} == {id(plots[0].y_range)}
    expected = value_text(float(np.median(images[0].data)), "adu", 3)
    assert f"chip 1 · median {expected}" in titles(grid)


def test_pixels_are_those_of_the_full_frame_with_y_up():
    grid = image_grid([DetectorImage("chip 1", np.zeros((1000, 600)), "adu", None)], max_side=100)
    (plot,) = [plot for plot in models(grid, Plot) if models(plot, HoverTool)]
    assert (plot.renderers[0].glyph.x, plot.renderers[0].glyph.y) == (0.5, 0.5)
    assert plot.renderers[0].data_source.data["dw"] == [600]
    assert plot.renderers[0].data_source.data["dh"] == [1000]
    assert isinstance(plot.y_range, Range1d)
    assert (plot.y_range.start, plot.y_range.end) == (0.5, 1000.5)


def test_saturated_pixels_are_named_below_the_image():
    data = np.full((10, 10), 100.0)
    data[0, :5] = 70000
    assert "5.0\u00a0% saturated" in titles(image_grid([DetectorImage("chip 1", data, "adu", 60000)]))[0]


def test_the_colour_bar_has_the_unit_and_the_cuts():
    grid = image_grid(detectors(), lower_upper=(90, 110))
    (bar,) = [plot for plot in models(grid, Plot) if not models(plot, HoverTool)]
    assert (bar.x_range.start, bar.x_range.end) == (90, 110)
    assert bar.below[0].axis_label.text == "adu"


def test_a_grid_without_images_is_refused():
    with pytest.raises(ReportError, match="no detector image to draw"):
        image_grid([])


def test_detectors_differ_by_dash_and_colour():
    made = histogram(detectors())
    glyphs = [drawn.glyph for drawn in made.renderers]
    assert len({str(glyph.line_dash) for glyph in glyphs}) == 4
    assert len({glyph.line_color for glyph in glyphs}) == 4
    assert [item.label.value for item in models(made, Legend)[0].items] == [f"chip {i}" for i in (1, 2, 3, 4)]


def test_a_histogram_counts_all_pixels_of_a_large_detector():
    data = np.random.default_rng(1).uniform(0, 1, (1000, 1001))
    made = histogram([DetectorImage("chip 1", data, "adu", 0.5)], bins=[0.0, 0.5, 1.0], log=False)
    corners = columns(made, "y")
    assert sum(corners) / 2 == pytest.approx(data.size, rel=1e-6)
    assert columns(made, "x") == [0.0, 0.5, 0.5, 1.0]
    assert models(made, Span)[0].location == 0.5


def test_a_cut_shows_the_previous_master_behind():
    made = cuts(detectors(2), "column", detectors(2))
    assert len(made.renderers) == 4
    assert made.renderers[0].glyph.line_color != made.renderers[2].glyph.line_color


def test_a_difference_is_told_in_robust_numbers():
    before = detectors()
    after = [DetectorImage(image.name, image.data + 2, "adu", None) for image in before]
    assert any("chip 3 · median 2.00\u00a0adu" in text for text in titles(ratio_or_difference(after, before)))
    ratio = ratio_or_difference(before, before, "ratio")
    assert any("chip 1 · median 1.00\n" in text for text in titles(ratio))


def test_a_comparison_needs_the_same_detectors():
    with pytest.raises(ReportError, match="no such detector"):
        ratio_or_difference(detectors(), detectors(3))
    with pytest.raises(
        ReportError, match=r"'chip 1': its shape is \(40, 50\), the previous master's \(20, 50\)"
    ):
        ratio_or_difference(detectors(1), detectors(1, shape=(20, 50)))
    with pytest.raises(ReportError, match="no comparison of kind 'sum'"):
        ratio_or_difference(detectors(1), detectors(1), "sum")


def test_states_differ_by_shape_and_filling():
    made = trend(points([1, 2, 3]) + points([2], "rejected") + points([3], "open"), name="RON", unit="adu")
    looks = {drawn.data_source.data["marker"][0]: drawn.glyph.fill_color for drawn in made.renderers}
    assert looks["circle"] is not None
    assert looks["circle_x"] is None
    assert looks["diamond"] is None


def test_outliers_are_pinned_to_the_edge_with_their_count_and_true_value():
    values = [9 + 0.1 * (i % 5) for i in range(40)] + [500.0, 800.0, -300.0]
    made = trend(points(values), name="RON", unit="adu", high=11)
    assert {label.text for label in models(made, Label)} == {"▲ 2 above", "▼ 1 below"}
    assert made.y_range.end < 20
    assert all(made.y_range.start < y < made.y_range.end for y in columns(made, "y"))
    assert columns(made, "marker").count("triangle") == 2
    assert "800.0\u00a0adu" in columns(made, "text")


def test_a_point_just_outside_its_threshold_is_seen_where_it_is():
    made = trend(points([9 + 0.1 * (i % 5) for i in range(40)] + [12.9]), name="RON", unit="adu", high=11.2)
    assert 12.9 in columns(made, "y")
    assert not models(made, Label)


def test_thresholds_are_dashed_and_breakpoints_dotted():
    made = trend(points([1, 2, 3]), name="RON", unit="adu", low=0, high=5, breakpoints=[START])
    spans = sorted((span.location, span.dimension, span.line_dash) for span in models(made, Span))
    milliseconds = START.timestamp() * 1000
    dashed, dotted = [6], [2, 4]
    assert spans == [(0, "width", dashed), (5, "width", dashed), (milliseconds, "height", dotted)]


def test_times_are_ut_whatever_zone_they_come_in():
    cest = timezone(timedelta(hours=2))
    for moment in (START, START.replace(tzinfo=None), START.astimezone(cest)):
        made = trend([TrendPoint(moment, 1.0, "a.ab", "certified")], name="RON", unit="adu")
        assert columns(made, "date") == ["2026-08-20 00:00"]
        assert columns(made, "x") == [START.timestamp() * 1000]


def test_a_tap_opens_the_page_of_the_point_and_nothing_else():
    bad = TrendPoint(START, 1.0, "a.ab", "certified", "//evil.org")
    made = trend([*points([1.0]), bad], name="RON", unit="adu")
    assert columns(made, "url") == ["./HAWKI.T21:00:0.html", ""]
    assert len(models(made, TapTool)) == 1


def test_the_highlighted_ab_is_ringed():
    made = trend(points([1, 2, 3]), name="RON", unit="adu", highlight="AB1.ab")
    ring = made.renderers[-1]
    assert isinstance(ring.glyph, Scatter)
    assert list(ring.data_source.data["y"]) == [2]


def test_a_trend_may_be_empty_and_leaves_out_what_is_no_number():
    assert trend([], name="RON", unit="adu").renderers == []
    made = trend(points([1.0, np.nan, np.inf]), name="RON", unit="adu")
    assert columns(made, "y") == [1.0]


def test_an_unknown_status_is_refused():
    with pytest.raises(ReportError, match=r"AB AB0\.ab: unknown status 'maybe'"):
        trend(points([1.0], "maybe"), name="RON", unit="adu")


def test_a_spectrum_tells_used_from_unused_lines():
    lines = [SpectralLine(2, "Ne"), SpectralLine(3, "Hg", used=False)]
    made = spectrum([1, 2, 3, 4], [0, 5, 2, np.nan], lines, x_unit="nm", y_unit="adu")
    assert [drawn.glyph.fill_alpha for drawn in made.renderers[1:]] == [1.0, 0.0]
    with pytest.raises(ReportError, match="both need"):
        spectrum([1, 2], [1], [])


def every_figure():
    images = detectors(2, names=[HOSTILE, "chip 2"])
    images = [DetectorImage(image.name, image.data, HOSTILE, 60000) for image in images]
    bad = [TrendPoint(START, 1.0, HOSTILE, "certified", HOSTILE)]
    yield image_grid(images)
    yield histogram(images, title=HOSTILE)
    yield cuts(images, "row", images)
    yield ratio_or_difference(images, images)
    yield trend(bad, name=HOSTILE, unit=HOSTILE, highlight=HOSTILE)
    yield spectrum([1, 2], [3, 4], [SpectralLine(1, HOSTILE)], x_unit=HOSTILE, y_unit=HOSTILE)


def test_no_text_of_a_figure_is_markup_or_formula():
    for figure in every_figure():
        script, div = components(figure)
        assert HOSTILE not in script + div
        assert (script + div).count("<script") == 1
        assert "<script>alert" not in script
        for tool in models(figure, HoverTool):
            assert "alert" not in tool.tooltips
            assert "{safe}" not in tool.tooltips
        for plot in models(figure, Plot):
            assert isinstance(plot.title.text, PlainText | str)
            assert isinstance(plot.title.text, PlainText) or not plot.title.text
            assert not any(isinstance(axis.axis_label, str) and "$" in axis.axis_label for axis in plot.axis)


def test_components_ask_nothing_of_the_network():
    for figure in every_figure():
        script, div = components(figure)
        assert "cdn" not in script + div
        assert "http" not in script + div
