"""The paper's two conditions against differences of the energy, and against the solver."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

from diffdip import (
    AnisotropyFields,
    equilibrium_condition,
    larmor_field,
    resonance_branches,
    resonance_condition,
    resonance_field,
)


FREQUENCY = 9.45e9
SIGN = {"paper": -1, "physical": +1}
TESLA = st.floats(-0.5, 0.5)
ANGLE = st.floats(-4.0, 4.0)


def energy(a, b, c, sign, field, field_angle, angle, latitude):
    """f = −H·u + (s/2) µ0M u·D·u for H in the xy-plane and u at an angle and latitude."""
    x, y, z = np.cos(latitude) * np.cos(angle), np.cos(latitude) * np.sin(angle), np.sin(latitude)
    # µ0M (Dxx, Dyy, Dzz, Dxy) from A, B, C and tr D = 0
    quadratic = (a + b) / 2 * x * x + (a - b) / 2 * y * y - a * z * z + 2 * c * x * y
    zeeman = -field * (x * np.cos(field_angle) + y * np.sin(field_angle))
    return zeeman + sign / 2 * quadratic


def differences(function, step=2e-3):
    """First and second derivative at 0, fourth order."""
    f = {k: function(k * step) for k in (-2, -1, 0, 1, 2)}
    first = (8 * (f[1] - f[-1]) - f[2] + f[-2]) / (12 * step)
    second = (16 * (f[1] + f[-1]) - 30 * f[0] - f[2] - f[-2]) / (12 * step**2)
    return first, second


@given(
    a=TESLA,
    b=TESLA,
    c=TESLA,
    field=st.floats(0, 1.5),
    field_angle=ANGLE,
    angle=ANGLE,
    convention=st.sampled_from(["paper", "physical"]),
)
def test_conditions_are_derivatives_of_the_energy(a, b, c, field, field_angle, angle, convention):
    """Equilibrium: ∂f/∂α_M. Resonance: product of both stiffnesses, in and out of the plane."""
    fields = AnisotropyFields(a, b, c, convention)
    arguments = (a, b, c, SIGN[convention], field, field_angle)
    torque, in_plane = differences(lambda t: energy(*arguments, angle + t, 0.0))
    _, out_of_plane = differences(lambda t: energy(*arguments, angle, t))
    value = equilibrium_condition(fields, field, field_angle, angle)
    np.testing.assert_allclose(value, torque, rtol=0, atol=1e-9)
    value = resonance_condition(fields, field, field_angle, angle, 0.3)
    np.testing.assert_allclose(value, in_plane * out_of_plane - 0.3**2, rtol=0, atol=1e-8)


@eqx.filter_jit
def branches(fields, angle):
    solve = jax.vmap(lambda f, x: resonance_branches(f, x, FREQUENCY))
    return solve(fields, angle)


@pytest.mark.slow
@pytest.mark.parametrize("convention", ["paper", "physical"])
@pytest.mark.parametrize("size", [0.1, 0.4])
def test_both_vanish_at_every_resonance_in_the_plane(convention, size):
    rng = np.random.default_rng(int(10 * size))
    count = 200
    a, b, c = rng.uniform(-size, size, (3, count))
    angle = rng.uniform(0, 2 * np.pi, count)
    fields = AnisotropyFields(a[0], b[0], c[0], convention)
    fields = eqx.tree_at(
        lambda f: (f.A, f.B, f.C), fields, tuple(jnp.asarray(x) for x in (a, b, c))
    )
    found = branches(fields, jnp.asarray(angle))
    u = np.asarray(found.direction)
    planar = np.isfinite(found.field) & (np.abs(u[..., 2]) < 1e-9)
    sample, slot = np.nonzero(planar)
    assert len(set(sample)) > (0.95 if size < 0.2 else 0.5) * count

    w0 = larmor_field(FREQUENCY)
    H = np.asarray(found.field)[sample, slot]
    x, y, _ = u[sample, slot].T
    chosen = eqx.tree_at(lambda f: (f.A, f.B, f.C), fields, tuple(v[sample] for v in (a, b, c)))
    arguments = (chosen, H, angle[sample], np.arctan2(y, x))
    np.testing.assert_allclose(equilibrium_condition(*arguments), 0, atol=1e-10)
    np.testing.assert_allclose(resonance_condition(*arguments, w0), 0, atol=1e-10)
    # not zero by default: 1 % more field breaks both wherever M lags behind the field
    more = (chosen, 1.01 * H, *arguments[2:])
    assert np.median(np.abs(resonance_condition(*more, w0))) > 1e-4
    assert np.median(np.abs(equilibrium_condition(*more))) > 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(("angle_deg", "field_mT"), [(0.0, 52.95), (90.0, 399.57)])
def test_sample_I_of_the_paper(angle_deg, field_mT):
    """Fitted A and B of sample I, on its two symmetry axes, where M is along H."""
    fields = AnisotropyFields(A=0.1915, B=0.2046)
    angle = np.deg2rad(angle_deg)
    H = resonance_field(fields, angle, FREQUENCY)
    np.testing.assert_allclose(1e3 * H, field_mT, atol=0.005)
    np.testing.assert_allclose(equilibrium_condition(fields, H, angle, angle), 0, atol=1e-14)
    w0 = larmor_field(FREQUENCY)
    np.testing.assert_allclose(resonance_condition(fields, H, angle, angle, w0), 0, atol=1e-12)


def test_arguments_broadcast():
    fields = AnisotropyFields(A=0.1, B=0.05, C=0.02)
    field, angle = np.array([[0.2], [0.3]]), np.array([0.1, 0.5, 0.9])
    torque = equilibrium_condition(fields, field, 0.4, angle)
    product = resonance_condition(fields, field, 0.4, angle, 0.3)
    assert torque.shape == product.shape == (2, 3)
    alone = equilibrium_condition(fields, 0.3, 0.4, 0.9)
    np.testing.assert_allclose(torque[1, 2], alone, rtol=1e-14)
    alone = resonance_condition(fields, 0.3, 0.4, 0.9, 0.3)
    np.testing.assert_allclose(product[1, 2], alone, rtol=1e-14)
