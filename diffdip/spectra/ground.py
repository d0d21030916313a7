"""The ground that lines stand on: what varies slowly over a whole sweep."""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .definitions import ORDERS


SPANNING = 0.5
"""A line accounts for the range of a sweep if its extrema differ by this part of it."""

PROMINENT = 0.3
"""Extrema of such a line have this part of the range as their prominence."""

QUIET = 20.0
"""A line is on flat ground if it is this many robust standard deviations of the sweep high."""

STEEPER = 3.0
"""A line on a ground replaces a broad one only if it is steeper by this factor."""

ROUNDING = 1e-12
"""A line below this part of the largest value is rounding."""

POINTS = 500
"""A ground is fitted to about this number of samples."""

CUTOFF = 4.685
"""Of Tukey's weights, in robust standard deviations: 95 % efficient for normal errors (J. W. Tukey,
P. J. Huber)."""


class Steepest(NamedTuple):
    """The steepest of the lines that account for the range: its samples from extremum to extremum,
    and its height. No samples stand for no such line."""

    samples: int
    height: float

    @property
    def slope(self) -> float:
        """Height by sample."""
        return self.height / self.samples if self.samples else 0.0


def polynomials(field: Any, order: int | None) -> Any:
    """Powers 0 to `order` of the field, scaled to ±1, as columns; no columns for None.

    Returns an array of numpy or JAX, like the field.
    """
    scaled = (2 * field - field[0] - field[-1]) / (field[-1] - field[0])
    count = 0 if order is None else order + 1
    return field.__array_namespace__().vander(scaled, count, increasing=True)


def extrema(signal: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the maxima and minima in ascending order, and their prominences."""
    from scipy.signal import find_peaks

    found = [find_peaks(side, prominence=least) for side in (signal, -signal)]
    indices = np.concatenate([index for index, _ in found])
    heights = np.concatenate([entry["prominences"] for _, entry in found])
    order = np.argsort(indices)
    return indices[order], heights[order]


def steepest(signal: np.ndarray) -> Steepest:
    """The steepest line whose extrema differ by half of the range of the signal."""
    span = float(np.ptp(signal))
    indices, _ = extrema(signal, PROMINENT * span)
    pairs = [
        Steepest(j - i, abs(float(signal[j] - signal[i]))) for i, j in pairwise(indices.tolist())
    ]
    spanning = [pair for pair in pairs if pair.height >= SPANNING * span]
    return min(spanning, default=Steepest(0, 0.0))


def ground_below(field: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """What to subtract from a signal, only to find its lines: zeros, or a robust polynomial.

    Lines are looked for relative to the range of the sweep. If no line accounts for this range, or
    a broad hump does while a narrow line stands out beside it, then a polynomial of the lowest
    order is subtracted for which a line does.

    Args:
        field: Field of each sample, of shape (n,), ascending.
        signal: Signal of each sample, of shape (n,).

    Returns:
        The ground, of shape (n,).

    >>> x = np.linspace(250.0, 430.0, 1801)
    >>> band = -(x - 338) * np.exp(-((x - 338) ** 2) / 8)
    >>> float(np.ptp(ground_below(x, band))), round(float(np.ptp(ground_below(x, band + x))))
    (0.0, 180)
    """
    flat = np.zeros(len(signal))
    line = steepest(signal)
    if line.samples and _stands_out(line, signal):
        return flat
    best, rounding = flat, ROUNDING * float(np.abs(signal).max())
    for order in ORDERS[1:] if field[-1] > field[0] else ():
        ground = robust_polynomial(field, signal, order)
        rest = signal - ground
        other = steepest(rest)
        clearly = other.slope > STEEPER * line.slope and _stands_out(other, rest)
        if other.height > rounding and (clearly or not line.samples):
            best, line = ground, other
    return best


def robust_polynomial(field: np.ndarray, signal: np.ndarray, order: int) -> np.ndarray:
    """The polynomial that most samples follow, of shape (n,); lines count as outliers."""
    design = polynomials(field, order)
    every = max(1, len(field) // POINTS)
    powers, values = design[every // 2 :: every], signal[every // 2 :: every]
    weights = np.ones(len(values))
    factors = np.zeros(order + 1)
    for _ in range(20):
        before = factors
        weighted = powers * weights[:, None]
        factors = np.linalg.lstsq(weighted.T @ powers, weighted.T @ values, rcond=None)[0]
        rest = values - powers @ factors
        scale = 1.4826 * np.median(np.abs(rest))
        # residuals that are rounding, or nothing, have no outliers
        if scale <= np.finfo(float).tiny or np.abs(factors - before).max() <= 1e-3 * scale:
            break
        near = np.minimum(np.abs(rest), CUTOFF * scale) / (CUTOFF * scale)
        weights = (1 - near**2) ** 2
    return design @ factors


def _stands_out(line: Steepest, signal: np.ndarray) -> bool:
    """Whether a line is far higher than what most of the sweep does."""
    spread = 1.4826 * float(np.median(np.abs(signal - np.median(signal))))
    return line.height >= QUIET * spread
