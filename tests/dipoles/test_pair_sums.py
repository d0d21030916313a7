"""The pair sum against a plain double loop, by hand, by symmetry, and its derivatives."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

from diffdip.dipoles.pair_sums import pair_sum
from tests.helpers.random_dipoles import jittered_dipoles


SEEDS = st.integers(0, 2**32 - 1)
ELEMENTS = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]


@eqx.filter_jit
def compiled(positions, moments, mask):
    return pair_sum(positions, moments, mask)


@eqx.filter_jit
def compiled_vjp(positions, moments, mask, cotangent):
    _, pull = jax.vjp(lambda p, m: pair_sum(p, m, mask), positions, moments)
    return pull(cotangent)


def random_dipoles(seed, count=8):
    """Positions, and moments of both signs."""
    return jittered_dipoles(seed, count, moments=(-2.0, 3.0))


def brute_force(positions, moments):
    """The six sums, one pair after the other; float64 whatever comes in."""
    positions, moments = np.asarray(positions, float), np.asarray(moments, float)
    total = np.zeros((3, 3))
    for i in range(len(positions)):
        for j in range(i):
            r = positions[i] - positions[j]
            size = np.sqrt(r @ r)
            term = (np.eye(3) - 3 * np.outer(r, r) / size**2) / size**3
            total += moments[i] * moments[j] * term
    return np.array([total[index] for index in ELEMENTS])


def all_sites(positions):
    return np.ones(len(positions), bool)


def relative(value, reference):
    """Largest error over the largest element: single elements may cancel to nothing."""
    return np.max(np.abs(np.asarray(value) - reference)) / np.max(np.abs(reference))


@pytest.mark.slow
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_pair_on_an_axis(axis):
    positions = np.zeros((2, 3))
    positions[1, axis] = 0.5
    expected = np.array([8.0, 8, 8, 0, 0, 0]) * 2 * 3
    expected[axis] *= -2
    moments = np.array([2.0, 3.0])
    np.testing.assert_allclose(
        compiled(positions, moments, all_sites(positions)), expected, rtol=1e-14, atol=1e-14
    )


def test_pair_on_a_diagonal():
    # r̂ = (1, 1, 0)/√2 and r = √2: xx = yy = 1 − 3/2, zz = 1, xy = −3/2, all over 2√2
    positions = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    expected = np.array([-0.5, -0.5, 1, -1.5, 0, 0]) / 8**0.5
    sums = compiled(positions, np.ones(2), all_sites(positions))
    np.testing.assert_allclose(sums, expected, rtol=1e-14, atol=1e-16)


@pytest.mark.slow
@given(seed=SEEDS)
def test_equals_double_loop(seed):
    positions, moments = random_dipoles(seed)
    sums = compiled(positions, moments, all_sites(positions))
    assert relative(sums, brute_force(positions, moments)) < 1e-13


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 128])
def test_any_number_of_dipoles(count):
    # around the size of a block of rows, and above it
    positions, moments = random_dipoles(count, min(count, 64))
    if count > 64:
        more, extra = random_dipoles(count + 1, min(count - 64, 64))
        positions = np.concatenate([positions, more + np.array([5.0, 0.0, 0.0])])
        moments = np.concatenate([moments, extra])
    sums = compiled(positions, moments, all_sites(positions))
    reference = brute_force(positions, moments)
    np.testing.assert_allclose(
        sums, reference, rtol=0, atol=1e-12 * (1 + np.max(np.abs(reference)))
    )


@pytest.mark.slow
@given(seed=SEEDS)
def test_masked_sites_change_nothing(seed):
    rng = np.random.default_rng(seed)
    positions, moments = random_dipoles(seed)
    mask = np.append(False, rng.permutation([True] * 5 + [False] * 2))
    positions = positions - positions[mask][-1]  # one at the origin, after a masked site
    padded, padded_moments = positions.copy(), moments.copy()
    padded[~mask] = [[np.nan] * 3, [np.inf, -np.inf, np.nan], positions[mask][0]]
    padded_moments[~mask] = [np.inf, np.nan, 1.0]
    cotangent = rng.normal(size=6)

    keep = all_sites(positions[mask])
    sums = compiled(padded, padded_moments, mask)
    assert relative(sums, np.asarray(compiled(positions[mask], moments[mask], keep))) < 1e-13
    by_position, by_moment = compiled_vjp(padded, padded_moments, mask, cotangent)
    expected = compiled_vjp(positions[mask], moments[mask], keep, cotangent)
    assert relative(by_position[mask], np.asarray(expected[0])) < 1e-12
    assert relative(by_moment[mask], np.asarray(expected[1])) < 1e-12
    assert np.all(by_position[~mask] == 0)
    assert np.all(by_moment[~mask] == 0)


@pytest.mark.slow
def test_all_masked_is_zero():
    positions = np.full((4, 3), np.nan)
    sums = compiled(positions, np.ones(4), np.zeros(4, bool))
    np.testing.assert_array_equal(sums, np.zeros(6))
    gradient, _ = compiled_vjp(positions, np.ones(4), np.zeros(4, bool), np.ones(6))
    np.testing.assert_array_equal(gradient, np.zeros((4, 3)))


@pytest.mark.slow
@pytest.mark.parametrize("distance", [0.0, 1e-110, 1e-170, 5e-324])
def test_coincident_dipoles_are_nan_never_inf(distance):
    positions, moments = random_dipoles(5)
    positions = positions - positions[2]  # so that a tiny distance is not rounded away
    positions[6] = [0.0, distance, 0.0]
    assert np.all(np.isnan(compiled(positions, moments, all_sites(positions))))


@pytest.mark.slow
@given(seed=SEEDS)
def test_gradient_is_the_central_difference(seed):
    positions, moments = random_dipoles(seed, 4)
    cotangent = np.random.default_rng(seed).normal(size=6)
    by_position, by_moment = compiled_vjp(positions, moments, all_sites(positions), cotangent)
    step = 1e-4
    expected = np.zeros(positions.shape)
    for index in np.ndindex(positions.shape):
        shift = np.zeros(positions.shape)
        shift[index] = step
        # fourth order: the error of the reference is then below 1e-9
        near, far = (
            brute_force(positions + k * shift, moments)
            - brute_force(positions - k * shift, moments)
            for k in (1, 2)
        )
        expected[index] = cotangent @ (8 * near - far) / (12 * step)
    assert relative(by_position, expected) < 1e-7
    # linear in each moment: a difference over a unit step is exact
    expected = [
        cotangent @ (brute_force(positions, moments + unit) - brute_force(positions, moments))
        for unit in np.eye(4)
    ]
    assert relative(by_moment, np.array(expected)) < 1e-12


@pytest.mark.slow
def test_forward_and_reverse_derivatives_agree():
    positions, moments = random_dipoles(11)
    mask = jnp.asarray(all_sites(positions))
    positions, moments = jnp.asarray(positions), jnp.asarray(moments)
    tangent = np.random.default_rng(0).normal(size=positions.shape)
    sums, change = jax.jvp(lambda p: pair_sum(p, moments, mask), (positions,), (tangent,))
    assert relative(sums, brute_force(positions, moments)) < 1e-13
    by_rows = np.array([compiled_vjp(positions, moments, mask, row)[0] for row in np.eye(6)])
    assert relative(change, np.einsum("eni,ni->e", by_rows, tangent)) < 1e-12


@pytest.mark.slow
def test_hessian_under_jit_and_vmap():
    """∂²/∂r² of r⁻³ and of its angular part, on one pair, against differences of brute force."""
    weights = np.array([0.3, -1.2, 0.7, 0.5, -0.4, 0.9])
    origin = np.zeros((1, 3))

    def scalar(r):
        positions = jnp.concatenate([jnp.asarray(origin), r[None]])
        return pair_sum(positions, jnp.array([1.5, 2.0]), jnp.ones(2, bool)) @ weights

    def reference(r):
        return weights @ brute_force(np.stack([origin[0], r]), [1.5, 2.0])

    points = np.array([[0.4, 0.3, -0.5], [1.0, 0.0, 0.0], [0.2, -0.6, 0.1]])
    hessians = jax.jit(jax.vmap(jax.hessian(scalar)))(points)
    step = 2e-4
    for point, hessian in zip(points, hessians, strict=True):
        expected = np.empty((3, 3))
        for i, j in np.ndindex(3, 3):
            di, dj = step * np.eye(3)[i], step * np.eye(3)[j]
            expected[i, j] = (
                reference(point + di + dj)
                - reference(point + di - dj)
                - reference(point - di + dj)
                + reference(point - di - dj)
            ) / (4 * step**2)
        assert relative(hessian, expected) < 1e-5
        np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12)
        assert abs(hessian[0, 0]) > 1


@pytest.mark.slow
def test_vmap_over_systems():
    systems = [random_dipoles(seed) for seed in range(3)]
    positions = np.stack([p for p, _ in systems])
    moments = np.stack([m for _, m in systems])
    mask = np.ones((3, 8), bool)
    mask[1, 5:] = False
    batch = jax.vmap(pair_sum)(positions, moments, mask)
    for sums, p, m, keep in zip(batch, positions, moments, mask, strict=True):
        assert relative(sums, brute_force(p[keep], m[keep])) < 1e-13


@pytest.mark.slow
@pytest.mark.float32
@pytest.mark.parametrize("seed", range(3))
def test_float32_keeps_a_close_pair_in_a_large_sample(seed):
    """0.05 nm in 30 nm: only the differences of the rounded positions carry these digits."""
    rng = np.random.default_rng(seed)
    positions = rng.uniform(0, 30, (400, 3))
    direction = rng.normal(size=3)
    positions[1] = [29.0, 28.0, 27.0]
    positions[2] = positions[1] + 0.05 * direction / np.linalg.norm(direction)
    positions = positions.astype(np.float32)
    moments = rng.uniform(0.5, 3.0, 400).astype(np.float32)
    sums = compiled(positions, moments, all_sites(positions))
    assert sums.dtype == jnp.float32
    reference = brute_force(positions, moments)
    assert relative(sums, reference) < 1e-5
    cotangent = np.ones(6, np.float32)
    gradient, _ = compiled_vjp(positions, moments, all_sites(positions), cotangent)
    with jax.enable_x64(True):
        exact, _ = compiled_vjp(
            positions.astype(float), moments.astype(float), all_sites(positions), np.ones(6)
        )
    assert relative(gradient, np.asarray(exact)) < 1e-5
