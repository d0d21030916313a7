"""The few pairs of dipoles that contribute most to the tensor D."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Shaped

from ..foundation.errors import InputError, check_count
from .dipole_system import DipoleSystem
from .pair_kernels import Sites, padded, sites_of
from .pair_sums import finite_or_nan, pair_sum, traceless
from .tensor_projection import symmetric


_SHIFTS = 8
"""Shifts in one loop body: the running result is read and written once for all of them."""


class DominantPairs(eqx.Module):
    """Result of `dominant_pairs`: the strongest pairs of an arrangement, strongest first.

    Args:
        first: The smaller index of the two sites.
        second: The larger one.
        distance: r in nm.
        strength: |mᵢmⱼ|/r³ in µB²/nm³.
        share: The pair's part of D, Dᵢⱼ:D/(D:D) with Dᵢⱼ its own term of the sum. The shares of
            all pairs add up to 1; a pair that opposes the others has a negative share.
        cumulative: The sum of the shares down to the pair. It can exceed 1.
        same_crystal: Whether both dipoles are on one crystal; None if the system has no crystals.
        with_extra: Whether one or both dipoles are extra; None if the system does not say.

    All have the shape (count,). If there are fewer pairs than that, the other places have the
    indices −1, distance inf, strength and share 0, and both labels False.
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
        """How many of the strongest pairs are needed to make up a fraction of D.

        Args:
            fraction: The fraction, 0.9 for example.

        Returns:
            The first k with `cumulative` ≥ `fraction`; 0 for a fraction of 0. If the listed pairs
            do not suffice, or the shares are NaN, it is their number + 1.
        """
        carried = jnp.append(jnp.zeros((), self.cumulative.dtype), self.cumulative)
        enough = carried >= jnp.asarray(fraction, carried.dtype)
        number = jnp.where(jnp.any(enough), jnp.argmax(enough), len(carried))
        return number.astype(jnp.int32)


def dominant_pairs(
    system: DipoleSystem, count: int = 64, *, between_crystals: bool = False
) -> DominantPairs:
    """The pairs of largest |mᵢmⱼ|/r³, and what each contributes to D.

    Args:
        system: The dipoles. Masked sites and pairs with a zero moment are left out.
        count: How many pairs to list.
        between_crystals: Whether to leave out pairs on the same crystal. D is then the sum over
            pairs of different crystals only, and shares are parts of that sum.

    Returns:
        The pairs, strongest first. Two unmasked dipoles at the same place come first with infinite
        strength, and all shares are NaN. Shares are also NaN if D vanishes or a position is NaN.

    Raises:
        InputError: If `count` is below 1, or for `between_crystals` if the system has no crystals.

    Memory is needed for `count` × n numbers, never for n × n. The result has no derivatives.

    >>> import jax.numpy as jnp
    >>> sites = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.5], [4.0, 0.0, 0.0]])
    >>> pairs = dominant_pairs(DipoleSystem(sites, volume=8.0), count=2)
    >>> print(pairs.first, pairs.second, pairs.distance)
    [0 0] [1 2] [0.5 4. ]
    >>> print(f"{pairs.share[0]:.3f}", pairs.number_carrying(0.9))
    1.002 1
    """
    check_count("count", count)
    if between_crystals and system.crystal is None:
        raise InputError(
            "between_crystals",
            given=True,
            expected="a system with the crystal of each dipole",
            hint="Give the DipoleSystem its {crystal}, or draw it from a NanocrystalPacking",
        )
    return _dominant_pairs(system, int(count), bool(between_crystals))


@partial(jax.jit, static_argnums=(1, 2))
def _dominant_pairs(system: DipoleSystem, count: int, between_crystals: bool) -> DominantPairs:
    crystal = system.crystal if between_crystals else None
    positions, moments, mask = jax.lax.stop_gradient(
        (system.positions, system.moments, system.mask)
    )
    ring = _Ring(sites_of(positions, moments, mask), crystal)
    first, second, strength = ring.strongest(count)

    real = strength > 0
    difference = jnp.where(real[:, None], positions[second] - positions[first], jnp.inf)
    distance = jnp.linalg.norm(difference, axis=-1)
    unit = difference / distance[:, None]
    D = symmetric(pair_sum(positions, moments, mask) if crystal is None else ring.pair_sum())
    # D:D of a close pair grows as r⁻⁶ and overflows in float32
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


@final
class _Ring:
    """Sites on a ring: row i holds the pairs of site i with the half ring of sites behind it.

    Each pair is then in exactly one row. If the `crystal` of each site is given, only pairs of
    different crystals count.
    """

    def __init__(self, sites: Sites, crystal: Array | None):
        n = len(sites[0])
        # an odd number of sites, or each pair across the ring would be in two rows
        self.size = n + 1 - n % 2
        self.half = (self.size - 1) // 2
        self.sites = padded(sites, self.size)
        self.crystal = None if crystal is None else jnp.pad(crystal, (0, self.size - n))

    def strongest(self, count: int) -> tuple[Array, Array, Array]:
        """Lower and higher index and strength of the strongest pairs; strength 0 in empty places.

        Each of the `count` strongest pairs is in one of the `count` rows whose best pairs are
        strongest; otherwise each of these rows would hold a stronger pair. One pass finds the best
        pair of each row, and only the pairs of the chosen rows are computed in full.
        """
        rows = min(count, self.size)
        _, row = jax.lax.top_k(-self._closest_in_row(), rows)

        column = (row[:, None] + 1 + jnp.arange(self.half, dtype=row.dtype)) % self.size
        x, y, z, moment = ((site[row, None], site[column]) for site in self.sites)
        dx, dy, dz = (b - a for a, b in (x, y, z))
        inverse = jax.lax.rsqrt(dx * dx + dy * dy + dz * dz)
        strength = jnp.abs(moment[0] * moment[1]) * (inverse * inverse * inverse)
        # an unmasked site with a NaN position has no pairs
        strength = jnp.where(strength > 0, strength, 0)
        if self.crystal is not None:
            same = self.crystal[row, None] == self.crystal[column]
            strength = jnp.where(same, 0, strength)
        strength, place = _largest(strength.reshape(-1), count)
        if self.half:
            one, other = row[place // self.half], column.reshape(-1)[place]
        else:
            one = other = place
        real = strength > 0
        first, second = jnp.minimum(one, other), jnp.maximum(one, other)
        return jnp.where(real, first, 0), jnp.where(real, second, 0), strength

    def pair_sum(self) -> Float[Array, "6"]:
        """`pair_sums.pair_sum` over the pairs of different crystals only."""
        x, y, z, moment = self.sites

        def add(sums: Sequence[Array], others: Sequence[Array]) -> Sequence[Array]:
            xs, ys, zs, ms, *crystals = others
            dx, dy, dz = xs - x, ys - y, zs - z
            inverse = jax.lax.rsqrt(dx * dx + dy * dy + dz * dz)
            weight = moment * ms * inverse**3
            if crystals:
                weight = jnp.where(crystals[0] == self.crystal, 0, weight)
                inverse = jnp.where(crystals[0] == self.crystal, 0, inverse)
            ux, uy, uz = dx * inverse, dy * inverse, dz * inverse
            products = (ux * ux, uy * uy, uz * uz, ux * uy, ux * uz, uy * uz)
            return [total + weight * product for total, product in zip(sums, products, strict=True)]

        start = [jnp.zeros(self.size, x.dtype)] * 6
        sums = jnp.stack(self._over_shifts(add, start, self.sites))
        return finite_or_nan(traceless(jnp.sum(sums, axis=1)))

    def _closest_in_row(self) -> Array:
        """(|mᵢmⱼ|/r³)^(−2/3) of the strongest pair of each row, inf if no pair has moments."""
        x, y, z, moment = self.sites
        weight = jnp.abs(moment) ** (-2 / 3)

        def nearer(best: Array, others: Sequence[Array]) -> Array:
            xs, ys, zs, ws, *crystals = others
            dx, dy, dz = xs - x, ys - y, zs - z
            key = (dx * dx + dy * dy + dz * dz) * ws
            better = key < best  # False for a NaN
            if crystals:
                better &= crystals[0] != self.crystal
            return jnp.where(better, key, best)

        start = jnp.full(self.size, jnp.inf, x.dtype)
        key = self._over_shifts(nearer, start, (x, y, z, weight)) * weight
        return jnp.where(jnp.isnan(key), jnp.inf, key)

    def _over_shifts(
        self,
        step: Callable[[Any, Sequence[Array]], Any],
        start: Any,
        columns: Sequence[Array],
    ) -> Any:
        """Apply `step` for each shift around half of the ring.

        It gets the `columns` of the sites at that place behind each site, and their crystals.
        """
        columns = columns if self.crystal is None else (*columns, self.crystal)
        twice = [jnp.concatenate([column, column]) for column in columns]

        def shift(k: Array | int, value: Any) -> Any:
            return step(value, [jax.lax.dynamic_slice(c, (k,), (self.size,)) for c in twice])

        def shifts(body: Array, value: Any) -> Any:
            for k in range(_SHIFTS):
                value = shift(body * _SHIFTS + k + 1, value)
            return value

        value = jax.lax.fori_loop(0, self.half // _SHIFTS, shifts, start)
        rest = self.half // _SHIFTS * _SHIFTS
        return jax.lax.fori_loop(rest, self.half, lambda k, value: shift(k + 1, value), value)


def _largest(values: Array, count: int) -> tuple[Array, Array]:
    """The largest values (not negative) and their places; missing ones are 0 at place 0.

    The largest values are in the `count` groups whose largest value is largest. Two small searches
    replace `top_k` of the whole array, for which XLA's CPU backend sorts all of it in float64.
    """
    size = max(1, math.isqrt(len(values) // count))
    groups = max(count, -(-len(values) // size))
    grouped = jnp.pad(values, (0, groups * size - len(values))).reshape(size, groups)
    _, group = jax.lax.top_k(jnp.max(grouped, axis=0), count)
    largest, place = jax.lax.top_k(grouped[:, group].reshape(-1), count)
    place = place // count * groups + group[place % count]
    return largest, jnp.where(place < len(values), place, 0)
