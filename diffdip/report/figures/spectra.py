"""Figures of the spectra of a rotation, with the positions of the lines."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from ...spectra.line_selection import each_sweep
from ...spectra.lines import sorted_samples
from .style import BLUE, ONE_COLUMN, STYLE, VERMILLION, inches


if TYPE_CHECKING:
    import xarray as xr

    from ...fitting.spectra_fit import SpectraFit
    from ...spectra.positions import LinePositions

MOST_STACKED = 40
"""A stack shows at most this many sweeps."""

BINS = 700
"""A long sweep is drawn by the lowest and the highest sample in each of this many parts."""

OVERLAP = 1.6
"""Height of the largest spectrum over the distance between two baselines."""

COLUMNS = 600
"""Fields of a map."""

MOST_ROWS = 500
"""A map shows at most this many sweeps."""

MARGIN = 4.0
"""How much is drawn on each side of the positions, in widths of the line."""

MOST_CUT = 0.7
"""If the positions and their margins fill more than this of the sweep, all of it is drawn."""

SIZE = inches(ONE_COLUMN, 95)

Sweeps = list[tuple[np.ndarray, np.ndarray]]


def figure_spectra(
    spectra: "xr.Dataset", positions: "LinePositions", direct: "SpectraFit | None" = None
) -> Figure:
    """A stack of spectra on one scale, each at the height of its angle.

    If there are more than 40 spectra, only every second, third, … one is drawn. If the sweep is
    much longer than the range in which the line moves, only that range is drawn, and the label of
    the axis says so.

    Args:
        spectra: A dataset from `read_spectra`.
        positions: Are marked with dots, unless `direct` is given.
        direct: A fit of all spectra, whose model is drawn over the spectra.
    """
    step = -(-len(positions.angle) // MOST_STACKED)
    angles = np.degrees(positions.angle)
    part = _Part.of(spectra, positions)
    gap = OVERLAP * _typical_gap(angles[::step])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        for i in range(0, len(angles), step):
            field, signal = part.scaled(i)
            drawn = _outline(field, signal)
            axes.plot(field[drawn], angles[i] + gap * signal[drawn], color=BLUE, linewidth=0.5)
            if direct is None:
                at = 1e3 * positions.field[i]
                height = angles[i] + gap * np.interp(at, field, signal)
                axes.plot(at, height, "o", color=VERMILLION, markersize=2.5, zorder=3)
            else:
                model = angles[i] + gap * part.scaled(i, direct.residuals[i])[1]
                axes.plot(field[drawn], model[drawn], "--", color=VERMILLION, linewidth=0.6)
        axes.set_xlabel(part.label)
        axes.set_ylabel(r"angle of the field $\alpha_H$ (°)")
        axes.set_xlim(part.low, part.high)
        axes.margins(y=0.02)
        axes.yaxis.set_major_locator(MultipleLocator(_tick(angles[::step])))
        if step > 1:
            axes.set_title(f"one spectrum in {step} is drawn", loc="left")
    return figure


def figure_map(spectra: "xr.Dataset", positions: "LinePositions") -> Figure:
    """The signal over field and angle in colors, with the positions as dots.

    Each sweep is interpolated to 600 fields, only for this figure. Nothing is drawn outside a
    sweep. Several sweeps at one angle share its strip. The range of fields is that of
    `figure_spectra`. If there are more than 500 sweeps, only every second, third, … one is drawn.
    """
    part = _Part.of(spectra, positions)
    angles = np.degrees(positions.angle)
    grid = np.linspace(part.low, part.high, COLUMNS)
    step = -(-len(angles) // MOST_ROWS)
    order = np.argsort(angles, kind="stable")[::step]
    values = np.array([_interpolated(grid, *part.scaled(i)) for i in order.tolist()])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        image = axes.pcolormesh(
            _edges(grid),
            _edges(angles[order]),
            values,
            cmap="RdBu_r",
            vmin=-1,
            vmax=1,
            rasterized=True,
        )
        axes.plot(1e3 * positions.field, angles, "o", color="black", markersize=1.8, label="line")
        axes.set_xlabel(part.label)
        axes.set_ylabel(r"angle of the field $\alpha_H$ (°)")
        axes.yaxis.set_major_locator(MultipleLocator(_tick(angles)))
        if step > 1:
            axes.set_title(f"one spectrum in {step} is drawn", loc="left")
        bar = figure.colorbar(image, ax=axes, location="top", aspect=40, pad=0.02)
        bar.set_label("signal relative to its maximum")
    return figure


@dataclass(frozen=True)
class _Part:
    """The sweeps in order of the field, and the range of fields (mT) that is drawn."""

    sweeps: Sweeps
    low: float
    high: float
    label: str

    @classmethod
    def of(cls, spectra: "xr.Dataset", positions: "LinePositions") -> "_Part":
        """The range around the positions, or the whole sweep if that range is most of it."""
        sweeps = [sorted_samples(*sweep) for sweep in each_sweep(spectra)]
        first = min(float(field[0]) for field, _ in sweeps)
        last = max(float(field[-1]) for field, _ in sweeps)
        at, margin = 1e3 * positions.field, 1e3 * MARGIN * positions.width
        low, high = max(first, (at - margin).min()), min(last, (at + margin).max())
        label = r"field $\mu_0 H$ (mT)"
        if high - low > MOST_CUT * (last - first):
            return cls(sweeps, first, last, label)
        return cls(sweeps, low, high, f"{label}, part of the sweep")

    def scaled(
        self, index: int, residual: np.ndarray | float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """This part of one sweep, minus the residuals of a fit if they are given.

        Zero is the median of the whole sweep, which is closer to the baseline than the median of a
        part. One is the largest signal in this part of all sweeps.
        """
        field, signal = self.sweeps[index]
        kept = self._kept(field)
        return field[kept], (signal - residual - np.median(signal))[kept] / self._largest

    def _kept(self, field: np.ndarray) -> slice:
        start, stop = np.searchsorted(field, (self.low, self.high))
        return slice(max(start - 1, 0), stop + 1)

    @cached_property
    def _largest(self) -> float:
        heights = [np.abs((s - np.median(s))[self._kept(f)]).max() for f, s in self.sweeps]
        return float(max(heights)) or 1.0


def _outline(field: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Indices of the samples to draw: the lowest and highest of each part, or all if few."""
    if len(field) <= 2 * BINS:
        return np.arange(len(field))
    parts = np.array_split(np.arange(len(field)), BINS)
    ends = [(p[np.argmin(signal[p])], p[np.argmax(signal[p])]) for p in parts]
    return np.unique(np.array([0, *np.ravel(ends), len(field) - 1]))


def _interpolated(grid: np.ndarray, field: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """The signal at the fields of a grid, NaN outside the sweep."""
    return np.interp(grid, field, signal, left=np.nan, right=np.nan)


def _typical_gap(angles: np.ndarray) -> float:
    """The median step between different angles."""
    steps = np.diff(np.unique(angles))
    return float(np.median(steps)) if steps.size else 1.0


def _tick(angles: np.ndarray) -> float:
    """A step between ticks that gives seven ticks or fewer."""
    span = float(np.ptp(angles))
    return next((step for step in (1.0, 5.0, 15.0, 30.0, 45.0, 90.0) if span / step <= 6.5), 180.0)


def _edges(centers: np.ndarray) -> Any:
    """Borders of cells, midway between ascending centers. Equal centers share a cell."""
    places, counts = np.unique(centers, return_counts=True)
    half = np.diff(places, append=places[-1] + _typical_gap(places)) / 2
    borders = np.append(places[0] - half[0], places + half)
    shared = [
        np.linspace(low, high, count, endpoint=False)
        for low, high, count in zip(borders[:-1], borders[1:], counts, strict=True)
    ]
    return np.append(np.concatenate(shared), borders[-1])
