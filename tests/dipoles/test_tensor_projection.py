"""D: symmetries of the closed form, and its projection from energies that others computed."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.constants
from hypothesis import given, strategies as st
from scipy.spatial.transform import Rotation

from diffdip import DipoleSystem, plane_directions, project_tensor
from diffdip.dipoles.tensor_projection import symmetric
from tests.helpers.random_dipoles import jittered_dipoles, random_directions


SEEDS = st.integers(0, 2**32 - 1)
MU_0 = scipy.constants.mu_0
MU_B = scipy.constants.physical_constants["Bohr magneton"][0]


@eqx.filter_jit
def tensor(positions, volume, moments, convention="paper"):
    system = DipoleSystem(positions, volume, moments, convention=convention)
    return system.tensor()


@eqx.filter_jit
def compiled_projection(directions, energies, magnetization):
    return project_tensor(directions, energies, magnetization)


@eqx.filter_jit
def own_projection(system, directions):
    energies = system.energy_density(directions)
    return project_tensor(directions, energies, system.magnetization).D


def random_sample(seed, count=8):
    """Positions, volume, unequal moments."""
    positions, moments = jittered_dipoles(seed, count)
    return positions, 64.0, moments


def pair_energy_density(positions, volume, moments, directions):
    """Σ over pairs in SI units, from the field that one dipole makes at the other; J/m³."""
    r, m = positions * 1e-9, moments * MU_B
    energies = []
    for u in directions:
        total = 0.0
        for i in range(len(r)):
            for j in range(i):
                d = r[i] - r[j]
                size = np.linalg.norm(d)
                field = MU_0 / (4 * np.pi) * (3 * d * (m[j] * u @ d) / size**5 - m[j] * u / size**3)
                total -= m[i] * u @ field
        energies.append(total / (volume * 1e-27))
    return np.array(energies)


def assert_close(value, reference, tolerance=1e-13):
    """Equal to `tolerance` of the largest element."""
    scale = np.max(np.abs(reference))
    np.testing.assert_allclose(value, reference, rtol=0, atol=tolerance * scale)


def test_symmetric_places_the_elements():
    matrix = symmetric(jnp.arange(6.0))
    np.testing.assert_array_equal(matrix, [[0, 3, 4], [3, 1, 5], [4, 5, 2]])


@pytest.mark.slow
def test_pair_by_hand():
    """Two dipoles on x, 0.4 nm apart in 8 nm³: D = (2·8/4π·2²) W diag(−2, 1, 1)/0.4³."""
    positions = np.array([[0.0, 0.0, 0.0], [0.4, 0.0, 0.0]])
    for name, weight in (("paper", 2), ("physical", 1)):
        expected = 1 / np.pi * weight / 0.4**3 * np.diag([-2.0, 1.0, 1.0])
        assert_close(tensor(positions, 8.0, np.full(2, 1.73), name), expected)


@pytest.mark.slow
@given(seed=SEEDS)
def test_symmetric_and_traceless(seed):
    D = np.asarray(tensor(*random_sample(seed)))
    assert abs(np.trace(D)) < 1e-13 * np.max(np.abs(D))
    np.testing.assert_array_equal(D, D.T)


@pytest.mark.slow
@given(seed=SEEDS)
def test_turns_with_the_sample(seed):
    positions, volume, moments = random_sample(seed)
    R = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    turned = tensor(positions @ R.T, volume, moments)
    assert_close(turned, R @ np.asarray(tensor(positions, volume, moments)) @ R.T, 1e-12)


@pytest.mark.slow
@given(seed=SEEDS)
def test_translation_and_permutation_change_nothing(seed):
    rng = np.random.default_rng(seed)
    positions, volume, moments = random_sample(seed)
    D = tensor(positions, volume, moments)
    assert_close(tensor(positions + rng.uniform(-20, 20, 3), volume, moments), D, 1e-12)
    order = rng.permutation(len(moments))
    assert_close(tensor(positions[order], volume, moments[order]), D)


@pytest.mark.slow
@given(seed=SEEDS, length=st.floats(0.1, 10), moment=st.floats(0.1, 10))
def test_dimensionless(seed, length, moment):
    """Neither the unit of length nor that of the moments matters to D."""
    positions, volume, moments = random_sample(seed)
    scaled = tensor(length * positions, length**3 * volume, moment * moments)
    assert_close(scaled, tensor(positions, volume, moments), 1e-12)


@pytest.mark.slow
@given(seed=SEEDS)
def test_projection_of_brute_force_energies_is_the_closed_form(seed):
    positions, volume, moments = random_sample(seed)
    directions = random_directions(seed + 1, 12)
    energies = pair_energy_density(positions, volume, moments, directions)
    magnetization = np.sum(moments) * MU_B / (volume * 1e-27)
    fit = compiled_projection(directions, energies, magnetization)
    # the CODATA adjustments of SciPy and of diffdip may differ in the tenth digit
    assert_close(fit.D, tensor(positions, volume, moments, "physical"), 1e-8)
    assert np.max(np.abs(fit.residual)) < 1e-11 * np.max(np.abs(energies))
    assert abs(np.trace(fit.D)) < 1e-13 * np.max(np.abs(fit.D))
    np.testing.assert_array_equal(fit.D, fit.D.T)


@given(seed=SEEDS)
def test_projection_of_own_energies_to_rounding(seed):
    system = DipoleSystem(*random_sample(seed))
    projected = own_projection(system, random_directions(seed + 1, 12))
    assert_close(projected, tensor(*random_sample(seed)), 1e-11)


def traceless(rng):
    D = rng.normal(size=(3, 3))
    return D + D.T - 2 / 3 * np.trace(D) * np.eye(3)


def test_residual_is_what_no_tensor_describes():
    """On an orbit of the cubic group every tensor is orthogonal to the cubic l = 4 harmonic.

    That harmonic is constant on one orbit, so two are taken.
    """
    rng = np.random.default_rng(3)
    D, scale = traceless(rng), 0.5 * MU_0 * 1e3**2
    group = Rotation.create_group("O").as_matrix()
    u = group @ (np.array([1.0, 2.0, 3.5]) / np.sqrt(17.25))
    u = np.concatenate([u, group @ np.array([0.0, 0.28, 0.96])])
    cubic = 0.01 * (np.sum(u**4, axis=-1) - 0.6)
    assert np.ptp(cubic) > 1e-3
    quadratic = scale * np.einsum("ki,ij,kj->k", u, D, u)
    fit = compiled_projection(u, quadratic + cubic, 1e3)
    assert_close(fit.D, D, 1e-8)
    np.testing.assert_allclose(fit.residual, cubic, rtol=0, atol=1e-8 * np.max(np.abs(quadratic)))
    fit = compiled_projection(u, quadratic, 1e3)
    assert np.max(np.abs(fit.residual)) < 1e-12 * np.max(np.abs(quadratic))


def lstsq_tensor(u, energies, magnetization):
    """The least-squares D of smallest Frobenius norm among traceless symmetric tensors.

    The nine elements are the unknowns; symmetry and trace are removed from each row of the design,
    so that NumPy's minimum-norm solution has neither antisymmetric part nor trace.
    """
    design = np.einsum("ki,kj->kij", u, u) - np.eye(3) / 3
    scale = 0.5 * MU_0 * magnetization**2
    solution, *_ = np.linalg.lstsq(design.reshape(len(u), 9), energies / scale, rcond=1e-10)
    return solution.reshape(3, 3)


@given(seed=SEEDS)
def test_noisy_energies_against_numpy_least_squares(seed):
    u = random_directions(seed, 15)
    energies = np.random.default_rng(seed).normal(size=15)
    fit = compiled_projection(u, energies, 1e3)
    expected = lstsq_tensor(u, energies, 1e3)
    assert_close(fit.D, expected, 1e-8)
    fitted = 0.5 * MU_0 * 1e6 * np.einsum("ki,ij,kj->k", u, expected, u)
    np.testing.assert_allclose(fit.residual, energies - fitted, rtol=0, atol=1e-7)


@pytest.mark.parametrize("plane", ["xy", "xz", "yz", np.array([[1.0, 2.0, 0.5], [0.0, 1.0, 1.0]])])
def test_one_plane_gives_the_smallest_norm(plane):
    u = np.asarray(plane_directions(np.linspace(0, np.pi, 9, endpoint=False), plane))
    D = traceless(np.random.default_rng(5))
    scale = 0.5 * MU_0 * 1e3**2
    energies = scale * np.einsum("ki,ij,kj->k", u, D, u)
    fit = compiled_projection(u, energies, 1e3)
    expected = lstsq_tensor(u, energies, 1e3)
    assert_close(fit.D, expected, 1e-8)
    assert np.max(np.abs(fit.residual)) < 1e-8 * np.max(np.abs(energies))
    # there are others that fit; this one is smaller, and knows nothing of the normal
    normal = np.cross(u[0], u[2])
    across = np.asarray(fit.D) @ normal
    np.testing.assert_allclose(across, (across @ normal) * normal / (normal @ normal), atol=1e-7)
    assert np.linalg.norm(fit.D) < np.linalg.norm(D)


@pytest.mark.slow
def test_projection_differentiates():
    u = jnp.asarray(random_directions(1, 9))
    energies = jnp.asarray(np.random.default_rng(1).normal(size=9))
    jacobian = jax.jacobian(lambda e: project_tensor(u, e, 1e3).D)(energies)
    # linear in the energies: the derivative applied to them is D itself
    assert_close(jacobian @ energies, lstsq_tensor(np.asarray(u), energies, 1e3), 1e-8)
