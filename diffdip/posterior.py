"""The posterior of the parameters of one measured series, by NUTS.

Every parameter has a flat prior between finite bounds, errors are Gaussian. Sampled is
y = logit((x − lower)/(upper − lower)), whitened by the curvature at the best minimum of χ², which
so is the mass matrix; only the step size adapts. Each NUTS transition is followed by one proposal
from a mixture of Student laws around all minima that many starts found (Metropolis–Hastings), so
that separate modes get their weights. Where the model has no resonance at a measured angle the
density is zero: a wall with zero gradient, at which trajectories end and count as divergent.
Unknown σ has Jeffreys' prior 1/σ and is integrated out: the density is (Σ r²)^(−n/2), and σ² is
drawn from its conditional law Σ r²/χ²ₙ.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.stats import norm, rankdata

from .convention import Convention
from .diagnosis import _shown
from .fit import FitResult, fit_series
from .least_squares import LEVELS, student_quantile
from .parameters import Parameter, is_offset
from .problem import FitProblem, FullTensorModel, InPlaneModel, Model, Series, stack_series
from .progress import progress_bar
from .resonance import Plane
from .units import MU_B, PLANCK, Numbers


WIDE = 3.0
"""Bounds of anisotropy fields that have none: ± this many w0, beyond all that resonates."""

BLOCK = 100
"""Transitions in one compiled call, after which the progress bar moves."""

STEPS = 40
"""Steps of Levenberg–Marquardt from each of many starts, in search of other minima."""

FAR = 14.0
"""Bound of |y|: a millionth of the prior's width from its ends."""

MODES = 6
"""Minima at most; arrays are padded to it, so that one compiled function serves all."""

FORGOTTEN = 15.0
"""Minima this far below the best in log density are left out."""

TAIL = 5
"""Degrees of freedom of the proposals' Student law, at most."""

CONVERGED = 1.01
"""R-hat from which chains are said not to agree (Vehtari et al. 2021)."""

ENOUGH = 400.0
"""Effective samples that quantiles need at least."""

UNLIKE = 1.15
"""Ratio of interval widths, or its inverse, from which a posterior is called not Gaussian."""

OPEN = 0.9
"""Mean length of exp(2i phase) below which the phase is called open: about two standard errors."""

FLOOR = 1e-24
"""Mean square residual (mT²) that rounding leaves in a perfect fit."""


@dataclass(frozen=True)
class Posterior:
    """Draws from a posterior and what they say. Tesla and radians; arrays are numpy, in float64.

    `samples` has shape (chains, draws, parameters), the parameters in the order of `names`, with
    "sigma" (tesla) last where it was unknown. `intervals` are equal-tailed, "68" and "95" %, as
    those of `FitResult`. `r_hat` is rank-normalized and split (the larger of location and
    spread); `ess_bulk` and `ess_tail` are effective sample sizes of the middle and of the tails.
    `minima` (k, p) are the minima of χ² that were found, the best first, and `shares` the part of
    the draws nearest to each. `width_ratio` is the 68 % interval over that of the fit's standard
    error (Student's law where sigma is unknown), `shift` median − fitted value in standard errors:
    1 and 0 where the posterior is Gaussian. `flags` are sentences about what is doubtful,
    empty if nothing is; `settings` say how to draw the same again.
    """

    names: tuple[str, ...]
    samples: np.ndarray
    mean: dict[str, float]
    median: dict[str, float]
    standard_deviations: dict[str, float]
    covariance: np.ndarray
    intervals: dict[str, dict[str, tuple[float, float]]]
    r_hat: dict[str, float]
    ess_bulk: dict[str, float]
    ess_tail: dict[str, float]
    divergences: int
    minima: np.ndarray
    shares: np.ndarray
    accepted_jumps: float
    width_ratio: dict[str, float]
    shift: dict[str, float]
    fit: FitResult
    flags: tuple[str, ...]
    convention: str
    settings: dict[str, Any]

    def draws(self, name: str) -> np.ndarray:
        """All draws of one parameter, chains one after the other. Raises `KeyError`."""
        if name not in self.names:
            raise KeyError(f"{name} was not sampled: one of {', '.join(self.names)}")
        return self.samples[..., self.names.index(name)].reshape(-1)

    def amplitude(self) -> np.ndarray:
        """Draws of √(B² + (2C)²) in tesla, never negative: flat priors on B and C shift it up
        where it is not larger than its error. Raises `KeyError` unless both were sampled."""
        return np.hypot(self.draws("B"), 2 * self.draws("C"))

    def phase(self) -> np.ndarray:
        """Draws of ½ atan2(2C, B), the angle of the axis in the plane, −π/2 to π/2 (radians).

        Raises `KeyError` unless B and C were both sampled."""
        return 0.5 * np.arctan2(2 * self.draws("C"), self.draws("B"))


def sample_posterior(
    angle: Series | Numbers,
    field: Numbers | None = None,
    sigma: Numbers | None = None,
    *,
    frequency: Numbers | None = None,
    g: Parameter = 2.0,
    offset: Parameter = 0.0,
    plane: Plane = "xy",
    parameters: Mapping[str, Parameter] | None = None,
    model: Model | None = None,
    convention: Convention | str | None = None,
    n_samples: int = 1000,
    n_chains: int = 4,
    n_warmup: int = 500,
    seed: int = 0,
    progress: bool = True,
) -> Posterior:
    """Draw from the posterior of A, B, C (or other free parameters) given one series Hres(angle).

    Takes a `Series`, or `angle` (radians), `field`, `sigma` (tesla; None: equal and unknown,
    sampled with Jeffreys' prior 1/σ), `frequency` (Hz) and `plane`; the rest as for `fit_series`.
    Log density −½ Σ (field − Hres)²/σ², −∞ where the model has no resonance at a measured angle.
    Priors are flat within the bounds of each `Free`; without bounds ± 3 w0 for anisotropy fields,
    2 ± 0.5 for g, ± 90° for offsets. `n_chains` chains run side by side from points spread
    around the fit and its rivals (see the module). `n_warmup` transitions adapt the step size and
    are dropped. In float64 whatever JAX's default; one seed gives the same draws. A progress bar
    appears on a terminal. Doubts are in `flags`, never raised; without any point of finite
    density all draws are NaN. Needs NumPyro: pip install 'diffdip[posterior]'.

    Raises `ImportError` without NumPyro; `ValueError` as `fit_series`, for as few points as
    parameters where sigma is unknown (the posterior is then no law), and for a parameter of a
    model of your own without bounds.

        posterior = diffdip.sample_posterior(angle, field, 1e-3, frequency=9.45e9)
        print(posterior.intervals["B"]["68"], posterior.flags)
    """
    _require_numpyro()
    series = _series(angle, field, sigma, frequency, plane)
    if min(n_samples // 4, n_chains, n_warmup) < 1:
        raise ValueError("n_samples must be at least 4, n_chains and n_warmup at least 1")
    given: dict[str, Any] = {
        "g": g,
        "offset": offset,
        "parameters": parameters,
        "model": model,
        "convention": convention,
    }
    free = FitProblem.of([series], g, offset, parameters, model, "linear", convention)
    count, size = int(np.sum(np.isfinite(series.field))), len(free.parameters.free)
    if series.sigma is None and count <= size:
        raise ValueError(
            f"{count} points do not say how large the errors of {size} parameters are: give sigma"
        )
    with jax.enable_x64(True):
        problem = _bounded(free, float(np.mean(series.frequency)))
    fit = fit_series(
        series.angle,
        series.field,
        series.sigma,
        frequency=series.frequency,
        plane=series.plane,
        **given,
    )
    with jax.enable_x64(True):
        best = np.array([[fit.values[name] for name in fit.names]])
        starts = np.concatenate([best, free.starts([series])])
        target, modes, minima = _prepare(problem, series, starts, count)
        shape = (n_chains, n_samples)
        if target is None or modes is None:
            drawn = _Drawn.nothing(shape, size)
        else:
            drawn = _sample(target, modes, shape, n_warmup, seed, progress)
    names = free.parameters.free
    samples = drawn.x
    if series.sigma is None:
        names = (*names, "sigma")
        chi2 = np.random.default_rng([seed, 1]).chisquare(count, shape)
        samples = np.concatenate([samples, 1e-3 * np.sqrt(drawn.chi2 / chi2)[..., None]], axis=-1)
    lower, upper = np.asarray(problem.parameters.lower), np.asarray(problem.parameters.upper)
    settings = {
        "version": _version(),
        "convention": fit.convention,
        "sampler": "NUTS (numpyro) with jumps between minima",
        "n_samples": n_samples,
        "n_chains": n_chains,
        "n_warmup": n_warmup,
        "seed": seed,
        "priors": {
            **{
                name: f"flat from {low:.6g} to {high:.6g}"
                for name, low, high in zip(free.parameters.free, lower, upper, strict=True)
            },
            "sigma": "1/sigma (Jeffreys)" if series.sigma is None else "known",
        },
    }
    return _result(names, samples, drawn, minima, fit, (lower, upper), settings)


def _require_numpyro() -> None:
    """NumPyro is imported only where it is needed."""
    try:
        import numpyro  # noqa: F401
    except ModuleNotFoundError as error:
        raise ImportError(
            "sample_posterior needs NumPyro: pip install 'diffdip[posterior]'"
        ) from error


def _version() -> str:
    from . import __version__

    return __version__


def _series(
    angle: Series | Numbers,
    field: Numbers | None,
    sigma: Numbers | None,
    frequency: Numbers | None,
    plane: Plane,
) -> Series:
    if isinstance(angle, Series):
        if field is not None or sigma is not None or frequency is not None:
            raise ValueError("a Series has its own field, sigma and frequency")
        return angle
    if field is None or frequency is None:
        raise ValueError("give a Series, or angle, field and frequency")
    return Series(angle, field, sigma, frequency=frequency, plane=plane)


def _bounded(problem: FitProblem, frequency: float) -> FitProblem:
    """The problem with finite bounds for every free parameter."""
    parameters = problem.parameters
    center = parameters.central_point()
    g = float(parameters.values(jnp.asarray(center))["g"])
    fields = WIDE * frequency * PLANCK / (MU_B * g)
    known = isinstance(problem.model, InPlaneModel | FullTensorModel)
    lower, upper = np.array(parameters.lower), np.array(parameters.upper)
    for i, name in enumerate(parameters.free):
        if np.isfinite(lower[i]) and np.isfinite(upper[i]):
            continue
        if name != "g" and not is_offset(name) and not known:
            raise ValueError(f"the prior of {name} needs bounds: Free(lower, upper)")
        width = 0.5 if name == "g" else np.pi / 2 if is_offset(name) else fields
        middle = 0.0 if name != "g" and not is_offset(name) else center[i]
        lower[i] = lower[i] if np.isfinite(lower[i]) else min(middle, upper[i]) - width
        upper[i] = upper[i] if np.isfinite(upper[i]) else max(middle, lower[i]) + width
    wide = eqx.tree_at(lambda p: (p.lower, p.upper), parameters, (lower, upper))
    return eqx.tree_at(lambda p: p.parameters, problem, wide)


class _Target(eqx.Module):
    """The log density of whitened coordinates z, with y = center + root z."""

    problem: FitProblem
    design: Any
    field: Array | np.ndarray
    weight: Array | np.ndarray
    lower: Array | np.ndarray
    width: Array | np.ndarray
    center: Array | np.ndarray
    root: Array | np.ndarray
    count: Array | np.ndarray
    known: Array | np.ndarray
    """Whether σ is: not static, so that both cases share their compiled code."""

    def vector(self, z: Float[Array, " p"]) -> tuple[Array, Array]:
        """The parameters x, and the logarithm of dx/dy up to a constant."""
        y = jnp.asarray(self.center) + self.root @ z
        volume = jnp.sum(jax.nn.log_sigmoid(y) + jax.nn.log_sigmoid(-y))
        return jnp.asarray(self.lower) + self.width * jax.nn.sigmoid(y), volume

    def residuals(self, z: Float[Array, " p"]) -> tuple[Array, Array]:
        """Weighted residuals, and whether a measured line has no resonance.

        Such a line counts with its whole field, as in fits, and with zero gradient.
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


class _Modes(eqx.Module):
    """A mixture of Student laws around the minima, in whitened coordinates."""

    center: Array | np.ndarray
    root: Array | np.ndarray
    inverse: Array | np.ndarray
    log_weight: Array | np.ndarray
    freedom: Array | np.ndarray

    def log_density(self, z: Float[Array, " p"]) -> Array:
        distance = jnp.einsum("kij,kj->ki", self.inverse, z - self.center)
        square = jnp.sum(distance * distance, axis=-1)
        _, volume = jnp.linalg.slogdet(self.inverse)
        tail = 0.5 * (self.freedom + z.size) * jnp.log1p(square / self.freedom)
        return jax.scipy.special.logsumexp(self.log_weight + volume - tail)

    def draw(self, key: Array) -> Array:
        which, normal, tail = jax.random.split(key, 3)
        k = jax.random.categorical(which, self.log_weight)
        step = jax.random.normal(normal, self.center.shape[1:], self.center.dtype)
        squares = jax.random.normal(tail, (TAIL,), self.center.dtype) ** 2
        mean = jnp.sum(jnp.where(jnp.arange(TAIL) < self.freedom, squares, 0.0)) / self.freedom
        return self.center[k] + self.root[k] @ step / jnp.sqrt(mean)


def _prepare(
    problem: FitProblem, series: Series, starts: np.ndarray, count: int
) -> tuple[_Target | None, _Modes | None, np.ndarray]:
    """The density, the law of the jumps, and the minima; None where no point has a density."""
    design, data, known = stack_series([series])
    lower = np.asarray(problem.parameters.lower)
    width = np.asarray(problem.parameters.upper) - lower
    share = np.clip((starts - lower) / width, 1e-6, 1 - 1e-6)
    y = np.log(share) - np.log1p(-share)
    size = y.shape[1]
    plain = _Target(
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
    y = _descended(plain, y)
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
    modes: list[int] = []
    for i in kept:
        apart = [np.linalg.norm(inverse[j] @ (y[i] - y[j])) for j in modes]
        if len(modes) < MODES and min(apart, default=np.inf) > 3:
            modes.append(i)
    first = modes[0]
    padded = np.array(modes + [first] * (MODES - len(modes)))
    root = np.linalg.inv(inverse[padded])
    evidence = -height[padded] + np.linalg.slogdet(root)[1]
    weight = np.exp(evidence - np.max(evidence))
    weight = np.where(np.arange(MODES) < len(modes), weight, 0)
    # half by the volume of each minimum, half evenly, so that none is starved
    weight = weight / weight.sum() + (np.arange(MODES) < len(modes)) / len(modes)
    target = eqx.tree_at(lambda t: (t.center, t.root), plain, (y[first], root[0]))
    law = _Modes(
        center=(y[padded] - y[first]) @ inverse[first].T,
        root=inverse[first] @ root,
        inverse=inverse[padded] @ root[0],
        log_weight=np.log(np.maximum(weight, 1e-300)),
        freedom=np.asarray(float(TAIL if known else min(TAIL, count - size))),
    )
    return target, law, lower + width / (1 + np.exp(-y[modes]))


def _descended(target: _Target, y: np.ndarray) -> np.ndarray:
    """Where Levenberg–Marquardt from each y ends; the first, the fit, is at its minimum."""
    damping = np.full(len(y), 1e-2)
    _, residual, slope = (np.asarray(v) for v in _linearized(target, y))
    for _ in range(STEPS):
        curvature = np.swapaxes(slope, 1, 2) @ slope
        size = np.einsum("mii->mi", curvature)
        size = size + 1e-12 * size.max(axis=1, keepdims=True) + 1e-300
        damped = curvature + (damping[:, None] * size)[..., None] * np.eye(y.shape[1])
        gradient = np.einsum("mnp,mn->mp", slope, residual)
        step = np.linalg.solve(damped, gradient[..., None])[..., 0]
        trial = np.clip(y - np.clip(step, -2, 2), -FAR, FAR)
        _, new_residual, new_slope = (np.asarray(v) for v in _linearized(target, trial))
        lower = np.sum(new_residual**2, axis=1) < np.sum(residual**2, axis=1)
        y = np.where(lower[:, None], trial, y)
        residual = np.where(lower[:, None], new_residual, residual)
        slope = np.where(lower[:, None, None], new_slope, slope)
        damping = np.clip(np.where(lower, damping / 5, damping * 4), 1e-9, 1e9)
    return y


@jax.jit
def _linearized(target: _Target, points: Float[Array, "m p"]) -> tuple[Array, Array, Array]:
    """Potential, weighted residuals (m, n) and their derivatives (m, n, p)."""

    def one(y: Array) -> tuple[Array, tuple[Array, Array]]:
        residual, lacks = target.residuals(y)
        height = jnp.where(lacks, jnp.inf, target.height(residual) - target.vector(y)[1])
        return residual, (height, residual)

    slope, (height, residual) = jax.vmap(jax.jacfwd(one, has_aux=True))(points)
    return height, residual, slope


@dataclass(frozen=True)
class _Drawn:
    """Parameters x, weighted χ², the nearest minimum, divergences and accepted jumps."""

    x: np.ndarray
    chi2: np.ndarray
    nearest: np.ndarray
    diverged: np.ndarray
    jumped: np.ndarray

    @staticmethod
    def nothing(shape: tuple[int, int], size: int) -> "_Drawn":
        nan, no = np.full(shape, np.nan), np.zeros(shape, bool)
        return _Drawn(np.full((*shape, size), np.nan), nan, no.astype(int), no, no)


def _sample(
    target: _Target,
    modes: _Modes,
    shape: tuple[int, int],
    warmup: int,
    seed: int,
    progress: bool,
) -> _Drawn:
    """All chains side by side, in blocks."""
    chains, draws = shape
    key = jax.random.key(seed)
    blocks = -(-(warmup + draws) // BLOCK)
    parts = []
    # NumPyro mixes dtypes
    with jax.numpy_dtype_promotion("standard"), progress_bar("sampling", blocks) as advance:
        state = _start(target, jax.random.split(key, chains), warmup)
        for _ in range(blocks):
            state, part = _advance(target, modes, state, warmup)
            parts.append([np.asarray(v) for v in part])
            if progress:
                advance()
    columns = [np.concatenate(column, axis=1) for column in zip(*parts, strict=True)]
    return _Drawn(*(column[:, warmup : warmup + draws] for column in columns))


def _kernel(target: _Target, warmup: int) -> tuple[Any, Any]:
    """Functions key → state and state → state; NumPyro wants the first called first.

    A chain starts at a place of no density, which the first jump leaves: it so begins at random
    around the minima, wider than the posterior.
    """
    from numpyro.infer.hmc import hmc
    from numpyro.infer.util import ParamInfo

    start, step = hmc(target.potential, algo="NUTS")
    options: dict[str, Any] = {"target_accept_prob": 0.9, "max_tree_depth": 8}
    options |= {"dense_mass": True, "adapt_mass_matrix": False}
    options |= {"forward_mode_differentiation": True}

    def first(key: Array) -> Any:
        place = jnp.zeros_like(target.center)
        nowhere = ParamInfo(place, jnp.full((), jnp.inf, place.dtype), place)
        mass = jnp.eye(place.size, dtype=place.dtype)
        return start(nowhere, warmup, inverse_mass_matrix=mass, rng_key=key, **options)

    return first, step


@partial(jax.jit, static_argnames="warmup")
def _start(target: _Target, keys: Array, warmup: int) -> Any:
    first, _ = _kernel(target, warmup)
    return jax.vmap(first)(keys)


@partial(jax.jit, static_argnames="warmup")
def _advance(target: _Target, modes: _Modes, state: Any, warmup: int) -> tuple[Any, tuple]:
    """BLOCK transitions of every chain, each a jump and then NUTS."""
    first, step = _kernel(target, warmup)
    first(jax.random.key(0))  # keeps its options for `step`

    def potential(z: Array) -> tuple[Array, Array]:
        height = target.potential(z)
        return height, height

    def transition(state: Any, _: None) -> tuple[Any, tuple]:
        key, draw, toss = jax.random.split(state.rng_key, 3)
        z = modes.draw(draw)
        slope, height = jax.jacfwd(potential, has_aux=True)(z)
        gain = state.potential_energy - height
        gain += modes.log_density(state.z) - modes.log_density(z)
        jump = jnp.log(jax.random.uniform(toss, dtype=z.dtype)) < gain
        state = state._replace(
            z=jnp.where(jump, z, state.z),
            z_grad=jnp.where(jump, slope, state.z_grad),
            potential_energy=jnp.where(jump, height, state.potential_energy),
            rng_key=key,
        )
        state = step(state)
        away = jnp.einsum("kij,kj->ki", modes.inverse, state.z - modes.center)
        nearest = jnp.argmin(jnp.sum(away * away, axis=-1))
        chi2 = target.chi2(state.z, state.potential_energy)
        return state, (target.vector(state.z)[0], chi2, nearest, state.diverging, jump)

    def chain(state: Any) -> tuple[Any, tuple]:
        return jax.lax.scan(transition, state, length=BLOCK)

    return jax.vmap(chain)(state)


def _result(
    names: tuple[str, ...],
    samples: np.ndarray,
    drawn: _Drawn,
    minima: np.ndarray,
    fit: FitResult,
    bounds: tuple[np.ndarray, np.ndarray],
    settings: dict[str, Any],
) -> Posterior:
    flat = samples.reshape(-1, samples.shape[-1])
    levels = [0.5, *(0.5 + side * level / 2 for level, _ in LEVELS.values() for side in (-1, 1))]
    median, *ends = np.quantile(flat, levels, axis=0)
    quality = np.array([_quality(samples[..., i]) for i in range(len(names))])
    student = 1.0
    if "sigma" in names:
        student = float(student_quantile(LEVELS["68"][0], np.array([float(fit.dof)]))[0])
    width_ratio, shift = {}, {}
    for i, name in enumerate(fit.names):
        error = fit.standard_errors[name]
        width_ratio[name] = float((ends[1][i] - ends[0][i]) / (2 * student * error))
        shift[name] = float((median[i] - fit.values[name]) / error)

    def named(values: Any) -> dict[str, float]:
        return dict(zip(names, np.asarray(values).tolist(), strict=True))

    result = Posterior(
        names=names,
        samples=samples,
        mean=named(flat.mean(axis=0)),
        median=named(median),
        standard_deviations=named(flat.std(axis=0, ddof=1)),
        covariance=np.atleast_2d(np.cov(flat.T)),
        intervals={
            name: {
                label: (float(ends[2 * level][i]), float(ends[2 * level + 1][i]))
                for level, label in enumerate(LEVELS)
            }
            for i, name in enumerate(names)
        },
        r_hat=named(quality[:, 0]),
        ess_bulk=named(quality[:, 1]),
        ess_tail=named(quality[:, 2]),
        divergences=int(drawn.diverged.sum()),
        minima=minima,
        shares=np.bincount(drawn.nearest.reshape(-1), minlength=len(minima)) / len(flat),
        accepted_jumps=float(drawn.jumped.mean()),
        width_ratio=width_ratio,
        shift=shift,
        fit=fit,
        flags=(),
        convention=fit.convention,
        settings=settings,
    )
    return replace(result, flags=tuple(_doubts(result, *bounds)))


def _quality(draws: Float[np.ndarray, "chains draws"]) -> tuple[float, float, float]:
    """R-hat, and effective sample sizes of the middle and of the tails (Vehtari et al. 2021)."""
    from numpyro.diagnostics import effective_sample_size, split_gelman_rubin

    if not np.all(np.isfinite(draws)):
        return np.nan, 0.0, 0.0
    half = draws.shape[1] // 2
    split = np.concatenate([draws[:, :half], draws[:, -half:]])
    folded = np.abs(draws - np.median(draws))
    r_hat = max(float(split_gelman_rubin(_normal_scores(x))) for x in (draws, folded))
    tails = [split <= np.quantile(split, level) for level in (0.05, 0.95)]
    tail = min(float(effective_sample_size(side.astype(float))) for side in tails)
    return r_hat, float(effective_sample_size(_normal_scores(split))), tail


def _normal_scores(draws: np.ndarray) -> np.ndarray:
    return norm.ppf((rankdata(draws).reshape(draws.shape) - 0.375) / (draws.size + 0.25))


def _doubts(found: Posterior, lower: np.ndarray, upper: np.ndarray) -> list[str]:
    """Sentences about draws that may not be trusted, or that say something unusual."""
    if not np.all(np.isfinite(found.samples)):
        return ["no draws: the model has no resonance at some measured angle, wherever it starts"]
    flags = []
    apart = [f"{n} ({r:.3f})" for n, r in found.r_hat.items() if not r < CONVERGED]
    if apart:
        flags.append(f"the chains do not agree: R-hat of {', '.join(apart)}; draw more samples")
    least = min([*found.ess_bulk.values(), *found.ess_tail.values()])
    if least < ENOUGH:
        flags.append(f"only {least:.0f} effective samples: draw more")
    if found.divergences:
        flags.append(
            f"{found.divergences} divergent transitions: the posterior ends or bends sharply where "
            "a measured angle loses its resonance"
        )
    shared = [
        f"{', '.join(_shown(n, v) for n, v in zip(found.fit.names, x, strict=True))} ({share:.0%})"
        for x, share in zip(found.minima, found.shares, strict=True)
        if share > 0.01
    ]
    if len(shared) > 1:
        flags.append(f"several minima share the posterior: {'; '.join(shared)}")
    for i, name in enumerate(found.fit.names):
        margin = 0.01 * (upper[i] - lower[i])
        for bound in (lower[i], upper[i]):
            if np.mean(np.abs(found.draws(name) - bound) < margin) > 0.01:
                flags.append(f"{name} reaches its bound, {_shown(name, bound)}: the prior matters")
    flags += [
        f"{name} is not Gaussian: its interval is {ratio:.2f} times as wide as that of the fit"
        for name, ratio in found.width_ratio.items()
        if not 1 / UNLIKE < ratio < UNLIKE
    ]
    # the mean direction is short where all phases occur
    both = {"B", "C"} <= set(found.names)
    if both and abs(np.mean(np.exp(2j * found.phase()))) < OPEN:
        most = 1e3 * np.quantile(found.amplitude(), 0.95)
        flags.append(
            f"the phase is open: the amplitude is less than {most:.1f} mT (95 %), and may be 0"
        )
    return flags + [flag for flag in found.fit.flags if flag.startswith("residuals are")]
