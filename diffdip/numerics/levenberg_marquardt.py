"""Levenberg–Marquardt for many small problems at once, in numpy.

Each problem is a lane. A lane that has ended leaves, and the others go on, so that no lane waits
for the slowest.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int


MAX_STEPS = 60
"""Steps of Levenberg–Marquardt; good starts need about six."""

FIRST_DAMPING = 1e-3
"""λ of the first step, in units of the diagonal of JᵀJ."""

LEAST_DAMPING = 1e-12
"""Damping stays above this, so that no matrix is singular."""

LEAST_STEP = 1e-9
"""A search ends if its step is smaller than this, in the optimizer's variables."""

LEAST_GAIN = 1e-14
"""It also ends if the linear model promises a smaller relative decrease of the cost."""


class Point(NamedTuple):
    """Where searches are, each array with the lanes as first axis.

    Args:
        y: The variables, shape (l, p).
        cost: Σ r² of the residuals r, shape (l,).
        gradient: Jᵀr with J the derivative of what is subtracted from the data, shape (l, p).
        normal: JᵀJ, shape (l, p, p).
    """

    y: np.ndarray
    cost: np.ndarray
    gradient: np.ndarray
    normal: np.ndarray

    @staticmethod
    def of(
        y: Float[np.ndarray, "l p"],
        residual: Float[np.ndarray, "l n"],
        jacobian: Float[np.ndarray, "l n p"],
    ) -> "Point":
        """The point with these residuals, and derivatives J."""
        transposed = np.swapaxes(jacobian, 1, 2)
        gradient = (transposed @ residual[..., None])[..., 0]
        return Point(y, np.sum(residual**2, axis=1), gradient, transposed @ jacobian)

    @property
    def finite(self) -> Bool[np.ndarray, " l"]:
        """Whether cost and gradient are finite."""
        return np.isfinite(self.cost) & np.all(np.isfinite(self.gradient), axis=1)

    def put(self, lane: Int[np.ndarray, " k"], other: "Point") -> None:
        """Move some lanes to other points."""
        for mine, new in zip(self, other, strict=True):
            mine[lane] = new

    def some(self, lane: np.ndarray) -> "Point":
        """Some of the lanes."""
        return Point(*(values[lane] for values in self))


Evaluate = Callable[[np.ndarray, np.ndarray], Point]
"""The point of some lanes, from their indices and their y."""


def descend(
    evaluate: Evaluate,
    here: Point,
    lane: Int[np.ndarray, " k"],
    lower: Float[np.ndarray, "l p"] | None = None,
    upper: Float[np.ndarray, "l p"] | None = None,
) -> Bool[np.ndarray, " l"]:
    """Move the lanes `lane` of `here` to minima of their costs, in place.

    Damping by Marquardt's scaling and Nielsen's rule (H. B. Nielsen, Damping parameter in
    Marquardt's method, IMM-REP-1999-05). With bounds, a variable at a bound stays there as long as
    the cost falls beyond it, and steps end at the bounds. The start must lie within them.

    Returns:
        Whether each lane has met a tolerance.
    """
    damping, growth = np.full(len(here.y), FIRST_DAMPING), np.full(len(here.y), 2.0)
    converged = np.zeros(len(here.y), bool)
    lower = np.full(here.y.shape, -np.inf) if lower is None else lower
    upper = np.full(here.y.shape, np.inf) if upper is None else upper
    with np.errstate(all="ignore"):  # a step too far is not finite, and is not taken
        for _ in range(MAX_STEPS):
            if not len(lane):
                break
            now = _without_held(here.some(lane), lower[lane], upper[lane])
            damped = damping[lane]
            whole = now.y + _step(now, damped)
            y = np.clip(whole, lower[lane], upper[lane])
            step = y - now.y
            trial = evaluate(lane, y)
            drop, gain = now.cost - trial.cost, _gain(now, step)
            better = (drop > 0) & trial.finite
            here.put(lane[better], trial.some(better))
            ratio = drop / np.where(gain > 0, gain, 1.0)
            shrink = np.maximum(1 / 3, 1 - (2 * ratio - 1) ** 3)
            factor = np.where(better, shrink, growth[lane])
            damping[lane] = np.maximum(damped * factor, LEAST_DAMPING)
            growth[lane] = np.where(better, 2.0, 2 * growth[lane])
            small = np.max(np.abs(step), axis=1) < LEAST_STEP
            # a step that ends at a bound may lead upwards, and a shorter one down
            done = small | (gain <= LEAST_GAIN * now.cost) & np.all(y == whole, axis=1)
            # a step that is small only because it is damped proves nothing
            converged[lane[done]] = damped[done] <= 1
            lane = lane[~done]
    return converged


def _without_held(point: Point, lower: np.ndarray, upper: np.ndarray) -> Point:
    """The point, without the derivatives by variables that are at a bound and would cross it."""
    held = (point.y <= lower) & (point.gradient < 0) | (point.y >= upper) & (point.gradient > 0)
    if not held.any():
        return point
    gradient = np.where(held, 0.0, point.gradient)
    normal = np.where(held[:, :, None] | held[:, None, :], 0.0, point.normal)
    return Point(point.y, point.cost, gradient, normal)


def _step(point: Point, damping: np.ndarray) -> np.ndarray:
    """The damped step of each lane."""
    diagonal = np.diagonal(point.normal, axis1=1, axis2=2)
    # a parameter without influence stays where it is
    scale = np.maximum(diagonal, 1e-12 * diagonal.max(axis=1, keepdims=True))
    scale = np.where(scale > 0, scale, 1.0)
    damped = point.normal + (damping[:, None] * scale)[..., None] * np.eye(scale.shape[1])
    return np.linalg.solve(damped, point.gradient[..., None])[..., 0]


def _gain(point: Point, step: np.ndarray) -> np.ndarray:
    """By how much the linear model says that the cost falls with a step."""
    curved = (point.normal @ step[..., None])[..., 0]
    return np.sum(step * (2 * point.gradient - curved), axis=1)
