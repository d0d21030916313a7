"""Choices of a random packing: which proposals were accepted, as numbers uniform in [0, 1).

Nothing here is differentiated. The loops are bounded, and written so that many samples run side
by side under `vmap`: random numbers come in tables, several proposals are judged at a time, and the
first acceptable one is taken, which is the same as trying them one after the other.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ..numerics.random_numbers import uniform_numbers
from .containers import AbstractContainer, unit_vector


STEPS, JUDGED, MOST_JUDGED = 8, 1024, 128
"""Steps to a table of random numbers; pairs of crystals, and at most proposals, judged in one."""

WORKERS = 128
"""Packings grown side by side under `vmap`; whichever is complete makes place for the next."""

FIRST_CANDIDATES = 32
"""Places drawn for a first crystal, of which the first that leaves room for another is taken."""

SPARE, MOST_OFFERS = 6, 60
"""Candidates beyond the places on a sphere, and how often they are offered."""

EXTRA_CANDIDATES, MOST_EXTRA = 6, 12
"""Candidates for each extra dipole, and the most extra dipoles on one crystal."""


class Growth(eqx.Module):
    """How crystals were placed one after the other.

    Crystal 0 lies where `first` says; crystal i + 1 touches `parent[i]`, and `uniform[i]` gives the
    direction to it (2) and the ligand thickness at the parent and at itself.
    """

    first: Float[Array, "3"]
    parent: Int[Array, " contacts"]
    uniform: Float[Array, "contacts 4"]
    starts: Int[Array, ""]
    complete: Bool[Array, ""]


class Rules(NamedTuple):
    """Sizes in nm (`volume` in nm³) that the packing obeys."""

    container: AbstractContainer
    volume: Float[Array, ""]
    diameter: Float[Array, ""]
    ligand_mean: Float[Array, ""]
    ligand_sd: Float[Array, ""]

    def first_centre(self, uniform: Float[Array, "3"]) -> Float[Array, "3"]:
        """Where the first crystal lies."""
        return self.container.point(uniform, self.volume, self.diameter / 2)

    def step(self, uniform: Float[Array, "*b 4"]) -> Float[Array, "*b 3"]:
        """From a crystal's centre to that of the one that touches it."""
        gap = jnp.sum(self.thickness(uniform[..., 2:]), axis=-1)
        return (self.diameter + gap)[..., None] * unit_vector(uniform[..., :2])

    def thickness(self, uniform: Float[Array, "*b"]) -> Float[Array, "*b"]:
        """Normal law cut off below zero, by its inverse distribution function."""
        ratio = self.ligand_mean / self.ligand_sd
        above = (1 - uniform) * jax.scipy.special.ndtr(ratio)
        # of the normal law, whose own inverse in JAX is three times slower
        score = 2**0.5 * jax.lax.erf_inv(2 * above - 1)
        return jnp.maximum(self.ligand_mean - self.ligand_sd * score, 0)

    def share_below(self, thickness: Float[Array, ""]) -> Float[Array, ""]:
        """Probability of a thinner shell: the inverse of `thickness`, 1 for NaN and inf.

        NaN where it is too small to be told from 0 in this precision.
        """
        ndtr = jax.scipy.special.ndtr
        above = ndtr((self.ligand_mean - thickness) / self.ligand_sd)
        share = 1 - above / ndtr(self.ligand_mean / self.ligand_sd)
        # a share that rounding makes up would give shells of thickness 0
        share = jnp.where(share > 1000 * jnp.finfo(share.dtype).eps, share, jnp.nan)
        return jnp.where(jnp.isfinite(thickness), share, 1)

    def reach(self, centre: Float[Array, "*b 3"]) -> Float[Array, "*b"]:
        """Distance from a centre to the farthest place for another one."""
        return self.container.reach(centre, self.volume, self.diameter / 2)


class _State(NamedTuple):
    """A packing that grows: how many crystals are placed, how many proposals in a row refused."""

    tables: Array
    starts: Array
    placed: Array
    refused: Array
    first: Array
    parent: Array
    uniform: Array
    centers: Array

    @staticmethod
    def empty(n_crystals: int, dtype: Any) -> "_State":
        """Before the first start."""
        zero = jnp.zeros((), jnp.int32)
        centers = jnp.full((3, n_crystals), jnp.inf, dtype)
        room = max(n_crystals - 1, 1)  # nothing can be put into an array of none
        parent = jnp.zeros(room, jnp.int32)
        uniform = jnp.zeros((room, 4), dtype)
        first = jnp.zeros(3, dtype)
        return _State(zero, zero, zero, zero, first, parent, uniform, centers)


def grow(
    key: Key[Array, ""], n_crystals: int, rules: Rules, max_proposals: int, max_starts: int
) -> Growth:
    """Place crystals one after the other, each in contact with an earlier one.

    A start is given up, and another one made, when about `max_proposals` proposals in a row
    were refused; after `max_starts` of them `complete` is False.
    """
    empty = partial(_State.empty, n_crystals, rules.diameter.dtype)
    proceed = partial(_proceed, n_crystals=n_crystals, max_proposals=max_proposals)

    def unfinished(state: _State) -> Array:
        given_up = (state.starts >= max_starts) & (state.refused >= max_proposals)
        return (state.placed < n_crystals) & ~given_up

    @jax.custom_batching.custom_vmap
    def finish(key: Array, rules: Rules) -> _State:
        return jax.lax.while_loop(unfinished, lambda state: proceed(key, rules, state), empty())

    @finish.def_vmap
    def finish_many(size: int, batched: Any, key: Array, rules: Rules) -> tuple[_State, Any]:
        spread = lambda leaf, is_batched: (
            leaf if is_batched else jnp.broadcast_to(leaf, (size, *leaf.shape))
        )
        key, rules = jax.tree.map(spread, (key, rules), tuple(batched))
        states = _in_turns(proceed, unfinished, empty(), key, rules)
        return states, jax.tree.map(lambda _: True, states)

    state = finish(key, rules)
    complete = state.placed == n_crystals
    contacts = slice(n_crystals - 1)
    return Growth(
        state.first, state.parent[contacts], state.uniform[contacts], state.starts, complete
    )


def _in_turns(
    proceed: Callable[..., _State],
    unfinished: Callable[[_State], Array],
    empty: _State,
    keys: Array,
    rules: Rules,
) -> _State:
    """Grow many packings, a limited number at a time, so that none waits for the slowest."""
    size = len(keys)
    workers = min(WORKERS, size)
    start = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (workers, *leaf.shape)), empty)
    results = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (size, *leaf.shape)), empty)
    task = jnp.arange(workers, dtype=jnp.int32)

    def turn(carry: tuple[Array, Array, _State, _State]) -> tuple[Array, Array, _State, _State]:
        task, following, states, results = carry
        mine = jnp.minimum(task, size - 1)
        own_rules = jax.tree.map(lambda leaf: leaf[mine], rules)
        states = jax.vmap(proceed)(keys[mine], own_rules, states)
        done = ~jax.vmap(unfinished)(states) & (task < size)
        at = jnp.where(done, task, size)  # out of bounds: dropped
        results = jax.tree.map(lambda all, one: all.at[at].set(one, mode="drop"), results, states)
        following_tasks = following + jnp.cumsum(done, dtype=task.dtype) - 1
        task = jnp.where(done, following_tasks, task)
        states = jax.tree.map(
            lambda one, fresh: jnp.where(jnp.expand_dims(done, range(1, one.ndim)), fresh, one),
            states,
            empty,
        )
        return task, following + jnp.sum(done, dtype=task.dtype), states, results

    busy = lambda carry: jnp.any(carry[0] < size)
    following = jnp.array(workers, task.dtype)
    return jax.lax.while_loop(busy, turn, (task, following, start, results))[-1]


def _proceed(
    key: Key[Array, ""], rules: Rules, state: _State, *, n_crystals: int, max_proposals: int
) -> _State:
    """Judge one table of proposals, after a new start where one is due."""
    dtype = rules.diameter.dtype
    at_once = min(max(JUDGED // n_crystals, 4), MOST_JUDGED)
    table_key, first_key = jax.random.split(jax.random.fold_in(key, state.tables))
    again = (state.placed == 0) | (state.refused >= max_proposals)
    first = jnp.where(again, _first_place(first_key, rules), state.first)
    origin = rules.first_centre(first)
    centers = jnp.where(again, jnp.inf, state.centers).at[:, 0].set(origin)
    table = uniform_numbers(table_key, (STEPS, at_once, 5), dtype)
    if n_crystals == 2:
        # a second crystal beyond reach of the first would only be refused: none is proposed
        share = rules.share_below(rules.reach(origin) - rules.diameter)
        table = table.at[..., 2:4].multiply(share)
    moves = rules.step(table[..., :4])
    state = _State(
        state.tables + 1,
        state.starts + again.astype(jnp.int32),
        jnp.where(again, 1, state.placed),
        jnp.where(again, 0, state.refused),
        first,
        state.parent,
        state.uniform,
        centers,
    )

    def judge(i: Array, state: _State) -> _State:
        placed = state.placed
        parent = (table[i, :, 4] * placed.astype(dtype)).astype(jnp.int32)
        centre = state.centers[:, parent].T + moves[i]
        inside = rules.container.contains(centre, rules.volume, rules.diameter / 2)
        # places still empty are infinitely far
        squared = jnp.sum((centre[:, :, None] - state.centers) ** 2, axis=1)
        apart = jnp.min(squared, axis=-1) >= rules.diameter**2
        good = inside & apart & (placed < n_crystals)
        found, pick = jnp.any(good), jnp.argmax(good)
        at = jnp.where(found, placed, n_crystals)  # out of bounds: dropped
        return state._replace(
            placed=placed + found.astype(jnp.int32),
            refused=jnp.where(found, 0, state.refused + at_once),
            parent=state.parent.at[at - 1].set(parent[pick], mode="drop"),
            uniform=state.uniform.at[at - 1].set(table[i, pick, :4], mode="drop"),
            centers=state.centers.at[:, at].set(centre[pick], mode="drop"),
        )

    return jax.lax.fori_loop(0, STEPS, judge, state)


def _first_place(key: Key[Array, ""], rules: Rules) -> Array:
    """Uniform numbers of a first centre; one out of reach of any other would be given up later."""
    uniform = uniform_numbers(key, (FIRST_CANDIDATES, 3), rules.diameter.dtype)
    centre = jax.vmap(rules.first_centre)(uniform)
    return uniform[jnp.argmax(rules.reach(centre) >= rules.diameter)]


def scatter(
    key: Key[Array, ""], per_sphere: int, spheres: int, max_cosine: Float[Array, ""]
) -> tuple[Float[Array, "spheres per_sphere 3"], Bool[Array, ""]]:
    """Directions uniform on each sphere, one after the other, none within an angle of another.

    Candidates closer than `max_cosine` to an earlier one are refused and replaced. Returns unit
    vectors and whether all found a place.
    """
    # spheres along the last axis, over which XLA vectorizes
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
            near = jnp.any(cosine > max_cosine, axis=0)  # places still empty hold NaN
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
    """Unit vectors of the Fisher law exp(κ µ·r) about µ = `axis`, by its inverse.

    cos θ = 1 + ln(v + (1 − v) e^{−2κ})/κ for v uniform in [0, 1).
    """
    # −expm1 keeps 1 − cos θ exact for large κ
    below = -jnp.log1p((1 - uniform[..., 0]) * jnp.expm1(-2 * kappa)) / kappa
    below = jnp.minimum(below, 2)  # rounding makes it infinite at a large κ
    return turned(axis, below, uniform[..., 1])


def turned(
    axis: Float[Array, "*#b 3"], below: Float[Array, "*#b"], share: Float[Array, "*#b"]
) -> Float[Array, "*#b 3"]:
    """Unit vectors at the angle θ from `axis`, 1 − cos θ = `below`, `share` of a turn about it."""
    across, angle = jnp.sqrt(jnp.maximum(below * (2 - below), 0)), 2 * jnp.pi * share
    x, y, z = axis[..., 0], axis[..., 1], axis[..., 2]
    # a frame about the axis without a singular direction but −0 (Duff et al., JCGT 6, 1, 2017)
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
    """For each wanted place, the uniform numbers of a Fisher direction not too near to others.

    Near to what is on the same crystal: the dipoles that were there and the extra ones before
    it. Also returns whether all wanted ones found a place.
    """
    spheres, per_sphere, _ = taken.shape
    places = len(crystal)
    if places == 0:
        return jnp.zeros((0, 2), taken.dtype), jnp.ones((), bool)
    uniform = uniform_numbers(key, (places, EXTRA_CANDIDATES, 2), taken.dtype)
    candidates = fisher(uniform, axis[:, None], kappa)
    room = jnp.full((spheres, MOST_EXTRA, 3), jnp.nan, taken.dtype)
    slots = jnp.moveaxis(jnp.concatenate([taken, room], axis=1), -1, 1)

    def place(i: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
        slots, filled, picks, complete = state
        on = crystal[i]
        cosine = candidates[i] @ slots[on]
        good = ~jnp.any(cosine > max_cosine, axis=-1)  # places still empty hold NaN
        pick = jnp.argmax(good)
        found = wanted[i] & jnp.any(good) & (filled[on] < MOST_EXTRA)
        at = jnp.where(found, per_sphere + filled[on], per_sphere + MOST_EXTRA)
        slots = slots.at[on, :, at].set(candidates[i, pick], mode="drop")
        filled = filled.at[on].add(found.astype(jnp.int32))
        return (
            slots,
            filled,
            picks.at[i].set(pick.astype(jnp.int32)),
            complete & (found | ~wanted[i]),
        )

    state = (slots, jnp.zeros(spheres, jnp.int32))
    state += (jnp.zeros(places, jnp.int32), jnp.ones((), bool))
    _, _, picks, complete = jax.lax.fori_loop(0, places, place, state)
    return jnp.take_along_axis(uniform, picks[:, None, None], axis=1)[:, 0], complete
