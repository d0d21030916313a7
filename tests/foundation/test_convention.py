"""The two conventions and what they change."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

from diffdip import (
    PAPER,
    PHYSICAL,
    AnisotropyFields,
    DipoleSystem,
    resonance_field,
)
from diffdip.foundation.convention import CONVENTIONS, as_convention
from diffdip.foundation.errors import InputError
from tests.helpers.random_dipoles import jittered_dipoles


def random_system(seed, convention, count=7):
    """Dipoles of unequal moments."""
    positions, moments = jittered_dipoles(seed, count, side=3)
    return DipoleSystem(positions, 27.0, moments, convention=convention)


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
@pytest.mark.parametrize(
    "use",
    [
        as_convention,
        lambda name: AnisotropyFields(convention=name),
        lambda name: DipoleSystem(jnp.zeros((1, 3)), 1.0, convention=name),
    ],
)
def test_unknown_convention_is_named(use, name):
    with pytest.raises(InputError) as caught:
        use(name)
    assert caught.value.what == "convention"
    assert caught.value.given == name
    assert all(known in caught.value.expected for known in CONVENTIONS)


def test_paper_is_the_default():
    assert DipoleSystem(jnp.zeros((1, 3)), 1.0).convention is PAPER
    assert AnisotropyFields().convention is PAPER


@eqx.filter_jit
def everything(system):
    u = jnp.array([0.48, 0.6, 0.64])
    fields = system.anisotropy_fields()
    linear = system.tensor(), system.energy_density(u), fields.A, fields.B, fields.C
    return linear, system.magnetization, system.anisotropy().K


@pytest.mark.slow
@given(seed=st.integers(0, 2**32 - 1))
def test_paper_counts_each_pair_twice(seed):
    paper, physical = (everything(random_system(seed, name)) for name in ("paper", "physical"))
    for once, twice in zip(physical[0], paper[0], strict=True):
        np.testing.assert_allclose(once, twice / 2, rtol=1e-14)
    assert physical[1] == paper[1]
    # as a free energy the sign differs too: K = s µ0M D
    np.testing.assert_allclose(physical[2], -paper[2] / 2, rtol=1e-14)


@pytest.mark.slow
def test_fits_in_both_conventions_have_opposite_fields():
    a, b, c = 0.1915, 0.2046, 0.03
    angles = jnp.linspace(0, jnp.pi, 13)
    paper = resonance_field(AnisotropyFields(a, b, c, "paper"), angles, 9.45e9)
    physical = resonance_field(AnisotropyFields(-a, -b, -c, "physical"), angles, 9.45e9)
    other = resonance_field(AnisotropyFields(a, b, c, "physical"), angles, 9.45e9)
    assert jnp.all(jnp.isfinite(paper))
    np.testing.assert_allclose(paper, physical, rtol=1e-14)
    assert jnp.nanmax(jnp.abs(other - paper)) > 0.1
