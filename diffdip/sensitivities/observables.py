"""Statistics that describe the distribution of an anisotropy field, and their derivatives.

An *observable* is one number x of a sample, computed from its A, B, C. A *statistic* is one number
T of the distribution of x. The mean of a heavy-tailed x does not exist, so a statistic is a
quantile, a mean of logarithms, a tail fraction or a width. Its derivative follows from derivatives
of expectations of functions of x (see `diffdip.sensitivities.parameter_variation`). They are
computed from a `Response`.
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
from ..foundation.errors import InputError
from ..resonance.energy_terms import AnisotropyFields
from ..resonance.fields import resonance_field
from ..statistics.cauchy import check_field_name, fit_cauchy


class AbstractObservable(eqx.Module):
    """One number of a sample: a differentiable function of A, B, C (tesla)."""

    @abc.abstractmethod
    def __call__(self, fields: Float[Array, "3"], convention: Convention) -> Float[Array, ""]:
        """Compute the number.

        Args:
            fields: A, B, C in tesla.
            convention: The convention of A, B, C.

        Returns:
            The number, in tesla for all observables of this package.
        """

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """The name in tables."""


class Component(AbstractObservable):
    """One anisotropy field with its sign, in tesla.

    Args:
        name: A, B or C.

    Raises:
        InputError: If `name` is not A, B or C.
    """

    name: str = eqx.field(static=True)

    def __check_init__(self) -> None:
        check_field_name(self.name)

    def __call__(self, fields: Float[Array, "3"], convention: Convention) -> Float[Array, ""]:
        return fields["ABC".index(self.name)]

    @property
    def label(self) -> str:
        return self.name


class Magnitude(AbstractObservable):
    """The absolute value of one anisotropy field, in tesla.

    Args:
        name: A, B or C.

    Raises:
        InputError: If `name` is not A, B or C.
    """

    name: str = eqx.field(static=True)

    def __check_init__(self) -> None:
        check_field_name(self.name)

    def __call__(self, fields: Float[Array, "3"], convention: Convention) -> Float[Array, ""]:
        return jnp.abs(fields["ABC".index(self.name)])

    @property
    def label(self) -> str:
        return f"|{self.name}|"


class Amplitude(AbstractObservable):
    """Largest minus smallest resonance field over the directions in the plane, in tesla.

    If the anisotropy is so strong that there is no saturated resonance at some angle, the amplitude
    is inf.

    Args:
        frequency: Microwave frequency in Hz (9.45 GHz by default).
        angles: Number of angles, equally spaced over half a turn (18 by default).
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
    """Samples of an observable, and how they change with one parameter.

    Args:
        x: Values (n).
        slope: Their derivatives (n) with fixed random choices.
        before: Values (k) before the flips of all samples: changes of single dipoles.
        after: Values (k) after the flips.
        rate: Signed rates (k) at which the parameter causes the flips.
    """

    x: np.ndarray
    slope: np.ndarray
    before: np.ndarray
    after: np.ndarray
    rate: np.ndarray

    def flipped(self, function: Callable[[np.ndarray], np.ndarray]) -> float:
        """The part of the derivative of the mean of a function of x that is due to the flips."""
        change = function(self.after) - function(self.before)
        return float(np.sum(self.rate * change) / len(self.x))


class AbstractStatistic(eqx.Module):
    """One number that describes the distribution of an observable, and its derivative."""

    observable: eqx.AbstractVar[AbstractObservable]

    @abc.abstractmethod
    def value(self, x: np.ndarray) -> float:
        """Compute the number.

        Args:
            x: Samples of the observable (n).

        Returns:
            The number, in the unit of x unless it is a share.
        """

    @abc.abstractmethod
    def slope(self, response: Response) -> float:
        """Compute the derivative of the number.

        Args:
            response: Samples, and how they change with a parameter.

        Returns:
            The derivative with respect to this parameter.
        """

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """The name in tables."""


QUANTILE_WINDOW: Final = 0.08
"""Share of the samples on each side of a quantile from which its neighbourhood is estimated."""


class Quantile(AbstractStatistic):
    """The value below which a share of the samples lies.

    The derivative is the mean slope ⟨ẋ⟩ at the quantile, minus the rate at which flips bring
    samples below it divided by the density there. Both are estimated from the samples nearest in
    rank. The derivative is NaN if the quantile is inf.

    Args:
        observable: The observable.
        level: The share, between 0 and 1 (the median by default).

    Raises:
        InputError: If the level is not between 0 and 1.

    >>> Quantile(Magnitude("B")).label
    'median |B|'
    """

    observable: AbstractObservable
    level: float = 0.5

    def __check_init__(self) -> None:
        if not 0 < self.level < 1:
            raise InputError("level", given=self.level, expected="a number between 0 and 1")

    def value(self, x: np.ndarray) -> float:
        return _quantile(x, self.level)

    def slope(self, response: Response) -> float:
        x, at = response.x, self.value(response.x)
        # narrower in the tails, because the density changes fast there
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
    """A quantile; inf if it lies between infinite values."""
    with np.errstate(invalid="ignore"):
        found = float(np.quantile(x, level))
    return math.inf if math.isnan(found) else found


def _at(distance: np.ndarray, values: np.ndarray) -> float:
    """The value at distance 0 of a straight line fitted to the values."""
    centre = np.mean(distance)
    spread = np.sum((distance - centre) ** 2)
    trend = np.sum((distance - centre) * values) / spread if spread > 0 else 0.0
    return float(np.mean(values) - trend * centre)


def _check_positive(observable: AbstractObservable) -> None:
    """Raise `InputError` for an observable with a sign."""
    if isinstance(observable, Component):
        raise InputError(
            "observable",
            given=observable.label,
            expected="an observable that is not negative",
            hint=f"Take Magnitude('{observable.name}')",
        )


class GeometricMean(AbstractStatistic):
    """exp⟨ln max(x, `floor`)⟩ of an observable that is not negative.

    Args:
        observable: The observable.
        floor: Smallest field in tesla. Smaller values count as this one. It should be a field that
            no spectrum distinguishes from zero (0.1 mT by default).

    Raises:
        InputError: If the observable has a sign.

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
"""Half width in ln x of the window in which the density at the start of a tail is estimated."""


class TailFraction(AbstractStatistic):
    """Share of the samples whose observable is larger than a threshold.

    Args:
        observable: An observable that is not negative.
        above: The threshold in tesla.

    Raises:
        InputError: If the observable has a sign, or if the threshold is not above 0.
    """

    observable: AbstractObservable
    above: float

    def __check_init__(self) -> None:
        _check_positive(self.observable)
        if not self.above > 0:
            raise InputError("above", given=self.above, expected="a field above 0 T")

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
    """Half width of the Cauchy law that is fitted to an observable by maximum likelihood.

    Args:
        observable: An observable with a sign.
    """

    observable: AbstractObservable

    def value(self, x: np.ndarray) -> float:
        return fit_cauchy(x).half_width

    def slope(self, response: Response) -> float:
        # the fit solves ⟨score⟩ = 0 for centre c and width w: derivative of the implicit function
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
    """The observable for many A, B, C."""
    flat = jax.vmap(lambda f: observable(f, convention))(fields.reshape(-1, 3))
    return flat.reshape(fields.shape[:-1])
