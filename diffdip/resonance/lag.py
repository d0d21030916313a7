"""How far the magnetization turns away from the field. Needs no JAX."""

from typing import Final

import numpy as np


AXES: Final = {"xy": (0, 1, 2), "xz": (0, 2, 1), "yz": (1, 2, 0)}
"""Components along the first axis of each plane, its second axis, and out of the plane."""


def magnetization_angles(
    angle: np.ndarray, direction: np.ndarray, plane: str
) -> tuple[np.ndarray, np.ndarray]:
    """Lag α_H − α_M within the plane (−π to π) and elevation of M out of it, in radians.

    `angle` (n,) of the field, `direction` (n, slots, 3) unit vectors of M, `plane` by name.

    >>> lag, _ = magnetization_angles(np.array([0.5]), np.array([[[1.0, 0.0, 0.0]]]), "xy")
    >>> lag
    array([[0.5]])
    """
    first, second, normal = (direction[..., axis] for axis in AXES[plane])
    lag = angle[:, None] - np.arctan2(second, first)
    # rounding can make a component of a unit vector a little larger than one
    return (lag + np.pi) % (2 * np.pi) - np.pi, np.arcsin(np.clip(normal, -1, 1))
