"""Figures of line widths against angle or frequency, with the fitted parts."""

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ...fitting.width_fit import width_curve
from ...io.fit_results import curve_grid
from .style import BLUE, ONE_COLUMN, STYLE, VERMILLION, angle_axis, inches, title_above


if TYPE_CHECKING:
    from ...fitting.fit_result import FitResult
    from ...fitting.width_fit import WidthFit


def figure_widths(
    result: "FitResult", found: "WidthFit", series: int = 0, title: str = ""
) -> Figure:
    """Widths of one series (FWHM) and the fitted ones: over the angle, or over the frequency.

    Args:
        result: The fit of the positions.
        found: The fit of the widths of all series.
        series: Index of the series.
        title: Stands above the figure.
    """
    data = result.series[series]
    start = sum(len(one) for one in result.series[:series])
    own = slice(start, start + len(data))
    predicted = 1e3 * found.predicted[own]
    measured = predicted + 1e3 * found.residuals[own]
    known = np.isfinite(measured)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=inches(ONE_COLUMN, 62), layout="constrained")
        axes = figure.add_subplot()
        if data.direction is not None:
            x = np.arange(1.0, len(data) + 1)
            axes.plot(x, predicted, "_", color=VERMILLION, markersize=9, label="fit", zorder=2)
            axes.set_xlabel("row")
        elif data.is_rotation:
            x, grid = np.degrees(data.angle), curve_grid(data.angle)
            curve = 1e3 * width_curve(result, found, np.radians(grid), series)
            axes.plot(grid, curve, color=VERMILLION, label="fit", zorder=2)
            angle_axis(axes, grid)
        else:
            x, hertz = data.frequency / 1e9, np.linspace(0, 1.05 * data.frequency.max(), 200)[1:]
            at = np.full(len(hertz), data.angle[0])
            curve = 1e3 * width_curve(result, found, at, series, hertz)
            axes.plot(hertz / 1e9, curve, color=VERMILLION, label="fit", zorder=2)
            axes.set_xlabel("frequency (GHz)")
            axes.set_xlim(left=0)
        axes.plot(x[known], measured[known], "o", color=BLUE, markersize=3.5, label="measured")
        axes.set_ylim(bottom=0)
        axes.set_ylabel("line width, FWHM (mT)")
        axes.legend(loc="best", frameon=False)
        title_above(axes, title)
    return figure
