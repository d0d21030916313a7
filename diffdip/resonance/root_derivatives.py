"""A resonance that was found, as a differentiable function of the energy, of ĥ and of w0.

At a resonance H(u) = Hres ĥ. With ∂H the change of H at constant u, changes obey

    ∂H + (∂H/∂u) du = dHres ĥ + Hres dĥ ,   du ⊥ u .

The vector y ∝ cof(∂H/∂u) u is normal to every (∂H/∂u) du. With y · ĥ = 1 this gives
dHres = y · (∂H − Hres dĥ), without du. Second derivatives need du, from the equations for u.
"""

from typing import Any

import equinox as eqx
import jax
from jax import lax

from ..numerics.elementwise import not_zero
from ..numerics.implicit_roots import implicit_root
from ..numerics.vectors import (
    Matrix3,
    Scalar,
    Vector3,
    cofactors,
    dot,
    scale,
    solved,
    subtract,
    times,
)
from .energy_terms import AbstractEnergy
from .field_of_magnetization import field_terms
from .resonance_equations import change_of_field, linear_equations, residual


def direction_at(
    energy: AbstractEnergy, root: Vector3, direction: Vector3, larmor: Scalar
) -> Vector3:
    """The direction of M at the resonance at `root`."""
    parameters, static = eqx.partition(energy, eqx.is_inexact_array)

    def balance(u: Vector3, given: Any) -> Vector3:
        parameters, direction, larmor = given
        return residual(eqx.combine(parameters, static), u, direction, larmor)

    def solve(u: Vector3, given: Any, change: Vector3) -> Vector3:
        parameters, direction, larmor = given
        energy, whole = eqx.combine(parameters, static), lax.full_like(larmor, 1.0)
        return solved(linear_equations(energy, u, direction, larmor, whole)[0], change)

    return implicit_root(balance, root, (parameters, direction, larmor), solve)


def field_at(energy: AbstractEnergy, root: Vector3, direction: Vector3, larmor: Scalar) -> Scalar:
    """Hres at the resonance at `root`, in tesla."""
    parameters, static = eqx.partition(energy, eqx.is_inexact_array)
    root = lax.stop_gradient(root)

    @jax.custom_jvp
    def size(root: Vector3, parameters: Any, direction: Vector3, larmor: Scalar) -> Scalar:
        return field_terms(eqx.combine(parameters, static), root).magnitude(larmor)

    @size.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        root, parameters, direction, larmor = primals
        _, by_parameters, by_direction, by_larmor = tangents
        u = direction_at(eqx.combine(parameters, static), root, direction, larmor)

        def field(parameters: Any, larmor: Scalar) -> Vector3:
            return field_terms(eqx.combine(parameters, static), u).field(u, larmor)

        here, change = jax.jvp(field, (parameters, larmor), (by_parameters, by_larmor))
        turn = scale(dot(here, direction), by_direction)
        whole = lax.full_like(larmor, 1.0)
        slope, _ = change_of_field(eqx.combine(parameters, static), u, larmor, whole)
        return size(*primals), dot(_weights(slope, u, direction), subtract(change, turn))

    return size(root, parameters, direction, larmor)


def _weights(slope: Matrix3, u: Vector3, direction: Vector3) -> Vector3:
    """The vector y for ∂H/∂u = `slope`."""
    normal = times(cofactors(slope), u)
    size = not_zero(dot(normal, direction))
    return scale(lax.div(lax.full_like(size, 1.0), size), normal)
