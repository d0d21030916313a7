"""Levenberg–Marquardt from many starts at once: the one compiled search of all fits.

Nothing outside this module knows how the minimum is searched for.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx
from jaxtyping import Array, Bool, Float

from .least_squares_problem import Data, Design, Problem


LANES = 8
"""Starts of each data set that are optimized side by side, at least."""

MAX_STEPS = 40
"""Steps of Levenberg–Marquardt; good starts need about ten."""

_SOLVER = optx.LevenbergMarquardt(rtol=1e-8, atol=1e-8, linear_solver=lx.Normal(lx.Cholesky()))


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

    def best(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x (m, p), cost (m,) and convergence (m,) of the lowest end of each data set."""
        rows, first = np.arange(len(self.x)), np.argmin(self.cost, axis=1)
        return self.x[rows, first], self.cost[rows, first], self.converged[rows, first]


def lane_count(size: int) -> int:
    """Number of lanes of a fit with intervals, for `size` free parameters.

    A profile has four ends for each parameter (two sides, two levels), one in each lane. The
    search for the minimum takes as many, so that both run the same compiled function.
    """
    return max(LANES, 4 * size)


def minimized(
    problem: Problem,
    design: Design,
    data: Data,
    x0: Float[np.ndarray, "m lanes p"],
    frozen: Bool[np.ndarray, "m lanes p"],
    share: Float[np.ndarray, "m lanes n"] | None = None,
) -> Minimized:
    """Minimize the cost from `x0`, with the `frozen` elements kept.

    `share` multiplies the weights.
    """
    m, lanes, _ = x0.shape
    # one flat batch: a vmap within a vmap takes twice as long to compile
    field, weight = (np.repeat(v, lanes, axis=0) for v in (data.field, data.weight))
    if share is not None:
        weight = weight * share.reshape(m * lanes, -1)
    flat = x0.reshape(m * lanes, -1), frozen.reshape(m * lanes, -1)
    found = _optimize(problem, design, field, weight, *flat)
    x, cost, converged = (np.asarray(v).reshape(m, lanes, *v.shape[1:]) for v in found)
    finite = np.isfinite(cost) & np.all(np.isfinite(x), axis=-1)
    return Minimized(
        np.where(finite[..., None], x, x0), np.where(finite, cost, np.inf), converged & finite
    )


def minima_of_one(
    problem: Problem, design: Design, data: Data, starts: Float[np.ndarray, "s p"]
) -> Float[np.ndarray, "s p"]:
    """Where the searches from any number of starts end, for one data set.

    In groups as large as those of a fit with intervals, for which the function is compiled.
    """
    lanes = lane_count(starts.shape[1])
    groups = -(-len(starts) // lanes)
    padded = np.resize(starts, (groups, 1, lanes, starts.shape[1]))
    nothing = np.zeros(padded.shape[1:], bool)
    ends = [minimized(problem, design, data, group, nothing).x for group in padded]
    return np.concatenate(ends, axis=1)[0, : len(starts)]


@jax.jit
def _optimize(
    problem: Problem,
    design: Design,
    field: Float[Array, "l n"],
    weight: Float[Array, "l n"],
    x0: Float[Array, "l p"],
    frozen: Bool[Array, "l p"],
) -> tuple[Array, Array, Array]:
    parameters = problem.parameters

    def one(field: Array, weight: Array, x0: Array, frozen: Array) -> tuple[Array, Array, Array]:
        def vector(y: Array) -> Array:
            return jnp.where(frozen, x0, parameters.bounded(y))

        def residual(y: Array) -> tuple[Array, Array]:
            predicted = problem.predict(vector(y), design)
            # where the model has no resonance, its prediction counts as zero field
            r = weight * (field - jnp.where(jnp.isnan(predicted), 0, predicted))
            return r, jnp.sum(r * r)

        start = parameters.unbounded(x0)
        found = optx.least_squares(
            _with_jacobian(residual),
            _SOLVER,
            start,
            has_aux=True,
            max_steps=MAX_STEPS,
            throw=False,
        )
        return vector(found.value), found.aux, found.result == optx.RESULTS.successful

    return jax.vmap(one)(field, weight, x0, frozen)


def _with_jacobian(
    function: Callable[[Array], tuple[Array, Array]],
) -> Callable[[Array, Any], tuple[Array, Array]]:
    """The function of (p,), whose derivative along a direction is that of its whole Jacobian.

    An optimizer multiplies vectors with the Jacobian and its transpose in several places. Its
    program then contains the function only once, which halves the time to compile it.
    """

    @jax.custom_jvp
    def value(y: Array) -> tuple[Array, Array]:
        return function(y)

    @value.defjvp
    def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Any, Any]:
        (y,), (change,) = primals, tangents
        primal, tangent = jax.linearize(function, y)
        columns = jax.vmap(tangent, out_axes=-1)(jnp.eye(len(y), dtype=y.dtype))
        return primal, jax.tree.map(lambda column: column @ change, columns)

    return lambda y, _: value(y)
