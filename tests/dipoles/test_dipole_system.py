"""Dipole systems against brute force in SI units, magpylib, scaling laws and differences."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jaxtyping
import magpylib
import numpy as np
import pytest
import scipy.constants
from hypothesis import given, strategies as st

from diffdip import DipoleSystem, resonance_field
from diffdip.foundation.errors import InputError
from tests.helpers.random_dipoles import jittered_dipoles, random_directions


SEEDS = st.integers(0, 2**32 - 1)
VOLUME = 64.0
MU_0 = scipy.constants.mu_0
MU_B = scipy.constants.physical_constants["Bohr magneton"][0]
CODATA = 1e-8
"""Agreement to expect where SciPy's constants meet those of diffdip (adjustments differ)."""


@eqx.filter_jit
def energy_density(system, directions):
    return system.energy_density(directions)


@eqx.filter_jit
def results(system):
    """D, (A, B, C), K and M."""
    fields = system.anisotropy_fields()
    fields = jnp.stack([fields.A, fields.B, fields.C])
    return system.tensor(), fields, system.anisotropy().K, system.magnetization


def eq2(positions, volume, moments, theta, phi):
    """Eq. 2 as printed, in SI units: the double sum, with u and r by their polar angles."""
    r, m = positions * 1e-9, moments * MU_B
    total = 0.0
    for i in range(len(r)):
        for j in range(len(r)):
            if i == j:
                continue
            x, y, z = r[j] - r[i]
            distance = np.sqrt(x * x + y * y + z * z)
            theta_ij, phi_ij = np.arccos(z / distance), np.arctan2(y, x)
            cosine = np.sin(theta) * np.sin(theta_ij) * np.cos(phi - phi_ij)
            cosine += np.cos(theta) * np.cos(theta_ij)
            total += m[i] * m[j] * (1 - 3 * cosine**2) / distance**3
    return MU_0 / (4 * np.pi * volume * 1e-27) * total


def assert_close(value, reference, tolerance=1e-13):
    """Equal to `tolerance` of the largest element."""
    scale = np.max(np.abs(reference))
    np.testing.assert_allclose(value, reference, rtol=0, atol=tolerance * scale)


@pytest.mark.slow
def test_pair_by_hand():
    """Two dipoles of 1.73 µB on z, 0.4 nm apart in 8 nm³."""
    pair = DipoleSystem(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.4]]), volume=8.0)
    moment = 1.73 * MU_B
    coupling = MU_0 / (4 * np.pi) * moment**2 / (0.4e-9) ** 3 / 8e-27  # J/m³
    along, across = pair.energy_density(np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
    np.testing.assert_allclose(along, 2 * -2 * coupling, rtol=CODATA)  # head to tail: low
    np.testing.assert_allclose(across, 2 * 1 * coupling, rtol=CODATA)
    magnetization = 2 * moment / 8e-27
    np.testing.assert_allclose(pair.magnetization, magnetization, rtol=CODATA)
    np.testing.assert_allclose(pair.total_moment, 3.46, rtol=1e-14)
    # F = (µ0/2) M² Dxx, and A = µ0 M · 2 Dxx is then 4 F_across/M
    fields = pair.anisotropy_fields()
    np.testing.assert_allclose(fields.A, 8 * coupling / magnetization, rtol=CODATA)
    np.testing.assert_allclose([fields.B, fields.C], 0, atol=1e-16)


@given(seed=SEEDS)
def test_energy_density_is_eq_2(seed):
    positions, moments = jittered_dipoles(seed)
    rng = np.random.default_rng(seed)
    theta, phi = np.arccos(rng.uniform(-1, 1, 4)), rng.uniform(-np.pi, np.pi, 4)
    u = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=-1)
    expected = [eq2(positions, VOLUME, moments, *angles) for angles in zip(theta, phi, strict=True)]
    system = DipoleSystem(positions, VOLUME, moments)
    assert_close(energy_density(system, u), expected, CODATA)


@pytest.mark.slow
@given(seed=SEEDS, convention=st.sampled_from(["paper", "physical"]))
def test_energy_density_is_the_tensor(seed, convention):
    """F = (µ0/2) M² u·D·u in any direction, and A, B, C and K are that D times µ0 M."""
    positions, moments = jittered_dipoles(seed)
    system = DipoleSystem(positions, VOLUME, moments, convention=convention)
    u = random_directions(seed, 5)
    D, (a, b, c), K, M = results(system)
    quadratic = 0.5 * MU_0 * M**2 * np.einsum("ki,ij,kj->k", u, D, u)
    np.testing.assert_allclose(
        energy_density(system, u),
        quadratic,
        rtol=0,
        atol=CODATA * 0.5 * MU_0 * M**2 * np.abs(D).max(),
    )
    assert_close(
        [a, b, c], MU_0 * M * np.array([D[0, 0] + D[1, 1], D[0, 0] - D[1, 1], D[0, 1]]), CODATA
    )
    assert_close(K, {"paper": -1, "physical": 1}[convention] * MU_0 * M * D, CODATA)


@pytest.mark.slow
@pytest.mark.parametrize("convention", ["paper", "physical"])
def test_anisotropy_fields_are_the_tensor_without_xz_and_yz(convention):
    system = DipoleSystem(jittered_dipoles(3)[0], VOLUME, convention=convention)
    fields = system.anisotropy_fields()
    assert str(fields.convention) == convention
    expected = np.asarray(system.anisotropy().K).copy()
    assert np.min(np.abs(expected)) > 1e-6
    expected[[0, 1, 2, 2], [2, 2, 0, 1]] = 0
    assert_close(fields.tensor(), expected, 1e-12)


def test_energy_density_keeps_the_batch_shape():
    system = DipoleSystem(*jittered_dipoles(0)[:1], VOLUME)
    u = random_directions(0, 2, 3)
    batch = energy_density(system, u)
    assert batch.shape == (2, 3)
    assert energy_density(system, u[1, 2]).shape == ()
    np.testing.assert_allclose(energy_density(system, u[1, 2]), batch[1, 2], rtol=1e-13)


@pytest.mark.slow
@given(seed=SEEDS)
def test_mean_field_is_minus_D_M(seed):
    """−D·M is the moment-weighted mean of the field that all others make at each dipole.

    The fields come from magpylib, in SI units; only `physical` counts each pair once.
    """
    positions, moments = jittered_dipoles(seed)
    u = random_directions(seed)
    sources = [
        magpylib.misc.Dipole(position=position * 1e-9, moment=moment * MU_B * u)
        for position, moment in zip(positions, moments, strict=True)
    ]
    mean = np.zeros(3)
    for i, position in enumerate(positions):
        others = sources[:i] + sources[i + 1 :]
        mean += moments[i] * magpylib.getB(others, position * 1e-9, sumup=True)
    mean /= np.sum(moments)
    D, _, K, M = results(DipoleSystem(positions, VOLUME, moments, convention="physical"))
    assert_close(-MU_0 * M * np.asarray(D) @ u, mean, CODATA)
    assert_close(-np.asarray(K) @ u, mean, CODATA)


@pytest.mark.slow
@given(seed=SEEDS, length=st.floats(0.2, 5), moment=st.floats(0.2, 5))
def test_scaling(seed, length, moment):
    """Lengths × λ leave D and divide the fields by λ³; moments × c multiply the fields by c."""
    positions, moments = jittered_dipoles(seed)
    D, fields, K, M = results(DipoleSystem(positions, VOLUME, moments))
    scaled = DipoleSystem(length * positions, length**3 * VOLUME, moment * moments)
    ratio = moment / length**3
    for value, expected in zip(
        results(scaled), (D, ratio * fields, ratio * K, ratio * M), strict=True
    ):
        assert_close(value, np.asarray(expected), 1e-12)


@pytest.mark.slow
def test_rotation_about_z_turns_B_and_C():
    positions, moments = jittered_dipoles(8)
    a, b, c = np.asarray(results(DipoleSystem(positions, VOLUME, moments))[1])
    delta = 0.7
    R = np.array([[np.cos(delta), -np.sin(delta), 0], [np.sin(delta), np.cos(delta), 0], [0, 0, 1]])
    _, turned, _, _ = results(DipoleSystem(positions @ R.T, VOLUME, moments))
    phasor = np.exp(2j * delta) * (b + 2j * c)
    assert_close(turned, np.array([a, phasor.real, phasor.imag / 2]), 1e-12)


def energy_gradient(system, direction):
    def energy(positions, moments):
        fields = ("positions", "moments")
        moved = eqx.tree_at(lambda s: [getattr(s, f) for f in fields], system, [positions, moments])
        return moved.energy_density(direction) + moved.anisotropy_fields().B

    return jax.grad(energy, argnums=(0, 1))(system.positions, system.moments)


compiled_gradient = eqx.filter_jit(energy_gradient)


@pytest.mark.slow
@given(seed=SEEDS)
def test_masked_sites_change_nothing(seed):
    rng = np.random.default_rng(seed)
    positions, moments = jittered_dipoles(seed)
    u = random_directions(seed)
    mask = np.append(False, rng.permutation([True] * 5 + [False] * 2))
    positions = positions - positions[mask][-1]  # one at the origin, after a masked site
    padded, padded_moments = positions.copy(), moments.copy()
    padded[~mask] = [[np.nan] * 3, [np.inf, -np.inf, np.nan], positions[mask][0]]
    padded_moments[~mask] = [np.inf, np.nan, 1.0]
    system = DipoleSystem(padded, VOLUME, padded_moments, mask)
    plain = DipoleSystem(positions[mask], VOLUME, moments[mask])
    for value, expected in zip(results(system), results(plain), strict=True):
        assert_close(value, np.asarray(expected))
    np.testing.assert_allclose(energy_density(system, u), energy_density(plain, u), rtol=1e-11)
    for value, expected in zip(
        compiled_gradient(system, u), compiled_gradient(plain, u), strict=True
    ):
        assert_close(value[mask], np.asarray(expected), 1e-12)
        assert np.all(value[~mask] == 0)


@pytest.mark.parametrize("distance", [0.0, 1e-110, 1e-170])
def test_coincident_dipoles_are_nan_never_inf(distance):
    positions, moments = jittered_dipoles(5)
    positions = positions - positions[2]  # so that a tiny distance is not rounded away
    positions[6] = [0.0, 0.0, distance]
    system = DipoleSystem(positions, VOLUME, moments)
    D, fields, K, M = results(system)
    for value in (D, fields, K, energy_density(system, random_directions(0, 3))):
        assert np.all(np.isnan(value))
    np.testing.assert_allclose(M, np.sum(moments) * MU_B / 64e-27, rtol=CODATA)


@pytest.mark.slow
def test_coincident_dipoles_in_a_batch_spoil_only_their_own_system():
    positions = np.stack([jittered_dipoles(seed)[0] for seed in range(3)])
    positions[1, 3] = positions[1, 0]
    batch = jax.vmap(lambda p: DipoleSystem(p, VOLUME).tensor())(positions)
    assert np.array_equal(np.isnan(batch).all((1, 2)), [False, True, False])
    for index in (0, 2):
        assert_close(batch[index], results(DipoleSystem(positions[index], VOLUME))[0])


@pytest.mark.slow
def test_tensor_gradient_is_the_central_difference():
    positions, moments = jittered_dipoles(21, 5)
    weights = np.random.default_rng(2).normal(size=(3, 3))

    @eqx.filter_jit
    def scalar(positions):
        return jnp.sum(weights * DipoleSystem(positions, VOLUME, moments).tensor())

    gradient = eqx.filter_jit(jax.grad(scalar))(jnp.asarray(positions))
    assert_close(gradient, central_difference(scalar, positions), 1e-7)


def central_difference(function, point, step=1e-4):
    """Fourth-order differences with respect to every element."""
    expected = np.zeros(point.shape)
    for index in np.ndindex(point.shape):
        shift = np.zeros(point.shape)
        shift[index] = step
        near, far = (function(point + k * shift) - function(point - k * shift) for k in (1, 2))
        expected[index] = (8 * near - far) / (12 * step)
    return expected


@pytest.mark.slow
def test_resonance_field_by_positions():
    """From a dipole's position to Hres, end to end; second derivative along a line too."""
    positions, moments = jittered_dipoles(4, 6)
    # 6 dipoles in 16 nm³: A, B, C of some 5 mT
    angles = jnp.array([0.3, 1.2])

    @eqx.filter_jit
    def hres(positions):
        system = DipoleSystem(positions, 16.0, moments)
        return resonance_field(system.anisotropy_fields(), angles, 9.45e9)

    def first(positions):
        return hres(positions)[0]

    gradient = eqx.filter_jit(jax.grad(first))(jnp.asarray(positions))
    assert np.max(np.abs(gradient)) > 1e-3  # T/nm
    assert_close(gradient, central_difference(first, positions, 1e-3), 1e-6)

    line = random_directions(3, 6)
    by_shift = eqx.filter_jit(jax.hessian(lambda t: hres(jnp.asarray(positions) + t * line)[1]))
    step = 3e-3
    low, middle, high = (hres(positions + t * line)[1] for t in (-step, 0.0, step))
    np.testing.assert_allclose(by_shift(0.0), (low - 2 * middle + high) / step**2, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.float32
def test_float32_keeps_a_close_pair_in_a_large_sample():
    rng = np.random.default_rng(0)
    positions = rng.uniform(0, 30, (400, 3))
    positions[1] = [29.0, 28.0, 27.0]
    positions[2] = positions[1] + 0.05 * random_directions(1)
    positions = positions.astype(np.float32)
    u = random_directions(2).astype(np.float32)
    single = DipoleSystem(positions, 27e3)
    assert single.tensor().dtype == jnp.float32
    assert single.energy_density(u).dtype == jnp.float32
    with jax.enable_x64(True):
        double = DipoleSystem(positions.astype(float), 27e3)
        reference, energy = double.tensor(), double.energy_density(u.astype(float))
        assert reference.dtype == jnp.float64
    assert_close(single.tensor(), np.asarray(reference), 1e-5)
    np.testing.assert_allclose(single.energy_density(u), energy, rtol=1e-5)


@pytest.mark.slow
def test_single_dipole_has_no_anisotropy():
    D, fields, K, M = results(DipoleSystem(np.ones((1, 3)), 2.0, 1.0))
    for value in (D, fields, K):
        assert np.all(value == 0)
    np.testing.assert_allclose(M, MU_B / 2e-27, rtol=CODATA)


@pytest.mark.parametrize(
    "given",
    [
        {"positions": np.zeros((0, 3))},
        {"positions": np.zeros((4, 2))},
        {"volume": np.ones(4)},
        {"moments": np.ones(3)},
    ],
)
def test_arrays_of_another_shape_are_refused(given, monkeypatch):
    """Before anything is computed: a volume for each of a million dipoles, for example."""
    made = {"positions": np.eye(4, 3), "volume": 1.0} | given
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as it is for users
    with pytest.raises(InputError, match=f"{next(iter(given))} = "):
        DipoleSystem(**made)
