"""Resonances of any energy for a field in any direction.

The measured resonance is followed from that of a sample without anisotropy. Where this does not
end at a stable resonance, and for all branches, the roots are searched: starts come from a search
on a mesh of the sphere. If the energy is a tensor, they come from a polynomial instead. Newton's
method polishes them, duplicates are dropped, and the implicit-function theorem gives the
derivatives. For energies that are polynomials a CPU does the same in loops (`polynomial_solver`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from ..kernels.calls import by_platform, one_batch
from ..kernels.search_limits import RESIDUAL_POWER, SAME_ROOT
from ..numerics.vectors import Scalar, Vector3, components, dot
from .branches import Branches, ordered_branches
from .energy_terms import AbstractEnergy, quadratic_form
from .field_of_magnetization import FieldTerms, field_terms
from .mesh_search import MESH_STEPS, mesh_candidates
from .polynomial_solver import Places, all_places, is_polynomial, measured_places
from .resonance_equations import from_saturation, residual_of, towards_resonance
from .resonance_polynomials import tensor_candidates
from .root_derivatives import direction_at, field_at
from .stability import lowest_multiplier, lowest_on_sphere


TENSOR_STEPS = 3
"""Newton steps from a root of the sextic, which has some digits, to all digits."""

SEARCHED_AT_ONCE = 8
"""Directions of the field that are searched together where the measured branch was not reached."""


class _Reached(NamedTuple):
    """Where M is at the measured resonance of each direction of the field, and if it is known."""

    direction: Float[Array, "n 3"]
    found: Bool[Array, " n"]


@final
class GeneralSolver:
    """Resonances of one energy. What depends on the energy alone is computed once, here.

    Roots are found without derivatives, on the frozen energy; `root_derivatives` adds them.
    """

    def __init__(self, energy: AbstractEnergy, dtype: Any):
        self.energy = energy
        parameters, static = eqx.partition(energy, eqx.is_inexact_array)
        self.frozen = eqx.combine(jax.lax.stop_gradient(parameters), static)
        self.tensor = quadratic_form(self.frozen)
        if self.tensor is None:
            self.steps, self.is_stable = MESH_STEPS, lowest_on_sphere(self.frozen, dtype)
        else:
            self.steps, self.is_stable = TENSOR_STEPS, lowest_multiplier(self.tensor)

    def fields(
        self, direction: Float[Array, "n 3"], larmor: Float[Array, "*n"]
    ) -> Float[Array, " n"]:
        """Hres on the measured branch for each ĥ; NaN without a measured branch.

        `larmor` is w0 of each, or one number.
        """
        axes = (0, 0 if larmor.ndim else None)
        reached = self.reached(*jax.lax.stop_gradient((direction, larmor)))

        def derive(u: Array, direction: Array, larmor: Array) -> Array:
            return field_at(self.energy, components(u), components(direction), larmor)

        field = jax.vmap(derive, in_axes=(0, *axes))(reached.direction, direction, larmor)
        return jnp.where(reached.found, field, jnp.nan)

    def reached(self, direction: Array, larmor: Array) -> _Reached:
        """Where M is at the measured resonances."""
        axes = (0, 0 if larmor.ndim else None)
        if self.tensor is not None:
            return jax.vmap(self._highest, in_axes=axes)(direction, larmor)
        parameters, static = eqx.partition(self.frozen, eqx.is_inexact_array)
        larmor = jnp.broadcast_to(larmor, len(direction))

        def by_loop(parameters: Any, direction: Array, larmor: Array) -> _Reached:
            energy = eqx.combine(parameters, static)
            places = measured_places(energy, direction, larmor)
            places = _checked(energy, places, direction, larmor)
            return _Reached(places.direction, places.exists)

        def by_steps(parameters: Any, direction: Array, larmor: Array) -> _Reached:
            solver = GeneralSolver(eqx.combine(parameters, static), direction.dtype)
            followed = jax.vmap(solver._followed)(direction, larmor)
            return solver._searched(followed, direction, larmor)

        given, usable = (parameters, direction, larmor), is_polynomial(self.frozen)
        return by_platform(by_loop, by_steps, *given, usable=usable)

    def branches(self, direction: Float[Array, "3"], larmor: Float[Array, ""]) -> Branches:
        """All branches."""
        roots = self._all(*jax.lax.stop_gradient((direction, larmor)))

        def derive(root: Array) -> tuple[Array, Array]:
            u, along = components(root), components(direction)
            field = field_at(self.energy, u, along, larmor)
            return jnp.stack(direction_at(self.energy, u, along, larmor)), field

        u, field = jax.vmap(derive)(roots.direction)
        return ordered_branches(field, u, roots.exists, roots.stable)

    def _followed(self, direction: Array, larmor: Array) -> _Reached:
        """The branch that is continuous with saturation, if it is a stable resonance."""
        along = components(direction)
        u = from_saturation(self.frozen, along, larmor)
        _, exists, stable = self._judged(u, along, larmor)
        found = exists & stable
        return _Reached(jnp.where(found, jnp.stack(u), direction), found)

    def _searched(self, reached: _Reached, direction: Array, larmor: Array) -> _Reached:
        """Search for the branches that were not reached."""
        parameters, static = eqx.partition(self.frozen, eqx.is_inexact_array)

        def highest(parameters: Any, direction: Array, larmor: Array) -> _Reached:
            solver = GeneralSolver(eqx.combine(parameters, static), direction.dtype)
            return solver._highest(direction, larmor)

        larmor = jnp.broadcast_to(larmor, reached.found.shape)
        return _where_not_found(highest, parameters, reached, direction, larmor)

    def _highest(self, direction: Array, larmor: Array) -> _Reached:
        """The highest stable resonance of all."""
        roots, field = self._roots(direction, larmor)
        measurable = roots.exists & roots.stable
        best = jnp.argmax(jnp.where(measurable, field, -1))
        found = measurable[best]
        return _Reached(jnp.where(found, roots.direction[best], direction), found)

    def _all(self, direction: Array, larmor: Array) -> Places:
        """All resonances, each once, without derivatives."""
        parameters, static = eqx.partition(self.frozen, eqx.is_inexact_array)

        def by_loop(parameters: Any, direction: Array, larmor: Array) -> Places:
            energy = eqx.combine(parameters, static)
            places = all_places(energy, direction[None], larmor[None])
            places = Places(*(part[0] for part in places))
            along = jnp.broadcast_to(direction, places.direction.shape)
            larmor = jnp.broadcast_to(larmor, len(along))
            return _checked(energy, places, along, larmor)

        def by_steps(parameters: Any, direction: Array, larmor: Array) -> Places:
            solver = GeneralSolver(eqx.combine(parameters, static), direction.dtype)
            return solver._roots(direction, larmor)[0]

        usable = self.tensor is None and is_polynomial(self.frozen)
        return by_platform(by_loop, by_steps, parameters, direction, larmor, usable=usable)

    def _roots(self, direction: Array, larmor: Array) -> tuple[Places, Float[Array, " slots"]]:
        """All resonances in slots, and their fields; M along the field in empty ones."""
        # only here: the branch that is followed from saturation needs no mesh
        if self.tensor is None:
            candidates = mesh_candidates(self.frozen, direction.dtype)
        else:
            candidates = tensor_candidates(self.tensor)
        starts, exists = candidates(direction, larmor)
        polish = jax.vmap(self._polished, in_axes=(0, None, None))
        u, field, converged, stable = polish(starts, direction, larmor)
        exists &= converged
        same = jnp.sum((u[:, None] - u) ** 2, axis=-1) < SAME_ROOT * jnp.finfo(u.dtype).eps
        exists &= ~jnp.any(jnp.tril(same, -1) & exists, axis=-1)
        return Places(jnp.where(exists[:, None], u, direction), exists, stable), field

    def _polished(
        self, start: Array, direction: Array, larmor: Array
    ) -> tuple[Array, Array, Array, Array]:
        """From one start: u, Hres, whether it is a resonance, and whether it is stable."""
        along = components(direction)
        whole = lax.full_like(larmor, 1.0)
        step = lambda _, u: towards_resonance(self.frozen, u, along, larmor, whole)
        u = lax.fori_loop(0, self.steps, step, components(start))
        return jnp.stack(u), *self._judged(u, along, larmor)

    def _judged(self, u: Vector3, direction: Vector3, larmor: Scalar) -> tuple[Array, Array, Array]:
        """Hres with M along u, whether that is a resonance, and whether it is stable."""
        terms = field_terms(self.frozen, u)
        field, parallel = terms.magnitude(larmor), terms.parallel(larmor)
        exists = _is_along(terms, u, direction, larmor)
        if (exchange := self.frozen.exchange_field()) is not None:
            # without exchange both stiffnesses must be positive too, or M does not stay there
            mean = parallel - terms.offset - exchange
            exists &= (mean > 0) & (mean * mean >= terms.spread)
        return field, exists, self.is_stable(u, field, parallel, direction, larmor)


def _is_along(terms: FieldTerms, u: Vector3, direction: Vector3, larmor: Scalar) -> Array:
    """Whether H(u) points along ĥ."""
    largest = lambda vector: jnp.max(jnp.abs(jnp.stack(vector)))
    size = largest(terms.torque) + jnp.abs(terms.parallel(larmor)) + larmor
    vector = terms.field(u, larmor)
    error = largest(residual_of(vector, u, direction, larmor))
    near = error < jnp.finfo(size.dtype).eps ** RESIDUAL_POWER * size
    # H(u) may also point against ĥ, where the residual vanishes too
    return near & (dot(vector, direction) > 0)


def _checked(energy: AbstractEnergy, places: Places, direction: Array, larmor: Array) -> Places:
    """The places from the loops where the energy itself has a resonance.

    All of them, unless the energy is not the polynomial that its degree states.
    """

    def check(u: Array, direction: Array, larmor: Array) -> tuple[Array, Array]:
        here, along = components(u), components(direction)
        if u.dtype == jnp.float32:  # what the loops read was rounded
            whole = lax.full_like(larmor, 1.0)
            here = towards_resonance(energy, here, along, larmor, whole)
        terms = field_terms(energy, here)
        return jnp.stack(here), _is_along(terms, here, along, larmor)

    u, exists = jax.vmap(check)(places.direction, direction, larmor)
    exists &= places.exists
    u = jnp.where(exists[:, None], u, direction)
    return Places(u, exists, exists & places.stable)


def _where_not_found(
    highest: Callable[[Any, Array, Array], _Reached],
    parameters: Any,
    reached: _Reached,
    direction: Float[Array, "n 3"],
    larmor: Float[Array, " n"],
) -> _Reached:
    """`highest(parameters, ĥ, w0)` where nothing was found, some at a time.

    Under `vmap` the directions of all energies are one list: an energy for which many are left does
    not hold up the others.
    """

    @one_batch
    def search(parameters: Any, reached: _Reached, direction: Array, larmor: Array) -> _Reached:
        """All arrays have a leading axis of energies."""
        energies, count = reached.found.shape
        total = energies * count
        some = min(SEARCHED_AT_ONCE, total)
        flat = lambda array: array.reshape(total, *array.shape[2:])
        directions, larmors = flat(direction), flat(larmor)

        def step(state: tuple[_Reached, Array]) -> tuple[_Reached, Array]:
            reached, left = state
            at = jnp.nonzero(left, size=some, fill_value=total)[0]  # out of bounds: dropped
            here = jnp.minimum(at, total - 1)
            own = jax.tree.map(lambda array: array[here // count], parameters)
            new = jax.vmap(highest)(own, directions[here], larmors[here])
            reached = jax.tree.map(lambda all, one: all.at[at].set(one, mode="drop"), reached, new)
            return reached, left.at[at].set(False, mode="drop")

        start = jax.tree.map(flat, reached)
        state = lax.while_loop(lambda state: jnp.any(state[1]), step, (start, ~start.found))
        return jax.tree.map(
            lambda array: array.reshape(energies, count, *array.shape[1:]), state[0]
        )

    alone = jax.tree.map(lambda array: array[None], (parameters, reached, direction, larmor))
    return jax.tree.map(lambda array: array[0], search(*alone))
