"""Numbers that describe the law of an anisotropy field, and how each answers to a small change.

An *observable* makes one number x of a sample's A, B, C; a *statistic* makes one number T of the
law of x. No mean of a heavy-tailed x exists, so a statistic is a quantile, a mean of logarithms,
a tail fraction or a width. Its derivative follows from those of expectations of functions of x
(see `diffdip.sensitivities.parameter_variation`), which come as a `Response`.
"""

import abc
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..foundation.convention import Convention
from ..resonance.energy_terms import AnisotropyFields
from ..resonance.fields import resonance_field
from ..statistics.cauchy import fit_cauchy


class AbstractObservable(eqx.Module):
    """One number of a sample: a differentiable function of A, B, C (tesla)."""

    @abc.abstractmethod
    def __call__(self, fields: Float[Array, "3"], convention: Convention) -> Float[Array, ""]:
        """The number for A, B, C of that convention."""

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """Its name in tables."""


class Component(AbstractObservable):
    """One anisotropy field, signed: `name` is A, B or C. In tesla.

    Raises `ValueError` for another name.
    """

    name: str = eqx.field(static=True)

    def __check_init__(self) -> None:
        _check_name(self.name)

    def __call__(self, fields: Float[Array, "3"], convention: Convention) -> Float[Array, ""]:
        return fields["ABC".index(self.name)]

    @property
    def label(self) -> str:
        return self.name


class Magnitude(AbstractObservable):
    """|A|, |B| or |C| in tesla. Raises `ValueError` for another name."""

    name: str = eqx.field(static=True)

    def __check_init__(self) -> None:
        _check_name(self.name)

    def __call__(self, fields: Float[Array, "3"], convention: Convention) -> Float[Array, ""]:
        return jnp.abs(fields["ABC".index(self.name)])

    @property
    def label(self) -> str:
        return f"|{self.name}|"


def _check_name(name: str) -> None:
    if name not in ("A", "B", "C"):
        raise ValueError(f"unknown anisotropy field {name!r}: expected A, B or C")


class Amplitude(AbstractObservable):
    """Largest minus smallest resonance field over the directions in the plane, in tesla.

    `frequency` in Hz, `angles` that many of them, equally spaced over half a turn. Where the
    anisotropy is so strong that at some angle no saturated resonance exists, it is inf: more than
    any number.
    """

    frequency: float = 9.45e9
    angles: int = eqx.field(static=True, default=18)

    def __call__(self, fields: Float[Array, "3"], convention: Convention) -> Float[Array, ""]:
        angle = jnp.linspace(0, jnp.pi, self.angles, endpoint=False, dtype=fields.dtype)
        sample = AnisotropyFields(*fields, convention=convention)
        field = resonance_field(sample, angle, self.frequency)
        exists = jnp.all(jnp.isfinite(field))
        field = jnp.where(exists, field, 0)
        return jnp.where(exists, jnp.max(field) - jnp.min(field), jnp.inf)

    @property
    def label(self) -> str:
        return f"amplitude at {self.frequency / 1e9:g} GHz"


@dataclass(frozen=True)
class Response:
    """Samples of an observable, and how they answer to one parameter.

    `x` (n) values, `slope` (n) their derivative at fixed choices of chance; `before`, `after`,
    `rate` (k) the flips of all samples together: at that signed rate `before` becomes `after`.
    """

    x: np.ndarray
    slope: np.ndarray
    before: np.ndarray
    after: np.ndarray
    rate: np.ndarray

    def flipped(self, function: Callable[[np.ndarray], np.ndarray]) -> float:
        """What the flips add to the derivative of the mean of a function of x."""
        change = function(self.after) - function(self.before)
        return float(np.sum(self.rate * change) / len(self.x))


class AbstractStatistic(eqx.Module):
    """One number of the law of an observable, and its derivative."""

    observable: eqx.AbstractVar[AbstractObservable]

    @abc.abstractmethod
    def value(self, x: np.ndarray) -> float:
        """The number for samples x."""

    @abc.abstractmethod
    def slope(self, response: Response) -> float:
        """Its derivative by the parameter of the response."""

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """Its name in tables."""


QUANTILE_WINDOW: Final = 0.08
"""Share of the samples on each side of a quantile from which its neighbourhood is estimated."""


class Quantile(AbstractStatistic):
    """The value below which a share `level` of the samples lies; the median by default.

    Its derivative is ⟨ẋ⟩ at the quantile, minus the rate at which flips bring samples below it
    over the density there; both from the samples nearest in rank. NaN where the quantile is inf.

    >>> Quantile(Magnitude("B")).label
    'median |B|'
    """

    observable: AbstractObservable
    level: float = 0.5

    def __check_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError(f"the level of a quantile lies between 0 and 1, not {self.level:g}")

    def value(self, x: np.ndarray) -> float:
        return _quantile(x, self.level)

    def slope(self, response: Response) -> float:
        x, at = response.x, self.value(response.x)
        # narrower in the tails, where the density changes fast
        room = min(QUANTILE_WINDOW, self.level / 4, (1 - self.level) / 4)
        low = _quantile(x, self.level - room)
        high = min(_quantile(x, self.level + room), float(np.max(x[np.isfinite(x)], initial=low)))
        near = (x >= low) & (x <= high)
        if not low < high < np.inf or np.isinf(at):
            return math.nan
        density = float(np.mean(near)) / (high - low)
        moved = _at(x[near] - at, response.slope[near])
        return moved - response.flipped(lambda x: (x <= at).astype(float)) / density

    @property
    def label(self) -> str:
        name = "median" if self.level == 0.5 else f"{100 * self.level:g} % quantile of"
        return f"{name} {self.observable.label}"


def _quantile(x: np.ndarray, level: float) -> float:
    """A quantile, between infinite values inf."""
    with np.errstate(invalid="ignore"):
        found = float(np.quantile(x, level))
    return math.inf if math.isnan(found) else found


def _at(distance: np.ndarray, values: np.ndarray) -> float:
    """Values at distance 0 by a straight line through their neighbourhood."""
    centre = np.mean(distance)
    spread = np.sum((distance - centre) ** 2)
    trend = np.sum((distance - centre) * values) / spread if spread > 0 else 0.0
    return float(np.mean(values) - trend * centre)


def _check_positive(observable: AbstractObservable) -> None:
    if isinstance(observable, Component):
        raise ValueError(f"{observable.label} has a sign: expected a positive observable")


class GeometricMean(AbstractStatistic):
    """exp⟨ln max(x, `floor`)⟩ of a positive observable.

    The floor (T) makes it finite in practice: values below count as the floor, which should be
    what no spectrum tells from zero.

    >>> print(f"{GeometricMean(Magnitude('A')).value(np.array([0.01, 0.04])):.2f}")
    0.02
    """

    observable: AbstractObservable
    floor: float = 1e-4

    def __check_init__(self) -> None:
        _check_positive(self.observable)

    def value(self, x: np.ndarray) -> float:
        return float(np.exp(np.mean(self._log(x))))

    def slope(self, response: Response) -> float:
        x = response.x
        moved = np.where(x > self.floor, response.slope / np.maximum(x, self.floor), 0)
        return self.value(x) * (float(np.mean(moved)) + response.flipped(self._log))

    def _log(self, x: np.ndarray) -> np.ndarray:
        return np.log(np.maximum(x, self.floor))

    @property
    def label(self) -> str:
        return f"geometric mean of {self.observable.label}"


TAIL_WINDOW: Final = 0.3
"""Half-width in ln x of the window from which the density at a tail's beginning is estimated."""


class TailFraction(AbstractStatistic):
    """Share of the samples whose positive observable is larger than `above`."""

    observable: AbstractObservable
    above: float

    def __check_init__(self) -> None:
        _check_positive(self.observable)
        if not self.above > 0:
            raise ValueError(f"a tail begins above 0, not at {self.above:g}")

    def value(self, x: np.ndarray) -> float:
        return float(np.mean(x > self.above))

    def slope(self, response: Response) -> float:
        with np.errstate(divide="ignore"):
            t = np.log(response.x / self.above) / TAIL_WINDOW
        near = np.abs(t) < 1
        weight = 0.75 * (1 - t[near] ** 2) / TAIL_WINDOW
        moved = np.sum(weight * response.slope[near] / response.x[near]) / len(t)
        return float(moved) + response.flipped(lambda x: (x > self.above).astype(float))

    @property
    def label(self) -> str:
        return f"share of {self.observable.label} > {1e3 * self.above:g} mT"


class CauchyWidth(AbstractStatistic):
    """Half width of the Cauchy law fitted to a signed observable by maximum likelihood."""

    observable: AbstractObservable

    def value(self, x: np.ndarray) -> float:
        return fit_cauchy(x).half_width

    def slope(self, response: Response) -> float:
        # the fit solves ⟨ψ⟩ = 0 for centre c and width w: implicit derivative
        fit = fit_cauchy(response.x)
        c, w = fit.center, fit.half_width

        def score(x: np.ndarray) -> np.ndarray:
            z = (x - c) / w
            return np.stack([2 * z, z * z - 1]) / (1 + z * z)

        z = (response.x - c) / w
        bell = 1 / (1 + z * z) ** 2
        by_z = np.stack([2 * (1 - z * z), 4 * z]) * bell
        matrix = np.stack([np.mean(by_z, axis=1), np.mean(by_z * z, axis=1)], axis=1) / w
        change = score(response.after) - score(response.before)
        moved = np.mean(by_z * response.slope, axis=1) / w
        moved = moved + np.sum(response.rate * change, axis=1) / len(z)
        return float(np.linalg.solve(matrix, moved)[1])

    @property
    def label(self) -> str:
        return f"Cauchy half width of {self.observable.label}"


def observe(
    observable: AbstractObservable, fields: Float[Array, "*b 3"], convention: Convention
) -> Float[Array, "*b"]:
    """The observable of many A, B, C."""
    flat = jax.vmap(lambda f: observable(f, convention))(fields.reshape(-1, 3))
    return flat.reshape(fields.shape[:-1])
