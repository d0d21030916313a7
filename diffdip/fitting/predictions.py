"""Predicted fields and their derivatives for many vectors of parameters at once."""

import jax
import numpy as np
from jaxtyping import Array, Float

from .least_squares_problem import Design, Problem


BLOCK = 160
"""The number of vectors is filled up to a multiple of this, so that few sizes are compiled."""


def predicted_fields(
    problem: Problem, design: Design, vectors: Float[np.ndarray, "m p"]
) -> np.ndarray:
    """Fields (m, n) in tesla, zero where there is no resonance."""
    return np.nan_to_num(linearized(problem, design, vectors)[0])


def linearized(
    problem: Problem, design: Design, vectors: Float[np.ndarray, "m p"]
) -> tuple[np.ndarray, np.ndarray]:
    """Fields (m, n) in tesla, NaN without resonance, and their derivatives (m, n, p)."""
    filled = np.pad(vectors, ((0, -len(vectors) % BLOCK), (0, 0)), mode="edge")
    predicted, slope = _linearize(problem, design, filled)
    return np.asarray(predicted)[: len(vectors)], np.asarray(slope)[: len(vectors)]


@jax.jit
def _linearize(problem: Problem, design: Design, vectors: Array) -> tuple[Array, Array]:
    def twice(x: Array) -> tuple[Array, Array]:
        predicted = problem.predict(x, design)
        return predicted, predicted

    slope, predicted = jax.vmap(jax.jacfwd(twice, has_aux=True))(vectors)
    return predicted, slope
