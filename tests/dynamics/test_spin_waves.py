"""Spin waves and absorption against closed forms, the equation of motion, and sum rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffdip import Moments, absorption, equilibrium, spin_waves
from tests.helpers.coupled_moments import PAIR, PER_HZ, SITES, padded, several


FREQUENCY = 9.45e9


def waves(system, field):
    """Frequencies as fields, in tesla."""
    rest = equilibrium(system, field)
    assert bool(rest.stable)
    return PER_HZ * np.asarray(spin_waves(system, rest).frequency)


def nearest(found, expected):
    """The value nearest to each of those expected: masked sites have frequencies, too."""
    return [found[np.argmin(np.abs(found - value))] for value in expected]


def test_one_moment():
    spin, field = padded(np.zeros((1, 3))), 0.3
    rest = equilibrium(spin, np.array([field, 0.0, 0.0]))
    found = spin_waves(spin, rest)
    at = int(np.argmin(np.abs(PER_HZ * found.frequency - field)))
    assert PER_HZ * float(found.frequency[at]) == pytest.approx(field, rel=1e-12)
    np.testing.assert_allclose(found.strength[at], [0, 1.73 / field, 1.73 / field], atol=1e-10)
    assert float(jnp.sum(found.strength)) == pytest.approx(2 * 1.73 / field)
    w, alpha = PER_HZ * FREQUENCY, 0.02
    absorbed = absorption(spin, rest, FREQUENCY, alpha, jnp.array([0.0, 0.0, 1.0]))
    damped = field + 1j * alpha * w
    expected = -(1.73 * damped / (damped**2 - w**2)).imag
    assert float(absorbed) == pytest.approx(expected, rel=1e-10)


def test_two_moments():
    """The closed forms of a pair along z, for the field along it, and across in both phases."""
    distance, J, m = 0.4, 0.3, 1.73
    pair = padded([[0.0, 0.0, 0.0], [0.0, 0.0, distance]], exchange=J)
    d, j = PAIR * m / distance**3, J / m
    field = 0.3
    # along: both moments see H + 2d + j; turns couple by d − j
    expected = [field + 3 * d, field + d + 2 * j]
    found = nearest(waves(pair, np.array([0.0, 0.0, field])), expected)
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    # across, saturated: K of the sum is H and H − 3d, of the difference H − 2d + 2j and H + d + 2j
    expected = [np.sqrt(field * (field - 3 * d))]
    expected.append(np.sqrt((field - 2 * d + 2 * j) * (field + d + 2 * j)))
    found = nearest(waves(pair, np.array([field, 0.0, 0.0])), expected)
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    # across, tilted by sin θ = H/3d from the axis
    weak = 1.2 * d
    sine, cosine = weak / (3 * d), np.sqrt(1 - (weak / (3 * d)) ** 2)
    expected = [np.sqrt((3 * d) ** 2 - weak**2)]
    difference = 2 * d + 2 * j - d * (cosine**2 - 2 * sine**2)
    expected.append(np.sqrt(difference * (d + 2 * j)))
    found = nearest(waves(pair, np.array([weak, 0.0, 0.0])), expected)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def ring(count, radius):
    angle = 2 * np.pi * np.arange(count) / count
    return radius * np.stack([np.cos(angle), np.sin(angle), np.zeros(count)], axis=1)


def next_neighbours(count, energy):
    hop = np.roll(np.eye(count), 1, axis=0)
    return energy * (hop + hop.T)


def test_spin_waves_of_a_chain():
    """A closed chain with exchange J between neighbours: w = H + (2J/m)(1 − cos k)."""
    J, m, field = 0.8, 1.5, 0.3
    chain = Moments(ring(SITES, 1e5), next_neighbours(SITES, J), m)  # no dipolar fields
    k = 2 * np.pi * np.arange(SITES) / SITES
    found = waves(chain, np.array([0.1, 0.2, 0.2]))
    np.testing.assert_allclose(found, np.sort(field + 2 * J / m * (1 - np.cos(k))), rtol=1e-8)


def test_spin_waves_of_a_ring_with_dipolar_fields():
    """Moments along the axis of a ring: in radial and tangential turns every site is alike."""
    J, m, field, radius = 0.2, 1.73, 0.6, 0.6
    found = waves(
        Moments(ring(SITES, radius), next_neighbours(SITES, J), m), np.array([0.0, 0.0, field])
    )
    steps = np.arange(1, SITES)
    half = np.pi * steps / SITES
    pair = PAIR * m / (2 * radius * np.sin(half)) ** 3
    exchange = np.where((steps == 1) | (steps == SITES - 1), J / m, 0)
    along = field - np.sum(pair - exchange)
    expected = []
    for k in 2 * np.pi * np.arange(SITES) / SITES:
        phase = np.exp(1j * k * steps)
        # products of the directions at the site and at one of `steps` places on
        radial = pair * (np.cos(2 * half) + 3 * np.sin(half) ** 2) - exchange * np.cos(2 * half)
        tangential = pair * (np.cos(2 * half) - 3 * np.cos(half) ** 2)
        tangential = tangential - exchange * np.cos(2 * half)
        mixed = pair * (-np.sin(2 * half) + 3 * np.sin(half) * np.cos(half))
        mixed = mixed + exchange * np.sin(2 * half)
        a, c, b = (
            np.sum(radial * phase) + along,
            np.sum(tangential * phase) + along,
            np.sum(mixed * phase),
        )
        # det [[a, b − iw], [b* + iw, c]] = 0
        expected.append(b.imag + np.sqrt(a.real * c.real - b.real**2))
    np.testing.assert_allclose(found, np.sort(expected), rtol=1e-8)


def test_frequencies_are_those_of_the_equation_of_motion():
    """Against the derivative of −u × B in all 3n components, with B from the energy."""
    for seed, exchange in ((0, 1.0), (1, -1.5), (2, 0.0)):
        system, field = several(exchange, seed), np.array([0.1, 0.15, 0.2])
        rest = equilibrium(system, field)
        assert bool(rest.stable)

        def motion(u, system=system, field=field):
            u = u.reshape(SITES, 3)
            B = -jax.grad(lambda u: system.energy(u, field))(u) / system.moments[:, None]
            return -jnp.cross(u, B).reshape(-1)

        matrix = jax.jit(jax.jacfwd(motion))(rest.direction.reshape(-1))
        expected = np.sort(np.linalg.eigvals(np.asarray(matrix)).imag)[-SITES:]
        found = PER_HZ * np.asarray(spin_waves(system, rest).frequency)
        np.testing.assert_allclose(found, expected, rtol=1e-8)


@pytest.fixture(scope="module")
def static():
    """A system, its equilibrium, and dM/dH there, from moving the minimum."""
    with jax.enable_x64(True):
        system, field = several(-1.5, 1), jnp.array([0.1, 0.15, 0.2])
        moment = lambda field: system.moments @ equilibrium(system, field).direction
        return system, equilibrium(system, field), np.asarray(jax.jit(jax.jacfwd(moment))(field))


def test_strengths_add_up_to_the_static_susceptibility(static):
    system, rest, susceptibility = static
    total = np.sum(spin_waves(system, rest).strength, axis=0)
    np.testing.assert_allclose(total, np.diag(susceptibility), rtol=1e-8)


def test_sum_rule_of_the_absorption(static):
    """∫ χ″/w dw = (π/2) χ(0), by the midpoint rule in 2 atan(w/s), which is periodic."""
    system, rest, susceptibility = static
    steps, scale = 512, 0.7
    half = (np.arange(steps) + 0.5) * np.pi / (2 * steps)
    w = scale * np.tan(half)
    axis = np.array([0.6, 0.0, 0.8])
    found = absorption(system, rest, w / PER_HZ, 0.3, axis)
    integral = np.sum(found / w * scale / np.cos(half) ** 2) * np.pi / (2 * steps)
    assert integral == pytest.approx(np.pi / 2 * (axis @ susceptibility @ axis), rel=1e-8)


def test_a_saddle_has_no_spin_waves():
    pair = padded([[0.0, 0.0, 0.0], [0.0, 0.0, 0.4]])
    rest = equilibrium(pair, np.array([0.05, 0.0, 0.0]))
    upright = np.tile([1.0, 0.0, 0.0], (SITES, 1))
    saddle = type(rest)(jnp.array(upright), rest.field, *(rest.energy,) * 4, jnp.array(False))
    assert np.isnan(np.asarray(spin_waves(pair, saddle).frequency)).all()
    assert np.isnan(float(absorption(pair, saddle, FREQUENCY, 0.1, np.array([0.0, 0.0, 1.0]))))
