"""Figures of the spectra of a rotation with the positions taken from them, and of a fit's errors.

As in `plot`: each function returns a `Figure` of its own, fields in mT, angles in degrees.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from ..io.results import as_shown
from ..spectra.lines import sorted_samples
from ..spectra.positions import each_sweep
from .figures import BLUE, ONE_COLUMN, STYLE, VERMILLION


if TYPE_CHECKING:
    import xarray as xr

    from ..fitting.fit_result import FitResult
    from ..fitting.spectra_fit import SpectraFit
    from ..spectra.positions import LinePositions

MOST_STACKED = 40
"""Of more sweeps than this, some are left out of a stack."""

BINS = 700
"""Each sweep is drawn by the lowest and highest sample in so many parts of it."""

OVERLAP = 1.6
"""Height of the largest spectrum above its baseline, of the distance between baselines."""

COLUMNS = 600
"""Fields across a map."""

MARGIN = 4.0
"""Drawn on each side of the positions, in widths of the line."""

MOST_CUT = 0.7
"""All of the sweep is drawn where the positions and their margins are more of it than this."""

SIZE = (ONE_COLUMN / 25.4, 95 / 25.4)

Sweeps = list[tuple[np.ndarray, np.ndarray]]


def figure_spectra(
    spectra: "xr.Dataset", positions: "LinePositions", direct: "SpectraFit | None" = None
) -> Figure:
    """Spectra above one another, each at the height of its angle, with their positions marked.

    With `direct`, a fit of all spectra, its model is drawn over them instead of the positions. All
    have one scale. Of more than 40 some are left out, at equal steps. Of sweeps much longer than
    what the line moves through, the part about the line is drawn, and the axis says so.
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
            axes.set_title(f"one spectrum of {step} is drawn", loc="left")
    return figure


def figure_map(spectra: "xr.Dataset", positions: "LinePositions") -> Figure:
    """The signal over field and angle in colors, with the positions on it.

    For the drawing alone each sweep is interpolated onto 600 fields; outside of it nothing is
    drawn. Sweeps at one angle share its height. The fields are those of `figure_spectra`.
    """
    part = _Part.of(spectra, positions)
    angles = np.degrees(positions.angle)
    grid = np.linspace(part.low, part.high, COLUMNS)
    order = np.argsort(angles, kind="stable")
    values = np.array([_interpolated(grid, *part.scaled(i)) for i in order])
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


@dataclass(frozen=True)
class _Part:
    """The sweeps by ascending field, and the fields (mT) from `low` to `high` that are drawn."""

    sweeps: Sweeps
    low: float
    high: float
    label: str

    @classmethod
    def of(cls, spectra: "xr.Dataset", positions: "LinePositions") -> "_Part":
        """The part about the positions, or all where that is most of it."""
        sweeps = [sorted_samples(*sweep) for sweep in each_sweep(spectra)]
        first = min(float(field[0]) for field, _ in sweeps)
        last = max(float(field[-1]) for field, _ in sweeps)
        at, margin = 1e3 * positions.field, 1e3 * MARGIN * positions.width
        low, high = max(first, (at - margin).min()), min(last, (at + margin).max())
        label = r"field $\mu_0 H$ (mT)"
        if high - low > MOST_CUT * (last - first):
            return cls(sweeps, first, last, label)
        return cls(sweeps, low, high, f"{label}, a part of the sweep")

    def scaled(
        self, index: int, residual: np.ndarray | float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of one sweep this part and a sample on each side, less what a fit left over.

        Zero is the median of the whole sweep, which is nearer to the baseline than that of a part;
        one is the largest signal in this part of all sweeps.
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
    """Borders of cells about ascending centers, half way between them; equal ones share a cell."""
    places, counts = np.unique(centers, return_counts=True)
    half = np.diff(places, append=places[-1] + _typical_gap(places)) / 2
    borders = np.append(places[0] - half[0], places + half)
    shared = [
        np.linspace(low, high, count, endpoint=False)
        for low, high, count in zip(borders[:-1], borders[1:], counts, strict=True)
    ]
    return np.append(np.concatenate(shared), borders[-1])
