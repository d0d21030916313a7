"""Covariance of the parameters at a minimum, and how well the data determine them."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


LEAST_SINGULAR = 1e-7
"""Smaller singular values are replaced by this one: a direction without constraint then has a huge
but finite variance."""


class Curvature(NamedTuple):
    """The curvature of χ² of m data sets, from the weighted Jacobian J (m, n, p).

    Args:
        inverse: (JᵀJ)⁻¹, shape (m, p, p). Directions that the data do not constrain have a huge
            variance.
        sensitivity: Lengths of the columns of J, shape (m, p).
        separation: Smallest singular value of J with columns of length 1, shape (m,).
    """

    inverse: np.ndarray
    sensitivity: np.ndarray
    separation: np.ndarray


def curvature_of(jacobian: Float[np.ndarray, "m n p"]) -> Curvature:
    """The curvature from the weighted Jacobian."""
    length = np.sqrt(np.sum(jacobian**2, axis=1))
    scale = np.where(length > 0, length, 1)
    _, singular, vectors = np.linalg.svd(jacobian / scale[:, None], full_matrices=False)
    weighted = vectors / np.maximum(singular, LEAST_SINGULAR)[..., None]
    inverse = np.swapaxes(weighted, 1, 2) @ weighted
    return Curvature(inverse / (scale[:, :, None] * scale[:, None]), length, singular[:, -1])
