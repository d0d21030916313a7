"""Sums over pairs of dipoles, and their derivatives; `pair_kernels` has the loops."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Bool, Float

from ..kernels.calls import by_platform
from .native_pairs import pairs_by_loop, second_by_loop, third_by_loop
from .pair_kernels import Kernel, Sites, at_each, over_pairs, sites_of, smaller


_SAME = 1e-4
"""A dipole closer to a point than this distance (nm) counts as the one at that point."""


def pair_differences(
    position: Float[Array, "3"],
    positions: Float[Array, "n 3"],
    included: Bool[Array, " n"],
) -> tuple[Float[Array, "n 3"], Float[Array, " n"]]:
    """Unit vectors from `positions` to `position` and 1/r³ (nm⁻³), zero where not included.

    Positions are subtracted before they are squared: in float32, expanding |x − y|² would lose
    every digit of a 0.05 nm distance in a 30 nm sample. Excluded pairs are replaced before the
    division, so that neither their value nor their derivative can be NaN.
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

    Returns the elements xx, yy, zz, xy, xz, yz in µB²/nm³ for positions in nm and moments in µB.
    Sites where `mask` is False are left out: whatever their position holds, NaN included, reaches
    neither the value nor a gradient. Two unmasked dipoles at the same place (or so close that r⁻⁵
    overflows) make all six sums and their derivatives NaN, never inf.

    Forward and reverse derivatives of any order are sums over pairs as well (`pair_octupole` and
    `pair_quadrupole`), all under `jit` and `vmap`.

    >>> import jax.numpy as jnp
    >>> pair = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.5]])
    >>> print(pair_sum(pair, jnp.ones(2), jnp.ones(2, bool))[:3])
    [  8.   8. -16.]
    """
    tiles = lambda *system: jnp.stack(over_pairs(_SECOND, sites_of(*system)))
    loops = lambda *system: pairs_by_loop(*system)[:6]
    return finite_or_nan(traceless(by_platform(loops, tiles, positions, moments, mask)))


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
    tiles = lambda *system: jnp.stack(over_pairs(_CLOSEST, sites_of(*system)))
    found = by_platform(pairs_by_loop, tiles, positions, moments, mask)
    sums = finite_or_nan(traceless(found[:6]))
    return sums, jnp.where(several, jnp.sqrt(found[6]), jnp.inf)


@partial(pair_sum.defjvp, symbolic_zeros=True)
def _pair_sum_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    """Elements are taken one by one: whole tensors would cost more than the sums over pairs."""
    positions, moments, mask = primals
    by_position, by_moment, _ = tangents
    sums = pair_sum(positions, moments, mask)
    change = [jnp.zeros_like(sums[0])] * 6
    if not isinstance(by_position, SymbolicZero):
        kept = 3 * jnp.where(mask, moments, 0)
        x, y, z = jnp.where(mask[:, None], by_position * kept[:, None], 0).T
        for i, row in enumerate(_octupole(_third_at(positions, moments, mask), mask)):
            change[i] += jnp.sum(row[0] * x + row[1] * y + row[2] * z)
    if not isinstance(by_moment, SymbolicZero):
        step = jnp.where(mask, by_moment, 0)
        for i, element in enumerate(_quadrupole(_second_at(positions, moments, mask), mask)):
            change[i] += jnp.sum(element * step)
    return sums, jnp.where(jnp.all(jnp.isfinite(sums)), jnp.stack(change), jnp.nan)


def pair_quadrupole(
    positions: Float[Array, "n 3"],
    moments: Float[Array, " n"],
    mask: Bool[Array, " n"],
) -> Float[Array, "n 6"]:
    """∂(pair_sum)/∂mᵢ = Σ_j mⱼ (I − 3 r̂ r̂ᵀ)/r³ in µB/nm³, the sum over the others at dipole i.

    Elements xx, yy, zz, xy, xz, yz; zero at masked sites. Dipoles at the same place as i are left
    out.

    >>> import jax.numpy as jnp
    >>> pair = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.5]])
    >>> print(pair_quadrupole(pair, jnp.array([1.0, 2.0]), jnp.ones(2, bool))[0, :3])
    [ 16.  16. -32.]
    """
    return jnp.stack(_quadrupole(_second_at(positions, moments, mask), mask), axis=-1)


def quadrupole_at(
    points: Float[Array, "k 3"],
    positions: Float[Array, "n 3"],
    moments: Float[Array, " n"],
    mask: Bool[Array, " n"],
) -> Float[Array, "k 6"]:
    """Σ_j mⱼ (I − 3 r̂ r̂ᵀ)/r³ in µB/nm³ at any points (nm).

    A dipole within 10⁻⁴ nm of a point does not count. At the dipoles themselves the result is
    therefore `pair_quadrupole`, even if their positions were rounded. Elements xx, yy, zz, xy, xz,
    yz; without a derivative rule.

    >>> import jax.numpy as jnp
    >>> one = jnp.zeros((1, 3)), jnp.ones(1), jnp.ones(1, bool)
    >>> print(quadrupole_at(jnp.array([[0.0, 0.0, 0.5]]), *one)[0, :3])
    [  8.   8. -16.]
    """

    def tiles(points: Array, *system: Array) -> Array:
        columns = (*points.T, jnp.zeros_like(points[:, 0]))
        return jnp.stack(at_each(_SECOND_AT_POINTS, sites_of(*system), columns))

    loops = lambda *operands: second_by_loop(*operands, near=True).T
    return traceless(by_platform(loops, tiles, points, positions, moments, mask)).T


def pair_octupole(
    positions: Float[Array, "n 3"],
    moments: Float[Array, " n"],
    mask: Bool[Array, " n"],
) -> Float[Array, "n 6 3"]:
    """∂/∂rᵢ of the sum over the others at dipole i, in µB/nm⁴; times mᵢ it is ∂(pair_sum)/∂rᵢ.

    Axes: dipole i; element xx, yy, zz, xy, xz, yz; component of rᵢ. Since (I − 3 r̂ r̂ᵀ)/r³ is
    −∇∇(1/r), this is the third derivative of −Σ_j mⱼ/r: symmetric and traceless, with seven
    independent elements of 18. Zero at masked sites. Dipoles at the same place as i are left out.

    >>> import jax.numpy as jnp
    >>> pair = jnp.array([[0.0, 0.0, 0.5], [0.0, 0.0, 0.0]])
    >>> print(pair_octupole(pair, jnp.ones(2), jnp.ones(2, bool))[0, 2, 2])  # of −2/z³: 6/z⁴
    96.0
    """
    rows = _octupole(_third_at(positions, moments, mask), mask)
    return 3 * jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)


def _quadrupole(second: Array, mask: Array) -> list[Array]:
    """The elements of (I − 3 r̂ r̂ᵀ)/r³ at each dipole from those of r rᵀ/r⁵, shape (n, 6)."""
    xx, yy, zz, xy, xz, yz = (jnp.where(mask, second[:, k], 0) for k in range(6))
    return _traceless(xx, yy, zz, xy, xz, yz)


def _octupole(third: Array, mask: Array) -> list[tuple[Array, Array, Array]]:
    """A third of ∂/∂r of each element xx, yy, zz, xy, xz, yz at each dipole by x, y and z."""
    xxx, xxy, xxz, xyy, xyz, yyy, yyz = (jnp.where(mask, third[:, k], 0) for k in range(7))
    xzz, yzz, zzz = -xxx - xyy, -xxy - yyy, -xxz - yyz
    return [
        (xxx, xxy, xxz),
        (xyy, yyy, yyz),
        (xzz, yzz, zzz),
        (xxy, xyy, xyz),
        (xxz, xyz, xzz),
        (xyz, yyz, yzz),
    ]


@jax.custom_jvp
def _second_at(positions: Array, moments: Array, mask: Array) -> Array:
    """Σ_j mⱼ r rᵀ/r⁵ at each dipole, (n, 6)."""

    def tiles(*system: Array) -> Array:
        sites = sites_of(*system)
        return jnp.stack(at_each(_SECOND_AT_EACH, sites, sites), axis=-1)

    loops = lambda *system: second_by_loop(system[0], *system)
    return by_platform(loops, tiles, positions, moments, mask)


@jax.custom_jvp
def _third_at(positions: Array, moments: Array, mask: Array) -> Array:
    """xxx, xxy, xxz, xyy, xyz, yyy, yyz of a third of the octupole at each dipole, (n, 7)."""

    def tiles(*system: Array) -> Array:
        sites = sites_of(*system)
        return jnp.stack(at_each(_THIRD_AT_EACH, sites, sites), axis=-1)

    return by_platform(third_by_loop, tiles, positions, moments, mask)


def _differentiate_plainly(function: Callable[..., Any], plain: Callable[..., Any]) -> None:
    """Give a sum the derivatives of the same sum written row by row: those of higher order."""

    @partial(function.defjvp)  # type: ignore[attr-defined]
    def rule(primals: Any, tangents: Any) -> tuple[Array, Array]:
        positions, moments, mask = primals
        _, change = jax.jvp(lambda p, m: plain(p, m, mask), (positions, moments), tangents[:2])
        return function(*primals), change


def _plain_second(positions: Array, moments: Array, mask: Array) -> Array:
    moments = jnp.where(mask, moments, 0)
    index = jnp.arange(len(mask))

    @jax.checkpoint
    def row(i: Array) -> Array:
        unit, weight = pair_differences(positions[i], positions, mask & mask[i] & (index != i))
        x, y, z = unit.T
        return jnp.stack([x * x, y * y, z * z, x * y, x * z, y * z]) @ (weight * moments)

    return jax.lax.map(row, index)


def _plain_third(positions: Array, moments: Array, mask: Array) -> Array:
    moments = jnp.where(mask, moments, 0)
    index = jnp.arange(len(mask))

    @jax.checkpoint
    def row(i: Array) -> Array:
        included = mask & mask[i] & (index != i)
        unit, weight = pair_differences(positions[i], positions, included)
        inverse = jnp.where(included, weight, 1.0) ** (1 / 3)
        x, y, z = unit.T
        xx, yy = 5 * x * x - 1, 5 * y * y - 1
        elements = [x * (xx - 2), y * xx, z * xx, x * yy, 5 * x * y * z, y * (yy - 2), z * yy]
        return jnp.stack(elements) @ (weight * inverse * moments)

    return jax.lax.map(row, index)


_differentiate_plainly(_second_at, _plain_second)
_differentiate_plainly(_third_at, _plain_third)


def pair_tensor(difference: Float[Array, "k 3"]) -> Float[Array, "k 6"]:
    """(I − 3 r̂ r̂ᵀ)/r³ in nm⁻³ for each r (nm), as xx, yy, zz, xy, xz, yz; zero for r = 0."""
    x, y, z = difference.T
    squared = _apart(x * x + y * y + z * z)
    return traceless(jnp.stack(_second_moments(x, y, z, squared, jnp.ones_like(x)))).T


def finite_or_nan(sums: Array) -> Array:
    """The sums, or NaN for all of them if one is not finite."""
    return jnp.where(jnp.all(jnp.isfinite(sums)), sums, jnp.nan)


def traceless(second: Array) -> Array:
    """Σ (I − 3 r̂ r̂ᵀ)/r³ from Σ r rᵀ/r⁵, both as xx, yy, zz, xy, xz, yz along the first axis."""
    return jnp.stack(_traceless(*second))


def _traceless(xx: Array, yy: Array, zz: Array, xy: Array, xz: Array, yz: Array) -> list[Array]:
    return [yy + zz - 2 * xx, xx + zz - 2 * yy, xx + yy - 2 * zz, -3 * xy, -3 * xz, -3 * yz]


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
    """r², or inf at r = 0: a dipole adds nothing to the sum at its own place."""
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


_SECOND = Kernel(_second, (jnp.add,) * 6, rows=6)
_CLOSEST = Kernel(_second_and_distance, (jnp.add,) * 6 + (smaller,), rows=5)
_SECOND_AT_EACH = Kernel(_second_at_each, (jnp.add,) * 6, rows=4)
_SECOND_AT_POINTS = Kernel(_second_at_points, (jnp.add,) * 6, rows=4)
_THIRD_AT_EACH = Kernel(_third_at_each, (jnp.add,) * 7, rows=4)
