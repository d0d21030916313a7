"""Noise of several series that are fitted together, where σ is unknown.

All series share one variance unless Bartlett's test finds that they differ, which it says by chance
in one of 1000 fits. Then each has its own: Σ r²/(n − h) of its residuals r, where h is the sum of
its leverages, and the weights follow until they agree with the residuals.
"""

import numpy as np
from jaxtyping import Float

from .curvature import curvature_of
from .least_squares_problem import Data, Design, Problem
from .minimization import minimized
from .predictions import linearized


UNLIKELY = 1e-3
"""Probability of the variances of the series by chance below which each has its own."""

LEAST_FREEDOM = 5
"""Points that a series must have beyond the number of parameters to have its own variance."""

ROUNDS = 20
"""Rounds of weights, at most."""

AGREED = 1e-4
"""Relative change of the weights at which they agree."""


def with_own_noise(
    problem: Problem, design: Design, data: Data, x: Float[np.ndarray, "1 p"]
) -> Data:
    """The data with weights by the noise of each series about the fit `x`, where they differ."""
    sizes = [len(where) for where in design.where]
    series = np.repeat(np.arange(len(sizes)), sizes)
    used = data.weight[0] > 0
    counts = np.bincount(series[used], minlength=len(sizes))
    if np.sum(counts > 0) < 2 or np.any((counts > 0) & (counts < x.shape[1] + LEAST_FREEDOM)):
        return data
    factor = np.ones(len(sizes))
    for step in range(ROUNDS):
        weighted = Data(data.field, data.weight * factor[series], data.many)
        x = minimized(problem, design, weighted, x[:, None]).x[:, 0]
        predicted, slope = linearized(problem, design, x, many=data.many)
        residual = (data.weight * (data.field - np.nan_to_num(predicted)))[0]
        jacobian = weighted.weight[..., None] * slope
        inverse = curvature_of(jacobian).inverse[0]
        leverage = np.einsum("np,pq,nq->n", jacobian[0], inverse, jacobian[0])
        sums = np.bincount(series, residual**2, len(sizes))
        freedom = np.maximum(counts - np.bincount(series, leverage, len(sizes)), 1e-9)
        variance = np.where(counts > 0, sums / freedom, 1.0)
        if not np.all(variance > 0) or (step == 0 and not _differ(sums, freedom, counts > 0)):
            return data
        # relative to the mean noise, so that χ² keeps its unit
        new = np.sqrt(np.sum(sums) / np.sum(freedom[counts > 0]) / variance)
        settled = np.all(np.abs(new / factor - 1) < AGREED)
        factor = new
        if settled:
            break
    return Data(data.field, data.weight * factor[series], data.many)


def _differ(sums: np.ndarray, freedom: np.ndarray, present: np.ndarray) -> bool:
    """Whether variances differ by Bartlett's test (M. S. Bartlett, Proc. R. Soc. A 160, 268)."""
    from scipy.special import gammaincc

    sums, freedom = sums[present], freedom[present]
    total = np.sum(freedom)
    statistic = total * np.log(np.sum(sums) / total) - np.sum(freedom * np.log(sums / freedom))
    groups = len(sums) - 1
    correction = 1 + (np.sum(1 / freedom) - 1 / total) / (3 * groups)
    return bool(gammaincc(groups / 2, statistic / correction / 2) < UNLIKELY)
