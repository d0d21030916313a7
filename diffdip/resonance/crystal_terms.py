"""Free-energy terms beyond quadratic forms: cubic and second-order anisotropy, n-fold in a plane.

All are polynomials in the components of u, with derivatives in closed form. Fields are defined so
that each is the change of a stiffness at the easy axis of its term, where that has one: K/M is
multiplied by 2 for K₁ of any symmetry, by 4 for K₂ of a uniaxial term, by n² for n-fold ones.
"""

import operator
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ..foundation.arrays import as_float
from ..foundation.errors import check_count
from ..numerics.vectors import (
    Matrix3,
    Scalar,
    Vector3,
    add,
    components,
    dot,
    multiple,
    outer,
    rows_of,
    scale,
    subtract,
    times,
    transposed,
    unit,
)
from .crystal_directions import ALIGNED, as_axes
from .energy_terms import AbstractEnergy


class SecondOrderUniaxial(AbstractEnergy):
    """Second-order uniaxial anisotropy: e(u) = (H_2/4) sin⁴θ = (H_2/4) (1 − (u·n)²)².

    H_2 = 4K_2/M of F = K_1 sin²θ + K_2 sin⁴θ, with θ between M and n. `UniaxialAnisotropy` with
    H_u = 2K_1/M is the first term. At right angles to n both act as H_u + H_2, and along n as H_u.

    Args:
        field: H_2 in tesla.
        axis: n, shape (3,), of any length; z by default.

    >>> import jax.numpy as jnp
    >>> print(f"{SecondOrderUniaxial(0.04)(jnp.array([1.0, 0.0, 0.0])):.3f}")
    0.010
    """

    field: Float[Array, ""] = eqx.field(converter=as_float)
    axis: Float[Array, "3"] = eqx.field(converter=as_float, default=(0.0, 0.0, 1.0))

    def __call__(self, direction: Float[Array, "3"]) -> Float[Array, ""]:
        along = direction @ (self.axis / jnp.linalg.norm(self.axis))
        return 0.25 * self.field * jnp.square(1.0 - along * along)

    def degree(self) -> int:
        return 4

    def derivatives(self, direction: Vector3) -> tuple[Vector3, Matrix3]:
        axis = unit(components(self.axis))
        along = dot(axis, direction)
        square = along * along
        slope = -self.field * along * (1.0 - square)
        curvature = self.field * (3.0 * square - 1.0)
        return scale(slope, axis), multiple(curvature, outer(axis, axis))


class CubicAnisotropy(AbstractEnergy):
    """Cubic anisotropy: e(u) = (H_1/2) (u₁²u₂² + u₂²u₃² + u₃²u₁²), with H_1 = 2K_1/M.

    The literature of films also writes H_4 for this field.

    Args:
        field: H_1 in tesla. If positive, the crystal axes are easy.
        axes: The crystal axes in the frame of the sample, as the rows of an orthonormal (3, 3)
            array (see `crystal_axes`); by default the axes of that frame, as in a (001) film with
            [100] along x.

    Raises:
        InputError: For axes that are not orthonormal.

    >>> import jax.numpy as jnp
    >>> print(f"{CubicAnisotropy(0.06)(jnp.ones(3) / 3**0.5):.3f}")
    0.010
    """

    field: Float[Array, ""] = eqx.field(converter=as_float)
    axes: Float[Array, "3 3"] = eqx.field(converter=as_axes, default=ALIGNED)

    def __call__(self, direction: Float[Array, "3"]) -> Float[Array, ""]:
        x, y, z = jnp.square(self.axes @ direction)
        return 0.5 * self.field * (x * y + y * z + z * x)

    def degree(self) -> int:
        return 4

    def derivatives(self, direction: Vector3) -> tuple[Vector3, Matrix3]:
        axes = rows_of(self.axes)
        x, y, z = times(axes, direction)
        # half of the second derivatives with respect to x, y, z over the field
        xx, yy, zz = 0.5 * (y * y + z * z), 0.5 * (z * z + x * x), 0.5 * (x * x + y * y)
        curvature = (xx, x * y, x * z), (x * y, yy, y * z), (x * z, y * z, zz)
        return _in_sample(axes, 2.0 * self.field, (xx * x, yy * y, zz * z), curvature)


class SecondOrderCubic(AbstractEnergy):
    """Second-order cubic anisotropy: e(u) = (H_2/2) u₁²u₂²u₃², with H_2 = 2K_2/M.

    It vanishes with its slope in the planes {100}, and is largest along ⟨111⟩.

    Args:
        field: H_2 in tesla.
        axes: The crystal axes, as for `CubicAnisotropy`.

    Raises:
        InputError: For axes that are not orthonormal.

    >>> import jax.numpy as jnp
    >>> print(f"{SecondOrderCubic(0.54)(jnp.ones(3) / 3**0.5):.3f}")
    0.010
    """

    field: Float[Array, ""] = eqx.field(converter=as_float)
    axes: Float[Array, "3 3"] = eqx.field(converter=as_axes, default=ALIGNED)

    def __call__(self, direction: Float[Array, "3"]) -> Float[Array, ""]:
        x, y, z = self.axes @ direction
        return 0.5 * self.field * jnp.square(x * y * z)

    def degree(self) -> int:
        return 6

    def derivatives(self, direction: Vector3) -> tuple[Vector3, Matrix3]:
        axes = rows_of(self.axes)
        x, y, z = times(axes, direction)
        yz, zx, xy = y * z, z * x, x * y
        product = xy * z
        slope = product * yz, product * zx, product * xy
        second = lambda pair: 2.0 * product * pair
        curvature = (
            (yz * yz, second(z), second(y)),
            (second(z), zx * zx, second(x)),
            (second(y), second(x), xy * xy),
        )
        return _in_sample(axes, self.field, slope, curvature)


def as_fold(fold: Any) -> int:
    """The n of an n-fold term, also from a number of numpy. Raises `InputError`."""
    check_count("fold", fold)
    return operator.index(fold)


class InPlaneAnisotropy(AbstractEnergy):
    """In-plane n-fold anisotropy: e(u) = −(H_n/n²) sinⁿθ cos n(φ − φ_n), with H_n = n² K_n/M.

    F = −K_n cos n(φ − φ_n) for M in the plane of the film, and θ from its normal. H_n for n = 2, 4,
    6 is also written B_2, B_4, B_6. For M in the plane H_2 is 2K_u/M of F = −K_u cos²φ
    (`UniaxialAnisotropy`) and H_4 that of `CubicAnisotropy` in a (001) film; H_1 is the field of
    exchange bias. Out of the plane the term is this one polynomial of order n: other terms of the
    same symmetry differ from it by perpendicular anisotropy. With H along an easy axis

        w0² = (H + H_n) (H + H_n/n + µ0M_eff) .

    Args:
        field: H_n in tesla. If positive, φ_n is an easy direction.
        fold: n, 1 or more.
        angle: φ_n in radians, from x towards y; 0 by default.
        axes: The frame of the film, x, y and its normal z, as the rows of an orthonormal (3, 3)
            array; by default that of the sample.

    Raises:
        InputError: If `fold` is no whole number or below 1, or for axes that are not orthonormal.

    >>> import jax.numpy as jnp
    >>> print(f"{InPlaneAnisotropy(0.09, 3)(jnp.array([1.0, 0.0, 0.0])):.3f}")
    -0.010
    """

    field: Float[Array, ""] = eqx.field(converter=as_float)
    fold: int = eqx.field(static=True, converter=as_fold)
    angle: Float[Array, ""] = eqx.field(converter=as_float, default=0.0)
    axes: Float[Array, "3 3"] = eqx.field(converter=as_axes, default=ALIGNED)

    def __call__(self, direction: Float[Array, "3"]) -> Float[Array, ""]:
        along, across, _ = times(self._frame(), components(direction))
        power, _ = _power((along, across), self.fold)
        return -self.field / self.fold**2 * power

    def degree(self) -> int:
        return self.fold

    def derivatives(self, direction: Vector3) -> tuple[Vector3, Matrix3]:
        n, frame = self.fold, self._frame()
        along, across, _ = times(frame, direction)
        none = lax.full_like(along, 0.0)
        # derivatives of Re (x + iy)ⁿ over n; the second ones vanish for n = 1
        real, imaginary = _power((along, across), n - 1)
        second = _power((along, across), n - 2) if n > 1 else (none, none)
        xx, xy = ((n - 1) * part for part in second)
        slope = real, -imaginary, none
        curvature = (xx, -xy, none), (-xy, -xx, none), (none, none, none)
        return _in_sample(frame, -self.field / n, slope, curvature)

    def _frame(self) -> Matrix3:
        """The film's frame, turned by φ_n about its normal."""
        x, y, normal = rows_of(self.axes)
        cos, sin = jnp.cos(self.angle), jnp.sin(self.angle)
        return add(scale(cos, x), scale(sin, y)), subtract(scale(cos, y), scale(sin, x)), normal


def _power(value: tuple[Scalar, Scalar], exponent: int) -> tuple[Scalar, Scalar]:
    """(x + iy)ⁿ as real and imaginary part, for n ≥ 0."""
    x, y = value
    real, imaginary = lax.full_like(x, 1.0), lax.full_like(x, 0.0)
    for _ in range(exponent):
        real, imaginary = real * x - imaginary * y, real * y + imaginary * x
    return real, imaginary


def _in_sample(
    axes: Matrix3, factor: Scalar, slope: Vector3, curvature: Matrix3
) -> tuple[Vector3, Matrix3]:
    """A multiple of a gradient and a Hessian in the frame `axes`, in the frame of the sample."""
    columns = transposed(axes)
    a, b, c = (scale(factor, times(columns, times(curvature, column))) for column in columns)
    return times(columns, scale(factor, slope)), (a, b, c)
