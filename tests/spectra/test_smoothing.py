"""Smoothing and correlation of noise, against scipy's filter and plain sums."""

import numpy as np
import pytest
from scipy.signal import savgol_filter

from diffdip.spectra.lines import longest_window, smooth
from diffdip.spectra.noise import _at_lags


@pytest.mark.parametrize("length", [8, 9, 150, 1001])
@pytest.mark.parametrize("window", [5, 7, 51, 5001])
def test_smoothing_is_that_of_savitzky_and_golay(length, window):
    signal = np.random.default_rng(length).normal(size=length)
    used = min(window, longest_window(signal))
    assert used % 2 == 1
    np.testing.assert_allclose(smooth(signal, window), savgol_filter(signal, used, 3), atol=1e-12)


@pytest.mark.parametrize("length", [9, 64, 1001])
def test_products_at_lags(length):
    values = np.random.default_rng(0).normal(size=length)
    lags = min(length, 40)
    expected = [values[k:] @ values[: length - k] for k in range(lags)]
    np.testing.assert_allclose(_at_lags(values, lags), expected, atol=1e-12 * length)


def test_whole_numbers_are_smoothed_as_floats():
    signal = np.array([0, 1, 3, 2, 5, 1, 0, -3, 2, 4])
    np.testing.assert_allclose(smooth(signal, 5), savgol_filter(signal, 5, 3), atol=1e-12)
