"""The effective dipolar tensor D (eq. 3) from energies in several directions."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ..foundation.units import MU_0


class TensorProjection(eqx.Module):
    """Result of `project_tensor`.

    Args:
        D: The tensor, (3, 3), dimensionless.
        residual: What D does not describe, energies − (µ0/2) M² u·D·u: shape (k,), in J/m³.
    """

    D: Float[Array, "3 3"]
    residual: Float[Array, " k"]


def symmetric(elements: Float[Array, "6"]) -> Float[Array, "3 3"]:
    """Symmetric 3 × 3 matrix from its elements xx, yy, zz, xy, xz, yz."""
    xx, yy, zz, xy, xz, yz = elements
    return jnp.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def project_tensor(
    directions: Float[ArrayLike, "k 3"],
    energies: Float[ArrayLike, " k"],
    magnetization: Float[ArrayLike, ""],
) -> TensorProjection:
    """Fit D of eq. 3, F = (µ0/2) M² u·D·u, to energy densities by least squares.

    Args:
        directions: Unit vectors u, shape (k, 3).
        energies: F at these directions, shape (k,), in J/m³.
        magnetization: M in A/m.

    Returns:
        D, symmetric and traceless by construction, and the residuals. For energies of collinear
        dipoles D equals `DipoleSystem.tensor()` to rounding, and the residual is zero.

    If the directions do not determine all five elements of D (all in one plane, for example), the
    result is the solution of smallest norm.

    >>> import jax.numpy as jnp
    >>> u = jnp.concatenate([jnp.eye(3), 0.6 * jnp.eye(3) + 0.8 * jnp.roll(jnp.eye(3), 1, 0)])
    >>> fit = project_tensor(u, 3.0 * u[:, 0] ** 2 - 1.0, magnetization=1e3)
    >>> bool(jnp.allclose(jnp.trace(fit.D), 0.0, atol=1e-5))
    True
    """
    directions, energies = jnp.asarray(directions), jnp.asarray(energies)
    x, y, z = directions[:, 0], directions[:, 1], directions[:, 2]
    # an orthonormal basis of the traceless symmetric tensors, so that the smallest norm is
    # the Frobenius norm of D
    basis = [(x * x - y * y), (2 * z * z - x * x - y * y) / 3**0.5, 2 * x * y, 2 * x * z, 2 * y * z]
    design = jnp.stack(basis, axis=-1) / 2**0.5
    scale = 0.5 * MU_0 * magnetization**2
    p, q, xy, xz, yz = jnp.linalg.pinv(design) @ (energies / scale) / 2**0.5
    q = q / 3**0.5
    D = symmetric(jnp.stack([p - q, -p - q, 2 * q, xy, xz, yz]))
    fitted = scale * jnp.einsum("ki,ij,kj->k", directions, D, directions)
    return TensorProjection(D, energies - fitted)
