"""Tables of resonances: the same as those of the functions that they tabulate."""

import equinox as eqx
import jax
import numpy as np
import pytest

import diffdip as dd
from diffdip.resonance.tabulated import BLOCK, tabulated_branches, tabulated_field


SETTINGS = (9.45e9, 2.03)
MANY = BLOCK + 188


@pytest.mark.parametrize("plane", ["xy", np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])])
def test_tables_of_any_length(plane):
    angle = np.linspace(0, 4, MANY)
    energy = dd.AnisotropyFields(0.19, 0.2, 0.02)
    expected = np.asarray(eqx.filter_jit(dd.resonance_field)(energy, angle, *SETTINGS, plane))
    for shape in ((MANY,), (3, 5), (), (0,)):
        part = slice(int(np.prod(shape)))
        fields = tabulated_field(energy, angle[part].reshape(shape), *SETTINGS, plane)
        branches = tabulated_branches(energy, angle[part].reshape(shape), *SETTINGS, plane)
        assert (fields.shape, fields.dtype) == (shape, np.float64)
        np.testing.assert_allclose(fields, expected[part].reshape(shape), rtol=1e-12)
        np.testing.assert_allclose(branches.measured()[0], fields, rtol=1e-12)


@pytest.mark.float32
def test_tables_are_float64_in_single_precision_too():
    angle = np.linspace(0, 3, 7)
    energy = dd.AnisotropyFields(0.02, 0.03, 0.005)
    assert energy.A.dtype == np.float32
    expected = jax.jit(dd.resonance_field)(energy, angle.astype(np.float32), *SETTINGS)
    fields = tabulated_field(energy, angle, *SETTINGS)
    assert fields.dtype == np.float64
    np.testing.assert_allclose(fields, expected, rtol=1e-4)
    np.testing.assert_allclose(
        tabulated_branches(energy, angle, *SETTINGS).measured()[0], fields, rtol=1e-12
    )
