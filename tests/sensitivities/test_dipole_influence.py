"""Influence of single dipoles, against systems computed from scratch."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import diffdip as dd


def sample() -> dd.DipoleSystem:
    positions = jax.random.uniform(jax.random.key(0), (12, 3), maxval=2.0)
    moments = jax.random.uniform(jax.random.key(1), (12,), minval=1.0, maxval=2.0)
    return dd.DipoleSystem(positions, 8.0, moments, mask=jnp.arange(12) != 4)


@jax.jit
def observed(system: dd.DipoleSystem, observable) -> jax.Array:
    fields = system.anisotropy_fields()
    return observable(jnp.stack([fields.A, fields.B, fields.C]), system.convention)


@pytest.mark.slow
@pytest.mark.parametrize("observable", [dd.Component("A"), dd.Magnitude("B"), dd.Amplitude()])
def test_influence_of_each_dipole(observable):
    system = sample()
    value = lambda system: float(observed(system, observable))
    found = jax.jit(dd.influence)(system, observable)
    assert float(found.value) == pytest.approx(value(system), rel=1e-12)
    for i in range(12):
        without = eqx.tree_at(lambda s: s.mask, system, system.mask.at[i].set(False))
        assert float(found.without[i]) == pytest.approx(value(without), rel=1e-8)
    moved = lambda i, c, h: eqx.tree_at(
        lambda s: s.positions, system, system.positions.at[i, c].add(h)
    )
    for i, c in [(0, 0), (3, 2), (4, 1), (11, 1)]:
        h = 1e-6
        expected = (value(moved(i, c, h)) - value(moved(i, c, -h))) / (2 * h)
        assert float(found.gradient[i, c]) == pytest.approx(expected, rel=2e-5, abs=1e-9)
    np.testing.assert_array_equal(found.gradient[4], 0)


@pytest.mark.slow
def test_nothing_changes_when_all_dipoles_move_together():
    found = jax.jit(dd.influence)(sample(), dd.Magnitude("B"))
    np.testing.assert_allclose(jnp.sum(found.gradient, axis=0), 0, atol=1e-10)
    # B is homogeneous of degree −3 in the positions
    virial = jnp.sum(found.gradient * jnp.where(sample().mask[:, None], sample().positions, 0))
    assert float(virial) == pytest.approx(-3 * float(found.value), rel=1e-10)
