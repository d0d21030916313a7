"""Textbook formulas of ferromagnetic resonance, and cmtj's Smit–Beljers solver."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cmtj.models import LayerSB, Solver
from cmtj.utils import Constants, VectorObj

from diffdip import (
    CubicAnisotropy,
    TensorAnisotropy,
    ThinFilm,
    UniaxialAnisotropy,
    larmor_field,
    resonance_branches_along,
    resonance_field_along,
)


FREQUENCY = 9.45e9


@jax.jit
def compiled(K, direction, frequency, g):
    return resonance_branches_along(TensorAnisotropy(K), direction, frequency, g)


def of_tensor(K, direction, frequency=FREQUENCY, g=2.0):
    """Branches of one tensor, compiled once for all tests."""
    return compiled(*(jnp.asarray(np.asarray(a, np.float64)) for a in (K, direction, frequency, g)))


@jax.jit
def of_cubic(strength, direction):
    return resonance_field_along(CubicAnisotropy(strength), direction, FREQUENCY)


def field_of(energy, direction):
    """Measured field of a quadratic energy."""
    direction = np.array(direction, float)
    return float(of_tensor(energy.tensor(), direction / np.linalg.norm(direction)).measured()[0])


@pytest.mark.slow
@pytest.mark.parametrize("film", [0.5, 1.8, -0.2])
@pytest.mark.parametrize("angle", [0.0, 1.0])
def test_kittel_thin_film_in_the_plane(film, angle):
    """w0² = H (H + µ0M_eff)."""
    larmor = float(larmor_field(FREQUENCY))
    field = field_of(ThinFilm(film), [np.cos(angle), np.sin(angle), 0])
    if film > 0:
        np.testing.assert_allclose(field * (field + film), larmor**2, rtol=1e-10)
    np.testing.assert_allclose(field, -film / 2 + np.hypot(film / 2, larmor), rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("film", [0.5, 1.8, -0.2])
def test_kittel_thin_film_along_the_normal(film):
    """w0 = H − µ0M_eff."""
    larmor = float(larmor_field(FREQUENCY))
    np.testing.assert_allclose(field_of(ThinFilm(film), [0, 0, 1]), larmor + film, rtol=1e-10)


@pytest.mark.slow
def test_kittel_ellipsoid():
    """w0² = (H + (Ny − Nx) M)(H + (Nz − Nx) M) with the field along x; a sphere shows nothing."""
    larmor, M = float(larmor_field(FREQUENCY)), 0.6
    for N in ([0.1, 0.3, 0.6], [0.3, 0.1, 0.6], [0.6, 0.3, 0.1], [1 / 3, 1 / 3, 1 / 3]):
        ellipsoid = TensorAnisotropy(jnp.diag(M * jnp.array(N)))
        for axis in range(3):
            others = [N[(axis + 1) % 3] - N[axis], N[(axis + 2) % 3] - N[axis]]
            # the upper root of the quadratic in H, if M is along H there
            expected = -M * sum(others) / 2 + np.hypot(M * (others[0] - others[1]) / 2, larmor)
            assert min(expected + M * other for other in others) > 0
            field = field_of(ellipsoid, np.eye(3)[axis])
            if expected > 0:
                np.testing.assert_allclose(field, expected, rtol=1e-10)
            else:
                assert np.isnan(field)


@pytest.mark.parametrize("strength", [0.05, 0.2, 0.33])
def test_uniaxial_easy_and_hard(strength):
    """Easy axis: w0 = H + H_u. Hard: w0² = H (H − H_u) saturated, H_u² − H² = w0² below."""
    larmor = float(larmor_field(FREQUENCY))
    energy = UniaxialAnisotropy(strength, jnp.array([1.0, 2.0, 2.0]))
    easy, hard = field_of(energy, [1, 2, 2]), field_of(energy, [0, 1, -1])
    np.testing.assert_allclose(easy, larmor - strength, rtol=1e-9)
    np.testing.assert_allclose(hard, strength / 2 + np.hypot(strength / 2, larmor), rtol=1e-10)


def test_unsaturated_hard_axis():
    """Easy axis with H_u > w0: M turns into the field, w0² = H_u² − H², besides the upper line."""
    larmor, strength = float(larmor_field(FREQUENCY)), 0.5
    energy = UniaxialAnisotropy(strength, jnp.array([1.0, 0.0, 0.0]))
    branches = of_tensor(energy.tensor(), [0, 0, 1])
    upper, below = strength / 2 + np.hypot(strength / 2, larmor), np.sqrt(strength**2 - larmor**2)
    np.testing.assert_allclose(branches.field[:3], [upper, below, below], rtol=1e-8)
    np.testing.assert_array_equal(branches.stable[:3], True)
    assert np.isnan(branches.field[3:]).all()
    expected = np.sqrt(1 - (below / strength) ** 2)
    np.testing.assert_allclose(np.sort(branches.direction[1:3, 0]), [-expected, expected])


@pytest.mark.slow
@pytest.mark.parametrize("strength", [0.05, -0.05, 0.2])
def test_cubic_axes(strength):
    """⟨100⟩: w0 = H + H₁; ⟨111⟩: w0 = H − 2H₁/3; ⟨110⟩: w0² = (H − H₁)(H + H₁/2), saturated."""
    larmor = float(larmor_field(FREQUENCY))
    solve = lambda axis: of_cubic(np.float64(strength), np.array(axis) / np.linalg.norm(axis))
    middle = strength / 4 + np.hypot(0.75 * strength, larmor)
    np.testing.assert_allclose(solve([0.0, 0.0, 1.0]), larmor - strength, rtol=1e-9)
    np.testing.assert_allclose(solve([1.0, 1.0, -1.0]), larmor + 2 * strength / 3, rtol=1e-9)
    np.testing.assert_allclose(solve([0.0, 1.0, 1.0]), middle, rtol=1e-9)


@pytest.mark.parametrize(
    ("frequency", "theta", "phi", "Kv", "Ks", "demagnetization"),
    [
        (9.45e9, 90.0, 20.0, 2e4, 0.0, (0.0, 0.0, 1.0)),  # uniaxial in a film, field in plane
        (9.45e9, 35.0, 110.0, 2e4, 1e4, (0.05, 0.15, 0.8)),
        (15e9, 70.0, -60.0, 5e3, -1e4, (0.1, 0.2, 0.7)),
    ],
)
def test_cmtj(frequency, theta, phi, Kv, Ks, demagnetization):
    """One layer of cmtj, in our resonance field: the same equilibrium and the same frequency."""
    Ms, axis = 3e5, 0.4
    mu_0, gamma = Constants.mu0(), Constants.gamma_rad() / (2 * np.pi)
    easy = np.array([np.cos(axis), np.sin(axis), 0])
    K = mu_0 * Ms * np.diag(demagnetization) - 2 * Kv / Ms * np.outer(easy, easy)
    K[2, 2] -= 2 * Ks / Ms
    theta, phi = np.deg2rad([theta, phi])
    direction = np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    larmor_at_two = float(larmor_field(frequency))
    g = 2 * larmor_at_two * gamma / frequency
    field, u = of_tensor(K, direction, frequency, g).measured()
    assert np.isfinite(field)
    assert np.degrees(np.arccos(u @ direction)) > 1  # not a trivial alignment

    layer = LayerSB(
        _id=0,
        thickness=1.0,
        Kv=VectorObj(np.pi / 2, axis, Kv),
        Ks=Ks,
        Ms=Ms,
        Ndemag=VectorObj.from_cartesian(*demagnetization),
    )
    solver = Solver([layer], [], [], H=VectorObj(theta, phi, float(field) / mu_0))
    start = np.array([np.arccos(u[2]), np.arctan2(u[1], u[0])])
    np.testing.assert_allclose(solver.single_layer_resonance(0, start), frequency, rtol=1e-8)
    found, (gigahertz,) = solver.solve(
        start + 0.03, learning_rate=1e-3, adam_tol=1e-9, max_steps=20_000, perturbation=0
    )
    np.testing.assert_allclose(found, start, atol=1e-4)
    np.testing.assert_allclose(1e9 * gigahertz, frequency, rtol=1e-4)
