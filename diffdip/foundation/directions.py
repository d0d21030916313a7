"""Directions in space by their polar angles. Without JAX."""

import numpy as np


def direction_of(polar: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Unit vectors (n, 3) at θ from z and φ from x towards y, shapes (n,), in radians.

    >>> direction_of(np.array([np.pi / 2]), np.array([0.0])).round(3).tolist()
    [[1.0, 0.0, 0.0]]
    """
    across = np.sin(polar)
    return np.stack([across * np.cos(azimuth), across * np.sin(azimuth), np.cos(polar)], axis=-1)


def polar_angles(direction: np.ndarray) -> np.ndarray:
    """θ and φ of unit vectors (n, 3), as the rows of (2, n), in radians.

    >>> polar_angles(np.array([[0.0, 1.0, 0.0]])).round(3).tolist()
    [[1.571], [1.571]]
    """
    x, y, z = np.moveaxis(direction, -1, 0)
    return np.stack([np.arctan2(np.hypot(x, y), z), np.arctan2(y, x)])
