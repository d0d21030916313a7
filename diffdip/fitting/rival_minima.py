"""Other minima that are clearly apart from the best one."""

import numpy as np
from jaxtyping import Float

from .minimization import Minimized


RIVAL = 10.0
"""Rise of χ², in variances of unit weight, up to which another minimum is not excluded.

Its likelihood is then e⁻⁵ of that of the best, one in 150. With 4, which is one in 7, three of 100
full tensors in two planes were wrong without a flag (`experiments/fit_honesty.py`)."""

EQUIVALENT = 1e-6
"""Rise of χ², in variances of unit weight, up to which two solutions give the same fields."""

APART = 9.0
"""Rise of χ², in variances of unit weight, that the distance to the best minimum would mean."""

MOVED = 1e-5
"""Two ends are the same minimum if no parameter (tesla, radians) differs by this part of the
largest field, as the rounding of perfect data leaves it."""


def rivals_among(
    ends: Minimized,
    solution: Float[np.ndarray, "m p"],
    jacobian: Float[np.ndarray, "m n p"],
    variance: Float[np.ndarray, " m"],
    largest: Float[np.ndarray, " m"],
) -> Float[np.ndarray, "m lanes"]:
    """The cost of each end that is another minimum, inf for the others.

    It is apart if it lies three standard errors or more from the `solution`, by the linear model
    there. Ends of one minimum differ by rounding; `largest` are the largest fields (tesla). Some
    may be the same solution with other angles: see `equivalent_angles`.
    """
    step = ends.x - solution[:, None]
    shift = np.einsum("mnp,mlp->mln", jacobian, step)
    moved = np.max(np.abs(step), axis=-1) > MOVED * largest[:, None]
    apart = (np.sum(shift**2, axis=-1) > APART * variance[:, None]) & moved
    return np.where(apart, ends.cost, np.inf)
