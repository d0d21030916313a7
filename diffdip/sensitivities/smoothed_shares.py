"""What inference compares: the shares of samples below levels of |A| and |B|, smoothed.

A share counts how many samples lie below a level. Each sample adds a step; it is smoothed, so that
it has a derivative. A step is bounded, so its mean and covariance exist although A and B are
heavy-tailed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..ensembles.models import AbstractModel
from ..foundation.arrays import Numbers
from ..foundation.errors import InputError
from .observables import Magnitude
from .parameter_differences import Runs, observed
from .sample_derivatives import DERIVATIVE, Samples


OBSERVABLES: Final = (Magnitude("A"), Magnitude("B"))

DECILES: Final = np.arange(0.1, 0.95, 0.1)
"""Quantiles of the measured values that are the levels."""

SOFTNESS: Final = 0.3
"""Width in ln x of the smoothed steps."""

FLOOR: Final = 1e-4
"""Field (T) that no spectrum distinguishes from zero. Smaller values count as this one."""

DIFFERENCE: Final = 0.2
"""Step in ln θ for derivatives that are found by differences."""

FEWEST_PAIRS: Final = 10
"""The smallest number of measured pairs of A and B."""

RIDGE: Final = 1e-3
"""Share of the mean variance that is added to the covariance before it is inverted.

Neighbouring shares are nearly equal, so the covariance alone is nearly singular.
"""


@dataclass(frozen=True)
class SmoothedShares:
    """Smoothed steps at levels of ln|A| and ln|B|; `levels` has a row for each."""

    levels: np.ndarray

    @property
    def count(self) -> int:
        """How many numbers are compared."""
        return self.levels.size

    def of(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """The steps (n, count) of n samples, from their |A| and |B| in tesla."""
        parts = []
        for x, levels in zip(values, self.levels, strict=True):
            z = (levels - np.log(np.maximum(x, FLOOR))[:, None]) / SOFTNESS
            # the clip keeps the exponential finite; beyond 40 the step is flat in float64
            parts.append(1 / (1 + np.exp(-np.clip(z, -40, 40))))
        return np.concatenate(parts, axis=1)

    def slope(self, values: Sequence[np.ndarray], slopes: Sequence[np.ndarray]) -> np.ndarray:
        """Mean derivative of the steps, from the derivatives of the values."""
        f = self.of(values)
        ratio = [
            np.where(x > FLOOR, slope / np.maximum(x, FLOOR), 0)
            for x, slope in zip(values, slopes, strict=True)
        ]
        by_log = np.repeat(np.stack(ratio, axis=1), self.levels.shape[1], axis=1)
        return np.mean(-f * (1 - f) / SOFTNESS * by_log, axis=0)


def measured_shares(A: Numbers, B: Numbers) -> tuple[SmoothedShares, np.ndarray]:
    """Levels at the deciles of measured values, and the steps of each pair (A, B) there.

    Pairs with a value that is not finite are left out.
    """
    a, b = (np.abs(np.asarray(x, float)) for x in (A, B))
    if a.ndim != 1 or a.shape != b.shape:
        raise InputError(
            "the shapes of A and B",
            given=(a.shape, b.shape),
            expected="two rows, with one value of each sample",
        )
    good = np.isfinite(a) & np.isfinite(b)
    if np.sum(good) < FEWEST_PAIRS:
        raise InputError(
            "the number of finite pairs of A and B",
            given=int(np.sum(good)),
            expected=f"{FEWEST_PAIRS} or more",
        )
    values = [a[good], b[good]]
    different = len(np.unique(np.stack(values), axis=1).T)
    if different < FEWEST_PAIRS:
        raise InputError(
            "the number of different pairs of A and B",
            given=different,
            expected=f"{FEWEST_PAIRS} or more",
            hint="Give each sample once: copies tell nothing about the scatter of samples",
        )
    levels = np.stack([np.log(np.maximum(np.quantile(x, DECILES), FLOOR)) for x in values])
    shares = SmoothedShares(levels)
    return shares, shares.of(values)


@dataclass(frozen=True)
class ModelShares:
    """The shares of a model, estimated from `count` samples.

    `mean` and `covariance` of the steps of one sample, `slope` the derivatives of the mean with
    respect to ln θ, `weight` the inverse of the covariance, and `information` of one measured
    sample on ln θ.
    """

    count: int
    mean: np.ndarray
    slope: np.ndarray
    covariance: np.ndarray
    weight: np.ndarray
    information: np.ndarray

    @staticmethod
    def of(values: np.ndarray, slope: np.ndarray) -> "ModelShares":
        """From the steps of samples, and the derivatives of their mean."""
        covariance = np.cov(values, rowvar=False)
        ridge = RIDGE * np.trace(covariance) / len(covariance)
        weight = np.linalg.inv(covariance + ridge * np.eye(len(covariance)))
        information = slope.T @ weight @ slope
        mean = np.mean(values, axis=0)
        return ModelShares(len(values), mean, slope, covariance, weight, information)

    @staticmethod
    def together(parts: Sequence["ModelShares"]) -> "ModelShares":
        """The mean of independent sets of samples.

        The square of a noisy derivative would count as information. So the information is the mean
        product of the derivatives of different sets.
        """
        mean, slope, covariance, weight = (
            np.mean([getattr(part, name) for part in parts], axis=0)
            for name in ("mean", "slope", "covariance", "weight")
        )
        own = np.mean([p.slope.T @ weight @ p.slope for p in parts], axis=0)
        information = (len(parts) * slope.T @ weight @ slope - own) / (len(parts) - 1)
        count = sum(part.count for part in parts)
        return ModelShares(count, mean, slope, covariance, weight, information)


@dataclass(frozen=True)
class Sampler:
    """Estimates the shares of a model and their derivatives, from new samples at each call."""

    shares: SmoothedShares
    methods: Mapping[str, str]
    n_samples: int

    def at(self, model: AbstractModel, seed: int) -> ModelShares:
        """The shares of a model; `NothingPlacedError` if no sample could be placed."""
        inside = [name for name, method in self.methods.items() if method == DERIVATIVE]
        samples = Samples.draw(model, OBSERVABLES, inside, self.n_samples, seed)
        placed = ~np.isnan(samples.x[0])
        values = [x[placed] for x in samples.x]
        slope = {}
        for name in inside:
            both = [samples.response(which, name, placed) for which in range(len(OBSERVABLES))]
            moved = self.shares.slope(values, [r.slope for r in both])
            change = self.shares.of([r.after for r in both])
            change = change - self.shares.of([r.before for r in both])
            flipped = both[0].rate @ change / len(values[0])
            slope[name] = float(getattr(model, name)) * (moved + flipped)
        outside = [name for name in self.methods if name not in inside]
        runs = Runs.of(model, outside, DIFFERENCE)
        means = [
            np.nanmean(self.shares.of(observed(run, OBSERVABLES, self.n_samples, seed)), axis=0)
            for run in runs.models
        ]
        slope |= {name: runs.effect(means, column) for column, name in enumerate(outside)}
        columns = np.stack([slope[name] for name in self.methods], axis=1)
        return ModelShares.of(self.shares.of(values), columns)
