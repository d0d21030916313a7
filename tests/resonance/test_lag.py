"""Lag and elevation of the magnetization, by hand."""

import numpy as np
import pytest

from diffdip.resonance.lag import magnetization_angles


@pytest.mark.parametrize(
    ("plane", "direction"),
    [("xy", [0.0, 0.6, 0.8]), ("xz", [0.0, 0.8, 0.6]), ("yz", [0.8, 0.0, 0.6])],
)
def test_lag_and_elevation_in_each_plane(plane, direction):
    angle = np.radians([60.0])
    lag, elevation = magnetization_angles(angle, np.array([[direction]]), plane)
    np.testing.assert_allclose(np.degrees(lag), [[-30.0]])
    np.testing.assert_allclose(np.degrees(elevation), np.degrees(np.arcsin(0.8)))
