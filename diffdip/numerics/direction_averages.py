"""Means over all directions of a pair: the kernel of a Lévy–Khintchine integral.

K(z) = ⟨e^{izs}⟩ − 1 with s = 3z² − 1 for A, −3(x² − y²) for B, −3xy for C
(used in `diffdip.statistics.levy`).
"""

import functools
import math
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int


LOW, HIGH = -6, 6
"""Decades of z at the ends of the table of K."""

_STEPS: Final = 480
"""Nodes of the table per decade."""


def kernel(index: Int[Array, ""], per_decade: int, z: Array) -> tuple[Array, Array]:
    """Real and imaginary part of K, averaged over a bin of distances r.

    A pair at the distance r has z ∝ 1/r³; `z` is the value at the near edge of the bin, and there
    are `per_decade` bins for each decade of r. K is that of A, B or C for an index of 0, 1 or 2;
    K_C(z) = K_B(z/2).
    """
    tables = jnp.asarray(np.stack([_table(name, per_decade) for name in "AB"]), z.dtype)
    table = tables[jnp.minimum(index, 1)]
    z = jnp.where(index == 2, 0.5, 1.0).astype(z.dtype) * z
    lowest = 10.0**LOW
    within = jnp.clip(z, lowest, 10.0**HIGH)
    place = (jnp.log10(within) - LOW) * _STEPS + 1
    left = jnp.clip(jnp.floor(jax.lax.stop_gradient(place)), 1, table.shape[1] - 3)
    u = place - left
    left = left.astype(jnp.int32)
    weights = (
        -u * (u - 1) * (u - 2) / 6,
        (u * u - 1) * (u - 2) / 2,
        -u * (u + 1) * (u - 2) / 2,
        u * (u * u - 1) / 6,
    )
    near = jnp.stack([w * table[:, left + i - 1] for i, w in enumerate(weights)])
    real, imaginary = jnp.sum(near, axis=0)
    below = jnp.minimum(z / lowest, 1) ** 2  # where K ∝ z²
    return below * real, below * imaginary


@functools.cache
def _table(name: str, per_decade: int) -> np.ndarray:
    """K over a bin as in `kernel`, at equal steps of log z: real and imaginary part."""
    count = (HIGH - LOW) * _STEPS
    z = 10 ** (LOW + (np.arange(count + 3) - 1) / _STEPS)
    far = 10 ** (3 / per_decade)
    mean = np.zeros(len(z), complex)
    # for a large z, K oscillates often within a bin; beyond 300 the oscillation averages out
    for low, high, order in ((0.0, 10.0, 16), (10.0, 300.0, 160)):
        chosen = (z >= low) & (z < high)
        node, weight = np.polynomial.legendre.leggauss(order)
        volume = 1 + (far - 1) * (node + 1) / 2  # r³: pairs are uniform in it
        mean[chosen] = direction_mean(name, z[chosen, None] / volume) @ weight / 2
    chosen = z >= 300
    mean[chosen] = -1 + (0.0 if name == "A" else (1 + far) / 12) / z[chosen]
    return np.stack([np.real(mean), np.imag(mean)])


def direction_mean(name: str, z: np.ndarray) -> np.ndarray:
    """K(z) = ⟨e^{izs}⟩ − 1 over all directions, for z > 0."""
    from scipy.special import fresnel, jv

    large = np.where(z < 0.5, 1.0, z)
    if name == "A":
        root = np.sqrt(6 * large / math.pi)
        sine, cosine = fresnel(root)
        closed = np.exp(-1j * large) * (cosine + 1j * sine) / root - 1
    else:
        closed = math.pi / 8**0.5 * jv(0.25, 1.5 * large) * jv(-0.25, 1.5 * large) - 1
    small = np.where(z < 0.5, z, 0.0)
    series = np.zeros(z.shape, complex)
    for n in range(2, 24):  # ⟨s⟩ = 0
        series += (1j * small) ** n / math.factorial(n) * _direction_moment(name, n)
    return np.where(z < 0.5, series, closed)


def _direction_moment(name: str, n: int) -> float:
    """⟨sⁿ⟩ over all directions."""
    node, weight = np.polynomial.legendre.leggauss(n + 2)
    if name == "A":
        return float(weight @ (3 * node**2 - 1) ** n) / 2
    around = 0.0 if n % 2 else math.comb(n, n // 2) / 2**n
    return around * 3**n * float(weight @ (1 - node**2) ** n) / 2
