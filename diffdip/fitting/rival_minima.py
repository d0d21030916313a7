"""A second minimum that is clearly apart from the best one."""

import numpy as np
from jaxtyping import Float

from .equivalent_angles import reduced
from .minimization import Minimized


APART = 9.0
"""Rise of χ², in variances of unit weight, that the distance to the best minimum would mean."""

MOVED = 1e-5
"""Two ends are the same minimum if no parameter (tesla, radians) differs by this part of the
largest field, as the rounding of perfect data leaves it."""


def best_rival(
    ends: Minimized,
    solution: Float[np.ndarray, "m p"],
    jacobian: Float[np.ndarray, "m n p"],
    variance: Float[np.ndarray, " m"],
    largest: Float[np.ndarray, " m"],
    period: Float[np.ndarray, " p"],
) -> tuple[np.ndarray, np.ndarray]:
    """The best other minimum (m, p) and its cost (m,), inf without a rival.

    It is apart if it lies three standard errors or more from the `solution`, by the linear model
    there. Ends of one minimum differ by rounding; `largest` are the largest fields (tesla). Angles
    that differ by a whole `period` are the same.
    """
    step = reduced(ends.x - solution[:, None], period)
    shift = np.einsum("mnp,mlp->mln", jacobian, step)
    moved = np.max(np.abs(step), axis=-1) > MOVED * largest[:, None]
    apart = (np.sum(shift**2, axis=-1) > APART * variance[:, None]) & moved
    cost = np.where(apart, ends.cost, np.inf)
    rows, second = np.arange(len(cost)), np.argmin(cost, axis=1)
    return ends.x[rows, second], cost[rows, second]
