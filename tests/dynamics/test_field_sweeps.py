"""Resonances in a sweep of the field: closed forms, parallel moments, derivatives."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffdip import (
    DipoleSystem,
    Moments,
    absorption,
    absorption_sweep,
    equilibrium,
    larmor_field,
    uniform_resonance,
    width_slopes,
)
from diffdip.foundation.errors import InputError
from tests.helpers.coupled_moments import PAIR, padded, several


FREQUENCY = 9.45e9
ANGLES = np.deg2rad([0.0, 50.0])
FIELDS = np.linspace(0.1, 0.7, 31)

pytestmark = pytest.mark.slow


def resonances(system, angles=ANGLES):
    return uniform_resonance(system, angles, FIELDS, FREQUENCY)


def test_one_moment():
    w = float(larmor_field(FREQUENCY))
    found = resonances(padded(np.zeros((1, 3))))
    np.testing.assert_allclose(found.field, w, rtol=1e-10)
    np.testing.assert_allclose(found.damping, 2 * w, rtol=1e-8)
    np.testing.assert_allclose(found.share, 1, rtol=1e-10)
    np.testing.assert_allclose(found.stiffness, w, rtol=1e-10)


@pytest.mark.parametrize("exchange", [0.0, 0.5])
def test_two_moments(exchange):
    """A pair along x resonates at w0 − 3d at 0°, and across at H (H − 3d) = w0², d = µ0m/4πr³."""
    d = PAIR * 1.73 / 0.5**3
    w = float(larmor_field(FREQUENCY))
    pair = padded([[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]], exchange)
    found = resonances(pair, np.deg2rad([0.0, 90.0]))
    across = 1.5 * d + np.sqrt((1.5 * d) ** 2 + w**2)
    np.testing.assert_allclose(found.field, [w - 3 * d, across], rtol=1e-10)
    # 2 w0 ∂H/∂H_ex, both stiffnesses H − a and H − b: (2H − a − b)/(∂w²/∂H) = 1
    np.testing.assert_allclose(found.damping, 2 * w, rtol=1e-8)


def test_strong_exchange_gives_the_resonance_of_the_tensor():
    """The deviation falls as 1/J; the limit, extrapolated from two J, is that of `D`."""
    some = several(1.0, 7, size=0.6)
    dipoles = DipoleSystem(some.positions, 8.0, some.moments, convention="physical")
    rigid = dipoles.anisotropy()
    slopes = width_slopes(rigid, ANGLES, FREQUENCY)  # its field is that of `resonance_field`
    assert np.ptp(slopes.field) > 2e-3
    rows = []
    for J in (50.0, 500.0):
        found = resonances(eqx.tree_at(lambda s: s.exchange, some, J * some.exchange))
        rows.append((np.asarray(found.field), np.asarray(found.damping), 1 - found.share))
    (fields, widths, shares), (fields_10, widths_10, shares_10) = rows
    np.testing.assert_allclose((fields - slopes.field) / (fields_10 - slopes.field), 10, rtol=0.02)
    np.testing.assert_allclose(shares / shares_10, 100, rtol=0.05)
    np.testing.assert_allclose((10 * fields_10 - fields) / 9, slopes.field, atol=1e-8)
    np.testing.assert_allclose((10 * widths_10 - widths) / 9, slopes.damping, atol=1e-8)


def test_derivatives_by_exchange_and_positions():
    some = several(0.1, 7, size=0.6)

    def found(positions, exchange):
        result = resonances(Moments(positions, exchange * some.exchange, some.moments))
        return result.field[1] + 0.01 * result.damping[1]

    at = some.positions, jnp.ones(())
    by_position, by_exchange = jax.grad(found, (0, 1))(*at)
    step = 1e-5
    difference = (found(at[0], 1 + step) - found(at[0], 1 - step)) / (2 * step)
    assert float(by_exchange) == pytest.approx(float(difference), rel=1e-6, abs=1e-10)
    for place in ((0, 0), (2, 1), (4, 2)):
        moved = np.zeros(at[0].shape)
        moved[place] = step
        sides = [found(np.asarray(at[0]) + sign * moved, at[1]) for sign in (1, -1)]
        difference = (sides[0] - sides[1]) / (2 * step)
        assert float(by_position[place]) == pytest.approx(float(difference), rel=1e-6, abs=1e-10)


def test_a_sweep_is_the_absorption_at_each_equilibrium():
    some = several(0.1, 3)
    sweep = absorption_sweep(some, ANGLES, FIELDS, FREQUENCY, 0.05)
    assert bool(sweep.stable.all())
    np.testing.assert_allclose(sweep.field, FIELDS[::-1])
    direction = np.array([np.cos(ANGLES[1]), np.sin(ANGLES[1]), 0])
    up = np.array([0.0, 0.0, 1.0])
    for at in (3, 20):
        rest = equilibrium(some, float(sweep.field[at]) * direction)
        expected = absorption(some, rest, FREQUENCY, 0.05, up)
        assert float(sweep.absorption[1, at]) == pytest.approx(float(expected), rel=1e-9)
        assert float(sweep.alignment[1, at]) == pytest.approx(float(rest.alignment), rel=1e-12)


def test_no_resonance_is_nan():
    spin = padded(np.zeros((1, 3)))
    beyond = uniform_resonance(spin, ANGLES, FIELDS + 0.3, FREQUENCY)
    assert np.isnan(beyond.field).all()
    touching = resonances(padded(np.zeros((2, 3))))
    assert np.isnan(touching.field).all()


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("fields", {"fields": FIELDS[:2]}),
        ("fields", {"fields": FIELDS[None]}),
        ("frequency", {"frequency": np.full(2, FREQUENCY)}),
        ("microwave", {"microwave": np.ones(2)}),
        ("plane", {"plane": "zz"}),
    ],
)
def test_what_is_refused(what, change):
    given = {"fields": FIELDS, "frequency": FREQUENCY} | change
    with pytest.raises((InputError, TypeError)) as refused:
        uniform_resonance(padded(np.zeros((1, 3))), ANGLES, **given)
    assert what in str(refused.value)
