"""Weighted least squares from many starts, with errors and intervals.

Works on batches: m data sets of n points each, p free parameters. JAX does what is expensive
(predictions and their derivatives) in one compiled function; the rest is numpy. Call under
`jax.enable_x64(True)`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .curvature import curvature_of
from .intervals import half_widths, profiled, symmetric
from .least_squares_problem import Data, Design, Problem
from .predictions import linearized
from .rival_minima import best_rival
from .robust_loss import in_median_scale, reweighted, robust_variance
from .search import Hints, searched


@dataclass(frozen=True)
class Estimates:
    """What the data say about the free parameters, in their own units; m data sets.

    Args:
        x: Best parameters, shape (m, p).
        chi2: What was minimized, shape (m,): Σ weight² (field − predicted)² or the soft-l1 loss.
            A point where the model has no resonance counts with its whole field.
        variance: Variance of unit weight, shape (m,); 1 where σ is known.
        covariance: Of the parameters, shape (m, p, p).
        sensitivity: Lengths of the columns of the weighted Jacobian, shape (m, p).
        separation: Smallest singular value of that Jacobian with columns of length 1, shape (m,).
        converged: Whether the search ended at a minimum, shape (m,).
        rival: The best minimum that is clearly apart, shape (m, p).
        rival_chi2: Its χ², shape (m,); inf without a rival.
        predicted: Fields in tesla, shape (m, n); NaN without resonance.
        lower: Lower ends of the 68 and 95 % intervals, shape (m, 2, p).
        upper: Upper ends.
    """

    x: np.ndarray
    chi2: np.ndarray
    variance: np.ndarray
    covariance: np.ndarray
    sensitivity: np.ndarray
    separation: np.ndarray
    converged: np.ndarray
    rival: np.ndarray
    rival_chi2: np.ndarray
    predicted: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    def single(self) -> "Estimates":
        """The estimates of the first data set, without the batch axis."""
        return Estimates(**{name: np.asarray(value[0]) for name, value in vars(self).items()})


def estimate(
    problem: Problem,
    design: Design,
    data: Data,
    starts: Float[np.ndarray, "s p"],
    hints: Hints,
    *,
    known_sigma: bool,
    robust: bool,
    intervals: bool,
) -> Estimates:
    """Fit every data set from its `hints` and the best of the common `starts`; see `searched`.

    `robust` replaces squares by the soft-l1 loss; its intervals are symmetric. `intervals` are
    those by profile likelihood; without them all are symmetric.
    """
    ends = searched(problem, design, data, starts, hints)
    if robust:
        if not known_sigma:
            data = in_median_scale(problem, design, data, ends)
        ends = reweighted(problem, design, data, ends.x)
    solution, minimum, converged = ends.best()

    predicted, slope = linearized(problem, design, solution, many=data.many)
    residual = data.weight * (data.field - np.nan_to_num(predicted))
    jacobian = data.weight[..., None] * slope
    used = data.weight > 0
    freedom = np.sum(used, axis=1) - solution.shape[1]
    # as many points as parameters: without σ nothing is known about the errors
    per_freedom = np.where(freedom > 0, 1 / np.maximum(freedom, 1), np.nan)
    if robust:
        variance = robust_variance(residual, used, per_freedom)
    elif known_sigma:
        variance = np.ones(len(solution))
    else:
        # rounding leaves a floor under the residuals of a perfect fit
        variance = np.maximum(minimum * per_freedom, 1e-24)
    curvature, sensitivity, separation = curvature_of(jacobian)
    covariance = curvature * variance[:, None, None]
    rival, rival_chi2 = best_rival(ends, solution, jacobian, variance)

    quantiles = half_widths(freedom, known_sigma=known_sigma)
    lower, upper = symmetric(solution, covariance, quantiles)
    if intervals and not robust and np.all(np.isfinite(variance)):
        rise = quantiles**2 * variance[:, None]
        lower, upper, lowest = profiled(problem, design, data, solution, minimum, curvature, rise)
        # a profile that finds a better fit, beyond rounding, proves that the search missed the best
        rounding = 1e-16 * np.sum((data.weight * data.field) ** 2, axis=1)
        converged = converged & ~(lowest < minimum - 1e-3 * rise[:, 0] - rounding)
    return Estimates(
        x=solution,
        chi2=minimum,
        variance=variance,
        covariance=covariance,
        sensitivity=sensitivity,
        separation=separation,
        converged=converged,
        rival=rival,
        rival_chi2=rival_chi2,
        predicted=predicted,
        lower=lower,
        upper=upper,
    )
