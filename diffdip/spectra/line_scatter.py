"""Samples that scatter on a line more than beside it.

Noise of a receiver is the same everywhere. Noise of the field, and samples of several sweeps that
differ, scatter where the signal is steep. Standard errors from the noise beside a line are then too
small.
"""

from collections.abc import Sequence

import numpy as np

from ..foundation.flags import Flag
from .line_selection import SelectedLine
from .lines import Lines


BESIDE = 3.0
"""The noise is taken from samples that are this many widths away from all lines."""

LEAST_BESIDE, LEAST_ON_LINE = 40, 12
"""Samples that are needed beside the lines, and on the line."""

TOUCHING = 6
"""Lines with fewer samples between them may be one line, torn apart by scatter."""

MEMORY = 0.1
"""What is left of neighbouring samples has this part of its square as a product, with a minus, if
it scatters. A curve that the samples resolve badly leaves something smooth."""

COINCIDENT = 1e-9
"""Fields closer together than this part of the sweep are one to rounding."""

MORE = 5.0
"""Scatter by this factor is flagged."""


def scatter_flags(selected: Sequence[SelectedLine]) -> tuple[Flag, ...]:
    """A flag if selected lines scatter more than the noise beside them."""
    found = np.array([scatter(*one) for one in selected])
    high = np.flatnonzero(found > MORE)
    if not len(high):
        return ()
    most = int(np.argmax(found))
    lines, number = selected[most]
    at = lines.position[number]
    message = (
        f"The samples of {len(high)} of {len(found)} lines scatter more than the noise beside "
        f"them, {found[most]:.2g} times for the line at {at:.2f} mT. The standard errors are too "
        "small. Are sweeps up and down mixed in one table, or is the field noisy?"
    )
    return (Flag("scattered-line", message),)


def scatter(lines: Lines, index: int) -> float:
    """Scatter of the samples on a line over that beside all lines; 1 if it is not known.

    It is what a cubic through the two neighbours on each side leaves of a sample.
    """
    field, width = lines.field, float(lines.width[index])
    left = _left(field, lines.signal)
    inside = np.abs(field - lines.position[index]) <= width
    inside[_cluster(lines, index)] = True
    beside = np.ones(len(field), bool)
    for position, other in zip(lines.position, lines.width, strict=True):
        beside &= np.abs(field - position) > BESIDE * other
    on, off = left[inside], left[beside]
    if len(on) < LEAST_ON_LINE or len(off) < LEAST_BESIDE:
        return 1.0
    power, quiet = float(np.mean(on**2)), float(np.median(off**2)) / 0.455  # of normal errors
    # what scatters counts less than noise that is correlated over many samples
    known = lines.noise.covariance
    quiet = max(quiet, float(known[0] + 2 * known[1:].sum()))
    smooth = float(np.mean(on[1:] * on[:-1])) > -MEMORY * power
    if smooth or not quiet > 0:
        return 1.0
    return float(np.sqrt(power / quiet))


def _cluster(lines: Lines, index: int) -> slice:
    """The samples of a line and of those that touch it."""
    low = high = index
    while low > 0 and lines.first[low] - lines.last[low - 1] < TOUCHING:
        low -= 1
    while high + 1 < len(lines) and lines.first[high + 1] - lines.last[high] < TOUCHING:
        high += 1
    return slice(int(lines.first[low]), int(lines.last[high]) + 1)


def _left(field: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """What the cubic leaves of each sample, in standard deviations of white noise; shape (n,)."""
    nodes = np.array([-2, -1, 1, 2])
    at = np.arange(2, len(field) - 2)
    apart_enough = np.diff(field) > COINCIDENT * np.ptp(field)
    x = field if apart_enough.all() else np.arange(float(len(field)))
    apart = x[at[:, None] + nodes] - x[at, None]
    weights = np.ones_like(apart)
    for j in range(4):
        for k in range(4):
            if k != j:
                weights[:, j] *= apart[:, k] / (apart[:, k] - apart[:, j])
    rest = signal[at] - (weights * signal[at[:, None] + nodes]).sum(axis=1)
    return np.pad(rest / np.sqrt(1 + (weights**2).sum(axis=1)), 2)
