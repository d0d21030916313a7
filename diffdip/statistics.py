"""Statistics of heavy-tailed anisotropy fields: laws, fits, histograms, quantiles, comparisons.

A few close pairs of dipoles make A, B and C: their tails fall as 1/x², no moment exists, and
means and standard deviations say nothing. What is here needs no moment. Values may have any
shape and unit (tesla inside diffdip); results come in the same unit. Values that are not
finite are dropped and counted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Shaped

from .convention import PAPER, Convention, as_convention
from .units import Numbers, as_float


CONFIDENCE: Final = 0.68
"""Confidence of the intervals, unless another is asked for."""

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
    x, nonfinite = _finite(values, 3, "a Cauchy fit")
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


@dataclass(frozen=True)
class LogHistogram:
    """Result of `log_histogram`: k bins of log10|x|.

    `edges` (k + 1) in the unit of the values; `counts` (k); `density` (k), the share of all
    finite values per decade; `low` and `high` its 68 % interval. `count` finite values, of
    which `zeros` are exactly zero and `outside` lie, not zero, beyond the edges; `nonfinite`
    ones were dropped.
    """

    edges: np.ndarray
    counts: np.ndarray
    density: np.ndarray
    low: np.ndarray
    high: np.ndarray
    count: int
    zeros: int
    outside: int
    nonfinite: int


def log_histogram(
    values: Numbers, per_decade: int = 8, limits: Sequence[float] | None = None
) -> LogHistogram:
    """Histogram of log10|x| with errors, its density being the share of values per decade.

    `limits` are the smallest and largest edge, positive, in the unit of the values; by default
    the whole decades that hold every value but the zeros. Bins are equal in log10, as near to
    `per_decade` a decade as whole bins allow, closed below and open above (the last one closed).
    The density is divided by the number of all finite values, zeros and those beyond the edges
    included, so that sets compare; it integrates over log10|x| to the share inside.
    `low` and `high` are Clopper–Pearson intervals, which hold the true density in at least 68 %
    of cases, bin by bin: a bin without counts has low = 0 and high = 1.83/(count × bin width).
    Beyond 1e±307 values count as outside.

    Raises `ValueError` without finite values, without any that is not zero if `limits` are to
    be found, for limits that do not ascend from above 0 and for `per_decade` below 1.

    >>> histogram = log_histogram([0.002, -0.003, 0.05, 0.0], per_decade=1)
    >>> histogram.edges.round(6).tolist(), histogram.counts.tolist(), histogram.zeros
    ([0.001, 0.01, 0.1], [2, 1], 1)
    >>> histogram.density.tolist()
    [0.5, 0.25]
    """
    x, nonfinite = _finite(values, 1, "a histogram")
    if per_decade < 1:
        raise ValueError(f"per_decade must be at least 1, not {per_decade}")
    size = np.abs(x)
    bottom, top = _whole_decades(size[size > 0]) if limits is None else _checked(limits)
    decades = math.log10(top) - math.log10(bottom)
    bins = max(1, round(per_decade * decades))
    edges = np.geomspace(bottom, top, bins + 1)
    counts = np.histogram(size, edges)[0]
    zeros = int(np.sum(size == 0))
    n, per_bin = len(x), bins / decades
    low, high = _binomial_interval(counts, n)
    return LogHistogram(
        edges=edges,
        counts=counts,
        density=counts / n * per_bin,
        low=low * per_bin,
        high=high * per_bin,
        count=n,
        zeros=zeros,
        outside=n - zeros - int(np.sum(counts)),
        nonfinite=nonfinite,
    )


def _whole_decades(size: np.ndarray) -> tuple[float, float]:
    """The powers of ten around positive numbers."""
    if len(size) == 0:
        raise ValueError("a histogram needs a value that is not zero, or limits")
    smallest, largest = float(np.min(size)), float(np.max(size))
    # the logarithm of a number next to a power of ten may round to either side
    first = math.floor(math.log10(smallest))
    first = first - 1 if 10.0**first > smallest else first
    last = math.floor(math.log10(largest))
    last = last + 1 if 10.0**last < largest else last
    first = min(max(first, -307), 307)
    return 10.0**first, 10.0 ** min(max(last, first + 1), 308)


def _checked(limits: Sequence[float]) -> tuple[float, float]:
    if len(limits) != 2 or not 0 < limits[0] < limits[1] < math.inf:
        raise ValueError(f"limits must be two ascending positive numbers, not {limits}")
    return float(limits[0]), float(limits[1])


def _binomial_interval(counts: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Clopper–Pearson interval of each share, counts out of n."""
    from scipy.stats import beta

    miss = (1 - CONFIDENCE) / 2
    low = beta.ppf(miss, np.maximum(counts, 1), n - np.maximum(counts, 1) + 1)
    high = beta.ppf(1 - miss, np.minimum(counts, n - 1) + 1, n - np.minimum(counts, n - 1))
    return np.where(counts > 0, low, 0.0), np.where(counts < n, high, 1.0)


@dataclass(frozen=True)
class Quantiles:
    """Result of `quantiles`: `value`, `low` and `high`, arrays of the shape of `q`.

    Of `count` finite values; `nonfinite` ones were dropped.
    """

    q: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    count: int
    nonfinite: int


def quantiles(values: Numbers, q: Numbers, confidence: float = CONFIDENCE) -> Quantiles:
    """Sample quantiles with confidence intervals that assume nothing about the law.

    `value` is the usual sample quantile (interpolated linearly between order statistics). `low`
    and `high` are order statistics: the number of values below the true quantile is binomial, so
    each of the two misses it in at most (1 − confidence)/2 of cases, together they hold it in
    at least `confidence`. Where no order statistic is far enough out, `low` is −inf or `high`
    inf (with confidence 0.68, the quantile 0.01 of fewer than 183 values has low = −inf).

    Raises `ValueError` without finite values, for q outside [0, 1] or empty, and for a
    confidence not between 0 and 1.

    >>> result = quantiles(range(1, 101), [0.5, 0.001])
    >>> result.value.round(3).tolist(), result.low.tolist(), result.high.tolist()
    ([50.5, 1.099], [45.0, -inf], [56.0, 1.0])
    """
    from scipy.stats import binom

    x, nonfinite = _finite(values, 1, "a quantile")
    wanted = np.asarray(q, float)
    if wanted.size == 0 or not np.all((wanted >= 0) & (wanted <= 1)):
        raise ValueError("q must be between 0 and 1")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, not {confidence}")
    miss = (1 - confidence) / 2
    # the values in order, x_1 at 1, with what bounds the quantile if none of them does
    ordered = np.concatenate([[-np.inf], np.sort(x), [np.inf]])
    below = binom.ppf([[miss], [1 - miss]], len(x), wanted.ravel()).astype(int)
    return Quantiles(
        q=wanted,
        value=np.asarray(np.quantile(x, wanted)),
        low=ordered[below[0]].reshape(wanted.shape),
        high=ordered[below[1] + 1].reshape(wanted.shape),
        count=len(x),
        nonfinite=nonfinite,
    )


@dataclass(frozen=True)
class TwoSample:
    """Result of `same_distribution`: Kolmogorov–Smirnov `statistic` and `p_value`.

    `sizes` are the finite values of the first and second set, `nonfinite` those dropped.
    """

    statistic: float
    p_value: float
    sizes: tuple[int, int]
    nonfinite: tuple[int, int]


def same_distribution(first: Numbers, second: Numbers) -> TwoSample:
    """Two-sample Kolmogorov–Smirnov test that two sets have one distribution.

    `statistic` is the largest difference of the two cumulative shares; `p_value` (two-sided) the
    probability of one at least as large from sets of one continuous distribution: exact up to
    10 000 values, asymptotic beyond. With ties it is too large.

    Raises `ValueError` where a set has no finite value.

    >>> test = same_distribution([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    >>> print(f"{test.statistic:.2f}, p = {test.p_value:.2f}")
    1.00, p = 0.10
    """
    x, dropped_x = _finite(first, 1, "the first set")
    y, dropped_y = _finite(second, 1, "the second set")
    statistic, p_value = _kolmogorov_smirnov(x, y)
    return TwoSample(statistic, p_value, (len(x), len(y)), (dropped_x, dropped_y))


def _kolmogorov_smirnov(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    from scipy.stats import ks_2samp

    statistic, p_value = np.asarray(ks_2samp(x, y), float)
    return float(statistic), float(p_value)


@dataclass(frozen=True)
class MeasuredComparison:
    """Result of `compare_measured`.

    `percentiles` has the shape of the measured values (0 to 100, NaN for those not finite).
    `below` and `above` measured values are smaller or larger than every simulated one.
    `statistic`, `p_value`, `sizes` and `nonfinite` are as in `TwoSample`, the measured set first.
    """

    percentiles: np.ndarray
    below: int
    above: int
    statistic: float
    p_value: float
    sizes: tuple[int, int]
    nonfinite: tuple[int, int]


def compare_measured(measured: Numbers, simulated: Numbers) -> MeasuredComparison:
    """Where measured |A| or |B| lie in a simulated distribution: absolute values are compared.

    The sign of a measured A, B depends on the convention and on the axes chosen, so |x| of both
    sets is taken. The percentile of a measured value is the share of simulated ones below it,
    in %, those equal to it counted half. The test is Kolmogorov–Smirnov (`same_distribution`);
    with a handful of measured values it can only tell gross differences.

    Raises `ValueError` where a set has no finite value.

    >>> found = compare_measured([0.025, -9.0], [-0.01, 0.02, 0.03, -0.04])
    >>> found.percentiles.tolist(), found.below, found.above
    ([50.0, 100.0], 0, 1)
    """
    x, dropped_x = _finite(measured, 1, "the measured set")
    y, dropped_y = _finite(simulated, 1, "the simulated set")
    x, y = np.abs(x), np.sort(np.abs(y))
    places = np.asarray(measured, float)
    inside = np.isfinite(places)
    percentiles = np.full(places.shape, np.nan)
    ranks = np.searchsorted(y, x, side="left") + np.searchsorted(y, x, side="right")
    percentiles[inside] = 50 * ranks / len(y)
    statistic, p_value = _kolmogorov_smirnov(x, y)
    return MeasuredComparison(
        percentiles=percentiles,
        below=int(np.sum(x < y[0])),
        above=int(np.sum(x > y[-1])),
        statistic=statistic,
        p_value=p_value,
        sizes=(len(x), len(y)),
        nonfinite=(dropped_x, dropped_y),
    )


@dataclass(frozen=True)
class TailIndex:
    """Result of `tail_index`: `index` ± `standard_error` from `count` values above `threshold`.

    `nonfinite` values were dropped.
    """

    index: float
    standard_error: float
    count: int
    threshold: float
    nonfinite: int


def tail_index(values: Numbers, fraction: float = 0.05) -> TailIndex:
    """Hill's estimate of α where the share of |x| above t falls as t^−α: 1 for a Cauchy law.

    From the k = `fraction` × n largest |x| (rounded): 1/α is the mean of ln(|x|/threshold) over
    them, the threshold being the next |x| down. The standard error is α/√k; the estimate is
    biased by α/k, and by as much as the law is no power law yet at the threshold.

    Raises `ValueError` for a fraction not between 0 and 1, for so few finite values that k < 2,
    for a threshold of zero, and for a tail of equal values.

    >>> import numpy as np
    >>> shares = (np.arange(1000) + 0.5) / 1000
    >>> tail = tail_index(shares ** -0.5, 0.1)
    >>> print(f"{tail.index:.2f} ± {tail.standard_error:.2f} above {tail.threshold:.1f}")
    2.00 ± 0.20 above 3.2
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must be between 0 and 1, not {fraction}")
    x, nonfinite = _finite(values, 1, "a tail index")
    size = np.sort(np.abs(x))
    k = min(round(fraction * len(x)), len(x) - 1)
    if k < 2:
        raise ValueError(f"a tail index needs 2 values in the tail: {fraction} of {len(x)} is less")
    threshold, tail = size[-k - 1], size[-k:]
    if threshold == 0:
        raise ValueError("a tail index needs a tail above zero: take a smaller fraction")
    if tail[-1] == threshold:
        raise ValueError("a tail index needs a tail of different values")
    index = float(1 / np.mean(np.log(tail) - np.log(threshold)))
    return TailIndex(index, index / k**0.5, k, float(threshold), nonfinite)


def _finite(values: Numbers, least: int, purpose: str) -> tuple[np.ndarray, int]:
    """The finite values in one row, float64, and how many were not finite."""
    row = np.asarray(values, float).ravel()
    kept = row[np.isfinite(row)]
    if len(kept) < least:
        needed = "a finite value" if least == 1 else f"{least} finite values"
        raise ValueError(f"{purpose} needs {needed}, not {len(kept)} of {len(row)}")
    return kept, len(row) - len(kept)
