"""Which starts are worth a search: those whose predictions are closest to the data."""

import numpy as np
from jaxtyping import Float

from .least_squares_problem import Data, Design, Problem
from .predictions import predicted_fields


def screened(
    problem: Problem,
    design: Design,
    data: Data,
    starts: Float[np.ndarray, "s p"],
    hints: Float[np.ndarray, "m h p"],
    lanes: int,
) -> Float[np.ndarray, "m l p"]:
    """All hints of each data set, filled up to `lanes` with the best of the common starts."""
    predicted = predicted_fields(problem, design, starts)
    cost = np.stack(
        [
            np.sum((w * (f - predicted)) ** 2, -1)
            for f, w in zip(data.field, data.weight, strict=True)
        ]
    )
    order = np.argsort(cost, axis=1)[:, : lanes - hints.shape[1]]
    return np.concatenate([hints, starts[order]], axis=1)
