"""Levenberg–Marquardt for many small problems at once, driven from the host.

The only compiled function is that of `predictions`: fields and derivatives for a block of vectors.
All else is numpy over lanes, one lane for each search. A search that has ended leaves, and the
others go on in full blocks, so that no lane waits for the slowest. Bounded and fixed parameters are
numbers, not other programs. A solver inside the compiled function, such as optimistix', would
contain the model once more, and its lanes would all run until the last one ends.

Nothing outside this module knows how the minimum is searched for.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from .least_squares_problem import Data, Design, Problem
from .predictions import linearized


MAX_STEPS = 60
"""Steps of Levenberg–Marquardt; good starts need about six."""

FIRST_DAMPING = 1e-3
"""λ of the first step, in units of the diagonal of JᵀJ."""

LEAST_STEP = 1e-9
"""A search ends if its step is smaller than this, in the optimizer's variables."""

LEAST_GAIN = 1e-14
"""It also ends if the linear model promises a smaller relative decrease of the cost."""


class Minimized(NamedTuple):
    """Where searches ended: m data sets from `lanes` starts each.

    Args:
        x: Parameters, shape (m, lanes, p).
        cost: Σ weight² (field − predicted)², shape (m, lanes); inf where it is not finite.
        converged: Whether the search met its tolerance, shape (m, lanes).
    """

    x: np.ndarray
    cost: np.ndarray
    converged: np.ndarray

    def put(self, rows: Int[np.ndarray, " r"], other: "Minimized") -> None:
        """Set some data sets to the ends of another search, from as many lanes or fewer."""
        lanes = other.cost.shape[1]
        for mine, new in zip(self, other, strict=True):
            mine[rows, :lanes] = new

    def best(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x (m, p), cost (m,) and convergence (m,) of the lowest end of each data set."""
        rows, first = np.arange(len(self.x)), np.argmin(self.cost, axis=1)
        return self.x[rows, first], self.cost[rows, first], self.converged[rows, first]


def minimized(
    problem: Problem,
    design: Design,
    data: Data,
    x0: Float[np.ndarray, "m lanes p"],
    frozen: Bool[np.ndarray, "m lanes p"] | None = None,
    share: Float[np.ndarray, "m lanes n"] | None = None,
    hopeless: float = np.inf,
) -> Minimized:
    """Minimize the cost from `x0`, with the `frozen` elements kept.

    `share` multiplies the weights. A start whose cost is more than `hopeless` times that of the
    best start of its data set is dropped: its cost is inf.
    """
    m, lanes, size = x0.shape
    start = x0.reshape(-1, size)
    kept = np.zeros(start.shape, bool) if frozen is None else frozen.reshape(-1, size)
    shares = None if share is None else share.reshape(len(start), -1)
    row = np.repeat(np.arange(m), lanes)

    def evaluated(lane: np.ndarray, y: np.ndarray) -> _Point:
        """The cost of some lanes, and its normal equations."""
        x = np.where(kept[lane], start[lane], problem.parameters.bounded(y, np))
        predicted, slope = linearized(problem, design, x, many=data.many)
        weight = data.weight[row[lane]]
        if shares is not None:
            weight = weight * shares[lane]
        # where the model has no resonance, its prediction counts as zero field
        residual = weight * (data.field[row[lane]] - np.nan_to_num(predicted))
        change = np.where(kept[lane], 0.0, problem.parameters.slope(y))
        jacobian = (weight[..., None] * slope) * change[:, None]
        transposed = np.swapaxes(jacobian, 1, 2)
        return _Point(
            y,
            x,
            np.sum(residual**2, axis=1),
            (transposed @ residual[..., None])[..., 0],
            transposed @ jacobian,
        )

    y = problem.parameters.unbounded(start)
    return _descended(evaluated, y, (m, lanes), hopeless)


class _Point(NamedTuple):
    """Where searches are, each array with the lanes as first axis.

    Args:
        y: The optimizer's variables.
        x: Parameters.
        cost: Σ r².
        gradient: Jᵀr.
        normal: JᵀJ.
    """

    y: np.ndarray
    x: np.ndarray
    cost: np.ndarray
    gradient: np.ndarray
    normal: np.ndarray

    def put(self, lane: np.ndarray, other: "_Point") -> None:
        """Move some lanes to other points."""
        for mine, new in zip(self, other, strict=True):
            mine[lane] = new

    def of(self, lane: np.ndarray) -> "_Point":
        """Some of the lanes."""
        return _Point(*(values[lane] for values in self))


def _descended(
    evaluated: Callable[[np.ndarray, np.ndarray], _Point],
    y: np.ndarray,
    shape: tuple[int, int],
    hopeless: float,
) -> Minimized:
    """Levenberg–Marquardt with Marquardt's scaling and Nielsen's rule for the damping.

    H. B. Nielsen, Damping parameter in Marquardt's method, IMM-REP-1999-05.
    """
    with np.errstate(all="ignore"):  # a step too far is not finite, and is not taken
        here = evaluated(np.arange(len(y)), y)
        damping, growth = np.full(len(y), FIRST_DAMPING), np.full(len(y), 2.0)
        converged = np.zeros(len(y), bool)
        kept = np.isfinite(here.cost) & np.all(np.isfinite(here.gradient), axis=1)
        least = np.min(np.where(kept, here.cost, np.inf).reshape(shape), axis=1)
        kept &= ~(here.cost > hopeless * np.repeat(least, shape[1]))
        lane = np.flatnonzero(kept)
        for _ in range(MAX_STEPS):
            if not len(lane):
                break
            now = here.of(lane)
            damped = damping[lane]
            step, gain = _step(now, damped)
            trial = evaluated(lane, now.y + step)
            drop = now.cost - trial.cost
            better = (drop > 0) & np.all(np.isfinite(trial.gradient), axis=1)
            here.put(lane[better], trial.of(better))
            ratio = drop / np.where(gain > 0, gain, 1.0)
            shrink = np.maximum(1 / 3, 1 - (2 * ratio - 1) ** 3)
            damping[lane] *= np.where(better, shrink, growth[lane])
            growth[lane] = np.where(better, 2.0, 2 * growth[lane])
            small = np.max(np.abs(step), axis=1) < LEAST_STEP
            done = small | (gain <= LEAST_GAIN * now.cost)
            # a step that is small only because it is damped proves nothing
            converged[lane[done]] = damped[done] <= 1
            lane = lane[~done]
    cost = np.where(kept, here.cost, np.inf)
    return Minimized(here.x.reshape(*shape, -1), cost.reshape(shape), converged.reshape(shape))


def _step(point: _Point, damping: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The damped step of each lane, and by how much the linear model says that the cost falls."""
    diagonal = np.diagonal(point.normal, axis1=1, axis2=2)
    # a parameter without influence stays where it is
    scale = np.maximum(diagonal, 1e-12 * diagonal.max(axis=1, keepdims=True))
    scale = np.where(scale > 0, scale, 1.0)
    damped = point.normal + (damping[:, None] * scale)[..., None] * np.eye(scale.shape[1])
    step = np.linalg.solve(damped, point.gradient[..., None])[..., 0]
    gain = np.sum(step * (point.gradient + damping[:, None] * scale * step), axis=1)
    return step, gain
