"""Constants against SciPy's CODATA tables; the two conventions and what they change."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.constants
from hypothesis import given, strategies as st

from diffdip import (
    PAPER,
    PHYSICAL,
    AnisotropyFields,
    DipoleSystem,
    larmor_field,
    resonance_field,
)
from diffdip.foundation import units
from diffdip.foundation.convention import CONVENTIONS, as_convention


def random_system(seed, convention, count=7):
    """Dipoles of unequal moments, none closer than 0.4 nm (a jittered lattice)."""
    rng = np.random.default_rng(seed)
    sites = np.stack(np.unravel_index(rng.permutation(27)[:count], (3, 3, 3)), axis=-1)
    positions = sites + rng.uniform(-0.3, 0.3, (count, 3))
    return DipoleSystem(positions, 27.0, rng.uniform(0.5, 3.0, count), convention=convention)


def test_constants():
    # SciPy may carry an older CODATA adjustment than 2022, which agrees to 1e-9 or better
    bohr_magneton = scipy.constants.physical_constants["Bohr magneton"][0]
    ours = [units.MU_0, units.MU_B, units.PLANCK]
    np.testing.assert_allclose(
        ours, [scipy.constants.mu_0, bohr_magneton, scipy.constants.h], rtol=1e-9
    )
    # one µB in a cube of 1 nm: 9274 A/m and 11.654 mT
    per_volume = bohr_magneton / (1e-9) ** 3
    np.testing.assert_allclose(units.MAGNETIZATION_UNIT, per_volume, rtol=1e-9)
    np.testing.assert_allclose(units.FIELD_UNIT, scipy.constants.mu_0 * per_volume, rtol=1e-9)
    np.testing.assert_allclose(units.FIELD_UNIT, 11.654e-3, rtol=1e-4)
    np.testing.assert_allclose(units.MOMENT_SPIN_HALF, np.sqrt(3), atol=0.005)


def test_field_units_at_the_edges():
    oersted = 1000 / (4 * np.pi)  # A/m
    assert units.TESLA_PER["Oe"] == pytest.approx(scipy.constants.mu_0 * oersted, rel=1e-8)
    assert units.TESLA_PER["kOe"] == 1000 * units.TESLA_PER["Oe"]
    assert units.TESLA_PER["kG"] == 1000 * units.TESLA_PER["G"]
    assert [units.TESLA_PER[name] for name in ("T", "mT", "G")] == [1.0, 1e-3, 1e-4]
    assert [units.HERTZ_PER[name] for name in ("Hz", "kHz", "MHz", "GHz")] == [1, 1e3, 1e6, 1e9]


def test_larmor_field_of_the_paper():
    assert f"{1e3 * larmor_field(9.45e9):.2f}" == "337.59"


@pytest.mark.parametrize("g", [2.0, 2.0023193, 1.9])
def test_larmor_field(g):
    w0 = larmor_field(9.45e9, g)
    bohr_magneton = scipy.constants.physical_constants["Bohr magneton"][0]
    assert w0 == pytest.approx(scipy.constants.h * 9.45e9 / (g * bohr_magneton), rel=1e-9)


@pytest.mark.parametrize("value", [1, 1.0, True, (1, 2), np.int32(3), np.arange(3)])
def test_as_float_takes_what_is_no_float_to_the_default(value):
    assert units.as_float(value).dtype == jnp.float64
    with jax.enable_x64(False):
        assert units.as_float(value).dtype == jnp.float32
    np.testing.assert_array_equal(units.as_float(value), np.asarray(value, float))


def test_as_float_keeps_floating_arrays():
    assert units.as_float(np.ones(2, np.float32)).dtype == jnp.float32
    assert units.as_float(np.float32(1)).dtype == jnp.float32


def test_conventions_by_name():
    assert as_convention("paper") is PAPER
    assert as_convention("physical") is PHYSICAL
    assert as_convention(PHYSICAL) is PHYSICAL
    assert {name: str(convention) for name, convention in CONVENTIONS.items()} == {
        "paper": "paper",
        "physical": "physical",
    }
    assert (PAPER.pair_weight, PAPER.sign) == (2, -1)
    assert (PHYSICAL.pair_weight, PHYSICAL.sign) == (1, +1)


@pytest.mark.parametrize("name", ["Paper", "", "SI"])
def test_unknown_convention_is_named(name):
    message = f"unknown convention {name!r}: expected one of paper, physical"
    with pytest.raises(ValueError, match=message):
        as_convention(name)
    with pytest.raises(ValueError, match=message):
        AnisotropyFields(convention=name)
    with pytest.raises(ValueError, match=message):
        DipoleSystem(jnp.zeros((1, 3)), 1.0, convention=name)


def test_paper_is_the_default():
    assert DipoleSystem(jnp.zeros((1, 3)), 1.0).convention is PAPER
    assert AnisotropyFields().convention is PAPER


@eqx.filter_jit
def everything(system):
    u = jnp.array([0.48, 0.6, 0.64])
    fields = system.anisotropy_fields()
    linear = system.tensor(), system.energy_density(u), fields.A, fields.B, fields.C
    return linear, system.magnetization, system.anisotropy().K


@given(seed=st.integers(0, 2**32 - 1))
def test_paper_counts_each_pair_twice(seed):
    paper, physical = (everything(random_system(seed, name)) for name in ("paper", "physical"))
    for once, twice in zip(physical[0], paper[0], strict=True):
        np.testing.assert_allclose(once, twice / 2, rtol=1e-14)
    assert physical[1] == paper[1]
    # as a free energy the sign differs too: K = s µ0M D
    np.testing.assert_allclose(physical[2], -paper[2] / 2, rtol=1e-14)


def test_fits_in_both_conventions_have_opposite_fields():
    a, b, c = 0.1915, 0.2046, 0.03
    angles = jnp.linspace(0, jnp.pi, 13)
    paper = resonance_field(AnisotropyFields(a, b, c, "paper"), angles, 9.45e9)
    physical = resonance_field(AnisotropyFields(-a, -b, -c, "physical"), angles, 9.45e9)
    other = resonance_field(AnisotropyFields(a, b, c, "physical"), angles, 9.45e9)
    assert jnp.all(jnp.isfinite(paper))
    np.testing.assert_allclose(paper, physical, rtol=1e-14)
    assert jnp.nanmax(jnp.abs(other - paper)) > 0.1
