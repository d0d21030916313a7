"""Figures of sensitivities, and of an inference: measured and modelled distributions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from .style import BLUE, ONE_COLUMN, STYLE, TWO_COLUMNS, VERMILLION, inches, title_above


if TYPE_CHECKING:
    from ...sensitivities.sensitivity_table import SensitivityTable


def figure_sensitivity(table: "SensitivityTable") -> Figure:
    """A tornado chart of d ln T/d ln θ for each statistic T of a table.

    One or two panels stand in one row, more of them in rows of two.
    """
    statistics = list(dict.fromkeys(row.statistic for row in table))
    most = max(sum(row.statistic == statistic for row in table) for statistic in statistics)
    columns = min(2, len(statistics))
    lines = -(-len(statistics) // columns)
    with mpl.rc_context(STYLE):
        size = inches((ONE_COLUMN, TWO_COLUMNS)[columns - 1], lines * (20 + 5 * max(most, 2)))
        figure = Figure(figsize=size, layout="constrained")
        panels = list(figure.subplots(lines, columns, squeeze=False).flat)
        for axes, statistic in zip(panels, statistics, strict=False):
            draw_sensitivity(axes, table, statistic)
        for axes in panels[len(statistics) :]:
            axes.remove()
    return figure


def draw_sensitivity(axes: Any, table: "SensitivityTable", statistic: str) -> None:
    """Draw a tornado chart of one statistic, by its label, with the largest |d ln T/d ln θ| on top.

    A bar to the right means that the statistic grows with the parameter. Lines are standard errors.
    A parameter without logarithmic derivative (T is 0) has a name and no bar.
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

    Args:
        measured: A and B in tesla. NaN are left out.
        model: The same, of samples of the model.
        title: Stands above the figure.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=inches(TWO_COLUMNS, 70), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axes, name, ours, theirs in zip(panels, "AB", measured, model, strict=True):
            draw_distributions(axes, ours, theirs)
            axes.set_xlabel(f"$|{name}|$ (mT)")
        panels[0].set_ylabel("share of samples below")
        panels[0].legend(loc="upper left")
        title_above(panels[0], title)
    return figure


def draw_distributions(axes: Any, measured: np.ndarray, model: np.ndarray) -> None:
    """Draw the distribution functions of |x|, from `measured` and `model` in tesla, in mT.

    The axis covers all measured values and 98 % of those of the model, because a heavy tail does
    not end.
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
