"""The order of a baseline, chosen by what it leaves of the ground between the lines.

A baseline is fitted to the outer tenths of a sweep. The samples further in, away from the lines,
test it: an order that is too low leaves the ground there, one that is too high swings.
"""

from typing import TYPE_CHECKING

import numpy as np

from .definitions import ORDERS
from .line_selection import each_sweep
from .lines import LEAST_SAMPLES, Preparation, find_lines


if TYPE_CHECKING:
    import xarray as xr

MOST_SWEEPS = 24
"""The order is chosen from at most this number of sweeps, evenly spread over the angles."""

CLEAR = 3.0
"""Samples within this many widths of a line do not count."""

ALIKE = 4.0
"""Lines that are broader than the narrowest one by this factor may be the ground."""

BLOCKS = 100
"""Samples are averaged over blocks: at least this part of a sweep, or half of a line."""


def baseline_order(spectra: "xr.Dataset") -> int | None:
    """The order of the baseline that the spectra of a rotation need, the same for all angles.

    Each order, and no baseline, is scored by the mean square of what remains away from the lines,
    in blocks of half a width and in units of the strongest line. The lowest order is chosen whose
    score exceeds the best one by no more than the standard error of the difference (the rule of one
    standard error: L. Breiman and others, Classification and Regression Trees, 1984).

    Args:
        spectra: Dataset as `line_positions` takes it.

    Returns:
        An order from 0 to 5; None if no baseline is needed, or nothing tells.

    >>> import xarray as xr
    >>> x = np.linspace(250.0, 430.0, 901)
    >>> band = -(x - 338) * np.exp(-((x - 338) ** 2) / 8)
    >>> noise = np.random.default_rng(0).normal(scale=0.01, size=901)
    >>> def chosen(ground):
    ...     signal = [band + noise + ground]
    ...     coordinates = {"angle": [0.0], "field": x}
    ...     return baseline_order(xr.Dataset({"signal": (("angle", "field"), signal)}, coordinates))
    >>> print(chosen(0.0), chosen(4.0), chosen(x / 20), chosen((x / 100) ** 2))
    None 0 1 2
    """
    sweeps = [one for one in each_sweep(spectra) if len(one[0]) >= LEAST_SAMPLES]
    picked = sweeps[:: -(-len(sweeps) // MOST_SWEEPS)] if sweeps else []
    scores = [_scores(*np.array(sweep, float)) for sweep in picked]
    table = np.concatenate([np.empty((0, 1 + len(ORDERS))), *scores])
    if len(table) < 2:
        return None
    best = table[:, np.argmin(table.mean(axis=0))]
    more = table - best[:, None]
    error = more.std(axis=0, ddof=1) / np.sqrt(len(table))
    return (None, *ORDERS)[int(np.argmax(more.mean(axis=0) <= error))]


def _scores(field: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Squares of what each order leaves in each block without lines, shape (blocks, orders)."""
    signal = signal / (np.abs(signal).max() or 1.0)
    lines = find_lines(field, signal)
    order = np.argsort(field, kind="stable")
    field, signal = field[order], signal[order]
    if not field[-1] > field[0]:
        return np.empty((0, 1 + len(ORDERS)))
    quiet = np.ones(len(field), bool)
    # much broader ones may be the ground
    narrow = lines.width <= ALIKE * lines.width.min(initial=np.inf)
    for position, width in zip(lines.position[narrow], lines.width[narrow], strict=True):
        quiet &= np.abs(field - position) > CLEAR * width
    samples = len(field)
    narrowest = int((lines.last - lines.first).min()) if len(lines) else 0
    size = max(narrowest // 2, samples // BLOCKS, 1)
    count = samples // size
    whole = quiet[: count * size].reshape(count, size).all(axis=1)
    height = float(lines.height.max()) if len(lines) else float(np.ptp(signal))
    left = [Preparation(baseline=order).apply(field, signal) for order in (None, *ORDERS)]
    means = np.array([rest[: count * size].reshape(count, size).mean(axis=1) for rest in left]).T
    return (means[whole] / (height or 1.0)) ** 2
