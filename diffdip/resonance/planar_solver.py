"""Resonances of A, B, C for a field in the xy-plane, where M stays in that plane or leaves it.

All functions are elementwise over arrays, and derivatives are in closed form. ψ is the angle of M,
δ = ψ − α its angle from the field, and P(ψ), T(ψ) are as in `PlanarTerms`:

    P sin δ + T cos δ = 0 ,   H = P cos δ − T sin δ ,
    dψ = (H dα − P′ sin δ − T′ cos δ)/(P_ψ sin δ + T_ψ cos δ + H) ,
    dH = (P′ + P_ψ dψ) cos δ − (T′ + T_ψ dψ) sin δ .

P′ and T′ are the changes of P and T with a, b, c and w0 at constant ψ. The change of δ does not
appear in dH because of the first equation.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from ..numerics.elementwise import at_least, broadcast, choose, not_zero, repeated
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


class PlanarArguments(NamedTuple):
    """What a resonance in the plane depends on. All arrays broadcast against each other."""

    a: Float[Array, "..."]
    """s·A in tesla; b and c likewise."""
    b: Float[Array, "..."]
    c: Float[Array, "..."]
    angle: Float[Array, "..."]
    """α_H in radians."""
    larmor: Float[Array, "..."]
    """w0 in tesla."""

    @property
    def fields(self) -> PlanarFields:
        """(a, b, c)."""
        return PlanarFields(self.a, self.b, self.c)

    @property
    def direction(self) -> Vector2:
        """ĥ."""
        return lax.cos(self.angle), lax.sin(self.angle)


def planar_arguments(energy: AnisotropyFields, angle: Array, larmor: Array) -> PlanarArguments:
    """The arguments with (a, b, c) = s·(A, B, C)."""
    s = energy.convention.sign
    return PlanarArguments(s * energy.A, s * energy.B, s * energy.C, angle, larmor)


@jax.custom_jvp
def planar_field(given: PlanarArguments) -> Float[Array, "..."]:
    """Hres of the measured branch, with M in the plane; NaN without a measured branch."""
    return planar_field_and_slopes(given)[0]


@partial(planar_field.defjvp, symbolic_zeros=True)
def _planar_field_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    field, slopes = planar_field_and_slopes(*primals)
    return field, _along(slopes, tangents[0], field)


def planar_field_and_slopes(given: PlanarArguments) -> tuple[Float[Array, "..."], PlanarArguments]:
    """`planar_field`, and its derivative with respect to each argument, zero where it is NaN."""
    frozen = lax.stop_gradient(given)
    start, exists = planar_candidate(frozen.fields, frozen.direction, frozen.larmor)
    u = _polished(_where(exists, start, frozen.direction), given)
    terms, (cos, sin) = given.fields.terms(u, given.larmor), _misalignment(u, given)
    parallel, torque = terms.by_angle
    # the change of H where M alone turns
    sideways = parallel * cos - torque * sin
    by_argument = (terms.by_a, terms.by_b, terms.by_c, None, terms.by_larmor)
    slopes = [
        sideways * turn if direct is None else direct[0] * cos - direct[1] * sin + sideways * turn
        for direct, turn in zip(by_argument, _turning(u, given), strict=True)
    ]
    known = PlanarArguments(*(choose(exists, slope, 0.0) for slope in slopes))
    return choose(exists, terms.magnitude, float("nan")), known


def planar_branches(given: PlanarArguments) -> Branches:
    """All branches: up to four with M in the plane, and a pair with M tilted out of it."""
    frozen, fields, larmor = lax.stop_gradient(given), given.fields, given.larmor
    x, start, exists = planar_candidates(frozen.fields, frozen.direction, frozen.larmor)
    u = _polished(_where(exists, start, frozen.direction), given)
    field = fields.terms(u, larmor).magnitude
    excess = fields.excess(u, larmor) / larmor
    exists &= lax.abs(excess - x) < SAME_ROOT
    stable = excess > at_least(fields.normal_gap / larmor, 0.0) - tolerance(field)
    tilted, (p, q, side), tilts = fields.tilted(given.direction, larmor)
    flat = lax.full_like(field, 0.0)
    pair = [jnp.stack(broadcast(v, field[0])[:1]) for v in (tilted, p, q, side, tilts)]
    tilted, p, q, side, tilts = pair
    slots = [
        (exists, stable, field, *u, flat),
        (tilts, tilts, tilted, p, q, side),
        (tilts, tilts, tilted, p, q, -side),
    ]
    # the slots, a first axis here, are the last one of a batch
    columns = [jnp.moveaxis(jnp.concatenate(parts), 0, -1) for parts in zip(*slots, strict=True)]
    exists, stable, field, *direction = columns
    return ordered_branches(field, jnp.stack(direction, axis=-1), exists, stable)


@jax.custom_jvp
def _polished(start: Vector2, given: PlanarArguments) -> Vector2:
    """The direction of M near a start, to all digits, as a differentiable function of `given`."""

    def polish(u: Vector2) -> Vector2:
        terms, (cos, sin) = given.fields.terms(u, given.larmor), _misalignment(u, given)
        across = terms.parallel * sin + terms.torque * cos
        along = terms.parallel * cos - terms.torque * sin
        parallel, torque = terms.by_angle
        return turned(u, -across / not_zero(parallel * sin + torque * cos + along))

    return repeated(polish, start, POLISHING_STEPS)


@partial(_polished.defjvp, symbolic_zeros=True)
def _polished_jvp(primals: Any, tangents: Any) -> tuple[Vector2, Vector2]:
    x, y = _polished(*primals)
    given = primals[1]
    turn = _along(PlanarArguments(*_turning((x, y), given)), tangents[1], x)
    return (x, y), (-y * turn, x * turn)


def _turning(u: Vector2, given: PlanarArguments) -> PlanarArguments:
    """The derivatives of ψ with respect to all arguments."""
    terms, (cos, sin) = given.fields.terms(u, given.larmor), _misalignment(u, given)
    parallel, torque = terms.by_angle
    along = terms.parallel * cos - terms.torque * sin
    stiffness = not_zero(parallel * sin + torque * cos + along)
    by_argument = (terms.by_a, terms.by_b, terms.by_c, terms.by_larmor)
    a, b, c, larmor = (-(p * sin + t * cos) / stiffness for p, t in by_argument)
    return PlanarArguments(a, b, c, along / stiffness, larmor)


def _misalignment(u: Vector2, given: PlanarArguments) -> Vector2:
    """cos δ and sin δ of the angle δ from the field to M."""
    (x, y), (hx, hy) = u, given.direction
    return hx * x + hy * y, hx * y - hy * x


def _along(slopes: PlanarArguments, tangents: PlanarArguments, like: Array) -> Array:
    """Σ slope · tangent, in the shape of `like`."""
    change = lax.full_like(like, 0.0)
    for slope, tangent in zip(slopes, tangents, strict=True):
        if not isinstance(tangent, SymbolicZero):
            change = change + slope * tangent
    return change


def _where(condition: Array, first: Vector2, second: Vector2) -> Vector2:
    (x, y), (p, q) = first, second
    return choose(condition, x, p), choose(condition, y, q)
