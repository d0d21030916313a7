"""The density of a posterior in coordinates that suit its sampler, and its minima of χ²."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .least_squares_problem import Design
from .minimization import minimized
from .problem import FitProblem
from .series import Series, stack_series


MODES = 6
"""Largest number of minima; arrays are padded to it, so that one compiled function serves all."""

FORGOTTEN = 15.0
"""Minima this far below the best in log density are left out."""

TAIL = 5
"""Largest number of degrees of freedom of the proposals' Student law."""

FLOOR = 1e-24
"""Mean square residual (mT²) that rounding leaves in a perfect fit."""

APART = 3.0
"""Two ends of searches are two minima if they are this many standard deviations apart."""


class Target(eqx.Module):
    """The log density of whitened coordinates z, with y = center + root z."""

    problem: FitProblem
    design: Design
    field: Array | np.ndarray
    weight: Array | np.ndarray
    lower: Array | np.ndarray
    width: Array | np.ndarray
    center: Array | np.ndarray
    root: Array | np.ndarray
    count: Array | np.ndarray
    known: Array | np.ndarray
    """Whether σ is known: not static, so that both cases share their compiled code."""

    def vector(self, z: Float[Array, " p"]) -> tuple[Array, Array]:
        """The parameters x, and the logarithm of dx/dy up to a constant."""
        y = jnp.asarray(self.center) + self.root @ z
        volume = jnp.sum(jax.nn.log_sigmoid(y) + jax.nn.log_sigmoid(-y))
        return jnp.asarray(self.lower) + self.width * jax.nn.sigmoid(y), volume

    def residuals(self, z: Float[Array, " p"]) -> tuple[Array, Array]:
        """Weighted residuals, and whether a measured line has no resonance.

        At such a line the residual is the whole field, as in fits, with zero gradient.
        """
        predicted = self.problem.predict(self.vector(z)[0], self.design)
        lacks = jnp.isnan(predicted)
        weight = jnp.asarray(self.weight)
        residual = weight * (self.field - jnp.where(lacks, 0.0, predicted))
        return residual, jnp.any(lacks & (weight > 0))

    def height(self, residual: Array) -> Array:
        """Minus the logarithm of the likelihood."""
        chi2 = jnp.sum(residual * residual)
        unknown = 0.5 * jnp.asarray(self.count) * jnp.log(chi2 + self.count * FLOOR)
        return jnp.where(self.known, 0.5 * chi2, unknown)

    def potential(self, z: Float[Array, " p"]) -> Array:
        """Minus the log density, +∞ with zero gradient where a measured line has no resonance."""
        residual, lacks = self.residuals(z)
        return jnp.where(lacks, jnp.inf, self.height(residual) - self.vector(z)[1])

    def chi2(self, z: Float[Array, " p"], potential: Array) -> Array:
        """Σ residual² for unknown σ, from the potential: that saves computing it again."""
        return jnp.exp((potential + self.vector(z)[1]) * (2 / self.count))


class Modes(eqx.Module):
    """A mixture of Student laws around the minima, in whitened coordinates."""

    center: Array | np.ndarray
    root: Array | np.ndarray
    inverse: Array | np.ndarray
    log_weight: Array | np.ndarray
    freedom: Array | np.ndarray

    def log_density(self, z: Float[Array, " p"]) -> Array:
        """The logarithm of the density, up to a constant."""
        distance = jnp.einsum("kij,kj->ki", self.inverse, z - self.center)
        square = jnp.sum(distance * distance, axis=-1)
        _, volume = jnp.linalg.slogdet(self.inverse)
        tail = 0.5 * (self.freedom + z.size) * jnp.log1p(square / self.freedom)
        return jax.scipy.special.logsumexp(self.log_weight + volume - tail)

    def draw(self, key: Array) -> Array:
        """One point (p,)."""
        which, normal, tail = jax.random.split(key, 3)
        k = jax.random.categorical(which, self.log_weight)
        step = jax.random.normal(normal, self.center.shape[1:], self.center.dtype)
        squares = jax.random.normal(tail, (TAIL,), self.center.dtype) ** 2
        mean = jnp.sum(jnp.where(jnp.arange(TAIL) < self.freedom, squares, 0.0)) / self.freedom
        return self.center[k] + self.root[k] @ step / jnp.sqrt(mean)


def prepare(
    problem: FitProblem, series: Series, starts: np.ndarray, count: int
) -> tuple[Target | None, Modes | None, np.ndarray]:
    """The density, the law of the jumps, and the minima (k, p), the best first.

    The first two are None if the density is zero wherever a search ends.
    """
    design, data, known = stack_series([series])
    lower = np.asarray(problem.parameters.lower)
    width = np.asarray(problem.parameters.upper) - lower
    ends = minimized(problem, design, data, starts[None]).x[0]
    share = np.clip((ends - lower) / width, 1e-6, 1 - 1e-6)
    y = np.log(share) - np.log1p(-share)
    size = y.shape[1]
    plain = Target(
        problem,
        design,
        data.field[0],
        data.weight[0],
        lower,
        width,
        np.zeros(size),
        np.eye(size),
        np.asarray(float(count)),
        np.asarray(known),
    )
    height, residual, slope = (np.asarray(v) for v in _linearized(plain, y))
    chi2 = np.sum(residual**2, axis=1)
    kept = [int(i) for i in np.argsort(height) if height[i] < min(height) + FORGOTTEN]
    if not kept:
        return None, None, starts[:1]
    # the flat prior is a logistic law of y, with variance π²/3
    variance = np.ones(len(y)) if known else np.maximum(chi2 / (count - size), FLOOR)
    precision = np.swapaxes(slope, 1, 2) @ slope / variance[:, None, None]
    precision += 3 / np.pi**2 * np.eye(size)
    precision += 1e-13 * np.trace(precision, axis1=1, axis2=2)[:, None, None] * np.eye(size)
    inverse = np.swapaxes(np.linalg.cholesky(precision), 1, 2)
    modes = _separate(kept, y, inverse)
    first = modes[0]
    padded = np.array(modes + [first] * (MODES - len(modes)))
    root = np.linalg.inv(inverse[padded])
    evidence = -height[padded] + np.linalg.slogdet(root)[1]
    weight = np.exp(evidence - np.max(evidence))
    weight = np.where(np.arange(MODES) < len(modes), weight, 0)
    # half by the volume of each minimum, half evenly, so that none is starved
    weight = weight / weight.sum() + (np.arange(MODES) < len(modes)) / len(modes)
    target = eqx.tree_at(lambda t: (t.center, t.root), plain, (y[first], root[0]))
    law = Modes(
        center=(y[padded] - y[first]) @ inverse[first].T,
        root=inverse[first] @ root,
        inverse=inverse[padded] @ root[0],
        log_weight=np.log(np.maximum(weight, 1e-300)),
        freedom=np.asarray(float(TAIL if known else min(TAIL, count - size))),
    )
    return target, law, lower + width / (1 + np.exp(-y[modes]))


def _separate(order: list[int], y: np.ndarray, inverse: np.ndarray) -> list[int]:
    """Indices of different minima among ends `y` (m, p), in this order; many ends share one."""
    modes: list[int] = []
    for i in order:
        apart = [np.linalg.norm(inverse[j] @ (y[i] - y[j])) for j in modes]
        if len(modes) < MODES and min(apart, default=np.inf) > APART:
            modes.append(i)
    return modes


@jax.jit
def _linearized(target: Target, points: Float[Array, "m p"]) -> tuple[Array, Array, Array]:
    """Potential, weighted residuals (m, n) and their derivatives (m, n, p)."""

    def one(y: Array) -> tuple[Array, tuple[Array, Array]]:
        residual, lacks = target.residuals(y)
        height = jnp.where(lacks, jnp.inf, target.height(residual) - target.vector(y)[1])
        return residual, (height, residual)

    slope, (height, residual) = jax.vmap(jax.jacfwd(one, has_aux=True))(points)
    return height, residual, slope
