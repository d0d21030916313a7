"""Whether M lies in the global minimum of the energy: two tests, for tensors and for any energy."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..numerics.implicit_roots import solve_small
from .energy_terms import AbstractEnergy, energy_derivatives
from .mesh_search import sphere_mesh


StabilityTest = Callable[[Array, Array, Array, Array, Array], Array]
"""(u, Hres, h∥ = H·u, ĥ, w0) → whether no direction of M has a lower energy than u."""

DESCENT_STEPS = 5
"""Newton steps from the lowest vertex of the mesh, whose vertices are 8° apart."""


def tolerance(like: Array) -> Any:
    """How far above the global minimum rounding may put it, over w0.

    Half of the digits are lost: the energy is flat at a minimum.
    """
    return 4 * jnp.finfo(like.dtype).eps ** 0.5


def lowest_multiplier(tensor: Float[Array, "3 3"]) -> StabilityTest:
    """The test for a quadratic energy: the multiplier λ = κ − h∥ is at most k₁."""
    lowest = jnp.linalg.eigvalsh(tensor)[0]

    def is_stable(
        u: Array, field: Array, parallel: Array, direction: Array, larmor: Array
    ) -> Array:
        return u @ tensor @ u - parallel <= lowest + tolerance(u) * larmor

    return is_stable


def lowest_on_sphere(energy: AbstractEnergy, dtype: Any) -> StabilityTest:
    """The test for any energy: a descent from the lowest vertex of the mesh ends no lower."""
    vertices, _ = sphere_mesh()
    mesh = jnp.asarray(vertices, dtype)
    values = jax.vmap(energy)(mesh)

    def is_stable(
        u: Array, field: Array, parallel: Array, direction: Array, larmor: Array
    ) -> Array:
        applied = field * direction

        def descend(_: Any, u: Array) -> Array:
            gradient, hessian = energy_derivatives(energy, u)
            gradient = gradient - applied
            along = u @ gradient
            normal = jnp.outer(u, u)
            tangent = jnp.eye(3, dtype=u.dtype) - normal
            stiffness = tangent @ hessian @ tangent - along * tangent + normal
            trial = u - solve_small(stiffness, gradient - along * u)
            trial = trial / jnp.linalg.norm(trial)
            # Newton's method also runs to maxima: a step that leads up is not taken
            lower = energy(trial) - trial @ applied < energy(u) - u @ applied
            return jnp.where(lower, trial, u)

        start = mesh[jnp.argmin(values - mesh @ applied)]
        lowest = jax.lax.fori_loop(0, DESCENT_STEPS, descend, start)
        depth = energy(u) - u @ applied - (energy(lowest) - lowest @ applied)
        return depth <= tolerance(u) * larmor

    return is_stable
