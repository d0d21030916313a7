"""From the density of close pairs to the laws of A, B and C, without sampling these.

With N equal moments m a field is a sum over pairs (eq. 3, with W of the convention):

    x = c Σ s(r̂)/r³     c = µ0 W m/(2πN)     s: 3z² − 1 (A), −3(x² − y²) (B), −3xy (C)

*Lévy–Khintchine.* Let n(r) dr be the mean number of pairs at distance r. If pairs come
independently of each other (as a Poisson process) and in all directions alike, then

    ln ⟨e^{itx}⟩ = ∫ n(r) K(tc/r³) dr     K(z) = ⟨e^{izs}⟩ − 1 over all directions

    K_A(z) = e^{−iz} (C + iS)(√(6z/π))/√(6z/π) − 1                      Fresnel's integrals
    K_B(z) = (π/√8) J_¼(3z/2) J_−¼(3z/2) − 1,    K_C(z) = K_B(z/2)      Bessel's functions

For uncorrelated dipoles of density ρ, n(r) = 2πNρ r² and the Lévy measure is ∝ dx/x²: the
integral is −|t| (π/6) ⟨|s|⟩ Wµ0M, and for A there is an imaginary part −t ⟨s ln|s|⟩ Wµ0M/3. These
are Cauchy laws of the half widths of `cauchy_law`, that of A around `A_CENTER`. Where n(r) = 0
below some distance, all cumulants exist: the variance is c²⟨s²⟩ ∫ n r⁻⁶ dr, and as n ∝ N and
c ∝ 1/N widths fall as N^(−1/2).

*What pairs share.* Two pairs of one dipole are uncorrelated only where a pair's mean over the
place of its second dipole vanishes. So it does in the bulk of a uniform sample, but not on a
crystal, whose dipoles lie nearly in a plane: all the pairs of one average to that plane's shape.
And far pairs feel the walls, by which A gets a mean. Both matter for the many weak pairs only. So
the few closest (`close` of them per sample) enter by their n(r), and the sum of all others as a
normal variable of the mean and variance measured (for independent ones Asmussen & Rosiński, J.
Appl. Probab. 38, 482 (2001), say when that is allowed). `levy_law(..., independent=True)` takes
n(r) for all pairs, which shows what the pairs share.

What stays wrong is small: for packings of 2 to 20 crystals cumulative shares differ from those of
20 000 samples by 0.01 for B and 0.02 for A, medians by up to 5 %; with all pairs independent the
law is too narrow, as dipoles of a crystal share their plane. More close pairs make it worse, as
they share dipoles; fewer leave a rest that is not normal.
"""

import math
from typing import Any, Final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Complex, Float, Shaped

from ..numerics.direction_averages import HIGH, LOW, kernel
from ..numerics.fourier_inversion import STEPS, Nodes
from ..numerics.implicit_roots import implicit_root
from .close_pairs import PairDensity


_DECADES: Final = 14
"""Decades of t that the nodes span."""

_DECAYED, _NEEDED = 36.0, 14.0
"""−ln|φ| where the nodes end, and what it must reach for a law without an atom, to 1e-6."""

_NAMES: Final = "ABC"


class LevyLaw(eqx.Module):
    """The law of A, B or C that a density of pairs makes; see `diffdip.levy_law` for the theory.

    Fields are in tesla. Methods take any shape, are jitted, and are differentiable in their
    arguments and in all leaves of `pairs`. In float64 `cumulative` is right to 1e-8, `density` to
    1e-8 of its maximum; in float32 to about 1e-4. So few pairs that a sample may
    well have none, and no rest, make a law with an atom: then everything is NaN.
    """

    pairs: PairDensity
    name: str = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.name not in _NAMES or len(self.name) != 1:
            raise ValueError(f"unknown anisotropy field {self.name!r}: expected A, B or C")

    @eqx.filter_jit
    def characteristic(self, t: Shaped[ArrayLike, "*s"]) -> Complex[Array, "*s"]:
        """⟨e^{itx}⟩ for t in 1/T, of either sign.

        >>> law = levy_law("B", PairDensity.uniform(100, 2.0))  # half width 53.8 mT
        >>> print(f"{law.characteristic(10.0).real:.3f}")
        0.584
        """
        t = jnp.asarray(t, self.pairs.pairs.dtype)
        real, imaginary = jax.vmap(self._exponent)(jnp.abs(t).ravel() * self._unit)
        phase = jnp.sign(t) * imaginary.reshape(t.shape) + t * self._shift
        size = jnp.exp(real.reshape(t.shape))
        return jax.lax.complex(size * jnp.cos(phase), size * jnp.sin(phase))

    @eqx.filter_jit
    def density(self, x: Shaped[ArrayLike, "*s"]) -> Float[Array, "*s"]:
        """Probability per tesla.

        >>> law = levy_law("B", PairDensity.uniform(100, 2.0))
        >>> print(f"{law.density(0.0):.2f} per T")  # 1/(π 53.8 mT)
        5.92 per T
        """
        nodes = self._nodes()
        return _each(nodes.density, self._reduced(x)) / self._unit

    @eqx.filter_jit
    def cumulative(self, x: Shaped[ArrayLike, "*s"]) -> Float[Array, "*s"]:
        """Probability of a value below x.

        >>> law = levy_law("C", PairDensity.uniform(100, 2.0))
        >>> print(f"{law.cumulative(0.0):.3f}")
        0.500
        """
        nodes = self._nodes()
        return _each(nodes.cumulative, self._reduced(x))

    @eqx.filter_jit
    def quantile(self, p: Shaped[ArrayLike, "*s"]) -> Float[Array, "*s"]:
        """The x with `cumulative(x)` = p, by bisection; −inf at 0, inf at 1, NaN outside.

        Its derivatives are those of the implicit function.

        >>> law = levy_law("B", PairDensity.uniform(100, 2.0))
        >>> print(f"{1e3 * law.quantile(0.75):.1f} mT")
        53.8 mT
        """
        residual = lambda nodes, shift, y, p: nodes.cumulative(y) - p
        return self._solved(residual, p) * self._unit + self._shift

    @eqx.filter_jit
    def magnitude_quantile(self, p: Shaped[ArrayLike, "*s"]) -> Float[Array, "*s"]:
        """The x ≥ 0 that |A|, |B| or |C| is below with probability p: the median for 0.5.

        0 at 0, inf at 1, NaN outside; otherwise as `quantile`.
        """

        def residual(nodes: Nodes, shift: Array, y: Array, p: Array) -> Array:
            return nodes.cumulative(y - shift) - nodes.cumulative(-y - shift) - p

        return self._solved(residual, p, lowest=0.0) * self._unit

    # Inside, y = (x − shift)/unit: no derivative by moment or number meets the inversion.

    @property
    def _unit(self) -> Array:
        """Field of a pair at the first edge, in tesla."""
        return self.pairs.constant / self.pairs.smallest**3

    @property
    def _shift(self) -> Array:
        return self.pairs.constant * self.pairs.mean[_NAMES.index(self.name)]

    def _reduced(self, x: Any) -> Array:
        return (jnp.asarray(x, self.pairs.pairs.dtype) - self._shift) / self._unit

    def _exponent(self, t: Array) -> tuple[Array, Array]:
        """ln φ(t) of y for one t > 0: real and imaginary part."""
        pairs = self.pairs
        number = pairs.pairs
        if pairs.split is not None:
            # an array, as laws of other densities then need no compiling
            number = jnp.where(jnp.arange(len(number), dtype=jnp.int32) < pairs.split, number, 0)
        steps = jnp.arange(len(number), dtype=t.dtype) / pairs.per_decade
        real, imaginary = kernel(self.name, pairs.per_decade, t * 10 ** (-3 * steps))
        rest = pairs.variance[_NAMES.index(self.name)] * pairs.smallest**6 * t * t / 2
        return number @ real - rest, number @ imaginary

    def _nodes(self) -> Nodes:
        fixed = jax.lax.stop_gradient(self)
        dtype = self.pairs.pairs.dtype
        low, high = jnp.asarray(LOW - 6, dtype), jnp.asarray(HIGH + 24, dtype)
        decay = lambda log_t: -fixed._exponent(10**log_t)[0]
        middle = _bisect(lambda v: decay(v) - 1, low, high)
        end = _bisect(lambda v: decay(v) - _DECAYED, middle, middle + 6)
        steps = jnp.arange(STEPS * _DECADES + 3, dtype=dtype) / STEPS
        t = 10 ** (end - _DECADES + steps)
        real, imaginary = jax.vmap(self._exponent)(t)
        return Nodes(t, real, imaginary, 0.5 * 10**middle, decay(end) > _NEEDED)

    def _solved(self, residual: Any, p: Any, lowest: float = -math.inf) -> Array:
        """y with residual(nodes, shift, y, p) = 0, which rises with y, and its derivatives."""
        p = jnp.asarray(p, self.pairs.pairs.dtype)
        # what derivatives go through must reach `implicit_root` as arguments
        given = self._nodes(), self._shift / self._unit
        fixed = jax.lax.stop_gradient(given)
        width = 1 / fixed[0].rate

        def solve(p: Array) -> Array:
            inside = (p > 0) & (p < 1)
            at = jnp.where(inside, p, 0.5)
            stretched = lambda v: residual(*fixed, width * jnp.sinh(v), jax.lax.stop_gradient(at))
            ends = jnp.array([-23.0 if lowest < 0 else 0.0, 23.0], p.dtype)
            root = width * jnp.sinh(_bisect(stretched, *ends))
            y = implicit_root(lambda y, a: residual(*a[0], y, a[1]), root, (given, at))
            edge = jnp.where(p == 0, lowest, jnp.where(p == 1, jnp.inf, jnp.nan))
            return fixed[0].known(jnp.where(inside, y, edge))

        return _each(solve, p)


def levy_law(name: str, pairs: PairDensity, *, independent: bool = False) -> LevyLaw:
    """The law of the anisotropy field `name` (A, B or C) that a density of pairs makes.

    With `independent` all pairs enter as if independent of each other, and of the rest its
    mean only; without, the close ones do. Raises `ValueError` for another name.

    >>> law = levy_law("A", PairDensity.uniform(100, 2.0))
    >>> print(f"half of all |A| are below {1e3 * law.magnitude_quantile(0.5):.1f} mT")
    half of all |A| are below 32.8 mT
    """
    if independent:
        every = jnp.asarray(len(pairs.pairs), jnp.int32)
        where = lambda d: (d.split, d.variance)
        none = jnp.zeros_like(pairs.variance)
        pairs = eqx.tree_at(where, pairs, (every, none), is_leaf=lambda leaf: leaf is None)
    return LevyLaw(pairs, name)


def _bisect(function: Any, low: Array, high: Array) -> Array:
    """Where a rising function passes 0; an end where it does not."""

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = (ends[0] + ends[1]) / 2
        above = function(middle) > 0
        return jnp.where(above, ends[0], middle), jnp.where(above, middle, ends[1])

    low, high = jax.lax.fori_loop(0, 60, halve, (low, high))
    return (low + high) / 2


def _each(function: Any, x: Array) -> Array:
    """A function of one number, of many in bounded memory."""
    return jax.lax.map(function, x.ravel(), batch_size=min(64, max(1, x.size))).reshape(x.shape)
