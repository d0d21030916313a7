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

What stays wrong is small: for packings of 2 to 20 crystals cumulative shares differ by 0.01 at most
from those of 20 000 samples, medians by 3 %; with all pairs independent by 0.015 and 5 %, too
narrow, as dipoles of a crystal share their plane. More close pairs make it worse, as they
share dipoles; fewer leave a rest that is not normal.
"""

import functools
import math
from collections.abc import Iterator
from typing import Any, Final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float, Int, Shaped

from .containers import require, require_positive
from .convention import PAPER, Convention, as_convention
from .crystals import AbstractModel
from .ensemble import lanes_on, nothing_placed
from .implicit import implicit_root
from .units import FIELD_UNIT, MOMENT_SPIN_HALF, as_float


PER_DECADE: Final = 40
"""Bins of distance per decade."""

SMALLEST: Final = 1e-4
"""Distance (nm) at which bins begin; closer pairs count there."""

CLOSE: Final = 3.0
"""Mean number of pairs of a sample that enter one by one."""

_STEPS, _DECADES = 240, 14
"""Nodes in t: so many a decade, over so many decades."""

_TABLE_STEPS, _TABLE_LOW, _TABLE_HIGH = 480, -6, 6
"""Table of K: nodes per decade of z, and the decades at its ends."""

_DECAYED, _NEEDED = 36.0, 14.0
"""−ln|φ| where the nodes end, and what it must reach for a law without an atom, to 1e-6."""

_NAMES: Final = "ABC"


class PairDensity(eqx.Module):
    """How many pairs of dipoles a sample has at which distance, and what else its fields depend on.

    `pairs` is the mean number in bins of distance, `per_decade` each, that begin at `smallest`
    (nm); within a bin they are uniform in volume. The first `split` bins are the close pairs. The
    sum Σ s/r³ over all others (nm⁻³, for A, B, C) has `mean` and `variance`. `moment` (µB) of a
    dipole, mean number `dipoles` of them, `volume` in nm³.

    Laws are differentiable in all but `per_decade`, `split` (None for all bins) and the convention.
    Raises `ValueError` for moments, distances, volumes that are not positive, and for negative
    numbers of pairs or variances.
    """

    smallest: Float[Array, ""] = eqx.field(converter=as_float)
    pairs: Float[Array, " bins"] = eqx.field(converter=as_float)
    mean: Float[Array, "3"] = eqx.field(converter=as_float)
    variance: Float[Array, "3"] = eqx.field(converter=as_float)
    moment: Float[Array, ""] = eqx.field(converter=as_float)
    dipoles: Float[Array, ""] = eqx.field(converter=as_float)
    volume: Float[Array, ""] = eqx.field(converter=as_float)
    per_decade: int = eqx.field(static=True, default=PER_DECADE)
    split: Int[Array, ""] | None = None
    convention: Convention = eqx.field(converter=as_convention, static=True, default=PAPER)

    def __check_init__(self) -> None:
        for name in ("smallest", "moment", "dipoles", "volume"):
            require_positive(name, getattr(self, name))
        for name in ("pairs", "variance"):
            message = f"{name} must be finite and not negative"
            require(jnp.min(getattr(self, name)), lambda v: v >= 0, message)

    @classmethod
    def uniform(
        cls,
        n: Shaped[ArrayLike, ""],
        density: Shaped[ArrayLike, ""],
        moment: Shaped[ArrayLike, ""] = MOMENT_SPIN_HALF,
        *,
        closest: float = 0.0,
        convention: Convention | str = PAPER,
    ) -> "PairDensity":
        """Uncorrelated dipoles without walls, n(r) = 2πNρ r² beyond `closest` (nm).

        `density` ρ in nm⁻³, `moment` in µB. Distances go three decades to both sides of the mean
        closest one, or from `closest` on: the laws of A, B, C without walls to 1e-8.

        >>> print(f"{PairDensity.uniform(100, 2.0).mu0_M:.4f} T")
        0.0403 T
        """
        n, density = as_float(n), as_float(density)
        typical = (2 * math.pi / 3 * n * density) ** (-1 / 3)
        smallest = jnp.asarray(closest, n.dtype) if closest > 0 else 1e-3 * typical
        edges = smallest * 10 ** (jnp.arange(6 * PER_DECADE + 1) / PER_DECADE).astype(n.dtype)
        volume = edges[:-1] ** 3 * (10 ** (3 / PER_DECADE) - 1)
        none = jnp.zeros(3, n.dtype)
        pairs = 2 * math.pi / 3 * n * density * volume
        return cls(
            smallest,
            pairs,
            none,
            none,
            moment,
            n,
            n / density,
            convention=as_convention(convention),
        )

    @property
    def edges(self) -> Float[Array, " edges"]:
        """Edges of the bins in nm."""
        steps = jnp.arange(len(self.pairs) + 1, dtype=self.pairs.dtype) / self.per_decade
        return self.smallest * 10**steps

    @property
    def constant(self) -> Float[Array, ""]:
        """c = µ0 W m/(2πN) in T nm³: what Σ s/r³ is multiplied by."""
        weight = FIELD_UNIT * self.convention.pair_weight / (2 * math.pi)
        return weight * self.moment / self.dipoles

    @property
    def mu0_M(self) -> Float[Array, ""]:
        """µ0M in tesla."""
        return FIELD_UNIT * self.moment * self.dipoles / self.volume

    def resized(self, factor: Shaped[ArrayLike, ""]) -> "PairDensity":
        """The same matter, `factor` times as much of it: pairs and dipoles in proportion.

        What is beyond the close pairs keeps its mean field and has its variance in proportion.
        Neither knows of walls, of which small samples have more. As the close pairs stay the same
        ones, much smaller samples have too few of them: take the law of `independent` pairs then.
        Differentiable in the factor.
        """
        factor = jnp.asarray(factor, self.pairs.dtype)
        grown = lambda d: (d.pairs, d.mean, d.variance, d.dipoles, d.volume)
        return eqx.tree_at(grown, self, [factor * leaf for leaf in grown(self)])


def pair_density(
    model: AbstractModel, n_samples: int, seed: int = 0, *, close: float = CLOSE
) -> PairDensity:
    """Count the pairs of samples 0 … n − 1 of a model (those of `simulate` with that seed).

    All pairs are counted by their distance. From the smallest number of bins that hold `close`
    pairs per sample the rest is described by mean and variance only (see `diffdip.levy`). A
    sample costs O(n²) time and memory, about 30 ms for a thousand dipoles. Of pairs closer than
    those sampled the law knows nothing: tails rarer than 1/n_samples are missing. Where few pairs
    count (`extra_spacing=0`), their number is noisy and the law with it: 10 % in the width of
    100 crystals from 300 samples.

    The number of dipoles may differ among samples by little: its mean is taken. Samples that could
    not be placed are left out. Raises `ValueError` without any other, for no samples, for
    `close` not positive, and for moments or volumes that are not all equal.

    >>> from diffdip import UniformCylinder
    >>> density = pair_density(UniformCylinder(n=20, density=2.0), 3)
    >>> print(f"{density.pairs.sum():.0f} pairs, {density.dipoles:.0f} dipoles")
    190 pairs, 20 dipoles
    """
    if n_samples < 1:
        raise ValueError(f"{n_samples} samples: expected 1 or more")
    if not close > 0:
        raise ValueError(f"close must be above 0, not {close:g}")
    counts, sums, dipoles, same = [], [], [], set()
    for positions, moments, volume in _samples(model, n_samples, seed):
        same |= {(float(moment), volume) for moment in np.unique(moments)}
        if len(same) > 1:
            raise ValueError("a density of pairs needs equal moments, and samples of one volume")
        found = _count(positions)
        counts.append(found[0])
        sums.append(found[1])
        dipoles.append(len(moments))
    if not counts:
        raise ValueError(nothing_placed(model))
    # whole decades, so that densities have few shapes, each of which is compiled
    bins = -(-max(len(one) for one in counts) // PER_DECADE) * PER_DECADE
    pairs = np.mean([np.pad(one, (0, bins - len(one))) for one in counts], axis=0)
    split = min(bins, int(np.searchsorted(np.cumsum(pairs), close)) + 1)
    ((moment, volume),) = same
    rest = np.array([np.sum(one[:, split:], axis=1) for one in sums])
    number = lambda x: jnp.asarray(x, jnp.result_type(float))
    return PairDensity(
        number(SMALLEST),
        number(pairs),
        number(np.mean(rest, axis=0)),
        number(np.var(rest, axis=0)),
        number(moment),
        number(np.mean(dipoles)),
        number(volume),
        split=jnp.asarray(split, jnp.int32),
        convention=model.convention,
    )


@eqx.filter_jit
def _draw(model: AbstractModel, key: Array, index: Array) -> Any:
    return jax.vmap(lambda i: model.draw(jax.random.fold_in(key, i)))(index)


def _samples(
    model: AbstractModel, n_samples: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Positions, moments and volume of each sample that could be placed."""
    lanes = lanes_on(model)
    for start in range(0, n_samples, lanes):
        index = np.arange(start, start + lanes, dtype=np.uint32)
        draw = jax.device_get(_draw(model, jax.random.key(seed), jnp.asarray(index)))
        for i in range(min(lanes, n_samples - start)):
            mask = draw.system.mask[i]
            if draw.complete[i]:
                positions = draw.system.positions[i][mask].astype(float)
                yield positions, draw.system.moments[i][mask], float(draw.system.volume[i])


def _count(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of one sample, for each bin of distance: pairs, and Σ s/r³ for A, B, C."""
    first, second = _places(len(positions))
    x, y, z = (column[first] - column[second] for column in positions.T)
    x2, y2, z2 = x * x, y * y, z * z
    squared = x2 + y2 + z2
    with np.errstate(divide="ignore", invalid="ignore"):
        place = (np.log10(squared) / 2 - math.log10(SMALLEST)) * PER_DECADE
        fifth = 1 / (squared * squared * np.sqrt(squared))  # much faster than a power
        terms = [(2 * z2 - x2 - y2) * fifth, -3 * (x2 - y2) * fifth, -3 * x * y * fifth]
    place = np.maximum(place, 0).astype(int)
    return np.bincount(place), np.array([np.bincount(place, term) for term in terms])


@functools.lru_cache(maxsize=8)
def _places(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.triu_indices(count, 1)


class LevyLaw(eqx.Module):
    """The law of A, B or C that a density of pairs makes; see `diffdip.levy` for the theory.

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
        return _each(lambda y: nodes.density(y), self._reduced(x)) / self._unit

    @eqx.filter_jit
    def cumulative(self, x: Shaped[ArrayLike, "*s"]) -> Float[Array, "*s"]:
        """Probability of a value below x.

        >>> law = levy_law("C", PairDensity.uniform(100, 2.0))
        >>> print(f"{law.cumulative(0.0):.3f}")
        0.500
        """
        nodes = self._nodes()
        return _each(lambda y: nodes.cumulative(y), self._reduced(x))

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

        def residual(nodes: "_Nodes", shift: Array, y: Array, p: Array) -> Array:
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
        real, imaginary = _kernel(self.name, pairs.per_decade, t * 10 ** (-3 * steps))
        rest = pairs.variance[_NAMES.index(self.name)] * pairs.smallest**6 * t * t / 2
        return number @ real - rest, number @ imaginary

    def _nodes(self) -> "_Nodes":
        fixed = jax.lax.stop_gradient(self)
        dtype = self.pairs.pairs.dtype
        low, high = jnp.asarray(_TABLE_LOW - 6, dtype), jnp.asarray(_TABLE_HIGH + 24, dtype)
        decay = lambda log_t: -fixed._exponent(10**log_t)[0]
        middle = _bisect(lambda v: decay(v) - 1, low, high)
        end = _bisect(lambda v: decay(v) - _DECAYED, middle, middle + 6)
        steps = jnp.arange(_STEPS * _DECADES + 3, dtype=dtype) / _STEPS
        t = 10 ** (end - _DECADES + steps)
        real, imaginary = jax.vmap(self._exponent)(t)
        enough = decay(end) > _NEEDED
        return _Nodes(t, jnp.where(enough, real, jnp.nan), imaginary, 0.5 * 10**middle)

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
            return jnp.where(inside, y, edge)

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


class _Nodes(eqx.Module):
    """ln φ = `real` + i `imaginary` at points `t` in geometric progression: Fourier's inversion.

    Between points φ is the cubic through its four nearest, and the integral with e^{−ity} over
    that is exact (Filon): right for any y, however fast e^{−ity} turns. For `cumulative`
    a Cauchy law is taken off, of characteristic function e^{−t/rate}, so that the 1/t is harmless.
    """

    t: Float[Array, " nodes"]
    real: Float[Array, " nodes"]
    imaginary: Float[Array, " nodes"]
    rate: Float[Array, ""]

    def density(self, y: Array) -> Array:
        size = jnp.exp(self.real)
        phi = size * jnp.cos(self.imaginary), size * jnp.sin(self.imaginary)
        beginning = (
            2 * self.t[1] * jnp.sinc(y * self.t[1] / math.pi)
        )  # where φ = 1, both sides of 0
        return (beginning / 2 + self._transform(phi, y)[0]) / math.pi

    def cumulative(self, y: Array) -> Array:
        known = self.t / self.rate
        # e^ψ − 1 without loss for small ψ
        turned = -2 * jnp.sin(self.imaginary / 2) ** 2
        real = jnp.expm1(self.real) + jnp.exp(self.real) * turned - jnp.expm1(-known)
        imaginary = jnp.exp(self.real) * jnp.sin(self.imaginary)
        without = self._transform((real / self.t, imaginary / self.t), y)[1]
        return 0.5 + (jnp.arctan(y * self.rate) - without) / math.pi

    def _transform(self, values: tuple[Array, Array], y: Array) -> tuple[Array, Array]:
        """Real and imaginary part of ∫ f(t) e^{−ity} dt between the second and last but one t."""
        t = self.t[1:-1]
        half, centre = (t[1:] - t[:-1]) / 2, (t[1:] + t[:-1]) / 2
        j = _spherical_bessel(y * half)
        a, b = (_legendre(part) for part in values)
        real = j[0] * a[0] + j[1] * b[1] - j[2] * a[2] - j[3] * b[3]
        imaginary = j[0] * b[0] - j[1] * a[1] - j[2] * b[2] + j[3] * a[3]
        cosine, sine = jnp.cos(y * centre), jnp.sin(y * centre)
        twice = 2 * half
        return twice @ (cosine * real + sine * imaginary), twice @ (
            cosine * imaginary - sine * real
        )


def _legendre(values: Array) -> Array:
    """Legendre coefficients, between neighbours, of the cubic through the four nearest values."""
    q = 10 ** (1 / _STEPS)
    places = (np.array([1 / q, 1, q, q * q]) - (1 + q) / 2) / ((q - 1) / 2)
    matrix = np.linalg.inv(np.polynomial.legendre.legvander(places, 3))
    count = len(values) - 3
    near = jnp.stack([values[i : i + count] for i in range(4)])
    return jnp.asarray(matrix, values.dtype) @ near


def _spherical_bessel(x: Array) -> list[Array]:
    """j0 … j3, by series near 0, where the closed forms cancel."""
    small = jnp.abs(x) < 2
    near, far = jnp.where(small, x, 0), jnp.where(small, 2, x)
    sine, cosine = jnp.sin(far), jnp.cos(far)
    closed = [sine / far, (sine / far - cosine) / far]
    for n in (1, 2):
        closed.append((2 * n + 1) / far * closed[n] - closed[n - 1])
    half_square = -near * near / 2
    series, power = [], jnp.ones_like(near)
    for n in range(4):
        term = total = jnp.ones_like(near)
        for k in range(1, 13):
            term = term * half_square / (k * (2 * n + 2 * k + 1))
            total = total + term
        series.append(power * total)
        power = power * near / (2 * n + 3)
    return [jnp.where(small, a, b) for a, b in zip(series, closed, strict=True)]


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


def _kernel(name: str, per_decade: int, z: Array) -> tuple[Array, Array]:
    """K, the mean of e^{izs} − 1, over a bin of distance at whose near edge z is tc/r³."""
    half = 0.5 if name == "C" else 1.0
    table = jnp.asarray(_table("A" if name == "A" else "B", per_decade), z.dtype)
    z = half * z
    lowest = 10.0**_TABLE_LOW
    within = jnp.clip(z, lowest, 10.0**_TABLE_HIGH)
    place = (jnp.log10(within) - _TABLE_LOW) * _TABLE_STEPS + 1
    left = jnp.clip(jnp.floor(jax.lax.stop_gradient(place)), 1, table.shape[1] - 3)
    u = place - left
    left = left.astype(jnp.int32)
    weights = (
        -u * (u - 1) * (u - 2) / 6,
        (u * u - 1) * (u - 2) / 2,
        -u * (u + 1) * (u - 2) / 2,
        u * (u * u - 1) / 6,
    )
    near = jnp.stack([w * table[:, left + i - 1] for i, w in enumerate(weights)])
    real, imaginary = jnp.sum(near, axis=0)
    below = jnp.minimum(z / lowest, 1) ** 2  # K goes as z² there
    return below * real, below * imaginary


@functools.cache
def _table(name: str, per_decade: int) -> np.ndarray:
    """K over a bin as in `_kernel`, at equal steps of log z: real and imaginary part."""
    count = (_TABLE_HIGH - _TABLE_LOW) * _TABLE_STEPS
    z = 10 ** (_TABLE_LOW + (np.arange(count + 3) - 1) / _TABLE_STEPS)
    far = 10 ** (3 / per_decade)
    mean = np.zeros(len(z), complex)
    # over a bin K turns as often as z is large, until nothing of its oscillation is left
    for low, high, order in ((0.0, 10.0, 16), (10.0, 300.0, 160)):
        chosen = (z >= low) & (z < high)
        node, weight = np.polynomial.legendre.leggauss(order)
        volume = 1 + (far - 1) * (node + 1) / 2  # r³: pairs are uniform in it
        mean[chosen] = _direction_mean(name, z[chosen, None] / volume) @ weight / 2
    chosen = z >= 300
    mean[chosen] = -1 + (0.0 if name == "A" else (1 + far) / 12) / z[chosen]
    return np.stack([np.real(mean), np.imag(mean)])


def _direction_mean(name: str, z: np.ndarray) -> np.ndarray:
    """K(z) = ⟨e^{izs}⟩ − 1 over all directions, for z > 0."""
    from scipy.special import fresnel, jv

    large = np.where(z < 0.5, 1.0, z)
    if name == "A":
        root = np.sqrt(6 * large / math.pi)
        sine, cosine = fresnel(root)
        closed = np.exp(-1j * large) * (cosine + 1j * sine) / root - 1
    else:
        closed = math.pi / 8**0.5 * jv(0.25, 1.5 * large) * jv(-0.25, 1.5 * large) - 1
    small = np.where(z < 0.5, z, 0.0)
    series = np.zeros(z.shape, complex)
    for n in range(2, 24):  # ⟨s⟩ = 0
        series += (1j * small) ** n / math.factorial(n) * _direction_moment(name, n)
    return np.where(z < 0.5, series, closed)


def _direction_moment(name: str, n: int) -> float:
    """⟨sⁿ⟩ over all directions."""
    node, weight = np.polynomial.legendre.leggauss(n + 2)
    if name == "A":
        return float(weight @ (3 * node**2 - 1) ** n) / 2
    around = 0.0 if n % 2 else math.comb(n, n // 2) / 2**n
    return around * 3**n * float(weight @ (1 - node**2) ** n) / 2
