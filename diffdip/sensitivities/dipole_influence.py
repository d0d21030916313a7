"""Which few dipoles make the anisotropy of one sample."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..dipoles.dipole_system import DipoleSystem
from ..dipoles.pair_sums import pair_quadrupole, pair_sum
from .observables import AbstractObservable, observe
from .parameter_variation import fields_of


class Influence(eqx.Module):
    """Result of `influence`, for n dipoles.

    `value` of the observable; `gradient` (n, 3) its derivative by each position, per nm; `without`
    (n,) its value without each dipole. At masked sites: zero, and the value.
    """

    value: Float[Array, ""]
    gradient: Float[Array, "n 3"]
    without: Float[Array, " n"]


def influence(system: DipoleSystem, observable: AbstractObservable) -> Influence:
    """What each dipole does to an observable: as it moves a little, and as it goes.

    The gradient leads through D and, for a resonance field, through the implicit solution. All
    dipoles taken away one after the other cost one pass over the pairs. The volume stays.

    >>> import jax.numpy as jnp
    >>> from diffdip import Magnitude
    >>> line = DipoleSystem(jnp.array([[0.0, 0, 0], [0.3, 0, 0], [3.0, 0, 0]]), volume=27.0)
    >>> found = influence(line, Magnitude("B"))
    >>> [f"{1e3 * float(x):.1f}" for x in found.without]  # mT; the close pair makes nearly all
    ['0.5', '0.4', '356.5']
    """

    def of_positions(positions: Array) -> Array:
        moved = eqx.tree_at(lambda s: s.positions, system, positions)
        fields = moved.anisotropy_fields()
        return observable(jnp.stack([fields.A, fields.B, fields.C]), system.convention)

    value, gradient = jax.value_and_grad(of_positions)(system.positions)
    sums = pair_sum(system.positions, system.moments, system.mask)
    seen = pair_quadrupole(system.positions, system.moments, system.mask)
    own = jnp.where(system.mask, system.moments, 0)
    fields = fields_of(system, sums - own[:, None] * seen, system.total_moment - own)
    return Influence(value, gradient, observe(observable, fields, system.convention))
