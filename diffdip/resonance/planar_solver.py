"""Resonances of A, B, C for a field in the xy-plane, where M stays in that plane or leaves it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..numerics.implicit_roots import implicit_root, newton_step
from .branches import Branches, ordered_branches
from .energy_terms import AnisotropyFields
from .field_of_magnetization import PlanarFields, Vector2, turned
from .resonance_polynomials import planar_candidate, planar_candidates
from .stability import tolerance


POLISHING_STEPS = 2
"""Newton steps from a root of the quartic, which has some 8 digits, to all digits."""

SAME_ROOT = 1e-2
"""A polished start is kept if (k − λ)/w0 has moved by less than this: a start that was no root of
the quartic ends on another root."""


class _Given(NamedTuple):
    """What a resonance depends on."""

    fields: PlanarFields
    direction: Vector2
    """ĥ."""
    larmor: Array


def planar_fields(energy: AnisotropyFields) -> PlanarFields:
    """(a, b, c) = s·(A, B, C) in tesla."""
    s = energy.convention.sign
    return PlanarFields(s * energy.A, s * energy.B, s * energy.C)


def planar_field(
    fields: PlanarFields, angle: Float[Array, ""], larmor: Float[Array, ""]
) -> Float[Array, ""]:
    """Hres of the measured branch, with M in the plane; NaN without a measured branch."""
    given = _Given(fields, (jnp.cos(angle), jnp.sin(angle)), larmor)
    start, exists = planar_candidate(*jax.lax.stop_gradient(given))
    u = _root(start, exists, given)
    return jnp.where(exists, _magnitude(u, given), jnp.nan)


def planar_branches(
    fields: PlanarFields, angle: Float[Array, ""], larmor: Float[Array, ""]
) -> Branches:
    """All branches: up to four with M in the plane, and a pair with M tilted out of it."""
    given = _Given(fields, (jnp.cos(angle), jnp.sin(angle)), larmor)
    slots = []
    for x, start, exists in planar_candidates(*jax.lax.stop_gradient(given)):
        u = _root(start, exists, given)
        field = _magnitude(u, given)
        excess = fields.excess(u, larmor) / larmor
        exists &= jnp.abs(excess - x) < SAME_ROOT
        stable = excess > jnp.maximum(0, fields.normal_gap / larmor) - tolerance(field)
        slots.append((exists, stable, field, jnp.stack([*u, jnp.zeros_like(field)])))
    field, (x, y, z), exists = fields.tilted(given.direction, larmor)
    slots += [(exists, exists, field, jnp.stack([x, y, side])) for side in (z, -z)]
    exists, stable, field, direction = (jnp.stack(column) for column in zip(*slots, strict=True))
    return ordered_branches(field, direction, exists, stable)


def _magnitude(u: Vector2, given: _Given) -> Array:
    """|H(u)|."""
    parallel, torque = given.fields.terms(u, given.larmor)
    return jnp.sqrt(parallel * parallel + torque * torque)


def _root(start: Vector2, exists: Array, given: _Given) -> Vector2:
    """The direction of M near a start, to all digits, as a differentiable function of `given`.

    Where no resonance exists it is the direction of the field, whose derivatives are harmless.
    """
    frozen = jax.lax.stop_gradient(given)
    zero = jnp.zeros_like(frozen.larmor)

    def misalignment(tangent: Array, arguments: tuple[Vector2, _Given]) -> Array:
        u, (fields, direction, larmor) = arguments
        return fields.misalignment(turned(u, tangent), direction, larmor)

    u = _choose(exists, start, frozen.direction)
    for _ in range(POLISHING_STEPS):
        u = turned(u, newton_step(lambda t: misalignment(t, (u, frozen)), zero))  # noqa: B023
    u = _choose(exists, u, frozen.direction)
    # the root is t = 0; as a function of the arguments it turns u
    return turned(u, implicit_root(misalignment, zero, (u, given)))


def _choose(condition: Array, first: Vector2, second: Vector2) -> Vector2:
    (x, y), (p, q) = first, second
    return jnp.where(condition, x, p), jnp.where(condition, y, q)
