"""The posterior of the parameters of one measured series, by NUTS.

Every parameter has a flat prior between finite bounds; errors are Gaussian. The sampled variable is
y = logit((x − lower)/(upper − lower)), whitened by the curvature at the best minimum of χ². The
mass matrix is therefore the unit matrix, and only the step size adapts. Before each NUTS transition
there is one proposal from a mixture of Student laws around all minima that many starts found
(Metropolis–Hastings), so that separate modes get their weights. Where the model has no resonance at
a measured angle the density is zero: a wall with zero gradient, at which trajectories end and count
as divergent. Unknown σ has Jeffreys' prior 1/σ and is integrated out: the density is
(Σ r²)^(−n/2), and σ² is drawn from its conditional law Σ r²/χ²ₙ.
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
from ..foundation.errors import InputError, check_count
from ..foundation.progress import progress_bar
from ..foundation.units import larmor_value
from ..resonance.planes import Plane
from .anisotropy_models import FullTensorModel, InPlaneModel, Model
from .parameter_table import parameter_kind
from .parameters import Parameter
from .posterior_density import Modes, Target, prepare
from .posterior_result import Draws, Posterior as Posterior, posterior_of
from .problem import FitProblem
from .series import Series, stack_series
from .series_fit import fit_series


WIDE = 3.0
"""Anisotropy fields without bounds get ± this many w0, wider than any fields that resonate."""

BLOCK = 100
"""Transitions in one compiled call, after which the progress bar moves."""

LEAST_SAMPLES = 4
"""R-hat needs halves of chains with two draws each."""


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

    The log density is −½ Σ (field − Hres)²/sigma² between the bounds, and −∞ where the model has no
    resonance at a measured angle. Chains run side by side, from points spread around the fit and
    its rivals (see the module). Runs in float64, whatever JAX's default. Shows a progress bar on a
    terminal. Needs NumPyro: pip install -e '.[posterior]' in the clone.

    Priors are flat within the bounds of each `Free`. Without bounds they are ± 3 w0 for anisotropy
    fields, start ± 0.5 for g and start ± 90° for the offset.

    Args:
        angle: A `Series`, or angles of the applied field in radians, shape (n,).
        field: Resonance fields in tesla, shape (n,), as for `fit_series`.
        sigma: Standard errors of `field` in tesla, one number or shape (n,). Default: equal and
            unknown; they are sampled too, with Jeffreys' prior 1/sigma.
        frequency: In Hz, one number or shape (n,).
        g: As for `fit_series`.
        offset: As for `fit_series`.
        plane: As for `fit_series`.
        parameters: As for `fit_series`.
        model: As for `fit_series`.
        convention: As for `fit_series`.
        n_samples: Draws of each chain, at least 4. Default: 1000.
        n_chains: Number of chains. Default: 4.
        n_warmup: Warm-up steps, which adapt the step size and are dropped. Default: 500.
        seed: Seed of the random numbers. The same seed gives the same draws.
        progress: Whether to show a progress bar.

    Returns:
        Draws, moments and intervals. Doubts about them are in `flags`, never raised. If no point of
        finite density was found, all draws are NaN.

    Raises:
        ImportError: Without NumPyro.
        InputError: As for `fit_series`; if sigma is unknown and there are as few points as
            parameters (the posterior then has no finite integral); and for a parameter of a model
            of your own without bounds.

    Example:
        posterior = diffdip.sample_posterior(angle, field, 1e-3, frequency=9.45e9)
        print(posterior.intervals["B"]["68"], posterior.flags)
    """
    _require_numpyro()
    series = _series(angle, field, sigma, frequency, plane)
    counts = {"n_samples": n_samples, "n_chains": n_chains, "n_warmup": n_warmup}
    for name, number in counts.items():
        check_count(name, number, LEAST_SAMPLES if name == "n_samples" else 1)
    given: dict[str, Any] = {
        "g": g,
        "offset": offset,
        "parameters": parameters,
        "model": model,
        "convention": convention,
    }
    free = FitProblem.of([series], **given, loss="linear")
    count, size = int(np.sum(np.isfinite(series.field))), len(free.parameters.free)
    if series.sigma is None and count <= size:
        raise InputError(
            "sigma",
            given=None,
            expected=f"standard errors, because {count} points cannot determine them beside "
            f"{size} parameters",
            hint="Give {sigma}, measure more angles or fix parameters",
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
        starts = np.concatenate([best, free.starts(*stack_series([series])[:2])])
        target, modes, minima = prepare(problem, series, starts, count)
        shape = (n_chains, n_samples)
        if target is None or modes is None:
            drawn = Draws.nothing(shape, size)
        else:
            drawn = _sample(target, modes, shape, n_warmup, seed, progress=progress)
    names = free.parameters.free
    samples = np.asarray(drawn.x)
    if series.sigma is None:
        names = (*names, "sigma")
        chi2 = np.random.default_rng([seed, 1]).chisquare(count, shape)
        samples = np.concatenate([samples, 1e-3 * np.sqrt(drawn.chi2 / chi2)[..., None]], axis=-1)
    bounds = np.asarray(problem.parameters.lower), np.asarray(problem.parameters.upper)
    settings = _settings(problem, counts, seed, known_sigma=series.sigma is not None)
    return posterior_of(names, samples, drawn, minima, fit, bounds, settings)


def _settings(
    problem: FitProblem, counts: Mapping[str, int], seed: int, *, known_sigma: bool
) -> dict[str, Any]:
    """How the posterior was drawn, for the record."""
    from ..foundation.version import __version__

    parameters = problem.parameters
    rows = zip(parameters.free, parameters.lower, parameters.upper, strict=True)
    return {
        "version": __version__,
        "convention": problem.convention,
        "sampler": "NUTS (numpyro) with jumps between minima",
        **counts,
        "seed": seed,
        "priors": {
            **{name: f"flat from {low:.6g} to {high:.6g}" for name, low, high in rows},
            "sigma": "known" if known_sigma else "1/sigma (Jeffreys)",
        },
    }


def _require_numpyro() -> None:
    """Raises `ImportError` without NumPyro, before anything is computed."""
    try:
        import numpyro  # noqa: F401
    except ModuleNotFoundError as error:
        raise ImportError(
            "sample_posterior needs NumPyro: pip install -e '.[posterior]' in the clone of diffdip"
        ) from error


def _series(
    angle: Series | Numbers,
    field: Numbers | None,
    sigma: Numbers | None,
    frequency: Numbers | None,
    plane: Plane,
) -> Series:
    """The series that was given, or the one of these columns."""
    if isinstance(angle, Series):
        for name, own in (("field", field), ("sigma", sigma), ("frequency", frequency)):
            if own is not None:
                raise InputError(
                    name,
                    expected="none, because the Series has its own",
                    hint=f"Leave out {{{name}}}",
                )
        return angle
    if field is None or frequency is None:
        raise InputError(
            "field" if field is None else "frequency",
            given=None,
            expected="a value",
            hint="Give a Series, or {angle}, {field} and {frequency}",
        )
    return Series(angle, field, sigma, frequency=frequency, plane=plane)


def _bounded(problem: FitProblem, frequency: float) -> FitProblem:
    """The problem with finite bounds for every free parameter."""
    parameters = problem.parameters
    center = parameters.central_point()
    g = float(parameters.values(center)["g"])
    fields = WIDE * larmor_value(frequency, g)
    known = isinstance(problem.model, InPlaneModel | FullTensorModel)
    lower, upper = np.array(parameters.lower), np.array(parameters.upper)
    for i, name in enumerate(parameters.free):
        if np.isfinite(lower[i]) and np.isfinite(upper[i]):
            continue
        prior = parameter_kind(name).prior
        if prior is None and not known:
            raise InputError(
                "parameters",
                given=name,
                expected="bounds for its prior",
                hint="Give it as Free(lower, upper)",
            )
        width, middle = (fields, 0.0) if prior is None else (prior, center[i])
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
    *,
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
    """Functions key → state and state → state; NumPyro needs a call of the first one first.

    A state is NumPyro's `HMCState`. A chain starts at a point of zero density. The first jump
    always leaves it, so the chain effectively starts at random around the minima, spread wider than
    the posterior.
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
    """The state of every chain before its first transition."""
    first, _ = _kernel(target, warmup)
    return jax.vmap(first)(keys)


@partial(jax.jit, static_argnames="warmup")
def _advance(target: Target, modes: Modes, state: Any, warmup: int) -> tuple[Any, Draws]:
    """BLOCK transitions of every chain, each a jump and then NUTS."""
    first, step = _kernel(target, warmup)
    # `first` keeps its options for `step`
    first(jax.random.key(0))

    def potential(z: Array) -> tuple[Array, Array]:
        height = target.potential(z)
        return height, height

    def transition(state: Any, _: None) -> tuple[Any, Draws]:
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
        return state, Draws(target.vector(state.z)[0], chi2, nearest, state.diverging, jump)

    def chain(state: Any) -> tuple[Any, Draws]:
        return jax.lax.scan(transition, state, length=BLOCK)

    return jax.vmap(chain)(state)
