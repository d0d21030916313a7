"""The loops over pairs of dipoles in JAX, in the order that makes them fast.

They run on accelerators, and on a CPU without numba; `kernels.pair_loops` has the others.

XLA's CPU backend writes the n × n intermediates of a plain broadcast to memory, or computes each
of several sums in a separate loop. It does neither for a reduction of several operands at once,
`jax.lax.reduce` over a tuple. That is one loop with all sums in registers, vectorized over the last
axis as long as LLVM unrolls the reduced axis. Therefore a tile has few rows and all columns, and
the running totals enter the reduction with its first row. Two tiles in one loop body let the totals
swap buffers instead of being copied.

Each pair is visited once. The rows form T tiles on a ring (T odd), and each tile meets the
(T − 1)/2 tiles after it, which are contiguous in an array that is repeated once.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


Sites: TypeAlias = Sequence[Array]
"""x, y, z (nm) and moment (µB) of the dipoles, arrays of one shape."""

_WIDE_ROWS = 128
"""Rows of a tile on accelerators, where a kernel must do enough work to pay for its launch."""

_LANES = 8
"""Columns come in multiples of this, so that a vectorized loop has no scalar remainder."""

_PART, _MAX_PARTS = 256, 16
"""Columns are split into parts of about this length, at most this many, which share the cores."""

_MOST_UNROLLED = 16 if jax.__version_info__ >= (0, 11) else 0
"""Compilers of later versions neither unroll nor vectorize a reduction of several operands on the
CPU, which makes it 20 times slower. Rows written out one after the other are only 7 times slower.
Tiles for accelerators have more rows, which are never written out."""


def sites_of(positions: Array, moments: Array, mask: Array) -> Sites:
    """The sites; masked ones have no moment, and a separate place each, far from all others."""
    inside = jnp.where(mask[:, None], positions, 0)
    extent = jnp.max(jnp.abs(inside))
    index = jnp.arange(len(mask), dtype=positions.dtype)
    far = _far(jnp.where(extent > 0, extent, 1), index)
    x = jnp.where(mask, positions[:, 0], far)
    y, z = inside[:, 1], inside[:, 2]
    return x, y, z, jnp.where(mask, moments, 0)


def _far(extent: Array, index: Array) -> Array:
    return 8 * extent * (2 + index)


def padded(sites: Sites, count: int) -> Sites:
    """The sites, with empty ones added up to `count`."""
    n = len(sites[0])
    index = jnp.arange(n, count, dtype=sites[0].dtype)
    # beyond every masked site already there, so that no two sites coincide
    extra = _far(jnp.max(jnp.abs(jnp.stack(sites[:3]))) + 1, index)
    zero = jnp.zeros_like(index)
    return tuple(
        jnp.concatenate([site, more])
        for site, more in zip(sites, (extra, zero, zero, zero), strict=True)
    )  # type: ignore[return-value]


def smaller(a: Array, b: Array) -> Array:
    """The smaller of two: the operator of a minimum."""
    return jnp.where(a < b, a, b)


class Kernel(NamedTuple):
    """What is computed for each pair (row, column), and the operators that combine it.

    `rows` is the number of rows of a tile on the CPU: as many as LLVM still unrolls (measured).
    """

    terms: Callable[[Sites, Sites], list[Array]]
    operators: tuple[Callable[[Array, Array], Array], ...]
    rows: int

    def neutral(self, shape: tuple[int, ...], dtype: Any) -> tuple[Array, ...]:
        """Totals of no pairs: 0, or inf for a minimum."""
        return tuple(
            jnp.full(shape, jnp.inf if operator is smaller else 0, dtype)
            for operator in self.operators
        )

    def reduce(self, rows: Sites, columns: Sites, totals: Sequence[Array]) -> tuple[Array, ...]:
        """Add the terms of all rows (axis −2) to the totals, which lack that axis."""
        if rows[0].shape[-2] <= _MOST_UNROLLED:
            for index in range(rows[0].shape[-2]):
                row, column = (
                    [site[..., index % site.shape[-2], :] for site in sites]
                    for sites in (rows, columns)
                )
                totals = [
                    operator(total, term)
                    for operator, total, term in zip(
                        self.operators, totals, self.terms(row, column), strict=True
                    )
                ]
            return tuple(totals)
        terms = self.terms(rows, columns)
        axis = terms[0].ndim - 2
        first = jax.lax.broadcasted_iota(jnp.int32, terms[0].shape, axis) == 0
        operands = tuple(
            jnp.where(first, operator(jnp.expand_dims(total, axis), term), term)
            for operator, total, term in zip(self.operators, totals, terms, strict=True)
        )
        combine = lambda a, b: tuple(
            operator(p, q) for operator, p, q in zip(self.operators, a, b, strict=True)
        )
        return jax.lax.reduce(operands, self.neutral((), terms[0].dtype), combine, (axis,))


def over_pairs(kernel: Kernel, sites: Sites) -> tuple[Array, ...]:
    """Combine the terms of all pairs, each once."""
    return _by_platform(_ring, kernel, sites)


def at_each(kernel: Kernel, sites: Sites, columns: Sites) -> tuple[Array, ...]:
    """For each column, combine the terms of all sites as rows, itself included."""
    return _by_platform(_rectangle, kernel, sites, columns)


def _by_platform(function: Callable[..., Any], kernel: Kernel, *operands: Sites) -> Any:
    """One sum, in tiles of the size that suits the CPU or an accelerator."""
    return jax.lax.platform_dependent(
        *operands,
        cpu=lambda *operands: function(kernel, kernel.rows, *operands),
        default=lambda *operands: function(kernel, _WIDE_ROWS, *operands),
    )


def _ring(kernel: Kernel, rows: int, sites: Sites) -> tuple[Array, ...]:
    """`over_pairs` in tiles of `rows`: the pairs within each tile, then those of two tiles."""
    tiles = -(-len(sites[0]) // rows)
    tiles += 1 - tiles % 2
    sites = padded(sites, tiles * rows)
    dtype = sites[0].dtype
    tiled = [site.reshape(tiles, rows) for site in sites]

    # pairs within a tile, in groups of the size of one reduction
    size = rows - 1 + rows % 2
    pairs = np.array(list(combinations(range(rows), 2))).reshape(-1, size, 2)
    one, other = ([tile.T[pairs[..., k]] for tile in tiled] for k in (0, 1))
    gathered = kernel.reduce(one, other, kernel.neutral((len(pairs), tiles), dtype))

    count = (tiles - 1) // 2 * rows
    parts, length = _split(count)
    twice = [jnp.concatenate([site, site, site[: parts * length - count]]) for site in sites]
    if count:

        def tile(index: Any, totals: tuple[Array, ...]) -> tuple[Array, ...]:
            start = (index + 1) * rows
            row = [jax.lax.dynamic_slice(t, (index, 0), (1, rows))[..., None] for t in tiled]
            column = [jax.lax.dynamic_slice(t, (start,), (parts * length,)) for t in twice]
            return kernel.reduce(row, [c.reshape(parts, 1, length) for c in column], totals)

        two = lambda i, totals: tile(2 * i + 1, tile(2 * i, totals))
        totals = jax.lax.fori_loop(0, tiles // 2, two, kernel.neutral((parts, length), dtype))
        totals = tile(tiles - 1, totals)
        # the last columns only fill up the parts, and their pairs are counted elsewhere
        totals = [total.reshape(-1)[:count] for total in totals]
        gathered = [jnp.append(total, rest) for total, rest in zip(totals, gathered, strict=True)]
    return tuple(
        jnp.min(total) if operator is smaller else jnp.sum(total)
        for operator, total in zip(kernel.operators, gathered, strict=True)
    )


def _rectangle(kernel: Kernel, rows: int, sites: Sites, columns: Sites) -> tuple[Array, ...]:
    """`at_each` in tiles of `rows`."""
    count = len(columns[0])
    tiles = -(-len(sites[0]) // rows)
    parts, length = _split(count)
    columns = [site.reshape(parts, 1, length) for site in padded(columns, parts * length)]
    tiled = [site.reshape(tiles, rows) for site in padded(sites, tiles * rows)]

    def tile(index: Any, totals: tuple[Array, ...]) -> tuple[Array, ...]:
        row = [jax.lax.dynamic_slice(t, (index, 0), (1, rows))[..., None] for t in tiled]
        return kernel.reduce(row, columns, totals)

    two = lambda i, totals: tile(2 * i + 1, tile(2 * i, totals))
    zero = kernel.neutral((parts, length), sites[0].dtype)
    totals = jax.lax.fori_loop(0, tiles // 2, two, zero)
    if tiles % 2:
        totals = tile(tiles - 1, totals)
    return tuple(total.reshape(-1)[:count] for total in totals)


def _split(columns: int) -> tuple[int, int]:
    """Number and length of the parts that hold at least this many columns."""
    parts = max(1, min(_MAX_PARTS, columns // _PART))
    return parts, -(-columns // (parts * _LANES)) * _LANES
