"""Positions read off a derivative line: its zero crossing, and the midpoint of its extrema.

Each comes with its derivatives with respect to the samples of the signal. The standard error of the
position follows from these.
"""

import numpy as np

from .lines import LineError


CENTRE = 0.25
"""The straight line is fitted to the samples below this part of the smaller extremum."""

CAP = 0.25
"""The parabola is fitted to the samples within this part of the line's width from an extremum."""

FLAT = 1e-6
"""A smaller extremum, slope at the zero or bend at an extremum, relative to the larger one, is only
rounding."""


def zero_crossing(field: np.ndarray, signal: np.ndarray) -> float:
    """The field at which a derivative line crosses zero between its extrema.

    A straight line is fitted by least squares to the samples between the extrema whose absolute
    value is below a quarter of the smaller extremum. If there are fewer than two, the two samples
    beside the crossing are used.

    Args:
        field: Field of each sample, of shape (n,), ascending, in any unit.
        signal: Derivative of the absorption, of shape (n,).

    Returns:
        The zero crossing, in the unit of `field`.

    Raises:
        LineError: If the signal does not change its sign between its extrema.

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

    Raises `LineError` if there is no crossing, or the line is flat there.
    """
    between = np.arange(first, last + 1)
    values = signal[between]
    low, high = np.sort(np.abs(values[[0, -1]]))
    if np.sign(values[0]) * np.sign(values[-1]) >= 0 or low < FLAT * high:
        raise LineError(
            f"no zero crossing between the extrema at {field[first]:.6g} and {field[last]:.6g}",
            hint="If the line stands on sloping ground, use {baseline} 1, a higher order, or auto",
        )
    central = between[np.abs(values) < CENTRE * low]
    if len(central) < 2:
        before = int(np.flatnonzero(np.sign(values) == np.sign(values[0]))[-1])
        central = between[before : before + 2]
    x, y = field[central] - field[central].mean(), signal[central]
    square = x @ x
    slope = x @ y / square if square > 0 else 0.0
    # compared with the mean slope between the extrema, which has the sign of the right crossing
    if not slope * (field[last] - field[first]) / (values[-1] - values[0]) > FLAT:
        raise LineError(
            f"no slope at the zero crossing between {field[first]:.6g} and {field[last]:.6g}",
            hint="Fit a line shape, such as {definition} = lorentzian",
        )
    weights = np.zeros(len(field))
    weights[central] = -1 / (len(central) * slope) + y.mean() / slope**2 * x / square
    return float(field[central].mean() - y.mean() / slope), weights


def midpoint(
    field: np.ndarray, signal: np.ndarray, first: int, last: int
) -> tuple[float, np.ndarray]:
    """Midpoint of the vertices at two extrema, and its derivative by each sample.

    The parabola at an extremum is fitted to the samples within a quarter of the line's width. It is
    fitted again around its vertex, and the derivative is that of the last fit. Raises `LineError`
    if there is no vertex.
    """
    width = field[last] - field[first]
    reach = float(max(CAP * width, 2 * width / (last - first)))
    least = FLAT * abs(signal[last] - signal[first])
    (low, one), (high, two) = (_vertex(field, signal, i, reach, least) for i in (first, last))
    return (low + high) / 2, (one + two) / 2


def _vertex(
    field: np.ndarray, signal: np.ndarray, index: int, reach: float, least: float
) -> tuple[float, np.ndarray]:
    """Vertex of the parabola through the samples within reach; far samples have less weight.

    A parabola that bends by no more than `least` within reach has none.
    """
    centre, weights = float(field[index]), np.zeros(len(field))
    for _ in range(3):  # each time around the vertex found before
        near = np.flatnonzero(np.abs(field - centre) < reach)
        x = (field[near] - centre) / reach
        importance = 1 - x**2
        powers = np.vander(x, 3, increasing=True)
        weighted = importance[:, None] ** 2 * powers
        # normal equations of three powers within ±1 lose no digits that matter
        solve = np.linalg.pinv(powers.T @ weighted) @ weighted.T
        _, linear, square = solve @ signal[near]
        shift = -linear / (2 * square) if abs(square) > least else np.inf
        if len(near) < 3 or not abs(shift) <= 1:
            raise LineError(
                f"no parabola fits the extremum at {field[index]:.6g}",
                hint="Use another {definition}, such as lorentzian",
            )
        weights = np.zeros(len(field))
        weights[near] = -reach * (solve[1] / (2 * square) - linear * solve[2] / (2 * square**2))
        centre += float(reach * shift)
    return centre, weights
