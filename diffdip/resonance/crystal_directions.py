"""Directions of a crystal by Miller indices, in the frame of the sample.

The crystal is cubic, so that [hkl] is normal to (hkl). The frame of the sample is x, y, z; for a
film z is its normal. A crystal is placed by an array of axes: its rows are [100], [010] and [001]
in the frame of the sample, so that `axes @ u` are the components of u along the crystal axes.
"""

import re
from typing import Final, TypeAlias

import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..foundation.arrays import Numbers, as_float
from ..foundation.errors import InputError


Miller: TypeAlias = str | Numbers
"""Indices as text ("1-10", "[1 -1 0]", "(1, -1, 0)"), or as three numbers."""

ALIGNED: Final = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
"""Axes of a crystal whose [100], [010] and [001] are x, y and z."""

LARGEST_SKEW: Final = 1e-4
"""How far axes may be from orthonormal: far above rounding in float32."""


def miller_indices(indices: Miller) -> Float[np.ndarray, "3"]:
    """Miller indices as three numbers.

    Args:
        indices: Text of three digits, each with a minus sign in front if it is negative ("1-10"),
            or of three numbers with blanks or commas between them ("1 -1 0"), in brackets or not;
            or three numbers.

    Returns:
        The indices, as they are: not normalized.

    Raises:
        InputError: If these are not three finite numbers, or all are zero.

    >>> miller_indices("1-10").tolist(), miller_indices("[11 -2 0]").tolist()
    ([1.0, -1.0, 0.0], [11.0, -2.0, 0.0])
    """
    expected = "three Miller indices that are not all zero, such as '1-10' or [1, -1, 0]"
    found = np.asarray(_numbers(indices) if isinstance(indices, str) else indices, float)
    if found.shape != (3,) or not np.isfinite(found).all() or not found.any():
        raise InputError("Miller indices", given=indices, expected=expected)
    return found


def _numbers(text: str) -> list[float]:
    """The numbers of a text; an empty list if it has anything else."""
    inner = re.sub(r"^[\[({<](.*)[\])}>]$", r"\1", text.strip().replace("−", "-")).strip()
    separated = re.split(r"[\s,]+", inner)
    words = separated if len(separated) > 1 else re.findall(r"-?\d", inner)
    whole = "".join(words) == re.sub(r"[\s,]+", "", inner)
    if not whole or not all(re.fullmatch(r"-?\d+", word) for word in words):
        return []
    return [float(word) for word in words]


def crystal_axes(normal: Miller = "001", along: Miller = "100") -> Float[Array, "3 3"]:
    """The axes of a cubic crystal in a sample whose z and x are given crystal directions.

    Of a (110) film with [001] along x, for example: `crystal_axes("110", "001")`.

    Args:
        normal: [hkl] along z, the normal of a film; [001] by default.
        along: [uvw] along x, the direction at angle 0 of the xy-plane; [100] by default. It must
            be at right angles to `normal`.

    Returns:
        [100], [010] and [001] in the frame of the sample, as the rows of a rotation matrix.

    Raises:
        InputError: For text that is not Miller indices, or directions not at right angles.

    >>> import jax.numpy as jnp
    >>> jnp.round(crystal_axes("110", "001") @ jnp.array([0.0, 1.0, 0.0]), 3).tolist()  # y
    [0.7070000171661377, -0.7070000171661377, 0.0]
    """
    x, y, z = _frame(normal, along, names=("normal", "along"))
    return jnp.asarray(np.stack([x, y, z], axis=1))


def crystal_direction(indices: Miller, axes: Numbers = ALIGNED) -> Float[Array, "3"]:
    """The unit vector along [hkl] in the frame of the sample.

    Args:
        indices: [hkl].
        axes: The crystal's axes (`crystal_axes`); by default those of the sample.

    Returns:
        The vector, for the axis of a term or the direction of a field.

    Raises:
        InputError: For text that is not Miller indices, or for axes that are not orthonormal.

    >>> crystal_direction("001", crystal_axes("110", "001")).tolist()
    [1.0, 0.0, 0.0]
    """
    vector = miller_indices(indices)
    axes = as_axes(axes)
    return jnp.asarray(vector / np.linalg.norm(vector), axes.dtype) @ axes


def crystal_plane(normal: Miller, start: Miller, axes: Numbers = ALIGNED) -> Float[Array, "2 3"]:
    """The rotation plane (hkl) of a cubic crystal, for the argument `plane` of other functions.

    In the (110) plane from [001], `crystal_plane("110", "001")`, the field passes [1-11] at 54.7°
    and [1-10] at 90°.

    Args:
        normal: (hkl), the axis of rotation. The angle grows counter-clockwise about it.
        start: [uvw], the direction at angle 0. It must lie in the plane.
        axes: The crystal's axes (`crystal_axes`); by default those of the sample.

    Returns:
        The unit vectors at 0° and at 90° in the frame of the sample.

    Raises:
        InputError: For text that is not Miller indices, a start outside of the plane, or axes not
            orthonormal.

    >>> import jax.numpy as jnp
    >>> jnp.round(crystal_plane("110", "001"), 3).tolist()
    [[0.0, 0.0, 1.0], [0.7070000171661377, -0.7070000171661377, 0.0]]
    """
    x, y, _ = _frame(normal, start, names=("normal", "start"))
    axes = as_axes(axes)
    return jnp.asarray(np.stack([x, y]), axes.dtype) @ axes


def _frame(normal: Miller, along: Miller, names: tuple[str, str]) -> np.ndarray:
    """Unit vectors along `along`, 90° further about `normal`, and `normal`, in the crystal."""
    z, x = miller_indices(normal), miller_indices(along)
    z, x = z / np.linalg.norm(z), x / np.linalg.norm(x)
    if abs(x @ z) > 1e-9:
        expected = f"a direction at right angles to the {names[0]} {_text(normal)}"
        raise InputError(names[1], given=along, expected=expected)
    return np.stack([x, np.cross(z, x), z])


def _text(indices: Miller) -> str:
    return " ".join(f"{index:g}" for index in miller_indices(indices))


def as_axes(axes: Numbers) -> Float[Array, "3 3"]:
    """The axes of a crystal as an array, after a check that they are orthonormal.

    Axes that JAX traces have no values yet, and are not checked.

    Raises:
        InputError: If they are not.
    """
    axes = as_float(axes)
    if not isinstance(axes, jax.core.Tracer):
        rows = np.asarray(axes, float)
        if rows.shape != (3, 3) or not np.abs(rows @ rows.T - np.eye(3)).max() < LARGEST_SKEW:
            hint = "Make them with `crystal_axes`"
            expected = "three orthonormal rows: the crystal axes in the frame of the sample"
            raise InputError("axes", given=axes, expected=expected, hint=hint)
    return axes
