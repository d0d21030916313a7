"""The few pairs of dipoles that make most of the tensor D."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Shaped

from .dipoles import DipoleSystem
from .pairsum import Sites, _padded, _sites, pair_sum
from .tensor import symmetric


_SHIFTS = 8
"""Shifts of a loop body, which share the reading and writing of the minimum."""


class DominantPairs(eqx.Module):
    """Result of `dominant_pairs`: the strongest pairs of an arrangement, strongest first.

    `first` < `second` are indices of sites, `distance` in nm, `strength` |mᵢmⱼ|/r³ in µB²/nm³.
    `share` is the part of D that the pair makes, Dᵢⱼ:D/(D:D) with Dᵢⱼ its own term of the
    sum: all pairs together have 1, one that opposes the others has less than 0.
    `cumulative` is the sum of the shares down to the pair, and can therefore exceed 1.

    `same_crystal` and `with_extra` (one dipole at least is extra) are None where the system has
    no such labels. Where there are fewer pairs than places, the others have indices −1,
    distance inf, strength and share 0, and both labels False.
    """

    first: Int[Array, " count"]
    second: Int[Array, " count"]
    distance: Float[Array, " count"]
    strength: Float[Array, " count"]
    share: Float[Array, " count"]
    cumulative: Float[Array, " count"]
    same_crystal: Bool[Array, " count"] | None
    with_extra: Bool[Array, " count"] | None

    def number_carrying(self, fraction: Shaped[ArrayLike, ""]) -> Int[Array, ""]:
        """The smallest k such that the k strongest pairs carry that fraction of D, or more.

        Measured by the projection on D: the first k with `cumulative` ≥ `fraction`, 0 for a
        fraction of 0. It is the number of kept pairs + 1 where these do not carry it, and
        where the shares are NaN.
        """
        carried = jnp.append(jnp.zeros((), self.cumulative.dtype), self.cumulative)
        enough = carried >= jnp.asarray(fraction, carried.dtype)
        number = jnp.where(jnp.any(enough), jnp.argmax(enough), len(carried))
        return number.astype(jnp.int32)


def dominant_pairs(system: DipoleSystem, count: int = 64) -> DominantPairs:
    """The `count` pairs of largest |mᵢmⱼ|/r³ and what each contributes to D.

    Takes memory for `count` × n numbers, never n × n. Masked sites and pairs with a zero moment
    take no part. Two unmasked dipoles at the same place come first with infinite strength, and
    all shares are NaN, as they are where D vanishes or a position is NaN. There are no
    derivatives.

    Raises `ValueError` for a `count` below 1.

    >>> import jax.numpy as jnp
    >>> sites = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.5], [4.0, 0.0, 0.0]])
    >>> pairs = dominant_pairs(DipoleSystem(sites, volume=8.0), count=2)
    >>> print(pairs.first, pairs.second, pairs.distance)
    [0 0] [1 2] [0.5 4. ]
    >>> print(f"{pairs.share[0]:.3f}", pairs.number_carrying(0.9))
    1.002 1
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    positions, moments, mask = jax.lax.stop_gradient(
        (system.positions, system.moments, system.mask)
    )
    first, second, strength = _strongest(_sites(positions, moments, mask), count)

    real = strength > 0
    difference = jnp.where(real[:, None], positions[second] - positions[first], jnp.inf)
    distance = jnp.linalg.norm(difference, axis=-1)
    unit = difference / distance[:, None]
    D = symmetric(pair_sum(positions, moments, mask))
    # D:D of a close pair goes with r⁻⁶, too much for float32
    size = jnp.max(jnp.abs(D))
    scaled = D / size
    along = jnp.trace(scaled) - 3 * jnp.einsum("ka,ab,kb->k", unit, scaled, unit)
    product = jnp.sign(moments[first] * moments[second]) * strength
    share = jnp.where(real, product / size * along / jnp.sum(scaled * scaled), 0)

    labels: dict[str, Array | None] = {"same_crystal": None, "with_extra": None}
    if system.crystal is not None:
        labels["same_crystal"] = real & (system.crystal[first] == system.crystal[second])
    if system.extra is not None:
        labels["with_extra"] = real & (system.extra[first] | system.extra[second])
    return DominantPairs(
        jnp.where(real, first, -1),
        jnp.where(real, second, -1),
        distance,
        strength,
        share,
        jnp.cumsum(share),
        **labels,
    )


def _strongest(sites: Sites, count: int) -> tuple[Array, Array, Array]:
    """Lower and higher index and strength of the strongest pairs; strength 0 where there is none.

    Row i holds the pairs of site i with the half ring of sites that follows it, so that each
    pair is in one row. A row that holds one of the `count` strongest pairs is among the `count`
    rows whose best pair is strongest: else each of these held a stronger one. So the rows are
    chosen in one pass that keeps a number of each, and only those are looked at in full.
    """
    n = len(sites[0])
    # an odd number of sites, or each pair across the ring would be in two rows
    ring = n + 1 - n % 2
    sites = _padded(sites, ring)
    half = (ring - 1) // 2
    rows = min(count, ring)
    _, row = jax.lax.top_k(-_closest_in_row(sites, half), rows)

    column = (row[:, None] + 1 + jnp.arange(half, dtype=row.dtype)) % ring
    x, y, z, moment = ((site[row, None], site[column]) for site in sites)
    dx, dy, dz = (b - a for a, b in (x, y, z))
    inverse = jax.lax.rsqrt(dx * dx + dy * dy + dz * dz)
    strength = jnp.abs(moment[0] * moment[1]) * (inverse * inverse * inverse)
    # NaN, from an unmasked site, is no pair
    strength = jnp.where(strength > 0, strength, 0).reshape(-1)
    strength, place = _largest(strength, count)
    if half:
        one, other = row[place // half], column.reshape(-1)[place]
    else:
        one = other = place
    real = strength > 0
    first, second = jnp.minimum(one, other), jnp.maximum(one, other)
    return jnp.where(real, first, 0), jnp.where(real, second, 0), strength


def _largest(values: Array, count: int) -> tuple[Array, Array]:
    """The largest values (not negative) and their places; values of 0 at place 0 fill up.

    The same step once more: the largest lie in the `count` groups whose largest is largest.
    XLA's CPU backend sorts all of an array in float64 to find a few.
    """
    size = max(1, math.isqrt(len(values) // count))
    groups = max(count, -(-len(values) // size))
    grouped = jnp.pad(values, (0, groups * size - len(values))).reshape(size, groups)
    _, group = jax.lax.top_k(jnp.max(grouped, axis=0), count)
    largest, place = jax.lax.top_k(grouped[:, group].reshape(-1), count)
    place = place // count * groups + group[place % count]
    return largest, jnp.where(place < len(values), place, 0)


def _closest_in_row(sites: Sites, half: int) -> Array:
    """(|mᵢmⱼ|/r³)^(−2/3) of the strongest pair of each row, inf where none has a moment."""
    x, y, z, moment = sites
    n = len(x)
    weight = jnp.abs(moment) ** (-2 / 3)
    twice = [jnp.concatenate([site, site]) for site in (x, y, z, weight)]

    def shift(k: Array | int, best: Array) -> Array:
        xs, ys, zs, ws = (jax.lax.dynamic_slice(site, (k,), (n,)) for site in twice)
        dx, dy, dz = xs - x, ys - y, zs - z
        key = (dx * dx + dy * dy + dz * dz) * ws
        return jnp.where(key < best, key, best)  # a NaN is passed over

    def shifts(step: Array, best: Array) -> Array:
        for k in range(_SHIFTS):
            best = shift(step * _SHIFTS + k + 1, best)
        return best

    best = jnp.full(n, jnp.inf, x.dtype)
    best = jax.lax.fori_loop(0, half // _SHIFTS, shifts, best)
    for k in range(half // _SHIFTS * _SHIFTS, half):
        best = shift(k + 1, best)
    key = best * weight
    return jnp.where(jnp.isnan(key), jnp.inf, key)
