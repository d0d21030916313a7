"""The bundled table: made from the raw sweeps, if they are available, and its numbers."""

import numpy as np
import pytest

from diffdip.foundation.errors import InputError
from diffdip.foundation.units import MU_B, PLANCK
from diffdip.io import example_path, read_table
from tests.helpers import scripts
from tests.helpers.raw_data import GONIOMETER, needs_goniometer


@pytest.fixture(scope="module")
def script():
    return scripts.script("goniometer_table")


@pytest.fixture(scope="module")
def sample():
    [sample] = read_table(example_path())
    return sample


def second_harmonic(angle, values):
    """Mean, amplitude and phase (degrees) of a + b cos 2(α − α0), and the rms of the residuals."""
    design = np.stack([np.ones_like(angle), np.cos(2 * angle), np.sin(2 * angle)], axis=1)
    (mean, cosine, sine), *_ = np.linalg.lstsq(design, values, rcond=None)
    rest = values - design @ [mean, cosine, sine]
    phase = np.degrees(np.arctan2(sine, cosine)) / 2
    return mean, np.hypot(cosine, sine), phase, np.sqrt(np.mean(rest**2))


@needs_goniometer
def test_the_table_is_what_the_raw_sweeps_give(script):
    assert script.table(GONIOMETER) == example_path().read_text(encoding="utf-8")


def test_fields_at_three_angles(sample):
    degrees = np.degrees(sample.angle)
    at = lambda angle: 1e3 * sample.field[np.argmin(np.abs(degrees - angle))]
    assert at(0) == pytest.approx(338.364, abs=5e-4)
    assert at(90) == pytest.approx(338.463, abs=5e-4)
    assert at(180) == pytest.approx(338.376, abs=5e-4)


def test_the_frequency_of_each_row_is_part_of_the_measurement(sample):
    """At one frequency the amplitude of the line is 0.063 mT; without the correction 0.046 mT.

    The drift of the resonator hides a quarter of the anisotropy and leaves larger residuals.
    Correcting for it twice leaves larger residuals too: one correction is right.
    """
    ratio = sample.frequency[0] / sample.frequency
    fits = [second_harmonic(sample.angle, 1e3 * sample.field * ratio**power) for power in range(3)]
    amplitudes = [amplitude for _, amplitude, _, _ in fits]
    np.testing.assert_allclose(amplitudes, [0.0464, 0.0633, 0.0806], atol=2e-4)
    raw, once, twice = (rms for _, _, _, rms in fits)
    assert once < 0.7 * raw
    assert once < 0.7 * twice


def test_the_g_factor_of_each_row(sample):
    g = PLANCK * sample.frequency / (MU_B * sample.field)
    mean, amplitude, phase, rms = second_harmonic(sample.angle, g)
    assert mean == pytest.approx(2.00410, abs=1e-5)
    assert amplitude == pytest.approx(3.75e-4, abs=2e-6)
    assert phase == pytest.approx(-4.0, abs=0.3)
    assert rms == pytest.approx(1.1e-5, abs=1e-6)


def test_zero_crossing_of_an_asymmetric_line(script):
    """A derivative line with another phase still has one crossing."""
    field = np.linspace(-5, 5, 20001)
    absorption = -2 * field / (1 + field**2) ** 2
    dispersion = (1 - field**2) / (1 + field**2) ** 2
    signal = absorption + 0.1 * dispersion
    exact = np.roots([0.1, 2, -0.1])[np.argmin(np.abs(np.roots([0.1, 2, -0.1])))]
    assert script.zero_crossing(field, signal) == pytest.approx(exact, abs=2e-3)


def test_a_folder_without_sweeps(script, tmp_path):
    with pytest.raises(InputError) as refusal:
        script.table(tmp_path)
    assert refusal.value.where == (str(tmp_path),)
    assert refusal.value.given == 0
