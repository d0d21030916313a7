"""All resonances at one direction of the field, and the rule that picks the measured one.

The rule is the same everywhere: of the resonances with M in the global minimum of the energy
(`stable`), the one at the highest field is the measured one. There the sample is closest to
saturation, and as the anisotropy vanishes the field tends to w0. Where this branch ends, Hres jumps
to the next stable one. A field sweep also passes the branches at lower fields, which
`resonance_branches` returns. At an angle without a stable resonance the measured field is NaN, with
zero gradient.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..foundation.arrays import module_of


AnyArray = Array | np.ndarray


class Branches(eqx.Module):
    """All resonances for each direction of the field, highest field first.

    With numpy arrays the methods return numpy arrays.

    Args:
        field: Hres in tesla, NaN in empty slots.
        direction: The equilibrium unit vector of M with each, NaN in empty slots.
        stable: Whether M is in the global minimum of the energy at that field. False means
            metastable, or an empty slot.
    """

    field: Float[Array, "*batch slots"]
    direction: Float[Array, "*batch slots 3"]
    stable: Bool[Array, "*batch slots"]

    def is_measured(self) -> Bool[AnyArray, "*batch slots"]:
        """Which slot holds the measured resonance, the first stable one."""
        return self.stable & (module_of(self.stable).cumsum(self.stable, axis=-1) == 1)

    def measured(self) -> tuple[Float[AnyArray, "*batch"], Float[AnyArray, "*batch 3"]]:
        """Field (tesla) and direction of M of the highest stable branch.

        Returns:
            Shapes (...) and (..., 3), NaN where no branch is stable.
        """
        return (_measured if isinstance(self.stable, np.ndarray) else _measured_in_jax)(self)


def _measured(branches: Branches) -> tuple[Float[AnyArray, "*batch"], Float[AnyArray, "*batch 3"]]:
    xp = module_of(branches.stable)
    index = xp.argmax(branches.stable, axis=-1)[..., None]
    exists = xp.any(branches.stable, axis=-1)
    field = xp.take_along_axis(branches.field, index, axis=-1)[..., 0]
    direction = xp.take_along_axis(branches.direction, index[..., None], axis=-2)[..., 0, :]
    return xp.where(exists, field, xp.nan), xp.where(exists[..., None], direction, xp.nan)


_measured_in_jax = jax.jit(_measured)


def ordered_branches(
    field: Float[Array, "*batch slots"],
    direction: Float[Array, "*batch slots 3"],
    exists: Bool[Array, "*batch slots"],
    stable: Bool[Array, "*batch slots"],
) -> Branches:
    """Branches from slots in any order, some of them empty."""
    order = jnp.argsort(jnp.where(exists, -field, jnp.inf), axis=-1)
    sort = lambda slots: jnp.take_along_axis(slots, order, axis=-1)
    direction = jnp.where(exists[..., None], direction, jnp.nan)
    return Branches(
        field=sort(jnp.where(exists, field, jnp.nan)),
        direction=jnp.take_along_axis(direction, order[..., None], axis=-2),
        stable=sort(exists & stable),
    )
