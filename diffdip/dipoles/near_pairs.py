"""The near part of a large pair sum: dipoles sorted into cells, each with those around it.

Dipoles are sorted by the number of their cell, whose edges are r_c. Blocks of them, one after the
other in this order, meet the nine rows of cells around them: nine ranges of the same order. No
array holds the dipoles of one cell, so no cell can overflow. A sample in which many dipoles lie
together takes longer. This form serves accelerators. On the CPU the same sums are computed by
`kernels.near_loops`, if numba is there: XLA would take some 20 times as long.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..kernels.calls import by_platform, call
from .ewald_split import Geometry, Split
from .near_kernel import smooth_polynomials


BLOCK: Final = 16
"""Dipoles of a block."""

SOURCES: Final = 4
"""Dipoles that a block meets in one step; written out one after the other."""

BEYOND: Final = 2**31 - 1
"""The number of the cell of masked dipoles."""

SHARE: Final = 4096
"""Dipoles that one core computes together."""


class NearSums(NamedTuple):
    """What the dipoles within r_c add at each dipole.

    Args:
        second: Σ mⱼ c r rᵀ: xx, yy, zz, xy, xz, yz, not yet traceless, in µB/nm³.
        squared: The squared distance of the nearest in nm²; inf without a pair within r_c.
    """

    second: Float[Array, "n 6"]
    squared: Float[Array, " n"]


class _Sorted(NamedTuple):
    """Dipoles in the order of their cells, in blocks, and the ranges that each block meets.

    `order` has the number of each dipole, masked ones last; the last block is filled up with `n`.
    """

    sites: tuple[Array, ...]
    order: Int[Array, " padded"]
    begin: Int[Array, "blocks 9"]
    end: Int[Array, "blocks 9"]


def near_sums(
    positions: Float[Array, "n 3"],
    moments: Float[Array, " n"],
    mask: Bool[Array, " n"],
    geometry: Geometry,
    split: Split,
) -> tuple[Float[Array, "n 6"], Float[Array, ""]]:
    """Σ mⱼ c r rᵀ over the dipoles within r_c of each one, and the closest pair's squared distance.

    The elements are xx, yy, zz, xy, xz, yz, not yet traceless, in µB/nm³. The squared distance
    (nm²) is inf if no pair is within r_c. `moments` of masked dipoles have to be 0, and their
    positions finite.
    """
    found, least = by_platform(
        partial(_loops, derivative=False, split=split),
        partial(_second_moments, split=split),
        *(positions, moments, mask, geometry),
    )
    least = jnp.where(least < geometry.cut**2, least, jnp.inf)
    # two at one place, or so close that r⁻⁵ overflows
    tiny = jnp.finfo(positions.dtype).tiny ** 0.5
    return jnp.where(least > tiny, found, jnp.nan), least


def _second_moments(
    positions: Array, moments: Array, mask: Array, geometry: Geometry, split: Split
) -> tuple[Array, Array]:
    smooth, _ = smooth_polynomials(split.cut)
    eta = geometry.eta

    def terms(x: Array, y: Array, z: Array, moment: Array, squared: Array) -> list[Array]:
        near = squared < geometry.cut**2
        inverse = jax.lax.rsqrt(squared)
        second = inverse * inverse
        c = 3 * inverse * second * second - eta**5 * _polynomial(smooth, squared, geometry)
        w = jnp.where(near, moment * c, 0)
        wx, wy, wz = w * x, w * y, w * z
        return [wx * x, wy * y, wz * z, wx * y, wx * z, wy * z, squared]

    found = _at_each(terms, (jnp.add,) * 6 + (jnp.minimum,), positions, moments, mask, geometry)
    return jnp.stack(found[:6], axis=-1), jnp.min(jnp.where(mask, found[6], jnp.inf))


def near_slopes(
    positions: Float[Array, "n 3"],
    moments: Float[Array, " n"],
    mask: Bool[Array, " n"],
    geometry: Geometry,
    split: Split,
) -> Float[Array, "n 6 3"]:
    """Derivatives of `near_sums` at each dipole by its own position, in µB/nm⁴.

    For r from the dipole to another one, ∂(c rₐ r_b)/∂r_k = 2c′ rₐ r_b r_k + c (δₐₖ r_b + δ_bk rₐ)
    with c′ = ∂c/∂(r²). The derivative by the position of the dipole is the negative of it.
    """
    found, _ = by_platform(
        partial(_loops, derivative=True, split=split),
        partial(_third_moments, split=split),
        *(positions, moments, mask, geometry),
    )
    xxx, xxy, xxz, xyy, xyz, xzz, yyy, yyz, yzz, zzz, x, y, z = found.T
    rows = [
        [xxx + 2 * x, xxy, xxz],
        [xyy, yyy + 2 * y, yyz],
        [xzz, yzz, zzz + 2 * z],
        [xxy + y, xyy + x, xyz],
        [xxz + z, xyz, xzz + x],
        [xyz, yyz + z, yzz + y],
    ]
    return -jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=1)


def _third_moments(
    positions: Array, moments: Array, mask: Array, geometry: Geometry, split: Split
) -> tuple[Array, Array]:
    smooth, slope = smooth_polynomials(split.cut)
    eta = geometry.eta

    def terms(x: Array, y: Array, z: Array, moment: Array, squared: Array) -> list[Array]:
        near = squared < geometry.cut**2
        inverse = jax.lax.rsqrt(squared)
        second = inverse * inverse
        fifth = 3 * inverse * second * second
        c = fifth - eta**5 * _polynomial(smooth, squared, geometry)
        by = -5 * fifth * second - 2 * eta**7 * _polynomial(slope, squared, geometry)
        c, by = (jnp.where(near, moment * value, 0) for value in (c, by))
        xx, xy, yy, zz = by * x * x, by * x * y, by * y * y, by * z * z
        third = [xx * x, xx * y, xx * z, yy * x, xy * z, zz * x, yy * y, yy * z, zz * y, zz * z]
        return [*third, c * x, c * y, c * z]

    found = _at_each(terms, (jnp.add,) * 13, positions, moments, mask, geometry)
    return jnp.stack(found, axis=-1), jnp.zeros((), positions.dtype)


def _loops(
    positions: Array,
    moments: Array,
    mask: Array,
    geometry: Geometry,
    derivative: bool,
    split: Split,
) -> tuple[Array, Array]:
    """The loops of numba, as a call from XLA."""
    dtype, count = positions.dtype, len(mask)
    number, order, rows = _by_cell(positions, mask, geometry, reach=2)
    cut, eta = geometry.cut, geometry.eta
    laws = [0, 1, 3, jnp.inf, cut**2, 2 / cut**2, eta**5, 2 * eta**7]
    laws += [power for powers in smooth_polynomials(split.cut) for power in powers]
    elements, name = (13, "near_slopes") if derivative else (6, "near_sums")
    shares = -(-count // SHARE)
    sums, least = call(
        f"{name}_{8 * dtype.itemsize}",
        (
            jnp.stack([*positions[order].T, moments[order]]),
            number,
            rows[1:],
            jnp.stack([jnp.asarray(law, dtype) for law in laws]),
        ),
        [((count, elements), dtype), ((shares,), dtype)],
        axes=2,
        tasks=shares,
        cost=200 * elements * SHARE,
        numbers=(count, shares),
    )
    found = jnp.zeros_like(sums).at[order].set(sums, unique_indices=True)
    return found, jnp.zeros((), dtype) if derivative else jnp.min(least)


def _polynomial(powers: Sequence[float], squared: Array, geometry: Geometry) -> Array:
    t = jnp.minimum(2 * squared / geometry.cut**2 - 1, 1)
    total = jnp.full_like(t, powers[0])
    for power in powers[1:]:
        total = total * t + power
    return total


def _at_each(
    terms: Callable[..., list[Array]],
    operators: tuple[Callable[[Array, Array], Array], ...],
    positions: Array,
    moments: Array,
    mask: Array,
    geometry: Geometry,
) -> list[Array]:
    """Combine the terms of all dipoles in the cells around each dipole, itself left out."""
    dtype, count = positions.dtype, len(moments)
    cells = _sort(positions, moments, mask, geometry)
    blocks = len(cells.begin)
    # steps of each block through its nine ranges, one after the other
    steps = jnp.cumsum(-(-(cells.end - cells.begin) // SOURCES), axis=1)
    targets = [site.reshape(blocks, BLOCK) for site in cells.sites[:3]]
    own = jnp.arange(blocks * BLOCK, dtype=jnp.int32).reshape(blocks, BLOCK)
    lanes = jnp.arange(SOURCES, dtype=jnp.int32)

    def step(state: tuple[Array, list[Array]]) -> tuple[Array, list[Array]]:
        number, totals = state
        row = jnp.sum(number >= steps, axis=1, keepdims=True, dtype=jnp.int32)
        row_in = jnp.minimum(row, 8)
        done = jnp.where(row_in > 0, jnp.take_along_axis(steps, row_in - 1, axis=1), 0)
        start = jnp.take_along_axis(cells.begin, row_in, axis=1) + (number - done) * SOURCES
        index = start + lanes
        valid = (index < jnp.take_along_axis(cells.end, row_in, axis=1)) & (row < 9)
        sources = [jnp.take(site, index, mode="clip") for site in cells.sites]
        for k in range(SOURCES):
            x, y, z = (s[:, k : k + 1] - t for s, t in zip(sources[:3], targets, strict=True))
            squared = x * x + y * y + z * z
            apart = valid[:, k : k + 1] & (index[:, k : k + 1] != own)
            squared = jnp.where(apart, squared, jnp.inf)
            each = terms(x, y, z, sources[3][:, k : k + 1], squared)
            totals = [f(a, b) for f, a, b in zip(operators, totals, each, strict=True)]
        return number + 1, totals

    most = jnp.max(steps[:, -1])
    neutral = [
        jnp.full((blocks, BLOCK), jnp.inf if f is jnp.minimum else 0, dtype) for f in operators
    ]
    state = (jnp.zeros((), jnp.int32), neutral)
    _, totals = jax.lax.while_loop(lambda state: state[0] < most, step, state)
    places = jnp.zeros(count + 1, jnp.int32).at[cells.order].set(own.reshape(-1))[:count]
    return [total.reshape(-1)[places] for total in totals]


def _by_cell(
    positions: Array, mask: Array, geometry: Geometry, reach: int
) -> tuple[Array, Array, Array]:
    """Numbers of the cells in ascending order, `BEYOND` if masked; the order; cells of a row.

    The edge of a cell is r_c over `reach`. As many empty cells lie between rows, so that the
    neighbours of the last are not the first of the next.
    """
    cell = jnp.floor((positions - geometry.corner) * (reach / geometry.cut)).astype(jnp.int32)
    rows = jnp.max(jnp.where(mask[:, None], cell, 0), axis=0) + 1 + reach
    number = (cell[:, 0] * rows[1] + cell[:, 1]) * rows[2] + cell[:, 2]
    number = jnp.where(mask, number, BEYOND)
    number, order = jax.lax.sort_key_val(number, jnp.arange(len(mask), dtype=jnp.int32))
    return number, order, rows


def _sort(positions: Array, moments: Array, mask: Array, geometry: Geometry) -> _Sorted:
    count = len(mask)
    number, order, rows = _by_cell(positions, mask, geometry, reach=1)
    extra = -count % BLOCK
    fill = lambda array, value: jnp.pad(array, (0, extra), constant_values=value)
    sites = [fill(site[order], 0) for site in (*positions.T, moments)]
    number = fill(number, BEYOND)

    blocks = number.reshape(-1, BLOCK)
    first = blocks[:, 0]
    last = jnp.max(jnp.where(blocks < BEYOND, blocks, -1), axis=1)
    offsets = [x * rows[1] * rows[2] + y * rows[2] for x in (-1, 0, 1) for y in (-1, 0, 1)]
    offsets = jnp.stack(offsets)
    empty = (first == BEYOND)[:, None]
    low = jnp.where(empty, BEYOND, first[:, None] + offsets - 1)
    high = jnp.where(empty, BEYOND - 1, last[:, None] + offsets + 1)
    begin = jnp.searchsorted(number, low, side="left").astype(jnp.int32)
    end = jnp.searchsorted(number, high, side="right").astype(jnp.int32)
    end = jax.lax.cummax(end, axis=1)
    # a block that spans several rows meets no dipole twice
    before = jnp.pad(end[:, :-1], ((0, 0), (1, 0)))
    begin = jnp.maximum(begin, before)
    return _Sorted(tuple(sites), fill(order, count), begin, jnp.maximum(end, begin))
