"""Constants against SciPy's CODATA tables, and units at the edges of the program."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.constants

from diffdip.foundation import units


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


def test_constants_need_no_jax():
    """The command line shows them in its help, which must not wait for JAX."""
    code = "import sys, diffdip.foundation.units; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "diffdip.foundation.units" in loaded
    assert not loaded & {"jax", "numpy"}
