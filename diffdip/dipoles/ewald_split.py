"""How a large pair sum is split into near pairs and a mesh, from a tolerance (Ewald's method).

1/r = erfc(ηr)/r + erf(ηr)/r. The first part is summed over near pairs, r < r_c (`near_pairs`), the
second one is smooth and is summed on a mesh of step h (`mesh_sums`). Two numbers fix the error:
ηr_c the near part, and ηh the far part. Only the step has to adapt to the sample.
"""

import math
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float
from scipy.fft import next_fast_len


LEAST_TOLERANCE: Final = 1e-6
"""Smaller tolerances are left to the direct sum."""

ORDER: Final = 4
"""Points of a B-spline along each axis."""

NEIGHBOURS: Final = 200
"""Dipoles within r_c, about, for the mesh of a compact sample: near and far part take as long."""

_SMEAR: Final = 2.0
"""Width in 1/η of the kernel's cut at R, which is not sharp."""


class Split(NamedTuple):
    """Settings that fix the error, without unit.

    Args:
        cut: ηr_c.
        step: ηh.
    """

    cut: float
    step: float

    @property
    def margin(self) -> float:
        """Cells of the mesh that have to be free: twice the smear of the cut, and a spline."""
        return 2 * _SMEAR / self.step + ORDER


def split_of(tolerance: float | int) -> Split:
    """The settings for a tolerance relative to |D|.

    What is missing beyond r_c is isotropic in the bulk, but not at surfaces. For thin samples it
    is up to ηr_c e^{−(ηr_c)²} of |D|, a hundred times as much as in the bulk. The mesh errs by
    10⁻⁵ (2ηh)⁷ for 20 000 dipoles, and up to ten times as much in thin films (all measured).
    """
    cut = 1.5
    while cut * math.exp(-cut * cut) > tolerance / 2:
        cut += 0.01
    return Split(cut, min(0.45 * (tolerance / 1e-4) ** (1 / 7), 0.7))


class Geometry(NamedTuple):
    """Where the mesh lies, for positions in nm.

    Args:
        corner: The first point of the mesh that a dipole can need, in nm.
        step: h in nm.
        range: R in nm, the distance at which the kernel is cut: beyond the largest of a pair.
        eta: η in nm⁻¹.
        cut: r_c in nm.
    """

    corner: Float[Array, "3"]
    step: Float[Array, ""]
    range: Float[Array, ""]
    eta: Float[Array, ""]
    cut: Float[Array, ""]


def geometry_of(
    positions: Float[Array, "n 3"], mask: Bool[Array, " n"], shape: tuple[int, ...], split: Split
) -> Geometry:
    """The finest mesh of this shape that holds the sample with open boundaries.

    Its edges are at least extent + R and the margin. Without the margin, what is smeared at the cut
    and by the splines reaches the sample again from the other side: with 3 cells in place of 12 the
    error was 3 · 10⁻⁴ in place of 2 · 10⁻⁶.
    """
    low, extent, radius = jax.lax.stop_gradient(extent_of(positions, mask))
    room = jnp.asarray([n - split.margin for n in shape], positions.dtype)
    step = jnp.max((extent + 2 * radius) / room)
    step = jnp.where(step > 0, step, 1)  # one dipole, or all at one place
    eta = split.step / step
    return Geometry(low, step, 2 * radius + _SMEAR / eta, eta, split.cut / eta)


def extent_of(
    positions: Float[Array, "n 3"], mask: Bool[Array, " n"]
) -> tuple[Float[Array, "3"], Float[Array, "3"], Float[Array, ""]]:
    """Lowest corner, edges, and half of the largest distance, at most, of the unmasked dipoles."""
    inside = mask[:, None]
    low = jnp.min(jnp.where(inside, positions, jnp.inf), axis=0)
    high = jnp.max(jnp.where(inside, positions, -jnp.inf), axis=0)
    away = jnp.where(inside, positions - (low + high) / 2, 0)
    radius = jnp.sqrt(jnp.max(jnp.sum(away * away, axis=-1)))
    some = jnp.any(mask)
    return jnp.where(some, low, 0), jnp.where(some, high - low, 0), radius


def mesh_shape(
    extent: Float[np.ndarray, "3"], radius: float, count: int, split: Split
) -> tuple[int, int, int]:
    """The mesh for a sample of known size, on the host: `NEIGHBOURS` within r_c on average.

    A flat or long sample has a mesh with these proportions. The number of points is limited to
    about 150 per dipole; then h and r_c are larger, and near pairs take longer.
    """
    edges = np.maximum(extent, 1e-6 * max(float(np.max(extent)), 1e-30))
    # of a cylinder or sphere in this box; r_c can be larger than a short edge
    cut = _cut_of(edges, count)
    step = cut * split.step / split.cut
    most = 150 * count + 4096
    while True:
        points = [math.ceil((edge + 2 * radius) / step + split.margin) for edge in edges]
        x, y, z = (int(next_fast_len(number, real=True) or number) for number in points)
        if x * y * z <= most or max(points) <= split.margin + 1:  # the margin alone is left
            return x, y, z
        step *= 1.03


def _cut_of(edges: np.ndarray, count: int) -> float:
    """The distance r_c at which a box of n dipoles has `NEIGHBOURS` about each."""
    cut = (3 * NEIGHBOURS * math.prod(edges) / (4 * math.pi * count)) ** (1 / 3)
    for _ in range(30):
        # the part of the ball within the box, roughly: no edge counts more than once
        ball = math.prod(min(2 * cut, float(edge)) for edge in edges) * math.pi / 6
        cut *= (NEIGHBOURS * math.prod(edges) / (count * ball)) ** (1 / 3)
    return cut


def compact_shape(count: int, split: Split) -> tuple[int, int, int]:
    """The mesh for a sample of unknown size: that of a cylinder as high as wide.

    For other samples it is correct, but slower.
    """
    height = (4 * count / math.pi) ** (1 / 3)
    return mesh_shape(np.full(3, height), height / math.sqrt(2), count, split)


def shape_for(
    positions: Float[Array, "n 3"], mask: Bool[Array, " n"], tolerance: float | int
) -> tuple[int, int, int]:
    """The mesh for these dipoles, or for a compact sample if they are being traced."""
    split = split_of(tolerance)
    if not isinstance(positions, Tracer) and not isinstance(mask, Tracer):
        _, extent, radius = jax.device_get(extent_of(positions, mask))
        count = int(np.sum(np.asarray(mask)))
        if np.all(np.isfinite(extent)) and np.max(extent) > 0:
            return mesh_shape(extent.astype(float), float(radius), count, split)
    return compact_shape(positions.shape[0], split)
