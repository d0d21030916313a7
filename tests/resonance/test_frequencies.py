"""Resonance frequencies at set fields: textbook formulas, and the inverse of resonance fields."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import diffdip as dd
from diffdip.foundation.units import larmor_value


RNG = np.random.default_rng(5)


def film(cubic, normal, uniaxial):
    axis = jnp.array([0.6, 0.8, 0.0])
    crystal = dd.CubicAnisotropy(cubic) + dd.UniaxialAnisotropy(uniaxial, axis)
    return crystal + dd.ThinFilm(normal)


compiled = eqx.filter_jit(dd.resonance_frequency_along)


def tesla(frequency):
    """w of a frequency at g = 2."""
    return larmor_value(np.asarray(frequency), 2.0)


@pytest.mark.parametrize("normal", [1.2, -0.4])
def test_kittel_in_the_plane_and_along_the_normal(normal):
    fields = np.array([0.05, 0.3, 2.0]) + max(-normal, 0)
    in_plane = compiled(film(0.0, normal, 0.0), np.tile([1.0, 0, 0], (3, 1)), fields)
    np.testing.assert_allclose(tesla(in_plane), np.sqrt(fields * (fields + normal)), rtol=1e-12)
    above = fields + max(normal, 0)
    along = compiled(film(0.0, normal, 0.0), np.tile([0, 0, 1.0], (3, 1)), above)
    np.testing.assert_allclose(tesla(along), above - normal, rtol=1e-12)


def test_an_easy_axis_across_a_small_field():
    # M turns to cos θ = H/H_u, and w² = H_u² − H²
    fields = np.array([0.0, 0.02, 0.04])
    axis = np.tile([-0.8, 0.6, 0.0], (3, 1))
    frequency = compiled(film(0.0, 0.0, 0.1), axis, fields)
    np.testing.assert_allclose(tesla(frequency), np.sqrt(0.1**2 - fields**2), rtol=1e-10)


@pytest.mark.slow
def test_frequencies_are_the_inverse_of_fields():
    directions = RNG.normal(size=(40, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    frequency = RNG.uniform(5e9, 40e9, 40)
    energy = film(0.05, 0.5, 0.02)
    field = eqx.filter_jit(dd.resonance_field_along)(energy, directions, frequency, 2.1)
    assert np.isfinite(field).sum() > 35
    found = compiled(energy, directions, field, 2.1)
    known = np.isfinite(field)
    np.testing.assert_allclose(found[known], frequency[known], rtol=1e-12)


@pytest.mark.slow
def test_derivatives_are_those_of_differences():
    direction = jnp.array([0.3, 0.4, 0.75**0.5])
    where = jnp.array([0.05, 0.5, 0.02, 0.4])  # cubic, film, uniaxial, field

    @jax.jit
    def frequency(x):
        return larmor_value(dd.resonance_frequency_along(film(*x[:3]), direction, x[3]), 2.0)

    steps = 1e-5 * jnp.eye(4)
    forward, reverse = jax.jit(jax.jacfwd(frequency))(where), jax.jit(jax.grad(frequency))(where)
    differences = [(frequency(where + s) - frequency(where - s)) / 2e-5 for s in steps]
    np.testing.assert_allclose(forward, differences, rtol=1e-7)
    np.testing.assert_allclose(reverse, forward, rtol=1e-12)


def test_nothing_to_resonate():
    isotropic = compiled(film(0.0, 0.0, 0.0), np.eye(3), np.array([-0.1, 0.1, 0.2]))
    assert np.isnan(isotropic[0])
    np.testing.assert_allclose(tesla(isotropic[1:]), [0.1, 0.2], rtol=1e-12)
