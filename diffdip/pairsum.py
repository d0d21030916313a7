"""Sums over pairs of dipoles, and their derivatives: the hot kernel.

How the pairs are visited decides the speed. XLA's CPU backend writes the n × n intermediates of a
plain broadcast to memory, or computes each of several sums in a loop of its own. It does neither
for a reduction of several operands at once, `jax.lax.reduce` over a tuple: one loop, all sums
in registers, vectorized over the last axis as long as LLVM unrolls the reduced one. So few rows
are held against all columns at a time, and the running totals enter the reduction
with its first row. Two tiles in a loop body let the totals swap buffers instead of being copied.

Each pair is visited once: of T tiles of rows on a ring (T odd), each meets the (T − 1)/2
tiles that follow it, which are contiguous in an array written twice behind itself.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Bool, Float


Sites: TypeAlias = Sequence[Array]
"""x, y, z (nm) and moment (µB) of the dipoles, arrays of one shape."""

_WIDE_ROWS = 128
"""Rows of a tile on accelerators, where a launch must be worth its while."""

_LANES = 8
"""Columns come in multiples of this, so that no loop over them has a scalar rest."""

_PART, _MAX_PARTS = 256, 16
"""Columns are split in parts of about this length, up to so many, which share the cores."""

_UNROLLED = jax.__version_info__ >= (0, 11)
"""Later compilers neither unroll nor vectorize a reduction of several operands (ten times slower);
rows written out one after the other they do, at half the speed that the others reach."""

_SAME = 1e-4
"""Distance (nm) below which a dipole is taken to be the one that a point belongs to."""


def pair_differences(
    position: Float[Array, "3"],
    positions: Float[Array, "n 3"],
    included: Bool[Array, " n"],
) -> tuple[Float[Array, "n 3"], Float[Array, " n"]]:
    """Unit vectors from `positions` to `position` and 1/r³ (nm⁻³), zero where not included.

    Positions are subtracted before they are squared: expanding |x − y|² would lose every
    digit of a 0.05 nm distance in a 30 nm sample in float32. Excluded pairs are replaced
    before the division, so that neither their value nor their derivative can be NaN.
    """
    difference = jnp.where(included[:, None], position - positions, 1.0)
    inverse = jax.lax.rsqrt(jnp.sum(difference * difference, axis=-1))
    weight = jnp.where(included, inverse * inverse * inverse, 0.0)
    return difference * inverse[:, None], weight


@jax.custom_jvp
def pair_sum(
    positions: Float[Array, "n 3"],
    moments: Float[Array, " n"],
    mask: Bool[Array, " n"],
) -> Float[Array, "6"]:
    """Sum over pairs i < j of mᵢmⱼ (I − 3 r̂ r̂ᵀ)/r³, each pair once.

    Returns the elements xx, yy, zz, xy, xz, yz in µB²/nm³ for positions in nm and moments in
    µB. Sites where `mask` is False take no part: whatever their position holds, NaN
    included, reaches neither the value nor a gradient. Two unmasked dipoles at the same
    place (or so close that r⁻⁵ overflows) make all six sums NaN, never inf, and their
    derivatives too.

    Forward and reverse derivatives are sums over pairs as well (`pair_octupole` and
    `pair_quadrupole`), of any order, all under `jit` and `vmap`.

    >>> import jax.numpy as jnp
    >>> pair = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.5]])
    >>> print(pair_sum(pair, jnp.ones(2), jnp.ones(2, bool))[:3])
    [  8.   8. -16.]
    """
    second = _over_pairs(_SECOND, _sites(positions, moments, mask))
    return _finite_or_nan(_traceless(jnp.stack(second)))


def pair_sum_and_closest(
    positions: Float[Array, "n 3"],
    moments: Float[Array, " n"],
    mask: Bool[Array, " n"],
) -> tuple[Float[Array, "6"], Float[Array, ""]]:
    """`pair_sum` and the distance of the closest pair (nm) in one pass, without derivatives.

    The distance is inf with fewer than two unmasked dipoles.

    >>> import jax.numpy as jnp
    >>> pair = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.5]])
    >>> print(pair_sum_and_closest(pair, jnp.ones(2), jnp.ones(2, bool))[1])
    0.5
    """
    several = jnp.sum(mask) > 1
    *second, squared = _over_pairs(_CLOSEST, _sites(positions, moments, mask))
    sums = _finite_or_nan(_traceless(jnp.stack(second)))
    return sums, jnp.where(several, jnp.sqrt(squared), jnp.inf)


@partial(pair_sum.defjvp, symbolic_zeros=True)
def _pair_sum_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    positions, moments, mask = primals
    by_position, by_moment, _ = tangents
    sums = pair_sum(positions, moments, mask)
    kept = jnp.where(mask, moments, 0)
    change = jnp.zeros_like(sums)
    if not isinstance(by_position, SymbolicZero):
        octupole = pair_octupole(positions, moments, mask)
        change += jnp.einsum(
            "n,nec,nc->e", kept, octupole, jnp.where(mask[:, None], by_position, 0)
        )
    if not isinstance(by_moment, SymbolicZero):
        quadrupole = pair_quadrupole(positions, moments, mask)
        change += jnp.einsum("ne,n->e", quadrupole, jnp.where(mask, by_moment, 0))
    return sums, jnp.where(jnp.all(jnp.isfinite(sums)), change, jnp.nan)


@jax.custom_jvp
def pair_quadrupole(
    positions: Float[Array, "n 3"],
    moments: Float[Array, " n"],
    mask: Bool[Array, " n"],
) -> Float[Array, "n 6"]:
    """∂(pair_sum)/∂mᵢ = Σ_j mⱼ (I − 3 r̂ r̂ᵀ)/r³ in µB/nm³: what dipole i sees of the others.

    Elements xx, yy, zz, xy, xz, yz; zero at masked sites. Dipoles at the same place do not see
    each other.

    >>> import jax.numpy as jnp
    >>> pair = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.5]])
    >>> print(pair_quadrupole(pair, jnp.array([1.0, 2.0]), jnp.ones(2, bool))[0, :3])
    [ 16.  16. -32.]
    """
    sites = _sites(positions, moments, mask)
    second = _at_each(_SECOND_AT_EACH, sites, sites)
    return jnp.where(mask[:, None], _traceless(jnp.stack(second)).T, 0)


def quadrupole_at(
    points: Float[Array, "k 3"],
    positions: Float[Array, "n 3"],
    moments: Float[Array, " n"],
    mask: Bool[Array, " n"],
) -> Float[Array, "k 6"]:
    """Σ_j mⱼ (I − 3 r̂ r̂ᵀ)/r³ in µB/nm³ at any points (nm): what a dipole there would see.

    A dipole within 10⁻⁴ nm of a point does not count, so that at the dipoles it is
    `pair_quadrupole`, however their positions were rounded. Elements xx, yy, zz, xy, xz, yz;
    without a derivative rule.

    >>> import jax.numpy as jnp
    >>> one = jnp.zeros((1, 3)), jnp.ones(1), jnp.ones(1, bool)
    >>> print(quadrupole_at(jnp.array([[0.0, 0.0, 0.5]]), *one)[0, :3])
    [  8.   8. -16.]
    """
    columns = (*points.T, jnp.zeros_like(points[:, 0]))
    second = _at_each(_SECOND_AT_POINTS, _sites(positions, moments, mask), columns)
    return _traceless(jnp.stack(second)).T


@jax.custom_jvp
def pair_octupole(
    positions: Float[Array, "n 3"],
    moments: Float[Array, " n"],
    mask: Bool[Array, " n"],
) -> Float[Array, "n 6 3"]:
    """∂/∂rᵢ of what dipole i sees of the others, in µB/nm⁴; times mᵢ it is ∂(pair_sum)/∂rᵢ.

    Axes: dipole i; element xx, yy, zz, xy, xz, yz; component of rᵢ. Since (I − 3 r̂ r̂ᵀ)/r³ is
    −∇∇(1/r), this is the third derivative of −Σ_j mⱼ/r: symmetric and traceless, with seven
    independent elements of 18. Zero at masked sites. Dipoles at the same place do not see each
    other.

    >>> import jax.numpy as jnp
    >>> pair = jnp.array([[0.0, 0.0, 0.5], [0.0, 0.0, 0.0]])
    >>> print(pair_octupole(pair, jnp.ones(2), jnp.ones(2, bool))[0, 2, 2])  # of −2/z³: 6/z⁴
    96.0
    """
    sites = _sites(positions, moments, mask)
    third = _at_each(_THIRD_AT_EACH, sites, sites)
    xxx, xxy, xxz, xyy, xyz, yyy, yyz = third
    xzz, yzz, zzz = -xxx - xyy, -xxy - yyy, -xxz - yyz
    elements = [xxx, xxy, xxz, xyy, yyy, yyz, xzz, yzz, zzz]
    elements += [xxy, xyy, xyz, xxz, xyz, xzz, xyz, yyz, yzz]
    field = 3 * jnp.stack(elements, axis=-1).reshape(-1, 6, 3)
    return jnp.where(mask[:, None, None], field, 0)


def _differentiate_plainly(function: Callable[..., Any], plain: Callable[..., Any]) -> None:
    """Derivatives of second and higher order: those of the same sum written row by row."""

    @partial(function.defjvp)  # type: ignore[attr-defined]
    def rule(primals: Any, tangents: Any) -> tuple[Array, Array]:
        positions, moments, mask = primals
        _, change = jax.jvp(lambda p, m: plain(p, m, mask), (positions, moments), tangents[:2])
        return function(*primals), change


def _plain_quadrupole(positions: Array, moments: Array, mask: Array) -> Array:
    moments = jnp.where(mask, moments, 0)
    index = jnp.arange(len(mask))

    @jax.checkpoint
    def row(i: Array) -> Array:
        unit, weight = pair_differences(positions[i], positions, mask & mask[i] & (index != i))
        x, y, z = unit.T
        elements = [1 - 3 * x * x, 1 - 3 * y * y, 1 - 3 * z * z, -3 * x * y, -3 * x * z, -3 * y * z]
        return jnp.stack(elements) @ (weight * moments)

    return jax.lax.map(row, index)


def _plain_octupole(positions: Array, moments: Array, mask: Array) -> Array:
    moments = jnp.where(mask, moments, 0)
    index = jnp.arange(len(mask))
    identity = jnp.eye(3, dtype=positions.dtype)
    delta = jnp.einsum("ab,jc->jabc", identity, jnp.ones_like(positions))

    @jax.checkpoint
    def row(i: Array) -> Array:
        included = mask & mask[i] & (index != i)
        unit, weight = pair_differences(positions[i], positions, included)
        inverse = jnp.where(included, weight, 1.0) ** (1 / 3)
        trace = delta * unit[:, None, None, :]
        trace = trace + trace.transpose(0, 3, 1, 2) + trace.transpose(0, 1, 3, 2)
        cube = jnp.einsum("ja,jb,jc->jabc", unit, unit, unit)
        tensor = jnp.einsum("j,jabc->abc", weight * inverse * moments, 15 * cube - 3 * trace)
        return tensor[np.array([0, 1, 2, 0, 0, 1]), np.array([0, 1, 2, 1, 2, 2])]

    return jax.lax.map(row, index)


_differentiate_plainly(pair_quadrupole, _plain_quadrupole)
_differentiate_plainly(pair_octupole, _plain_octupole)


def _sites(positions: Array, moments: Array, mask: Array) -> Sites:
    """Masked sites get no moment and a place of their own, far from everything."""
    inside = jnp.where(mask[:, None], positions, 0)
    extent = jnp.max(jnp.abs(inside))
    index = jnp.arange(len(mask), dtype=positions.dtype)
    far = _far(jnp.where(extent > 0, extent, 1), index)
    x = jnp.where(mask, positions[:, 0], far)
    y, z = inside[:, 1], inside[:, 2]
    return x, y, z, jnp.where(mask, moments, 0)


def _far(extent: Array, index: Array) -> Array:
    return 8 * extent * (2 + index)


def _padded(sites: Sites, count: int) -> Sites:
    """Sites that are no dipoles added up to `count`."""
    n = len(sites[0])
    index = jnp.arange(n, count, dtype=sites[0].dtype)
    # beyond every masked site already there, so that no two sites coincide
    extra = _far(jnp.max(jnp.abs(jnp.stack(sites[:3]))) + 1, index)
    zero = jnp.zeros_like(index)
    return tuple(
        jnp.concatenate([site, more])
        for site, more in zip(sites, (extra, zero, zero, zero), strict=True)
    )  # type: ignore[return-value]


def _finite_or_nan(sums: Array) -> Array:
    return jnp.where(jnp.all(jnp.isfinite(sums)), sums, jnp.nan)


def _traceless(second: Array) -> Array:
    """Σ (I − 3 r̂ r̂ᵀ)/r³ from Σ r rᵀ/r⁵, both as xx, yy, zz, xy, xz, yz along the first axis."""
    xx, yy, zz, xy, xz, yz = second
    return jnp.stack(
        [yy + zz - 2 * xx, xx + zz - 2 * yy, xx + yy - 2 * zz, -3 * xy, -3 * xz, -3 * yz]
    )


def _difference(rows: Sites, columns: Sites) -> tuple[Array, Array, Array, Array]:
    """x, y, z of column − row, and r²."""
    x, y, z = (column - row for row, column in zip(rows[:3], columns[:3], strict=True))
    return x, y, z, x * x + y * y + z * z


def _second_moments(x: Array, y: Array, z: Array, squared: Array, moment: Array) -> list[Array]:
    """Elements xx, yy, zz, xy, xz, yz of m r rᵀ/r⁵."""
    inverse = jax.lax.rsqrt(squared)
    second = inverse * inverse
    weight = moment * (inverse * second) * second
    wx, wy, wz = weight * x, weight * y, weight * z
    return [wx * x, wy * y, wz * z, wx * y, wx * z, wy * z]


def _second(rows: Sites, columns: Sites) -> list[Array]:
    return _second_moments(*_difference(rows, columns), rows[3] * columns[3])


def _second_and_distance(rows: Sites, columns: Sites) -> list[Array]:
    x, y, z, squared = _difference(rows, columns)
    return [*_second_moments(x, y, z, squared, rows[3] * columns[3]), squared]


def _apart(squared: Array) -> Array:
    """r², so that a dipole adds nothing to what it sees."""
    return jnp.where(squared > 0, squared, jnp.inf)


def _second_at_each(rows: Sites, columns: Sites) -> list[Array]:
    x, y, z, squared = _difference(rows, columns)
    return _second_moments(x, y, z, _apart(squared), rows[3])


def _second_at_points(rows: Sites, columns: Sites) -> list[Array]:
    x, y, z, squared = _difference(rows, columns)
    apart = jnp.where(squared > _SAME**2, squared, jnp.inf)
    return _second_moments(x, y, z, apart, rows[3])


def _third_at_each(rows: Sites, columns: Sites) -> list[Array]:
    """xxx, xxy, xxz, xyy, xyz, yyy, yyz of a third of ∂/∂r of m (I − 3 r̂ r̂ᵀ)/r³."""
    x, y, z, squared = _difference(rows, columns)
    inverse = jax.lax.rsqrt(_apart(squared))
    second = inverse * inverse
    weight = rows[3] * (inverse * second) * second
    wx, wy, wz = weight * x, weight * y, weight * z
    fx, fy = 5 * second * x, 5 * second * y
    xx, yy = fx * x - 1, fy * y - 1
    return [wx * (xx - 2), wy * xx, wz * xx, wx * yy, fx * y * wz, wy * (yy - 2), wz * yy]


def _smaller(a: Array, b: Array) -> Array:
    return jnp.where(a < b, a, b)


class _Kernel(NamedTuple):
    """What is computed of each pair (row, column), and the operators that gather it.

    `rows` of a tile on the CPU: as many as LLVM still unrolls (measured).
    """

    terms: Callable[[Sites, Sites], list[Array]]
    operators: tuple[Callable[[Array, Array], Array], ...]
    rows: int

    def neutral(self, shape: tuple[int, ...], dtype: Any) -> tuple[Array, ...]:
        return tuple(
            jnp.full(shape, jnp.inf if operator is _smaller else 0, dtype)
            for operator in self.operators
        )

    def reduce(self, rows: Sites, columns: Sites, totals: Sequence[Array]) -> tuple[Array, ...]:
        """Gather the terms of all rows (axis −2) on top of the totals, which lack that axis."""
        if _UNROLLED and rows[0].shape[-2] < _WIDE_ROWS:
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


_SECOND = _Kernel(_second, (jnp.add,) * 6, rows=6)
_CLOSEST = _Kernel(_second_and_distance, (jnp.add,) * 6 + (_smaller,), rows=5)
_SECOND_AT_EACH = _Kernel(_second_at_each, (jnp.add,) * 6, rows=4)
_SECOND_AT_POINTS = _Kernel(_second_at_points, (jnp.add,) * 6, rows=4)
_THIRD_AT_EACH = _Kernel(_third_at_each, (jnp.add,) * 7, rows=4)


def _over_pairs(kernel: _Kernel, sites: Sites) -> tuple[Array, ...]:
    """Gather the terms of all pairs, each once."""
    return _by_platform(_ring, kernel, sites)


def _at_each(kernel: _Kernel, sites: Sites, columns: Sites) -> tuple[Array, ...]:
    """Gather, for each column, the terms of all sites as rows, itself included."""
    return _by_platform(_rectangle, kernel, sites, columns)


def _by_platform(function: Callable[..., Any], kernel: _Kernel, *operands: Sites) -> Any:
    """The same sum in the tiles that suit the CPU or an accelerator."""
    return jax.lax.platform_dependent(
        *operands,
        cpu=lambda *operands: function(kernel, kernel.rows, *operands),
        default=lambda *operands: function(kernel, _WIDE_ROWS, *operands),
    )


def _ring(kernel: _Kernel, rows: int, sites: Sites) -> tuple[Array, ...]:
    tiles = -(-len(sites[0]) // rows)
    tiles += 1 - tiles % 2
    sites = _padded(sites, tiles * rows)
    dtype = sites[0].dtype
    tiled = [site.reshape(tiles, rows) for site in sites]

    # pairs within a tile, in groups that a reduction takes at once
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
        # the last columns only fill up the parts: their pairs are counted elsewhere
        totals = [total.reshape(-1)[:count] for total in totals]
        gathered = [jnp.append(total, rest) for total, rest in zip(totals, gathered, strict=True)]
    return tuple(
        jnp.min(total) if operator is _smaller else jnp.sum(total)
        for operator, total in zip(kernel.operators, gathered, strict=True)
    )


def _rectangle(kernel: _Kernel, rows: int, sites: Sites, columns: Sites) -> tuple[Array, ...]:
    count = len(columns[0])
    tiles = -(-len(sites[0]) // rows)
    parts, length = _split(count)
    columns = [site.reshape(parts, 1, length) for site in _padded(columns, parts * length)]
    tiled = [site.reshape(tiles, rows) for site in _padded(sites, tiles * rows)]

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
    """Number and length of the parts of at least so many columns."""
    parts = max(1, min(_MAX_PARTS, columns // _PART))
    return parts, -(-columns // (parts * _LANES)) * _LANES
