"""The elementwise in-plane solver: shapes, and slopes in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffdip import AnisotropyFields, resonance_field
from diffdip.foundation.units import MU_B, PLANCK
from diffdip.resonance.planar_solver import PlanarArguments, planar_field, planar_field_and_slopes


W0 = PLANCK * 9.45e9 / (2 * MU_B)


def random_arguments(count, reach, seed=0):
    random = np.random.default_rng(seed)
    a, b, c = random.uniform(-reach, reach, (3, count)) * W0
    larmor = W0 * random.uniform(0.5, 1.5, count)
    angle = random.uniform(-np.pi, np.pi, count)
    return PlanarArguments(*map(jnp.asarray, (a, b, c, angle, larmor)))


@pytest.mark.slow
def test_arguments_of_any_shapes_broadcast():
    a, b, c = jnp.array([[0.05], [0.1]]), jnp.asarray(0.03), jnp.asarray(-0.01)
    angle = jnp.linspace(0, 3, 5)
    found, slopes = planar_field_and_slopes(PlanarArguments(a, b, c, angle, jnp.asarray(W0)))
    assert found.shape == (2, 5)
    assert {slope.shape for slope in slopes} == {(2, 5)}
    for i in range(2):
        for j in range(5):
            fields = AnisotropyFields(a[i, 0], b, c, "physical")
            one = resonance_field(fields, angle[j], 9.45e9)
            assert found[i, j] == pytest.approx(float(one), rel=1e-13)


@pytest.mark.slow
def test_slopes_are_those_of_finite_differences():
    given = random_arguments(400, 0.4)
    field, slopes = planar_field_and_slopes(given)
    assert np.isfinite(field).mean() > 0.9
    h = 1e-6
    for i, slope in enumerate(slopes):
        sides = [given._replace(**{given._fields[i]: given[i] + s * h}) for s in (1, -1)]
        upper, lower = (np.asarray(planar_field(side)) for side in sides)
        difference = (upper - lower) / (2 * h)
        # where the branch ends the slope grows without bound
        steady = np.isfinite(difference) & (np.abs(slope) < 20) & (np.abs(difference) < 20)
        assert steady.mean() > 0.85
        np.testing.assert_allclose(slope[steady], difference[steady], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_slopes_are_zero_where_there_is_no_resonance():
    given = random_arguments(2000, 2.0)
    field, slopes = planar_field_and_slopes(given)
    missing = np.isnan(field)
    assert 0.1 < missing.mean() < 0.9
    for slope in slopes:
        assert np.all(np.asarray(slope)[missing] == 0)
        assert np.all(np.isfinite(slope))


@pytest.mark.slow
def test_second_derivatives_are_zero_where_there_is_no_resonance():
    given = random_arguments(300, 2.0)
    missing = np.isnan(planar_field(given))
    assert missing.any()
    first = jax.grad(lambda given: jnp.nansum(planar_field(given)))
    second = jax.grad(lambda given: sum(jnp.sum(slope) for slope in first(given)))(given)
    for values in second:
        assert np.all(np.isfinite(values))
        assert np.all(np.asarray(values)[missing] == 0)


@pytest.mark.slow
def test_forward_and_reverse_derivatives_are_the_slopes():
    given = random_arguments(50, 0.5)
    _, slopes = planar_field_and_slopes(given)
    reverse = jax.grad(lambda given: jnp.nansum(planar_field(given)))(given)
    for i, slope in enumerate(slopes):
        tangent = jax.tree.map(jnp.zeros_like, given)._replace(
            **{given._fields[i]: jnp.ones_like(given[i])}
        )
        _, forward = jax.jvp(planar_field, (given,), (tangent,))
        np.testing.assert_allclose(forward, slope, rtol=1e-14)
        np.testing.assert_allclose(reverse[i], slope, rtol=1e-14)


def test_the_program_is_small():
    """What every start of a fit compiles: a few hundred operations, and loops kept as loops."""

    def count(jaxpr):
        inner = [p for e in jaxpr.eqns for p in e.params.values() if hasattr(p, "jaxpr")]
        return len(jaxpr.eqns) + sum(count(p.jaxpr) for p in inner)

    traced = jax.make_jaxpr(planar_field_and_slopes)(random_arguments(3, 0.1))
    assert count(traced.jaxpr) < 800
