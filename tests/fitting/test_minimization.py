"""The search for minima, against scipy's."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from diffdip.fitting.least_squares_problem import Data, Design
from diffdip.fitting.minimization import Minimized, minimized
from diffdip.fitting.parameters import Free, ParameterSet


T = np.linspace(0.0, 3.0, 16)


class Decay(eqx.Module):
    """A exp(−B t) + C, which is no resonance: a search needs nothing but `predict`."""

    parameters: ParameterSet

    def predict(self, vector, design):
        values = self.parameters.values(vector)
        return values["A"] * jnp.exp(-values["B"] * design.where[0]) + values["C"]


DESIGN = Design((T,), np.asarray(9e9))


def data_of(*truths, noise=0.05):
    random = np.random.default_rng(3)
    clean = np.stack([a * np.exp(-b * T) + c for a, b, c in truths])
    return Data.of(clean + noise * random.normal(size=clean.shape), np.full(clean.shape, noise))


def by_scipy(data, row, start, bounds=(-np.inf, np.inf)):
    def residual(x):
        model = x[0] * np.exp(-x[1] * T) + x[2]
        return data.weight[row] * (data.field[row] - model)

    return scipy.optimize.least_squares(residual, start, bounds=bounds, xtol=1e-14, ftol=1e-14)


def problem_of(**changed):
    return Decay(ParameterSet.of({name: changed.get(name, Free()) for name in "ABC"}))


def test_many_lanes_end_where_scipy_ends():
    truths = [(1.0, 0.8, 0.2), (2.0, 3.0, -0.5), (-1.0, 1.2, 0.3)]
    data = data_of(*truths)
    starts = np.array([[[1.0, 1.0, 0.0], [0.5, 0.5, 0.5]]] * 3)
    found = minimized(problem_of(), DESIGN, data, starts)
    assert found.converged.all()
    x, cost, _ = found.best()
    for row in range(3):
        expected = by_scipy(data, row, [1.0, 1.0, 0.0])
        assert cost[row] == pytest.approx(2 * expected.cost, rel=1e-10)
        np.testing.assert_allclose(x[row], expected.x, rtol=1e-5)


def test_a_minimum_beyond_a_bound_ends_at_the_bound():
    data = data_of((1.0, 0.8, 0.2))
    problem = problem_of(C=Free(upper=0.1))
    x = minimized(problem, DESIGN, data, np.array([[[1.0, 1.0, 0.0]]])).x[0, 0]
    expected = by_scipy(data, 0, [1.0, 1.0, 0.0], ([-np.inf] * 3, [np.inf, np.inf, 0.1]))
    np.testing.assert_allclose(x, expected.x, atol=2e-3)
    assert 0.099 < x[2] <= 0.1


def test_frozen_elements_stay():
    data = data_of((1.0, 0.8, 0.2))
    start = np.array([[[0.5, 1.3, 0.1]]])
    frozen = np.array([[[False, True, False]]])
    x = minimized(problem_of(), DESIGN, data, start, frozen).x[0, 0]
    assert x[1] == 1.3
    linear, *_ = np.linalg.lstsq(np.stack([np.exp(-1.3 * T), np.ones_like(T)], 1), data.field[0])
    np.testing.assert_allclose(x[[0, 2]], linear, rtol=1e-8)


def test_hopeless_starts_are_dropped():
    data = data_of((1.0, 0.8, 0.2))
    starts = np.array([[[1.0, 0.8, 0.2], [50.0, 0.8, 0.2]]])
    kept = minimized(problem_of(), DESIGN, data, starts)
    dropped = minimized(problem_of(), DESIGN, data, starts, hopeless=100.0)
    assert kept.cost[0, 1] == pytest.approx(kept.cost[0, 0], rel=1e-9)
    assert dropped.cost[0, 1] == np.inf
    assert not dropped.converged[0, 1]
    assert dropped.cost[0, 0] == kept.cost[0, 0]


def test_a_start_that_is_not_finite_is_no_minimum():
    found = minimized(problem_of(), DESIGN, data_of((1.0, 0.8, 0.2)), np.full((1, 1, 3), -1e300))
    assert found.cost[0, 0] == np.inf
    assert not found.converged[0, 0]


def test_the_slope_of_bounded_variables():
    free = [Free(), Free(-1.0, 2.0), Free(lower=0.5), Free(upper=0.5)]
    parameters = ParameterSet.of(dict(zip("abcd", free, strict=True)))
    y = np.random.default_rng(1).normal(size=(5, 4)) * 4
    h = 1e-6
    difference = (parameters.bounded(y + h, np) - parameters.bounded(y - h, np)) / (2 * h)
    np.testing.assert_allclose(parameters.slope(y), difference, rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(parameters.bounded(y, np), parameters.bounded(jnp.asarray(y)))


def test_of_ends_that_are_as_low_one_that_converged_speaks():
    cost = np.array([[1 - 6e-13, 1.0, 2.0], [0.5, 1.0, 1.0], [1.0, 1.0 + 1e-12, np.inf]])
    converged = np.array([[False, True, True], [False, True, True], [True, True, False]])
    x = np.arange(9.0).reshape(3, 3, 1)
    best, lowest, ended = Minimized(x, cost, converged).best()
    # a lower end counts even if it has not converged
    assert best[:, 0].tolist() == [1.0, 3.0, 6.0]
    assert lowest.tolist() == [1.0, 0.5, 1.0]
    assert ended.tolist() == [True, False, True]
