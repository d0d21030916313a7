"""Energies and equilibria of coupled moments against sums by hand and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffdip import DipoleSystem, Moments, decaying_exchange, equilibrium
from diffdip.foundation.errors import InputError
from tests.helpers.coupled_moments import BOHR, PAIR, SITES, padded, several
from tests.helpers.random_dipoles import random_directions


@jax.jit
def energy(moments, direction, field):
    return moments.energy(direction, field)


def test_energy_is_the_sum_over_pairs():
    system, field = several(), np.array([0.1, -0.3, 0.2])
    u = random_directions(1, SITES)
    expected = 0.0
    m, r = np.asarray(system.moments), np.asarray(system.positions)
    for i in range(SITES):
        expected -= m[i] * u[i] @ field
        for j in range(i):
            apart = r[i] - r[j]
            distance = np.linalg.norm(apart)
            e = apart / distance
            dipolar = u[i] @ u[j] - 3 * (u[i] @ e) * (u[j] @ e)
            expected += PAIR * m[i] * m[j] * dipolar / distance**3
            expected -= float(system.exchange[i, j]) * u[i] @ u[j]
    assert float(energy(system, u, field)) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("convention", ["physical", "paper"])
def test_parallel_moments_have_the_energy_of_the_dipole_system(convention):
    some = several(exchange=0.0)
    dipoles = DipoleSystem(some.positions, 8.0, some.moments, convention=convention)
    u = random_directions(2)
    direction = np.broadcast_to(u, (SITES, 3))
    found = float(energy(Moments.of(dipoles), direction, np.zeros(3))) * BOHR
    # each pair counts once, whatever the convention of the system says
    pair_weight = dipoles.convention.pair_weight
    density = float(dipoles.energy_density(u)) * 8e-27 / pair_weight
    assert found == pytest.approx(density, rel=1e-9)


def test_exchange_that_decays():
    system = several()
    found = decaying_exchange(system.positions, 3.0, 0.4)
    apart = np.linalg.norm(np.asarray(system.positions)[:, None] - system.positions, axis=-1)
    np.testing.assert_allclose(found, 3 * np.exp(-apart / 0.4) - 3 * np.eye(SITES), rtol=1e-12)
    slope = jax.jit(jax.grad(lambda r: decaying_exchange(r, 3.0, 0.4)[0, 1]))(system.positions)
    assert bool(jnp.all(jnp.isfinite(slope)))
    assert float(jnp.linalg.norm(slope[0])) == pytest.approx(float(found[0, 1]) / 0.4)


def test_one_moment_follows_the_field():
    field = np.array([0.1, -0.2, 0.3])
    found = equilibrium(padded(np.ones((1, 3))), field, random_directions(3, SITES))
    size = np.linalg.norm(field)
    np.testing.assert_allclose(found.direction[0], field / size, atol=1e-12)
    assert float(found.stiffness) == pytest.approx(size, rel=1e-12)
    assert float(found.energy) == pytest.approx(-1.73 * size, rel=1e-12)
    assert bool(found.stable)


def test_a_pair_across_the_field():
    """Below H = 3 µ0m/4πr³ parallel moments along H are a saddle, where the search starts."""
    distance = 0.4
    d = PAIR * 1.73 / distance**3
    pair = padded([[0.0, 0.0, 0.0], [0.0, 0.0, distance]], exchange=0.1)
    for ratio in (0.5, 0.9, 1.5):
        field = 3 * d * ratio
        found = equilibrium(pair, np.array([field, 0.0, 0.0]))
        cosine = min(1.0, ratio)
        np.testing.assert_allclose(np.abs(found.direction[:2, 0]), cosine, atol=1e-9)
        sine = np.sqrt(1 - cosine**2)
        np.testing.assert_allclose(np.abs(found.direction[:2, 2]), sine, atol=1e-9)
        j = 0.1 / 1.73
        if ratio < 1:  # of the sum of both turns, then of their difference
            values = [3 * d * sine**2, 3 * d, d + 2 * j]
            values.append(2 * d + 2 * j - d * (sine**2 - 2 * cosine**2))
        else:
            values = [field - 3 * d, field, field - 2 * d + 2 * j, field + d + 2 * j]
        assert float(found.stiffness) == pytest.approx(min(values), rel=1e-9)
        assert bool(found.stable)
        assert float(found.alignment) == pytest.approx(1, rel=1e-12)


def test_negative_exchange_tilts_moments_against_each_other():
    """In a field along z, across the pair: cos θ = H/2(d − j)."""
    d = PAIR * 1.73 / 0.4**3
    pair = padded([[0.0, 0.0, 0.0], [0.0, 0.4, 0.0]], exchange=-4.0)
    j = -4.0 / 1.73
    field = 0.3
    start = np.tile([0.1, 0.0, 1.0], (SITES, 1)) * np.array([[1], [-1], [1], [1], [1], [1]])
    found = equilibrium(pair, np.array([0.0, 0.0, field]), start)
    # energy per moment −H c + (d − j)(2c² − 1)/2 over c = cos θ
    cosine = field / (2 * (d - j))
    np.testing.assert_allclose(found.direction[:2, 2], cosine, atol=1e-9)
    assert float(found.alignment) == pytest.approx(cosine, rel=1e-9)


def test_what_is_free_to_turn_is_not_stable():
    alone = equilibrium(padded(np.zeros((1, 3))), np.zeros(3))
    assert not bool(alone.stable)
    assert float(alone.stiffness) == pytest.approx(0, abs=1e-12)
    touching = equilibrium(padded(np.zeros((2, 3))), np.array([0.0, 0.0, 0.3]))
    assert not bool(touching.stable)
    assert np.isnan(float(touching.stiffness))


def test_every_search_ends_in_a_minimum():
    """From random directions, with close pairs and negative exchange; no lower point nearby."""
    random = np.random.default_rng(5)
    for seed in range(6):
        system = several(exchange=random.uniform(-3, 3), seed=seed)
        field = random.normal(size=3) * 0.2
        found = equilibrium(system, field, random_directions(seed, SITES))
        assert bool(found.stable)
        assert float(found.torque) < 1e-12
        for k in range(20):
            near = found.direction + 1e-3 * random_directions(100 * seed + k, SITES)
            near = near / jnp.linalg.norm(near, axis=1, keepdims=True)
            assert float(energy(system, near, field)) > float(found.energy)


@pytest.mark.slow
def test_derivatives_of_an_equilibrium():
    system, field = several(), np.array([0.1, 0.2, 0.3])

    def tilt(positions, exchange, field):
        changed = Moments(positions, exchange * system.exchange, system.moments)
        return equilibrium(changed, field).direction[0, 0]

    at = (system.positions, jnp.ones(()), jnp.asarray(field))
    found = jax.grad(tilt, (0, 1, 2))(*at)
    step = 1e-5
    for which, place in ((0, (2, 1)), (1, ()), (2, (0,))):
        sides = []
        for sign in (1, -1):
            moved = list(at)
            moved[which] = moved[which].at[place].add(sign * step)
            sides.append(float(tilt(*moved)))
        expected = (sides[0] - sides[1]) / (2 * step)
        assert float(found[which][place]) == pytest.approx(expected, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize(
    ("what", "make"),
    [
        ("positions", lambda: Moments(jnp.zeros(3))),
        ("exchange", lambda: Moments(jnp.zeros((2, 3)), jnp.zeros((2, 3)))),
        ("moments", lambda: Moments(jnp.zeros((2, 3)), 0.0, jnp.zeros(3))),
        ("mask", lambda: Moments(jnp.zeros((2, 3)), mask=jnp.ones(3, bool))),
        ("field", lambda: equilibrium(padded(np.zeros((1, 3))), jnp.zeros(2))),
        ("start", lambda: equilibrium(padded(np.zeros((1, 3))), jnp.zeros(3), jnp.zeros((2, 3)))),
    ],
)
def test_other_shapes_are_refused(what, make):
    with pytest.raises((InputError, TypeError)) as refused:
        make()
    assert what in str(refused.value)
