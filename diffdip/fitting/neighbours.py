"""Whether residuals of neighbours are alike: a correlation, and what chance makes of it.

The residuals of a fit are e − U Uᵀe of noise e, with the columns of U an orthonormal basis of the
weighted Jacobian J. So the fit itself makes neighbours unlike, strongly so where points are few.
For A with ½ at each pair of neighbours, and Σ the covariance I − U Uᵀ of the residuals r,

    rᵀA r / rᵀr  has the mean  µ = tr AΣ / f  and the variance  2 tr[(A − µ)Σ]² / f(f + 2),

with f = tr Σ (J. Durbin, G. S. Watson, Biometrika 37, 409, who have d ≈ 2 − 2r). This is exact for
all points of a fit, and close for those of one of its series.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from .series import Series


SAME_ANGLE = 0.1
"""Angles (degrees) are alike to this step."""

SAME_HELD = 0.01
"""Frequencies, or set fields, are alike to this part."""


class Likeness(NamedTuple):
    """How alike residuals of neighbours are.

    Args:
        correlation: Σ rᵢ rⱼ over pairs of neighbours, over Σ rᵢ².
        expected: What white noise gives after the fit.
        deviation: The standard deviation of that; inf without pairs.
    """

    correlation: float
    expected: float
    deviation: float

    def is_above(self, deviations: float) -> bool:
        """Whether neighbours are alike, and more so than chance makes them."""
        return self.correlation > 0 and self.correlation > (
            self.expected + deviations * self.deviation
        )


def basis_of(jacobian: Float[np.ndarray, "n p"]) -> Float[np.ndarray, "n r"]:
    """An orthonormal basis of the columns, from the weighted Jacobian of all points."""
    jacobian = np.nan_to_num(jacobian)
    length = np.sqrt(np.sum(jacobian**2, axis=0))
    columns = jacobian[:, length > 0] / length[length > 0]
    u, singular, _ = np.linalg.svd(columns, full_matrices=False)
    return u[:, singular > 1e-7]


def likeness(
    residual: Float[np.ndarray, " n"],
    basis: Float[np.ndarray, "n r"],
    pairs: Int[np.ndarray, "k 2"],
) -> Likeness:
    """The likeness of `pairs` of neighbours, given as indices of residuals over their errors."""
    one, other = pairs.T
    freedom = len(residual) - float(np.sum(basis**2))
    if not len(pairs) or freedom < 1:
        return Likeness(0.0, 0.0, np.inf)
    correlation = np.sum(residual[one] * residual[other]) / np.sum(residual**2)
    between = np.zeros_like(basis)
    np.add.at(between, one, basis[other] / 2)
    np.add.at(between, other, basis[one] / 2)
    mean = -float(np.sum(basis * between)) / freedom
    centered = between - mean * basis
    # of B = A − µ: tr (BΣ)² = tr B² − 2 tr UᵀB²U + tr (UᵀBU)²
    whole = len(pairs) / 2 + len(residual) * mean**2
    squares = whole - 2 * np.sum(centered**2) + np.sum((basis.T @ centered) ** 2)
    deviation = np.sqrt(2 * max(float(squares), 0.0) / (freedom * (freedom + 2)))
    return Likeness(float(correlation), mean, float(deviation))


def next_to(count: int) -> Int[np.ndarray, "k 2"]:
    """Pairs of points that follow each other."""
    return np.stack([np.arange(count - 1), np.arange(1, count)], axis=1)


def pairs_in_angle(
    series: Sequence[Series], used: Int[np.ndarray, " k"]
) -> Int[np.ndarray, "pairs 2"]:
    """Neighbours in angle at one frequency, of the `used` points of all series."""
    kind, angle, held, _ = _settings(series, used)
    return _consecutive((kind, np.round(np.log(held) / SAME_HELD)), angle, kind >= 0)


def pairs_in_frequency(
    series: Sequence[Series], used: Int[np.ndarray, " k"]
) -> Int[np.ndarray, "pairs 2"]:
    """Neighbours in frequency, or in the set field, in one direction."""
    kind, angle, held, direction = _settings(series, used)
    step = np.round(np.degrees(angle) / SAME_ANGLE)
    found = _consecutive((kind, step, *direction.T), held, np.isfinite(held))
    return found[np.abs(held[found[:, 0]] / held[found[:, 1]] - 1) > 1e-6]


def _settings(
    series: Sequence[Series], used: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What was set at each point.

    These are the kind of series, −1 or lower along directions; the angle; the frequency or field;
    and the direction to three digits.
    """
    kinds: dict[tuple[str, str], int] = {}
    kind, direction = [], []
    for one in series:
        number = kinds.setdefault((one.measured, repr(one.plane)), len(kinds))
        along = one.direction is not None
        kind.append(np.full(len(one), -1 - number if along else number))
        vectors = np.zeros((len(one), 3)) if one.direction is None else one.direction
        direction.append(np.round(vectors, 3) + 0.0)
    angle = np.concatenate([one.angle for one in series])
    held = np.concatenate(
        [one.frequency if one.measured == "field" else one.field for one in series]
    )
    return tuple(
        values[used] for values in (np.concatenate(kind), angle, held, np.concatenate(direction))
    )  # pyright: ignore[reportReturnType]


def _consecutive(
    groups: tuple[np.ndarray, ...], values: np.ndarray, used: np.ndarray
) -> Int[np.ndarray, "pairs 2"]:
    """Points of the same groups that follow each other in their values."""
    order = np.lexsort((values, *groups))
    order = order[used[order]]
    pairs = np.stack([order[:-1], order[1:]], axis=1)
    same = np.ones(len(pairs), bool)
    for group in groups:
        same &= group[pairs[:, 0]] == group[pairs[:, 1]]
    return pairs[same]
