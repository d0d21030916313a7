"""Statistics of heavy-tailed anisotropy fields: histograms, quantiles, tails.

A few close pairs of dipoles dominate A, B and C. The tails of their laws fall as 1/x², so means and
standard deviations do not exist. The statistics here need no moments. Values may have any shape
and unit (tesla inside diffdip); results have the same unit. Values that are not finite are dropped
and counted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import bdtr, bdtrik, betaincinv

from ..foundation.arrays import Numbers
from ..foundation.errors import InputError, check_count


CONFIDENCE: Final = 0.68
"""Default confidence of the intervals."""


@dataclass(frozen=True)
class LogHistogram:
    """Result of `log_histogram`: k bins of log10|x|.

    Args:
        edges: Edges of the bins (k + 1) in the unit of the values.
        counts: Number of values in each bin (k).
        density: Share of all finite values per decade (k).
        low: Lower ends of the 68 % intervals of the density (k).
        high: Upper ends of these intervals (k).
        count: Number of finite values.
        zeros: How many of them are exactly 0.
        outside: How many of them are not 0 and lie beyond the edges.
        nonfinite: Number of other values, which were dropped.
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
    """Histogram of log10|x| with errors.

    The density is the share of values per decade. It refers to all finite values, including zeros
    and those beyond the edges, so that different sets can be compared. Its integral over log10|x|
    is the share of values inside the edges. A bin includes its lower edge; the last bin includes
    both. The intervals are those of Clopper and Pearson: in each bin they contain the true density
    in at least 68 % of cases. An empty bin has low = 0 and high = 1.83/(count × bin width). Values
    beyond 1e±307 count as outside.

    Args:
        values: Values of any shape and unit.
        per_decade: Bins per decade, rounded so that a whole number of equal bins fits the limits.
        limits: Smallest and largest edge in the unit of the values, above 0. By default the whole
            decades that contain all values other than 0.

    Returns:
        The histogram.

    Raises:
        InputError: If there is no finite value, or none other than 0 and no limits, if the limits
            are not two ascending numbers above 0, or if `per_decade` is below 1.

    >>> histogram = log_histogram([0.002, -0.003, 0.05, 0.0], per_decade=1)
    >>> histogram.edges.round(6).tolist(), histogram.counts.tolist(), histogram.zeros
    ([0.001, 0.01, 0.1], [2, 1], 1)
    >>> histogram.density.tolist()
    [0.5, 0.25]
    """
    x, nonfinite = finite_values("values", values, 1)
    check_count("per_decade", per_decade)
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
        hint = "Give {limits} to make a histogram of zeros"
        raise InputError("values", expected="a value other than 0", hint=hint)
    smallest, largest = float(np.min(size)), float(np.max(size))
    # the logarithm of a number next to a power of ten can be rounded to either side
    first = math.floor(math.log10(smallest))
    first = first - 1 if 10.0**first > smallest else first
    last = math.floor(math.log10(largest))
    last = last + 1 if 10.0**last < largest else last
    first = min(max(first, -307), 307)
    return 10.0**first, 10.0 ** min(max(last, first + 1), 308)


def _checked(limits: Sequence[float]) -> tuple[float, float]:
    if len(limits) != 2 or not 0 < limits[0] < limits[1] < math.inf:
        raise InputError("limits", given=limits, expected="two ascending numbers above 0")
    return float(limits[0]), float(limits[1])


def _binomial_quantile(level: float, n: int, share: np.ndarray) -> np.ndarray:
    """The smallest count out of n that is reached with this probability."""
    # scipy 1.17 solves for no count where none is likely enough
    none = bdtr(0, n, share) >= level
    above = np.where(none, 0.0, np.ceil(bdtrik(level, n, share)))
    # the real solution may lie a rounding above a whole number
    one_less = np.maximum(above - 1, 0)
    return np.where(bdtr(one_less, n, share) >= level, one_less, above).astype(int)


def _binomial_interval(counts: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Clopper–Pearson interval of each share, counts out of n."""
    miss = (1 - CONFIDENCE) / 2
    low = betaincinv(np.maximum(counts, 1), n - np.maximum(counts, 1) + 1, miss)
    high = betaincinv(np.minimum(counts, n - 1) + 1, n - np.minimum(counts, n - 1), 1 - miss)
    return np.where(counts > 0, low, 0.0), np.where(counts < n, high, 1.0)


@dataclass(frozen=True)
class Quantiles:
    """Result of `quantiles`; all arrays have the shape of `q`.

    Args:
        q: The levels of the quantiles.
        value: The sample quantiles.
        low: Lower ends of the confidence intervals; −inf if no value is low enough.
        high: Upper ends of the confidence intervals; inf if no value is high enough.
        count: Number of finite values.
        nonfinite: Number of other values, which were dropped.
    """

    q: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    count: int
    nonfinite: int


def quantiles(values: Numbers, q: Numbers, confidence: float = CONFIDENCE) -> Quantiles:
    """Sample quantiles with confidence intervals that hold for any law.

    A quantile is interpolated linearly between the ordered values. The ends of its interval are
    two of these values: the number of values below the true quantile follows a binomial law. Each
    end is on the wrong side in at most (1 − confidence)/2 of cases. If no value is far enough
    out, the end is −inf or inf. For example, with confidence 0.68 the quantile 0.01 of fewer than
    183 values has low = −inf.

    Args:
        values: Values of any shape and unit.
        q: Levels of the quantiles, from 0 to 1, of any shape.
        confidence: Smallest probability that an interval contains the true quantile (0.68 by
            default).

    Returns:
        The quantiles with their intervals.

    Raises:
        InputError: If there is no finite value, if `q` is empty or outside [0, 1], or if
            `confidence` is not between 0 and 1.

    >>> result = quantiles(range(1, 101), [0.5, 0.001])
    >>> result.value.round(3).tolist(), result.low.tolist(), result.high.tolist()
    ([50.5, 1.099], [45.0, -inf], [56.0, 1.0])
    """
    x, nonfinite = finite_values("values", values, 1)
    wanted = np.asarray(q, float)
    if wanted.size == 0 or not np.all((wanted >= 0) & (wanted <= 1)):
        raise InputError("q", given=q, expected="one or more levels from 0 to 1")
    if not 0 < confidence < 1:
        raise InputError("confidence", given=confidence, expected="a number between 0 and 1")
    miss = (1 - confidence) / 2
    # the k-th smallest value is at index k; beyond the values, a bound is infinite
    ordered = np.concatenate([[-np.inf], np.sort(x), [np.inf]])
    below = [_binomial_quantile(level, len(x), wanted.ravel()) for level in (miss, 1 - miss)]
    return Quantiles(
        q=wanted,
        value=np.asarray(np.quantile(x, wanted)),
        low=ordered[below[0]].reshape(wanted.shape),
        high=ordered[below[1] + 1].reshape(wanted.shape),
        count=len(x),
        nonfinite=nonfinite,
    )


@dataclass(frozen=True)
class TailIndex:
    """Result of `tail_index`.

    Args:
        index: The exponent α.
        standard_error: Its standard error.
        count: Number of values in the tail.
        threshold: Value of |x| at which the tail begins.
        nonfinite: Number of values that are not finite, which were dropped.
    """

    index: float
    standard_error: float
    count: int
    threshold: float
    nonfinite: int


def tail_index(values: Numbers, fraction: float = 0.05) -> TailIndex:
    """Exponent of a power-law tail: the share of |x| above t falls as t^−α. 1 for a Cauchy law.

    Hill's estimate: 1/α is the mean of ln(|x|/threshold) over the k = `fraction` × n largest |x|
    (rounded). The threshold is the next smaller |x|. The standard error is α/√k, and the bias is
    α/k. There is a further bias if the law is not yet a power law at the threshold.

    Args:
        values: Values of any shape and unit.
        fraction: Share of the values that belong to the tail (0.05 by default).

    Returns:
        The exponent with its error.

    Raises:
        InputError: If `fraction` is not between 0 and 1, if the tail has fewer than 2 values or
            only equal ones, or if it begins at 0.

    >>> import numpy as np
    >>> shares = (np.arange(1000) + 0.5) / 1000
    >>> tail = tail_index(shares ** -0.5, 0.1)
    >>> print(f"{tail.index:.2f} ± {tail.standard_error:.2f} above {tail.threshold:.1f}")
    2.00 ± 0.20 above 3.2
    """
    if not 0 < fraction < 1:
        raise InputError("fraction", given=fraction, expected="a number between 0 and 1")
    x, nonfinite = finite_values("values", values, 1)
    size = np.sort(np.abs(x))
    k = min(round(fraction * len(x)), len(x) - 1)
    if k < 2:
        raise InputError(
            "fraction",
            given=fraction,
            expected=f"at least 2 of {len(x)} values in the tail",
            hint="Take a larger {fraction} or more values",
        )
    threshold, tail = size[-k - 1], size[-k:]
    if threshold == 0:
        raise InputError(
            "fraction",
            given=fraction,
            expected="a tail without zeros",
            hint="Take a smaller {fraction}",
        )
    if tail[-1] == threshold:
        raise InputError(
            "values",
            given=values,
            expected=f"different values in the tail; all {k} are equal",
            hint="Take a larger {fraction}, or give the values to more digits",
        )
    index = float(1 / np.mean(np.log(tail) - np.log(threshold)))
    return TailIndex(index, index / k**0.5, k, float(threshold), nonfinite)


def finite_values(name: str, values: Numbers, least: int) -> tuple[np.ndarray, int]:
    """The finite values in one row, float64, and how many others there were.

    `InputError` about the argument `name` if there are fewer finite ones than `least`.
    """
    row = np.asarray(values, float).ravel()
    kept = row[np.isfinite(row)]
    if len(kept) < least:
        needed = "a finite value" if least == 1 else f"{least} or more finite values"
        found = f"{len(kept)} of {len(row)} are finite"
        raise InputError(name, given=values, expected=f"{needed}; {found}")
    return kept, len(row) - len(kept)
