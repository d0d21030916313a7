"""Sweeps from negative to positive field, and positions that do not fit to their frequency."""

import numpy as np
import pytest
import xarray as xr

from diffdip import find_lines, line_positions
from diffdip.foundation.accepted_values import implausible_g
from diffdip.spectra.lines import LineError


FIELD = np.linspace(-400.0, 400.0, 4001)


def derivative(at, width=4.0, height=1.0):
    x = (FIELD - at) / width
    return -height * x * np.exp(0.5 - x**2 / 2)


def sweeps(positions, sense=-1.0, ratios=None, frequency=9.45, field=FIELD):
    """A line at each position and one at negative field, of the same or the opposite sense.

    `ratios` are the heights of the lines at negative field.
    """
    ratios = np.ones(len(positions)) if ratios is None else ratios
    noise = 3e-3 * np.random.default_rng(1).normal(size=(len(positions), len(FIELD)))
    signals = [
        derivative(at) + sense * derivative(-at, height=ratio)
        for at, ratio in zip(positions, ratios, strict=True)
    ]
    return xr.Dataset(
        {"signal": (("angle", "field"), np.array(signals) + noise)},
        coords={
            "angle": 30.0 * np.arange(len(positions)),
            "field": field,
            "frequency": ("angle", np.full(len(positions), frequency)),
        },
    )


@pytest.mark.parametrize("sense", [-1.0, 1.0])
@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_lines_at_both_sides_are_found(sense, ratio):
    signal = derivative(300.0) + sense * derivative(-300.0, height=ratio)
    noise = 3e-3 * np.random.default_rng(0).normal(size=len(FIELD))
    found = find_lines(FIELD, signal + noise)
    np.testing.assert_allclose(found.position, [-300, 300], atol=0.6)


@pytest.mark.parametrize("sense", [-1.0, 1.0])
@pytest.mark.parametrize("options", [{}, {"line": "strongest"}, {"near": 301.0}])
def test_the_line_at_positive_field_is_taken(sense, options):
    at = [300.0, 302.0, 304.0]
    # which of the two lines is stronger changes from angle to angle
    spectra = sweeps(at, sense, ratios=[2.0, 0.7, 1.4])
    found = line_positions(spectra, **options)
    np.testing.assert_allclose(1e3 * found.field, at, atol=0.1)
    assert not found.warnings


def test_a_line_at_negative_field_can_be_followed():
    found = line_positions(sweeps([300.0, 302.0]), near=-300.0)
    np.testing.assert_allclose(1e3 * found.field, [-300, -302], atol=0.1)


def test_a_followed_line_does_not_change_sides():
    spectra = sweeps([300.0, 302.0])
    spectra["signal"].values[1] = -derivative(-302.0)
    with pytest.raises(LineError, match="lost"):
        line_positions(spectra, near=300.0)


def test_several_lines_at_positive_field_stay_a_choice():
    spectra = sweeps([300.0])
    spectra["signal"].values[0] += derivative(150.0)
    with pytest.raises(LineError, match="3 lines"):
        line_positions(spectra)


@pytest.mark.parametrize(
    ("frequency", "field", "flagged"),
    [
        (9.45, FIELD, False),
        (9.45e-3, FIELD, True),  # MHz that were called GHz
        (9.45, FIELD / 10, True),  # g = 22
        (9.45, 40 * FIELD, True),
        (np.nan, FIELD, False),
    ],
)
def test_positions_that_do_not_fit_to_their_frequency(frequency, field, flagged):
    spectra = sweeps([300.0, 302.0], frequency=frequency, field=field)
    codes = [flag.code for flag in line_positions(spectra, line="strongest").warnings]
    assert ("implausible-g" in codes) == flagged


def test_the_effective_g():
    assert implausible_g(np.array([0.3376, 0.34]), np.array([9.45e9, np.nan])) == []
    assert implausible_g(np.array([0.0]), np.array([9.45e9])) == []
    [flag] = implausible_g(np.full(3, 0.3376), np.array([9.45e9, 9.45e12, 9.45e9]))
    assert "from 9.45 to 9450 GHz" in flag.message
    [flag] = implausible_g(np.array([0.03376]), np.array([9.45e9]))
    assert "g = 20" in flag.message
