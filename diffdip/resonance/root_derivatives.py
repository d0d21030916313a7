"""A resonance that was found, as a differentiable function of the energy, of ĥ and of w0.

At a resonance H(u) = Hres ĥ. With ∂H the change of H at constant u, changes obey

    ∂H + (∂H/∂u) du = dHres ĥ + Hres dĥ ,   du ⊥ u .

The vector y ∝ cof(∂H/∂u) u is normal to every (∂H/∂u) du. With y · ĥ = 1 this gives
dHres = y · (∂H − Hres dĥ), without du. Second derivatives need du, from the equations for u.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array

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

    @partial(size.defjvp, symbolic_zeros=True)
    def _(primals: Any, tangents: Any) -> Any:
        root, parameters, direction, larmor = primals
        _, by_parameters, by_direction, by_larmor = tangents
        u = direction_at(eqx.combine(parameters, static), root, direction, larmor)

        def field(parameters: Any, larmor: Scalar) -> Vector3:
            return field_terms(eqx.combine(parameters, static), u).field(u, larmor)

        here, change = _change(field, (parameters, larmor), (by_parameters, by_larmor))
        along = dot(here, direction)
        x, y, z = (_times(along, part) for part in by_direction)
        whole = lax.full_like(larmor, 1.0)
        slope, _ = change_of_field(eqx.combine(parameters, static), u, larmor, whole)
        weights = _weights(slope, u, direction)
        return size(*primals), dot(weights, subtract(change, (x, y, z)))

    return size(root, parameters, direction, larmor)


def _change(function: Callable[..., Any], point: Any, tangents: Any) -> tuple[Any, Any]:
    """Value and change of a function. What does not change is a constant of a smaller program."""
    leaves, structure = jax.tree.flatten(point)
    changes = jax.tree.leaves(tangents)
    moving = [i for i, change in enumerate(changes) if not isinstance(change, SymbolicZero)]

    def of_moving(*moved: Array) -> Any:
        every = list(leaves)
        for i, value in zip(moving, moved, strict=True):
            every[i] = value
        return function(*jax.tree.unflatten(structure, every))

    if not moving:
        value = of_moving()
        return value, jax.tree.map(jnp.zeros_like, value)
    return jax.jvp(of_moving, [leaves[i] for i in moving], [changes[i] for i in moving])


def _times(factor: Scalar, change: Any) -> Scalar:
    still = isinstance(change, SymbolicZero)
    return lax.full_like(factor, 0.0) if still else lax.mul(factor, change)


def _weights(slope: Matrix3, u: Vector3, direction: Vector3) -> Vector3:
    """The vector y for ∂H/∂u = `slope`."""
    normal = times(cofactors(slope), u)
    size = not_zero(dot(normal, direction))
    return scale(lax.div(lax.full_like(size, 1.0), size), normal)
