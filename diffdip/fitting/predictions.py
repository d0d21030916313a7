"""Predicted fields and their derivatives for many vectors of parameters at once."""

import jax
import numpy as np
from jaxtyping import Array, Float

from .least_squares_problem import Design, Problem


BLOCK_OF_ONE, BLOCK_OF_MANY = 8, 128
"""Vectors in one call of the compiled function, for one data set and for many.

The last block is filled up. Small blocks waste little where predictions are slow."""


def predicted_fields(
    problem: Problem, design: Design, vectors: Float[np.ndarray, "v p"], *, many: bool
) -> np.ndarray:
    """Fields (v, n) in tesla, zero where there is no resonance."""
    return np.nan_to_num(linearized(problem, design, vectors, many=many)[0])


def linearized(
    problem: Problem, design: Design, vectors: Float[np.ndarray, "v p"], *, many: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Fields (v, n) in tesla, NaN without resonance, and their derivatives (v, n, p).

    `many` says that the vectors belong to many data sets.
    """
    size = BLOCK_OF_MANY if many else BLOCK_OF_ONE
    filled = np.pad(vectors, ((0, -len(vectors) % size), (0, 0)), mode="edge")
    blocks = [
        _linearize(problem, design, filled[first : first + size])
        for first in range(0, len(filled), size)
    ]
    predicted, slope = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return predicted[: len(vectors)], slope[: len(vectors)]


@jax.jit
def _linearize(problem: Problem, design: Design, vectors: Array) -> tuple[Array, Array]:
    def twice(x: Array) -> tuple[Array, Array]:
        predicted = problem.predict(x, design)
        return predicted, predicted

    slope, predicted = jax.vmap(jax.jacfwd(twice, has_aux=True))(vectors)
    return predicted, slope
