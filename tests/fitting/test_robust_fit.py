"""Fits by the soft-l1 loss: few points, wrong points, a wrong σ."""

import jax
import numpy as np
import pytest
import scipy.optimize

import diffdip as dd
from diffdip.fitting.robust_loss import SLOPE, SQUARE, m_scale


NU = 9.45e9
ANGLES = np.radians(np.arange(0, 181, 10.0))
TRUTH = {"A": 0.05, "B": 0.03, "C": 0.01}
NOISE = 1e-4

measured = jax.jit(dd.resonance_field)


def curve(A=0.05, B=0.03, C=0.01):
    return np.asarray(measured(dd.AnisotropyFields(A, B, C), ANGLES, NU))


def noisy(seed):
    return curve() + np.random.default_rng(seed).normal(0, NOISE, ANGLES.shape)


def robust(field, sigma=None):
    return dd.fit_series(ANGLES, field, sigma, frequency=NU, loss="soft_l1")


def codes(result):
    return {flag.code for flag in result.flags}


def errors_off(result):
    return max(abs(result.values[n] - v) / result.standard_errors[n] for n, v in TRUTH.items())


def test_constants_are_means_of_normal_noise():
    z, weight = np.polynomial.hermite_e.hermegauss(150)
    weight = weight / weight.sum()
    assert np.sum(weight * (1 + z**2) ** -1.5) == pytest.approx(SLOPE, abs=1e-5)
    assert np.sum(weight * z**2 / (1 + z**2)) == pytest.approx(SQUARE, abs=1e-5)
    noise = np.random.default_rng(0).normal(0, 3.0, (1, 100_000))
    scale = m_scale(noise, np.ones(noise.shape, bool), np.array([1e5]))
    assert scale[0] == pytest.approx(3.0, rel=0.02)


def test_few_points_with_known_sigma_have_the_errors_of_sigma():
    used = np.isin(np.arange(ANGLES.size), [0, 4, 9, 13])
    for seed in range(4):
        field = np.where(used, noisy(seed), np.nan)
        squares = dd.fit_series(ANGLES, field, NOISE, frequency=NU)
        found = robust(field, NOISE)
        for name in "ABC":
            ratio = found.standard_errors[name] / squares.standard_errors[name]
            # by asymptotic efficiency, for normal noise
            assert ratio == pytest.approx(SQUARE**0.5 / SLOPE, rel=0.01)
        assert errors_off(found) < 4


@pytest.mark.slow
@pytest.mark.parametrize(("known", "count"), [(True, 5), (False, 8)])
def test_ranges_hold_the_truth_as_often_as_they_say(known, count):
    rng = np.random.default_rng([count, known])
    field = curve() + rng.normal(0, NOISE, (200, ANGLES.size))
    field[:, np.setdiff1d(np.arange(19), np.linspace(0, 17, count).astype(int))] = np.nan
    found = dd.fit_many(ANGLES, field, NOISE if known else None, frequency=NU, loss="soft_l1")
    truth = np.array(list(TRUTH.values()))
    inside = np.mean((found.lower[:, 1] < truth) & (truth < found.upper[:, 1]))
    assert 0.92 < inside < 0.99  # of 600 numbers, in groups of three


@pytest.mark.parametrize("sigma", [None, NOISE])
@pytest.mark.parametrize("point", [0, 7, 9])
def test_one_point_that_is_wrong_by_3_tesla(sigma, point):
    field = noisy(point)
    field[point] += 3
    found = robust(field, sigma)
    assert errors_off(found) < 4
    assert max(found.standard_errors.values()) < NOISE
    assert found.flags == ()


@pytest.mark.parametrize("sigma", [None, NOISE])
def test_four_points_of_another_line_are_told(sigma):
    wrong = [3, 8, 9, 14]
    field = noisy(5)
    field[wrong] += 0.3
    found = robust(field, sigma)
    assert errors_off(found) < 4
    assert codes(found) == {"many-outliers"}
    named = [flag.message.split("°")[0].split()[-1] for flag in dd.io.residual_warnings(found)]
    assert named == [f"{10 * i}" for i in wrong]
    if sigma is not None:
        at_truth = np.sum(2 * (np.sqrt(1 + ((field - curve()) / sigma) ** 2) - 1))
        assert found.chi2 < at_truth


@pytest.mark.parametrize(
    ("sigma", "code"), [(NOISE / 10, "misfit"), (10 * NOISE, "sigma-too-large")]
)
def test_a_wrong_sigma_is_told(sigma, code):
    found = robust(noisy(1), sigma)
    assert codes(found) & {code, "many-outliers"}
    assert robust(noisy(1), NOISE).flags == ()


def test_the_end_is_a_minimum_of_the_loss_by_scipy():
    field = noisy(2)
    field[[4, 11]] += 0.08
    plain = dd.fit_series(ANGLES, field, frequency=NU)
    found = robust(field, NOISE)
    scipys = scipy.optimize.least_squares(
        lambda x: (field - curve(*x)) / NOISE, list(TRUTH.values()), loss="soft_l1", xtol=1e-12
    )
    np.testing.assert_allclose([found.values[n] for n in "ABC"], scipys.x, atol=1e-8)
    assert found.chi2 == pytest.approx(2 * scipys.cost, rel=1e-9)
    assert found.converged
    unknown = robust(field)
    assert abs(plain.values["A"] - 0.05) > 2e-3
    assert errors_off(unknown) < 4
    assert unknown.flags == ()
