"""Which starts are worth a search: those whose predictions are closest to the data."""

import numpy as np
from jaxtyping import Float

from .least_squares_problem import Data, Design, Problem
from .predictions import predicted_fields


LEAST_STARTS = 8
"""A minimum is searched for from this many starts of each data set, at least."""


def screened(
    problem: Problem,
    design: Design,
    data: Data,
    starts: Float[np.ndarray, "s p"],
    hints: Float[np.ndarray, "m h p"],
) -> Float[np.ndarray, "m l p"]:
    """All hints of each data set, filled up with the best of the common starts.

    There are 8 starts, or four for each parameter.
    """
    predicted = predicted_fields(problem, design, starts, many=data.many)
    cost = np.stack(
        [
            np.sum((w * (f - predicted)) ** 2, -1)
            for f, w in zip(data.field, data.weight, strict=True)
        ]
    )
    count = max(LEAST_STARTS, 4 * starts.shape[1]) - hints.shape[1]
    order = np.argsort(cost, axis=1)[:, :count]
    return np.concatenate([hints, starts[order]], axis=1)
