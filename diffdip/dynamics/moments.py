"""Moments with dipolar and exchange coupling in an applied field: their energy.

With mᵢ the moments, uᵢ their directions and H the applied field (µ0H, in tesla),

    E = −Σᵢ mᵢ uᵢ·H + Σ_{i<j} uᵢ·[(µ0/4π) mᵢmⱼ (I − 3 r̂r̂ᵀ)/r³ − Jᵢⱼ I]·uⱼ .

Each pair counts once, as in the convention `physical`. Energies are in µB·T: 1 meV is 17.28 µB·T.
"""

from typing import Final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Shaped

from ..dipoles.dipole_system import DipoleSystem
from ..dipoles.sites import checked_sites
from ..foundation.arrays import as_float
from ..foundation.errors import InputError
from ..foundation.units import FIELD_UNIT, MOMENT_SPIN_HALF


PAIR_FIELD: Final = FIELD_UNIT / (4 * jnp.pi)
"""The dipolar field µ0m/4πr³ of one µB at one nm, in tesla."""


def decaying_exchange(
    positions: Float[ArrayLike, "n 3"],
    energy: Shaped[ArrayLike, ""],
    length: Shaped[ArrayLike, ""],
) -> Float[Array, "n n"]:
    """Exchange energies that decay with distance, Jᵢⱼ = J exp(−rᵢⱼ/ℓ), and 0 for i = j.

    Args:
        positions: Shape (n, 3), in nm.
        energy: J in µB·T; positive favours parallel moments. 1 meV is 17.28 µB·T.
        length: The decay length ℓ in nm.

    Returns:
        Shape (n, n), in µB·T, for `Moments`. Differentiable in all arguments.

    >>> import jax.numpy as jnp
    >>> pair = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.5]])
    >>> print(f"{decaying_exchange(pair, 10.0, 0.25)[0, 1]:.4f} µB·T")
    1.3534 µB·T
    """
    positions = as_float(positions)
    energy, length = (jnp.asarray(value, positions.dtype) for value in (energy, length))
    return _decaying_exchange(positions, energy, length)


@jax.jit
def _decaying_exchange(positions: Array, energy: Array, length: Array) -> Array:
    apart = ~jnp.eye(len(positions), dtype=bool)
    difference = jnp.where(apart[..., None], positions[:, None] - positions, 1.0)
    distance = jnp.sqrt(jnp.sum(difference * difference, axis=-1))
    return jnp.where(apart, energy * jnp.exp(-distance / length), 0.0)


class Moments(eqx.Module):
    """Magnetic moments at fixed positions that can turn one by one.

    `DipoleSystem` has all moments parallel. Here they are coupled by their dipolar fields and by
    isotropic exchange, and each follows its own field.

    Args:
        positions: Shape (n, 3), in nm.
        exchange: Jᵢⱼ in µB·T: one number for all pairs, or a symmetric matrix of shape (n, n) whose
            diagonal does not count (see `decaying_exchange`). Of another matrix the symmetric part
            counts. The energy of a pair is −Jᵢⱼ uᵢ·uⱼ, so positive favours parallel moments. 0 by
            default. 1 meV is 17.28 µB·T.
        moments: In µB, one for all or shape (n,), positive; 1.73 by default.
        mask: Shape (n,), False for sites that are padding; all True by default. What masked sites
            hold does not matter.

    Raises:
        InputError: For arrays of other shapes, or without a site.

    Two unmasked moments at the same place have no finite energy: everything is then NaN.

    >>> import jax.numpy as jnp
    >>> pair = Moments(jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.4]]), exchange=2.0)
    >>> along = jnp.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    >>> print(f"{pair.energy(along, jnp.zeros(3)):.4f} µB·T")
    -2.0867 µB·T
    """

    positions: Float[Array, "n 3"]
    exchange: Float[Array, "n n"]
    moments: Float[Array, " n"]
    mask: Bool[Array, " n"]

    def __init__(
        self,
        positions: Float[ArrayLike, "n 3"],
        exchange: Shaped[ArrayLike, ""] | Shaped[ArrayLike, "n n"] = 0.0,
        moments: Shaped[ArrayLike, ""] | Shaped[ArrayLike, " n"] = MOMENT_SPIN_HALF,
        mask: Bool[ArrayLike, " n"] | None = None,
    ):
        self.positions, self.moments, self.mask = checked_sites(positions, moments, mask, "moment")
        count = len(self.positions)
        exchange = jnp.asarray(exchange, self.positions.dtype)
        if exchange.shape not in ((), (count, count)):
            expected = f"one number, or a matrix of shape ({count}, {count})"
            raise InputError("exchange", given=exchange.shape, expected=expected)
        self.exchange = jnp.broadcast_to(exchange, (count, count))

    @classmethod
    def of(
        cls,
        system: DipoleSystem,
        exchange: Shaped[ArrayLike, ""] | Shaped[ArrayLike, "n n"] = 0.0,
    ) -> "Moments":
        """The dipoles of a system, free to turn. Its convention and its volume do not matter.

        Args:
            system: The dipoles.
            exchange: As for the class.

        >>> import jax
        >>> from diffdip import UniformBox
        >>> Moments.of(UniformBox(5, density=2.0).sample(jax.random.key(0))).moments.shape
        (5,)
        """
        return cls(system.positions, exchange, system.moments, system.mask)

    @property
    def total(self) -> Float[Array, ""]:
        """Σ mᵢ of the unmasked moments, in µB."""
        return jnp.sum(jnp.where(self.mask, self.moments, 0))

    def alignment(self, direction: Float[Array, "n 3"]) -> Float[Array, ""]:
        """|Σ mᵢuᵢ| / Σ mᵢ: 1 if all moments are parallel.

        Args:
            direction: Unit vectors uᵢ, shape (n, 3).
        """
        return aligned(jnp.where(self.mask, self.moments, 0), direction)

    def energy(self, direction: Float[ArrayLike, "n 3"], field: Float[ArrayLike, "3"]) -> Array:
        """The energy E of the module's formula.

        Args:
            direction: Unit vectors uᵢ, shape (n, 3).
            field: The applied field H in tesla, shape (3,).

        Returns:
            E in µB·T.
        """
        weight = jnp.where(self.mask, self.moments, 0)
        return energy_of(self.coupling(), weight, as_float(field), as_float(direction))

    @eqx.filter_jit
    def coupling(self) -> Float[Array, "3 3 n n"]:
        """The matrix of each pair in the energy, ∂²E/∂uᵢ∂uⱼ in µB·T; zero for masked sites."""
        kept = self.mask[:, None] & self.mask & ~jnp.eye(len(self.moments), dtype=bool)
        between = [
            jnp.where(kept, line[:, None] - line, 1.0)
            for line in (self.positions[:, axis] for axis in range(3))
        ]
        square = between[0] ** 2 + between[1] ** 2 + between[2] ** 2
        pair = PAIR_FIELD * self.moments[:, None] * self.moments / (square * jnp.sqrt(square))
        exchange = 0.5 * (self.exchange + self.exchange.T)

        def element(a: int, b: int) -> Array:
            dipolar = pair * (float(a == b) - 3 * between[a] * between[b] / square)
            return jnp.where(kept, dipolar - exchange if a == b else dipolar, 0.0)

        return jnp.stack([jnp.stack([element(a, b) for b in range(3)]) for a in range(3)])


def pair_slope(
    coupling: Float[Array, "3 3 n n"], direction: Float[Array, "n 3"]
) -> Float[Array, "n 3"]:
    """Σ_j (∂²E/∂uᵢ∂uⱼ) uⱼ: the derivative of the pair energy by each uᵢ, in µB·T."""
    return jnp.einsum("abij,jb->ia", coupling, direction)


def energy_of(
    coupling: Float[Array, "3 3 n n"],
    weight: Float[Array, " n"],
    field: Float[Array, "3"],
    direction: Float[Array, "n 3"],
) -> Float[Array, ""]:
    """E in µB·T; `weight` are the moments, 0 where masked."""
    pairs = 0.5 * pair_slope(coupling, direction)
    return jnp.sum(direction * (pairs - weight[:, None] * field))


def aligned(weight: Float[Array, " n"], direction: Float[Array, "n 3"]) -> Float[Array, ""]:
    """|Σ mᵢuᵢ| / Σ mᵢ; `weight` are the moments, 0 where masked."""
    return jnp.linalg.norm(weight @ direction) / jnp.sum(weight)
