"""The paper's eqs. 4 and 5 as they stand, with the sign of eq. 4 mended.

They say the same as `resonance_field` for A, B, C and a field in the xy-plane, and are kept
apart from its solution so that a reader of the paper finds them and a test can hold
both together.
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
    """c cos 2α_M − (b/2) sin 2α_M − H sin(α_H − α_M) in tesla, zero in equilibrium (eq. 5).

    (a, b, c) = s·(A, B, C) with the sign s of the convention; `field` H in tesla, angles α_H and
    α_M in radians; all broadcast.

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
    """Product of both stiffnesses less w0², in T²: zero at resonance (eq. 4, mended).

    (H cosΔ − b cos 2α_M − 2c sin 2α_M)(H cosΔ − 3a/2 − (b/2) cos 2α_M − c sin 2α_M) − w0²
    with Δ = α_H − α_M.
    As printed, eq. 4 has the other sign between product and w0² and no solution for
    vanishing anisotropy. `larmor` is w0 in tesla (`larmor_field`).

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
