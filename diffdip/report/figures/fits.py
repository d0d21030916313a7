"""Figures of a fit: measured fields, model and residuals, and the correlation of parameters."""

from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...fitting.parameter_table import parameter_kind
from ...foundation.units import larmor_value
from ...io.fit_results import curve_grid, kittel_curve
from .style import BLUE, GRAY, STYLE, TWO_COLUMNS, VERMILLION, angle_axis, inches, title_above


if TYPE_CHECKING:
    from ...fitting.fit_result import FitResult


class _View(NamedTuple):
    """One series as it is drawn: measured points with residuals, and the model."""

    x: np.ndarray
    y: np.ndarray
    error: np.ndarray | None
    residual: np.ndarray
    known: np.ndarray
    grid: np.ndarray
    curve: np.ndarray
    unit: str
    x_label: str
    y_label: str
    label: str = "measured"


def figure_fit(result: "FitResult", series: int = 0, title: str = "") -> Figure:
    """One series with its fit and the residuals below; a polar plot of Hres(α_H) beside them.

    If the frequency differs from row to row, data and model are drawn at its mean: each point is
    the curve plus its own residual. Points at which the model has no resonance are drawn as
    measured, as open triangles. A series in one direction is drawn over the frequency or the set
    field, and one along directions over its rows.

    Args:
        result: The fit.
        series: Index of the series.
        title: Stands above the figure.
    """
    data = result.series[series]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=inches(TWO_COLUMNS, 82), layout="constrained")
        polar = data.is_rotation and data.measured == "field"
        widths = (1.55, 1) if polar else (1, 0.001)
        cells = figure.add_gridspec(2, 2, width_ratios=widths, height_ratios=(3, 1))
        main = figure.add_subplot(cells[0, 0])
        below = figure.add_subplot(cells[1, 0], sharex=main)
        draw_fit(main, below, result, series)
        title_above(main, title)
        figure.align_ylabels((main, below))
        if polar:
            _polar(figure.add_subplot(cells[:, 1], projection="polar"), result, series)
    return figure


def draw_fit(main: Any, below: Any, result: "FitResult", series: int = 0) -> None:
    """Draw data and fit of one series into the axes `main`, and the residuals into `below`.

    This is the left half of `figure_fit`. The two axes should share their x-axis.
    """
    view = _view(result, series)
    style = {"marker": "_", "linestyle": "none"} if len(view.grid) == len(view.x) else {}
    main.plot(view.grid, view.curve, color=VERMILLION, label="model", zorder=2, **style)
    _points(main, view.x, view.y, view.error, view.known, view.label)
    main.set_ylabel(view.y_label)
    main.tick_params(labelbottom=False)
    low, high = main.get_ylim()
    main.set_ylim(low, high + 0.16 * (high - low))  # room for the legend
    main.legend(loc="upper center", ncols=3, borderaxespad=0.2, columnspacing=1.0, handlelength=1.5)

    known = view.known
    below.axhline(0, color=VERMILLION, linewidth=0.8)
    below.vlines(view.x[known], 0, view.residual[known], color=BLUE, linewidth=0.6)
    _points(below, view.x[known], view.residual[known], _take(view.error, known))
    _symmetric(below, view.residual[known], _take(view.error, known))
    below.set_ylabel(f"residual ({view.unit})")
    if result.series[series].is_rotation:
        angle_axis(below, view.grid)
    else:
        below.set_xlabel(view.x_label)


def _view(result: "FitResult", series: int) -> _View:
    """What is drawn of a series."""
    data = result.series[series]
    start = sum(len(one) for one in result.series[:series])
    rows = slice(start, start + len(data))
    swept = data.measured == "frequency"
    # frequencies are stored as fields of g = 2
    scale, unit = (1e-9 / larmor_value(1.0, 2.0), "GHz") if swept else (1e3, "mT")
    residual = scale * np.asarray(result.residuals)[rows]
    predicted = scale * np.asarray(result.predicted)[rows]
    error = None if data.observed_sigma is None else scale * data.observed_sigma
    known = np.isfinite(residual)
    field_label, hertz_label = r"$H_\mathrm{res}$ (mT)", "resonance frequency (GHz)"
    if data.is_rotation:
        angle, grid = np.degrees(data.angle), curve_grid(data.angle)
        if swept:
            field = float(np.mean(data.field))
            of = lambda at: result.frequencies(np.radians(at), field, series) / 1e9
            y_label = f"resonance frequency\nat {1e3 * field:.5g} mT (GHz)"
            constant = np.ptp(data.field) < 1e-9 * field
        else:
            hertz = data.frequency.mean() / 1e9
            of = lambda at: 1e3 * result.curve(np.radians(at), series)
            y_label = rf"$H_\mathrm{{res}}$ at {hertz:.5g} GHz (mT)"
            constant = np.ptp(data.frequency) < 1e-9 * data.frequency.mean()
        shown = np.where(known, of(angle) + residual, scale * data.observed)
        held = "field" if swept else "frequency"
        label = "measured" if constant else f"measured, corrected to this {held}"
        return _View(angle, shown, error, residual, known, grid, of(grid), unit, "", y_label, label)
    measured = np.where(known, predicted + residual, scale * data.observed)
    if data.direction is not None:
        row = np.arange(1.0, len(data) + 1)
        y_label = hertz_label if swept else field_label
        return _View(row, measured, error, residual, known, row, predicted, unit, "row", y_label)
    field, hertz = kittel_curve(result, series)
    field, hertz = 1e3 * field, hertz / 1e9
    if swept:
        x, label = 1e3 * data.field, "applied field (mT)"
        return _View(x, measured, error, residual, known, field, hertz, unit, label, hertz_label)
    x, label = data.frequency / 1e9, "frequency (GHz)"
    return _View(x, measured, error, residual, known, hertz, field, unit, label, field_label)


def figure_correlation(result: "FitResult") -> Figure:
    """The correlation of the free parameters of a fit, as a matrix of numbers on colors."""
    names = [parameter_kind(name).label for name in result.names]
    size = 14.0 * len(names) + 22
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(size / 25.4, size / 25.4), layout="constrained")
        axes = figure.add_subplot()
        axes.imshow(result.correlation, cmap="RdBu_r", vmin=-1, vmax=1)
        for (i, j), value in np.ndenumerate(result.correlation):
            color = "white" if abs(value) > 0.6 else "black"
            text = f"{round(value, 2) + 0.0:.2f}" if np.isfinite(value) else "?"
            axes.text(j, i, text.replace("-", "−"), ha="center", va="center", color=color)
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(length=0)
    return figure


def _points(
    axes: Any,
    x: np.ndarray,
    y: np.ndarray,
    error: np.ndarray | None,
    known: np.ndarray | None = None,
    label: str | None = None,
) -> None:
    """Draw measured points with their errors, and those not `known` as open triangles."""
    known = np.ones(len(x), bool) if known is None else known
    size = 3.5 if len(x) < 100 else 2.0
    marks: dict[str, Any] = {"linestyle": "none", "color": BLUE, "zorder": 3}
    axes.errorbar(
        x[known],
        y[known],
        _take(error, known),
        fmt="o",
        markersize=size,
        elinewidth=0.8,
        capsize=1.5,
        label=label,
        **marks,
    )
    if not known.all():
        axes.plot(
            x[~known],
            y[~known],
            marker="^",
            markerfacecolor="white",
            markersize=size,
            label="no resonance in the model",
            **marks,
        )


def _symmetric(axes: Any, residual: np.ndarray, error: np.ndarray | None) -> None:
    """Put zero residual in the middle of the axis."""
    reach = np.abs(residual) + (0 if error is None else error)
    limit = 1.15 * reach.max() if reach.size and reach.max() > 0 else 1.0
    axes.set_ylim(-limit, limit)


def _polar(axes: Any, result: "FitResult", series: int) -> None:
    """Draw data and model over a full turn, with the labels of the rings where points are few.

    The centre is zero, or a round number where the field varies little.
    """
    view = _view(result, series)
    angle, shown, known = np.radians(view.x), view.y, view.known
    turn = np.linspace(0, 2 * np.pi, 512)
    curve = 1e3 * result.curve(turn, series)
    values = np.concatenate([curve[np.isfinite(curve)], shown])
    low, high = values.min(), values.max()
    span = max(high - low, 1e-6 * high)  # a constant curve has a radius too
    step = 10 ** np.floor(np.log10(span))
    center = 0.0 if span > 0.25 * high else step * np.floor((low - span) / step)
    axes.plot(turn, curve, color=VERMILLION, zorder=2)
    size = 3.0 if len(angle) < 100 else 1.5
    axes.plot(angle[known], shown[known], "o", color=BLUE, markersize=size, zorder=3)
    axes.plot(
        angle[~known], shown[~known], "^", color=BLUE, markersize=size, markerfacecolor="white"
    )
    axes.set_rlim(center, high + 0.08 * (high - center))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    between = np.radians(np.arange(22.5, 360, 45))
    crowd = np.sum(np.cos(between[:, None] - angle) > np.cos(np.radians(20)), axis=1)
    axes.set_rlabel_position(np.degrees(between[np.argmin(crowd)]))
    axes.tick_params(axis="y", labelsize=7, labelcolor=GRAY)
    axes.tick_params(axis="x", pad=2)
    axes.set_thetagrids(range(0, 360, 45))
    axes.set_title(rf"$H_\mathrm{{res}}$ (mT), centre at {center:.10g} mT", fontsize=7, pad=8)


def _take(error: np.ndarray | None, mask: np.ndarray) -> np.ndarray | None:
    """The errors of some points, if there are errors."""
    return None if error is None else error[mask]
