"""Samples that scatter on a line: mixed sweeps, a noisy field; and lines that do not."""

import numpy as np
import pytest
import xarray as xr

from diffdip import line_positions
from diffdip.io import read_spectra
from diffdip.spectra.line_shapes import columns
from tests.helpers.raw_data import GONIOMETER, ROTATION, needs_goniometer, needs_rotation


def dataset(field, signal):
    return xr.Dataset(
        {"signal": (("angle", "field"), [signal])},
        coords={"angle": [0.0], "field": field, "frequency": ("angle", [9.45])},
    )


def line(field, at=338.0, width=2.0):
    values = columns(field, at, width, 1.0, 0.0)[:, 0]
    return values / (0.3 / width**2)


def codes(spectra, **options):
    return [flag.code for flag in line_positions(spectra, line="strongest", **options).warnings]


FIELD = np.linspace(330.0, 346.0, 201)


@pytest.mark.parametrize("apart", [0.1, 0.3, 0.6])
@pytest.mark.parametrize("sweeps", [2, 3, 4])
def test_mixed_sweeps_at_measured_fields_are_flagged(apart, sweeps):
    """No field is there twice, and the order among neighbours is random."""
    rng = np.random.default_rng(sweeps)
    fields = [FIELD + rng.normal(scale=0.03, size=len(FIELD)) for _ in range(sweeps)]
    signals = [line(b, 338 + apart * i) for i, b in enumerate(fields)]
    field, signal = np.concatenate(fields), np.concatenate(signals)
    signal += rng.normal(scale=2e-3, size=len(signal))
    order = np.argsort(field)
    assert "scattered-line" in codes(dataset(field[order], signal[order]))


@pytest.mark.parametrize("definition", ["midpoint", "lorentzian"])
def test_a_noisy_field_is_flagged(definition):
    rng = np.random.default_rng(1)
    field = np.linspace(330.0, 346.0, 801)
    noisy = line(field + rng.normal(scale=0.05, size=801)) + rng.normal(scale=1e-3, size=801)
    assert "scattered-line" in codes(dataset(field, noisy), definition=definition)


def test_fields_that_coincide_to_rounding():
    """They are apart by less than a step of float64 at any other field."""
    rng = np.random.default_rng(1)
    field = np.linspace(0.0, 16.0, 801)
    field[1] = 1e-300
    noisy = line(field + rng.normal(scale=0.05, size=801), 8.0)
    assert "scattered-line" in codes(dataset(field, noisy + rng.normal(scale=1e-3, size=801)))


@pytest.mark.parametrize("count", [201, 801])
@pytest.mark.parametrize("noise", [1e-4, 1e-3, 1e-2, 5e-2])
@pytest.mark.parametrize("width", [1.0, 2.0, 5.0])
def test_white_noise_is_not_flagged(count, noise, width):
    field = np.linspace(330.0, 346.0, count)
    for seed in range(3):
        noisy = np.random.default_rng(seed).normal(scale=noise, size=count)
        assert "scattered-line" not in codes(dataset(field, line(field, width=width) + noisy))


def test_irregular_steps_are_no_scatter():
    rng = np.random.default_rng(2)
    field = np.sort(rng.uniform(330.0, 346.0, 801))
    signal = line(field) + rng.normal(scale=1e-3, size=801)
    assert not codes(dataset(field, signal))


@needs_goniometer
def test_the_goniometer_lines_do_not_scatter():
    assert not line_positions(read_spectra(GONIOMETER)).warnings


@needs_rotation
def test_narrow_lines_do_not_scatter():
    found = line_positions(read_spectra(ROTATION).isel(angle=slice(0, 5)), line="strongest")
    assert "scattered-line" not in [flag.code for flag in found.warnings]
