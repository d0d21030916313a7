"""The Cauchy law that A, B and C of many dipoles follow, and its fit to samples."""

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
from .heavy_tails import finite_values


A_CENTER: Final = -2 / 9 + 2 / (9 * 3**0.5) * math.log(2 + 3**0.5)
"""Centre of the law of A in units of W µ0M, −0.0533, in a sample of cubic or spherical shape."""

_HALF_WIDTHS: Final = {"A": 2 * math.pi / (9 * 3**0.5), "B": 2 / 3, "C": 1 / 3}


class CauchyLaw(eqx.Module):
    """The Cauchy law: density 1/(π w (1 + z²)) with z = (x − center)/w, w = `half_width`.

    `center` (median and mode) and `half_width` (at half maximum, and half the interquartile
    range) have the unit of x. Its methods take any shape and are differentiable in parameters
    and arguments. A half width that is not positive gives NaN, and so does a NaN argument.

    >>> law = CauchyLaw(0.0, half_width=0.02)
    >>> print(f"{law.quantile(0.75):.3f} T, {law.cumulative(-0.02):.2f}")
    0.020 T, 0.25
    """

    center: Float[Array, ""] = eqx.field(converter=as_float)
    half_width: Float[Array, ""] = eqx.field(converter=as_float)

    def density(self, x: Shaped[ArrayLike, "*s"]) -> Float[Array, "*s"]:
        """Probability per unit of x; 0 at ±inf.

        >>> print(f"{CauchyLaw(0.0, 2.0).density(2.0):.5f}")  # 1/(4π)
        0.07958
        """
        width = self._width()
        return 1 / (math.pi * width * (1 + ((as_float(x) - self.center) / width) ** 2))

    def log_density(self, x: Shaped[ArrayLike, "*s"]) -> Float[Array, "*s"]:
        """Natural logarithm of `density`; −inf at ±inf.

        >>> print(f"{CauchyLaw(0.0, 1.0).log_density(0.0):.4f}")  # −ln π
        -1.1447
        """
        width = self._width()
        return -jnp.log(math.pi * width) - jnp.log1p(((as_float(x) - self.center) / width) ** 2)

    def cumulative(self, x: Shaped[ArrayLike, "*s"]) -> Float[Array, "*s"]:
        """Probability of a value below x, ½ + arctan(z)/π; the left tail to full precision.

        >>> print(f"{CauchyLaw(0.0, 1.0).cumulative(1.0):.2f}")
        0.75
        """
        return jnp.arctan2(self._width(), self.center - as_float(x)) / math.pi

    def quantile(self, q: Shaped[ArrayLike, "*s"]) -> Float[Array, "*s"]:
        """The x with `cumulative(x)` = q: center + w tan(π (q − ½)).

        −inf at 0, inf at 1, NaN outside. Small q keep their full precision.

        >>> print(f"{CauchyLaw(0.0, 1.0).quantile(0.01):.2f}")
        -31.82
        """
        q = as_float(q)
        away = q - 0.5
        near = jnp.abs(away) < 0.25
        inner = jnp.tan(math.pi * jnp.where(near, away, 0))
        tail = jnp.where(away < 0, q, 1 - q)
        outer = jnp.sign(away) / jnp.tan(math.pi * jnp.where(near, 0.25, tail))
        x = self.center + self._width() * jnp.where(near, inner, outer)
        return jnp.where((q >= 0) & (q <= 1), x, jnp.nan)

    def sample(self, key: Shaped[Array, "..."], shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        """Independent values of the given shape from a JAX random key.

        Differentiable in the parameters (the underlying standard values stay).

        >>> import jax
        >>> CauchyLaw(0.0, 1.0).sample(jax.random.key(0), (3,)).shape
        (3,)
        """
        standard = jax.random.cauchy(key, shape, self.half_width.dtype)
        return self.center + self._width() * standard

    def _width(self) -> Float[Array, ""]:
        return jnp.where(self.half_width > 0, self.half_width, jnp.nan)


def cauchy_law(
    name: str, mu0_M: Shaped[ArrayLike, ""], convention: Convention | str = PAPER
) -> CauchyLaw:
    """The law of the anisotropy field `name` (A, B or C) of many uncorrelated dipoles.

    `mu0_M` is µ0M in tesla; the half width at half maximum is, with W of the convention (2 in
    `paper`, 1 in `physical`),

        B: (2/3) W µ0M     C: (1/3) W µ0M, as 2C has the law of B     A: (2π/9√3) W µ0M

    Why: among n uncorrelated dipoles of density ρ the number of pairs with r⁻³ > t is
    (2π/3) n ρ/t, a Lévy tail of index 1. So a field is W µ0M Σ s/Γ over the points Γ of a Poisson
    process of rate 1, where s depends on a pair's direction alone: Cauchy, of half width
    (π/2) ⟨|s|⟩ W µ0M, whatever n and ρ. It is the limit of many dipoles; a smallest distance
    between them cuts the tails.

    The center is 0. That leaves out shifts which more dipoles do not remove: A lies around
    W µ0M (⅓ − Nzz + `A_CENTER`) and B around W µ0M (Nxx − Nyy) for a sample with
    demagnetization tensor N. In a sphere or cube A is off by −0.0533 W µ0M, 13 % of its half width,
    in a cylinder as high as wide by about −0.03 W µ0M; B and C are centred there.

    Raises `ValueError` for another name or convention. NaN where µ0M is not positive.

    >>> law = cauchy_law("B", 0.04, "paper")
    >>> print(f"half of all samples have |B| below {1e3 * law.half_width:.1f} mT")
    half of all samples have |B| below 53.3 mT
    """
    if name not in _HALF_WIDTHS:
        raise ValueError(f"unknown anisotropy field {name!r}: expected A, B or C")
    field = as_float(mu0_M)
    weight = as_convention(convention).pair_weight
    return CauchyLaw(jnp.zeros_like(field), _HALF_WIDTHS[name] * weight * field)


@dataclass(frozen=True)
class CauchyFit:
    """Result of `fit_cauchy`, in the unit of the values.

    `center` and `half_width` with their standard errors; `count` finite values were used,
    `nonfinite` ones dropped. `law` is the fitted `CauchyLaw` (in JAX's default float).
    `converged` is False where the iteration stopped short of a relative 1e-12.
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
        return CauchyLaw(self.center, self.half_width)


def fit_cauchy(values: Numbers) -> CauchyFit:
    """Centre and half width of a Cauchy law by maximum likelihood, in float64.

    From the median and half the interquartile range by reweighting (each step raises the
    likelihood, whose maximum is unique). Both standard errors are half_width √(2/n), which
    holds for many values: for n = 10 they are a tenth to a fifth too small.

    Raises `ValueError` for fewer than 3 finite values, or where half of them or more are one
    value: the likelihood then has no maximum.

    >>> fit = fit_cauchy([-3.0, -1.0, 0.0, 1.0, 3.0, float("nan")])
    >>> print(f"{fit.center:.2f} ± {fit.center_error:.2f}, {fit.half_width:.2f}, {fit.nonfinite}")
    0.00 ± 0.78, 1.24, 1
    """
    x, nonfinite = finite_values(values, 3, "a Cauchy fit")
    n = len(x)
    most = np.max(np.unique(x, return_counts=True)[1])
    if 2 * most >= n:
        raise ValueError(f"a Cauchy law cannot be fitted: {most} of {n} values are equal")
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

    Expectation–maximization for Student's law with one degree of freedom, with the free scale of
    Kent, Tyler and Vardi, one parameter after the other.
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
