"""Elementwise operations that are one primitive each.

`jnp.where` and `jnp.clip` are jitted functions of their own. A solver has hundreds of them, which
JAX then traces and batches one by one. These are the same operations without that cost.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool


State = TypeVar("State")


def choose(condition: Bool[Array, "..."], first: Any, second: Any) -> Array:
    """`first` where the condition holds, `second` elsewhere; shapes broadcast.

    One of the two may be a Python number.
    """
    if not hasattr(first, "dtype"):
        first = lax.full_like(second, first)
    if not hasattr(second, "dtype"):
        second = lax.full_like(first, second)
    return lax.select(*jnp.broadcast_arrays(condition, first, second))


def between(lower: Array, value: Array, upper: Array) -> Array:
    """The value, moved to the nearer end if it lies outside of [lower, upper]."""
    return lax.clamp(*jnp.broadcast_arrays(lower, value, upper))


def at_least(value: Array, least: float) -> Array:
    """The larger of the value and a number."""
    return lax.max(value, lax.full_like(value, least))


def not_zero(value: Array) -> Array:
    """The value, with 1 instead of 0: a divisor."""
    return choose(value == 0, 1.0, value)


def repeated(step: Callable[[State], State], state: State, count: int) -> State:
    """The state after `count` steps, as a loop: the step is compiled once."""
    return lax.fori_loop(0, count, lambda _, before: step(before), state)
