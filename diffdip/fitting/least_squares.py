"""Weighted least squares with many starts, errors and profile-likelihood intervals.

Works on batches: m data sets of n points each, p free parameters. JAX does what is expensive
(predictions, Levenberg–Marquardt, the Jacobian), in three compiled functions; the statistics
are numpy. Call under `jax.enable_x64(True)`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx
from jaxtyping import Array, Bool, Float
from scipy.special import stdtrit

from .parameters import ParameterSet


LEVELS = {"68": (0.6827, 1.0), "95": (0.9545, 2.0)}
"""Coverage of the intervals and their half-widths in standard deviations of a normal law."""

LANES = 8
"""How many starts of each data set are optimized, at least: four for each parameter, so that
the profiles, with four ends for each, run in the same compiled function."""

BLOCK = 160
"""Predictions are made for a multiple of so many vectors."""

MAX_STEPS = 40
"""Steps of Levenberg–Marquardt; good starts need about ten."""

REWEIGHTINGS = 40
"""Rounds of reweighting for the robust loss."""

ROUNDS = 7
"""Steps of the search for the end of a profile-likelihood interval."""

_SOLVER = optx.LevenbergMarquardt(rtol=1e-8, atol=1e-8, linear_solver=lx.Normal(lx.Cholesky()))


@runtime_checkable
class Problem(Protocol):
    """A model of the data: a pytree of arrays."""

    @property
    def parameters(self) -> ParameterSet: ...

    def predict(self, vector: Array, design: Any) -> Array:
        """Fields (tesla) from the free parameters and the settings; NaN without resonance."""
        ...


@dataclass(frozen=True)
class Data:
    """Measured fields (tesla) and weights 1/σ (1/T), shape (m, n); weight 0 leaves a point out."""

    field: Float[np.ndarray, "m n"]
    weight: Float[np.ndarray, "m n"]

    @staticmethod
    def of(field: Float[np.ndarray, "m n"], sigma: Float[np.ndarray, "m n"] | None) -> "Data":
        """Data without the points that are NaN; without σ all weights are 1/mT."""
        present = np.isfinite(field)
        weight = np.full(field.shape, 1e3) if sigma is None else 1 / sigma
        return Data(np.where(present, field, 0), np.where(present, weight, 0))


@dataclass(frozen=True)
class Estimates:
    """What the data say about the free parameters x, in their own units; m data sets.

    `chi2` is what was minimized, Σ weight² (field − predicted)² or its soft-l1 counterpart, where a
    point at which the model has no resonance counts with its whole field;
    `variance` the variance of unit weight (1 where σ is known); `sensitivity` the lengths of the
    columns of the weighted Jacobian and `separation` its smallest singular value once they are one.
    `rival` is another minimum, the best that is clearly apart (`rival_chi2` inf without one).
    `lower` and `upper` (m, 2, p) are the 68 and 95 % intervals.
    """

    x: np.ndarray
    chi2: np.ndarray
    variance: np.ndarray
    covariance: np.ndarray
    sensitivity: np.ndarray
    separation: np.ndarray
    converged: np.ndarray
    rival: np.ndarray
    rival_chi2: np.ndarray
    predicted: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    def single(self) -> "Estimates":
        """The estimates of the first data set, without the batch axis."""
        return Estimates(**{name: np.asarray(value[0]) for name, value in vars(self).items()})


def estimate(
    problem: Problem,
    design: Any,
    data: Data,
    starts: Float[np.ndarray, "s p"],
    hints: Float[np.ndarray, "m h p"],
    *,
    known_sigma: bool,
    robust: bool,
    intervals: bool,
) -> Estimates:
    """Fit every data set from all its `hints` and the best of the common `starts`.

    `robust` replaces squares by the soft-l1 loss; its intervals are symmetric. Without
    `intervals` all are.
    """
    screened = _predictions(problem, design, starts)
    cost = np.stack(
        [
            np.sum((w * (f - screened)) ** 2, -1)
            for f, w in zip(data.field, data.weight, strict=True)
        ]
    )
    lanes = max(LANES, 4 * starts.shape[1]) if intervals else LANES
    order = np.argsort(cost, axis=1)[:, : lanes - hints.shape[1]]
    x0 = np.concatenate([hints, starts[order]], axis=1)
    nothing = np.zeros(x0.shape, bool)
    x, cost, converged = _optimized(problem, design, data, x0, nothing)
    if robust:
        if not known_sigma:
            data = Data(data.field, data.weight / _median_scale(problem, design, data, x, cost))
        x, cost, converged = _reweighted(problem, design, data, x, nothing)

    rows = np.arange(len(x))
    first = np.argmin(cost, axis=1)
    solution, minimum = x[rows, first], cost[rows, first]
    predicted, slope = _linearized(problem, design, solution)
    residual = data.weight * (data.field - np.nan_to_num(predicted))
    jacobian = data.weight[..., None] * slope
    count = np.sum(data.weight > 0, axis=1)
    freedom = count - solution.shape[1]
    # as many points as parameters: without σ nothing is known about the errors
    per_freedom = np.where(freedom > 0, 1 / np.maximum(freedom, 1), np.nan)
    if robust:
        variance = _sandwich(residual, data.weight > 0, per_freedom)
    elif known_sigma:
        variance = np.ones(len(x))
    else:
        # rounding leaves a floor under the residuals of a perfect fit
        variance = np.maximum(minimum * per_freedom, 1e-24)
    curvature, sensitivity, separation = _inverse_curvature(jacobian)
    covariance = curvature * variance[:, None, None]

    shift = np.einsum("mnp,mlp->mln", jacobian, x - solution[:, None])
    moved = np.max(np.abs(x - solution[:, None]), axis=-1) > 1e-3
    apart = (np.sum(shift**2, axis=-1) > 9 * variance[:, None]) & moved
    rival_cost = np.where(apart, cost, np.inf)
    second = np.argmin(rival_cost, axis=1)

    quantiles = np.stack(
        [
            np.full(len(x), normal)
            if known_sigma
            else stdtrit(np.maximum(freedom, 1), (1 + level) / 2)
            for level, normal in LEVELS.values()
        ],
        axis=1,
    )
    spread = quantiles[..., None] * np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))[:, None]
    lower, upper = solution[:, None] - spread, solution[:, None] + spread
    if intervals and not robust and np.all(np.isfinite(variance)):
        rise = quantiles**2 * variance[:, None]
        lower, upper, lowest = _profile(problem, design, data, solution, minimum, curvature, rise)
        # a profile that finds a better fit, beyond rounding, proves that the minimum was none
        rounding = 1e-16 * np.sum((data.weight * data.field) ** 2, axis=1)
        converged[rows, first] &= ~(lowest < minimum - 1e-3 * rise[:, 0] - rounding)
    return Estimates(
        x=solution,
        chi2=minimum,
        variance=variance,
        covariance=covariance,
        sensitivity=sensitivity,
        separation=separation,
        converged=converged[rows, first],
        rival=x[rows, second],
        rival_chi2=rival_cost[rows, second],
        predicted=predicted,
        lower=lower,
        upper=upper,
    )


def descended(
    problem: Problem, design: Any, data: Data, starts: Float[np.ndarray, "s p"]
) -> Float[np.ndarray, "s p"]:
    """Where Levenberg–Marquardt from each of many starts ends, for one data set.

    As many at a time as a fit with intervals takes, so that both run the same compiled function.
    """
    lanes = max(LANES, 4 * starts.shape[1])
    groups = -(-len(starts) // lanes)
    padded = np.resize(starts, (groups, 1, lanes, starts.shape[1]))
    nothing = np.zeros(padded.shape[1:], bool)
    ends = [_optimized(problem, design, data, group, nothing)[0] for group in padded]
    return np.concatenate(ends, axis=1)[0, : len(starts)]


def _predictions(problem: Problem, design: Any, vectors: np.ndarray) -> np.ndarray:
    """Predictions (m, n), zero where there is no resonance."""
    return np.nan_to_num(_linearized(problem, design, vectors)[0])


def _linearized(
    problem: Problem, design: Any, vectors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions (m, n) and their derivatives (m, n, p), compiled once for all m up to `BLOCK`."""
    filled = np.pad(vectors, ((0, -len(vectors) % BLOCK), (0, 0)), mode="edge")
    predicted, slope = _linearize(problem, design, filled)
    return np.asarray(predicted)[: len(vectors)], np.asarray(slope)[: len(vectors)]


@jax.jit
def _linearize(problem: Problem, design: Any, vectors: Array) -> tuple[Array, Array]:
    def twice(x: Array) -> tuple[Array, Array]:
        predicted = problem.predict(x, design)
        return predicted, predicted

    slope, predicted = jax.vmap(jax.jacfwd(twice, has_aux=True))(vectors)
    return predicted, slope


@jax.jit
def _optimize(
    problem: Problem,
    design: Any,
    field: Float[Array, "l n"],
    weight: Float[Array, "l n"],
    x0: Float[Array, "l p"],
    frozen: Bool[Array, "l p"],
) -> tuple[Array, Array, Array]:
    parameters = problem.parameters

    def one(field: Array, weight: Array, x0: Array, frozen: Array) -> tuple[Array, Array, Array]:
        def vector(y: Array) -> Array:
            return jnp.where(frozen, x0, parameters.bounded(y))

        def residual(y: Array, _: None) -> tuple[Array, Array]:
            predicted = problem.predict(vector(y), design)
            # a measured line where the model has none counts as a prediction of zero field
            r = weight * (field - jnp.where(jnp.isnan(predicted), 0, predicted))
            return r, jnp.sum(r * r)

        start = parameters.unbounded(x0)
        found = optx.least_squares(
            with_jacobian(residual),
            _SOLVER,
            start,
            has_aux=True,
            max_steps=MAX_STEPS,
            throw=False,
        )
        return vector(found.value), found.aux, found.result == optx.RESULTS.successful

    return jax.vmap(one)(field, weight, x0, frozen)


def with_jacobian(function: Callable[[Array, None], Any]) -> Callable[[Array, None], Any]:
    """The function of (p,), whose derivative along a direction is that of its whole Jacobian.

    An optimizer that multiplies vectors with the Jacobian, and its transpose, in several places
    then has the function in its program once: half the time to compile it.
    """

    @jax.custom_jvp
    def value(y: Array) -> Any:
        return function(y, None)

    @value.defjvp
    def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Any, Any]:
        (y,), (change,) = primals, tangents
        primal, tangent = jax.linearize(lambda y: function(y, None), y)
        columns = jax.vmap(tangent, out_axes=-1)(jnp.eye(len(y), dtype=y.dtype))
        return primal, jax.tree.map(lambda column: column @ change, columns)

    return lambda y, _: value(y)


def _optimized(
    problem: Problem,
    design: Any,
    data: Data,
    x0: np.ndarray,
    frozen: np.ndarray,
    share: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Optimize from x0 (m, lanes, p) with the `frozen` elements kept: x, cost and convergence.

    `share` (m, lanes, n) multiplies the weights.
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
    return np.where(finite[..., None], x, x0), np.where(finite, cost, np.inf), converged & finite


def _reweighted(
    problem: Problem, design: Any, data: Data, x: np.ndarray, frozen: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Minimize the soft-l1 loss Σ 2 (√(1 + r²) − 1) by iteratively reweighted least squares.

    The weight of a point falls as (1 + r²)^(−1/2), so that outliers pull with constant force.
    """
    m, lanes, size = x.shape
    converged = np.zeros((m, lanes), bool)
    residual = np.zeros((m, lanes, data.field.shape[1]))
    for _ in range(REWEIGHTINGS):
        predicted = _predictions(problem, design, x.reshape(-1, size)).reshape(m, lanes, -1)
        residual = data.weight[:, None] * (data.field[:, None] - predicted)
        share = (1 + residual**2) ** -0.25
        moved, _, _ = _optimized(problem, design, data, x, frozen, share)
        converged = np.max(np.abs(moved - x), axis=-1) < 1e-7
        x = moved
        if np.all(converged):
            break
    return x, np.sum(2 * (np.sqrt(1 + residual**2) - 1), axis=-1), converged


def _median_scale(
    problem: Problem, design: Any, data: Data, x: np.ndarray, cost: np.ndarray
) -> np.ndarray:
    """Scale of the loss where σ is unknown: the median absolute deviation from the plain fit."""
    best = x[np.arange(len(x)), np.argmin(cost, axis=1)]
    deviation = np.abs(data.weight * (data.field - _predictions(problem, design, best)))
    median = np.nanmedian(np.where(data.weight > 0, deviation, np.nan), axis=1, keepdims=True)
    return np.maximum(1.4826 * median, 1e-9)


def _sandwich(residual: np.ndarray, used: np.ndarray, per_freedom: np.ndarray) -> np.ndarray:
    """Variance of unit weight of the soft-l1 estimate: E ψ²/(E ψ′)², as for a location."""
    influence = np.where(used, residual**2 / (1 + residual**2), 0).sum(axis=1)
    slope = np.where(used, (1 + residual**2) ** -1.5, 0).sum(axis=1)
    count = used.sum(axis=1)
    return influence * per_freedom / (slope / count) ** 2


def _inverse_curvature(jacobian: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(JᵀJ)⁻¹, the lengths of the columns of J, and its smallest singular value at unit lengths.

    Directions that the data do not constrain get a huge variance instead of a singularity.
    """
    length = np.sqrt(np.sum(jacobian**2, axis=1))
    scale = np.where(length > 0, length, 1)
    _, singular, vectors = np.linalg.svd(jacobian / scale[:, None], full_matrices=False)
    weighted = vectors / np.maximum(singular, 1e-7)[..., None]
    inverse = np.swapaxes(weighted, 1, 2) @ weighted
    return inverse / (scale[:, :, None] * scale[:, None]), length, singular[:, -1]


def _profile(
    problem: Problem,
    design: Any,
    data: Data,
    solution: np.ndarray,
    minimum: np.ndarray,
    curvature: np.ndarray,
    rise: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ends (m, 2, p) where χ², minimized over the other parameters, has risen by `rise` (m, 2).

    √Δχ² is nearly linear in the distance, so each end takes a few secant-like steps. NaN
    where there is none within the bounds and some hundred times the expected distance. Third, the
    lowest χ² met on the way (m,).
    """
    size = solution.shape[1]
    # one lane for each side, level and parameter, repeated to fill the lanes
    ends = np.meshgrid([-1.0, 1.0], [0, 1], np.arange(size), indexing="ij")
    side, level, index = (np.resize(v, max(LANES, 4 * size)) for v in ends)
    threshold = rise[:, level]
    chosen = np.arange(size) == index[:, None]
    variance = np.diagonal(curvature, axis1=1, axis2=2)[:, index]
    direction = np.swapaxes(curvature, 1, 2)[:, index] / variance[..., None]
    center = solution[:, None]
    distance = np.sqrt(threshold * variance)
    near, far = np.zeros_like(distance), np.full_like(distance, np.inf)
    guess = center + (side * distance)[..., None] * direction
    frozen = np.broadcast_to(chosen, guess.shape)
    height, tested, lowest = np.zeros_like(distance), distance, minimum
    for _ in range(ROUNDS):
        target = center + (side * distance)[..., None]
        guess, cost, _ = _optimized(problem, design, data, np.where(chosen, target, guess), frozen)
        lowest = np.minimum(lowest, np.min(cost, axis=1))
        height, tested = np.maximum(cost - minimum[:, None], 0), distance
        below = height < threshold
        near, far = np.where(below, distance, near), np.where(below, far, distance)
        ratio = np.sqrt(threshold / np.maximum(height, 1e-12 * threshold))
        proposal = distance * np.clip(ratio, 0.2, 3.0)
        middle = np.where(np.isfinite(far), 0.5 * (near + far), 2 * near)
        distance = np.where((proposal > near) & (proposal < far), proposal, middle)
        # the other parameters follow the profile in proportion
        guess = center + (guess - center) * (distance / tested)[..., None]
        if np.all(np.abs(height / threshold - 1) < 1e-3):
            break
    end = solution[:, index] + side * tested
    lower, upper = np.array(problem.parameters.lower), np.array(problem.parameters.upper)
    closed = (np.abs(height / threshold - 1) < 0.05) & (end > lower[index]) & (end < upper[index])
    found = np.where(closed, end, np.nan)[:, : 4 * size].reshape(-1, 2, 2, size)
    return found[:, 0], found[:, 1], lowest
