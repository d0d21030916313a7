"""Real roots of polynomials with known roots, and compared with numpy's companion matrix."""

from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

from diffdip.numerics.polynomial_roots import (
    bracketed_root,
    derivative,
    horner,
    real_roots,
    stationary_points,
)


STEPS = 16
"""More than the solver needs: these tests are about which roots are found, not how fast."""

BATCH = 500
"""All polynomials of a degree share one compilation."""


@partial(jax.jit, static_argnames="steps")
def solve(coefficients, lower, upper, steps=STEPS):
    """Roots and existence as arrays, over a batch of coefficients (n, degree + 1)."""

    def one(coefficients):
        coefficients = list(coefficients)
        return real_roots(partial(horner, coefficients), coefficients, lower, upper, steps)

    return jax.vmap(one)(coefficients)


def roots_in(coefficients, lower, upper):
    """List of arrays of real roots, ascending."""
    index = np.minimum(np.arange(BATCH), len(coefficients) - 1)
    roots, exists = map(np.asarray, solve(jnp.asarray(coefficients[index]), lower, upper))
    roots, exists = roots[: len(coefficients)], exists[: len(coefficients)]
    return [r[e] for r, e in zip(roots, exists, strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize("degree", [3, 4, 6])
def test_random_real_roots(degree):
    rng = np.random.default_rng(degree)
    expected = np.sort(rng.uniform(-1, 1, (300, degree)), axis=1)
    gap = np.diff(expected, axis=1).min(1)
    expected = expected[gap > 1e-2]
    scale = rng.uniform(0.1, 10, (len(expected), 1))
    coefficients = scale * np.array([np.poly(roots) for roots in expected])
    assert len(expected) > 100
    for found, roots in zip(roots_in(coefficients, -1.1, 1.1), expected, strict=True):
        assert len(found) == degree
        np.testing.assert_allclose(found, roots, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("degree", [4, 6])
def test_complex_pairs_and_roots_outside_do_not_appear(degree):
    """Some roots complex, some beyond the interval: only the real ones inside are reported."""
    rng, polynomials, expected = np.random.default_rng(10 + degree), [], []
    for _ in range(300):
        pairs = rng.integers(0, degree // 2 + 1)
        z = rng.uniform(-1, 1, pairs) + 1j * rng.uniform(0.05, 1, pairs)
        real = rng.uniform(-2, 2, degree - 2 * pairs)
        inside = np.sort(real[np.abs(real) < 1])
        if np.min(np.diff(np.sort(real)), initial=1) < 1e-2:
            continue
        if np.min(np.abs(np.abs(real) - 1), initial=1) < 1e-3:
            continue
        polynomials.append(np.poly([*z, *z.conj(), *real]).real)
        expected.append(inside)
    assert len({len(roots) for roots in expected}) > degree // 2
    for found, roots in zip(roots_in(np.array(polynomials), -1.0, 1.0), expected, strict=True):
        assert len(found) == len(roots)
        np.testing.assert_allclose(found, roots, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("degree", [4, 6])
def test_against_numpy(degree):
    rng = np.random.default_rng(20 + degree)
    coefficients = rng.normal(size=(500, degree + 1))
    coefficients[:, 0] = np.abs(coefficients[:, 0])
    compared = 0
    for found, polynomial in zip(roots_in(coefficients, -2.0, 2.0), coefficients, strict=True):
        roots = np.roots(polynomial)
        unclear = (np.abs(roots.imag) < 1e-5) & (np.abs(roots.imag) > 0)
        if unclear.any():
            continue
        real = np.sort(roots[roots.imag == 0].real)
        real = real[np.abs(real) < 2]
        assert len(found) == len(real)
        np.testing.assert_allclose(found, real, rtol=1e-7, atol=1e-9)
        compared += 1
    assert compared > 490


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("degree", [4, 6])
def test_close_pairs(degree, gap):
    """Two roots about to merge are both found, and none where they have just separated."""
    others = [-0.7, 0.9, 0.5, -0.2][: degree - 2]
    real = np.poly([0.1 - gap / 2, 0.1 + gap / 2, *others])
    apart = np.poly([0.1 + 0.5j * gap, 0.1 - 0.5j * gap, *others]).real
    # in exact form near the pair: expanded coefficients know it to 1e-16 / gap only
    tolerance = 1e-13 / gap
    found, none = roots_in(np.array([real, apart]), -1.0, 1.0)
    np.testing.assert_allclose(
        found, np.sort([0.1 - gap / 2, 0.1 + gap / 2, *others]), atol=tolerance
    )
    np.testing.assert_allclose(none, np.sort(others), atol=1e-9)


@pytest.mark.slow
def test_few_steps_are_enough():
    """Newton starts on a parabola: 8 steps give some 8 digits, also for a close pair."""
    rng = np.random.default_rng(3)
    expected = np.sort(rng.uniform(-1, 1, (200, 6)), axis=1)
    expected[:, 3] = expected[:, 2] + 1e-3
    expected = np.sort(expected, axis=1)
    gaps = np.sort(np.diff(expected, axis=1), axis=1)
    expected = expected[gaps[:, 1] > 0.05]
    assert len(expected) > 20
    coefficients = np.array([np.poly(roots) for roots in expected])
    roots, exists = solve(jnp.asarray(coefficients), -1.1, 1.1, steps=8)
    assert exists.all()
    error = np.abs(roots - expected).max(1)
    assert np.median(error) < 1e-9
    assert error.max() < 1e-4


@given(st.lists(st.floats(-2, 2), min_size=2, max_size=7), st.floats(-2, 2))
def test_horner_and_derivative(coefficients, x):
    arrays = [jnp.asarray(np.float64(c)) for c in coefficients]
    point = jnp.asarray(np.float64(x))
    np.testing.assert_allclose(horner(arrays, point), np.polyval(coefficients, x), atol=1e-12)
    slope = np.polyval(np.polyder(coefficients), x)
    np.testing.assert_allclose(horner(derivative(arrays), point), slope, atol=1e-12)


@pytest.mark.parametrize("degree", [3, 4, 5, 6, 8])
def test_stationary_points_are_the_zeros_of_the_derivative(degree):
    """All of them in (−2, 2), for many polynomials in one call; coefficients may be one number."""
    rng = np.random.default_rng(degree)
    zeros = np.sort(rng.uniform(-1.9, 1.9, (40, degree - 1)), axis=1)
    zeros += 0.05 * np.arange(degree - 1)  # apart from each other
    polynomials = np.array([np.polyint(np.poly(row)) for row in zeros])
    arrays = [jnp.asarray(polynomials[0, 0]), *map(jnp.asarray, polynomials.T[1:])]
    low, high = jnp.asarray(np.float64(-2)), jnp.asarray(np.float64(2.5))
    found = jax.jit(lambda given: stationary_points(given, low, high, 30))(arrays)
    assert found.shape == (degree - 1, 40)
    np.testing.assert_allclose(found.T, zeros, atol=1e-7)


def test_stationary_points_cut_into_monotonic_pieces():
    rng = np.random.default_rng(5)
    for _ in range(5):
        coefficients = rng.normal(size=5)
        coefficients[0] = abs(coefficients[0])
        arrays = [jnp.asarray(np.float64(c)) for c in coefficients]
        low, high = jnp.asarray(np.float64(-2)), jnp.asarray(np.float64(2))
        cuts = [-2.0, *map(float, stationary_points(arrays, low, high, STEPS)), 2.0]
        assert (np.diff(cuts) > -1e-12).all()
        for left, right in pairwise(cuts):
            values = np.polyval(coefficients, np.linspace(left, right, 50))
            rise = np.diff(values)
            assert (rise > -1e-9).all() or (rise < 1e-9).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_bracketed_root_stays_inside(sign):
    """A flat cubic root, where Newton alone is slow, and a bracket that is far too wide."""
    coefficients = [jnp.asarray(sign * c) for c in np.poly([0.3, 0.3, 0.3])]
    function, slope = partial(horner, coefficients), derivative(coefficients)
    low, high = jnp.asarray(np.float64(-100)), jnp.asarray(np.float64(50))
    root = jax.jit(lambda a, b: bracketed_root(function, slope, a, b, 60))(low, high)
    assert abs(root - 0.3) < 1e-4
