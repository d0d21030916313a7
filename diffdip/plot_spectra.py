"""Figures of the spectra of a rotation with the positions taken from them, and of a fit's errors.

As in `plot`: each function returns a `Figure` of its own, fields in mT, angles in degrees.
"""

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from .io.results import as_shown
from .line_positions import each_sweep
from .plot import BLUE, ONE_COLUMN, STYLE, VERMILLION
from .spectrum import sorted_samples


if TYPE_CHECKING:
    import xarray as xr

    from .fit import FitResult
    from .line_positions import LinePositions

MOST_STACKED = 40
"""Of more sweeps than this, some are left out of a stack."""

BINS = 700
"""Each sweep is drawn by the lowest and highest sample in so many parts of it."""

OVERLAP = 1.6
"""Height of the largest spectrum above its baseline, of the distance between baselines."""

COLUMNS = 600
"""Fields across a map."""

SIZE = (ONE_COLUMN / 25.4, 95 / 25.4)

Sweeps = list[tuple[np.ndarray, np.ndarray]]


def figure_spectra(spectra: "xr.Dataset", positions: "LinePositions") -> Figure:
    """Spectra above one another, each at the height of its angle, with their positions marked.

    All have one scale. Of more than 40 some are left out, at equal steps.
    """
    step = -(-len(positions.angle) // MOST_STACKED)
    angles = np.degrees(positions.angle)[::step]
    sweeps = _scaled(each_sweep(spectra))[::step]
    gap = OVERLAP * _typical_gap(angles)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        for angle, (field, signal), at in zip(
            angles, sweeps, 1e3 * positions.field[::step], strict=True
        ):
            drawn = _outline(field, signal)
            axes.plot(field[drawn], angle + gap * signal[drawn], color=BLUE, linewidth=0.5)
            height = angle + gap * np.interp(at, field, signal)
            axes.plot(at, height, "o", color=VERMILLION, markersize=2.5, zorder=3)
        axes.set_xlabel(r"field $\mu_0 H$ (mT)")
        axes.set_ylabel(r"angle of the field $\alpha_H$ (°)")
        axes.margins(x=0, y=0.02)
        axes.yaxis.set_major_locator(MultipleLocator(_tick(angles)))
        if step > 1:
            axes.set_title(f"one spectrum of {step} is drawn", loc="left")
    return figure


def figure_map(spectra: "xr.Dataset", positions: "LinePositions") -> Figure:
    """The signal over field and angle in colors, with the positions on it.

    For the drawing alone each sweep is interpolated onto 600 fields; outside of it nothing is
    drawn.
    """
    sweeps = _scaled(each_sweep(spectra))
    angles = np.degrees(positions.angle)
    low = min(field.min() for field, _ in sweeps)
    high = max(field.max() for field, _ in sweeps)
    grid = np.linspace(low, high, COLUMNS)
    values = np.array([_interpolated(grid, *sweep) for sweep in sweeps])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        image = axes.pcolormesh(
            _edges(grid), _edges(angles), values, cmap="RdBu_r", vmin=-1, vmax=1, rasterized=True
        )
        axes.plot(1e3 * positions.field, angles, "o", color="black", markersize=1.8, label="line")
        axes.set_xlabel(r"field $\mu_0 H$ (mT)")
        axes.set_ylabel(r"angle of the field $\alpha_H$ (°)")
        axes.yaxis.set_major_locator(MultipleLocator(_tick(angles)))
        bar = figure.colorbar(image, ax=axes, location="top", aspect=40, pad=0.02)
        bar.set_label("signal, of its largest value")
    return figure


def figure_correlation(result: "FitResult") -> Figure:
    """The correlation of the free parameters of a fit, as a matrix of numbers on colors."""
    names = [as_shown(name)[0].split("_")[0] for name in result.names]
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


def _scaled(sweeps: Sweeps) -> Sweeps:
    """Sweeps by ascending field, about their medians, the largest signal of all being one."""
    ordered = [sorted_samples(*sweep) for sweep in sweeps]
    centred = [(field, signal - np.median(signal)) for field, signal in ordered]
    largest = max(float(np.abs(signal).max()) for _, signal in centred) or 1.0
    return [(field, signal / largest) for field, signal in centred]


def _outline(field: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Indices of the lowest and highest sample in each of many parts, all if there are few."""
    if len(field) <= 2 * BINS:
        return np.arange(len(field))
    parts = np.array_split(np.arange(len(field)), BINS)
    ends = [(p[np.argmin(signal[p])], p[np.argmax(signal[p])]) for p in parts]
    return np.unique(np.array([0, *np.ravel(ends), len(field) - 1]))


def _interpolated(grid: np.ndarray, field: np.ndarray, signal: np.ndarray) -> np.ndarray:
    return np.interp(grid, field, signal, left=np.nan, right=np.nan)


def _typical_gap(angles: np.ndarray) -> float:
    steps = np.diff(np.unique(angles))
    return float(np.median(steps)) if steps.size else 1.0


def _tick(angles: np.ndarray) -> float:
    """A step of angles that makes seven ticks or fewer."""
    span = float(np.ptp(angles))
    return next((step for step in (1.0, 5.0, 15.0, 30.0, 45.0, 90.0) if span / step <= 6.5), 180.0)


def _edges(centers: np.ndarray) -> Any:
    """Borders of cells about their centers, half way between them, strictly ascending."""
    middle = (centers[1:] + centers[:-1]) / 2
    first, last = 2 * centers[0] - middle[0], 2 * centers[-1] - middle[-1]
    return np.concatenate([[first], middle, [last]])
