"""The minimizer against scipy's, with and without bounds."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from diffdip.numerics.levenberg_marquardt import Point, descend


X = np.linspace(0, 4, 30)
RATES = np.array([0.4, 0.9, 1.7, 3.0])


def decay(y):
    """y₀ exp(−y₁ x) and its derivatives."""
    curve = y[0] * np.exp(-y[1] * X)
    return curve, np.stack([np.exp(-y[1] * X), -X * curve], axis=1)


def problem(seed=0):
    """Noisy decays of different rates, and what evaluates some of them."""
    rng = np.random.default_rng(seed)
    data = [decay((2.0, rate))[0] + 0.05 * rng.normal(size=X.size) for rate in RATES]

    def evaluate(lane, y):
        curves, slopes = (np.stack(parts) for parts in zip(*map(decay, y), strict=True))
        residual = np.stack([data[i] for i in lane]) - curves
        return Point.of(y, residual, slopes)

    return data, evaluate


@pytest.mark.parametrize("bounds", [None, (1.5, 1.9), (0.1, 1.2), (2.5, 4.0)])
def test_minima_are_those_of_scipy(bounds):
    """`bounds` are those of the amplitude, which is 2: inside, at the upper and the lower one."""
    data, evaluate = problem()
    low, high = bounds or (-np.inf, np.inf)
    start = np.tile([np.clip(1.0, low, high), 1.0], (len(data), 1))
    lanes = np.arange(len(data))
    lower, upper = (np.tile([end, side], (len(data), 1)) for end, side in ((low, 0), (high, 9)))
    limits = (lower, upper) if bounds else ()
    here = evaluate(lanes, start)
    assert descend(evaluate, here, lanes, *limits).all()
    for i, values in enumerate(data):
        expected = least_squares(
            lambda y, values=values: decay(y)[0] - values,
            start[i],
            bounds=([low, 0 if bounds else -np.inf], [high, 9 if bounds else np.inf]),
            xtol=1e-14,
            ftol=1e-14,
            gtol=1e-14,
        )
        np.testing.assert_allclose(here.y[i], expected.x, atol=3e-6)
        assert here.cost[i] <= 2 * expected.cost * (1 + 1e-9)


def test_only_the_lanes_that_are_asked_for_move():
    _, evaluate = problem()
    start = np.tile([1.0, 1.0], (len(RATES), 1))
    here = evaluate(np.arange(len(RATES)), start.copy())
    converged = descend(evaluate, here, np.array([2]))
    assert converged.tolist() == [False, False, True, False]
    np.testing.assert_array_equal(np.delete(here.y, 2, axis=0), np.delete(start, 2, axis=0))


def test_a_parameter_without_influence_stays():
    def evaluate(lane, y):
        residual = 3.0 - y[:, 0]
        zero = 0 * residual
        normal = np.stack([np.stack([zero + 1, zero], 1), np.stack([zero, zero], 1)], 1)
        return Point(y, residual**2, np.stack([residual, zero], 1), normal)

    here = evaluate(np.arange(1), np.array([[0.0, 5.0]]))
    assert descend(evaluate, here, np.arange(1)).all()
    np.testing.assert_allclose(here.y, [[3.0, 5.0]], atol=1e-9)


def test_parameters_that_only_act_together():
    """The normal matrix is singular, and the damping falls at every step."""

    def evaluate(lane, y):
        residual = 3.0 - np.sum(y, axis=1) ** 3
        slope = 3 * np.sum(y, axis=1) ** 2
        return Point.of(y, residual[:, None], np.repeat(slope[:, None, None], 2, axis=2))

    lanes = np.arange(2)
    here = evaluate(lanes, np.array([[9.0, 9.0], [0.4, 0.2]]))
    assert descend(evaluate, here, lanes).all()
    np.testing.assert_allclose(np.sum(here.y, axis=1), 3 ** (1 / 3), rtol=1e-9)


def test_a_wall_of_infinite_cost_is_not_crossed():
    def evaluate(lane, y):
        residual = np.where(y[:, 0] > 0, np.log(np.abs(y[:, 0])) - 2, np.inf)
        return Point.of(y, -residual[:, None], 1 / y[:, :, None])

    here = evaluate(np.arange(1), np.array([[60.0]]))
    with np.errstate(all="ignore"):
        assert descend(evaluate, here, np.arange(1)).all()
    np.testing.assert_allclose(here.y, [[np.exp(2)]], rtol=1e-9)
