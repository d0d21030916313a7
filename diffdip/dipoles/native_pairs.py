"""The sums of `pair_sums` by loops for the CPU; `kernels.pair_loops` has the loops."""

from typing import Any, Final

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..kernels.calls import call


PART: Final = 500_000
"""About how many pairs are summed together. More than these are shared among the cores."""

MOST_POINTS: Final = 256
"""The most points that one core computes together."""


def pairs_by_loop(
    positions: Float[Array, "n 3"], moments: Float[Array, " n"], mask: Bool[Array, " n"]
) -> Float[Array, "7"]:
    """Σ mᵢmⱼ r rᵀ/r⁵ over pairs as xx, yy, zz, xy, xz, yz, and the smallest r².

    r² is huge if there is no pair.
    """
    n = len(mask)
    pairs = n * (n - 1) // 2
    chunks = max(1, min(n, -(-pairs // PART)))
    (found,) = call(
        _name("pair_sums", positions),
        (positions, moments.astype(positions.dtype), mask.astype(bool)),
        [((chunks, 7), positions.dtype)],
        axes=2,
        tasks=chunks,
        cost=pairs // chunks + n,
        numbers=(n, chunks),
    )
    if chunks == 1:
        return found[0]
    return jnp.append(jnp.sum(found[:, :6], axis=0), jnp.min(found[:, 6]))


def second_by_loop(
    points: Float[Array, "k 3"],
    positions: Float[Array, "n 3"],
    moments: Float[Array, " n"],
    mask: Bool[Array, " n"],
    *,
    near: bool = False,
) -> Float[Array, "k 6"]:
    """Σ m r rᵀ/r⁵ at each point, without dipoles at the point; with `near` also those very near."""
    return _at("second_at", points, positions, moments, mask, 6, near)


def third_by_loop(
    positions: Float[Array, "n 3"], moments: Float[Array, " n"], mask: Bool[Array, " n"]
) -> Float[Array, "n 7"]:
    """xxx, xxy, xxz, xyy, xyz, yyy, yyz of a third of the octupole at each dipole."""
    return _at("third_at", positions, positions, moments, mask, 7, False)


def _at(
    name: str,
    points: Array,
    positions: Array,
    moments: Array,
    mask: Array,
    elements: int,
    near: bool,
) -> Array:
    count, n, dtype = len(points), len(mask), positions.dtype
    blocks = max(1, -(-count // MOST_POINTS))
    (found,) = call(
        _name(name, positions),
        (points.astype(dtype), positions, moments.astype(dtype), mask.astype(bool)),
        [((count, elements), dtype)],
        axes=2,
        tasks=blocks,
        cost=count * n // blocks + n,
        numbers=(count, blocks, n, int(near)),
    )
    return found


def _name(name: str, positions: Any) -> str:
    return f"{name}_{8 * positions.dtype.itemsize}"
