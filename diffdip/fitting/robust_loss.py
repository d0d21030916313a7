"""The soft-l1 loss Σ 2 (√(1 + r²) − 1), by iteratively reweighted least squares.

The weight of a point falls as (1 + r²)^(−1/2), so that outliers pull with constant force.
"""

import numpy as np
from jaxtyping import Bool, Float

from .least_squares_problem import Data, Design, Problem
from .minimization import Minimized, minimized
from .predictions import predicted_fields


REWEIGHTINGS = 40
"""Rounds of reweighting, at most."""


def in_median_scale(problem: Problem, design: Design, data: Data, plain: Minimized) -> Data:
    """The data in units of the median absolute deviation from the plain fit, where σ is unknown."""
    best, _, _ = plain.best()
    deviation = np.abs(
        data.weight * (data.field - predicted_fields(problem, design, best, many=data.many))
    )
    median = np.nanmedian(np.where(data.weight > 0, deviation, np.nan), axis=1, keepdims=True)
    # 1.4826 makes it the standard deviation of a normal law
    weight = data.weight / np.maximum(1.4826 * median, 1e-9)
    return Data(data.field, weight, data.many)


def reweighted(
    problem: Problem, design: Design, data: Data, x: Float[np.ndarray, "m l p"]
) -> Minimized:
    """Minimize the loss from `x`, which are the ends of the plain fit; `cost` is the loss."""
    m, lanes, size = x.shape
    converged = np.zeros((m, lanes), bool)
    residual = np.zeros((m, lanes, data.field.shape[1]))
    for _ in range(REWEIGHTINGS):
        predicted = predicted_fields(problem, design, x.reshape(-1, size), many=data.many)
        predicted = predicted.reshape(m, lanes, -1)
        residual = data.weight[:, None] * (data.field[:, None] - predicted)
        share = (1 + residual**2) ** -0.25
        moved = minimized(problem, design, data, x, share=share).x
        converged = np.max(np.abs(moved - x), axis=-1) < 1e-7
        x = moved
        if np.all(converged):
            break
    return Minimized(x, np.sum(2 * (np.sqrt(1 + residual**2) - 1), axis=-1), converged)


def robust_variance(
    residual: Float[np.ndarray, "m n"],
    used: Bool[np.ndarray, "m n"],
    per_freedom: Float[np.ndarray, " m"],
) -> Float[np.ndarray, " m"]:
    """Variance of unit weight of the soft-l1 estimate: E ψ²/(E ψ′)², as for a location."""
    influence = np.where(used, residual**2 / (1 + residual**2), 0).sum(axis=1)
    slope = np.where(used, (1 + residual**2) ** -1.5, 0).sum(axis=1)
    count = used.sum(axis=1)
    return influence * per_freedom / (slope / count) ** 2
