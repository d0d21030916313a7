"""Figures for papers from results: fields in mT, angles in degrees.

Every function returns a `matplotlib.figure.Figure` of its own and leaves matplotlib's settings
and pyplot's state alone. Widths are those of one (85 mm) or two (170 mm) columns.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..io.results import curve_grid, magnetization_angles, model_fields


if TYPE_CHECKING:
    from ..fitting.fit_result import FitResult
    from ..resonance.branches import Branches
    from ..sensitivities.sensitivity_table import SensitivityTable

ONE_COLUMN = 85.0
TWO_COLUMNS = 170.0
"""Widths of figures in mm."""

BLUE, VERMILLION, GREEN, ORANGE, GRAY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#666666"
"""Colors that color-blind readers tell apart (Okabe and Ito)."""

REACH = 0.3
"""The farthest that M, as a unit vector, may turn between two angles on one line of a branch."""

STYLE: dict[Any, Any] = {
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "axes.titlesize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "grid.linewidth": 0.4,
    "grid.color": "#d0d0d0",
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.hashsalt": "diffdip",
}
"""Settings of all figures; `matplotlib.rc_context(STYLE)` gives them to other ones."""


def figure_fit(result: "FitResult", series: int = 0, title: str = "") -> Figure:
    """Hres(α_H) of one series with its fit, the residuals below, and both in a polar plot.

    Where the frequency differs from row to row, data and model are drawn at its mean: each
    point is the curve plus its own residual, so that only what the fit leaves is seen. Points at
    which the model has no resonance are open triangles, as measured.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=_inches(TWO_COLUMNS, 82), layout="constrained")
        cells = figure.add_gridspec(2, 2, width_ratios=(1.55, 1), height_ratios=(3, 1))
        main = figure.add_subplot(cells[0, 0])
        below = figure.add_subplot(cells[1, 0], sharex=main)
        draw_fit(main, below, result, series)
        main.set_title(title, loc="left")
        figure.align_ylabels((main, below))
        _polar(figure.add_subplot(cells[:, 1], projection="polar"), result, series)
    return figure


def draw_fit(main: Any, below: Any, result: "FitResult", series: int = 0) -> None:
    """Draw data and fit of one series into the axes `main`, residuals into `below`.

    What `figure_fit` draws on its left; the axes should share their angle axis.
    """
    angle, shown, residual, known = _at_mean_frequency(result, series)
    data = result.series[series]
    error = None if data.sigma is None else 1e3 * np.broadcast_to(data.sigma, angle.shape)
    frequency = np.broadcast_to(np.asarray(data.frequency, float), angle.shape) / 1e9
    constant = np.ptp(frequency) < 1e-9 * frequency.mean()
    grid = curve_grid(data.angle)
    curve = 1e3 * model_fields(result, np.radians(grid), series)

    main.plot(grid, curve, color=VERMILLION, label="model", zorder=2)
    label = "measured" if constant else "measured, frequency-corrected"
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


def figure_curve(
    angle: np.ndarray,
    branches: "Branches",
    *,
    plane: str = "xy",
    larmor: float | None = None,
    title: str = "",
    width: float = ONE_COLUMN,
) -> Figure:
    """All branches of Hres(α_H) above, the lag α_H − α_M of the magnetization below.

    `angle` in radians, `branches` of `resonance_branches` at these angles, `larmor` w0 in tesla for
    a thin line, `width` in mm. Stable resonances are solid, metastable ones gray and dashed; the
    one that is seen after saturation is thick. States with M out of the plane, on one side or the
    other, share a line. The axis begins at zero unless the fields vary by less than a tenth.
    """
    degrees = np.degrees(angle)
    field, stable = 1e3 * np.asarray(branches.field), np.asarray(branches.stable)
    directions = np.asarray(branches.direction)
    lag = np.degrees(magnetization_angles(angle, directions, plane)[0])
    exists = np.isfinite(field)
    chosen = np.argmax(stable, axis=1)
    any_stable = stable.any(axis=1)
    rows = np.arange(len(angle))
    measured = np.zeros_like(stable)
    measured[rows[any_stable], chosen[any_stable]] = True

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=_inches(width, 95), layout="constrained")
        main, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        if larmor is not None:
            main.axhline(1e3 * larmor, color=GRAY, linewidth=0.6, linestyle=":", label="$w_0$")
        kinds = (
            ("metastable", exists & ~stable, {"color": GRAY, "linestyle": "--", "linewidth": 1.0}),
            ("stable", stable & ~measured, {"color": BLUE, "linewidth": 1.2}),
            ("seen after saturation", measured, {"color": VERMILLION, "linewidth": 1.8}),
        )
        for label, mask, style in kinds:
            for i, (row, slot) in enumerate(_traces(field, directions, mask)):
                main.plot(degrees[row], field[row, slot], label=label if i == 0 else None, **style)
                wraps = np.abs(np.diff(lag[row, slot])) > 180
                for piece in np.split(np.arange(len(row)), np.flatnonzero(wraps) + 1):
                    below.plot(degrees[row][piece], lag[row, slot][piece], **style)
        if not exists.any():
            main.text(0.5, 0.5, "no resonance at any angle", transform=main.transAxes, ha="center")
        main.set_ylim(_floor(field[exists]), None)
        main.set_ylabel(r"$H_\mathrm{res}$ (mT)")
        if main.get_legend_handles_labels()[0]:
            main.legend(loc="best", handlelength=2.2)
        if title:
            main.set_title(title, loc="left")
        below.axhline(0, color=GRAY, linewidth=0.5)
        below.set_ylabel(r"lag $\alpha_H-\alpha_M$ (°)")
        angle_axis(below, degrees)
        figure.align_ylabels((main, below))
    return figure


def figure_sensitivity(table: "SensitivityTable") -> Figure:
    """A tornado chart for each statistic of a table: d ln T/d ln θ of each parameter.

    Panels stand in one row of one or two, or in several rows of two.
    """
    statistics = list(dict.fromkeys(row.statistic for row in table))
    most = max(sum(row.statistic == statistic for row in table) for statistic in statistics)
    columns = min(2, len(statistics))
    lines = -(-len(statistics) // columns)
    with mpl.rc_context(STYLE):
        size = _inches((ONE_COLUMN, TWO_COLUMNS)[columns - 1], lines * (20 + 5 * max(most, 2)))
        figure = Figure(figsize=size, layout="constrained")
        panels = list(figure.subplots(lines, columns, squeeze=False).flat)
        for axes, statistic in zip(panels, statistics, strict=False):
            draw_sensitivity(axes, table, statistic)
        for axes in panels[len(statistics) :]:
            axes.remove()
    return figure


def draw_sensitivity(axes: Any, table: "SensitivityTable", statistic: str) -> None:
    """Draw a tornado chart of one statistic, by its label: the largest |d ln T/d ln θ| on top.

    Bars to the right are parameters with which the statistic grows. Lines are standard errors,
    where there are any. What has no logarithmic derivative (T is 0) has a name and no bar.
    """
    rows = [row for row in table if row.statistic == statistic]
    rows.sort(key=lambda row: np.nan_to_num(abs(row.logarithmic), nan=-1.0))
    value = np.array([row.logarithmic for row in rows])
    error = np.array([row.logarithmic_error for row in rows])
    place = np.arange(len(rows))
    known = np.isfinite(value)
    color = [VERMILLION if v > 0 else BLUE for v in value[known]]
    axes.axvline(0, color="black", linewidth=0.6, zorder=3)
    axes.barh(place[known], value[known], height=0.66, color=color, zorder=2)
    axes.errorbar(
        value[known],
        place[known],
        xerr=error[known],
        fmt="none",
        ecolor="black",
        elinewidth=0.8,
        capsize=1.5,
        zorder=4,
    )
    axes.set_yticks(place, [row.parameter.replace("_", " ") for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.06)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.set_xlabel(r"$\mathrm{d}\ln T/\mathrm{d}\ln\theta$")
    axes.set_title(statistic, loc="left")


def figure_inference(
    measured: Sequence[np.ndarray], model: Sequence[np.ndarray], title: str = ""
) -> Figure:
    """Distribution functions of |A| and |B|, measured and of the fitted model.

    `measured` and `model` are A and B (tesla) each; NaN in them are left out.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=_inches(TWO_COLUMNS, 70), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axes, name, ours, theirs in zip(panels, "AB", measured, model, strict=True):
            draw_distributions(axes, ours, theirs)
            axes.set_xlabel(f"$|{name}|$ (mT)")
        panels[0].set_ylabel("share of the samples below")
        panels[0].legend(loc="upper left")
        panels[0].set_title(title, loc="left")
    return figure


def draw_distributions(axes: Any, measured: np.ndarray, model: np.ndarray) -> None:
    """Draw the distribution functions of |x| over ln |x|, `measured` and `model` in tesla.

    The axis spans the measured values and 98 % of those of the model: a heavy tail has no end.
    """
    ours, theirs = (np.sort(1e3 * np.abs(x[np.isfinite(x)])) for x in (measured, model))
    for x, style in (
        (theirs, {"color": VERMILLION, "label": "model"}),
        (ours, {"color": BLUE, "label": f"measured ({len(ours)} samples)"}),
    ):
        axes.ecdf(x, **style)
    positive = ours[ours > 0]
    ends = np.append(np.quantile(theirs[theirs > 0], [0.01, 0.99]), positive)
    axes.set_xscale("log")
    axes.set_xlim(ends.min() / 1.2, ends.max() * 1.2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(0, 1.02)
    axes.grid(axis="x")


def figure_bytes(figure: Figure, kind: str, dpi: int = 300) -> bytes:
    """The figure as a file, `png` or `pdf`: the same bytes for the same figure."""
    metadata: dict[str, Any] = {
        "png": {"Software": None},
        "pdf": {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None},
    }[kind]
    stream = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format=kind, dpi=dpi, metadata=metadata)
    return stream.getvalue()


def _floor(fields: np.ndarray) -> float | None:
    """Where an axis of fields begins: zero unless they vary little."""
    small = fields.size and np.ptp(fields) < 0.1 * fields.max()
    return None if small else 0.0


def _inches(width: float, height: float) -> tuple[float, float]:
    return width / 25.4, height / 25.4


def _take(error: np.ndarray | None, mask: np.ndarray) -> np.ndarray | None:
    return None if error is None else error[mask]


def _points(
    axes: Any,
    x: np.ndarray,
    y: np.ndarray,
    error: np.ndarray | None,
    known: np.ndarray | None = None,
    label: str | None = None,
) -> None:
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
    reach = np.abs(residual) + (0 if error is None else error)
    limit = 1.15 * reach.max() if reach.size and reach.max() > 0 else 1.0
    axes.set_ylim(-limit, limit)


def angle_axis(axes: Any, degrees: np.ndarray) -> None:
    """Label the x-axis as the angle of the field, with ticks and limits that suit `degrees`."""
    low, high = degrees.min(), degrees.max()
    step = next((s for s in (15, 30, 45, 90, 180) if (high - low) / s <= 9), 360)
    axes.set_xticks(np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step)
    margin = 0.025 * (high - low)
    axes.set_xlim(low - margin, high + margin)
    axes.set_xlabel(r"angle of the field $\alpha_H$ (°)")


def _at_mean_frequency(
    result: "FitResult", series: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Angles (°), fields at the mean frequency, residuals (mT), where the model resonates."""
    data = result.series[series]
    angle = np.asarray(data.angle, float)
    start = sum(len(s.angle) for s in result.series[:series])
    residual = 1e3 * np.asarray(result.residuals)[start : start + len(angle)]
    curve = 1e3 * model_fields(result, angle, series)
    known = np.isfinite(residual)
    return np.degrees(angle), np.where(known, curve + residual, 1e3 * data.field), residual, known


def _polar(axes: Any, result: "FitResult", series: int) -> None:
    """Data and model around the full turn; the center is zero unless the variation is small."""
    degrees, shown, _, known = _at_mean_frequency(result, series)
    angle = np.radians(degrees)
    turn = np.linspace(0, 2 * np.pi, 512)
    curve = 1e3 * model_fields(result, turn, series)
    values = np.concatenate([curve[np.isfinite(curve)], shown])
    low, high = values.min(), values.max()
    span = max(high - low, 1e-6 * high)
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


def _traces(
    field: np.ndarray, directions: np.ndarray, mask: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows and slots of lines through the marked resonances, each one state of M turning.

    Slots are ordered by field, so where a branch begins or ends all slots below shift: each
    line continues with the state nearest in direction, unless that is far off or taken.
    """
    traces: list[list[tuple[int, int]]] = []
    ended: list[list[tuple[int, int]]] = []
    for row in range(len(field)):
        free = [int(slot) for slot in np.flatnonzero(mask[row])]
        going = []
        for trace in traces:
            last = directions[trace[-1]]
            distance = {slot: np.linalg.norm(directions[row, slot] - last) for slot in free}
            nearest = min(free, key=distance.__getitem__, default=None)
            if nearest is not None and distance[nearest] < REACH:
                free.remove(nearest)
                trace.append((row, nearest))
                going.append(trace)
            else:
                ended.append(trace)
        traces = going + [[(row, slot)] for slot in free]
    return [tuple(np.array(trace).T) for trace in ended + traces]  # type: ignore[misc]
