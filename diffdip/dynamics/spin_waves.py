"""Spin waves of coupled moments at an equilibrium, and what a uniform microwave field excites.

The Landau–Lifshitz equation with Gilbert damping α, du/dt = −γ u × B + α u × du/dt, linearized at
an equilibrium. With y = √m x the small turns of `equilibria`, K their stiffness, w = ω/γ, and R the
rotation of each turn by 90°, R(a, b) = (−b, a), motions as exp(iωt) obey

    [K + iw (α + R)] y = p ,   p = √mᵢ (ĥ·e₁ᵢ, ĥ·e₂ᵢ) ,

in a microwave field along ĥ. So without damping the spin waves are the w at which K + iwR, a
Hermitian matrix, is singular. The susceptibility is χ = p·y, and power is absorbed in proportion to
ω χ″ with χ″ = −Im χ. By causality ∫ χ″/w dw from 0 to ∞ is π/2 times the static p·K⁻¹p.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Float, Shaped

from ..foundation.arrays import as_float
from ..foundation.errors import InputError
from ..foundation.units import MU_B, PLANCK
from ..resonance.fields import larmor_field
from .equilibria import Coupled, Equilibrium, Local, local, unit
from .moments import Moments


class SpinWaves(eqx.Module):
    """The spin waves at an equilibrium, sorted by frequency; NaN if it is not a minimum.

    Args:
        frequency: In Hz, shape (n,).
        strength: What a uniform microwave field along each axis excites: with χ″ = (π/2) Σ S w
            δ(w − w_k), the S of each wave along x, y and z, in µB/T, shape (n, 3). Their sum is the
            static transverse susceptibility.
    """

    frequency: Float[Array, " n"]
    strength: Float[Array, "n 3"]


@eqx.filter_jit
def spin_waves(moments: Moments, rest: Equilibrium, g: Shaped[ArrayLike, ""] = 2.0) -> SpinWaves:
    """All spin waves of small amplitude at an equilibrium, without damping.

    Source: J. H. P. Colpa, Physica A 93, 327 (1978), for classical moments: with K = LLᵀ the w are
    the eigenvalues of −i LᵀRL, in pairs ±w.

    Args:
        moments: The moments.
        rest: Their equilibrium, from `equilibrium`.
        g: The g-factor, 2 by default.

    Returns:
        As many waves as sites; those of masked sites have strength 0.

    Frequencies have first derivatives where they differ from each other.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> from diffdip import equilibrium
    >>> with jax.enable_x64(True):
    ...     pair = Moments(jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.5]]), exchange=1.0)
    ...     waves = spin_waves(pair, equilibrium(pair, jnp.array([0.0, 0.0, 0.3])))
    ...     print([f"{f / 1e9:.2f} GHz" for f in waves.frequency])
    ['9.48 GHz', '41.12 GHz']
    """
    coupled = Coupled.of(moments, rest.direction.dtype)
    at = local(coupled, rest.field, rest.direction)
    n = len(moments.moments)
    lower = lax.linalg.cholesky(at.stiffness, symmetrize_input=False)
    first, second = lower[:n], lower[n:]
    half = second.T @ first
    w, vectors = jnp.linalg.eigh(lax.complex(jnp.zeros_like(half), half.T - half))
    axes = jnp.eye(3, dtype=lower.dtype)
    drives = jnp.stack([drive(coupled, at, axis) for axis in axes])
    # y = L⁻ᵀv of each wave with positive w
    overlaps = jax.scipy.linalg.solve_triangular(lower, drives.T, lower=True).T
    parts = overlaps @ vectors[:, n:].real, overlaps @ vectors[:, n:].imag
    strength = 2 * (parts[0] ** 2 + parts[1] ** 2)
    found = jnp.all(jnp.isfinite(lower))
    scale = jnp.asarray(g, w.dtype) * (MU_B / PLANCK)
    return SpinWaves(
        jnp.where(found, w[n:] * scale, jnp.nan), jnp.where(found, strength.T, jnp.nan)
    )


def drive(coupled: Coupled, at: Local, direction: Float[Array, "3"]) -> Float[Array, " turns"]:
    """p, the force of a uniform microwave field of 1 T on the turns y, in √µB."""
    root = coupled.mask * jnp.sqrt(coupled.moments)
    return (root * (at.frame @ direction)).reshape(-1)


def microwave_direction(vector: Float[ArrayLike, "3"], dtype: Any) -> Float[Array, "3"]:
    """The unit vector along a microwave field. Raises `InputError` for another shape."""
    direction = as_float(vector)
    if direction.shape != (3,):
        raise InputError("microwave", given=direction.shape, expected="a vector of shape (3,)")
    return unit(direction.astype(dtype)[None])[0]


def motion(at: Local, larmor: Float[Array, ""], damping: Float[Array, ""]) -> Array:
    """The matrix K + iw (α + R), complex, (2n, 2n)."""
    n = at.frame.shape[1]
    identity = jnp.eye(n, dtype=at.stiffness.dtype)
    turn = jnp.block([[damping * identity, -identity], [identity, damping * identity]])
    return lax.complex(at.stiffness, larmor * turn)


def absorbed(
    coupled: Coupled, at: Local, larmor: Array, damping: Array, microwave: Array
) -> Float[Array, ""]:
    """χ″ in µB/T."""
    p = drive(coupled, at, microwave)
    matrix = motion(at, larmor, damping)
    return -p @ jnp.imag(jnp.linalg.solve(matrix, p.astype(matrix.dtype)))


@eqx.filter_jit
def absorption(
    moments: Moments,
    rest: Equilibrium,
    frequency: Shaped[ArrayLike, "..."],
    damping: Shaped[ArrayLike, ""],
    microwave: Float[ArrayLike, "3"],
    g: Shaped[ArrayLike, ""] = 2.0,
) -> Float[Array, "..."]:
    """Absorption of a uniform linear microwave field at an equilibrium.

    χ″ of the module's formula. The absorbed power is ½ ω χ″ b² for a microwave field b cos ωt.

    Args:
        moments: The moments.
        rest: Their equilibrium, from `equilibrium`.
        frequency: ν in Hz, any shape.
        damping: Gilbert's α, above 0.
        microwave: Direction of the microwave field, a unit vector of shape (3,).
        g: The g-factor, 2 by default.

    Returns:
        χ″ in µB/T, in the shape of `frequency`; NaN if the equilibrium is not stable.

    Raises:
        InputError: For a direction of another shape.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> from diffdip import equilibrium, larmor_field
    >>> with jax.enable_x64(True):
    ...     spin = Moments(jnp.zeros((1, 3)))
    ...     rest = equilibrium(spin, jnp.array([larmor_field(9.45e9), 0.0, 0.0]))
    ...     print(f"{absorption(spin, rest, 9.45e9, 0.01, jnp.array([0.0, 0.0, 1.0])):.2f} µB/T")
    256.23 µB/T
    """
    dtype = rest.direction.dtype
    along = microwave_direction(microwave, dtype)
    coupled = Coupled.of(moments, dtype)
    at = local(coupled, rest.field, rest.direction)
    larmor = larmor_field(as_float(frequency), g).astype(dtype)
    alpha = jnp.asarray(damping, dtype)
    one = lambda w: absorbed(coupled, at, w, alpha, along)
    found = lax.map(one, larmor.reshape(-1)).reshape(larmor.shape)
    return jnp.where(rest.stable & (alpha >= 0), found, jnp.nan)
