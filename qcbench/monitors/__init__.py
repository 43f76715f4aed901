"""Monitors: pages that show where things stand. Each is a view of the database."""

from qcbench.monitors.ab_monitor import ABRow, ab_monitor, ab_rows

__all__ = ["ABRow", "ab_monitor", "ab_rows"]
