"""The search for minima: from starts that the data suggest, and from the best of many others."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from .least_squares_problem import Data, Design, Problem
from .minimization import Minimized, minimized
from .predictions import predicted_fields


LEAST_STARTS = 8
"""A full search runs from this many starts of each data set, at least."""

HOPELESS = 100.0
"""Starts whose cost is this many times that of the best one are dropped where starts are good."""

CLOSE = 2.0
"""A fit is as good as a smooth curve if its cost per degree of freedom is at most this many times
as large. A wrong minimum is far worse."""


class Hints(NamedTuple):
    """Starts that the data suggest.

    Args:
        x: Parameters, shape (m, h, p).
        curve: A smooth curve through the data, shape (m, n) in tesla, to which a good fit is close.
            NaN where the starts are not known to be good.
        size: Number of parameters of the curve.
    """

    x: np.ndarray
    curve: np.ndarray
    size: int


def searched(
    problem: Problem, design: Design, data: Data, starts: Float[np.ndarray, "s p"], hints: Hints
) -> Minimized:
    """The minima of each data set, from 8 starts or four for each parameter.

    Where the hints are good, they alone are searched from, and the search ends with them if the
    best minimum is as close to the data as the smooth curve. All others are searched from the
    hints and the best of the common `starts`.
    """
    count = max(LEAST_STARTS, 4 * starts.shape[1])
    m, lanes, _ = hints.x.shape
    x, cost = np.repeat(hints.x[:, :1], count, axis=1), np.full((m, count), np.inf)
    ends = Minimized(x, cost, np.zeros((m, count), bool))
    good = np.flatnonzero(np.isfinite(hints.curve).all(axis=1))
    left = np.ones(m, bool)
    if len(good):
        part = data.of_rows(good)
        found = minimized(problem, design, part, hints.x[good], hopeless=HOPELESS)
        ends.put(good, found)
        left[good] = ~_as_good_as_curve(part, found, hints.curve[good], hints.size)
    rows = np.flatnonzero(left)
    if len(rows):
        part = data.of_rows(rows)
        order = _screened(problem, design, part, starts)[:, : count - lanes]
        x0 = np.concatenate([hints.x[rows], starts[order]], axis=1)
        ends.put(rows, minimized(problem, design, part, x0))
    return ends


def _as_good_as_curve(
    data: Data, found: Minimized, curve: Float[np.ndarray, "m n"], size: int
) -> Bool[np.ndarray, " m"]:
    """Whether the best minimum of each data set has converged close to the data."""
    x, cost, converged = found.best()
    points = np.sum(data.weight > 0, axis=1)
    limit = np.sum((data.weight * (data.field - curve)) ** 2, axis=1) / (points - size)
    return converged & (cost / (points - x.shape[1]) <= CLOSE * limit)


def _screened(
    problem: Problem, design: Design, data: Data, starts: Float[np.ndarray, "s p"]
) -> np.ndarray:
    """Indices of the common starts for each data set, those closest to the data first."""
    predicted = predicted_fields(problem, design, starts, many=data.many)
    cost = [
        np.sum((w * (f - predicted)) ** 2, -1) for f, w in zip(data.field, data.weight, strict=True)
    ]
    return np.argsort(cost, axis=1)
