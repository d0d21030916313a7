"""Resonance fields: Hres of an energy for directions of the applied field.

The functions here convert their arguments, choose a solver and map it over the batch. For A, B, C
and a field in the xy-plane that is `planar_solver`, in all other cases `general_solver`.
`branches` states which of several resonances is the measured one.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeGuard, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Shaped

from ..foundation.arrays import as_float
from ..foundation.units import larmor_value
from .branches import Branches
from .energy_terms import AbstractEnergy, AnisotropyFields
from .general_solver import GeneralSolver
from .planar_solver import PlanarArguments, planar_arguments, planar_branches, planar_field
from .planes import Plane, plane_directions
from .precision import of_one_precision


Result = TypeVar("Result")


def larmor_field(
    frequency: Shaped[ArrayLike, "..."], g: Shaped[ArrayLike, "..."] = 2.0
) -> Float[Array, "..."]:
    """The resonance field without anisotropy, w0 = hν/(gµB).

    Args:
        frequency: ν in Hz.
        g: The g-factor; broadcasts against `frequency`.

    Returns:
        w0 in tesla. It is NaN where it is not positive, and so are the resonance fields there.

    >>> print(f"{1e3 * larmor_field(9.45e9):.2f} mT")
    337.59 mT
    """
    return _larmor_field(as_float(frequency), g)


@jax.jit
def _larmor_field(frequency: Array, g: Shaped[ArrayLike, "..."]) -> Float[Array, "..."]:
    field = larmor_value(frequency, g)
    return jnp.where(field > 0, field, jnp.nan)


def resonance_field(
    energy: AbstractEnergy,
    angle: Shaped[ArrayLike, "..."],
    frequency: Shaped[ArrayLike, "..."],
    g: Shaped[ArrayLike, "..."] = 2.0,
    plane: Plane = "xy",
) -> Float[Array, "..."]:
    """Measured resonance field Hres for a field rotated in a plane.

    Source: eqs. 4 and 5 of the paper, with the sign of eq. 4 corrected (see `resonance_condition`).
    M is free to leave the plane. Of several resonances the measured one is that at the
    highest field with M in the global minimum of the energy; `resonance_branches` gives all.

    Args:
        energy: Any energy term, or a sum of terms.
        angle: α_H in radians from the first axis of `plane`.
        frequency: ν in Hz.
        g: The g-factor. `angle`, `frequency` and `g` broadcast against each other.
        plane: "xy", "xz", "yz" or two vectors (see `plane_directions`).

    Returns:
        Hres in tesla, in the broadcast shape; NaN where there is no stable resonance.

    Raises:
        InputError: If `plane` is neither a name nor two vectors.

    Derivatives with respect to every argument, of any order, come from the implicit-function
    theorem. NaN results have zero gradient. Towards the end of a branch derivatives grow without
    bound.

    >>> import jax.numpy as jnp
    >>> sample = AnisotropyFields(A=0.1915, B=0.2046)
    >>> field = resonance_field(sample, jnp.deg2rad(jnp.array([0.0, 90.0])), 9.45e9)
    >>> [f"{1e3 * value:.2f} mT" for value in field]
    ['52.95 mT', '399.57 mT']
    """
    if not _is_planar(energy, plane):
        return resonance_field_along(energy, plane_directions(angle, plane), frequency, g)
    return _in_plane(planar_field, energy, as_float(angle), as_float(frequency), g)


def resonance_field_along(
    energy: AbstractEnergy,
    direction: Float[ArrayLike, "*batch 3"],
    frequency: Shaped[ArrayLike, "..."],
    g: Shaped[ArrayLike, "..."] = 2.0,
) -> Float[Array, "..."]:
    """Measured resonance field Hres for fields along given directions.

    The measured resonance and its derivatives are those of `resonance_field`.

    Args:
        energy: Any energy term, or a sum of terms.
        direction: Unit vectors of the field, shape (..., 3).
        frequency: ν in Hz.
        g: The g-factor. `frequency` and `g` broadcast against the batch shape of `direction`.

    Returns:
        Hres in tesla, in the broadcast shape; NaN where there is no stable resonance.

    >>> import jax.numpy as jnp
    >>> from diffdip import ThinFilm
    >>> along_normal = resonance_field_along(ThinFilm(0.5), jnp.array([0.0, 0.0, 1.0]), 9.45e9)
    >>> print(f"{1e3 * along_normal:.2f} mT")
    837.59 mT
    """
    energy, direction, larmor = of_one_precision(energy, direction, larmor_field(frequency, g))
    return _fields(energy, direction, larmor)


def resonance_branches(
    energy: AbstractEnergy,
    angle: Shaped[ArrayLike, "..."],
    frequency: Shaped[ArrayLike, "..."],
    g: Shaped[ArrayLike, "..."] = 2.0,
    plane: Plane = "xy",
) -> Branches:
    """All resonances for a field rotated in a plane.

    Only minima of the energy count, metastable ones included. For tensors and sums of them no
    branch is missed, even with M out of the plane. For other energies a branch may be missed if it
    is closer than about 8° to another one on the sphere, or at a field far below w0.

    Args:
        energy: Any energy term, or a sum of terms.
        angle: α_H in radians from the first axis of `plane`.
        frequency: ν in Hz.
        g: The g-factor. `angle`, `frequency` and `g` broadcast against each other.
        plane: "xy", "xz", "yz" or two vectors (see `plane_directions`).

    Returns:
        `Branches` with the broadcast shape as batch: six slots for tensors and sums of them, eight
        for other energies.

    Raises:
        InputError: If `plane` is neither a name nor two vectors.

    >>> import jax.numpy as jnp
    >>> branches = resonance_branches(AnisotropyFields(A=0.2, B=0.3), jnp.deg2rad(80.0), 9.45e9)
    >>> [f"{1e3 * field:.1f} mT" for field in branches.field if field == field]
    ['356.2 mT', '233.4 mT', '81.1 mT']
    """
    if not _is_planar(energy, plane):
        return resonance_branches_along(energy, plane_directions(angle, plane), frequency, g)
    return _in_plane(planar_branches, energy, as_float(angle), as_float(frequency), g)


def resonance_branches_along(
    energy: AbstractEnergy,
    direction: Float[ArrayLike, "*batch 3"],
    frequency: Shaped[ArrayLike, "..."],
    g: Shaped[ArrayLike, "..."] = 2.0,
) -> Branches:
    """All resonances for fields along given directions; see `resonance_branches`.

    Args:
        energy: Any energy term, or a sum of terms.
        direction: Unit vectors of the field, shape (..., 3).
        frequency: ν in Hz.
        g: The g-factor. `frequency` and `g` broadcast against the batch shape of `direction`.

    Returns:
        `Branches` with the broadcast shape as batch.

    >>> import jax.numpy as jnp
    >>> branches = resonance_branches_along(AnisotropyFields(), jnp.array([0.0, 0.0, 1.0]), 9.45e9)
    >>> int(jnp.isfinite(branches.field).sum())
    1
    """
    energy, direction, larmor = of_one_precision(energy, direction, larmor_field(frequency, g))
    return _branches(energy, direction, larmor)


# compiled once for all energies of these terms, if their numbers are arrays; a Python number in a
# general energy is a constant of the program. Step by step each call would take seconds.


@partial(jax.jit, static_argnums=0)
def _in_plane(
    solve: Callable[[PlanarArguments], Result],
    energy: AnisotropyFields,
    angle: Array,
    frequency: Array,
    g: Shaped[ArrayLike, "..."],
) -> Result:
    given = of_one_precision(energy, angle, larmor_field(frequency, g))
    return solve(planar_arguments(*given))


@eqx.filter_jit
def _fields(energy: AbstractEnergy, direction: Array, larmor: Array) -> Array:
    shape = jnp.broadcast_shapes(direction.shape[:-1], larmor.shape)
    direction = jnp.broadcast_to(direction, (*shape, 3)).reshape(-1, 3)
    if larmor.ndim:
        larmor = jnp.broadcast_to(larmor, shape).reshape(-1)
    return GeneralSolver(energy, direction.dtype).fields(direction, larmor).reshape(shape)


@eqx.filter_jit
def _branches(energy: AbstractEnergy, direction: Array, larmor: Array) -> Branches:
    return _over_batch(GeneralSolver(energy, direction.dtype).branches, direction, larmor)


def _is_planar(energy: AbstractEnergy, plane: Plane) -> TypeGuard[AnisotropyFields]:
    """Whether the types alone say that the normal of the plane is a principal axis."""
    return isinstance(energy, AnisotropyFields) and isinstance(plane, str) and plane == "xy"


def _over_batch(solve: Callable[[Array, Array], Result], direction: Array, larmor: Array) -> Result:
    """Map `solve`(ĥ, w0) over the batch."""
    batch = direction.shape[:-1]
    if larmor.ndim == 0:  # one frequency: what depends on it alone is computed once
        for _ in batch:
            solve = jax.vmap(solve, in_axes=(0, None))
        return solve(direction, larmor)
    shape = jnp.broadcast_shapes(batch, larmor.shape)
    direction, larmor = jnp.broadcast_to(direction, (*shape, 3)), jnp.broadcast_to(larmor, shape)
    for _ in shape:
        solve = jax.vmap(solve)
    return solve(direction, larmor)
