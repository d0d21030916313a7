"""Whether M lies in the global minimum of the energy: two tests, for tensors and for any energy."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ..kernels.search_limits import ABOVE_MINIMUM
from ..numerics.elementwise import choose
from ..numerics.vectors import (
    Matrix3,
    Scalar,
    Vector3,
    components,
    dot,
    outer,
    rows_of,
    scale,
    solved,
    subtract,
    sum_of,
    times,
    unit,
    with_diagonal,
)
from .energy_terms import AbstractEnergy
from .mesh_search import sphere_mesh


StabilityTest = Callable[[Vector3, Scalar, Scalar, Vector3, Scalar], Array]
"""(u, Hres, h∥ = H·u, ĥ, w0) → whether no direction of M has a lower energy than u."""

DESCENT_STEPS = 5
"""Newton steps from the lowest vertex of the mesh, whose vertices are 8° apart."""


COMPARED = 8
"""Vertices that are compared in one step of the search for the lowest one."""


def tolerance(like: Array) -> Any:
    """How far above the global minimum rounding may put it, over w0."""
    return ABOVE_MINIMUM * jnp.finfo(like.dtype).eps ** 0.5


def lowest_multiplier(tensor: Float[Array, "3 3"]) -> StabilityTest:
    """The test for a quadratic energy: the multiplier λ = κ − h∥ is at most k₁."""
    lowest, rows = jnp.linalg.eigvalsh(tensor)[0], rows_of(tensor)

    def is_stable(
        u: Vector3, field: Scalar, parallel: Scalar, direction: Vector3, larmor: Scalar
    ) -> Array:
        return dot(u, times(rows, u)) - parallel <= lowest + tolerance(field) * larmor

    return is_stable


def lowest_on_sphere(energy: AbstractEnergy, dtype: Any) -> StabilityTest:
    """The test for any energy: a descent from the lowest vertex of the mesh ends no lower."""
    descend = lowest_direction(energy, dtype)

    def is_stable(
        u: Vector3, field: Scalar, parallel: Scalar, direction: Vector3, larmor: Scalar
    ) -> Array:
        applied = scale(field, direction)
        depth = lambda u: energy(jnp.stack(u)) - dot(u, applied)
        return depth(u) - depth(descend(applied)) <= tolerance(field) * larmor

    return is_stable


def lowest_direction(energy: AbstractEnergy, dtype: Any) -> Callable[[Vector3], Vector3]:
    """The function from an applied field (tesla) to the direction of M with the lowest energy.

    Newton's method from the lowest vertex of a mesh. A minimum narrower than the distance of the
    vertices may be missed.
    """
    vertices, _ = sphere_mesh()
    mesh = jnp.asarray(vertices, dtype)
    values = jax.vmap(energy)(mesh)

    def descend(applied: Vector3) -> Vector3:
        depth = lambda u: energy(jnp.stack(u)) - dot(u, applied)

        def step(_: Any, u: Vector3) -> Vector3:
            gradient, hessian = energy.derivatives(u)
            gradient = subtract(gradient, applied)
            along = dot(u, gradient)
            torque = subtract(gradient, scale(along, u))
            trial = subtract(u, solved(tangent_stiffness(hessian, u, along), torque))
            trial = unit(trial)
            # Newton's method also runs to maxima: a step that leads up is not taken
            lower = depth(trial) < depth(u)
            x, y, z = (choose(lower, new, old) for new, old in zip(trial, u, strict=True))
            return x, y, z

        return lax.fori_loop(0, DESCENT_STEPS, step, _lowest_vertex(mesh, values, applied))

    return descend


def _lowest_vertex(
    mesh: Float[Array, "v 3"], values: Float[Array, " v"], applied: Vector3
) -> Vector3:
    """The vertex where `values` less u·H is lowest.

    All places look at the same vertices at a time, so that a CPU uses vectors. `argmin` does not,
    and takes several times as long.
    """
    steps = -(-len(mesh) // COMPARED)
    pad = steps * COMPARED - len(mesh)
    mesh = jnp.pad(mesh, ((0, pad), (0, 0)))
    values = jnp.pad(values, (0, pad), constant_values=jnp.inf)

    def step(index: Array, state: tuple[Scalar, Array]) -> tuple[Scalar, Array]:
        lowest, at = state
        first = index * COMPARED
        some = lax.dynamic_slice_in_dim(mesh, first, COMPARED)
        own = lax.dynamic_slice_in_dim(values, first, COMPARED)
        for k in range(COMPARED):
            depth = own[k] - dot(components(some[k]), applied)
            lower = depth < lowest
            lowest, at = choose(lower, depth, lowest), lax.select(lower, first + k, at)
        return lowest, at

    start = lax.full_like(applied[0], jnp.inf), jnp.zeros((), jnp.int32)
    _, at = lax.fori_loop(jnp.int32(0), jnp.int32(steps), step, start)
    return components(mesh[at])


def tangent_stiffness(hessian: Matrix3, u: Vector3, along: Scalar) -> Matrix3:
    """T (E − along) T + u uᵀ, with T the projection on the tangent plane."""
    turned = times(hessian, u)
    curved = dot(u, turned) + along + 1.0
    normal = subtract(scale(curved, u), turned)
    tangent = sum_of(outer(u, normal), outer(scale(-lax.full_like(along, 1.0), turned), u))
    return with_diagonal(sum_of(hessian, tangent), -along)
