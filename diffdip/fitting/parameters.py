"""Parameters of a fit: free, fixed, bounded or tied."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..foundation.errors import InputError
from .parameter_table import ParameterKind, parameter_kind, shown
from .term_starts import Likely


@dataclass(frozen=True)
class Free:
    """A parameter that is fitted.

    Args:
        lower: Lower bound, in the unit of the parameter inside the program (tesla, radians).
            Default: no bound.
        upper: Upper bound. Default: no bound.
        start: One of the points from which the search starts. A start outside the bounds is
            moved to the nearer bound. Default: 2 for g, 0 for all other parameters.

    Raises:
        InputError: Unless lower < upper.

    >>> Free(lower=0.0, start=0.1)
    Free(lower=0.0, upper=inf, start=0.1)
    """

    lower: float | int = -math.inf
    upper: float | int = math.inf
    start: float | int | None = None

    def __post_init__(self) -> None:
        if not self.lower < self.upper:
            below = f"a number below upper = {self.upper:g}"
            raise InputError("lower", given=self.lower, expected=below)
        if self.start is not None and not math.isfinite(self.start):
            raise InputError("start", given=self.start, expected="a finite number")


Values: TypeAlias = dict[str, Array]

Parameter: TypeAlias = float | int | Free | Callable[[Values], Array]
"""A number is fixed, a `Free` is fitted, a function of the dict of other values is tied to them."""

LEAST_SIZE, LARGEST_SIZE = 1e-3, 3.0
"""Sizes of a parameter whose unit is not known: 1 mT or mrad to 3 T or rad."""

SCALE = 0.1
"""One unit of the optimizer's variables: 0.1 T, 0.1 rad, 0.1 in g."""


class ParameterSet(eqx.Module):
    """Named parameters, and the vector of those that are free.

    Names and rules are static for JAX, numbers are not: fits that differ only in numbers share
    their compiled code.
    """

    free: tuple[str, ...] = eqx.field(static=True)
    fixed: tuple[str, ...] = eqx.field(static=True)
    tied: tuple[tuple[str, Callable[[Values], Array]], ...] = eqx.field(static=True)
    fixed_values: np.ndarray | Array
    lower: np.ndarray | Array
    upper: np.ndarray | Array
    starts: np.ndarray | Array
    """Starts given by the user; NaN for parameters without one."""
    units: tuple[tuple[str, str], ...] = eqx.field(static=True, default=())
    """Units that the model states."""

    @staticmethod
    def of(
        parameters: Mapping[str, "Parameter"], units: Mapping[str, str] | None = None
    ) -> "ParameterSet":
        """Sort parameters into free, fixed and tied. Raises `InputError` for any other value.

        `units` are those that a model states for parameters outside of the table.
        """
        for name, unit in (units or {}).items():
            parameter_kind(name, unit)
        free = {name: p for name, p in parameters.items() if isinstance(p, Free)}
        tied = {name: p for name, p in parameters.items() if callable(p)}
        fixed = {}
        for name in sorted(parameters.keys() - free.keys() - tied.keys()):
            try:
                fixed[name] = float(parameters[name])  # pyright: ignore[reportArgumentType]
            except (TypeError, ValueError):
                raise InputError(
                    name,
                    given=parameters[name],
                    expected="a number (fixed), Free() (fitted) or a function (tied)",
                ) from None
            if not math.isfinite(fixed[name]):
                raise InputError(name, given=fixed[name], expected="a finite number")
        starts = [math.nan if p.start is None else p.start for p in free.values()]
        return ParameterSet(
            free=tuple(free),
            fixed=tuple(fixed),
            tied=tuple(tied.items()),
            fixed_values=np.array(list(fixed.values()), float),
            lower=np.array([p.lower for p in free.values()], float),
            upper=np.array([p.upper for p in free.values()], float),
            starts=np.array(starts, float),
            units=tuple((units or {}).items()),
        )

    def kind(self, name: str) -> ParameterKind:
        """What is known about a parameter."""
        return parameter_kind(name, dict(self.units).get(name))

    def shown(self, name: str, value: float) -> str:
        """A parameter and its value in the units of tables, for messages."""
        return shown(name, value, self.kind(name))

    def values(self, vector: Float[Array | np.ndarray, " p"]) -> Values:
        """All parameters by name, from the vector of the free ones.

        A tied parameter may depend on any free or fixed one, and on tied ones given before it.
        """
        numbers = zip((*self.fixed, *self.free), (*self.fixed_values, *vector), strict=True)
        values: Values = {name: jnp.asarray(number) for name, number in numbers}
        for name, rule in self.tied:
            values[name] = jnp.asarray(rule(dict(values)))
        return values

    def bounded(self, unbounded: Float[Any, "*lanes p"], xp: Any = jnp) -> Float[Any, "*lanes p"]:
        """Map the optimizer's unbounded variables into the bounds, smoothly.

        `xp` is the module that computes, jax.numpy or numpy.
        """
        low, high, width, bottom, top = self._range(xp)
        # slope SCALE in the middle between two bounds and far from a single one, as without bounds
        both = bottom + width * xp.exp(-xp.logaddexp(0.0, -4 * SCALE * unbounded / width))
        above = bottom + SCALE * xp.logaddexp(0.0, unbounded)
        below = top - SCALE * xp.logaddexp(0.0, -unbounded)
        one_sided = xp.where(low, above, xp.where(high, below, SCALE * unbounded))
        return xp.where(low & high, both, one_sided)

    def slope(self, unbounded: Float[np.ndarray, "*lanes p"]) -> Float[np.ndarray, "*lanes p"]:
        """The derivative of `bounded`."""
        low, high, width, _, _ = self._range(np)
        logistic = lambda z: np.exp(-np.logaddexp(0.0, -z))
        share = logistic(4 * SCALE * unbounded / width)
        one_sided = np.where(low | high, logistic(np.where(low, 1, -1) * unbounded), 1.0)
        return SCALE * np.where(low & high, 4 * share * (1 - share), one_sided)

    def unbounded(self, vector: Float[ArrayLike, "*lanes p"]) -> Float[np.ndarray, "*lanes p"]:
        """The inverse of `bounded`; values at or beyond a bound are moved just inside."""
        low, high, width, bottom, top = self._range(np)
        margin = 1e-6 * width
        vector = np.clip(vector, self.lower + margin, self.upper - margin)
        share = np.where(low & high, (vector - bottom) / width, 0.5)
        both = width / (4 * SCALE) * (np.log(share) - np.log1p(-share))
        above = _inverse_softplus(np.where(low, vector - bottom, SCALE) / SCALE)
        below = -_inverse_softplus(np.where(high, top - vector, SCALE) / SCALE)
        one_sided = np.where(low, above, np.where(high, below, vector / SCALE))
        return np.where(low & high, both, one_sided)

    def _range(self, xp: Any) -> tuple[Any, Any, Any, Any, Any]:
        """Which parameters have a lower and an upper bound, the width, and both ends or 0."""
        lower, upper = self.lower, self.upper
        low, high = xp.isfinite(lower), xp.isfinite(upper)
        width = xp.where(low & high, upper - lower, SCALE)
        return low, high, width, xp.where(low, lower, 0.0), xp.where(high, upper, 0.0)

    def starting_points(
        self, count: int, spread: float, likely: Mapping[str, Likely] | None = None
    ) -> np.ndarray:
        """`count` well-spread vectors: a fixed low-discrepancy sequence over plausible ranges.

        A bounded parameter covers its bounds. Others cover what is `likely`; without that their
        spread in the table of parameters on either side of their start, or `spread` (tesla) if the
        table has no spread for them. One whose unit is not known may be a small field, a large one
        or an angle: its sizes are spread evenly in their logarithm, with both signs.
        """
        size = len(self.free)
        # additive recurrence with powers of the generalized golden ratio
        ratio = 1.5
        for _ in range(50):
            ratio = (1 + ratio) ** (1 / (size + 1))
        steps = ratio ** -np.arange(1, size + 1)
        cube = (0.5 + np.outer(np.arange(1, count + 1), steps)) % 1
        points = np.empty((count, size))
        center = self.central_point(likely)
        for i, name in enumerate(self.free):
            kind = self.kind(name)
            width = spread if kind.spread is None else kind.spread
            if likely and name in likely:
                width = likely[name].width
            low, high = self.lower[i], self.upper[i]
            low = low if math.isfinite(low) else min(center[i], high) - width
            high = high if math.isfinite(high) else max(center[i], low) + width
            points[:, i] = low + (high - low) * cube[:, i]
            if not kind.is_known and np.isinf(self.lower[i]) and np.isinf(self.upper[i]):
                side = 2 * cube[:, i] - 1
                size_of = LEAST_SIZE * (LARGEST_SIZE / LEAST_SIZE) ** np.abs(side)
                points[:, i] = center[i] + np.sign(side) * size_of
        return points

    def central_point(self, likely: Mapping[str, Likely] | None = None) -> np.ndarray:
        """The start of each parameter, moved inside its bounds.

        It is that of the user, or else a `likely` one, or else that of the table.
        """
        table = {name: self.kind(name).start for name in self.free}
        suggested = {name: one.center for name, one in (likely or {}).items()}
        default = np.array([{**table, **suggested}[name] for name in self.free])
        hints = np.where(np.isnan(self.starts), default, self.starts)
        return np.clip(hints, self.lower, self.upper)


def _inverse_softplus(y: np.ndarray) -> np.ndarray:
    """The x with softplus(x) = y > 0."""
    return y + np.log(-np.expm1(-y))
