"""Statistics of heavy-tailed anisotropy fields: histograms, quantiles, comparisons, tails.

A few close pairs of dipoles make A, B and C: their tails fall as 1/x², no moment exists, and
means and standard deviations say nothing. What is here needs no moment. Values may have any
shape and unit (tesla inside diffdip); results come in the same unit. Values that are not
finite are dropped and counted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..foundation.arrays import Numbers


CONFIDENCE: Final = 0.68
"""Confidence of the intervals, unless another is asked for."""


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
    x, nonfinite = finite_values(values, 1, "a histogram")
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

    x, nonfinite = finite_values(values, 1, "a quantile")
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
    x, dropped_x = finite_values(first, 1, "the first set")
    y, dropped_y = finite_values(second, 1, "the second set")
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
    x, dropped_x = finite_values(measured, 1, "the measured set")
    y, dropped_y = finite_values(simulated, 1, "the simulated set")
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
    x, nonfinite = finite_values(values, 1, "a tail index")
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


def finite_values(values: Numbers, least: int, purpose: str) -> tuple[np.ndarray, int]:
    """The finite values in one row, float64, and how many were not finite."""
    row = np.asarray(values, float).ravel()
    kept = row[np.isfinite(row)]
    if len(kept) < least:
        needed = "a finite value" if least == 1 else f"{least} finite values"
        raise ValueError(f"{purpose} needs {needed}, not {len(kept)} of {len(row)}")
    return kept, len(row) - len(kept)
