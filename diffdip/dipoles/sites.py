"""The sites of dipoles as arrays of one length, checked."""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Shaped

from ..foundation.arrays import as_float
from ..foundation.errors import InputError


def checked_sites(
    positions: Float[ArrayLike, "n 3"],
    moments: Shaped[ArrayLike, ""] | Shaped[ArrayLike, " n"],
    mask: Bool[ArrayLike, " n"] | None,
    one: str,
) -> tuple[Float[Array, "n 3"], Float[Array, " n"], Bool[Array, " n"]]:
    """Positions, moments and mask of n sites; `one` is what messages call one of them.

    Raises `InputError` for arrays of other shapes, or without a site.
    """
    places = as_float(positions)
    if places.ndim != 2 or places.shape[1] != 3 or not len(places):
        expected = f"an array of shape (n, 3) with at least one {one}"
        raise InputError("positions", given=places.shape, expected=expected)
    count = len(places)
    sizes = jnp.asarray(moments, places.dtype)
    if sizes.shape not in ((), (count,)):
        expected = f"one number, or one for each of the {count} {one}s"
        raise InputError("moments", given=sizes.shape, expected=expected)
    kept = jnp.ones(count, bool) if mask is None else jnp.asarray(mask, bool)
    if kept.shape != (count,):
        raise InputError("mask", given=kept.shape, expected=f"the shape ({count},)")
    return places, jnp.broadcast_to(sizes, (count,)), kept
