"""The resonance field without anisotropy."""

import numpy as np
import pytest
import scipy.constants

from diffdip import larmor_field


def test_larmor_field_of_the_paper():
    assert f"{1e3 * larmor_field(9.45e9):.2f}" == "337.59"


@pytest.mark.parametrize("g", [2.0, 2.0023193, 1.9])
def test_larmor_field(g):
    w0 = larmor_field(9.45e9, g)
    bohr_magneton = scipy.constants.physical_constants["Bohr magneton"][0]
    assert w0 == pytest.approx(scipy.constants.h * 9.45e9 / (g * bohr_magneton), rel=1e-9)


def test_larmor_field_broadcasts():
    field = larmor_field(np.array([[9e9], [18e9]]), np.array([2.0, 2.1, 4.0]))
    assert field.shape == (2, 3)
    np.testing.assert_allclose(field[1], 2 * field[0], rtol=1e-14)
    np.testing.assert_allclose(field[0, 2], field[0, 0] / 2, rtol=1e-14)


@pytest.mark.parametrize(("frequency", "g"), [(0.0, 2.0), (-9e9, 2.0), (9e9, -2.0), (np.nan, 2.0)])
def test_larmor_field_is_nan_unless_positive(frequency, g):
    assert np.isnan(larmor_field(frequency, g))
