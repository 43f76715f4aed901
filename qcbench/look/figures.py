"""The one place that builds a Bokeh figure of each kind, for reports, apps and web pages alike."""

from qcbench.look.detectors import Comparison, DetectorImage, comparison
from qcbench.look.images import image_grid, ratio_or_difference
from qcbench.look.profiles import SpectralLine, cuts, histogram, spectrum
from qcbench.look.theme import bokeh_theme, components
from qcbench.look.trend import TrendPoint, trend

__all__ = [
    "Comparison",
    "DetectorImage",
    "SpectralLine",
    "TrendPoint",
    "bokeh_theme",
    "comparison",
    "components",
    "cuts",
    "histogram",
    "image_grid",
    "ratio_or_difference",
    "spectrum",
    "trend",
]
