"""Dipoles on the surfaces of crystals: uniform ones, and extra ones around the contacts.

Only the random choices are made here; they have no derivative. `fisher` and `turned`, which make
directions from them, are differentiable.
"""

from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ..numerics.random_numbers import uniform_numbers
from .containers import unit_vector


SPARE: Final = 6
"""Candidates in one round, beyond the number of dipoles on a sphere."""

MOST_OFFERS: Final = 60
"""The most rounds of candidates."""

EXTRA_CANDIDATES: Final = 6
"""Candidates for each extra dipole; the first one with enough room is taken."""

MOST_EXTRA: Final = 12
"""The most extra dipoles on one crystal."""


class _Placing(NamedTuple):
    """Extra dipoles being placed.

    `slots` holds the directions on each sphere, NaN in empty slots; `filled` the number of
    extra dipoles on it; `picks` the candidate taken for each place.
    """

    slots: Array
    filled: Array
    picks: Array
    complete: Array


def scatter(
    key: Key[Array, ""], per_sphere: int, spheres: int, max_cosine: Float[Array, ""]
) -> tuple[Float[Array, "spheres per_sphere 3"], Bool[Array, ""]]:
    """Uniform directions on each sphere, no two of them closer than an angle.

    They are placed one after the other. A candidate is refused if the cosine of its angle to an
    earlier one is above `max_cosine`. Returns unit vectors, and whether all found a place.
    """
    # spheres are on the last axis, because XLA vectorizes over that one
    place = jnp.arange(per_sphere, dtype=jnp.int32)[:, None]
    offered = per_sphere + SPARE

    def offer(state: tuple[Array, ...]) -> tuple[Array, ...]:
        number, taken, count = state
        uniform = uniform_numbers(
            jax.random.fold_in(key, number), (offered, spheres, 2), max_cosine.dtype
        )
        candidates = jnp.moveaxis(unit_vector(uniform), -1, 1)[:, :, None]

        def judge(i: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
            taken, count = state
            cosine = jnp.sum(candidates[i] * taken, axis=0)
            near = jnp.any(cosine > max_cosine, axis=0)  # empty places hold NaN: never near
            put = ~near & (place == count)
            placed = (~near & (count < per_sphere)).astype(jnp.int32)
            return jnp.where(put, candidates[i], taken), count + placed

        return (number + 1, *jax.lax.fori_loop(0, offered, judge, (taken, count)))

    unfinished = lambda state: (state[0] < MOST_OFFERS) & jnp.any(state[2] < per_sphere)
    empty = jnp.full((3, per_sphere, spheres), jnp.nan, max_cosine.dtype)
    zero = jnp.zeros((), jnp.int32)
    state = (zero, empty, jnp.zeros(spheres, jnp.int32))
    _, taken, count = jax.lax.while_loop(unfinished, offer, state)
    return jnp.transpose(taken, (2, 1, 0)), jnp.all(count == per_sphere)


def fisher(
    uniform: Float[Array, "*#b 2"], axis: Float[Array, "*#b 3"], kappa: Float[Array, ""]
) -> Float[Array, "*#b 3"]:
    """Unit vectors of the Fisher law exp(κ µ·r) around µ = `axis`, from uniform numbers.

    By the inverse of its distribution function: cos θ = 1 + ln(v + (1 − v) e^{−2κ})/κ for v
    uniform in [0, 1).
    """
    # −expm1 keeps 1 − cos θ exact for large κ
    below = -jnp.log1p((1 - uniform[..., 0]) * jnp.expm1(-2 * kappa)) / kappa
    below = jnp.minimum(below, 2)  # at a large κ rounding can make it infinite
    return turned(axis, below, uniform[..., 1])


def turned(
    axis: Float[Array, "*#b 3"], below: Float[Array, "*#b"], share: Float[Array, "*#b"]
) -> Float[Array, "*#b 3"]:
    """Unit vectors at an angle θ from `axis`.

    `below` is 1 − cos θ, which stays exact at small angles; `share` is the turn around the axis as
    a share of a full turn.
    """
    across, angle = jnp.sqrt(jnp.maximum(below * (2 - below), 0)), 2 * jnp.pi * share
    x, y, z = axis[..., 0], axis[..., 1], axis[..., 2]
    # two vectors perpendicular to the axis; only z = −0 is singular (Duff, JCGT 6, 1, 2017)
    sign = jnp.where(z < 0, -1.0, 1.0).astype(z.dtype)
    a = -1 / (sign + z)
    b = x * y * a
    one = jnp.stack([1 + sign * x * x * a, sign * b, -sign * x], axis=-1)
    two = jnp.stack([b, sign + y * y * a, -y], axis=-1)
    round_it = jnp.cos(angle)[..., None] * one + jnp.sin(angle)[..., None] * two
    return (1 - below)[..., None] * axis + across[..., None] * round_it


def add_extra(
    key: Key[Array, ""],
    taken: Float[Array, "spheres per_sphere 3"],
    crystal: Int[Array, " places"],
    axis: Float[Array, "places 3"],
    wanted: Bool[Array, " places"],
    kappa: Float[Array, ""],
    max_cosine: Float[Array, ""],
) -> tuple[Float[Array, "places 2"], Bool[Array, ""]]:
    """Place the extra dipoles: the uniform numbers of a Fisher direction for each wanted one.

    A candidate is refused if the cosine of its angle to another dipole of the crystal is above
    `max_cosine`. The others are those in `taken` and the extra ones before it. Also returns
    whether all wanted ones found a place.
    """
    spheres, per_sphere, _ = taken.shape
    places = len(crystal)
    if places == 0:
        return jnp.zeros((0, 2), taken.dtype), jnp.ones((), bool)
    uniform = uniform_numbers(key, (places, EXTRA_CANDIDATES, 2), taken.dtype)
    candidates = fisher(uniform, axis[:, None], kappa)
    room = jnp.full((spheres, MOST_EXTRA, 3), jnp.nan, taken.dtype)
    slots = jnp.moveaxis(jnp.concatenate([taken, room], axis=1), -1, 1)

    def place(i: Array, state: _Placing) -> _Placing:
        slots, filled, picks, complete = state
        on = crystal[i]
        cosine = candidates[i] @ slots[on]
        good = ~jnp.any(cosine > max_cosine, axis=-1)  # empty places hold NaN: never near
        pick = jnp.argmax(good)
        found = wanted[i] & jnp.any(good) & (filled[on] < MOST_EXTRA)
        at = jnp.where(found, per_sphere + filled[on], per_sphere + MOST_EXTRA)
        slots = slots.at[on, :, at].set(candidates[i, pick], mode="drop")
        filled = filled.at[on].add(found.astype(jnp.int32))
        picks = picks.at[i].set(jnp.where(wanted[i], pick, 0).astype(jnp.int32))
        return _Placing(slots, filled, picks, complete & (found | ~wanted[i]))

    zeros = lambda count: jnp.zeros(count, jnp.int32)
    state = _Placing(slots, zeros(spheres), zeros(places), jnp.ones((), bool))
    placed = jax.lax.fori_loop(0, places, place, state)
    chosen = jnp.take_along_axis(uniform, placed.picks[:, None, None], axis=1)[:, 0]
    return chosen, placed.complete
