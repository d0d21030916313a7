"""The field as an explicit function of the direction of magnetization at resonance.

Smit–Suhl's condition, written without angles: with e(u) the field-free energy over M, the
component of H normal to u balances the torque, and det(E_t + (h∥ − κ) I) = w0² with E_t the
Hessian of e in the tangent plane and κ = u·∇e is a quadratic in h∥ = H·u. Its upper root,
the one with both stiffnesses positive, gives

    H(u) = h∥ u + (∇e − κ u) ,   h∥ = κ − tr E_t/2 + √((tr E_t)²/4 − det E_t + w0²) .

In a standing spin wave exchange adds H_ex to both stiffnesses, so that h∥ is smaller by H_ex.
"""

from typing import NamedTuple

from jax import lax
from jaxtyping import Array

from ..numerics.elementwise import choose
from ..numerics.vectors import (
    Matrix3,
    Scalar,
    Vector3,
    add,
    adjugate_form,
    dot,
    scale,
    subtract,
    times,
)
from .energy_terms import AbstractEnergy


Vector2 = tuple[Array, Array]
"""A vector in a plane as two scalars: under vmap each is one contiguous batch."""


class FieldTerms(NamedTuple):
    """What H(u) needs of the energy at one u, in tesla: everything but the frequency."""

    torque: Vector3
    """∇e − κ u, the field normal to u at equilibrium."""
    offset: Scalar
    """κ − tr E_t/2 − H_ex."""
    spread: Scalar
    """(tr E_t)²/4 − det E_t, in T²."""

    def parallel(self, larmor: Scalar) -> Scalar:
        """h∥ = H·u at resonance."""
        return self.offset + lax.sqrt(self.spread + larmor * larmor)

    def field(self, direction: Vector3, larmor: Scalar) -> Vector3:
        """The vector H(u)."""
        return add(scale(self.parallel(larmor), direction), self.torque)

    def magnitude(self, larmor: Scalar) -> Scalar:
        """|H(u)|, for unit u."""
        parallel = self.parallel(larmor)
        return lax.sqrt(parallel * parallel + dot(self.torque, self.torque))


def field_terms(energy: AbstractEnergy, direction: Vector3) -> FieldTerms:
    """`FieldTerms` of any energy at the unit vector `direction`."""
    gradient, hessian = energy.derivatives(direction)
    along = dot(direction, gradient)
    offset, spread = stiffness_terms(hessian, direction, energy.exchange_field())
    return FieldTerms(subtract(gradient, scale(along, direction)), along + offset, spread)


def stiffness_terms(
    hessian: Matrix3, direction: Vector3, exchange: Scalar | None
) -> tuple[Scalar, Scalar]:
    """−tr E_t/2 − H_ex in tesla and (tr E_t)²/4 − det E_t in T²."""
    trace = hessian[0][0] + hessian[1][1] + hessian[2][2]
    half_trace = 0.5 * (trace - dot(direction, times(hessian, direction)))
    offset = -half_trace if exchange is None else -half_trace - exchange
    return offset, half_trace * half_trace - adjugate_form(hessian, direction)


class PlanarTerms(NamedTuple):
    """H(u) = P u + T t for one u in the plane (t is u turned by +90°), and all first derivatives.

    ψ is the angle of u. Derivatives with respect to a, b, c and w0 are at constant ψ. All in tesla.
    """

    parallel: Array
    """P = h∥."""
    torque: Array
    """T."""
    by_angle: Vector2
    """∂P/∂ψ and ∂T/∂ψ."""
    by_a: Vector2
    """∂P/∂a and ∂T/∂a; likewise the others."""
    by_b: Vector2
    by_c: Vector2
    by_larmor: Vector2

    @property
    def magnitude(self) -> Array:
        """|H(u)|."""
        return lax.sqrt(self.parallel * self.parallel + self.torque * self.torque)


class PlanarFields(NamedTuple):
    """a, b, c = s·(A, B, C) in tesla: K with the normal of the plane as a principal axis."""

    a: Array
    b: Array
    c: Array

    def terms(self, direction: Vector2, larmor: Array) -> PlanarTerms:
        """The field H(u) with its derivatives."""
        x, y = direction
        cos2, sin2 = x * x - y * y, 2.0 * x * y
        diagonal = 0.5 * self.b * cos2 + self.c * sin2
        torque = self.c * cos2 - 0.5 * self.b * sin2
        # h∥ minus the stiffnesses: in the plane 2·diagonal, out of it 3a/2 + diagonal
        half_difference = 0.5 * diagonal - 0.75 * self.a
        root = lax.sqrt(half_difference * half_difference + larmor * larmor)
        share = half_difference / root
        by_diagonal = 1.5 + 0.5 * share
        none = lax.full_like(torque, 0.0)
        return PlanarTerms(
            parallel=1.5 * diagonal + 0.75 * self.a + root,
            torque=torque,
            by_angle=(2.0 * by_diagonal * torque, -2.0 * diagonal),
            by_a=(0.75 - 0.75 * share, none),
            by_b=(0.5 * by_diagonal * cos2, -0.5 * sin2),
            by_c=(by_diagonal * sin2, cos2),
            by_larmor=(larmor / root, none),
        )

    @property
    def normal_gap(self) -> Array:
        """The lower eigenvalue in the plane minus that of the normal: k − k_n."""
        return 1.5 * self.a - lax.sqrt(0.25 * self.b * self.b + self.c * self.c)

    def excess(self, direction: Vector2, larmor: Array) -> Array:
        """k − λ at the resonance with M along `direction`: how far the lower in-plane eigenvalue
        lies above the multiplier λ = κ − h∥."""
        x, y = direction
        along = 0.5 * self.b * (x * x - y * y) + 2.0 * self.c * x * y
        parallel = self.terms(direction, larmor).parallel
        return parallel - along - lax.sqrt(0.25 * self.b * self.b + self.c * self.c)

    def tilted(
        self, field_direction: Vector2, larmor: Array
    ) -> tuple[Array, tuple[Array, Array, Array], Array]:
        """The resonance with M tilted towards an easy normal: H, u (with u_n > 0), if it exists.

        There λ = k_n, and M lies in one of two global minima, which are mirror images. With
        N = K − k_n I in the plane, H² |N⁻¹ĥ|² = 1 − u_n² and u_n² = w0²/det N.
        """
        hx, hy = field_direction
        xx, yy = 1.5 * self.a + 0.5 * self.b, 1.5 * self.a - 0.5 * self.b
        determinant = xx * yy - self.c * self.c
        exists = (determinant > larmor * larmor) & (self.a > 0)
        determinant = choose(exists, determinant, 2.0 * larmor * larmor)
        x = (yy * hx - self.c * hy) / determinant
        y = (xx * hy - self.c * hx) / determinant
        size = choose(exists, x * x + y * y, 1.0)
        normal = larmor * larmor / determinant
        field = lax.sqrt((1.0 - normal) / size)
        return field, (field * x, field * y, lax.sqrt(normal)), exists


def turned(direction: Vector2, tangent: Array) -> Vector2:
    """The unit vector turned by the angle whose tangent is given."""
    x, y = direction
    size = lax.rsqrt(1.0 + tangent * tangent)
    return (x - tangent * y) * size, (y + tangent * x) * size
