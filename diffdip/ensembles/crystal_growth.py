"""The growth of a packing: crystals are placed one after the other, each touching an earlier one.

Only the random choices are made here, as numbers uniform in [0, 1); nothing is differentiated. All
loops are bounded, and many samples run side by side under `vmap`. For speed, random numbers come in
tables, and several proposals are judged at a time. The first acceptable one is taken: the result is
the same as when they are tried one after the other. On a CPU with numba that is done, by
`kernels.packing_loops`, which makes the same choices: change both together.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ..numerics.random_numbers import uniform_numbers
from .containers import AbstractContainer, unit_vector


STEPS: Final = 8
"""Steps for which one table of random numbers lasts; a step places one crystal at most."""

JUDGED: Final = 1024
"""Pairs of crystals that one step compares, about. More proposals would mostly be wasted."""

MOST_JUDGED: Final = 128
"""The most proposals in one step."""

WORKERS: Final = 128
"""Packings that grow side by side under `vmap`. A complete one makes room for the next."""

FIRST_CANDIDATES: Final = 32
"""Places drawn for a first crystal. The first one that leaves room for a second is taken."""


class Growth(eqx.Module):
    """The random choices that placed the crystals.

    Args:
        first: The place of crystal 0, as numbers uniform in [0, 1).
        parent: The earlier crystal that crystal i + 1 touches.
        uniform: Numbers uniform in [0, 1) for that contact: two for its direction, one for the
            ligand thickness on the parent, and one for the thickness on the crystal itself.
        starts: How many starts were made.
        complete: Whether the last start placed all crystals.
    """

    first: Float[Array, "3"]
    parent: Int[Array, " contacts"]
    uniform: Float[Array, "contacts 4"]
    starts: Int[Array, ""]
    complete: Bool[Array, ""]


class PackingRules(NamedTuple):
    """The container and the sizes of a packing, in nm (`volume` in nm³)."""

    container: AbstractContainer
    volume: Float[Array, ""]
    diameter: Float[Array, ""]
    ligand_mean: Float[Array, ""]
    ligand_sd: Float[Array, ""]

    def first_centre(self, uniform: Float[Array, "3"]) -> Float[Array, "3"]:
        """Centre of the first crystal, from three uniform numbers."""
        return self.container.point(uniform, self.volume, self.diameter / 2)

    def step(self, uniform: Float[Array, "*b 4"]) -> Float[Array, "*b 3"]:
        """The vector from a crystal's centre to the centre of one that touches it."""
        gap = jnp.sum(self.thickness(uniform[..., 2:]), axis=-1)
        return (self.diameter + gap)[..., None] * unit_vector(uniform[..., :2])

    def thickness(self, uniform: Float[Array, "*b"]) -> Float[Array, "*b"]:
        """Ligand thickness in nm: the quantile of a normal law that is cut off below zero."""
        ratio = self.ligand_mean / self.ligand_sd
        above = (1 - uniform) * jax.scipy.special.ndtr(ratio)
        # the quantile of the normal law; `ndtri` of JAX is three times slower
        score = 2**0.5 * jax.lax.erf_inv(2 * above - 1)
        return jnp.maximum(self.ligand_mean - self.ligand_sd * score, 0)

    def share_below(self, thickness: Float[Array, ""]) -> Float[Array, ""]:
        """Probability of a thinner ligand shell: the inverse of `thickness`.

        1 for NaN and inf. NaN if the probability is too small for this precision.
        """
        ndtr = jax.scipy.special.ndtr
        above = ndtr((self.ligand_mean - thickness) / self.ligand_sd)
        share = 1 - above / ndtr(self.ligand_mean / self.ligand_sd)
        # below this the share is a rounding error, and would give shells of thickness 0
        share = jnp.where(share > 1000 * jnp.finfo(share.dtype).eps, share, jnp.nan)
        return jnp.where(jnp.isfinite(thickness), share, 1)

    def reach(self, centre: Float[Array, "*b 3"]) -> Float[Array, "*b"]:
        """Distance from a centre to the farthest place for another centre."""
        return self.container.reach(centre, self.volume, self.diameter / 2)


class _Growing(NamedTuple):
    """A packing that grows.

    `tables` of random numbers were used so far, `placed` crystals are in place, and the last
    `refused` proposals were refused. Places without a crystal have `centers` at infinity.
    """

    tables: Array
    starts: Array
    placed: Array
    refused: Array
    first: Array
    parent: Array
    uniform: Array
    centers: Array

    @staticmethod
    def empty(n_crystals: int, dtype: Any) -> "_Growing":
        """The state before the first start."""
        zero = jnp.zeros((), jnp.int32)
        centers = jnp.full((3, n_crystals), jnp.inf, dtype)
        room = max(n_crystals - 1, 1)  # `at[].set` fails on an empty array
        parent = jnp.zeros(room, jnp.int32)
        uniform = jnp.zeros((room, 4), dtype)
        first = jnp.zeros(3, dtype)
        return _Growing(zero, zero, zero, zero, first, parent, uniform, centers)


def proposals_at_once(n_crystals: int) -> int:
    """How many proposals one step judges."""
    return min(max(JUDGED // n_crystals, 4), MOST_JUDGED)


def grow(
    key: Key[Array, ""], n_crystals: int, rules: PackingRules, max_proposals: int, max_starts: int
) -> Growth:
    """Place crystals one after the other, each in contact with an earlier one.

    After about `max_proposals` refused proposals in a row, the packing is restarted. After
    `max_starts` starts `complete` is False.
    """
    empty = partial(_Growing.empty, n_crystals, rules.diameter.dtype)
    proceed = partial(_proceed, n_crystals=n_crystals, max_proposals=max_proposals)

    def unfinished(state: _Growing) -> Array:
        given_up = (state.starts >= max_starts) & (state.refused >= max_proposals)
        return (state.placed < n_crystals) & ~given_up

    @jax.custom_batching.custom_vmap
    def finish(key: Array, rules: PackingRules) -> _Growing:
        return jax.lax.while_loop(unfinished, lambda state: proceed(key, rules, state), empty())

    @finish.def_vmap
    def finish_many(
        size: int, batched: Any, key: Array, rules: PackingRules
    ) -> tuple[_Growing, Any]:
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


class _Turn(NamedTuple):
    """Many packings being grown.

    `task` is the number of the packing that each worker grows, or beyond the last one for a worker
    without work; `following` the next number that nobody has taken; `growing` the packings of the
    workers; `results` the complete ones.
    """

    task: Array
    following: Array
    growing: _Growing
    results: _Growing


def _in_turns(
    proceed: Callable[..., _Growing],
    unfinished: Callable[[_Growing], Array],
    empty: _Growing,
    keys: Array,
    rules: PackingRules,
) -> _Growing:
    """Grow many packings, a limited number at a time.

    A plain `vmap` of the loop would run until the slowest packing is complete. Here each worker
    takes the next packing as soon as its own is complete.
    """
    size = len(keys)
    workers = min(WORKERS, size)
    repeated = lambda count: jax.tree.map(
        lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), empty
    )

    def turn(now: _Turn) -> _Turn:
        mine = jnp.minimum(now.task, size - 1)
        own_rules = jax.tree.map(lambda leaf: leaf[mine], rules)
        growing = jax.vmap(proceed)(keys[mine], own_rules, now.growing)
        done = ~jax.vmap(unfinished)(growing) & (now.task < size)
        at = jnp.where(done, now.task, size)  # out of bounds: dropped
        results = jax.tree.map(
            lambda all, one: all.at[at].set(one, mode="drop"), now.results, growing
        )
        following_tasks = now.following + jnp.cumsum(done, dtype=now.task.dtype) - 1
        task = jnp.where(done, following_tasks, now.task)
        growing = jax.tree.map(
            lambda one, fresh: jnp.where(jnp.expand_dims(done, range(1, one.ndim)), fresh, one),
            growing,
            empty,
        )
        following = now.following + jnp.sum(done, dtype=task.dtype)
        return _Turn(task, following, growing, results)

    task = jnp.arange(workers, dtype=jnp.int32)
    following = jnp.array(workers, task.dtype)
    first = _Turn(task, following, repeated(workers), repeated(size))
    return jax.lax.while_loop(lambda now: jnp.any(now.task < size), turn, first).results


def _proceed(
    key: Key[Array, ""],
    rules: PackingRules,
    state: _Growing,
    *,
    n_crystals: int,
    max_proposals: int,
) -> _Growing:
    """Restart the packing if necessary, then judge one table of proposals."""
    dtype = rules.diameter.dtype
    at_once = proposals_at_once(n_crystals)
    table_key, first_key = jax.random.split(jax.random.fold_in(key, state.tables))
    again = (state.placed == 0) | (state.refused >= max_proposals)
    first = jnp.where(again, _first_place(first_key, rules), state.first)
    origin = rules.first_centre(first)
    centers = jnp.where(again, jnp.inf, state.centers).at[:, 0].set(origin)
    table = uniform_numbers(table_key, (STEPS, at_once, 5), dtype)
    room = jnp.ones((), bool)
    if n_crystals == 2:
        # shells so thick that the second crystal cannot lie inside are never proposed
        share = rules.share_below(rules.reach(origin) - rules.diameter)
        # not left to a NaN position: with JAX 0.12 such a proposal was accepted
        room = jnp.isfinite(share)
        table = table.at[..., 2:4].multiply(jnp.where(room, share, 1))
    moves = rules.step(table[..., :4])
    state = _Growing(
        state.tables + 1,
        state.starts + again.astype(jnp.int32),
        jnp.where(again, 1, state.placed),
        jnp.where(again, 0, state.refused),
        first,
        state.parent,
        state.uniform,
        centers,
    )

    def judge(i: Array, state: _Growing) -> _Growing:
        placed = state.placed
        parent = (table[i, :, 4] * placed.astype(dtype)).astype(jnp.int32)
        centre = state.centers[:, parent].T + moves[i]
        inside = rules.container.contains(centre, rules.volume, rules.diameter / 2)
        # empty places are infinitely far
        squared = jnp.sum((centre[:, :, None] - state.centers) ** 2, axis=1)
        apart = jnp.min(squared, axis=-1) >= rules.diameter**2
        good = inside & apart & room & (placed < n_crystals)
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


def _first_place(key: Key[Array, ""], rules: PackingRules) -> Array:
    """Uniform numbers of a first centre that leaves room for a second one."""
    uniform = uniform_numbers(key, (FIRST_CANDIDATES, 3), rules.diameter.dtype)
    centre = jax.vmap(rules.first_centre)(uniform)
    return uniform[jnp.argmax(rules.reach(centre) >= rules.diameter)]
