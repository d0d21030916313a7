"""The equations of a resonance for a field along ĥ, and steps towards their solutions.

The unknown is the direction u of M at resonance. H(u) of `field_of_magnetization` must point along
ĥ, and u must be a unit vector: three equations for three unknowns.
"""

import jax
from jax import lax
from jaxtyping import Array, Int

from ..kernels.search_limits import LARGEST_STEP
from ..numerics.elementwise import at_least
from ..numerics.vectors import (
    Matrix3,
    Scalar,
    Vector3,
    add,
    dot,
    multiple,
    outer,
    scale,
    solved,
    subtract,
    sum_of,
    times,
    transposed,
    unit,
    with_diagonal,
)
from .energy_terms import AbstractEnergy
from .field_of_magnetization import field_terms, stiffness_terms


STAGES, LAST_STEPS = 8, 6
"""Steps on the way from no anisotropy to the whole of it, and more of them at the end."""


def residual(energy: AbstractEnergy, u: Vector3, direction: Vector3, larmor: Scalar) -> Vector3:
    """H(u) normal to ĥ, plus ½ w0 (u·u − 1) ĥ, in tesla. Zero at a resonance."""
    return residual_of(field_terms(energy, u).field(u, larmor), u, direction, larmor)


def residual_of(field: Vector3, u: Vector3, direction: Vector3, larmor: Scalar) -> Vector3:
    """`residual` where the vector H(u) is known."""
    length = 0.5 * larmor * (dot(u, u) - 1.0)
    return add(field, scale(length - dot(field, direction), direction))


def change_of_field(
    energy: AbstractEnergy, u: Vector3, larmor: Scalar, share: Scalar
) -> tuple[Matrix3, Vector3]:
    """∂H/∂u in tesla, and the vector H(u), for a `share` of the energy."""

    def excess(u: Vector3) -> tuple[Scalar, tuple[Vector3, Matrix3]]:
        """h∥ − κ."""
        gradient, hessian = energy.derivatives(u)
        offset, spread = stiffness_terms(hessian, u, energy.exchange_field())
        root = lax.sqrt(share * share * spread + larmor * larmor)
        return share * offset + root, (gradient, hessian)

    (along, (gradient, hessian)), slope = jax.value_and_grad(excess, has_aux=True)(u)
    # ∂H/∂u = u ∇(h∥ − κ)ᵀ + (h∥ − κ) I + E
    change = sum_of(outer(u, slope), with_diagonal(multiple(share, hessian), along))
    return change, add(scale(along, u), scale(share, gradient))


def linear_equations(
    energy: AbstractEnergy, u: Vector3, direction: Vector3, larmor: Scalar, share: Scalar
) -> tuple[Matrix3, Vector3]:
    """The derivative of the residual with respect to u, and the residual, for part of the energy.

    The part is the `share` of all of it, 1 for the whole.
    """
    change, field = change_of_field(energy, u, larmor, share)
    # its part along ĥ is replaced by the equation for the length of u
    by_length = subtract(scale(larmor, u), times(transposed(change), direction))
    jacobian = sum_of(change, outer(direction, by_length))
    return jacobian, residual_of(field, u, direction, larmor)


def towards_resonance(
    energy: AbstractEnergy, u: Vector3, direction: Vector3, larmor: Scalar, share: Scalar
) -> Vector3:
    """One Newton step on the sphere, for a `share` of the energy."""
    step = solved(*linear_equations(energy, u, direction, larmor, share))
    length = at_least(lax.sqrt(dot(step, step)), 1e-30)
    shorter = lax.min(lax.full_like(length, 1.0), LARGEST_STEP / length)
    return unit(subtract(u, scale(shorter, step)))


def from_saturation(energy: AbstractEnergy, direction: Vector3, larmor: Scalar) -> Vector3:
    """Follow the resonance of a sample without anisotropy while the energy is turned on.

    That resonance has M along the field, and the measured one is nearly always continuous with it.
    Where it is not, the result is not a stable resonance.
    """

    def step(index: Int[Array, ""], u: Vector3) -> Vector3:
        stage = lax.convert_element_type(index + 1, larmor.dtype)
        share = lax.min(stage / STAGES, lax.full_like(stage, 1.0))
        return towards_resonance(energy, u, direction, larmor, share)

    return lax.fori_loop(0, STAGES + LAST_STEPS, step, direction)
