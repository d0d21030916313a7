"""Resonances in the plane by the loops for the CPU, against the same steps in JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffdip import AnisotropyFields, resonance_field
from diffdip.kernels.calls import available
from diffdip.resonance import planar_solver
from diffdip.resonance.planar_solver import MANY, PlanarArguments, planar_field_and_slopes


if not available():
    pytest.skip("numba is not there", allow_module_level=True)

W0 = 0.3376


def places(count, reach, dtype=float):
    """a, b, c, ĥ and w0; some with the field along an axis, or without anisotropy."""
    random = np.random.default_rng(0)
    a, b, c = random.uniform(-reach, reach, (3, count)) * W0
    angle = random.uniform(-np.pi, np.pi, count)
    larmor = W0 * random.uniform(0.5, 1.5, count)
    b[:50], c[50:100], angle[100:150] = 0, 0, np.pi / 2
    a[150:200] = b[150:200] = c[150:200] = 0
    a[200], angle[201], larmor[202], larmor[203] = np.nan, np.nan, np.nan, 0.0
    columns = a, b, c, np.cos(angle), np.sin(angle), larmor
    return tuple(jnp.asarray(column, dtype) for column in columns)


@pytest.mark.parametrize("reach", [0.3, 2.0])
def test_both_forms_are_the_same(reach):
    some = places(5000, reach)
    field, slopes = planar_solver._slopes_by_loop(*some)
    expected, expected_slopes = jax.jit(planar_solver._slopes_by_steps)(*some)
    missing = np.isnan(expected)
    assert (missing.mean() > 0.1) == (reach > 1)
    np.testing.assert_array_equal(np.isnan(field), missing)
    np.testing.assert_allclose(field, expected, rtol=0, atol=1e-13)
    for slope, reference in zip(slopes, expected_slopes, strict=True):
        assert np.all(np.asarray(slope)[missing] == 0)
        scale = np.maximum(1, np.abs(reference))
        # where two branches meet the slope has no limit, and rounding counts
        steep = scale > 1e3
        assert steep.mean() < 1e-2
        np.testing.assert_allclose((slope / scale)[~steep], (reference / scale)[~steep], atol=1e-9)


@pytest.mark.float32
def test_both_forms_are_the_same_in_single_precision():
    some = places(5000, 0.3, np.float32)
    field, slopes = planar_solver._slopes_by_loop(*some)
    expected, expected_slopes = jax.jit(planar_solver._slopes_by_steps)(*some)
    assert field.dtype == jnp.float32
    np.testing.assert_allclose(field, expected, rtol=0, atol=1e-6)
    for slope, reference in zip(slopes, expected_slopes, strict=True):
        np.testing.assert_allclose(slope, reference, atol=1e-3)


def test_what_is_not_known_has_no_slope():
    """As for few places: NaN results have zero gradients."""
    _, slopes = planar_solver._slopes_by_loop(*places(5000, 0.3))
    _, expected = jax.jit(planar_solver._slopes_by_steps)(*places(5000, 0.3))
    for slope, reference in zip(slopes, expected, strict=True):
        np.testing.assert_array_equal(slope[200:204], reference[200:204])
        assert not np.any(np.asarray(slope[200:203]))


def test_many_places_are_computed_by_the_loops(monkeypatch):
    """Also under vmap, where each call has only a few; and the last block is not a whole one."""
    sizes = []
    monkeypatch.setattr(
        planar_solver, "call", lambda *a, **k: sizes.append(k["numbers"][0]) or 1 / 0
    )
    a, b, c, hx, hy, larmor = places(MANY + 77, 0.3)
    given = PlanarArguments(a, b, c, jnp.arctan2(hy, hx), larmor)
    for many, function in (
        (given, planar_field_and_slopes),
        (given, jax.vmap(planar_field_and_slopes)),
    ):
        with pytest.raises(ZeroDivisionError):
            function(many)
    assert sizes == [MANY + 77] * 2
    few = jax.tree.map(lambda x: x[: MANY - 1], given)
    jax.make_jaxpr(planar_field_and_slopes)(few)
    assert len(sizes) == 2


@pytest.mark.slow
def test_derivatives_of_many_places():
    a, b, c, hx, hy, _ = map(jnp.nan_to_num, places(MANY + 77, 0.3))
    angle = jnp.arctan2(hy, hx)

    def field(a, b, c, angle):
        return resonance_field(AnisotropyFields(a, b, c), angle, 9.45e9)

    given = a, b, c, angle
    first = jax.jit(jax.vmap(jax.grad(field, (0, 1, 2, 3))))(*given)
    second = jax.jit(jax.vmap(jax.grad(jax.grad(field))))(*given)
    h = 1e-6
    jitted = jax.jit(jax.vmap(field))
    for i, slope in enumerate(first):
        sides = [jitted(*given[:i], given[i] + s * h, *given[i + 1 :]) for s in (1, -1)]
        np.testing.assert_allclose(slope, (sides[0] - sides[1]) / (2 * h), atol=1e-7)
    slopes = jax.jit(jax.vmap(jax.grad(field)))
    sides = [slopes(a + s * h, b, c, angle) for s in (1, -1)]
    np.testing.assert_allclose(second, (sides[0] - sides[1]) / (2 * h), atol=1e-5)
