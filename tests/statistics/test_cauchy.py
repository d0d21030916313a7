"""The Cauchy law of A, B and C, and its fit, against scipy, Lévy sums and closed forms."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, strategies as st

import diffdip as dd
from diffdip.foundation.errors import InputError
from diffdip.statistics.cauchy import A_CENTER, CauchyLaw, cauchy_law, fit_cauchy


SEEDS = st.integers(0, 2**32 - 1)
SCALES = st.floats(1e-6, 1e6)
ONE_SIGMA = 0.6827


def cauchy(seed, *shape):
    return np.random.default_rng(seed).standard_cauchy(shape)


# the law


@pytest.mark.parametrize(("center", "half_width"), [(0.0, 1.0), (-0.03, 0.02), (5.0, 1e3)])
def test_law_is_that_of_scipy(center, half_width):
    law, reference = CauchyLaw(center, half_width), scipy.stats.cauchy(center, half_width)
    x = center + half_width * np.array([-1e12, -1e3, -2.0, -0.3, 0.0, 0.7, 1.0, 50.0, 1e5])
    q = np.array([1e-9, 0.01, 0.25, 0.3, 0.5, 0.6, 0.75, 0.76, 0.999])
    np.testing.assert_allclose(law.density(x), reference.pdf(x), rtol=1e-13)
    np.testing.assert_allclose(law.log_density(x), reference.logpdf(x), rtol=1e-13)
    np.testing.assert_allclose(law.cumulative(x), reference.cdf(x), rtol=1e-13)
    np.testing.assert_allclose(law.quantile(q), reference.ppf(q), rtol=1e-12, atol=1e-15)


@pytest.mark.slow
def test_law_at_the_edges():
    law = CauchyLaw(0.1, 2.0)
    ends = np.array([-np.inf, np.inf, np.nan])
    np.testing.assert_array_equal(law.density(ends), [0, 0, np.nan])
    np.testing.assert_array_equal(law.log_density(ends), [-np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(law.cumulative(ends), [0, 1, np.nan])
    q = np.array([0.0, 1.0, -0.1, 1.1, np.nan])
    np.testing.assert_array_equal(law.quantile(q), [-np.inf, np.inf, np.nan, np.nan, np.nan])
    for width in (0.0, -1.0, np.nan):
        broken = CauchyLaw(0.0, width)
        for value in (broken.density(0.5), broken.cumulative(0.5), broken.quantile(0.5)):
            assert np.isnan(value)
        assert np.isnan(broken.log_density(0.5))
        assert np.isnan(broken.sample(jax.random.key(0)))


@given(exponent=st.floats(-12, math.log10(0.5)), upper=st.booleans())
def test_quantile_undoes_cumulative(exponent, upper):
    law = CauchyLaw(-0.04, 0.03)
    q = 1 - 10.0**exponent if upper else 10.0**exponent
    assert float(law.cumulative(law.quantile(q))) == pytest.approx(q, rel=1e-13)


@pytest.mark.float32
def test_quantile_undoes_cumulative_in_single_precision():
    q = jnp.array([1e-20, 1e-6, 0.1, 0.5, 0.9])
    law = CauchyLaw(0.0, 0.02)
    assert law.quantile(q).dtype == jnp.float32
    np.testing.assert_allclose(law.cumulative(law.quantile(q)), q, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["density", "log_density", "cumulative", "quantile"])
@pytest.mark.parametrize("argument", [0.03, 0.2, 0.5, 0.6, 0.97])
def test_derivatives_are_finite_differences(method, argument):
    def value(center, half_width, x):
        return getattr(CauchyLaw(center, half_width), method)(x)

    at, step = (0.1, 0.7, argument), 1e-5
    gradient = jax.grad(value, argnums=(0, 1, 2))(*at)
    for i in range(3):
        up, down = list(at), list(at)
        up[i] += step
        down[i] -= step
        difference = (value(*up) - value(*down)) / (2 * step)
        assert float(gradient[i]) == pytest.approx(float(difference), rel=1e-6, abs=1e-8)


def test_law_under_jit_and_vmap():
    x = jnp.linspace(-3, 3, 5)
    widths = jnp.array([0.5, 1.0, 2.0])
    laws = jax.vmap(lambda width: CauchyLaw(0.1, width))(widths)
    together = eqx.filter_jit(jax.vmap(lambda law: law.cumulative(x)))(laws)
    for row, width in zip(together, widths, strict=True):
        np.testing.assert_allclose(row, scipy.stats.cauchy(0.1, float(width)).cdf(x), rtol=1e-13)


def test_samples_follow_the_law():
    law = CauchyLaw(3.0, 0.5)
    values = np.asarray(law.sample(jax.random.key(1), (40, 100)))
    assert values.shape == (40, 100)
    assert scipy.stats.kstest(values.ravel(), scipy.stats.cauchy(3.0, 0.5).cdf).pvalue > 1e-3
    assert law.sample(jax.random.key(1)).shape == ()
    slope = jax.grad(lambda width: CauchyLaw(3.0, width).sample(jax.random.key(2)))(0.5)
    value = float(law.sample(jax.random.key(2)))
    assert float(slope) == pytest.approx((value - 3.0) / 0.5, rel=1e-12)


# the laws of A, B and C


def levy_sums(count, terms):
    """(A, B, C)/(µ0M) of `count` samples in the limit of many uncorrelated dipoles, W = 1.

    From eq. 3, D = (2V/4πn²) Σ over pairs of (I − 3 r̂r̂ᵀ)/r³, and V/n² = 1/(nρ):
    D = Σ (I − 3 r̂r̂ᵀ)/r³ / (2π nρ). Of the n²/2 pairs each is closer than R with probability
    (4π/3) R³/V, so (2π/3) nρ R³ pairs are closer than R: the numbers Γ = (2π/3) nρ r³ are a Poisson
    process of rate 1, and 1/r³ = (2π/3) nρ/Γ. Hence D = ⅓ Σ (I − 3 r̂r̂ᵀ)/Γ with independent,
    isotropic r̂. The terms left out have mean zero and variance of the order of 1/`terms`.
    """
    rng = np.random.default_rng(7)
    gamma = np.cumsum(rng.exponential(size=(count, terms)), axis=1)
    z, phi = rng.uniform(-1, 1, gamma.shape), rng.uniform(0, 2 * np.pi, gamma.shape)
    x, y = np.sqrt(1 - z**2) * np.cos(phi), np.sqrt(1 - z**2) * np.sin(phi)
    d_xx = np.sum((1 - 3 * x**2) / gamma, axis=1) / 3
    d_yy = np.sum((1 - 3 * y**2) / gamma, axis=1) / 3
    d_xy = np.sum(-3 * x * y / gamma, axis=1) / 3
    return {"A": d_xx + d_yy, "B": d_xx - d_yy, "C": d_xy}


def test_exact_half_widths_are_those_of_levy_sums():
    """16 000 sums: half the interquartile range has an error of 1.2 %; 5 % are four of these."""
    for name, sums in levy_sums(16_000, 200).items():
        low, median, high = np.quantile(sums, [0.25, 0.5, 0.75])
        law = cauchy_law(name, 1.0, "physical")
        assert float(law.half_width) == pytest.approx((high - low) / 2, rel=0.05)
        # a median is known to (π/2) w/√n, 0.5 % of µ0M for A, a tenth of its shift
        center = A_CENTER if name == "A" else 0.0
        deviation = math.pi / 2 * float(law.half_width) / math.sqrt(len(sums))
        assert abs(median - center) < 4 * deviation


@pytest.mark.slow
def test_laws_hold_for_dipoles():
    """1500 cubes of 100 dipoles: quartiles to 4 %, and some 5 % less at this finite size."""

    def fields(positions):
        found = dd.DipoleSystem(positions, 50.0).anisotropy_fields()
        return found.A, found.B, found.C

    positions = jax.random.uniform(jax.random.key(3), (1500, 100, 3), maxval=50.0 ** (1 / 3))
    found = jax.jit(lambda p: jax.lax.map(fields, p, batch_size=100))(positions)
    mu0_M = 4e-7 * math.pi * 100 * 1.73 * 9.274e-24 / 50e-27
    for name, values in zip("ABC", found, strict=True):
        low, high = np.quantile(values, [0.25, 0.75])
        half_width = float(cauchy_law(name, mu0_M).half_width)
        assert half_width == pytest.approx((high - low) / 2, rel=0.15)


def test_conventions_and_names_of_the_laws():
    for name in "ABC":
        paper, physical = cauchy_law(name, 0.04), cauchy_law(name, 0.04, dd.PHYSICAL)
        assert float(paper.half_width) == pytest.approx(2 * float(physical.half_width), rel=1e-15)
        assert float(paper.center) == 0
    slope = jax.grad(lambda field: cauchy_law("B", field).quantile(0.75))(0.04)
    assert float(slope) == pytest.approx(4 / 3, rel=1e-12)
    assert np.isnan(cauchy_law("A", -1.0).density(0.0))
    with pytest.raises(InputError) as error:
        cauchy_law("D", 0.04)
    assert (error.value.what, error.value.given) == ("name", "D")
    with pytest.raises(ValueError):
        cauchy_law("B", 0.04, "printed")


# fits


def test_fit_of_three_and_four_values_in_closed_form():
    """Ferguson, J. Am. Stat. Assoc. 73, 211 (1978)."""
    for seed in range(10):
        a, b, c = np.sort(cauchy(seed, 3))
        squares = (c - b) ** 2 + (c - a) ** 2 + (b - a) ** 2
        fit = fit_cauchy([c, a, b])
        center = (a * (c - b) ** 2 + b * (c - a) ** 2 + c * (b - a) ** 2) / squares
        half_width = math.sqrt(3) * (c - b) * (c - a) * (b - a) / squares
        assert fit.center == pytest.approx(center, rel=1e-9, abs=1e-9)
        assert fit.half_width == pytest.approx(half_width, rel=1e-9)
    for a, b, c, d in ([0.0, 1.0, 1.5, 4.0], [-3.0, -1.0, 0.0, 0.2]):
        fit = fit_cauchy([a, b, c, d])
        span = d - c + b - a
        half_width = math.sqrt((d - c) * (c - b) * (b - a) * (d - a)) / span
        assert fit.center == pytest.approx((b * d - a * c) / span, rel=1e-9)
        assert fit.half_width == pytest.approx(half_width, rel=1e-9)


@pytest.mark.slow
def test_fit_is_that_of_scipy():
    values = 0.3 + 0.02 * cauchy(11, 300)
    fit = fit_cauchy(values)
    assert fit.converged
    assert (fit.count, fit.nonfinite) == (300, 0)
    center, half_width = scipy.stats.cauchy.fit(values)  # itself to some 1e-4
    assert fit.center == pytest.approx(center, abs=2e-3 * half_width)
    assert fit.half_width == pytest.approx(half_width, rel=2e-3)
    assert (float(fit.law.center), float(fit.law.half_width)) == (fit.center, fit.half_width)

    def likelihood(parameters):
        return jnp.sum(CauchyLaw(parameters[0], parameters[1]).log_density(jnp.asarray(values)))

    at = jnp.array([fit.center, fit.half_width])
    assert np.max(np.abs(jax.jit(jax.grad(likelihood))(at))) * fit.half_width < 1e-8
    # the observed curvature agrees with the information 1/(2 w²) per value
    curvature = -np.diagonal(jax.jit(jax.hessian(likelihood))(at))
    errors = [fit.center_error, fit.half_width_error]
    np.testing.assert_allclose(errors, curvature**-0.5, rtol=0.2)


@pytest.mark.slow
def test_fit_errors_contain_the_truth_at_their_confidence():
    count = 600
    fits = [fit_cauchy(1.0 + 0.1 * sample) for sample in cauchy(5, count, 150)]
    for value, error, truth in (("center",) * 2 + (1.0,), ("half_width",) * 2 + (0.1,)):
        pulls = np.array([(getattr(f, value) - truth) / getattr(f, error + "_error") for f in fits])
        share = np.mean(np.abs(pulls) < 1)
        assert abs(share - ONE_SIGMA) < 4 * math.sqrt(ONE_SIGMA * (1 - ONE_SIGMA) / count)
        assert np.std(pulls) == pytest.approx(1, abs=0.12)


def test_fit_drops_values_that_are_not_finite_and_resists_outliers():
    values = cauchy(12, 40)
    fit = fit_cauchy(values)
    dirty = fit_cauchy(np.concatenate([values, [np.nan, np.inf, -np.inf]]))
    assert (dirty.center, dirty.half_width, dirty.count) == (fit.center, fit.half_width, 40)
    assert dirty.nonfinite == 3
    far = fit_cauchy(np.concatenate([values, [1e200]]))
    assert far.converged
    assert far.half_width == pytest.approx(fit.half_width, rel=0.2)


@pytest.mark.parametrize("values", [[], [1.0, 2.0, np.nan], [2.0] * 5, [2.0, 2.0, 1.0, 3.0]])
def test_values_without_a_fit(values):
    with pytest.raises(InputError) as error:
        fit_cauchy(values)
    assert error.value.what == "values"
    assert error.value.given is values


@given(seed=SEEDS, scale=SCALES)
def test_fit_scales_and_ignores_order(seed, scale):
    values = cauchy(seed, 25)
    fit = fit_cauchy(values)
    scaled = fit_cauchy(scale * values)
    assert scaled.half_width == pytest.approx(scale * fit.half_width, rel=1e-9)
    assert scaled.center == pytest.approx(scale * fit.center, abs=1e-9 * scaled.half_width)
    assert scaled.center_error == pytest.approx(scale * fit.center_error, rel=1e-9)
    mixed = fit_cauchy(np.random.default_rng(seed).permutation(values))
    assert mixed.half_width == pytest.approx(fit.half_width, rel=1e-9)
    assert mixed.center == pytest.approx(fit.center, abs=1e-9 * fit.half_width)


def test_fit_accepts_integers_of_any_shape():
    assert fit_cauchy(np.arange(-20, 44).reshape(4, 4, 4)).center == pytest.approx(11.5)
