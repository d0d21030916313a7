"""The field as an explicit function of the direction of magnetization at resonance.

Smit–Suhl's condition, written without angles: with e(u) the field-free energy over M, the
component of H normal to u balances the torque, and det(E_t + (h∥ − κ) I) = w0² with E_t the
Hessian of e in the tangent plane and κ = u·∇e is a quadratic in h∥ = H·u. Its upper root,
the one with both stiffnesses positive, gives

    H(u) = h∥ u + (∇e − κ u) ,   h∥ = κ − tr E_t/2 + √((tr E_t)²/4 − det E_t + w0²) .
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .energy_terms import AbstractEnergy, energy_derivatives


Vector2 = tuple[Array, Array]
"""A vector in a plane as two scalars: under vmap each is one contiguous batch."""


class FieldTerms(eqx.Module):
    """What H(u) needs of the energy at one u, in tesla: everything but the frequency."""

    torque: Float[Array, " n"]
    """∇e − κ u, the field normal to u at equilibrium."""
    offset: Float[Array, ""]
    """κ − tr E_t/2."""
    spread: Float[Array, ""]
    """(tr E_t)²/4 − det E_t, in T²."""

    def parallel(self, larmor: Float[Array, ""]) -> Float[Array, ""]:
        """h∥ = H·u at resonance."""
        return self.offset + jnp.sqrt(self.spread + larmor * larmor)

    def field(self, direction: Float[Array, " n"], larmor: Float[Array, ""]) -> Float[Array, " n"]:
        """The vector H(u)."""
        return self.parallel(larmor) * direction + self.torque

    def magnitude(self, larmor: Float[Array, ""]) -> Float[Array, ""]:
        """|H(u)|, for unit u."""
        parallel = self.parallel(larmor)
        return jnp.sqrt(parallel * parallel + self.torque @ self.torque)


def field_terms(energy: AbstractEnergy, direction: Float[Array, "3"]) -> FieldTerms:
    """`FieldTerms` of any energy at the unit vector `direction`."""
    gradient, hessian = energy_derivatives(energy, direction)
    along = direction @ gradient
    half_trace = 0.5 * (jnp.trace(hessian) - direction @ hessian @ direction)
    a, b, c = hessian
    adjugate = jnp.stack([jnp.cross(b, c), jnp.cross(c, a), jnp.cross(a, b)])
    determinant = direction @ adjugate @ direction
    return FieldTerms(
        torque=gradient - along * direction,
        offset=along - half_trace,
        spread=half_trace * half_trace - determinant,
    )


class PlanarFields(NamedTuple):
    """a, b, c = s·(A, B, C) in tesla: K with the normal of the plane as a principal axis."""

    a: Array
    b: Array
    c: Array

    def terms(self, direction: Vector2, larmor: Array) -> Vector2:
        """h∥ and the torque field T along u turned by +90°, so that H(u) = h∥ u + T t."""
        x, y = direction
        cos2, sin2 = x * x - y * y, 2 * x * y
        diagonal = 0.5 * self.b * cos2 + self.c * sin2
        # h∥ minus the stiffnesses: in the plane 2·diagonal, out of it 3a/2 + diagonal
        half_difference = 0.5 * diagonal - 0.75 * self.a
        parallel = 1.5 * diagonal + 0.75 * self.a
        parallel = parallel + jnp.sqrt(half_difference * half_difference + larmor * larmor)
        return parallel, self.c * cos2 - 0.5 * self.b * sin2

    def misalignment(self, direction: Vector2, field_direction: Vector2, larmor: Array) -> Array:
        """ĥ × H(u): zero where the field of that magnetization points along ĥ."""
        parallel, torque = self.terms(direction, larmor)
        (x, y), (hx, hy) = direction, field_direction
        return parallel * (hx * y - hy * x) + torque * (hx * x + hy * y)

    @property
    def normal_gap(self) -> Array:
        """The lower eigenvalue in the plane minus that of the normal: k − k_n."""
        return 1.5 * self.a - jnp.sqrt(0.25 * self.b * self.b + self.c * self.c)

    def excess(self, direction: Vector2, larmor: Array) -> Array:
        """k − λ at the resonance with M along `direction`: how far the lower in-plane eigenvalue
        lies above the multiplier λ = κ − h∥."""
        x, y = direction
        along = 0.5 * self.b * (x * x - y * y) + 2 * self.c * x * y
        parallel, _ = self.terms(direction, larmor)
        return parallel - along - jnp.sqrt(0.25 * self.b * self.b + self.c * self.c)

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
        determinant = jnp.where(exists, determinant, 2 * larmor * larmor)
        x = (yy * hx - self.c * hy) / determinant
        y = (xx * hy - self.c * hx) / determinant
        size = jnp.where(exists, x * x + y * y, 1)
        normal = larmor * larmor / determinant
        field = jnp.sqrt((1 - normal) / size)
        return field, (field * x, field * y, jnp.sqrt(normal)), exists


def turned(direction: Vector2, tangent: Array) -> Vector2:
    """The unit vector turned by the angle whose tangent is given."""
    x, y = direction
    size = jax.lax.rsqrt(1 + tangent * tangent)
    return (x - tangent * y) * size, (y + tangent * x) * size
