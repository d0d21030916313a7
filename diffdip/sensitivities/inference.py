"""From measured A and B back to the crystals: ensemble parameters that explain a set of samples."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jax.numpy as jnp
import numpy as np
import optax
from scipy.stats import chi2

from ..ensembles.models import AbstractModel
from ..ensembles.simulation import NothingPlacedError, describe
from ..foundation.arrays import Numbers, as_float
from ..foundation.flags import Flag
from ..foundation.progress import progress_bar
from .observables import Magnitude
from .parameter_variation import with_number
from .sample_derivatives import DERIVATIVE, Runs, Samples, check_drawing, methods_of, observed


OBSERVABLES: Final = (Magnitude("A"), Magnitude("B"))

LEVELS: Final = np.arange(0.1, 0.95, 0.1)
"""Levels of the measured quantiles where the distribution functions are compared."""

SOFTNESS: Final = 0.3
"""Width in ln x of the smooth steps that count a value as below a level."""

FLOOR: Final = 1e-4
"""Field (T) below which no spectrum tells a value from zero."""

WARM, STEPS = 10, 30
"""Steps of full length, and of all; later ones shrink, so that the noise of samples averages."""

LONGEST, FARTHEST = 0.7, 5.0
"""Longest step, and greatest way from the start, in the logarithms of the parameters."""

REPEATS: Final = 8
"""Independent sets of samples at the end, which tell the derivatives from their noise."""

DIFFERENCE: Final = 0.2
"""Step in ln θ for what only differences can tell."""

BOOTSTRAPS: Final = 400

MOST_HALVINGS: Final = 6

UNKNOWN: Final = 0.1
"""Information on a combination of ln θ (1/variance) below which the search leaves it alone."""

ALIKE: Final = 0.9
"""Correlation beyond which two parameters are said to make up for each other."""

TRUSTED: Final = 0.1
"""Error of ln θ up to which first order holds even for such parameters."""

KNOWN: Final = 1.0
"""Error of ln θ beyond which a parameter is called not identifiable: a factor of e."""


@dataclasses.dataclass(frozen=True)
class Inferred:
    """One parameter as inferred: value, error of its logarithm, intervals from the bootstrap.

    `identifiable` is False where the samples leave it open by more than a factor of e, and where
    another parameter nearly makes up for it (correlation above 0.9) and the error of one of the
    two is above 10 %: to first order it is then too small. Value and intervals say nothing.
    """

    name: str
    value: float
    log_error: float
    interval_68: tuple[float, float]
    interval_95: tuple[float, float]
    identifiable: bool


@dataclasses.dataclass(frozen=True)
class Inference:
    """Result of `infer`.

    `parameters` in the order asked for; `information` (Fisher's, on the logarithms of the
    parameters) in the measured samples: an eigenvector with an eigenvalue below 1 is a combination
    that cannot be told to a factor of e. `covariance` is its inverse, after the information
    that each parameter is within a factor of e⁵ or so. `chi2` with `dof` (no whole number: what is
    compared overlaps) and `p_value` judge whether the model can explain the samples at all;
    `model` is the model with the values found; `notes` are the doubts about it.
    """

    parameters: tuple[Inferred, ...]
    covariance: np.ndarray
    information: np.ndarray
    chi2: float
    dof: float
    p_value: float
    model: AbstractModel
    notes: tuple[Flag, ...]
    settings: Mapping[str, Any]


def infer(
    A: Numbers,
    B: Numbers,
    model: AbstractModel,
    parameters: Sequence[str],
    n_samples: int = 2000,
    seed: int = 0,
    *,
    steps: int = STEPS,
    progress: bool = True,
) -> Inference:
    """The parameters of a model whose distribution of A and B best explains measured ones.

    `A`, `B` (n,) in tesla, one of each sample, in the model's convention; `model` gives the
    start and all that is kept fixed. Minimized is

        (f(θ) − f̂)ᵀ W (f(θ) − f̂),

    where f are the distribution functions of ln|A| and ln|B| at the nine deciles of the measured
    values, their steps rounded over 0.3 in ln x, f̂ the measured ones and W the inverse covariance
    of f with 10⁻³ of its mean variance added, as neighbouring levels tell nearly the same. Steps
    are bounded, so that no moment of the heavy-tailed A and B is needed; with this W the estimate
    is nearly as precise as f allows. n times the minimum has the mean and the variance of a
    multiple of χ², which is taken off (Satterthwaite, Biometrics Bulletin 2, 110, 1946). The
    derivatives of f are those of `sensitivity`. Each Gauss–Newton step, by Optax in ln θ, draws
    `n_samples` new samples of the model; the last two thirds of `steps` shrink as 1/k, which
    averages over their noise.

    Errors are those of the measured samples and of the model's together; intervals are from
    resampling the measured pairs (A, B), to first order in their change.

    Raises `ValueError` for fewer than 10 finite pairs, unknown, repeated or zero parameters, as
    many parameters as there are numbers to compare, fewer than 20 samples, and no steps.

    >>> import numpy as np
    >>> from diffdip import UniformCylinder, simulate
    >>> truth = simulate(UniformCylinder(n=20, density=3.0), 300, seed=1)
    >>> start = UniformCylinder(n=20, density=2.0)
    >>> found = infer(truth.A, truth.B, start, ["density"], n_samples=200, steps=12)
    >>> bool(abs(found.parameters[0].value - 3.0) < 0.6)
    True
    """
    check_drawing(n_samples, seed)
    if steps < 1:
        raise ValueError(f"{steps} steps: expected 1 or more")
    measured, levels = _measured(A, B)
    names = list(parameters)
    if len(set(names)) < len(names):
        raise ValueError(f"parameters {', '.join(names)}: expected each once")
    methods = methods_of(model, names)
    integers = [name for name in names if isinstance(getattr(model, name), int)]
    if integers:
        raise ValueError(f"{integers[0]} is an integer: only continuous parameters are inferred")
    features = _Features(levels)
    if not 0 < len(names) < features.count:
        raise ValueError(f"{len(names)} parameters: expected 1 to {features.count - 1}")
    target = features.of(measured)

    optimizer = optax.chain(
        optax.clip_by_global_norm(LONGEST),
        optax.sgd(lambda count: WARM / jnp.maximum(jnp.asarray(count, float) + 1, WARM)),
    )
    begin = np.log([float(getattr(model, name)) for name in names])
    theta = before = begin
    state = optimizer.init(as_float(begin.tolist()))
    # not small numbers, of which one may be the seed that the measured samples come from
    seeds = np.random.SeedSequence(seed).generate_state(steps + 1 + REPEATS)
    compare = _Comparison(features, methods, n_samples)
    smooth = np.zeros((features.count, len(names)))
    with progress_bar("inference", steps + REPEATS, shown=progress) as tick:
        for step in range(steps):
            theta, found = _placed(compare, model, names, theta, before, int(seeds[step]))
            # derivatives hardly change from step to step, and their noise averages
            smooth = smooth + (found.slope - smooth) / min(step + 1, WARM)
            found = dataclasses.replace(
                found, slope=smooth, information=smooth.T @ found.weight @ smooth
            )
            residual = found.mean - np.mean(target, axis=0)
            gradient = found.slope.T @ found.weight @ residual
            direction = _solve(found.information, gradient, len(target))
            update, state = optimizer.update(as_float(direction.tolist()), state)
            before, theta = theta, theta + np.asarray(update, float)
            theta = np.clip(theta, begin - FARTHEST, begin + FARTHEST)
            tick()
        theta, _ = _placed(compare, model, names, theta, before, int(seeds[steps]))
        best = _moved(model, names, theta)
        last = []
        for other in seeds[steps + 1 :]:
            last.append(compare.at(best, int(other)))
            tick()
    settings = {
        "model": describe(best),
        "measured": len(target),
        "n_samples": n_samples,
        "steps": steps,
        "seed": seed,
        "methods": methods,
    }
    # the model's own samples add their share of noise: those of the steps that are averaged over
    drawn = n_samples * max(1, steps - WARM)
    return _judged(best, names, _Found.together(last), target, theta - begin, drawn, settings)


class _Features:
    """Rounded steps at levels of ln|A| and ln|B|."""

    def __init__(self, levels: np.ndarray):
        self.levels = levels

    @property
    def count(self) -> int:
        return self.levels.size

    def of(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """(n, features) of |A| and |B| in tesla."""
        parts = []
        for x, levels in zip(values, self.levels, strict=True):
            z = (levels - np.log(np.maximum(x, FLOOR))[:, None]) / SOFTNESS
            parts.append(1 / (1 + np.exp(-np.clip(z, -40, 40))))
        return np.concatenate(parts, axis=1)

    def slope(self, values: Sequence[np.ndarray], slopes: Sequence[np.ndarray]) -> np.ndarray:
        """Mean derivative of the features where values move by `slopes`."""
        f = self.of(values)
        ratio = [
            np.where(x > FLOOR, slope / np.maximum(x, FLOOR), 0)
            for x, slope in zip(values, slopes, strict=True)
        ]
        by_log = np.repeat(np.stack(ratio, axis=1), self.levels.shape[1], axis=1)
        return np.mean(-f * (1 - f) / SOFTNESS * by_log, axis=0)


@dataclasses.dataclass(frozen=True)
class _Found:
    """A model's features: mean of `count` samples, derivative by ln θ, covariance, its inverse.

    `information` is that of one measured sample on ln θ.
    """

    count: int
    mean: np.ndarray
    slope: np.ndarray
    covariance: np.ndarray
    weight: np.ndarray
    information: np.ndarray

    @staticmethod
    def of(values: np.ndarray, slope: np.ndarray) -> "_Found":
        covariance = np.cov(values, rowvar=False)
        ridge = 1e-3 * np.trace(covariance) / len(covariance)
        weight = np.linalg.inv(covariance + ridge * np.eye(len(covariance)))
        information = slope.T @ weight @ slope
        return _Found(len(values), np.mean(values, axis=0), slope, covariance, weight, information)

    @staticmethod
    def together(parts: Sequence["_Found"]) -> "_Found":
        """Of independent sets of samples.

        The square of a noisy derivative would pass for information; products of those of
        different sets do not.
        """
        mean, slope, covariance, weight = (
            np.mean([getattr(part, name) for part in parts], axis=0)
            for name in ("mean", "slope", "covariance", "weight")
        )
        own = np.mean([p.slope.T @ weight @ p.slope for p in parts], axis=0)
        information = (len(parts) * slope.T @ weight @ slope - own) / (len(parts) - 1)
        count = sum(part.count for part in parts)
        return _Found(count, mean, slope, covariance, weight, information)


@dataclasses.dataclass(frozen=True)
class _Comparison:
    """Features of a model and their derivatives, from new samples at each call."""

    features: _Features
    methods: Mapping[str, str]
    n_samples: int

    def at(self, model: AbstractModel, seed: int) -> _Found:
        """`seed` is that of the run's samples, not of the user."""
        inside = [name for name, method in self.methods.items() if method == DERIVATIVE]
        samples = Samples.draw(model, OBSERVABLES, inside, self.n_samples, seed)
        placed = ~np.isnan(samples.x[0])
        values = [x[placed] for x in samples.x]
        slope = {}
        for name in inside:
            both = [samples.response(which, name, placed) for which in range(len(OBSERVABLES))]
            moved = self.features.slope(values, [r.slope for r in both])
            change = self.features.of([r.after for r in both])
            change = change - self.features.of([r.before for r in both])
            flipped = both[0].rate @ change / len(values[0])
            slope[name] = float(getattr(model, name)) * (moved + flipped)
        outside = [name for name in self.methods if name not in inside]
        runs = Runs.of(model, outside, DIFFERENCE)
        means = [
            np.nanmean(self.features.of(observed(run, OBSERVABLES, self.n_samples, seed)), axis=0)
            for run in runs.models
        ]
        slope |= {name: runs.effect(means, column) for column, name in enumerate(outside)}
        columns = np.stack([slope[name] for name in self.methods], axis=1)
        return _Found.of(self.features.of(values), columns)


def _measured(A: Numbers, B: Numbers) -> tuple[list[np.ndarray], np.ndarray]:
    """|A| and |B| of the complete pairs, and the levels at which to compare them."""
    a, b = (np.abs(np.asarray(x, float)) for x in (A, B))
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"A and B of shapes {a.shape} and {b.shape}: expected one value a sample")
    good = np.isfinite(a) & np.isfinite(b)
    if np.sum(good) < 10:
        raise ValueError(f"{np.sum(good)} finite pairs of A and B: expected 10 or more")
    values = [a[good], b[good]]
    levels = np.stack([np.log(np.maximum(np.quantile(x, LEVELS), FLOOR)) for x in values])
    return values, levels


def _moved(model: AbstractModel, names: Sequence[str], theta: np.ndarray) -> AbstractModel:
    for name, value in zip(names, theta, strict=True):
        model = with_number(model, name, float(np.exp(value)))
    return model


def _placed(
    compare: _Comparison,
    model: AbstractModel,
    names: Sequence[str],
    theta: np.ndarray,
    before: np.ndarray,
    seed: int,
) -> tuple[np.ndarray, _Found]:
    """Features at theta, or nearer to where the search came from if nothing can be placed there."""
    for _ in range(MOST_HALVINGS):
        try:
            return theta, compare.at(_moved(model, names, theta), seed)
        except NothingPlacedError:
            theta = (theta + before) / 2
    return before, compare.at(_moved(model, names, before), seed)


def _solve(information: np.ndarray, gradient: np.ndarray, count: int) -> np.ndarray:
    """The Gauss–Newton step, none along what so many measured samples cannot tell."""
    value, vector = np.linalg.eigh(information)
    known = (value > 1e-6 * np.max(value)) & (value * count > UNKNOWN)
    inverse = np.where(known, 1 / np.where(known, value, 1), 0)
    return vector @ (inverse * (vector.T @ gradient))


def _judged(
    model: AbstractModel,
    names: Sequence[str],
    found: _Found,
    target: np.ndarray,
    moved: np.ndarray,
    drawn: int,
    settings: Mapping[str, Any],
) -> Inference:
    """Errors, intervals and a verdict at the values found."""
    count, theta = len(target), np.log([float(getattr(model, name)) for name in names])
    mean = np.mean(target, axis=0)
    information = found.information / (1 / count + 1 / drawn)
    value, vector = np.linalg.eigh(information)
    weak = value < 1 / KNOWN**2
    # what nothing is known of lies somewhere within the range of the search
    covariance = vector @ np.diag(1 / (np.maximum(value, 0) + FARTHEST**-2)) @ vector.T
    errors = np.sqrt(np.diag(covariance))
    alike = np.triu(np.abs(covariance / np.outer(errors, errors)) > ALIKE, 1)
    rough = np.maximum.outer(errors, errors) > TRUSTED
    known = (errors < KNOWN) & ~np.any((alike | alike.T) & rough, axis=1)

    rng = np.random.default_rng(settings["seed"])
    inverse = vector[:, ~weak] @ np.diag(1 / value[~weak]) @ vector[:, ~weak].T
    inverse = inverse / (1 / count + 1 / drawn)
    resampled = rng.integers(0, count, (BOOTSTRAPS, count))
    shift = np.mean(target[resampled], axis=1) - mean
    noise = rng.multivariate_normal(np.zeros(len(theta)), inverse / drawn, BOOTSTRAPS)
    spread = theta + shift @ (inverse @ found.slope.T @ found.weight).T + noise
    interval = lambda share: np.exp(np.quantile(spread, [(1 - share) / 2, (1 + share) / 2], axis=0))
    inner, outer = interval(0.6827), interval(0.9545)
    rows = tuple(
        Inferred(
            name=name,
            value=float(np.exp(theta[i])),
            log_error=float(errors[i]),
            interval_68=_interval(inner[:, i], bool(known[i])),
            interval_95=_interval(outer[:, i], bool(known[i])),
            identifiable=bool(known[i]),
        )
        for i, name in enumerate(names)
    )
    scale, dof = _law_of_minimum(found, vector[:, ~weak])
    residual = found.mean - mean
    least = float(residual @ found.weight @ residual) / (1 / count + 1 / found.count) / scale
    p_value = float(chi2.sf(least, dof))
    notes = _notes(rows, vector[:, weak], alike, p_value, moved)
    return Inference(rows, covariance, information, least, dof, p_value, model, notes, settings)


def _law_of_minimum(found: _Found, fitted: np.ndarray) -> tuple[float, float]:
    """Scale and degrees of freedom of the χ² with mean and variance of the minimum's law.

    `fitted` (p, k) are the combinations of ln θ that were fitted. The minimum is Σ µ z² of normal
    z, with µ the eigenvalues of the covariance of what the fit leaves.
    """
    value, vector = np.linalg.eigh(found.weight)
    root = vector * np.sqrt(value) @ vector.T
    taken, _ = np.linalg.qr(root @ found.slope @ fitted)
    kept = np.eye(len(root)) - taken @ taken.T
    share = np.linalg.eigvalsh(kept @ root @ found.covariance @ root @ kept)
    total, squares = np.sum(share), np.sum(share**2)
    return float(squares / total), float(total**2 / squares)


def _interval(ends: np.ndarray, known: bool) -> tuple[float, float]:
    return (float(ends[0]), float(ends[1])) if known else (0.0, np.inf)


def _notes(
    rows: Sequence[Inferred],
    weak: np.ndarray,
    alike: np.ndarray,
    p_value: float,
    moved: np.ndarray,
) -> tuple[Flag, ...]:
    notes: list[Flag] = []
    for row in rows:
        if not row.identifiable:
            message = f"{row.name} cannot be determined from these samples."
            notes.append(Flag("undetermined", message))
    for direction in weak.T:
        parts = [
            f"{row.name}^{power:.2g}"
            for row, power in zip(rows, direction, strict=True)
            if abs(power) > 0.1
        ]
        if len(parts) > 1:
            message = f"The product {' · '.join(parts)} is not determined: its factors compensate."
            notes.append(Flag("degenerate", message))
    for i, j in zip(*np.nonzero(alike), strict=True):
        message = (
            f"{rows[i].name} and {rows[j].name} nearly compensate each other. Fix one of them to "
            "determine the other."
        )
        notes.append(Flag("degenerate", message))
    if p_value < 0.01:
        message = f"No values of these parameters explain the samples (p = {p_value:.1g})."
        notes.append(Flag("explains-nothing", message))
    if np.any(np.abs(moved) >= FARTHEST):
        message = "The search ended more than a factor of 150 from its start."
        notes.append(Flag("not-converged", message))
    return tuple(notes)
