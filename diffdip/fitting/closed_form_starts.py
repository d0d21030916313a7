"""Starts for A, B, C from a series in the xy-plane, without a search.

The principal axes in the plane are where the second harmonic of Hres(angle) is extreme. There M is
parallel to the field, and with H0, H9 the fields on the two axes, d = H0 − H9 and (a, b) = s·(A, B)
in their frame,

    (H0 − b)(H0 − 3a/2 − b/2) = w0² = (H9 + b)(H9 − 3a/2 + b/2) .

Without a this is a cubic in b, b³ − 2d b² + (d² − H0 H9 − 2 w0²) b + d (H0 H9 + w0²) = 0. One of
its roots is the solution, up to noise.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float


ORDERS = (2, 4, 6)
"""Harmonics of Hres(angle) that are fitted besides the mean, as far as the points allow."""

CUTOFF = 1e-6
"""Smaller singular values of the harmonics count as zero: angles that cover too little."""

REWEIGHTINGS = 30
"""Rounds of weights 1/distance, by which squares become distances."""

WIDEST_GAP = np.radians(16.0)
"""The harmonics are a smooth curve through the data if no gap between angles is larger."""


def projected(
    basis: Float[np.ndarray, "n p"], field: Float[np.ndarray, "m n"]
) -> Float[np.ndarray, "m p"]:
    """Coefficients of the basis by least squares for each row of `field`, without its NaNs."""
    used = np.isfinite(field)
    normal = np.einsum("mn,np,nq->mpq", used.astype(float), basis, basis)
    right = np.nan_to_num(field) @ basis
    inverse = np.linalg.pinv(normal, rcond=CUTOFF, hermitian=True)
    return (inverse @ right[..., None])[..., 0]


class Harmonics(NamedTuple):
    """The mean and the even harmonics of m series, by least squares.

    Args:
        coefficients: Mean, then the cosine and sine of each harmonic in tesla, shape (m, 1 + 2k).
        orders: The harmonics, k of them.
    """

    coefficients: np.ndarray
    orders: tuple[int, ...]

    @staticmethod
    def of(angle: Float[np.ndarray, " n"], field: Float[np.ndarray, "m n"]) -> "Harmonics":
        """As many harmonics as the series with the fewest points allows; NaN is left out."""
        fewest = int(np.min(np.sum(np.isfinite(field), axis=1)))
        orders = ORDERS[: max(1, (fewest - 1) // 2)]
        return Harmonics(projected(_waves(angle, orders), field), orders)

    def curve(self, angle: Float[np.ndarray, " n"]) -> Float[np.ndarray, "m n"]:
        """The harmonics at these angles (radians), in tesla."""
        return self.coefficients @ _waves(angle, self.orders).T

    def starts(self, larmor: float, sign: int) -> Float[np.ndarray, "m 3 3"]:
        """A, B, C (tesla) of the three roots, with complex roots by their real part.

        `larmor` is w0 in tesla, and `sign` is s.
        """
        mean, *waves = self.coefficients.T
        phase = 0.5 * np.arctan2(waves[1], waves[0])
        along, across = mean.copy(), mean.copy()
        for i, k in enumerate(self.orders):
            wave = waves[2 * i] * np.cos(k * phase) + waves[2 * i + 1] * np.sin(k * phase)
            # 90° further the harmonics 2, 6, ... have the opposite sign
            along, across = along + wave, across + wave * (-1) ** (k // 2)
        return _solutions(along, across, phase, larmor, sign)


def _waves(angle: np.ndarray, orders: tuple[int, ...]) -> np.ndarray:
    """The columns 1, cos kα, sin kα, ..."""
    columns = [np.ones_like(angle)]
    for k in orders:
        columns += [np.cos(k * angle), np.sin(k * angle)]
    return np.stack(columns, axis=1)


def robust_curve(
    angle: Float[np.ndarray, " n"], field: Float[np.ndarray, "m n"], used: Bool[np.ndarray, "m n"]
) -> tuple[Float[np.ndarray, "m n"], int]:
    """A smooth curve with the least sum of distances, and its number of parameters.

    With half as many parameters as points, at most, so that wrong points do not bend it.
    """
    fewest = int(np.min(np.sum(used, axis=1)))
    waves = _waves(angle, tuple(k for k in ORDERS if 2 * (1 + k) <= fewest))
    curve, weight = np.zeros_like(field), used.astype(float)
    for _ in range(REWEIGHTINGS):
        normal = np.einsum("mn,np,nq->mpq", weight, waves, waves)
        right = (weight * field) @ waves
        inverse = np.linalg.pinv(normal, rcond=CUTOFF, hermitian=True)
        curve = (inverse @ right[..., None])[..., 0] @ waves.T
        distance = np.abs(field - curve)
        floor = 1e-3 * np.mean(np.where(used, distance, 0.0), axis=1, keepdims=True) + 1e-12
        weight = used / np.maximum(distance, floor)
    return curve, waves.shape[1]


def cover_half_turn(
    angle: Float[np.ndarray, " n"], used: Bool[np.ndarray, "m n"]
) -> Bool[np.ndarray, " m"]:
    """Whether the angles (radians) that each series uses leave no gap above `WIDEST_GAP`.

    A turn by 180° changes nothing.
    """
    reduced = angle % np.pi
    order = np.argsort(reduced)
    last = np.maximum.accumulate(np.where(used[:, order], reduced[order], -np.inf), axis=1)
    # before the first angle that is used comes the last one, half a turn back
    turned = last[:, -1:] - np.pi
    before = np.maximum(np.concatenate([turned, last[:, :-1]], axis=1), turned)
    gap = np.where(used[:, order], reduced[order] - before, 0.0)
    return used.any(axis=1) & (gap.max(axis=1, initial=0.0) < WIDEST_GAP)


def _solutions(
    along: np.ndarray, across: np.ndarray, phase: np.ndarray, larmor: float, sign: int
) -> np.ndarray:
    """A, B, C of the three roots for the fields on the two axes, the first at the angle `phase`."""
    d, product = along - across, along * across
    zero, square = np.zeros_like(d), larmor * larmor
    constant, linear = d * (product + square), d * d - product - 2 * square
    companion = np.stack(
        [
            np.stack([2 * d, -linear, -constant], axis=-1),
            np.stack([1 + zero, zero, zero], axis=-1),
            np.stack([zero, 1 + zero, zero], axis=-1),
        ],
        axis=-2,
    )
    b = np.linalg.eigvals(companion).real
    left = along[:, None] - b
    a = (along[:, None] - 0.5 * b - square / np.where(left == 0, 1.0, left)) / 1.5
    cos, sin = np.cos(2 * phase)[:, None], np.sin(2 * phase)[:, None]
    return sign * np.stack([a, b * cos, 0.5 * b * sin], axis=-1)
