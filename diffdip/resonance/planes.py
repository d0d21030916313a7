"""Planes in which the field rotates: directions of the field, and angles of M against it."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Shaped

from ..foundation.arrays import as_float
from ..foundation.errors import InputError
from .plane_names import PLANES


Plane = str | Float[ArrayLike, "2 3"]
"""A name of `PLANES`, or two vectors that span the plane."""


def check_plane(plane: Plane) -> None:
    """Raise `InputError` for an unknown name, or for vectors of another shape."""
    known = plane in PLANES if isinstance(plane, str) else np.shape(plane) == (2, 3)
    if not known:
        expected = "'xy', 'xz', 'yz' or two vectors of shape (2, 3)"
        raise InputError("plane", given=plane, expected=expected)


def plane_directions(angle: Shaped[ArrayLike, "..."], plane: Plane = "xy") -> Float[Array, "... 3"]:
    """Unit vectors at given angles in a rotation plane.

    Args:
        angle: Any shape, in radians.
        plane: "xy", "xz" or "yz", with the first axis at angle 0 and the second at 90°; or two
            vectors of any length and unit, shape (2, 3): the first at angle 0, the second on the
            side of 90°. They need not be orthogonal. Parallel vectors give NaN.

    Returns:
        The shape of `angle` with an axis of length 3 at the end.

    Raises:
        InputError: If `plane` is another name or has another shape.

    >>> plane_directions(0.0, "yz").tolist()
    [0.0, 1.0, 0.0]
    """
    check_plane(plane)
    angle = as_float(angle)
    if isinstance(plane, str):
        return _directions(angle, np.eye(3, dtype=angle.dtype)[list(PLANES[plane])])
    return _directions(angle, as_float(plane))


@jax.jit
def _directions(angle: Float[Array, "..."], plane: Float[Array, "2 3"]) -> Float[Array, "... 3"]:
    first, second = plane
    first = first / jnp.linalg.norm(first)
    second = second - (second @ first) * first
    second = second / jnp.linalg.norm(second)
    angle = angle[..., None]
    return jnp.cos(angle) * first + jnp.sin(angle) * second


def magnetization_angles(
    angle: np.ndarray, direction: np.ndarray, plane: str
) -> tuple[np.ndarray, np.ndarray]:
    """Lag of M behind the field within the plane, and elevation of M out of the plane.

    Args:
        angle: The field's α_H, shape (n,), in radians.
        direction: Unit vectors of M, shape (n, slots, 3).
        plane: "xy", "xz" or "yz".

    Returns:
        α_H − α_M between −π and π, and the elevation between −π/2 and π/2 (positive towards the
        axis that is not in the plane's name): both (n, slots), in radians, NaN where `direction`
        is NaN.

    Raises:
        InputError: If `plane` is another name.
    """
    if plane not in PLANES:
        raise InputError("plane", given=plane, expected="'xy', 'xz' or 'yz'")
    first, second = PLANES[plane]
    normal = 3 - first - second  # the third of the axes 0, 1 and 2
    lag = angle[:, None] - np.arctan2(direction[..., second], direction[..., first])
    elevation = np.arcsin(np.clip(direction[..., normal], -1, 1))
    return (lag + np.pi) % (2 * np.pi) - np.pi, elevation
