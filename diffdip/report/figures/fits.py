"""Figures of a fit: measured fields, model and residuals, and the correlation of parameters."""

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...fitting.parameter_table import parameter_kind
from ...io.fit_results import curve_grid
from .style import BLUE, GRAY, STYLE, TWO_COLUMNS, VERMILLION, angle_axis, inches, title_above


if TYPE_CHECKING:
    from ...fitting.fit_result import FitResult


def figure_fit(result: "FitResult", series: int = 0, title: str = "") -> Figure:
    """Hres(α_H) of one series with its fit, the residuals below, and a polar plot of both.

    If the frequency differs from row to row, data and model are drawn at its mean: each point is
    the curve plus its own residual. Points at which the model has no resonance are drawn as
    measured, as open triangles.

    Args:
        result: The fit.
        series: Index of the series.
        title: Stands above the figure.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=inches(TWO_COLUMNS, 82), layout="constrained")
        cells = figure.add_gridspec(2, 2, width_ratios=(1.55, 1), height_ratios=(3, 1))
        main = figure.add_subplot(cells[0, 0])
        below = figure.add_subplot(cells[1, 0], sharex=main)
        draw_fit(main, below, result, series)
        title_above(main, title)
        figure.align_ylabels((main, below))
        _polar(figure.add_subplot(cells[:, 1], projection="polar"), result, series)
    return figure


def draw_fit(main: Any, below: Any, result: "FitResult", series: int = 0) -> None:
    """Draw data and fit of one series into the axes `main`, and the residuals into `below`.

    This is the left half of `figure_fit`. The two axes should share their x-axis.
    """
    angle, shown, residual, known = _at_mean_frequency(result, series)
    data = result.series[series]
    error = None if data.sigma is None else 1e3 * np.broadcast_to(data.sigma, angle.shape)
    frequency = np.broadcast_to(np.asarray(data.frequency, float), angle.shape) / 1e9
    constant = np.ptp(frequency) < 1e-9 * frequency.mean()
    grid = curve_grid(data.angle)
    curve = 1e3 * result.curve(np.radians(grid), series)

    main.plot(grid, curve, color=VERMILLION, label="model", zorder=2)
    label = "measured" if constant else "measured, corrected to this frequency"
    _points(main, angle, shown, error, known, label)
    main.set_ylabel(rf"$H_\mathrm{{res}}$ at {frequency.mean():.5g} GHz (mT)")
    main.tick_params(labelbottom=False)
    low, high = main.get_ylim()
    main.set_ylim(low, high + 0.16 * (high - low))  # room for the legend
    main.legend(loc="upper center", ncols=3, borderaxespad=0.2, columnspacing=1.0, handlelength=1.5)

    below.axhline(0, color=VERMILLION, linewidth=0.8)
    below.vlines(angle[known], 0, residual[known], color=BLUE, linewidth=0.6)
    _points(below, angle[known], residual[known], _take(error, known))
    _symmetric(below, residual[known], _take(error, known))
    below.set_ylabel("residual (mT)")
    angle_axis(below, grid)


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


def _at_mean_frequency(
    result: "FitResult", series: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Angles (°), fields at the mean frequency (mT), residuals (mT), and which of them exist."""
    data = result.series[series]
    angle = np.asarray(data.angle, float)
    start = sum(len(s.angle) for s in result.series[:series])
    residual = 1e3 * np.asarray(result.residuals)[start : start + len(angle)]
    curve = 1e3 * result.curve(angle, series)
    known = np.isfinite(residual)
    return np.degrees(angle), np.where(known, curve + residual, 1e3 * data.field), residual, known


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
    """Draw data and model over a full turn. The center is zero unless the field varies little."""
    degrees, shown, _, known = _at_mean_frequency(result, series)
    angle = np.radians(degrees)
    turn = np.linspace(0, 2 * np.pi, 512)
    curve = 1e3 * result.curve(turn, series)
    values = np.concatenate([curve[np.isfinite(curve)], shown])
    low, high = values.min(), values.max()
    span = max(high - low, 1e-6 * high)  # a constant curve has a radius too
    center = 0.0 if span > 0.25 * high else low - span
    axes.plot(turn, curve, color=VERMILLION, zorder=2)
    size = 3.0 if len(angle) < 100 else 1.5
    axes.plot(angle[known], shown[known], "o", color=BLUE, markersize=size, zorder=3)
    axes.plot(
        angle[~known], shown[~known], "^", color=BLUE, markersize=size, markerfacecolor="white"
    )
    axes.set_rlim(center, high + 0.08 * (high - center))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.set_rlabel_position(67.5)
    axes.tick_params(axis="y", labelsize=7, labelcolor=GRAY)
    axes.tick_params(axis="x", pad=2)
    axes.set_thetagrids(range(0, 360, 45))
    axes.set_title(rf"$H_\mathrm{{res}}$ (mT), center at {center:.6g} mT", fontsize=7, pad=8)


def _take(error: np.ndarray | None, mask: np.ndarray) -> np.ndarray | None:
    """The errors of some points, if there are errors."""
    return None if error is None else error[mask]
