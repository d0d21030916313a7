"""The far part of a large pair sum: one Fourier transform of the moments on a mesh.

Each moment is spread over the mesh by cubic B-splines, ρ = Σ mᵢ B(r − rᵢ). With ρ̂(k) its transform,

    Σ_{i<j} mᵢmⱼ (−∇∇ erf(ηr)/r) = ½ (1/V) Σ_k k k |ρ̂(k)|² (4π/k²) e^{−k²/4η²} (1 − cos kR) / B̂(k)²

up to a multiple of I, which has no place in a traceless sum: with it goes what each dipole adds at
its own place. The factor 1 − cos kR cuts the kernel at R, beyond the largest distance of a pair.
Then copies of the sample in the next period of the mesh add nothing, and boundaries are open
exactly (Vico, Greengard and Ferrando, J. Comput. Phys. 323, 191, 2016). Splines and Fourier sum are
those of smooth particle-mesh Ewald (Essmann et al., J. Chem. Phys. 103, 8577, 1995).

All operations are JAX's own, so derivatives of any order are those of this sum.
"""

import math
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .ewald_split import ORDER, Geometry


CHUNK: Final = 16384
"""Dipoles that are spread at a time, to bound the memory for their weights."""


def far_sum(
    positions: Float[Array, "n 3"],
    moments: Float[Array, " n"],
    geometry: Geometry,
    shape: tuple[int, ...],
) -> Float[Array, "6"]:
    """Σ_{i<j} of the smooth part, traceless: xx, yy, zz, xy, xz, yz in µB²/nm³."""
    mesh = spread((positions - geometry.corner) / geometry.step, moments, shape)
    transform = jnp.fft.rfftn(mesh)
    power = jnp.real(transform) ** 2 + jnp.imag(transform) ** 2
    weighted = power * jax.lax.stop_gradient(_kernel(geometry, shape, positions.dtype))
    # in steps, because one float32 sum over millions of numbers would lose digits
    (even_x, odd_x), (even_y, odd_y), (even_z, odd_z) = _wave_numbers(shape, positions.dtype)
    last = jnp.stack([jnp.ones_like(even_z), odd_z, even_z])
    plain, by_z, by_zz = jnp.einsum("xyz,cz->cxy", weighted, last, precision="highest")
    xx = jnp.sum(jnp.sum(plain, axis=1) * even_x)
    yy = jnp.sum(jnp.sum(plain, axis=0) * even_y)
    zz = jnp.sum(jnp.sum(by_zz, axis=1))
    xy = jnp.sum(jnp.sum(plain * odd_y, axis=1) * odd_x)
    xz = jnp.sum(jnp.sum(by_z, axis=1) * odd_x)
    yz = jnp.sum(jnp.sum(by_z, axis=0) * odd_y)
    third = (xx + yy + zz) / 3
    scale = jax.lax.stop_gradient(1 / geometry.step**3)  # 1/V
    return scale * jnp.stack([xx - third, yy - third, zz - third, xy, xz, yz])


def spread(
    places: Float[Array, "n 3"], moments: Float[Array, " n"], shape: tuple[int, ...]
) -> Float[Array, "x y z"]:
    """Moments on the mesh, by cubic B-splines; `places` count its cells."""
    count = len(moments)
    chunk = min(CHUNK, count)
    extra = -count % chunk
    places = jnp.pad(places, ((0, extra), (0, 0))).reshape(-1, chunk, 3)
    moments = jnp.pad(moments, (0, extra)).reshape(-1, chunk)
    windows = jax.lax.ScatterDimensionNumbers(
        update_window_dims=(1, 2, 3),
        inserted_window_dims=(),
        scatter_dims_to_operand_dims=(0, 1, 2),
    )
    weigh = jax.checkpoint(_weights)  # their derivatives need places and moments only

    def add(mesh: Array, some: tuple[Array, Array]) -> tuple[Array, None]:
        first = jax.lax.stop_gradient(jnp.floor(some[0])).astype(jnp.int32)
        patches = weigh(*some, first)
        clip = jax.lax.GatherScatterMode.CLIP
        return jax.lax.scatter_add(mesh, first, patches, windows, mode=clip), None

    empty = jnp.zeros(shape, moments.dtype)
    return jax.lax.scan(add, empty, (places, moments))[0]


def _weights(
    places: Float[Array, "n 3"], moments: Float[Array, " n"], first: Int[Array, "n 3"]
) -> Float[Array, "n 4 4 4"]:
    """What each dipole adds to the 4 × 4 × 4 points from `first` on."""
    t = places - first.astype(places.dtype)
    u = 1 - t
    inner = lambda s: 2 / 3 - s * s * (1 - s / 2)
    x, y, z = jnp.unstack(jnp.stack([u**3 / 6, inner(t), inner(u), t**3 / 6], axis=-1), axis=1)
    by_x = moments[:, None] * x
    return by_x[:, :, None, None] * y[:, None, :, None] * z[:, None, None, :]


def _frequencies(shape: tuple[int, ...]) -> list[np.ndarray]:
    """kh along each axis; the last axis holds half of a real transform."""
    x, y, z = shape
    return [2 * math.pi * np.fft.fftfreq(n) for n in (x, y)] + [2 * math.pi * np.fft.rfftfreq(z)]


def _wave_numbers(shape: tuple[int, ...], dtype: np.dtype) -> list[tuple[Array, Array]]:
    """(kh)² and kh along each axis.

    The highest frequency of an even number of points stands for +k and −k, so kh is 0 there.
    """
    found = []
    for kh, n in zip(_frequencies(shape), shape, strict=True):
        odd = np.where(2 * np.abs(np.rint(kh * n / (2 * math.pi))) == n, 0, kh)
        found.append((jnp.asarray(kh**2, dtype), jnp.asarray(odd, dtype)))
    return found


def _kernel(
    geometry: Geometry, shape: tuple[int, ...], dtype: np.dtype
) -> Float[Array, "x y half"]:
    """½ (1/V) (4π/k²) e^{−k²/4η²} (1 − cos kR) / B̂², in units of the step h."""
    kx, ky, kz = _frequencies(shape)
    deconvolve = [np.sinc(kh / (2 * math.pi)) ** (-2 * ORDER) for kh in (kx, ky, kz)]
    # the other half of the frequencies
    deconvolve[2] *= np.where((kz == 0) | (2 * np.arange(len(kz)) == shape[2]), 1, 2)
    squares = (jnp.asarray(kh**2, dtype) for kh in (kx, ky, kz))
    x, y, z = (s.reshape(np.roll([-1, 1, 1], axis)) for axis, s in enumerate(squares))
    k2 = x + y + z
    above = jnp.where(k2 > 0, k2, 1)
    eta, reach = geometry.eta * geometry.step, geometry.range / geometry.step
    # 1 − cos kR as 2 sin², which keeps its digits at small k
    cut = 2 * jnp.sin(jnp.sqrt(above) * reach / 2) ** 2
    kernel = 2 * math.pi / math.prod(shape) * cut * jnp.exp(-above / (4 * eta**2)) / above
    kernel = jnp.where(k2 > 0, kernel, 0)
    a, b, c = (jnp.asarray(d, dtype) for d in deconvolve)
    return kernel * (a[:, None, None] * b[:, None] * c)
