"""Points that pull a fit: what the parameters would be without each of them, without a new fit.

With the weighted Jacobian J, its row j of a point, C = (JᵀJ)⁻¹, the point's leverage h = jᵀC j and
its residual r over its error, leaving out the point changes the parameters by −C j r/(1 − h), their
covariance to C + C j jᵀC/(1 − h), and χ² by −r²/(1 − h), to first order (D. A. Belsley, E. Kuh,
R. E. Welsch, Regression Diagnostics, 1980).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from ..foundation.flags import Flag
from .curvature import curvature_of
from .outliers import places_of
from .parameters import ParameterSet
from .series import Series


UNLIKELY: Final = 5e-3
"""Probability by chance, over all points of a fit, of a residual from which on a point may pull."""

OWN_ERROR: Final = 1.0
"""A point pulls if it moves a parameter by more than the error that there is without it."""

LEAST_FREEDOM: Final = 4
"""Degrees of freedom that must be left without a point."""

MOST_TOLD: Final = 3
"""Points that are named at most, those that pull most."""


class Influence(NamedTuple):
    """What each point does to a fit of n points by p parameters.

    Args:
        change: Of each parameter if the point is left out, shape (n, p).
        error: Standard error of each parameter without the point, shape (n, p).
        chance: Probability of a residual as large as that of the point, shape (n,).
    """

    change: np.ndarray
    error: np.ndarray
    chance: np.ndarray


def influence_of(
    residual: Float[np.ndarray, " n"], jacobian: Float[np.ndarray, "n p"], *, known_sigma: bool
) -> Influence:
    """The influence of each point, from residuals over their errors, and derivatives likewise.

    Where σ is unknown, the variance is that of the other points, and the law is Student's.
    """
    from scipy.special import ndtr, stdtr

    covariance = curvature_of(jacobian[None]).inverse[0]
    along = jacobian @ covariance
    left = np.maximum(1 - np.sum(along * jacobian, axis=1), 1e-9)
    freedom = len(residual) - jacobian.shape[1] - 1
    chi2 = np.maximum(np.sum(residual**2) - residual**2 / left, 0.0)
    variance = np.maximum(chi2 / freedom, 1e-300)
    if known_sigma:
        variance = np.maximum(variance, 1.0)
    size = np.abs(residual) / np.sqrt(left * variance)
    tail = np.where(known_sigma & (variance <= 1), ndtr(-size), stdtr(freedom, -size))
    error = np.sqrt(variance[:, None] * (np.diagonal(covariance) + along**2 / left[:, None]))
    return Influence(-along * (residual / left)[:, None], error, 2 * tail)


def pulling_points(
    parameters: ParameterSet,
    x: Float[np.ndarray, " p"],
    series: Sequence[Series],
    residual: Float[np.ndarray, " n"],
    jacobian: Float[np.ndarray, "n p"],
    *,
    known_sigma: bool,
) -> list[Flag]:
    """A flag for each of the points that pull most, with what the fit `x` would be without it.

    `residual` and `jacobian` are weighted; NaN, or a weight of 0, leaves a point out.
    """
    used = np.flatnonzero(np.isfinite(residual) & np.isfinite(jacobian).all(axis=1))
    if len(used) - len(x) - 1 < LEAST_FREEDOM:
        return []
    found = influence_of(residual[used], jacobian[used], known_sigma=known_sigma)
    pull = np.abs(found.change) / found.error
    strongest = np.max(pull, axis=1)
    pulling = (found.chance * len(used) < UNLIKELY) & (strongest > OWN_ERROR)
    places = places_of(series)
    flags = []
    for i in np.argsort(-np.where(pulling, strongest, 0.0))[: min(MOST_TOLD, pulling.sum())]:
        k = int(np.argmax(pull[i]))
        name, value = parameters.free[k], float(x[k] + found.change[i, k])
        message = (
            f"The point at {places[used[i]]} pulls {name} by {strongest[i]:.1f} errors: without it "
            f"{parameters.shown(name, value)}, about."
        )
        flags.append(Flag("pulling-points", message))
    return flags
