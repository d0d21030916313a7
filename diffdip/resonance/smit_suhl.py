"""The paper's eqs. 4 and 5 as they stand, with the sign of eq. 4 corrected.

For A, B, C and a field in the xy-plane they are the conditions that `resonance_field` solves. They
are kept apart from its solution: a reader of the paper finds them here, and a test compares both.
"""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Shaped

from ..foundation.arrays import as_float
from .energy_terms import AnisotropyFields


def equilibrium_condition(
    fields: AnisotropyFields,
    field: Shaped[ArrayLike, "..."],
    field_angle: Shaped[ArrayLike, "..."],
    magnetization_angle: Shaped[ArrayLike, "..."],
) -> Float[Array, "..."]:
    """The torque on M in the plane, zero in equilibrium (eq. 5).

    c cos 2α_M − (b/2) sin 2α_M − H sin(α_H − α_M), with (a, b, c) = s·(A, B, C) and the sign s of
    the convention.

    Args:
        fields: A, B, C with their convention.
        field: H in tesla.
        field_angle: α_H in radians.
        magnetization_angle: α_M in radians. The three arrays broadcast.

    Returns:
        The condition in tesla, in the broadcast shape.

    >>> print(f"{equilibrium_condition(AnisotropyFields(B=0.1), 0.3, 0.0, 0.0):.3f}")
    0.000
    """
    s = fields.convention.sign
    b, c = s * fields.B, s * fields.C
    double = 2 * jnp.asarray(magnetization_angle)
    lag = jnp.asarray(field_angle) - jnp.asarray(magnetization_angle)
    return c * jnp.cos(double) - 0.5 * b * jnp.sin(double) - as_float(field) * jnp.sin(lag)


def resonance_condition(
    fields: AnisotropyFields,
    field: Shaped[ArrayLike, "..."],
    field_angle: Shaped[ArrayLike, "..."],
    magnetization_angle: Shaped[ArrayLike, "..."],
    larmor: Shaped[ArrayLike, "..."],
) -> Float[Array, "..."]:
    """The product of both stiffnesses minus w0², zero at resonance (eq. 4, sign corrected).

    (H cosΔ − b cos 2α_M − 2c sin 2α_M)(H cosΔ − 3a/2 − (b/2) cos 2α_M − c sin 2α_M) − w0²
    with Δ = α_H − α_M and (a, b, c) = s·(A, B, C). The printed eq. 4 has the other sign in front
    of w0²; without anisotropy it would have no solution.

    Args:
        fields: A, B, C with their convention.
        field: H in tesla.
        field_angle: α_H in radians.
        magnetization_angle: α_M in radians.
        larmor: w0 in tesla (`larmor_field`). The four arrays broadcast.

    Returns:
        The condition in T², in the broadcast shape.

    >>> print(f"{resonance_condition(AnisotropyFields(), 0.3, 0.0, 0.0, 0.3):.3f}")
    0.000
    """
    s = fields.convention.sign
    a, b, c = s * fields.A, s * fields.B, s * fields.C
    double = 2 * jnp.asarray(magnetization_angle)
    lag = jnp.asarray(field_angle) - jnp.asarray(magnetization_angle)
    diagonal = 0.5 * b * jnp.cos(double) + c * jnp.sin(double)
    along = as_float(field) * jnp.cos(lag)
    return (along - 2 * diagonal) * (along - 1.5 * a - diagonal) - as_float(larmor) ** 2
