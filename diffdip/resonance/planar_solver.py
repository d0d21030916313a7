"""Resonances of A, B, C for a field in the xy-plane, where M stays in that plane or leaves it.

All functions are elementwise over arrays, and derivatives are in closed form. ψ is the angle of M,
δ = ψ − α its angle from the field, and P(ψ), T(ψ) are as in `PlanarTerms`:

    P sin δ + T cos δ = 0 ,   H = P cos δ − T sin δ ,
    dψ = (H dα − P′ sin δ − T′ cos δ)/(P_ψ sin δ + T_ψ cos δ + H) ,
    dH = (P′ + P_ψ dψ) cos δ − (T′ + T_ψ dψ) sin δ .

P′ and T′ are the changes of P and T with a, b, c and w0 at constant ψ. The change of δ does not
appear in dH because of the first equation.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from ..kernels.calls import call, elementwise
from ..numerics.elementwise import at_least, choose, not_zero, repeated
from .branches import Branches, ordered_branches
from .energy_terms import AnisotropyFields
from .field_of_magnetization import PlanarFields, PlanarTerms, Vector2, turned
from .resonance_polynomials import (
    PLANAR_STEPS,
    SEPARATION_STEPS,
    planar_candidate,
    planar_candidates,
)
from .stability import tolerance


POLISHING_STEPS = 2
"""Newton steps from a root of the quartic, which has some 8 digits, to all digits."""

MANY = 4096
"""From this number of places on, a CPU uses the loop of `kernels.planar_loops`, which is three
times as fast. For fewer it is not worth while to import numba."""

SHARE = 4096
"""Places that one core computes together."""

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


@jax.custom_jvp
def planar_field_and_slopes(given: PlanarArguments) -> tuple[Float[Array, "..."], PlanarArguments]:
    """`planar_field`, and its derivative with respect to each argument, zero where it is NaN."""
    field, slopes = _fields_and_slopes(*_places(given))
    return field, PlanarArguments(*slopes)


@planar_field_and_slopes.defjvp
def _planar_slopes_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    """Second derivatives: the closed form of the first is differentiated."""

    def closed_form(given: PlanarArguments) -> Any:
        *_, hx, hy, _ = places = _places(given)
        x, y, exists = _directions(*lax.stop_gradient(places))
        u = _in_equilibrium((x, y), given)
        field, slopes = _closed_form(u, exists, given.fields, (hx, hy), given.larmor)
        return field, PlanarArguments(*slopes)

    return jax.jvp(closed_form, primals, tangents)


def _closed_form(
    u: Vector2, exists: Array, fields: PlanarFields, direction: Vector2, larmor: Array
) -> tuple[Array, tuple[Array, ...]]:
    balance = _balance(u, fields, direction, larmor)
    terms, turn = balance.terms, balance.turning()
    # the change of H if M alone turns
    sideways = balance.along_field(terms.by_angle)
    slopes = (
        balance.along_field(terms.by_a) + sideways * turn.a,
        balance.along_field(terms.by_b) + sideways * turn.b,
        balance.along_field(terms.by_c) + sideways * turn.c,
        sideways * turn.angle,
        balance.along_field(terms.by_larmor) + sideways * turn.larmor,
    )
    known = tuple(choose(exists, slope, 0.0) for slope in slopes)
    return choose(exists, terms.magnitude, float("nan")), known


def planar_branches(given: PlanarArguments) -> Branches:
    """All branches: up to four with M in the plane, and a pair with M tilted out of it."""
    frozen, fields, larmor = lax.stop_gradient(given), given.fields, given.larmor
    x, start, exists = planar_candidates(frozen.fields, frozen.direction, frozen.larmor)
    u = _magnetization(start, exists, given)
    field = fields.terms(u, larmor).magnitude
    excess = fields.excess(u, larmor) / larmor
    exists &= lax.abs(excess - x) < SAME_ROOT
    stable = excess > at_least(fields.normal_gap / larmor, 0.0) - tolerance(field)
    tilted, (p, q, side), tilts = fields.tilted(given.direction, larmor)
    # one slot, as a first axis
    tilted, p, q, side, tilts = (
        jnp.broadcast_to(values, field.shape[1:])[None] for values in (tilted, p, q, side, tilts)
    )
    slots = [
        (exists, stable, field, *u, lax.full_like(field, 0.0)),
        (tilts, tilts, tilted, p, q, side),
        (tilts, tilts, tilted, p, q, -side),
    ]
    # the slots are the last axis of a batch
    columns = [jnp.moveaxis(jnp.concatenate(parts), 0, -1) for parts in zip(*slots, strict=True)]
    exists, stable, field, *direction = columns
    return ordered_branches(field, jnp.stack(direction, axis=-1), exists, stable)


def _magnetization(start: Vector2, exists: Array, given: PlanarArguments) -> Vector2:
    """The direction of M near a start, to all digits, as a differentiable function of `given`.

    Where no resonance exists it is the direction of the field. The stiffness there is positive, so
    that no derivative can be infinite.
    """
    frozen = lax.stop_gradient(given)
    u = _polished(start, exists, frozen.fields, frozen.direction, frozen.larmor)
    return _in_equilibrium(u, given)


def _polished(
    start: Vector2, exists: Array, fields: PlanarFields, direction: Vector2, larmor: Array
) -> Vector2:
    def step(u: Vector2) -> Vector2:
        balance = _balance(u, fields, direction, larmor)
        return turned(u, -balance.across(balance.field) / balance.stiffness)

    (x, y), (hx, hy) = repeated(step, start, POLISHING_STEPS), direction
    return choose(exists, x, hx), choose(exists, y, hy)


def _places(given: PlanarArguments) -> Sequence[Array]:
    """a, b, c, ĥ and w0 as arrays of one shape."""
    # without the barrier XLA computes cosine and sine again for each derivative
    direction = lax.optimization_barrier(given.direction)
    return jnp.broadcast_arrays(*given.fields, *direction, given.larmor)


def _directions(
    a: Array, b: Array, c: Array, hx: Array, hy: Array, larmor: Array
) -> tuple[Array, Array, Array]:
    fields = PlanarFields(a, b, c)
    start, exists = planar_candidate(fields, (hx, hy), larmor)
    return *_polished(start, exists, fields, (hx, hy), larmor), exists


def _slopes_by_steps(
    a: Array, b: Array, c: Array, hx: Array, hy: Array, larmor: Array
) -> tuple[Array, tuple[Array, ...]]:
    x, y, exists = _directions(a, b, c, hx, hy, larmor)
    return _closed_form((x, y), exists, PlanarFields(a, b, c), (hx, hy), larmor)


def _slopes_by_loop(*places: Array) -> tuple[Array, tuple[Array, ...]]:
    # `elementwise` has the whole batch here: the loop itself does not know of `vmap`
    size, shape, dtype = places[0].size, places[0].shape, places[0].dtype
    (found,) = call(
        f"planar_fields_{8 * dtype.itemsize}",
        [each.reshape(-1) for each in places],
        [((6, size), dtype)],
        axes=1,
        tasks=-(-size // SHARE),
        cost=20 * SHARE,
        numbers=(size, SEPARATION_STEPS, PLANAR_STEPS, POLISHING_STEPS, SHARE),
    )
    field, *slopes = (row.reshape(shape) for row in found)
    return field, tuple(slopes)


_fields_and_slopes = elementwise(_slopes_by_loop, _slopes_by_steps, MANY)
"""The measured field, and its derivatives by a, b, c, angle and w0."""


@jax.custom_jvp
def _in_equilibrium(u: Vector2, given: PlanarArguments) -> Vector2:
    """The direction u of M, which is in equilibrium, as a differentiable function of `given`."""
    return u


@partial(_in_equilibrium.defjvp, symbolic_zeros=True)
def _in_equilibrium_jvp(primals: Any, tangents: Any) -> tuple[Vector2, Vector2]:
    x, y = _in_equilibrium(*primals)
    given = primals[1]
    balance = _balance((x, y), given.fields, given.direction, given.larmor)
    turn = _along(balance.turning(), tangents[1], x)
    return (x, y), (-y * turn, x * turn)


class _Balance(NamedTuple):
    """H(u) against the direction of the field, for one u.

    Args:
        terms: P and T with their derivatives.
        cos: cos δ.
        sin: sin δ.
    """

    terms: PlanarTerms
    cos: Array
    sin: Array

    def along_field(self, change: Vector2) -> Array:
        """The component along the field of a change of P and T."""
        parallel, torque = change
        return parallel * self.cos - torque * self.sin

    def across(self, change: Vector2) -> Array:
        """The component across the field; that of H(u) is zero in equilibrium."""
        parallel, torque = change
        return parallel * self.sin + torque * self.cos

    @property
    def field(self) -> Vector2:
        """P and T."""
        return self.terms.parallel, self.terms.torque

    @property
    def stiffness(self) -> Array:
        """The derivative of H(u) across the field with respect to ψ, with 1 instead of 0."""
        return not_zero(self.across(self.terms.by_angle) + self.along_field(self.field))

    def turning(self) -> PlanarArguments:
        """The derivatives of ψ with respect to all arguments."""
        terms, stiffness = self.terms, self.stiffness
        by_argument = (terms.by_a, terms.by_b, terms.by_c, terms.by_larmor)
        a, b, c, larmor = (-self.across(change) / stiffness for change in by_argument)
        return PlanarArguments(a, b, c, self.along_field(self.field) / stiffness, larmor)


def _balance(u: Vector2, fields: PlanarFields, direction: Vector2, larmor: Array) -> _Balance:
    (x, y), (hx, hy) = u, direction
    return _Balance(fields.terms(u, larmor), hx * x + hy * y, hx * y - hy * x)


def _along(slopes: PlanarArguments, tangents: PlanarArguments, like: Array) -> Array:
    """Σ slope · tangent, in the shape of `like`."""
    change = lax.full_like(like, 0.0)
    for slope, tangent in zip(slopes, tangents, strict=True):
        if not isinstance(tangent, SymbolicZero):
            change = change + slope * tangent
    return change
