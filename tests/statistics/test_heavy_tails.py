"""Histograms, quantiles and tails of heavy-tailed values."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, strategies as st

from diffdip.foundation.errors import InputError
from diffdip.statistics import heavy_tails as statistics


SEEDS = st.integers(0, 2**32 - 1)
SCALES = st.floats(1e-6, 1e6)


def cauchy(seed, *shape):
    return np.random.default_rng(seed).standard_cauchy(shape)


def binomial_tolerance(share, count):
    """Four standard deviations of a binomial share."""
    return 4 * math.sqrt(share * (1 - share) / count)


# histograms


def test_histogram_by_hand():
    values = [0.0, 1e-3, -2e-3, 0.05, -0.1, 1.0, np.nan, np.inf]
    found = statistics.log_histogram(values, per_decade=1)
    np.testing.assert_allclose(found.edges, [1e-3, 1e-2, 0.1, 1.0], rtol=1e-14)
    np.testing.assert_array_equal(found.counts, [2, 1, 2])
    np.testing.assert_allclose(found.density, np.array([2, 1, 2]) / 6)
    assert (found.count, found.zeros, found.outside, found.nonfinite) == (6, 1, 0, 2)
    narrow = statistics.log_histogram(values, per_decade=2, limits=(1e-2, 1e-1))
    np.testing.assert_array_equal(narrow.counts, [0, 2])
    np.testing.assert_allclose(narrow.density, [0, 2 * 2 / 6])
    assert (narrow.count, narrow.zeros, narrow.outside) == (6, 1, 3)


@given(seed=SEEDS, per_decade=st.integers(1, 12))
def test_histogram_holds_everything_and_integrates_to_one(seed, per_decade):
    found = statistics.log_histogram(cauchy(seed, 50), per_decade)
    widths = np.diff(np.log10(found.edges))
    np.testing.assert_allclose(widths, 1 / per_decade, rtol=1e-10)
    np.testing.assert_allclose(np.log10(found.edges[[0, -1]]) % 1, 0, atol=1e-12)
    assert np.sum(found.counts) == found.count == 50
    assert np.sum(found.density * widths) == pytest.approx(1, rel=1e-12)
    assert np.all((found.low <= found.density) & (found.density <= found.high))


def test_histogram_intervals_are_those_of_clopper_and_pearson():
    values = np.concatenate([np.full(7, 0.02), np.full(1, 0.3), np.full(4, 20.0)])
    found = statistics.log_histogram(values, per_decade=1)
    np.testing.assert_array_equal(found.counts, [7, 1, 0, 4])
    for count, low, high in zip(found.counts, found.low, found.high, strict=True):
        reference = scipy.stats.binomtest(int(count), 12).proportion_ci(0.68, "exact")
        assert (low, high) == pytest.approx((reference.low, reference.high), rel=1e-9)
    assert found.high[2] == pytest.approx(1 - 0.16 ** (1 / 12))  # without counts
    alone = statistics.log_histogram([0.02] * 5, per_decade=1)
    assert (alone.low[0], alone.high[0]) == pytest.approx((0.16**0.2, 1))


def test_histogram_errors_contain_the_density_at_their_confidence():
    """Of |x| of a Cauchy law, known in each bin: (2/π) arctan. 600 sets of 300 values."""
    count = 600
    limits = (1e-3, 1e3)
    found = [statistics.log_histogram(x, 2, limits) for x in cauchy(6, count, 300)]
    edges = np.logspace(-3, 3, 13)
    truth = np.diff(2 / np.pi * np.arctan(edges)) / 0.5
    inside = np.mean([(h.low <= truth) & (truth <= h.high) for h in found], axis=0)
    assert np.all(inside > 0.68 - binomial_tolerance(0.68, count))
    # where tens of counts are expected, the steps of the binomial law widen little
    assert np.all(inside[4:8] < 0.74 + binomial_tolerance(0.74, count))
    assert np.all(300 * truth[4:8] * 0.5 > 25)


@given(seed=SEEDS, scale=SCALES)
def test_histogram_scales_and_ignores_order(seed, scale):
    values = cauchy(seed, 40)
    found = statistics.log_histogram(values, limits=(1e-2, 1e2))
    scaled = statistics.log_histogram(scale * values, limits=(1e-2 * scale, 1e2 * scale))
    np.testing.assert_allclose(scaled.edges, scale * found.edges, rtol=1e-12)
    np.testing.assert_array_equal(scaled.counts, found.counts)
    np.testing.assert_allclose(scaled.density, found.density, rtol=1e-10)
    assert scaled.outside == found.outside
    mixed = statistics.log_histogram(np.random.default_rng(seed).permutation(-values))
    straight = statistics.log_histogram(values)
    np.testing.assert_array_equal(mixed.counts, straight.counts)
    np.testing.assert_array_equal(mixed.edges, straight.edges)


def test_histogram_next_to_powers_of_ten_and_at_the_ends_of_the_floats():
    for value in (1e-3, 1e3, np.nextafter(1e-3, 0), np.nextafter(1e3, 0), np.nextafter(1e3, 1e4)):
        found = statistics.log_histogram([value, 1.0], per_decade=1)
        assert np.sum(found.counts) == 2
        assert len(found.counts) <= 4
    ends = statistics.log_histogram([5e-324, 1.0, 1.7e308], per_decade=1)
    assert np.all(np.isfinite(ends.edges))
    assert ends.edges[0] > 0
    assert (np.sum(ends.counts), ends.outside) == (1, 2)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (([],), "values"),
        (([np.nan, np.inf],), "values"),
        (([0.0],), "values"),
        (([1.0], 0), "per_decade"),
        (([1.0], 8, (1.0, 1.0)), "limits"),
        (([1.0], 8, (0.0, 1.0)), "limits"),
        (([1.0], 8, (np.nan, 1.0)), "limits"),
        (([1.0], 8, (1.0, np.inf)), "limits"),
    ],
)
def test_no_histogram_of_these(arguments, what):
    with pytest.raises(InputError) as error:
        statistics.log_histogram(*arguments)
    assert error.value.what == what


def test_histogram_of_zeros_within_given_limits():
    found = statistics.log_histogram([0.0, 0.0], 1, (1e-3, 1.0))
    np.testing.assert_array_equal(found.counts, [0, 0, 0])
    assert (found.zeros, found.outside) == (2, 0)


# quantiles


@pytest.mark.parametrize("confidence", [0.5, 0.68, 0.95])
@pytest.mark.parametrize("n", [1, 2, 7, 40, 183, 500])
def test_quantile_intervals_cover_exactly(n, confidence):
    """The values 1 … n give the ranks l, u of the bounds: each misses with a binomial probability.

    x_l > the quantile where fewer than l values lie below it, x_u < it where u or more do. Both
    probabilities, summed from their definition, are at most (1 − confidence)/2, and one rank
    further in they would not be.
    """
    q = np.array([0.01, 0.05, 0.3, 0.5, 0.8, 0.99])
    found = statistics.quantiles(np.arange(1.0, n + 1), q, confidence)
    allowed = (1 - confidence) / 2
    for share, low, high in zip(q, found.low, found.high, strict=True):
        below = np.array(
            [math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
        )
        lower = 0 if low == -np.inf else int(low)
        upper = n + 1 if high == np.inf else int(high)
        assert np.sum(below[:lower]) <= allowed + 1e-12
        assert np.sum(below[upper:]) <= allowed + 1e-12
        assert np.sum(below[: lower + 1]) > allowed - 1e-12
        assert np.sum(below[upper - 1 :]) > allowed - 1e-12


def test_quantile_intervals_contain_the_truth_in_simulation():
    """Cauchy samples: at least nominal, less than 10 % above (four binomial deviations: 8 %)."""
    q = np.array([0.1, 0.5, 0.75])
    truth = scipy.stats.cauchy.ppf(q)
    for n, count in ((60, 500), (400, 500)):
        found = [statistics.quantiles(x, q) for x in cauchy(8 + n, count, n)]
        inside = np.mean([(f.low <= truth) & (truth <= f.high) for f in found], axis=0)
        assert np.all(inside > 0.68 - binomial_tolerance(0.68, count))
        assert np.all(inside < 0.78 + binomial_tolerance(0.78, count))


def test_quantile_bounds_beyond_all_values():
    found = statistics.quantiles([5.0], [0.0, 0.5, 1.0])
    np.testing.assert_array_equal(found.value, [5, 5, 5])
    np.testing.assert_array_equal(found.low, [-np.inf, -np.inf, 5])
    np.testing.assert_array_equal(found.high, [5, np.inf, np.inf])
    assert statistics.quantiles(np.arange(182.0), 0.01).low == -np.inf
    assert statistics.quantiles(np.arange(183.0), 0.01).low == 0


def test_quantile_shapes_and_dropped_values():
    values = jnp.array([[1.0, jnp.nan, 2.0], [4.0, 3.0, -jnp.inf]])
    found = statistics.quantiles(values, 0.5)
    assert found.value.shape == found.low.shape == found.high.shape == ()
    assert (float(found.value), found.count, found.nonfinite) == (2.5, 4, 2)
    grid = statistics.quantiles(values, [[0.1, 0.5], [0.9, 1.0]])
    assert grid.value.shape == grid.low.shape == grid.high.shape == (2, 2)
    np.testing.assert_allclose(grid.value, np.quantile([1, 2, 3, 4], [[0.1, 0.5], [0.9, 1.0]]))
    np.testing.assert_array_equal([grid.low[0, 0], grid.high[0, 0]], [-np.inf, 2])
    np.testing.assert_array_equal([grid.low[1, 1], grid.high[1, 1]], [4, np.inf])


@given(seed=SEEDS, scale=SCALES)
def test_quantiles_scale_and_ignore_order(seed, scale):
    values, q = cauchy(seed, 30), [0.1, 0.4, 0.9]
    found = statistics.quantiles(values, q)
    scaled = statistics.quantiles(scale * values, q)
    mixed = statistics.quantiles(np.random.default_rng(seed).permutation(values), q)
    for name in ("value", "low", "high"):
        np.testing.assert_allclose(getattr(scaled, name), scale * getattr(found, name), rtol=1e-10)
        np.testing.assert_array_equal(getattr(mixed, name), getattr(found, name))


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (([], 0.5), "values"),
        (([np.nan], 0.5), "values"),
        (([1.0], 1.5), "q"),
        (([1.0], np.nan), "q"),
        (([1.0], []), "q"),
        (([1.0], 0.5, 1.0), "confidence"),
    ],
)
def test_no_quantiles_of_these(arguments, what):
    with pytest.raises(InputError) as error:
        statistics.quantiles(*arguments)
    assert error.value.what == what


# tails


@pytest.mark.parametrize("alpha", [1.0, 2.0])
def test_tail_index_of_pareto_samples(alpha):
    """200 sets of exact power laws; the estimates scatter as their standard errors say."""
    rng = np.random.default_rng(30)
    sets = rng.choice([-1, 1], (200, 4000)) * rng.uniform(size=(200, 4000)) ** (-1 / alpha)
    found = [statistics.tail_index(x, 0.1) for x in sets]
    pulls = np.array([(tail.index - alpha) / tail.standard_error for tail in found])
    assert abs(np.mean(pulls)) < 4 / math.sqrt(200)
    assert np.std(pulls) == pytest.approx(1, abs=0.2)
    assert {tail.count for tail in found} == {400}
    # a tenth of the values lies above 10^(1/α)
    assert np.median([t.threshold for t in found]) == pytest.approx(10 ** (1 / alpha), rel=0.02)


def test_tail_index_by_hand():
    values = [-(math.e**3), math.e, 1.0, 0.5, -0.1, 0.0, np.nan, -np.inf]
    tail = statistics.tail_index(values, 2 / 6)
    assert (tail.count, tail.threshold, tail.nonfinite) == (2, 1.0, 2)
    assert tail.index == pytest.approx(2 / (3 + 1))
    assert tail.standard_error == pytest.approx(0.5 / math.sqrt(2))


def test_tail_index_of_a_cauchy_law_is_one():
    tail = statistics.tail_index(cauchy(31, 50_000), 0.02)
    assert abs(tail.index - 1) < 4 * tail.standard_error
    assert tail.standard_error < 0.04
    assert statistics.tail_index(cauchy(31, 40)).count == 2


@given(seed=SEEDS, scale=SCALES)
def test_tail_index_has_no_unit_and_ignores_order(seed, scale):
    values = cauchy(seed, 60)
    tail = statistics.tail_index(values, 0.2)
    mixed = np.random.default_rng(seed).permutation(-scale * values)
    other = statistics.tail_index(mixed, 0.2)
    assert other.index == pytest.approx(tail.index, rel=1e-9)
    assert other.threshold == pytest.approx(scale * tail.threshold, rel=1e-12)


@pytest.mark.parametrize(
    ("values", "fraction", "what"),
    [
        ([], 0.05, "values"),
        ([1.0], 0.5, "fraction"),
        (list(range(20)), 0.05, "fraction"),
        ([0.0, 0.0, 0.0, 1.0, 2.0], 0.5, "fraction"),
        ([1.0] * 6, 0.5, "values"),
        ([1.0, 2.0, 3.0], 1.0, "fraction"),
    ],
)
def test_no_tail_index_of_these(values, fraction, what):
    with pytest.raises(InputError) as error:
        statistics.tail_index(values, fraction)
    assert error.value.what == what


def test_integers_of_any_shape_are_accepted():
    values = np.arange(-20, 44).reshape(4, 4, 4)
    assert statistics.log_histogram(values).zeros == 1
    assert statistics.tail_index(jnp.asarray(values), 0.25).count == 16


def test_binomial_quantiles():
    shares = np.array([0.0, 1e-3, 0.16, 0.5, 0.975, 1.0])
    for n in (1, 2, 3, 10, 37, 1000, 100_000):
        for level in (1e-3, 0.025, 0.16, 0.45, 0.5, 0.84, 0.975, 0.999):
            # a tie: half of the probability lies at the lower counts, and versions of scipy differ
            some = shares[shares != 0.5] if level == 0.5 else shares
            expected = scipy.stats.binom.ppf(level, n, some)
            found = statistics._binomial_quantile(level, n, some)
            np.testing.assert_array_equal(found, expected)
