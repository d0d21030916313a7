"""Resonances of any tensor and any energy, for fields in any direction."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from jaxtyping import Array, Float

from diffdip import (
    AbstractEnergy,
    AnisotropyFields,
    CubicAnisotropy,
    TensorAnisotropy,
    ThinFilm,
    UniaxialAnisotropy,
    larmor_field,
    plane_directions,
    resonance_branches,
    resonance_branches_along,
    resonance_field,
    resonance_field_along,
)
from diffdip.resonance.general_solver import GeneralSolver
from tests.helpers import brute_force
from tests.helpers.brute_force import assert_same_sets, in_plane


pytestmark = pytest.mark.slow


FREQUENCY = 9.45e9
AXES = np.concatenate([np.eye(3), -np.eye(3)])


class Disguised(AbstractEnergy):
    """½ u·K·u, in a form that does not show it."""

    K: Float[Array, "3 3"]

    def __call__(self, direction):
        return 0.5 * jnp.sum(self.K * jnp.outer(direction, direction))


def random_rotation(rng, n=None):
    """Rotation matrices, uniform."""
    q, r = np.linalg.qr(rng.normal(size=(1 if n is None else n, 3, 3)))
    q = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None]
    q = q * np.linalg.det(q)[:, None, None]
    return q[0] if n is None else q


def random_tensors(rng, n, size):
    K = rng.uniform(-size, size, (n, 3, 3))
    return (K + K.transpose(0, 2, 1)) / 2


def random_directions(rng, n):
    """Random unit vectors; the first 30 are the poles."""
    h = rng.normal(size=(n, 3))
    h /= np.linalg.norm(h, axis=-1, keepdims=True)
    h[: min(n, 30)] = np.tile(AXES, (5, 1))[:n]
    return h


def stable_by_energy(energy, field, u, direction):
    """Which of (draws, slots) lie in the global minimum, and which are too close to decide."""
    draw, slot = np.nonzero(np.isfinite(field))
    batch, vector = energy.take(draw), field[draw, slot][:, None] * direction[draw]
    above = batch.value(u[draw, slot]) - np.sum(u[draw, slot] * vector, -1)
    above = above - brute_force.lowest_energy(batch, vector)
    stable, doubtful = np.zeros(field.shape, bool), np.zeros(field.shape, bool)
    stable[draw, slot], doubtful[draw, slot] = above < 1e-11, (above > 1e-11) & (above < 1e-7)
    return stable, doubtful


CHUNK = 500


@jax.jit
@jax.vmap
def tensor_branches(K, direction, frequency):
    return resonance_branches_along(TensorAnisotropy(K), direction, frequency)


def of_tensors(K, direction, frequency=FREQUENCY):
    """Branches of a batch of tensors, in chunks of one size that is compiled once for all tests."""
    n = len(K)
    given = [np.asarray(K), np.asarray(direction), np.broadcast_to(np.float64(frequency), n)]
    parts = []
    for start in range(0, n, CHUNK):
        index = np.minimum(np.arange(start, start + CHUNK), n - 1)
        parts.append(tensor_branches(*(jnp.asarray(value[index]) for value in given)))
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves)[:n], *parts)


def of_tensor(K, direction, frequency=FREQUENCY):
    """Branches and measured field of one tensor."""
    branches = jax.tree.map(lambda leaf: leaf[0], of_tensors(K[None], direction[None], frequency))
    return branches, branches.measured()[0]


def test_tensors_against_brute_force():
    rng, n, larmor = np.random.default_rng(1), 300, float(larmor_field(FREQUENCY))
    K, direction = random_tensors(rng, n, 2 * larmor), random_directions(rng, n)
    K[::2] *= 0.3
    k = np.linalg.eigvalsh(K)
    energy = brute_force.Quadratic(K)
    expected = brute_force.resonances_by_minimization(
        energy, direction, larmor, larmor + 2 * (k[:, 2] - k[:, 0]), starts=14
    ).padded(n, 6)
    assert (np.isfinite(expected[0]).sum(1) >= 2).sum() > 5
    branches = of_tensors(K, direction)
    field, u, stable = map(np.asarray, (branches.field, branches.direction, branches.stable))
    assert_same_sets((field, u), expected)
    lowest, doubtful = stable_by_energy(energy, field, u, direction)
    assert doubtful.sum() < 3
    assert 0.2 < stable[np.isfinite(field)].mean() < 0.9
    assert (stable == lowest)[~doubtful].all()


def test_tensor_in_the_plane_agrees_with_anisotropy_fields():
    """One physics, three routes: A, B, C; the same K; K and plane turned into a random frame."""
    rng, n = np.random.default_rng(2), 2000
    larmor = float(larmor_field(FREQUENCY))
    A, B, C = rng.uniform(-2 * larmor, 2 * larmor, (3, n))
    angle, R = rng.uniform(0, 2 * np.pi, n), random_rotation(rng, n)

    solve = lambda A, B, C, angle: resonance_branches(AnisotropyFields(A, B, C), angle, FREQUENCY)
    planar = jax.jit(jax.vmap(solve))(A, B, C, angle)
    K = np.array(jax.vmap(lambda A, B, C: AnisotropyFields(A, B, C).tensor())(A, B, C))
    flat = of_tensors(K, in_plane(angle))
    directions = jax.vmap(plane_directions)(angle, R.transpose(0, 2, 1)[:, :2])
    turned = of_tensors(R @ K @ R.transpose(0, 2, 1), directions)
    back = np.einsum("nji,nsj->nsi", R, turned.direction)
    assert_same_sets((flat.field, flat.direction), (planar.field, planar.direction))
    assert_same_sets((turned.field, back), (planar.field, planar.direction), turn=1e-4)
    measured = [branches.measured()[0] for branches in (planar, flat, turned)]
    np.testing.assert_allclose(measured[1], measured[0], rtol=1e-9)
    np.testing.assert_allclose(measured[2], measured[0], rtol=1e-9)


ANGLE = np.linspace(0.0, 3.0, 12).reshape(3, 4)
FREQUENCIES = np.array([9.2e9, 9.3e9, 9.4e9, 9.5e9])
G = np.array([[[2.0]], [[2.1]]])


@pytest.mark.parametrize(("kind", "plane"), [(AnisotropyFields, "xy"), (TensorAnisotropy, "yz")])
def test_shapes_broadcast(kind, plane):
    """Any shapes of angle, frequency and g: the same numbers as one by one, g through ν/g."""
    sample = AnisotropyFields(0.1, 0.2, 0.05)
    energy = sample if kind is AnisotropyFields else TensorAnisotropy(sample.tensor())
    if kind is AnisotropyFields:
        solve = lambda *a: resonance_branches(energy, *a, plane=plane)
        branches = jax.jit(solve)(ANGLE, FREQUENCIES, G)
        assert branches.field.shape == branches.stable.shape == (2, 3, 4, 6)
        assert branches.direction.shape == (2, 3, 4, 6, 3)
        field = branches.measured()[0]
    else:
        field = jax.jit(lambda *a: resonance_field(energy, *a, plane=plane))(ANGLE, FREQUENCIES, G)
    assert field.shape == (2, 3, 4)
    frequency, angle, g = map(np.ravel, np.broadcast_arrays(FREQUENCIES, ANGLE, G))
    K = np.tile(sample.tensor(), (24, 1, 1))
    single = of_tensors(K, plane_directions(angle, plane), 2 * frequency / g)
    np.testing.assert_allclose(field.ravel(), single.measured()[0], rtol=1e-11)


def resolved(field, u, larmor):
    """Draws within the limits of a search on a mesh: branches 10° apart, and not close to H = 0."""
    field, u = np.asarray(field), np.asarray(u)
    cosines = np.einsum("nsi,nti->nst", u, u) - 2 * np.eye(u.shape[1])
    crowded = (cosines > np.cos(np.deg2rad(10))).any(-1) | (field < 0.1 * larmor)
    return ~crowded.any(-1)


def test_general_energies_against_brute_force():
    """Cubic, uniaxial and thin-film terms together."""
    rng, n, larmor = np.random.default_rng(4), 150, float(larmor_field(FREQUENCY))
    cubic, axes = rng.uniform(-1, 1, n) * larmor, random_rotation(rng, n)
    uniaxial, easy = rng.uniform(-0.5, 0.5, n) * larmor, random_directions(rng, n)
    film, direction = rng.uniform(-1, 1, n) * larmor, random_directions(rng, n)[::-1]
    K = -uniaxial[:, None, None] * easy[:, :, None] * easy[:, None]
    K[:, 2, 2] += film
    reference = brute_force.Total(brute_force.Quadratic(K), brute_force.Cubic(cubic, axes))
    highest = larmor * np.full(n, 5.0)
    expected = brute_force.resonances_by_minimization(reference, direction, larmor, highest)
    expected = expected.padded(n, 12)

    make = lambda c, a, u, e, f: CubicAnisotropy(c, a) + (UniaxialAnisotropy(u, e) + ThinFilm(f))
    energy = jax.vmap(make)(*map(jnp.asarray, (cubic, axes, uniaxial, easy, film)))
    solve = jax.jit(jax.vmap(lambda e, h: resonance_branches_along(e, h, FREQUENCY)))
    branches = solve(energy, direction)
    field, u, stable = map(np.asarray, (branches.field, branches.direction, branches.stable))
    clear = resolved(*expected, larmor)
    assert clear.sum() > 0.8 * n
    assert (np.isfinite(expected[0][clear]).sum(1) >= 2).sum() > 2
    assert_same_sets((field, u), expected, clear)
    lowest, doubtful = stable_by_energy(reference, field, u, direction)
    assert doubtful.sum() < 3
    assert (stable == lowest)[~doubtful & clear[:, None]].all()

    # the measured field is followed from saturation, and searched only where that fails
    measured = jax.jit(jax.vmap(lambda e, h: resonance_field_along(e, h, FREQUENCY)))
    highest_stable, _ = branches.measured()
    sure = clear & ~doubtful.any(axis=1)
    np.testing.assert_allclose(measured(energy, direction)[sure], highest_stable[sure], rtol=1e-10)
    assert np.sum(sure & np.isfinite(highest_stable)) > 50
    assert np.sum(sure & np.isnan(highest_stable)) > 5


def test_a_branch_that_does_not_continue_saturation_is_searched():
    """Far below w0 the measured branch may be another one than that of weak anisotropy."""
    energy = CubicAnisotropy(-0.068) + UniaxialAnisotropy(-0.105, [1.98, 0.09, 0.75])
    energy = energy + ThinFilm(1.097)
    along = np.array([-1.81, 0.24, 1.5]) / np.linalg.norm([-1.81, 0.24, 1.5])
    # two directions that are followed, and this one
    directions = jnp.asarray([[1.0, 0.0, 0.0], along, [0.0, 1.0, 0.0]])
    solver, larmor = GeneralSolver(energy, directions.dtype), larmor_field(FREQUENCY)
    followed = jax.jit(jax.vmap(solver._followed, in_axes=(0, None)))(directions, larmor)
    assert followed.found.tolist() == [True, False, True]
    field = jax.jit(lambda d: resonance_field_along(energy, d, FREQUENCY))(directions)
    highest_stable, _ = resonance_branches_along(energy, directions, FREQUENCY).measured()
    np.testing.assert_allclose(field, highest_stable, rtol=1e-12)
    assert field[1] == pytest.approx(0.03859, abs=1e-5)


def test_disguised_tensor():
    """A quadratic energy whose type does not say so is solved on the general route."""
    rng, n, larmor = np.random.default_rng(5), 1000, float(larmor_field(FREQUENCY))
    K, direction = random_tensors(rng, n, larmor), random_directions(rng, n)
    solve = jax.jit(jax.vmap(lambda K, h: resonance_field_along(Disguised(K), h, FREQUENCY)))
    branches = of_tensors(K, direction)
    tensor = branches.measured()[0]
    clear = resolved(branches.field, branches.direction, larmor)
    assert clear.sum() > 0.75 * n
    assert np.isfinite(tensor[clear]).sum() > 200
    np.testing.assert_allclose(solve(K, direction)[clear], tensor[clear], rtol=1e-9)


seeds = st.integers(0, 10**6)


def rotated_pair(seed):
    rng = np.random.default_rng(seed)
    larmor = float(larmor_field(FREQUENCY))
    R, K, h = (
        random_rotation(rng),
        random_tensors(rng, 1, larmor)[0],
        random_directions(rng, 31)[30],
    )
    return R, K, h, rng.uniform(-0.5, 0.5) * larmor


@given(seeds)
def test_frames_do_not_matter_for_tensors(seed):
    R, K, h, _ = rotated_pair(seed)
    first, _ = of_tensor(K, h)
    second, _ = of_tensor(R @ K @ R.T, R @ h)
    np.testing.assert_allclose(second.field, first.field, rtol=1e-8)
    np.testing.assert_allclose(second.direction, first.direction @ R.T, atol=1e-6)
    np.testing.assert_array_equal(second.stable, first.stable)


@jax.jit
def of_cubic(strength, axes, K, direction):
    energy = CubicAnisotropy(strength, axes) + TensorAnisotropy(K)
    return resonance_field_along(energy, direction, FREQUENCY)


@given(seeds)
def test_frames_do_not_matter_for_general_energies(seed):
    R, K, h, cubic = rotated_pair(seed)
    first = of_cubic(np.float64(cubic), np.eye(3), 0.3 * K, h)
    second = of_cubic(np.float64(cubic), R.T, 0.3 * R @ K @ R.T, R @ h)
    np.testing.assert_allclose(second, first, rtol=1e-8)


@given(seeds, st.floats(-1, 1))
def test_a_constant_energy_changes_nothing(seed, constant):
    _, K, h, _ = rotated_pair(seed)
    _, first = of_tensor(K, h)
    _, second = of_tensor(K + constant * np.eye(3), h)
    np.testing.assert_allclose(second, first, rtol=1e-8)


@given(seeds, st.floats(0.1, 10))
def test_scaling_all_fields(seed, scale):
    _, K, h, _ = rotated_pair(seed)
    _, first = of_tensor(K, h)
    _, second = of_tensor(scale * K, h, scale * FREQUENCY)
    np.testing.assert_allclose(second, scale * first, rtol=1e-8)


@pytest.mark.parametrize("h", AXES.tolist() + in_plane(np.array([0.7, 2.1])).tolist())
@pytest.mark.parametrize("k", [(0.1, 0.1, -0.2), (-0.1, -0.1, 0.2), (0.2, 0.0, -0.2), (0, 0, 0)])
def test_degenerate_and_principal_axes(h, k):
    """Rotational symmetry about z and fields along principal axes, against a scan over M."""
    k, h, larmor = np.array(k, float), np.array(h), float(larmor_field(FREQUENCY))
    _, measured = of_tensor(np.diag(k), h)
    reference = brute_force.Quadratic(np.diag(k))
    expected = brute_force.resonances_by_minimization(
        reference.take(np.newaxis), h[None], larmor, np.array([1.3])
    )
    lowest, _ = stable_by_energy(reference.take(np.newaxis), expected.field[None],
                                 expected.direction[None], h[None])  # fmt: skip
    np.testing.assert_allclose(measured, expected.field[lowest[0]].max(), rtol=1e-8)
