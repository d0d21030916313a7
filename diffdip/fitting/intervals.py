"""Intervals of the parameters: symmetric, or by profile likelihood."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from .least_squares_problem import Data, Design, Problem
from .minimization import minimized


LEVELS = {"68": (0.6827, 1.0), "95": (0.9545, 2.0)}
"""Coverage of the intervals and their half-widths in standard deviations of a normal law."""

ROUNDS = 7
"""Steps of the search for the end of a profile-likelihood interval."""

CLOSE = 1e-3
"""The search stops when the rise of χ² is within this part of the required rise."""

ACCEPTED = 0.05
"""An end is given if the rise of χ² is within this part of the required rise."""


class Profile(NamedTuple):
    """Ends of profile-likelihood intervals, and the lowest χ² that the search met.

    Args:
        lower: Lower ends of both levels, shape (m, 2, p); NaN for an open end.
        upper: Upper ends, shape (m, 2, p).
        lowest: Lowest χ² of the search, shape (m,).
    """

    lower: np.ndarray
    upper: np.ndarray
    lowest: np.ndarray


def half_widths(
    freedom: Int[np.ndarray, " m"], normal: Bool[np.ndarray, " m"]
) -> Float[np.ndarray, "m 2"]:
    """Half-widths of the intervals in standard errors, `normal` or by Student's law."""
    from scipy.special import stdtrit

    return np.stack(
        [
            np.where(normal, width, stdtrit(np.maximum(freedom, 1), (1 + level) / 2))
            for level, width in LEVELS.values()
        ],
        axis=1,
    )


def symmetric(
    solution: Float[np.ndarray, "m p"],
    covariance: Float[np.ndarray, "m p p"],
    quantiles: Float[np.ndarray, "m 2"],
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends (m, 2, p) at `quantiles` standard errors."""
    spread = quantiles[..., None] * np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))[:, None]
    return solution[:, None] - spread, solution[:, None] + spread


def profiled(
    problem: Problem,
    design: Design,
    data: Data,
    solution: Float[np.ndarray, "m p"],
    minimum: Float[np.ndarray, " m"],
    curvature: Float[np.ndarray, "m p p"],
    rise: Float[np.ndarray, "m 2"],
) -> Profile:
    """Ends where χ², minimized over the other parameters, has risen by `rise`.

    √Δχ² is nearly linear in the distance, so each end takes a few secant-like steps. An end is NaN
    if none is found within the bounds and within several hundred times the expected distance.
    """
    size = solution.shape[1]
    # one lane for each side, level and parameter
    ends = np.meshgrid([-1.0, 1.0], [0, 1], np.arange(size), indexing="ij")
    side, level, index = (v.ravel() for v in ends)
    threshold = rise[:, level]
    chosen = np.arange(size) == index[:, None]
    variance = np.diagonal(curvature, axis1=1, axis2=2)[:, index]
    direction = np.swapaxes(curvature, 1, 2)[:, index] / variance[..., None]
    center = solution[:, None]
    # the end is between near and far; the first guess is that of a parabola
    distance = np.sqrt(threshold * variance)
    near, far = np.zeros_like(distance), np.full_like(distance, np.inf)
    guess = center + (side * distance)[..., None] * direction
    height, tested, lowest = np.zeros_like(distance), distance, minimum.copy()
    left = np.ones(distance.shape, bool)
    for _ in range(ROUNDS):
        # one data set for each end that is still looked for
        row, lane = np.nonzero(left)
        start = np.where(
            chosen[lane], center[row, 0] + (side[lane] * distance[left])[:, None], guess[left]
        )
        found = minimized(problem, design, data.of_rows(row), start[:, None], chosen[lane][:, None])
        np.minimum.at(lowest, row, found.cost[:, 0])
        guess[left] = found.x[:, 0]
        height[left] = np.maximum(found.cost[:, 0] - minimum[row], 0)
        tested = np.where(left, distance, tested)
        left &= ~(np.abs(height / threshold - 1) < CLOSE)
        if not left.any():
            break
        below = height < threshold
        near, far = np.where(below, tested, near), np.where(below, far, tested)
        # linear in √Δχ², but no step by more than 5 down or 3 up, and never out of the bracket
        ratio = np.sqrt(threshold / np.maximum(height, 1e-12 * threshold))
        proposal = tested * np.clip(ratio, 0.2, 3.0)
        middle = np.where(np.isfinite(far), 0.5 * (near + far), 2 * near)
        distance = np.where((proposal > near) & (proposal < far), proposal, middle)
        # the other parameters follow the profile in proportion
        guess = center + (guess - center) * (distance / tested)[..., None]
    end = solution[:, index] + side * tested
    lower, upper = np.array(problem.parameters.lower), np.array(problem.parameters.upper)
    closed = np.abs(height / threshold - 1) < ACCEPTED
    closed &= (end > lower[index]) & (end < upper[index])
    found = np.where(closed, end, np.nan).reshape(-1, 2, 2, size)
    return Profile(found[:, 0], found[:, 1], lowest)
