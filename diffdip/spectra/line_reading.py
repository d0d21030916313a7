"""Positions read off a derivative line: its zero crossing, and the midpoint of its extrema.

Each comes with its derivative by every sample of the signal, from which its error follows.
"""

import numpy as np

from .lines import LineError


CENTRE = 0.25
"""Part of the smaller extremum within which the straight line is fitted."""

CAP = 0.25
"""Part of a line's width on either side of an extremum through which the parabola goes."""

FLAT = 1e-6
"""An extremum, or a slope at zero, of less than this part of the others is none of a line."""


def zero_crossing(field: np.ndarray, signal: np.ndarray) -> float:
    """Where a derivative line passes through zero between its extrema, in the unit of `field`.

    That of the straight line fitted by least squares to the samples between the extrema and within
    a quarter of the smaller one; to the two samples beside the crossing where those are fewer.
    Raises `LineError` where the signal does not change its sign between its extrema.

    >>> x = np.linspace(-4.0, 5.0, 2001)
    >>> round(zero_crossing(x, -(x - 0.3) * np.exp(-((x - 0.3) ** 2) / 2)), 5)
    0.3
    """
    first, last = sorted((int(np.argmax(signal)), int(np.argmin(signal))))
    return crossing(field, signal, first, last)[0]


def crossing(
    field: np.ndarray, signal: np.ndarray, first: int, last: int
) -> tuple[float, np.ndarray]:
    """Zero crossing between the extrema at two samples, and its derivative by each sample.

    Raises `LineError` where there is none, or the line is flat there.
    """
    between = np.arange(first, last + 1)
    values = signal[between]
    low, high = np.sort(np.abs(values[[0, -1]]))
    if np.sign(values[0]) * np.sign(values[-1]) >= 0 or low < FLAT * high:
        raise LineError(
            f"the signal does not pass through zero between {field[first]:.6g} and "
            f"{field[last]:.6g}: take off a baseline"
        )
    central = between[np.abs(values) < CENTRE * low]
    if len(central) < 2:
        before = int(np.flatnonzero(np.sign(values) == np.sign(values[0]))[-1])
        central = between[before : before + 2]
    x, y = field[central] - field[central].mean(), signal[central]
    square = x @ x
    slope = x @ y / square if square > 0 else 0.0
    if not slope * (field[last] - field[first]) / (values[-1] - values[0]) > FLAT:
        raise LineError(
            f"no straight line through the samples about the zero between {field[first]:.6g} and "
            f"{field[last]:.6g}"
        )
    weights = np.zeros(len(field))
    weights[central] = -1 / (len(central) * slope) + y.mean() / slope**2 * x / square
    return float(field[central].mean() - y.mean() / slope), weights


def midpoint(
    field: np.ndarray, signal: np.ndarray, first: int, last: int
) -> tuple[float, np.ndarray]:
    """Half way between the vertices at two extrema, and its derivative by each sample.

    The parabola at an extremum goes through the samples within a quarter of the line's width, and
    is found again about its vertex; the derivative is that in the last of these windows. Raises
    `LineError` where there is no vertex.
    """
    width = field[last] - field[first]
    reach = float(max(CAP * width, 2 * width / (last - first)))
    (low, one), (high, two) = (_vertex(field, signal, i, reach) for i in (first, last))
    return (low + high) / 2, (one + two) / 2


def _vertex(
    field: np.ndarray, signal: np.ndarray, index: int, reach: float
) -> tuple[float, np.ndarray]:
    """Vertex of the parabola through the samples within reach, far ones with less weight."""
    centre, weights = float(field[index]), np.zeros(len(field))
    for _ in range(3):  # each time about the vertex found before
        near = np.flatnonzero(np.abs(field - centre) < reach)
        x = (field[near] - centre) / reach
        importance = 1 - x**2
        solve = np.linalg.pinv(importance[:, None] * np.vander(x, 3, increasing=True)) * importance
        _, linear, square = solve @ signal[near]
        shift = -linear / (2 * square) if square else np.inf
        if len(near) < 3 or not abs(shift) <= 1:
            raise LineError(f"no parabola through the extremum at {field[index]:.6g}")
        weights = np.zeros(len(field))
        weights[near] = -reach * (solve[1] / (2 * square) - linear * solve[2] / (2 * square**2))
        centre += float(reach * shift)
    return centre, weights
