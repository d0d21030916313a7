"""Resonances of any energy for a field in any direction.

Starts near all resonances come from a polynomial if the energy is a tensor, and from a search on
a mesh of the sphere if not. Newton's method polishes them, duplicates are dropped, and the
implicit-function theorem gives the derivatives.
"""

from typing import Any, NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..numerics.implicit_roots import implicit_root, newton_step
from .branches import Branches, ordered_branches
from .energy_terms import AbstractEnergy, quadratic_form
from .field_of_magnetization import field_terms
from .mesh_search import mesh_candidates
from .resonance_polynomials import tensor_candidates
from .stability import lowest_multiplier, lowest_on_sphere


TENSOR_STEPS = 3
"""Newton steps from a root of the sextic, which has some digits, to all digits."""

MESH_STEPS = 10
"""Newton steps from a triangle of the mesh, about 8° wide, to all digits."""

LARGEST_STEP = 0.3
"""Radians that M turns at most in a step: a longer step may end on another branch."""


class _Roots(NamedTuple):
    """Slots for all resonances; in empty ones M has the direction of the field."""

    direction: Float[Array, "slots 3"]
    field: Float[Array, " slots"]
    exists: Bool[Array, " slots"]
    stable: Bool[Array, " slots"]


@final
class GeneralSolver:
    """Resonances of one energy. What depends on the energy alone is computed once, here.

    Roots are found without derivatives, on the frozen energy; `_with_derivatives` adds them.
    """

    def __init__(self, energy: AbstractEnergy, dtype: Any):
        self.energy = energy
        self.parameters, self.static = eqx.partition(energy, eqx.is_inexact_array)
        self.frozen = eqx.combine(jax.lax.stop_gradient(self.parameters), self.static)
        tensor = quadratic_form(self.frozen)
        if tensor is None:
            self.candidates, self.steps = mesh_candidates(self.frozen, dtype), MESH_STEPS
            self.is_stable = lowest_on_sphere(self.frozen, dtype)
        else:
            self.candidates, self.steps = tensor_candidates(tensor), TENSOR_STEPS
            self.is_stable = lowest_multiplier(tensor)

    def field(self, direction: Float[Array, "3"], larmor: Float[Array, ""]) -> Float[Array, ""]:
        """Hres on the measured branch; NaN without a measured branch."""
        roots = self._roots(direction, larmor)
        measurable = roots.exists & roots.stable
        best = jnp.argmax(jnp.where(measurable, roots.field, -1))
        found = measurable[best]
        u = jnp.where(found, roots.direction[best], direction)
        _, field = self._with_derivatives(u, direction, larmor)
        return jnp.where(found, field, jnp.nan)

    def branches(self, direction: Float[Array, "3"], larmor: Float[Array, ""]) -> Branches:
        """All branches."""
        roots = self._roots(direction, larmor)
        derive = jax.vmap(self._with_derivatives, in_axes=(0, None, None))
        u, field = derive(roots.direction, direction, larmor)
        return ordered_branches(field, u, roots.exists, roots.stable)

    def _roots(self, direction: Array, larmor: Array) -> _Roots:
        """All resonances, each once, without derivatives."""
        direction, larmor = jax.lax.stop_gradient((direction, larmor))
        starts, exists = self.candidates(direction, larmor)
        polish = jax.vmap(self._polished, in_axes=(0, None, None))
        u, field, converged, stable = polish(starts, direction, larmor)
        exists &= converged
        # two starts that ended on one root agree to half of the digits at least
        same = jnp.sum((u[:, None] - u) ** 2, axis=-1) < 1e2 * jnp.finfo(u.dtype).eps
        exists &= ~jnp.any(jnp.tril(same, -1) & exists, axis=-1)
        return _Roots(jnp.where(exists[:, None], u, direction), field, exists, stable)

    def _polished(
        self, start: Array, direction: Array, larmor: Array
    ) -> tuple[Array, Array, Array, Array]:
        """From one start: u, Hres, whether it is a resonance, and whether it is stable."""
        arguments = (jax.lax.stop_gradient(self.parameters), direction, larmor)

        def step(_: Any, u: Array) -> Array:
            change = newton_step(lambda u: self._residual(u, arguments), u) - u
            length = jnp.maximum(jnp.linalg.norm(change), 1e-30)
            u = u + change * jnp.minimum(1, LARGEST_STEP / length)
            return u / jnp.linalg.norm(u)

        u = jax.lax.fori_loop(0, self.steps, step, start)
        terms = field_terms(self.frozen, u)
        field, parallel = terms.magnitude(larmor), terms.parallel(larmor)
        size = jnp.max(jnp.abs(terms.torque)) + jnp.abs(parallel) + larmor
        error = jnp.max(jnp.abs(self._residual(u, arguments)))
        # H(u) may also point against ĥ, where the residual vanishes too
        along = terms.field(u, larmor) @ direction
        # a converged root has an error of some roundings; eps^(3/4) is far above those, and far
        # below the error of a start that runs nowhere
        converged = (error < jnp.finfo(u.dtype).eps ** 0.75 * size) & (along > 0)
        return u, field, converged, self.is_stable(u, field, parallel, direction, larmor)

    def _with_derivatives(
        self, u: Array, direction: Array, larmor: Array
    ) -> tuple[Float[Array, "3"], Float[Array, ""]]:
        """The root u and Hres there, as functions of the energy, ĥ and w0."""
        u = implicit_root(self._residual, u, (self.parameters, direction, larmor))
        return u, field_terms(self.energy, u).magnitude(larmor)

    def _residual(self, u: Array, arguments: tuple[Any, Array, Array]) -> Array:
        """Zero where H(u) points along ĥ and |u| = 1: as many equations as unknowns."""
        parameters, direction, larmor = arguments
        field = field_terms(eqx.combine(parameters, self.static), u).field(u, larmor)
        normal = field - (field @ direction) * direction
        return normal + 0.5 * larmor * (u @ u - 1) * direction
