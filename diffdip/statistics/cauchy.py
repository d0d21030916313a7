"""The Cauchy law of A, B and C of many dipoles, and its fit to samples."""

import math
from dataclasses import dataclass
from typing import Final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Shaped

from ..foundation.arrays import Numbers, as_float
from ..foundation.convention import PAPER, Convention, as_convention
from ..foundation.errors import InputError
from .heavy_tails import finite_values


A_CENTER: Final = -2 / 9 + 2 / (9 * 3**0.5) * math.log(2 + 3**0.5)
"""Centre of the law of A in a cube or a sphere, in units of W µ0M: −0.0533."""

_HALF_WIDTHS: Final = {"A": 2 * math.pi / (9 * 3**0.5), "B": 2 / 3, "C": 1 / 3}


class CauchyLaw(eqx.Module):
    """The Cauchy law: density 1/(π w (1 + z²)) with z = (x − center)/w, w = `half_width`.

    The methods accept arrays of any shape, and are differentiable in the parameters and the
    arguments. The result is NaN if the half width is not above 0, or if the argument is NaN.

    Args:
        center: Median and mode, in the unit of x.
        half_width: Half width at half maximum, equal to half the interquartile range, in the unit
            of x.

    >>> law = CauchyLaw(0.0, half_width=0.02)
    >>> print(f"{law.quantile(0.75):.3f} T, {law.cumulative(-0.02):.2f}")
    0.020 T, 0.25
    """

    center: Float[Array, ""] = eqx.field(converter=as_float)
    half_width: Float[Array, ""] = eqx.field(converter=as_float)

    def density(self, x: Shaped[ArrayLike, "*s"]) -> Float[Array, "*s"]:
        """Probability density.

        Args:
            x: Any values.

        Returns:
            Probability per unit of x, in the shape of x; 0 at ±inf.

        >>> print(f"{CauchyLaw(0.0, 2.0).density(2.0):.5f}")  # 1/(4π)
        0.07958
        """
        width = self._width()
        return 1 / (math.pi * width * (1 + ((as_float(x) - self.center) / width) ** 2))

    def log_density(self, x: Shaped[ArrayLike, "*s"]) -> Float[Array, "*s"]:
        """Natural logarithm of the probability density.

        Args:
            x: Any values.

        Returns:
            ln `density(x)`, in the shape of x; −inf at ±inf.

        >>> print(f"{CauchyLaw(0.0, 1.0).log_density(0.0):.4f}")  # −ln π
        -1.1447
        """
        width = self._width()
        return -jnp.log(math.pi * width) - jnp.log1p(((as_float(x) - self.center) / width) ** 2)

    def cumulative(self, x: Shaped[ArrayLike, "*s"]) -> Float[Array, "*s"]:
        """Probability of a value below x: ½ + arctan(z)/π.

        Args:
            x: Any values.

        Returns:
            Probabilities in the shape of x. The left tail has full relative precision.

        >>> print(f"{CauchyLaw(0.0, 1.0).cumulative(1.0):.2f}")
        0.75
        """
        return jnp.arctan2(self._width(), self.center - as_float(x)) / math.pi

    def quantile(self, q: Shaped[ArrayLike, "*s"]) -> Float[Array, "*s"]:
        """The x with `cumulative(x)` = q: center + w tan(π (q − ½)).

        Args:
            q: Probabilities.

        Returns:
            Values in the shape of q: −inf at 0, inf at 1, NaN outside [0, 1]. The precision is
            full for small q.

        >>> print(f"{CauchyLaw(0.0, 1.0).quantile(0.01):.2f}")
        -31.82
        """
        return _quantile(self.center, self._width(), as_float(q))

    def sample(self, key: Shaped[Array, "..."], shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        """Independent random values.

        Args:
            key: A JAX random key.
            shape: Shape of the result, () by default.

        Returns:
            Values of the law, differentiable in its parameters: the underlying values of the
            standard law stay fixed.

        >>> import jax
        >>> CauchyLaw(0.0, 1.0).sample(jax.random.key(0), (3,)).shape
        (3,)
        """
        standard = jax.random.cauchy(key, shape, self.half_width.dtype)
        return self.center + self._width() * standard

    def _width(self) -> Float[Array, ""]:
        return jnp.where(self.half_width > 0, self.half_width, jnp.nan)


@jax.jit
def _quantile(center: Array, width: Array, q: Float[Array, "*s"]) -> Float[Array, "*s"]:
    away = q - 0.5
    # the tangent loses precision near its poles: there from the tail itself
    near = jnp.abs(away) < 0.25
    inner = jnp.tan(math.pi * jnp.where(near, away, 0))
    tail = jnp.where(away < 0, q, 1 - q)
    outer = jnp.sign(away) / jnp.tan(math.pi * jnp.where(near, 0.25, tail))
    x = center + width * jnp.where(near, inner, outer)
    return jnp.where((q >= 0) & (q <= 1), x, jnp.nan)


def check_field_name(name: str) -> None:
    """Raise `InputError` for a name that is not A, B or C."""
    if name not in _HALF_WIDTHS:
        raise InputError("name", given=name, expected="an anisotropy field: A, B or C")


def cauchy_law(
    name: str, mu0_M: Shaped[ArrayLike, ""], convention: Convention | str = PAPER
) -> CauchyLaw:
    """The law of an anisotropy field of many uncorrelated dipoles.

    With W of the convention (2 in `paper`, 1 in `physical`), the half width at half maximum is

        B: (2/3) W µ0M     C: (1/3) W µ0M, as 2C has the law of B     A: (2π/9√3) W µ0M

    Why: among n uncorrelated dipoles of density ρ, the number of pairs with r⁻³ > t is
    (2π/3) n ρ/t. This is a Lévy tail of index 1. So a field is W µ0M Σ s/Γ over the points Γ of a
    Poisson process of rate 1, where s depends only on the direction of a pair. Its law is a Cauchy
    law of half width (π/2) ⟨|s|⟩ W µ0M, for all n and ρ. It is the limit of many dipoles. A
    smallest distance between dipoles cuts off the tails.

    The centre is 0. This neglects shifts that remain for many dipoles: the centre of A is
    W µ0M (⅓ − Nzz + `A_CENTER`) and that of B is W µ0M (Nxx − Nyy), with the demagnetization
    tensor N of the sample. In a sphere or a cube the centre of A is −0.0533 W µ0M, 13 % of the
    half width; in a cylinder as high as wide it is about −0.03 W µ0M. B and C are centred at 0
    there.

    Args:
        name: The anisotropy field: A, B or C.
        mu0_M: µ0M in tesla.
        convention: How pairs are counted, `paper` by default.

    Returns:
        The law, in tesla; all its numbers are NaN if µ0M is not above 0.

    Raises:
        InputError: If the name or the convention is unknown.

    >>> law = cauchy_law("B", 0.04, "paper")
    >>> print(f"half of all samples have |B| below {1e3 * law.half_width:.1f} mT")
    half of all samples have |B| below 53.3 mT
    """
    check_field_name(name)
    field = as_float(mu0_M)
    weight = as_convention(convention).pair_weight
    return CauchyLaw(jnp.zeros_like(field), _HALF_WIDTHS[name] * weight * field)


@dataclass(frozen=True)
class CauchyFit:
    """Result of `fit_cauchy`, in the unit of the values.

    Args:
        center: Centre of the law.
        half_width: Half width at half maximum.
        center_error: Standard error of the centre.
        half_width_error: Standard error of the half width.
        count: Number of finite values, which were fitted.
        nonfinite: Number of other values, which were dropped.
        converged: Whether the last step was smaller than 1e-12 of the half width.
    """

    center: float
    half_width: float
    center_error: float
    half_width_error: float
    count: int
    nonfinite: int
    converged: bool

    @property
    def law(self) -> CauchyLaw:
        """The fitted law, in JAX's default float."""
        return CauchyLaw(self.center, self.half_width)


def fit_cauchy(values: Numbers) -> CauchyFit:
    """Centre and half width of a Cauchy law by maximum likelihood, in float64.

    The iteration starts at the median and half the interquartile range. Each step raises the
    likelihood, which has one maximum. Both standard errors are half_width √(2/n). This holds for
    many values; for n = 10 they are a tenth to a fifth too small.

    Args:
        values: Values of any shape and unit.

    Returns:
        The fitted law with its errors.

    Raises:
        InputError: If there are fewer than 3 finite values, or if at least half of them are equal.
            The likelihood has no maximum then.

    >>> fit = fit_cauchy([-3.0, -1.0, 0.0, 1.0, 3.0, float("nan")])
    >>> print(f"{fit.center:.2f} ± {fit.center_error:.2f}, {fit.half_width:.2f}, {fit.nonfinite}")
    0.00 ± 0.78, 1.24, 1
    """
    x, nonfinite = finite_values("values", values, 3)
    n = len(x)
    most = np.max(np.unique(x, return_counts=True)[1])
    if 2 * most >= n:
        raise InputError(
            "values",
            given=values,
            expected=f"fewer than half of them equal; {most} of {n} are",
            hint="Give the values to more digits",
        )
    low, median, high = np.quantile(x, [0.25, 0.5, 0.75])
    z = (x - median) / ((high - low) / 2)
    center, width, converged = _standard_fit(z)
    half_width = width * (high - low) / 2
    error = half_width * (2 / n) ** 0.5
    return CauchyFit(
        center=float(median + center * (high - low) / 2),
        half_width=float(half_width),
        center_error=float(error),
        half_width_error=float(error),
        count=n,
        nonfinite=nonfinite,
        converged=converged,
    )


def _standard_fit(z: np.ndarray, steps: int = 5000) -> tuple[float, float, bool]:
    """Centre and half width of values scaled to order one, and whether they converged.

    Expectation–maximization for Student's law with one degree of freedom, one parameter after the
    other, with the free scale of Kent, Tyler and Vardi.
    """
    center, width = 0.0, 1.0
    for _ in range(steps):
        before = center, width
        pull = _weights(z, center, width)
        center = float(np.sum(pull * z) / np.sum(pull))
        total = np.sum(_weights(z, center, width))
        width *= float(np.sqrt((len(z) - total) / total))
        if max(abs(center - before[0]), abs(width - before[1])) < 1e-12 * width:
            return center, width, True
    return center, width, False


def _weights(z: np.ndarray, center: float, width: float) -> np.ndarray:
    with np.errstate(over="ignore"):
        return 1 / (1 + ((z - center) / width) ** 2)
