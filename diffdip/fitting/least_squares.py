"""Weighted least squares from many starts, with errors and intervals.

Works on batches: m data sets of n points each, p free parameters. JAX does what is expensive
(predictions and their derivatives) in one compiled function; the rest is numpy. Call under
`jax.enable_x64(True)`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .chi_squared import too_large
from .curvature import curvature_of
from .equivalent_solutions import least_surprising
from .intervals import half_widths, profiled, symmetric
from .least_squares_problem import Data, Design, Problem
from .predictions import linearized
from .rival_minima import rivals_among
from .robust_loss import SLOPE, SQUARE, loss_of, robust_curvature, robustly_searched
from .search import Hints, searched


@dataclass(frozen=True)
class Estimates:
    """What the data say about the free parameters, in their own units; m data sets.

    Args:
        x: Best parameters, shape (m, p).
        chi2: What was minimized, shape (m,): Σ weight² (field − predicted)² or the soft-l1 loss.
            A point where the model has no resonance counts with its whole field.
        variance: Rise of χ² at one standard error, shape (m,): the variance of unit weight. Where σ
            is known it is 1, or χ²/dof where that is improbably large.
        scale: Unit of the residuals of a robust loss in units of 1/weight, shape (m,); 1 otherwise.
        covariance: Of the parameters, shape (m, p, p).
        sensitivity: Lengths of the columns of the weighted Jacobian, shape (m, p).
        separation: Smallest singular value of that Jacobian with columns of length 1, shape (m,).
        beyond: Step from x to the minimum of the linear model without bounds, shape (m, p).
        converged: Whether the search ended at a minimum, shape (m,).
        rival: Where all searches ended, shape (m, lanes, p).
        rival_chi2: χ² there, shape (m, lanes); inf for ends that are no other minimum.
        predicted: Fields in tesla, shape (m, n); NaN without resonance.
        residual: Weight times residual, over the scale of a robust loss, shape (m, n).
        jacobian: Derivatives of the predictions with the same weights, shape (m, n, p).
        lower: Lower ends of the 68 and 95 % intervals, shape (m, 2, p).
        upper: Upper ends.
    """

    x: np.ndarray
    chi2: np.ndarray
    variance: np.ndarray
    scale: np.ndarray
    covariance: np.ndarray
    sensitivity: np.ndarray
    separation: np.ndarray
    beyond: np.ndarray
    converged: np.ndarray
    rival: np.ndarray
    rival_chi2: np.ndarray
    predicted: np.ndarray
    residual: np.ndarray
    jacobian: np.ndarray
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
    scale = np.ones(len(data.field))
    if robust:
        ends, scale = robustly_searched(
            problem, design, data, starts, hints.x, known_sigma=known_sigma
        )
    else:
        ends = searched(problem, design, data, starts, hints)
    score = least_surprising(problem.parameters.free, ends.x)
    solution, minimum, converged = ends.best(score)

    predicted, slope = linearized(problem, design, solution, many=data.many)
    weight = data.weight / scale[:, None]
    residual = weight * (data.field - np.nan_to_num(predicted))
    jacobian = weight[..., None] * slope
    freedom = np.sum(data.weight > 0, axis=1) - solution.shape[1]
    # as many points as parameters: without σ nothing is known about the errors
    per_freedom = np.where(freedom > 0, 1 / np.maximum(freedom, 1), np.nan)
    open_errors = np.where(known_sigma | (freedom > 0), 1.0, np.nan)
    trusted = np.full(len(freedom), known_sigma)
    if robust:
        # minima are compared by another loss
        ends = ends._replace(cost=ends.cost + (loss_of(residual) - minimum)[:, None])
        minimum = loss_of(residual)
        variance = SQUARE / SLOPE**2 * open_errors
        curvature, covariance = robust_curvature(jacobian, residual)
        pull = residual / np.sqrt(1 + residual**2)
        covariance = covariance * open_errors[:, None, None]
    else:
        # σ that the residuals contradict is as good as none
        trusted &= ~too_large(minimum, freedom)
        # rounding leaves a floor under the residuals of a perfect fit
        variance = np.where(trusted, 1.0, np.maximum(minimum * per_freedom, 1e-24))
        curvature, pull = curvature_of(jacobian), residual
        covariance = curvature.inverse * variance[:, None, None]
    gradient = np.einsum("mn,mnp->mp", pull, jacobian)
    rival_chi2 = rivals_among(
        ends,
        solution,
        jacobian,
        variance,
        np.max(np.abs(data.field), axis=1),
    )

    quantiles = half_widths(freedom, trusted)
    lower, upper = symmetric(solution, covariance, quantiles)
    if intervals and not robust and np.all(np.isfinite(variance)):
        rise = quantiles**2 * variance[:, None]
        lower, upper, lowest = profiled(
            problem, design, data, solution, minimum, curvature.inverse, rise
        )
        # a profile that finds a better fit, beyond rounding, proves that the search missed the best
        rounding = 1e-16 * np.sum((data.weight * data.field) ** 2, axis=1)
        converged = converged & ~(lowest < minimum - 1e-3 * rise[:, 0] - rounding)
    return Estimates(
        x=solution,
        chi2=minimum,
        variance=variance,
        scale=scale,
        covariance=covariance,
        sensitivity=curvature.sensitivity,
        separation=curvature.separation,
        beyond=(curvature.inverse @ gradient[..., None])[..., 0],
        converged=converged,
        rival=ends.x,
        rival_chi2=rival_chi2,
        predicted=predicted,
        residual=residual,
        jacobian=jacobian,
        lower=lower,
        upper=upper,
    )
