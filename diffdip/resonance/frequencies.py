"""Resonance frequencies: ν of an energy at a given applied field.

The inverse of `fields`: here the field is set and the frequency follows. M lies in the global
minimum of e(u) − H·u. With E_t the Hessian of e in the tangent plane there, κ = u·∇e and h∥ = H·u,

    w² = det(E_t + (h∥ − κ) I) ,   ν = g µB w / h ,

which is the condition of `field_of_magnetization`, solved for the frequency.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Float, Shaped

from ..foundation.units import MU_B, PLANCK
from ..numerics.elementwise import choose, repeated
from ..numerics.implicit_roots import implicit_root
from ..numerics.vectors import (
    Scalar,
    Vector3,
    add,
    components,
    dot,
    scale,
    solved,
    subtract,
    unit,
)
from .energy_terms import AbstractEnergy
from .field_of_magnetization import stiffness_terms
from .planes import Plane, plane_directions
from .precision import of_one_precision
from .stability import lowest_direction, tangent_stiffness


LAST_STEPS = 3
"""Newton steps to the last digit: the descent before them only sees the energy, which is flat."""


def resonance_frequency(
    energy: AbstractEnergy,
    angle: Shaped[ArrayLike, "..."],
    field: Shaped[ArrayLike, "..."],
    g: Shaped[ArrayLike, "..."] = 2.0,
    plane: Plane = "xy",
) -> Float[Array, "..."]:
    """Resonance frequency at a set field that is rotated in a plane.

    The Smit–Suhl condition as for `resonance_field`. M lies in the global minimum of the energy,
    so M lags behind the field, and may lie far from it in a small field.

    Args:
        energy: Any energy term, or a sum of terms.
        angle: α_H in radians from the first axis of `plane`.
        field: The applied field H in tesla.
        g: The g-factor. `angle`, `field` and `g` broadcast against each other.
        plane: "xy", "xz", "yz" or two vectors (see `plane_directions`).

    Returns:
        ν in Hz, in the broadcast shape. NaN where `field` is negative, where the direction of M is
        not determined (no anisotropy at zero field), and at an exact instability.

    Raises:
        InputError: If `plane` is neither a name nor two vectors.

    Derivatives with respect to every argument, of any order, come from the implicit-function
    theorem.

    >>> from diffdip import ThinFilm
    >>> frequency = resonance_frequency(ThinFilm(1.0), 0.0, 0.1)  # γ √(H (H + µ0M_eff))
    >>> print(f"{frequency / 1e9:.3f} GHz")
    9.284 GHz
    """
    return resonance_frequency_along(energy, plane_directions(angle, plane), field, g)


def resonance_frequency_along(
    energy: AbstractEnergy,
    direction: Float[ArrayLike, "*batch 3"],
    field: Shaped[ArrayLike, "..."],
    g: Shaped[ArrayLike, "..."] = 2.0,
) -> Float[Array, "..."]:
    """Resonance frequency at set fields along given directions; see `resonance_frequency`.

    Args:
        energy: Any energy term, or a sum of terms.
        direction: Unit vectors of the field, shape (..., 3).
        field: The applied field H in tesla.
        g: The g-factor. `field` and `g` broadcast against the batch shape of `direction`.

    Returns:
        ν in Hz, in the broadcast shape.

    >>> import jax.numpy as jnp
    >>> from diffdip import ThinFilm
    >>> normal = resonance_frequency_along(ThinFilm(0.5), jnp.array([0.0, 0.0, 1.0]), 0.8375861)
    >>> print(f"{normal / 1e9:.3f} GHz")
    9.450 GHz
    """
    energy, direction, field, g = of_one_precision(energy, direction, field, g)
    return _larmor(energy, direction, field) * g * (MU_B / PLANCK)


@eqx.filter_jit
def _larmor(energy: AbstractEnergy, direction: Array, field: Array) -> Array:
    """w in tesla, compiled once for all energies of these terms."""
    shape = jnp.broadcast_shapes(direction.shape[:-1], field.shape)
    larmor = jax.vmap(_Equilibria(energy, direction.dtype).larmor)(
        jnp.broadcast_to(direction, (*shape, 3)).reshape(-1, 3),
        jnp.broadcast_to(field, shape).reshape(-1),
    )
    return larmor.reshape(shape)


class _Equilibria:
    """The equilibria of one energy, and w at each.

    Not a pytree: each call makes one, so that what depends on the energy alone is computed once.
    """

    def __init__(self, energy: AbstractEnergy, dtype: Any):
        self.parameters, self.static = eqx.partition(energy, eqx.is_inexact_array)
        self.frozen = lax.stop_gradient(self.parameters)
        self.lowest = lowest_direction(eqx.combine(self.frozen, self.static), dtype)

    def larmor(self, direction: Float[Array, "3"], field: Float[Array, ""]) -> Float[Array, ""]:
        """w in tesla."""
        applied = scale(field, components(direction))
        given = self.frozen, lax.stop_gradient(applied)

        def step(u: Vector3) -> Vector3:
            return unit(subtract(u, self._turned(u, given, self._torque(u, given))))

        root = repeated(step, self.lowest(given[1]), LAST_STEPS)
        u = implicit_root(self._torque, root, (self.parameters, applied), self._turned)
        energy = eqx.combine(self.parameters, self.static)
        gradient, hessian = energy.derivatives(u)
        offset, spread = stiffness_terms(hessian, u, energy.exchange_field())
        excess = dot(applied, u) - dot(u, gradient) - offset
        square = excess * excess - spread
        stable = (square > 0) & (field >= 0)
        return choose(stable, lax.sqrt(choose(stable, square, 1.0)), jnp.nan)

    def _torque(self, u: Vector3, given: Any) -> Vector3:
        """Torque on M, plus ½ (u·u − 1) u: zero at an equilibrium."""
        parameters, applied = given
        gradient, _ = eqx.combine(parameters, self.static).derivatives(u)
        force = subtract(gradient, applied)
        return add(force, scale(0.5 * (dot(u, u) - 1.0) - dot(u, force), u))

    def _turned(self, u: Vector3, given: Any, torque: Vector3) -> Vector3:
        """The change of M that balances a change of the torque."""
        parameters, applied = given
        gradient, hessian = eqx.combine(parameters, self.static).derivatives(u)
        along: Scalar = dot(u, subtract(gradient, applied))
        return solved(tangent_stiffness(hessian, u, along), torque)
