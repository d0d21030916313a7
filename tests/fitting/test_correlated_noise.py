"""Noise that is correlated between neighbours: factors and bounds against simulated noise."""

import dataclasses

import numpy as np
import pytest

import diffdip as dd
from diffdip.fitting.correlated_noise import EXCLUDED, CorrelatedNoise, correlated_noise
from diffdip.fitting.neighbours import basis_of


NU = 9.45e9
ABC = ("A", "B", "C")


def waves(count):
    """The derivatives of a curve with the parameters A, B, C, at `count` angles of half a turn."""
    angle = np.pi * np.arange(count) / count
    return np.stack([np.full(count, 0.75), np.cos(2 * angle), np.sin(2 * angle)], axis=1)


def drifting(rng, fits, count, rho):
    """Autoregressive noise of variance 1, shape (fits, count), by its definition."""
    noise = rng.normal(size=(fits, count))
    for i in range(1, count):
        noise[:, i] = rho * noise[:, i - 1] + np.sqrt(1 - rho**2) * noise[:, i]
    return noise


def left_by(jacobian, noise):
    basis = basis_of(jacobian)
    return noise - (noise @ basis) @ basis.T


def said(jacobian, residual, lengths, *, known_sigma):
    return correlated_noise(ABC, residual, jacobian, lengths, known_sigma=known_sigma)


@pytest.mark.parametrize("lengths", [[18], [12, 9, 1]])
def test_factors_are_those_of_simulated_fits(lengths):
    """Residuals far below σ leave its variance, which that of the simulated noise is."""
    rng = np.random.default_rng(len(lengths))
    jacobian = waves(sum(lengths)) * np.linspace(0.5, 2, sum(lengths))[:, None]
    residual = left_by(jacobian, 1e-2 * drifting(rng, 1, sum(lengths), 0.5)[0])
    found = said(jacobian, residual, lengths, known_sigma=True)
    assert found.correlation > 0.2
    noise = np.concatenate(
        [drifting(rng, 40_000, count, found.correlation) for count in lengths], axis=1
    )
    estimates = noise @ np.linalg.pinv(jacobian).T
    stated = np.sqrt(np.diagonal(np.linalg.inv(jacobian.T @ jacobian)))
    # the error of A grows with the correlation, those of B and C are largest below the bound
    assert found.factors["A"] == pytest.approx(estimates[:, 0].std() / stated[0], rel=0.02)
    for name, ratio in zip(ABC, estimates.std(axis=0) / stated, strict=True):
        assert found.factors[name] > 0.98 * ratio


@pytest.mark.parametrize("sigma", [None, 0.5, 5.0])
def test_bound_and_factor_are_those_of_the_dense_likelihood(sigma):
    """By a basis of what the fit leaves, and the covariance as a matrix."""
    lengths = [10, 7]
    jacobian = waves(17)
    residual = left_by(jacobian, drifting(np.random.default_rng(4), 1, 17, 0.4)[0])
    unit = sigma or 1.0
    found = said(jacobian / unit, residual / unit, lengths, known_sigma=sigma is not None)
    left = np.linalg.svd(jacobian)[0][:, 3:]
    row, block = np.arange(17), np.repeat([0, 1], lengths)

    def covariance(rho):
        return rho ** np.abs(row[:, None] - row) * (block[:, None] == block)

    def variance(rho):
        inner = left.T @ covariance(rho) @ left
        squares = residual @ left @ np.linalg.solve(inner, left.T @ residual)
        return squares / 14, inner

    def likelihood(rho):
        v, inner = variance(rho)
        return -(np.linalg.slogdet(inner)[1] + 14 * np.log(v)) / 2

    grid = np.linspace(0, np.exp(-1 / 10), 400)
    values = np.array([likelihood(rho) for rho in grid])
    bound = grid[values > values.max() - EXCLUDED].max()
    assert found.correlation == pytest.approx(bound, abs=0.03)
    assert found.is_open == (bound == grid[-1])
    slope = np.linalg.pinv(jacobian)
    ratio = (slope @ covariance(found.correlation) @ slope.T)[0, 0] / (slope @ slope.T)[0, 0]
    stated = variance(0.0)[0] if sigma is None else sigma**2
    noise = max(variance(found.correlation)[0], 0.0 if sigma is None else sigma**2)
    expected = np.sqrt(noise * ratio / stated)
    assert found.factors["A"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("known_sigma", [True, False])
def test_the_true_correlation_is_below_the_bound_and_errors_as_told_hold(known_sigma):
    """Of A at 18 angles: as stated, a sixth or more of the errors are exceeded threefold."""
    rng, jacobian = np.random.default_rng(5), waves(18)
    noise = drifting(rng, 1000, 18, 0.7)
    residuals = left_by(jacobian, noise)
    found = [said(jacobian, r, [18], known_sigma=known_sigma) for r in residuals]
    assert 0.91 < np.mean([one.correlation >= 0.7 for one in found]) < 0.99
    scale = 1.0 if known_sigma else np.sqrt(np.sum(residuals**2, axis=1) / 15)
    stated = scale * np.sqrt(np.linalg.inv(jacobian.T @ jacobian)[0, 0])
    off = np.abs(noise @ np.linalg.pinv(jacobian)[0]) / stated
    factor = np.array([one.factors["A"] if one.note else 1.0 for one in found])
    assert np.mean(off > 3) > 0.1
    assert np.mean(off > 3 * factor) < 0.015


def test_the_likely_factor_is_that_of_the_true_noise_for_many_points():
    jacobian = waves(1000)
    rng = np.random.default_rng(6)
    noise = drifting(rng, 20, 1000, 0.8)
    factors = [
        said(jacobian, r, [1000], known_sigma=False).likely_factor for r in left_by(jacobian, noise)
    ]
    assert np.mean(factors) == pytest.approx(3.0, rel=0.1)  # √((1 + ρ)/(1 − ρ))


def test_nothing_is_told_of_many_points_of_white_noise():
    jacobian = waves(458)
    rng = np.random.default_rng(7)
    for residual in left_by(jacobian, rng.normal(size=(50, 458))):
        found = said(jacobian, residual, [458], known_sigma=False)
        assert found.note == ""
        assert 0 <= found.correlation < 0.3
        assert max(found.factors.values()) < 1.4


def test_random_order_protects_what_depends_on_the_angle():
    """The rows are the order of measuring: then drift moves A by more than its error, not B, C."""
    rng = np.random.default_rng(8)
    noise = drifting(rng, 300, 18, 0.7)
    factors, true = [], []
    for rows in (np.arange(18), rng.permutation(18)):
        jacobian = waves(18)[rows]
        found = [said(jacobian, r, [18], known_sigma=False) for r in left_by(jacobian, noise)]
        factors.append(np.median([[one.factors[name] for name in ABC] for one in found], axis=0))
        stated = np.sqrt(np.diagonal(np.linalg.inv(jacobian.T @ jacobian)))
        true.append(np.std(noise @ np.linalg.pinv(jacobian).T, axis=0) / stated)
    in_order, at_random = factors
    assert in_order.min() > 3
    assert at_random[0] > 2
    assert at_random[1:].max() < 1.6
    assert true[1][0] > 1.9
    assert true[1][1:].max() < 1.35


def test_nothing_is_said_where_residuals_do_not_tell():
    rng = np.random.default_rng(9)
    short = waves(12)
    assert said(short, rng.normal(size=12), [4, 4, 4], known_sigma=True) is None
    assert said(waves(5)[:3], rng.normal(size=3), [3], known_sigma=True) is None
    assert said(np.ones((18, 3)), rng.normal(size=18), [18], known_sigma=True) is None
    assert said(waves(18), np.zeros(18), [18], known_sigma=False) is None
    # points that were not measured are passed over
    residual = rng.normal(size=18)
    gaps = np.insert(residual, [3, 9], np.nan)
    wide = np.insert(waves(18), [3, 9], 1.0, axis=0)
    assert said(wide, gaps, [20], known_sigma=True) == said(
        waves(18), residual, [18], known_sigma=True
    )


def test_the_note_names_the_worst_two_and_is_short_of_small_factors():
    noise = CorrelatedNoise(0.81, False, {"A": 1.9, "B": 3.14, "C": 1.7}, 2.0, 18)
    assert "18 points do not exclude a correlation of 0.81" in noise.note
    assert "error of B may then be 3.1 times as large, that of A 1.9 times." in noise.note
    assert "C" not in noise.note
    one = dataclasses.replace(noise, is_open=True, factors={"A": 1.9, "B": 1.4})
    assert "exclude no correlation up to 0.81" in one.note
    assert "error of A may then be 1.9 times as large. Measure" in one.note
    assert dataclasses.replace(noise, factors={"A": 1.49}).note == ""


ANGLES = np.radians(np.arange(0, 180, 10.0))
"""Anisotropies are so small that the resonance field is that of first order."""


def measured(noise, sigma):
    field = 0.3376 - 0.001 * np.cos(2 * ANGLES) + 1e-4 * noise
    return dd.Series(ANGLES, field, sigma, frequency=NU)


@pytest.mark.parametrize("loss", ["linear", "soft_l1"])
def test_a_fit_states_it(loss):
    noise = drifting(np.random.default_rng(11), 1, 18, 0.5)[0]
    found = [
        dd.fit_joint([measured(noise, sigma)], loss=loss, intervals=False) for sigma in (1e-4, None)
    ]
    known, unknown = (one.correlated_noise for one in found)
    assert known is not None
    assert unknown is not None
    assert set(known.factors) == set(ABC)
    assert known.n_points == 18
    assert 1.5 < known.factors["A"] < unknown.factors["A"]
    assert found[0].flags == ()


def test_fixed_tied_and_bounded_parameters_and_several_series():
    rng = np.random.default_rng(12)
    series = [measured(rng.normal(size=18), 1e-4) for _ in range(2)]
    free = {"A": dd.Free(-0.1, 0.1), "B": dd.Free(), "C": lambda values: 1e-3 * values["B"]}
    found = dd.fit_joint(series, parameters=free)
    noise = found.correlated_noise
    assert noise is not None
    assert list(noise.factors) == list(found.names) == ["A", "B"]
    assert noise.n_points == 36
    held = dd.fit_joint(series, parameters={"A": found.values["A"], "C": 0.0})
    assert held.correlated_noise is not None
    assert list(held.correlated_noise.factors) == ["B"]


def test_a_fit_that_is_wrong_or_exact_states_nothing():
    exact = dd.fit_joint([measured(0.0, None)])
    assert exact.correlated_noise is None
    wrong = dd.fit_joint([measured(30 * np.cos(6 * ANGLES), None)])
    assert "structured-residuals" in {flag.code for flag in wrong.flags}
    assert wrong.correlated_noise is None
    few = dd.fit_series(ANGLES[::6], 0.3 + 0.01 * np.cos(2 * ANGLES[::6]), 1e-4, frequency=NU)
    assert few.correlated_noise is None


def test_a_flag_of_neighbours_tells_the_likely_factor():
    """72 angles show a correlation; the flag tells how much larger the errors are."""
    angle = np.radians(np.arange(0, 180, 2.5))
    rng = np.random.default_rng(13)
    told = []
    for noise in drifting(rng, 8, 72, 0.7):
        field = 0.3376 - 0.001 * np.cos(2 * angle) + 1e-4 * noise
        rows = rng.permutation(72)  # the order of rows does not matter to this flag
        fit = dd.fit_series(angle[rows], field[rows], frequency=NU)
        told += [f.message for f in fit.flags if "Residuals of neighbours are alike" in f.message]
    factors = [float(message.split("about ")[1].split()[0]) for message in told]
    assert len(factors) >= 4
    assert 1.5 < np.median(factors) < 4
