"""Likeness of neighbours: its mean and spread by brute force, and maps that have few angles."""

import dataclasses

import numpy as np
import pytest

from diffdip import Series
from diffdip.fitting.neighbours import basis_of, likeness, next_to
from diffdip.fitting.residual_structure import structure_flags
from diffdip.io import residual_warnings
from tests.helpers.fits import fit_by_hand


MT = 1e-3


def waves(angle, count):
    """The smoothest `count` functions of a period of π."""
    columns = [np.ones_like(angle)]
    columns += [f(2 * k * angle) for k in (1, 2, 3, 4) for f in (np.cos, np.sin)]
    return np.stack(columns[:count], axis=1)


def left_by(basis, noise):
    return noise - (noise @ basis) @ basis.T


@pytest.mark.parametrize(("points", "size"), [(8, 3), (11, 6), (19, 3), (37, 5)])
def test_chance_is_what_many_fits_show(points, size):
    basis = basis_of(waves(np.linspace(0, np.pi, points), size))
    left = left_by(basis, np.random.default_rng(points).normal(size=(20_000, points)))
    found = np.sum(left[:, 1:] * left[:, :-1], axis=1) / np.sum(left**2, axis=1)
    one = likeness(left[0], basis, next_to(points))
    assert one.correlation == pytest.approx(found[0])
    assert one.expected == pytest.approx(found.mean(), abs=0.01)
    assert one.deviation == pytest.approx(found.std(), rel=0.03)


def test_few_points_and_many_parameters_are_not_called_alike():
    # 6 parameters and 11 points: the fit itself makes a correlation of −0.56
    angle = np.linspace(0, np.pi, 11)
    jacobian = waves(angle, 6)
    series = [Series(angle, np.full(11, 0.3), frequency=9.4e9)]
    left = MT * left_by(basis_of(jacobian), np.random.default_rng(1).normal(size=(1000, 11)))
    assert np.mean(np.sum(left[:, 1:] * left[:, :-1], axis=1) <= 0) > 0.9
    flagged = [bool(structure_flags(series, r, r, jacobian)) for r in left]
    assert np.sum(flagged) <= 10


def a_map(frequencies, angles):
    """A series of few angles for each frequency, as a table of a map is read."""
    angle, held = np.radians(angles), np.linspace(0.1, 0.4, frequencies)
    return [Series(angle, np.full(len(angle), h), frequency=28e9 * h) for h in held]


@pytest.mark.parametrize("angles", [[0.0, 90.0], [0.0, 20.0, 40.0, 60.0]])
def test_a_map_of_many_frequencies_is_tested_in_frequency(angles):
    series = a_map(40, angles)
    size = 40 * len(angles)
    jacobian = np.stack([np.ones(size), np.repeat(np.linspace(0, 1, 40), len(angles))], axis=1)
    basis = basis_of(jacobian)
    rng = np.random.default_rng(len(angles))
    white = left_by(basis, rng.normal(size=(1000, size)))
    assert np.sum([bool(structure_flags(series, MT * r, r, jacobian)) for r in white]) <= 5
    # a term that the model lacks bends the curve of every angle
    bent = np.repeat(np.sin(7 * np.linspace(0, 1, 40)), len(angles))
    left = left_by(basis, 1.5 * bent + rng.normal(size=size))
    [flag] = structure_flags(series, MT * left, left, jacobian)
    assert flag.code == "structured-residuals"
    assert "in frequency" in flag.message


def test_a_series_without_points_is_passed_over():
    angle = np.linspace(0, np.pi, 9)
    series = [Series(angle, np.full(9, x), 1e-3, frequency=9.4e9) for x in (np.nan, 0.3)]
    left = np.append(np.full(9, np.nan), MT * np.random.default_rng(2).normal(size=9))
    assert structure_flags(series, left, left / MT, np.ones((18, 1))) == ()


def test_a_map_of_few_angles_a_series_is_tested_in_angle():
    series = a_map(30, np.arange(0.0, 60.0, 10.0))
    jacobian = np.ones((180, 1))
    wave = np.tile(np.sin(np.arange(6.0)), 30) * np.repeat((-1.0) ** np.arange(30), 6)
    left = left_by(basis_of(jacobian), wave + 0.4 * np.random.default_rng(3).normal(size=180))
    [flag] = structure_flags(series, MT * left, left, jacobian)
    assert "in angle" in flag.message


def test_measured_frequencies_are_told_in_their_unit():
    angle = np.linspace(0, np.pi, 19)
    hertz = 9.4e9 + 1e7 * np.cos(4 * angle) + 1e6 * np.random.default_rng(0).normal(size=19)
    series = Series(angle, np.full(19, 0.3), frequency=hertz, measured="frequency")
    left = series.observed - series.observed.mean()
    [flag] = structure_flags([series], left, left, np.ones((19, 1)))
    assert "4α" in flag.message
    amplitude = float(flag.message.partition("amplitude of ")[2].partition(" MHz")[0])
    assert amplitude == pytest.approx(10, rel=0.1)
    result = fit_by_hand()
    angle = np.radians(np.arange(0, 180, 30.0))
    held = Series(angle, np.full(6, 0.3), frequency=np.full(6, 9.4e9), measured="frequency")
    left = np.array([1.0, -1.2, 0.8, -1.0, 30.0, 0.9]) * 1e6 * held.observed[0] / 9.4e9
    result = dataclasses.replace(result, residuals=left, series=(held,))
    [warning] = residual_warnings(result)
    assert "+30 MHz" in warning.message
    assert result.rms_of("frequency") == pytest.approx(
        1e6 * np.sqrt(np.mean([1, 1.44, 0.64, 1, 900, 0.81]))
    )
    assert np.isnan(result.rms_of("field"))
