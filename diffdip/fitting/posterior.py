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
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..foundation.arrays import Numbers
from ..foundation.convention import Convention
from ..foundation.progress import progress_bar
from ..foundation.units import MU_B, PLANCK
from ..resonance.planes import Plane
from .parameters import Parameter, is_offset
from .posterior_density import Modes, Target, prepare
from .posterior_result import Draws, Posterior as Posterior, posterior_of
from .problem import FitProblem, FullTensorModel, InPlaneModel, Model, Series
from .series_fit import fit_series


WIDE = 3.0
"""Bounds of anisotropy fields that have none: ± this many w0, beyond all that resonates."""

BLOCK = 100
"""Transitions in one compiled call, after which the progress bar moves."""


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
    from ..foundation.version import __version__

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
        target, modes, minima = prepare(problem, series, starts, count)
        shape = (n_chains, n_samples)
        if target is None or modes is None:
            drawn = Draws.nothing(shape, size)
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
        "version": __version__,
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
    return posterior_of(names, samples, drawn, minima, fit, (lower, upper), settings)


def _require_numpyro() -> None:
    """NumPyro is imported only where it is needed."""
    try:
        import numpyro  # noqa: F401
    except ModuleNotFoundError as error:
        raise ImportError(
            "sample_posterior needs NumPyro: pip install 'diffdip[posterior]'"
        ) from error


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


def _sample(
    target: Target,
    modes: Modes,
    shape: tuple[int, int],
    warmup: int,
    seed: int,
    progress: bool,
) -> Draws:
    """All chains side by side, in blocks."""
    chains, draws = shape
    key = jax.random.key(seed)
    blocks = -(-(warmup + draws) // BLOCK)
    parts = []
    # NumPyro mixes dtypes
    bar = progress_bar("sampling", blocks, shown=progress)
    with jax.numpy_dtype_promotion("standard"), bar as advance:
        state = _start(target, jax.random.split(key, chains), warmup)
        for _ in range(blocks):
            state, part = _advance(target, modes, state, warmup)
            parts.append([np.asarray(v) for v in part])
            advance()
    columns = [np.concatenate(column, axis=1) for column in zip(*parts, strict=True)]
    return Draws(*(column[:, warmup : warmup + draws] for column in columns))


def _kernel(target: Target, warmup: int) -> tuple[Any, Any]:
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
def _start(target: Target, keys: Array, warmup: int) -> Any:
    first, _ = _kernel(target, warmup)
    return jax.vmap(first)(keys)


@partial(jax.jit, static_argnames="warmup")
def _advance(target: Target, modes: Modes, state: Any, warmup: int) -> tuple[Any, tuple]:
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
