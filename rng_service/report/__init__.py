"""Self-contained pages: HTML without scripts or outside resources, with SVG plots; the same input, the same bytes."""

from rng_service.report.axis import Axis, axis_for, log_axis
from rng_service.report.page import Page, Table
from rng_service.report.plot import Plot

__all__ = ["Axis", "Page", "Plot", "Table", "axis_for", "log_axis"]
