"""Resonance fields: Hres of an energy for a direction of the applied field.

One rule picks the measured resonance among the branches, everywhere: of those whose
magnetization lies in the global minimum of the energy (`stable`), the one at the highest
field: the best saturated, which joins w0 as the anisotropy vanishes for as long as it exists. Where
it ends, Hres jumps to the next stable branch; an upward sweep meets those at lower fields
first, and `resonance_branches` shows them. An angle without a stable resonance has no
measured one: NaN, with zero gradient.
"""

from collections.abc import Callable
from typing import Any, TypeGuard

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Shaped

from ..foundation.arrays import as_float
from ..foundation.units import MU_B, PLANCK
from ..numerics.implicit_roots import implicit_root, newton_step, solve_small
from .energy_terms import AbstractEnergy, AnisotropyFields, energy_derivatives, quadratic_form
from .field_of_magnetization import FieldTerms, PlanarFields, Vector2, field_terms, turned
from .mesh_solver import mesh_candidates, sphere_mesh
from .tensor_solver import planar_candidate, planar_candidates, tensor_candidates


Plane = str | Float[ArrayLike, "2 3"]

PLANES = {"xy": (0, 1), "xz": (0, 2), "yz": (1, 2)}
"""Rotation planes by name: the axis at angle 0 and the one at 90°."""


class Branches(eqx.Module):
    """All resonances for each direction of the field, highest field first, NaN in empty slots.

    `field` in tesla; `direction` the equilibrium unit vector of M with each; `stable` says that M
    is in the global minimum of the energy at that field (False: metastable, or empty).
    """

    field: Float[Array, "*batch slots"]
    direction: Float[Array, "*batch slots 3"]
    stable: Bool[Array, "*batch slots"]

    def measured(self) -> tuple[Float[Array, "*batch"], Float[Array, "*batch 3"]]:
        """Field (tesla) and direction of M of the highest stable branch, NaN where none is."""
        index = jnp.argmax(self.stable, axis=-1)[..., None]
        exists = jnp.any(self.stable, axis=-1)
        field = jnp.take_along_axis(self.field, index, axis=-1)[..., 0]
        direction = jnp.take_along_axis(self.direction, index[..., None], axis=-2)[..., 0, :]
        return jnp.where(exists, field, jnp.nan), jnp.where(exists[..., None], direction, jnp.nan)


def larmor_field(
    frequency: Shaped[ArrayLike, "..."], g: Shaped[ArrayLike, "..."] = 2.0
) -> Float[Array, "..."]:
    """The resonance field without anisotropy, w0 = hν/(gµB), in tesla for a frequency in Hz.

    NaN unless positive, and so are the resonance fields there.

    >>> print(f"{1e3 * larmor_field(9.45e9):.2f} mT")
    337.59 mT
    """
    field = as_float(frequency) * (PLANCK / MU_B) / g
    return jnp.where(field > 0, field, jnp.nan)


def plane_directions(angle: Shaped[ArrayLike, "..."], plane: Plane = "xy") -> Float[Array, "... 3"]:
    """Unit vectors at `angle` (radians) in a rotation plane.

    `plane` is "xy", "xz" or "yz" (the first axis at angle 0, the second at 90°), or two vectors of
    shape (2, 3) that span it: the first at angle 0, the second on the side of 90° (made
    orthonormal). Raises `ValueError` for an unknown name.

    >>> plane_directions(0.0, "yz").tolist()
    [0.0, 1.0, 0.0]
    """
    angle = as_float(angle)[..., None]
    if isinstance(plane, str):
        if plane not in PLANES:
            raise ValueError(f"unknown plane {plane!r}: expected xy, xz, yz or two vectors")
        first, second = jnp.eye(3, dtype=angle.dtype)[jnp.array(PLANES[plane])]
    else:
        first, second = as_float(plane)
        first = first / jnp.linalg.norm(first)
        second = second - (second @ first) * first
        second = second / jnp.linalg.norm(second)
    return jnp.cos(angle) * first + jnp.sin(angle) * second


def resonance_field(
    energy: AbstractEnergy,
    angle: Shaped[ArrayLike, "..."],
    frequency: Shaped[ArrayLike, "..."],
    g: Shaped[ArrayLike, "..."] = 2.0,
    plane: Plane = "xy",
) -> Float[Array, "..."]:
    """Measured resonance field Hres (tesla) for a field rotated in a plane.

    `angle` in radians from the first axis of `plane` (see `plane_directions`), `frequency` in Hz;
    `angle`, `frequency` and `g` broadcast against each other. M is free to leave the plane. Of
    several branches the highest stable one is returned (see the module), NaN where there is none.
    Differentiable with respect to every argument, any number of times, by the implicit-function
    theorem; NaN results have zero gradient. Derivatives grow without bound towards
    the end of a branch. Source: paper, eqs. 4 and 5 (with the sign of eq. 4 mended).

    >>> import jax.numpy as jnp
    >>> sample = AnisotropyFields(A=0.1915, B=0.2046)
    >>> field = resonance_field(sample, jnp.deg2rad(jnp.array([0.0, 90.0])), 9.45e9)
    >>> [f"{1e3 * value:.2f} mT" for value in field]
    ['52.95 mT', '399.57 mT']
    """
    if _is_planar(energy, plane):
        return _broadcast(_planar_solver(energy), as_float(angle), larmor_field(frequency, g), 0)
    return resonance_field_along(energy, plane_directions(angle, plane), frequency, g)


def resonance_field_along(
    energy: AbstractEnergy,
    direction: Float[ArrayLike, "*batch 3"],
    frequency: Shaped[ArrayLike, "..."],
    g: Shaped[ArrayLike, "..."] = 2.0,
) -> Float[Array, "..."]:
    """Measured resonance field Hres (tesla) for fields along unit vectors of shape (..., 3).

    The batch shape of `direction` broadcasts against `frequency` (Hz) and `g`. Everything
    else as for `resonance_field`.

    >>> import jax.numpy as jnp
    >>> from diffdip import ThinFilm
    >>> along_normal = resonance_field_along(ThinFilm(0.5), jnp.array([0.0, 0.0, 1.0]), 9.45e9)
    >>> print(f"{1e3 * along_normal:.2f} mT")
    837.59 mT
    """
    direction, larmor = as_float(direction), larmor_field(frequency, g)
    return _broadcast(_measured_solver(energy, direction.dtype), direction, larmor)


def resonance_branches(
    energy: AbstractEnergy,
    angle: Shaped[ArrayLike, "..."],
    frequency: Shaped[ArrayLike, "..."],
    g: Shaped[ArrayLike, "..."] = 2.0,
    plane: Plane = "xy",
) -> Branches:
    """All resonances for a field rotated in a plane; arguments as for `resonance_field`.

    Six slots per angle. For tensors and sums of them no branch is missed, M out of the
    plane included; eight for other energies, where two branches closer than about 8° on the
    sphere, or at fields far below w0, may be. Only minima of the energy count, metastable ones
    included.

    >>> import jax.numpy as jnp
    >>> branches = resonance_branches(AnisotropyFields(A=0.2, B=0.3), jnp.deg2rad(80.0), 9.45e9)
    >>> [f"{1e3 * field:.1f} mT" for field in branches.field if field == field]
    ['356.2 mT', '233.4 mT', '81.1 mT']
    """
    if _is_planar(energy, plane):
        solver = _planar_branch_solver(energy)
        return _broadcast(solver, as_float(angle), larmor_field(frequency, g), 0)
    return resonance_branches_along(energy, plane_directions(angle, plane), frequency, g)


def resonance_branches_along(
    energy: AbstractEnergy,
    direction: Float[ArrayLike, "*batch 3"],
    frequency: Shaped[ArrayLike, "..."],
    g: Shaped[ArrayLike, "..."] = 2.0,
) -> Branches:
    """All resonances for fields along unit vectors of shape (..., 3); see `resonance_branches`.

    >>> import jax.numpy as jnp
    >>> branches = resonance_branches_along(AnisotropyFields(), jnp.array([0.0, 0.0, 1.0]), 9.45e9)
    >>> int(jnp.isfinite(branches.field).sum())
    1
    """
    direction, larmor = as_float(direction), larmor_field(frequency, g)
    return _broadcast(_branch_solver(energy, direction.dtype), direction, larmor)


def _broadcast(
    solve: Callable[[Array, Array], Any], where: Float[Array, "..."], larmor: Array, rank: int = 1
) -> Any:
    """Map `solve`(angle or direction, w0) over broadcast batches; `rank` 1 for directions."""
    core = where.shape[where.ndim - rank :]
    if larmor.ndim == 0:  # one frequency: what depends on it alone is computed once
        for _ in range(where.ndim - rank):
            solve = jax.vmap(solve, in_axes=(0, None))
        return solve(where, larmor)
    shape = jnp.broadcast_shapes(where.shape[: where.ndim - rank], larmor.shape)
    where, larmor = jnp.broadcast_to(where, shape + core), jnp.broadcast_to(larmor, shape)
    for _ in shape:
        solve = jax.vmap(solve)
    return solve(where, larmor)


def _is_planar(energy: AbstractEnergy, plane: Plane) -> TypeGuard[AnisotropyFields]:
    """Whether the types alone say that the normal of the plane is a principal axis."""
    return isinstance(energy, AnisotropyFields) and isinstance(plane, str) and plane == "xy"


def _planar_solver(energy: AnisotropyFields) -> Callable[[Array, Array], Array]:
    """(angle, w0) → Hres, for M in the plane of rotation, where A, B, C keep it."""
    fields = _planar_fields(energy)

    def solve(angle: Float[Array, ""], larmor: Float[Array, ""]) -> Float[Array, ""]:
        arguments = (fields, (jnp.cos(angle), jnp.sin(angle)), larmor)
        u, exists = planar_candidate(*jax.lax.stop_gradient(arguments))
        u = _planar_root(u, exists, arguments)
        parallel, torque = fields.terms(u, larmor)
        return jnp.where(exists, jnp.sqrt(parallel * parallel + torque * torque), jnp.nan)

    return solve


def _planar_branch_solver(energy: AnisotropyFields) -> Callable[[Array, Array], Branches]:
    """(angle, w0) → all branches: four with M in the plane, a pair with M tilted out of it."""
    fields = _planar_fields(energy)

    def solve(angle: Float[Array, ""], larmor: Float[Array, ""]) -> Branches:
        arguments = (fields, (jnp.cos(angle), jnp.sin(angle)), larmor)
        slots = []
        for x, start, exists in planar_candidates(*jax.lax.stop_gradient(arguments)):
            u = _planar_root(start, exists, arguments)
            parallel, torque = fields.terms(u, larmor)
            field = jnp.sqrt(parallel * parallel + torque * torque)
            excess = fields.excess(u, larmor) / larmor
            # a start that was no root ends on another one
            exists &= jnp.abs(excess - x) < 1e-2
            stable = excess > jnp.maximum(0, fields.normal_gap / larmor) - _tolerance(field)
            slots.append((exists, stable, field, jnp.stack([*u, jnp.zeros_like(field)])))
        field, (x, y, z), exists = fields.tilted(arguments[1], larmor)
        slots += [(exists, exists, field, jnp.stack([x, y, side])) for side in (z, -z)]
        exists, stable, field, direction = (
            jnp.stack(column) for column in zip(*slots, strict=True)
        )
        return _ordered(field, direction, exists, stable)

    return solve


def _planar_fields(energy: AnisotropyFields) -> PlanarFields:
    s = energy.convention.sign
    return PlanarFields(s * energy.A, s * energy.B, s * energy.C)


def _planar_root(start: Vector2, exists: Array, arguments: Any) -> Vector2:
    """Polish a direction of M and make it a differentiable function of the arguments.

    Where no resonance exists it is the direction of the field, whose derivatives are harmless.
    """
    frozen = jax.lax.stop_gradient(arguments)
    zero = jnp.zeros_like(frozen[2])

    def misalignment(tangent: Array, given: Any) -> Array:
        u, (fields, direction, larmor) = given
        return fields.misalignment(turned(u, tangent), direction, larmor)

    u = _choose(exists, start, frozen[1])
    for _ in range(2):
        u = turned(u, newton_step(lambda t: misalignment(t, (u, frozen)), zero))  # noqa: B023
    u = _choose(exists, u, frozen[1])
    # the root is t = 0; as a function of the arguments it turns u
    return turned(u, implicit_root(misalignment, zero, (u, arguments)))


def _choose(condition: Array, first: Vector2, second: Vector2) -> Vector2:
    (x, y), (p, q) = first, second
    return jnp.where(condition, x, p), jnp.where(condition, y, q)


def _measured_solver(energy: AbstractEnergy, dtype: Any) -> Callable[[Array, Array], Array]:
    """(ĥ, w0) → Hres on the measured branch."""
    roots, differentiable = _root_solver(energy, dtype)

    def solve(direction: Float[Array, "3"], larmor: Float[Array, ""]) -> Float[Array, ""]:
        u, field, exists, stable = roots(direction, larmor)
        best = jnp.argmax(jnp.where(exists & stable, field, -1))
        found = (exists & stable)[best]
        _, field = differentiable(jnp.where(found, u[best], direction), direction, larmor)
        return jnp.where(found, field, jnp.nan)

    return solve


def _branch_solver(energy: AbstractEnergy, dtype: Any) -> Callable[[Array, Array], Branches]:
    """(ĥ, w0) → all branches."""
    roots, differentiable = _root_solver(energy, dtype)

    def solve(direction: Float[Array, "3"], larmor: Float[Array, ""]) -> Branches:
        u, _, exists, stable = roots(direction, larmor)
        u, field = jax.vmap(differentiable, in_axes=(0, None, None))(u, direction, larmor)
        return _ordered(field, u, exists, stable)

    return solve


def _root_solver(energy: AbstractEnergy, dtype: Any) -> tuple[Callable, Callable]:
    """Two functions: (ĥ, w0) → u, Hres, whether it exists and is stable, for all slots, without
    derivatives; and (u, ĥ, w0) → u, Hres, with them. What depends on the energy alone is
    computed once, here."""
    parameters, static = eqx.partition(energy, eqx.is_inexact_array)
    frozen_energy = eqx.combine(jax.lax.stop_gradient(parameters), static)
    tensor = quadratic_form(frozen_energy)
    if tensor is None:
        candidates, steps = mesh_candidates(frozen_energy, dtype), 10
        is_stable = _lowest_on_sphere(frozen_energy, dtype)
    else:
        candidates, steps = tensor_candidates(tensor), 3
        is_stable = _lowest_multiplier(tensor)

    def residual(u: Array, arguments: Any) -> Array:
        parameters, direction, larmor = arguments
        return _residual(field_terms(eqx.combine(parameters, static), u), u, direction, larmor)

    def polish(u: Array, direction: Array, larmor: Array) -> tuple[Array, Array, Array, Array]:
        arguments = (jax.lax.stop_gradient(parameters), direction, larmor)

        def step(_: Any, u: Array) -> Array:
            change = newton_step(lambda u: residual(u, arguments), u) - u
            u = u + change * jnp.minimum(1, 0.3 / jnp.maximum(jnp.linalg.norm(change), 1e-30))
            return u / jnp.linalg.norm(u)

        u = jax.lax.fori_loop(0, steps, step, u)
        terms = field_terms(frozen_energy, u)
        field, parallel = terms.magnitude(larmor), terms.parallel(larmor)
        size = jnp.max(jnp.abs(terms.torque)) + jnp.abs(parallel) + larmor
        error = jnp.max(jnp.abs(residual(u, arguments)))
        along = terms.field(u, larmor) @ direction
        converged = (error < jnp.finfo(u.dtype).eps ** 0.75 * size) & (along > 0)
        return u, field, converged, is_stable(u, field, parallel, direction, larmor)

    def roots(direction: Array, larmor: Array) -> tuple[Array, Array, Array, Array]:
        direction, larmor = jax.lax.stop_gradient((direction, larmor))
        starts, exists = candidates(direction, larmor)
        u, field, converged, stable = jax.vmap(polish, in_axes=(0, None, None))(
            starts, direction, larmor
        )
        exists &= converged
        same = jnp.sum((u[:, None] - u) ** 2, axis=-1) < 1e2 * jnp.finfo(u.dtype).eps
        exists &= ~jnp.any(jnp.tril(same, -1) & exists, axis=-1)
        return jnp.where(exists[:, None], u, direction), field, exists, stable

    def differentiable(u: Array, direction: Array, larmor: Array) -> tuple[Array, Array]:
        u = implicit_root(residual, u, (parameters, direction, larmor))
        return u, field_terms(energy, u).magnitude(larmor)

    return roots, differentiable


def _ordered(field: Array, direction: Array, exists: Array, stable: Array) -> Branches:
    order = jnp.argsort(jnp.where(exists, -field, jnp.inf))
    return Branches(
        field=jnp.where(exists, field, jnp.nan)[order],
        direction=jnp.where(exists[:, None], direction, jnp.nan)[order],
        stable=(exists & stable)[order],
    )


def _tolerance(like: Array) -> Any:
    """How far above the global minimum, over w0, rounding may put it."""
    return 4 * jnp.finfo(like.dtype).eps ** 0.5


def _residual(terms: FieldTerms, u: Array, direction: Array, larmor: Array) -> Array:
    """Zero where H(u) points along `direction` and |u| = 1: as many equations as unknowns."""
    field = terms.field(u, larmor)
    normal = field - (field @ direction) * direction
    return normal + 0.5 * larmor * (u @ u - 1) * direction


def _lowest_multiplier(tensor: Float[Array, "3 3"]) -> Callable[..., Array]:
    """Global minimum of a quadratic energy: the multiplier λ = κ − h∥ is at most k₁."""
    lowest = jnp.linalg.eigvalsh(tensor)[0]

    def is_stable(
        u: Array, field: Array, parallel: Array, direction: Array, larmor: Array
    ) -> Array:
        return u @ tensor @ u - parallel <= lowest + _tolerance(u) * larmor

    return is_stable


def _lowest_on_sphere(energy: AbstractEnergy, dtype: Any) -> Callable[..., Array]:
    """Global minimum of any energy: descent from the lowest vertex of the mesh ends no lower."""
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
            lower = energy(trial) - trial @ applied < energy(u) - u @ applied
            return jnp.where(lower, trial, u)

        start = mesh[jnp.argmin(values - mesh @ applied)]
        lowest = jax.lax.fori_loop(0, 5, descend, start)
        depth = energy(u) - u @ applied - (energy(lowest) - lowest @ applied)
        return depth <= _tolerance(u) * larmor

    return is_stable
