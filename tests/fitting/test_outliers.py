"""Outliers of a fit, by hand."""

import dataclasses

import numpy as np
import pytest

from diffdip import Series
from diffdip.io import residual_warnings
from tests.helpers.fits import FREQUENCY, fit_by_hand


@pytest.fixture(scope="module")
def result():
    return fit_by_hand()


@pytest.mark.slow
def test_outliers_are_pointed_out(result):
    assert residual_warnings(result) == []
    residuals = np.array([1.0, -1.2, 0.8, -1.0, 30.0, 0.9]) * 1e-3
    [warning] = residual_warnings(dataclasses.replace(result, residuals=residuals))
    # by hand: median 0.85, MAD 1.0, 29.15/(1.4826 · 1.0) = 19.7
    assert warning.code == "outlier"
    assert all(number in warning.message for number in ("120°", "+30 mT", " 20 "))


def test_outliers_are_measured_in_their_errors(result):
    [series] = result.series
    sigma = np.array([1.0, 1.0, 1.0, 1.0, 100.0, 1.0]) * 1e-3
    series = Series(series.angle, series.field, sigma, frequency=FREQUENCY)
    residuals = np.array([1.0, -1.2, 0.8, -1.0, 30.0, 0.9]) * 1e-3
    wide = dataclasses.replace(result, residuals=residuals, series=(series,))
    assert residual_warnings(wide) == []


def test_many_outliers_are_told_as_one(result):
    angle = np.linspace(0, 3, 20)
    long = tuple(Series(angle, 0.3 + 0 * angle, frequency=FREQUENCY, name=name) for name in "ab")
    residuals = 1e-3 * np.tile([1.0, -1.2, 0.8, -0.9], 10)
    residuals[:2] = 0.03
    two = residual_warnings(dataclasses.replace(result, series=long, residuals=residuals))
    assert [flag.code for flag in two] == ["outlier"] * 2
    assert all("of a is" in flag.message for flag in two)
    residuals[:12] = 0.03
    [one] = residual_warnings(dataclasses.replace(result, series=long, residuals=residuals))
    assert one.code == "many-outliers"
    assert "12 of 40" in one.message


def test_few_or_perfect_residuals_have_no_outliers(result):
    missing = np.array([1.0, 1.1, 0.9, 1.0, 30.0, np.nan]) * 1e-3
    assert residual_warnings(dataclasses.replace(result, residuals=missing)) == []
    perfect = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    assert residual_warnings(dataclasses.replace(result, residuals=perfect)) == []
