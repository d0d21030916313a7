"""Comparisons of two sets of heavy-tailed values."""

import itertools

import numpy as np
import pytest
import scipy.stats

import diffdip as dd
from diffdip.foundation.errors import InputError


def cauchy(seed, count):
    return np.random.default_rng(seed).standard_cauchy(count)


def largest_difference(x, y):
    return max(abs(np.mean(x <= t) - np.mean(y <= t)) for t in np.concatenate([x, y]))


@pytest.mark.parametrize("seed", range(3))
def test_kolmogorov_smirnov_by_all_permutations(seed):
    """4 and 5 values: the p value is the share of the 126 splits with such a difference."""
    x, y = cauchy(seed, 4), 1.0 + cauchy(seed + 50, 5)
    found = dd.same_distribution(x, y)
    statistic = largest_difference(x, y)
    assert found.statistic == pytest.approx(statistic, abs=1e-12)
    together = np.concatenate([x, y])
    splits = [np.isin(np.arange(9), chosen) for chosen in itertools.combinations(range(9), 4)]
    differences = [largest_difference(together[s], together[~s]) for s in splits]
    assert found.p_value == pytest.approx(np.mean(np.array(differences) > statistic - 1e-9))
    dirty = dd.same_distribution([*x, np.nan], [*y, np.inf, np.inf])
    assert (dirty.statistic, dirty.p_value) == (found.statistic, found.p_value)
    assert (dirty.sizes, dirty.nonfinite) == ((4, 5), (1, 2))


def test_kolmogorov_smirnov_of_equal_and_different_laws():
    x, y = cauchy(20, 400), cauchy(21, 400)
    assert dd.same_distribution(x, y).p_value > 0.01
    assert dd.same_distribution(x, 3 * y).p_value < 1e-3
    assert dd.same_distribution(x, x).statistic == 0
    assert dd.same_distribution([1.0], [2.0]).p_value == 1


def test_measured_values_in_a_simulated_distribution():
    simulated = [-1.0, 2.0, -3.0, 4.0, np.nan]
    measured = np.array([[-2.0, 0.5, np.nan], [5.0, -1.5, np.inf]])
    found = dd.compare_measured(measured, simulated)
    # of 1, 2, 3, 4: one below 2 and one equal to it, none below 0.5, all below 5, one below 1.5
    np.testing.assert_array_equal(found.percentiles, [[37.5, 0, np.nan], [100, 25, np.nan]])
    assert (found.below, found.above) == (1, 1)
    assert (found.sizes, found.nonfinite) == ((4, 4), (2, 1))
    x, y = np.array([2, 0.5, 5, 1.5]), np.array([1.0, 2, 3, 4])
    assert found.statistic == pytest.approx(largest_difference(x, y))
    assert found.p_value == pytest.approx(scipy.stats.ks_2samp(x, y).pvalue)
    within = dd.compare_measured([-1.0, 3.5, 4.0], simulated)
    assert (within.below, within.above) == (0, 0)


def test_signs_and_units_of_measured_values_do_not_matter():
    simulated, measured = cauchy(22, 500), cauchy(23, 7)
    found = dd.compare_measured(measured, simulated)
    other = dd.compare_measured(-8 * np.abs(measured), -8 * simulated)
    np.testing.assert_array_equal(other.percentiles, found.percentiles)
    assert other.p_value == found.p_value
    reference = [scipy.stats.percentileofscore(np.abs(simulated), abs(m), "mean") for m in measured]
    np.testing.assert_allclose(found.percentiles, reference)


@pytest.mark.parametrize("bad", [[], [np.nan]])
def test_no_comparison_without_a_finite_value(bad):
    for function, name in (
        (dd.same_distribution, ("first", "second")),
        (dd.compare_measured, ("measured", "simulated")),
    ):
        for what, arguments in zip(name, ((bad, [1.0]), ([1.0], bad)), strict=True):
            with pytest.raises(InputError) as error:
                function(*arguments)
            assert (error.value.what, error.value.given) == (what, bad)


def test_sizes_are_those_of_all_values():
    values = np.arange(-20, 44).reshape(4, 4, 4)
    assert dd.same_distribution(values, values.tolist()).sizes == (64, 64)
