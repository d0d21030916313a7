"""Energies, angles and frequencies of different precision."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import diffdip as dd
from diffdip.resonance import fields


NU = 9.45e9
ENERGIES = {
    "A, B, C": lambda: dd.AnisotropyFields(0.05, 0.03, 0.01),
    "tensor": lambda: dd.TensorAnisotropy(np.diag([0.05, 0.0, -0.05])),
    "cubic film": lambda: dd.CubicAnisotropy(0.05) + dd.ThinFilm(0.5),
}


def solved(name, energy, angle):
    """Compiled as one program: operation by operation takes five times as long."""
    branches = eqx.filter_jit(dd.resonance_branches)
    field = eqx.filter_jit(dd.resonance_field)
    if name == "A, B, C":
        np.testing.assert_array_equal(
            branches(energy, angle, NU).measured()[0], field(energy, angle, NU)
        )
    return field(energy, angle, NU)


@pytest.mark.slow
@pytest.mark.parametrize("name", ENERGIES)
def test_an_energy_from_before_float64_was_switched_on(name):
    with jax.enable_x64(False):
        single = ENERGIES[name]()
    angle = jnp.linspace(0.0, 1.5, 3)
    found, expected = solved(name, single, angle), solved(name, ENERGIES[name](), angle)
    assert found.dtype == jnp.float64
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.float32
@pytest.mark.parametrize("name", ENERGIES)
def test_single_precision_stays_single(name):
    field = solved(name, ENERGIES[name](), jnp.linspace(0.0, 1.5, 3))
    assert field.dtype == jnp.float32
    with jax.enable_x64(True):
        expected = solved(name, ENERGIES[name](), jnp.linspace(0.0, 1.5, 3))
    np.testing.assert_allclose(field, expected, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("solve", [dd.resonance_field, dd.resonance_branches])
def test_a_second_call_compiles_nothing(solve, monkeypatch):
    """With other numbers in an energy of the same terms: else a loop takes seconds a call."""
    made = []

    class Counted(fields.GeneralSolver):
        def __init__(self, *arguments):
            made.append(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr(fields, "GeneralSolver", Counted)
    for strength in (0.05, 0.06):
        solve(dd.CubicAnisotropy(strength) + dd.ThinFilm(0.5), 0.1, NU)
    assert len(made) < 2
