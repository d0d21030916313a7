"""The sum over pairs of dipoles."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


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


def pair_sum(
    positions: Float[Array, "n 3"],
    moments: Float[Array, " n"],
    mask: Bool[Array, " n"],
) -> Float[Array, "6"]:
    """Sum over pairs i < j of mᵢmⱼ (I − 3 r̂ r̂ᵀ)/r³, each pair once.

    Returns the elements xx, yy, zz, xy, xz, yz in µB²/nm³ for positions in nm and moments in
    µB. Sites where `mask` is False take no part: whatever their position holds, NaN
    included, reaches neither the value nor a gradient. Two unmasked dipoles at the same
    place (or so close that r⁻³ overflows) make all six sums NaN, never inf.

    >>> import jax.numpy as jnp
    >>> pair = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.5]])
    >>> print(pair_sum(pair, jnp.ones(2), jnp.ones(2, bool))[:3])
    [  8.   8. -16.]
    """
    count = positions.shape[0]
    moments = jnp.where(mask, moments, 0.0)
    index = jnp.arange(count)

    @jax.checkpoint
    def row(i: Array) -> Array:
        included = mask & mask[i] & (index > i)
        unit, weight = pair_differences(positions[i], positions, included)
        weight = weight * moments * moments[i]
        x, y, z = unit[:, 0], unit[:, 1], unit[:, 2]
        elements = [1 - 3 * x * x, 1 - 3 * y * y, 1 - 3 * z * z, -3 * x * y, -3 * x * z, -3 * y * z]
        return jnp.sum(weight * jnp.stack(elements), axis=-1)

    total = jnp.sum(jax.lax.map(row, index, batch_size=min(64, count)), axis=0)
    return jnp.where(jnp.all(jnp.isfinite(total)), total, jnp.nan)
