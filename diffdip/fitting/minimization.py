"""The minima of many data sets from many starts, driven from the host.

The only compiled function is that of `predictions`: fields and derivatives for a block of vectors.
All else is numpy over lanes, one lane for each search, so that the searches that go on fill their
blocks. Bounded and fixed parameters are numbers, not other programs. A solver inside the compiled
function, such as optimistix', would contain the model once more, and its lanes would all run until
the last one ends.

Nothing outside this module knows how the minimum is searched for.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from ..numerics.levenberg_marquardt import Point, descend
from .least_squares_problem import Data, Design, Problem
from .predictions import linearized


ROUNDING = 1e-9
"""Costs that differ by less than this part are equal."""


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

    def best(
        self, score: Float[np.ndarray, "m lanes"] | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x (m, p), cost (m,) and convergence (m,) of the lowest end of each data set.

        Of ends that are as low to rounding, it is one that has converged; of several the one with
        the lowest `score`, by default with the lowest cost.
        """
        lowest = np.min(self.cost, axis=1, keepdims=True)
        as_low = self.cost <= lowest * (1 + ROUNDING)
        rows = np.arange(len(self.x))
        ended = as_low & self.converged
        chosen = np.where(ended.any(axis=1, keepdims=True), ended, as_low)
        cost = np.where(chosen, self.cost, np.inf)
        if score is not None:
            least = np.min(np.where(chosen, score, np.inf), axis=1, keepdims=True)
            cost = np.where(score <= least, cost, np.inf)
        first = np.argmin(cost, axis=1)
        return self.x[rows, first], self.cost[rows, first], self.converged[rows, first]


def minimized(
    problem: Problem,
    design: Design,
    data: Data,
    x0: Float[np.ndarray, "m lanes p"],
    frozen: Bool[np.ndarray, "m lanes p"] | None = None,
    scale: Float[np.ndarray, "m lanes"] | None = None,
    hopeless: float = np.inf,
) -> Minimized:
    """Minimize the cost from `x0`, with the `frozen` elements kept.

    With a `scale` for each lane the cost is the soft-l1 loss Σ 2 (√(1 + r²) − 1) of r = weight
    (field − predicted)/scale. A start whose cost is more than `hopeless` times that of the
    best start of its data set is dropped: its cost is inf.
    """
    m, lanes, size = x0.shape
    start = x0.reshape(-1, size)
    kept = np.zeros(start.shape, bool) if frozen is None else frozen.reshape(-1, size)
    row = np.repeat(np.arange(m), lanes)

    def parameters(lane: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.where(kept[lane], start[lane], problem.parameters.bounded(y, np))

    def evaluate(lane: np.ndarray, y: np.ndarray) -> Point:
        """The cost of some lanes, and its normal equations."""
        predicted, slope = linearized(problem, design, parameters(lane, y), many=data.many)
        weight = data.weight[row[lane]]
        if scale is not None:
            weight = weight / scale.reshape(-1, 1)[lane]
        # where the model has no resonance, its prediction counts as zero field
        residual = weight * (data.field[row[lane]] - np.nan_to_num(predicted))
        change = np.where(kept[lane], 0.0, problem.parameters.slope(y))
        jacobian = (weight[..., None] * slope) * change[:, None]
        if scale is None:
            return Point.of(y, residual, jacobian)
        # gradient and second derivatives of the loss, whose ρ″ = (1 + r²)^(−3/2) is never negative
        bent = np.sqrt(1 + residual**2)
        point = Point.of(y, residual * bent**0.5, jacobian * bent[..., None] ** -1.5)
        return point._replace(cost=np.sum(2 * residual**2 / (1 + bent), axis=1))

    every = np.arange(len(start))
    with np.errstate(all="ignore"):  # a start may be far off
        here = evaluate(every, problem.parameters.unbounded(start))
        least = np.min(np.where(here.finite, here.cost, np.inf).reshape(m, lanes), axis=1)
        tried = here.finite & ~(here.cost > hopeless * np.repeat(least, lanes))
    converged = descend(evaluate, here, np.flatnonzero(tried))
    cost = np.where(tried, here.cost, np.inf)
    x = parameters(every, here.y)
    return Minimized(x.reshape(x0.shape), cost.reshape(m, lanes), converged.reshape(m, lanes))
