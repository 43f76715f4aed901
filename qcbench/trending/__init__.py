"""Trending: the values of a QC parameter over time."""

from qcbench.trending.series import SeriesPoint, filled_tables, first_kpi, series

__all__ = ["SeriesPoint", "filled_tables", "first_kpi", "series"]
