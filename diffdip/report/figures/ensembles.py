"""Figures of the distributions of anisotropy fields over many samples."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ...statistics.heavy_tails import log_histogram
from .style import BLUE, STYLE, TWO_COLUMNS, VERMILLION, inches, title_above


PER_DECADE = 6
"""Bins of the histograms."""


def figure_ensemble(fields: Mapping[str, np.ndarray], title: str = "") -> Figure:
    """Histograms of |A|, |B|, …: the share of samples per decade, with its 68 % interval.

    Args:
        fields: Values in mT by name, a panel for each. NaN are left out.
        title: Stands above the figure.

    >>> figure_ensemble({"B": np.array([1.0, -2.0, 30.0])}).axes[0].get_xlabel()
    '$|B|$ (mT)'
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=inches(TWO_COLUMNS, 70), layout="constrained")
        panels = figure.subplots(1, len(fields), sharey=True, squeeze=False)[0]
        for axes, (name, values) in zip(panels, fields.items(), strict=True):
            _draw(axes, np.abs(values[np.isfinite(values)]))
            axes.set_xlabel(f"$|{name}|$ (mT)")
        panels[0].set_ylabel("share of samples per decade")
        title_above(panels[0], title)
        panels[0].set_ylim(0, None)  # last: it fixes the top, which must hold all panels
    return figure


def _draw(axes: Any, size: np.ndarray) -> None:
    """Draw one histogram with its median."""
    axes.set_xscale("log")
    if not (size > 0).any():
        axes.text(0.5, 0.5, "no sample is above zero", transform=axes.transAxes, ha="center")
        return
    histogram = log_histogram(size, PER_DECADE)
    axes.stairs(
        histogram.high, histogram.edges, baseline=histogram.low, fill=True, color=BLUE, alpha=0.25
    )
    axes.stairs(histogram.density, histogram.edges, color=BLUE, linewidth=1.2)
    median = float(np.median(size))
    axes.axvline(median, color=VERMILLION, linewidth=1.0, label=f"median {median:.3g} mT")
    axes.margins(x=0, y=0.15)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend(loc="upper right", handlelength=1.2)
