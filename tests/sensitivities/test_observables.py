"""Statistics and their derivatives, against laws whose derivatives are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

import diffdip as dd
from diffdip.foundation.errors import InputError
from diffdip.sensitivities.observables import (
    Amplitude,
    CauchyWidth,
    Component,
    GeometricMean,
    Magnitude,
    Quantile,
    Response,
    TailFraction,
    observe,
)


COUNT = 200_000
B, SIZE = Component("B"), Magnitude("B")
NONE = np.zeros(0)


def scaled(x: np.ndarray) -> Response:
    """All values grow in proportion to the parameter, which is 1."""
    return Response(x, x, NONE, NONE, NONE)


def mixed(share: float, one: np.ndarray, other: np.ndarray, seed: int = 0) -> Response:
    """A mixture whose parameter is the share of `one`: flips from either law to the other."""
    rng = np.random.default_rng(seed)
    of_one = rng.random(len(one)) < share
    before = np.where(of_one, one, other)
    after = np.where(of_one, rng.permutation(other), rng.permutation(one))
    rate = np.where(of_one, -1.0, 1.0)
    return Response(before, np.zeros_like(before), before, after, rate)


@pytest.mark.parametrize("level", [0.05, 0.25, 0.5, 0.9, 0.98])
def test_quantiles_of_a_scale_family(level):
    x = scipy.stats.lognorm(1.5).rvs(COUNT, random_state=1)
    statistic = Quantile(SIZE, level)
    assert statistic.slope(scaled(x)) == pytest.approx(statistic.value(x), rel=2e-3)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.8])
def test_quantiles_of_a_shift(level):
    x = scipy.stats.cauchy().rvs(COUNT, random_state=2)
    response = Response(x, np.ones(COUNT), NONE, NONE, NONE)
    assert Quantile(B, level).slope(response) == pytest.approx(1, rel=1e-12)


def test_scale_families_of_the_other_statistics():
    x = scipy.stats.cauchy().rvs(COUNT, random_state=3)
    assert CauchyWidth(B).slope(scaled(x)) == pytest.approx(CauchyWidth(B).value(x), rel=1e-9)
    size, above = np.abs(x), 3.0
    exact = 2 / np.pi * above / (1 + above**2)  # of P(|x| > above/θ) by θ
    assert TailFraction(SIZE, above).slope(scaled(size)) == pytest.approx(exact, rel=0.02)
    mean = GeometricMean(SIZE, 1e-9)
    assert mean.slope(scaled(size)) == pytest.approx(mean.value(size), rel=1e-9)
    # half of the values lie below the floor and do not change
    floored = GeometricMean(SIZE, 1.0)
    assert floored.slope(scaled(size)) == pytest.approx(0.5 * floored.value(size), rel=0.01)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_quantiles_change_with_flips(level):
    share, laws = 0.3, (scipy.stats.lognorm(1.0, scale=3.0), scipy.stats.lognorm(1.2))
    response = mixed(share, *(law.rvs(COUNT, random_state=i) for i, law in enumerate(laws)))

    def quantile(share: float) -> float:
        below = lambda x: share * laws[0].cdf(x) + (1 - share) * laws[1].cdf(x) - level
        return scipy.optimize.brentq(below, 1e-6, 1e3, xtol=1e-12)

    exact = (quantile(share + 1e-4) - quantile(share - 1e-4)) / 2e-4
    assert Quantile(SIZE, level).slope(response) == pytest.approx(exact, rel=0.04)


def test_other_statistics_change_with_flips():
    laws = scipy.stats.cauchy(0, 3.0), scipy.stats.cauchy(0, 1.0)
    response = mixed(0.3, *(law.rvs(COUNT, random_state=i) for i, law in enumerate(laws)))
    # width w of the mixture: the mean of (z² − 1)/(1 + z²), z = x/w, is (v − w)/(v + w) for width v
    mean = lambda w, share: share * (3 - w) / (3 + w) + (1 - share) * (1 - w) / (1 + w)
    width = lambda share: scipy.optimize.brentq(mean, 1, 3, args=(share,), xtol=1e-13)
    exact = (width(0.3 + 1e-4) - width(0.3 - 1e-4)) / 2e-4
    assert CauchyWidth(B).slope(response) == pytest.approx(exact, rel=0.03)

    size = Response(
        *(np.abs(part) for part in (response.x, response.slope)),
        np.abs(response.before),
        np.abs(response.after),
        response.rate,
    )
    tails = [2 * law.sf(2.0) for law in laws]
    tail = TailFraction(SIZE, 2.0).slope(size)
    assert tail == pytest.approx(tails[0] - tails[1], rel=0.03)
    # ⟨ln|x|⟩ of a Cauchy law is the logarithm of its width
    mean = GeometricMean(SIZE, 1e-9)
    assert mean.slope(size) == pytest.approx(mean.value(size.x) * np.log(3), rel=0.03)


@pytest.mark.slow
def test_amplitude_is_that_of_the_curve():
    fields = np.array([0.02, 0.05, -0.03])
    sample = dd.AnisotropyFields(*fields)
    angle = np.linspace(0, np.pi, 1800, endpoint=False)
    curve = np.asarray(dd.resonance_field(sample, angle, 9.45e9))
    amplitude = jax.jit(lambda fields: Amplitude(angles=900)(fields, dd.PAPER))
    found = amplitude(fields)
    assert float(found) == pytest.approx(np.ptp(curve), rel=1e-4)
    # first order in B and C: Hres = w0 − (3/4)(B cos 2α + 2C sin 2α) … of this convention
    small = 1e-4 * fields
    first_order = 1.5 * np.hypot(small[1], 2 * small[2])
    assert float(amplitude(small)) == pytest.approx(first_order, rel=1e-3)


@pytest.mark.slow
def test_amplitude_without_a_resonance():
    fields = jnp.array([0.0, 3.0, 0.0])
    amplitude = jax.jit(jax.value_and_grad(lambda fields: Amplitude()(fields, dd.PAPER)))
    value, slope = amplitude(fields)
    assert float(value) == np.inf
    np.testing.assert_array_equal(slope, 0)


def test_observables_of_many_samples():
    fields = jnp.arange(-6.0, 6.0).reshape(2, 2, 3)
    np.testing.assert_array_equal(observe(SIZE, fields, dd.PAPER), jnp.abs(fields[..., 1]))
    np.testing.assert_array_equal(observe(Component("C"), fields, dd.PAPER), fields[..., 2])


@pytest.mark.parametrize(
    ("make", "what", "given"),
    [
        (lambda: Quantile(B, 1.0), "level", 1.0),
        (lambda: TailFraction(SIZE, 0.0), "above", 0.0),
        (lambda: Magnitude("D"), "name", "D"),
        (lambda: Component("AB"), "name", "AB"),
        (lambda: TailFraction(B, 0.1), "observable", "B"),
        (lambda: GeometricMean(B), "observable", "B"),
    ],
)
def test_arguments_that_no_statistic_has(make, what, given):
    with pytest.raises(InputError) as error:
        make()
    assert (error.value.what, error.value.given) == (what, given)
