"""Comparison of two sets of heavy-tailed values, for instance measured and simulated ones."""

from dataclasses import dataclass

import numpy as np

from ..foundation.arrays import Numbers
from .heavy_tails import finite_values


@dataclass(frozen=True)
class TwoSample:
    """Result of `same_distribution`.

    Args:
        statistic: Largest difference of the two cumulative shares.
        p_value: Probability of a difference at least as large, if the laws are equal.
        sizes: Number of finite values of the first and of the second set.
        nonfinite: Number of other values of each set, which were dropped.
    """

    statistic: float
    p_value: float
    sizes: tuple[int, int]
    nonfinite: tuple[int, int]


def same_distribution(first: Numbers, second: Numbers) -> TwoSample:
    """Two-sided Kolmogorov–Smirnov test of whether two sets have the same distribution.

    The p value is exact up to 10 000 values and asymptotic beyond. It is too large if the sets
    have equal values.

    Args:
        first: Values of any shape and unit.
        second: Values of any shape, in the same unit.

    Returns:
        The test statistic and the p value.

    Raises:
        InputError: If a set has no finite value.

    >>> test = same_distribution([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    >>> print(f"{test.statistic:.2f}, p = {test.p_value:.2f}")
    1.00, p = 0.10
    """
    x, dropped_x = finite_values("first", first, 1)
    y, dropped_y = finite_values("second", second, 1)
    statistic, p_value = _kolmogorov_smirnov(x, y)
    return TwoSample(statistic, p_value, (len(x), len(y)), (dropped_x, dropped_y))


def _kolmogorov_smirnov(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    from scipy.stats import ks_2samp

    statistic, p_value = np.asarray(ks_2samp(x, y), float)
    return float(statistic), float(p_value)


@dataclass(frozen=True)
class MeasuredComparison:
    """Result of `compare_measured`.

    Args:
        percentiles: Share of simulated values below each measured one, 0 to 100, in the shape of
            the measured values; NaN for values that are not finite.
        below: Number of measured values smaller than all simulated ones.
        above: Number of measured values larger than all simulated ones.
        statistic: As in `TwoSample`.
        p_value: As in `TwoSample`.
        sizes: As in `TwoSample`; the measured set is first.
        nonfinite: As in `TwoSample`; the measured set is first.
    """

    percentiles: np.ndarray
    below: int
    above: int
    statistic: float
    p_value: float
    sizes: tuple[int, int]
    nonfinite: tuple[int, int]


def compare_measured(measured: Numbers, simulated: Numbers) -> MeasuredComparison:
    """Compare measured |A| or |B| with a simulated distribution.

    Absolute values are compared, because the sign of a measured A or B depends on the convention
    and on the choice of axes. The percentile of a measured value is the share of simulated values
    below it, in %; equal values count half. The test is that of `same_distribution`. With few
    measured values it detects only large differences.

    Args:
        measured: Values of any shape and unit.
        simulated: Values of any shape, in the same unit.

    Returns:
        The percentiles and the result of the test.

    Raises:
        InputError: If a set has no finite value.

    >>> found = compare_measured([0.025, -9.0], [-0.01, 0.02, 0.03, -0.04])
    >>> found.percentiles.tolist(), found.below, found.above
    ([50.0, 100.0], 0, 1)
    """
    x, dropped_x = finite_values("measured", measured, 1)
    y, dropped_y = finite_values("simulated", simulated, 1)
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
