"""Inference of the parameters of a model from measured A and B: the search."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from ..ensembles.models import AbstractModel
from ..ensembles.simulation import NothingPlacedError, describe
from ..foundation.arrays import Numbers, as_float
from ..foundation.errors import InputError, check_count
from ..foundation.progress import progress_bar
from .inference_result import FARTHEST, Inference, judged
from .parameter_variation import with_number
from .sample_derivatives import check_drawing, methods_of
from .smoothed_shares import ModelShares, Sampler, measured_shares


STEPS: Final = 30
"""Default number of steps."""

WARM: Final = 10
"""Number of steps of full length. Later ones shrink, which averages over the noise of samples."""

LONGEST: Final = 0.7
"""Longest step in ln θ: a factor of 2."""

REPEATS: Final = 8
"""Independent sets of samples at the end, to separate the derivatives from their noise."""

MOST_HALVINGS: Final = 6
"""How often a step is halved if no sample can be placed where it ends."""

UNKNOWN: Final = 0.1
"""The search does not move along a combination of ln θ with less information (1/variance)."""


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
    """Find the parameters of a model whose distribution of A and B best explains measured values.

    The distribution functions f of ln|A| and ln|B| are compared at the nine deciles of the measured
    values. Their steps are smoothed over 0.3 in ln x. The best parameters θ minimize

        (f(θ) − f̂)ᵀ W (f(θ) − f̂),

    where f̂ are the measured ones. W is the inverse covariance of f; 10⁻³ of the mean variance is
    added to it, because neighbouring levels are nearly equivalent. All steps are bounded, so no
    moment of the heavy-tailed A and B is needed. With this W the estimate is nearly as precise as f
    allows. n times the minimum follows the law of a sum of squares. It is replaced by a multiple of
    χ² with the same mean and variance (Satterthwaite, Biometrics Bulletin 2, 110, 1946).

    The search makes Gauss–Newton steps in ln θ. Each step draws new samples of the model, with the
    derivatives of `sensitivity`. The first ten steps have full length. Later ones shrink as 1/k,
    which averages over the noise of the samples.

    Errors include those of the measured samples and of the model's samples. Intervals come from
    resampling the measured pairs (A, B), to first order in their change.

    Args:
        A: Measured A (n) in tesla, one for each sample, in the convention of the model.
        B: Measured B (n) in tesla.
        model: The start of the search, with all parameters that stay fixed.
        parameters: Names of the parameters to find.
        n_samples: Samples of the model in each step (2000 by default).
        seed: Seed of the random numbers.
        steps: Number of steps (30 by default).
        progress: Whether to show a progress bar on a terminal.

    Returns:
        The parameters with errors and intervals, and flags for those that are not determined.

    Raises:
        InputError: If there are fewer than 10 finite pairs or fewer than 20 samples, if a name is
            unknown, repeated, or that of a whole number or of a parameter that is 0, or if there
            are as many parameters as compared numbers.
        NothingPlacedError: If no sample of the model could be placed.

    >>> import numpy as np
    >>> from diffdip import UniformCylinder, simulate
    >>> truth = simulate(UniformCylinder(n=20, density=3.0), 300, seed=1)
    >>> start = UniformCylinder(n=20, density=2.0)
    >>> found = infer(truth.A, truth.B, start, ["density"], n_samples=200, steps=12)
    >>> bool(abs(found.parameters[0].value - 3.0) < 0.6)
    True
    """
    check_drawing(n_samples, seed)
    check_count("steps", steps)
    shares, target = measured_shares(A, B)
    methods = _checked_methods(model, list(parameters), shares.count)
    search = _Search(Sampler(shares, methods, n_samples), target, model, list(parameters))
    # large numbers, so that none of them is the seed of the measured samples
    seeds = np.random.SeedSequence(seed).generate_state(steps + 1 + REPEATS)
    with progress_bar("inference", steps + REPEATS, shown=progress) as tick:
        theta = search.run(seeds[: steps + 1], tick)
        best = search.moved(theta)
        last = []
        for other in seeds[steps + 1 :]:
            last.append(search.sampler.at(best, int(other)))
            tick()
    settings = {
        "model": describe(best),
        "measured": len(target),
        "n_samples": n_samples,
        "steps": steps,
        "seed": seed,
        "methods": methods,
    }
    # the noise of the model's samples: that of the steps over which the search averages
    drawn = n_samples * max(1, steps - WARM)
    found = ModelShares.together(last)
    return judged(best, search.names, found, target, theta - search.begin, drawn, settings)


def _checked_methods(model: AbstractModel, names: list[str], compared: int) -> dict[str, str]:
    """How the derivative with respect to each parameter is found; `InputError` for wrong names."""
    if len(set(names)) < len(names):
        raise InputError("parameters", given=", ".join(names), expected="each name once")
    methods = methods_of(model, names)
    integers = [name for name in names if isinstance(getattr(model, name), int)]
    if integers:
        expected = "a continuous parameter, not a whole number"
        raise InputError("parameters", given=integers[0], expected=expected)
    if not 0 < len(names) < compared:
        raise InputError("parameters", given=names, expected=f"1 to {compared - 1} names")
    return methods


class _Search:
    """Gauss–Newton steps in the logarithms of the parameters, with new samples in each step."""

    def __init__(
        self, sampler: Sampler, target: np.ndarray, model: AbstractModel, names: list[str]
    ):
        self.sampler, self.target = sampler, target
        self.model, self.names = model, names
        self.begin = np.log([float(getattr(model, name)) for name in names])

    def run(self, seeds: np.ndarray, tick: Any) -> np.ndarray:
        """ln θ at the end; each step uses one seed, and the last seed checks the end."""
        import jax.numpy as jnp
        import optax

        optimizer = optax.chain(
            optax.clip_by_global_norm(LONGEST),
            optax.sgd(lambda count: WARM / jnp.maximum(jnp.asarray(count, float) + 1, WARM)),
        )
        theta = before = self.begin
        state = optimizer.init(as_float(self.begin.tolist()))
        smooth = np.zeros((self.sampler.shares.count, len(self.names)))
        for step, seed in enumerate(seeds[:-1]):
            theta, found = self._placed(theta, before, int(seed))
            # derivatives change little from step to step: their mean has less noise
            smooth = smooth + (found.slope - smooth) / min(step + 1, WARM)
            found = dataclasses.replace(
                found, slope=smooth, information=smooth.T @ found.weight @ smooth
            )
            residual = found.mean - np.mean(self.target, axis=0)
            gradient = found.slope.T @ found.weight @ residual
            direction = _newton_step(found.information, gradient, len(self.target))
            update, state = optimizer.update(as_float(direction.tolist()), state)
            before, theta = theta, theta + np.asarray(update, float)
            theta = np.clip(theta, self.begin - FARTHEST, self.begin + FARTHEST)
            tick()
        return self._placed(theta, before, int(seeds[-1]))[0]

    def moved(self, theta: np.ndarray) -> AbstractModel:
        """The model with other values of the parameters."""
        model = self.model
        for name, value in zip(self.names, theta, strict=True):
            model = with_number(model, name, float(np.exp(value)))
        return model

    def _placed(
        self, theta: np.ndarray, before: np.ndarray, seed: int
    ) -> tuple[np.ndarray, ModelShares]:
        """The shares at theta. If nothing can be placed there, at a point closer to `before`."""
        for _ in range(MOST_HALVINGS):
            try:
                return theta, self.sampler.at(self.moved(theta), seed)
            except NothingPlacedError:
                theta = (theta + before) / 2
        return before, self.sampler.at(self.moved(before), seed)


def _newton_step(information: np.ndarray, gradient: np.ndarray, count: int) -> np.ndarray:
    """The Gauss–Newton step; 0 along combinations that the measured samples do not determine."""
    value, vector = np.linalg.eigh(information)
    known = (value > 1e-6 * np.max(value)) & (value * count > UNKNOWN)
    inverse = np.where(known, 1 / np.where(known, value, 1), 0)
    return vector @ (inverse * (vector.T @ gradient))
